//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// saveKills is how often TestKilledSave kills a save.
var saveKills = flag.Int("savekills", 8, "how often to kill the saving of a snapshot")

// TestKilledSave kills the program with SIGKILL at random points of a save, and then
// the machine itself: the file that was there before is whole, nothing else is left
// beside it or in the machine, and the machine, or what is started of it again, has
// all its files.
func TestKilledSave(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	t.Parallel()
	h := background(t)
	h.start(`i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i >/root/$i; done; sync; `+serving, "--name", "box")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	frozen := filepath.Join(h.dir, "state", "alpinevm", "machines", "box", "root", "frozen")
	begun := time.Now()
	h.output("snapshot", "save", "-q", "box", file)
	took := time.Since(begun)
	whole := func() {
		t.Helper()
		h.check([]string{"snapshot", "inspect", file}, 0, `(?s)File: .*`, "")
		for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(frozen); err != nil {
				break
			}
			if time.Now().After(late) {
				t.Fatalf("%s is left", frozen)
			}
		}
	}
	for range *saveKills {
		cmd := h.command("snapshot", "save", "-q", "box", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(took))
		cmd.Process.Kill()
		cmd.Wait()
		whole()
	}
	h.check([]string{"exec", "box", "sh", "-c", "cat /root/[0-9]* | wc -l"}, 0, "300\n", "")

	var about []struct{ State struct{ Pid int } }
	if err := json.Unmarshal([]byte(h.output("inspect", "box")), &about); err != nil || len(about) != 1 {
		t.Fatalf("%+v, %v", about, err)
	}
	cmd := h.command("snapshot", "save", "-q", "box", file)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(rand.N(took))
	if err := syscall.Kill(about[0].State.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, cmd.Wait()); code != 0 && (code != exitError || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "machine box: ")) {
		t.Errorf("exit code %d, %s", code, errs.String())
	}
	h.output("start", "box")
	h.says("box", "ready")
	whole()
	h.check([]string{"exec", "box", "sh", "-c", "cat /root/[0-9]* | wc -l"}, 0, "300\n", "")
	h.output("snapshot", "save", "-q", "box", file) // which takes away what no name was seen of
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("beside the file there is something else: %v, %v", list, err)
	}
	h.check([]string{"run", "-q", "--from", file, "--", "sh", "-c", "cat /root/[0-9]* | wc -l"}, 0, "300\n", "")

	t.Run("full", func(t *testing.T) {
		small := t.TempDir()
		mount := "mount -t tmpfs -o size=200m tmpfs " + small
		if out, err := exec.Command("unshare", "-r", "-m", "sh", "-c", mount).CombinedOutput(); err != nil {
			t.Skipf("not here: no small disk can be mounted: %v, %s", err, out)
		}
		script := mount + ` && cd ` + small + ` && alpinevm snapshot save -q box file && { dd if=/dev/zero of=rest bs=64k 2>/dev/null
alpinevm snapshot save -q box file; echo $?; alpinevm snapshot inspect file >/dev/null && ls -A; }`
		cmd := exec.Command("unshare", "-r", "-m", "sh", "-c", script)
		cmd.Env = h.command().Env
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || out.String() != "1\nfile\nrest\n" || !match(`alpinevm: snapshot file: no space left on device\n`, errs.String()) {
			t.Errorf("%v, stdout %q, stderr %q", err, out.String(), errs.String())
		}
	})
}
