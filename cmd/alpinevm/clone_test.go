//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"alpinevm/internal/guesttest"
)

// background is an environment of its own in which machines run that end with the
// test.
func background(t *testing.T) home {
	h := home{t: t, dir: t.TempDir()}
	t.Cleanup(func() { removeAll(h.command().Env) })
	return h
}

// output gives what a command prints, which must succeed.
func (h home) output(args ...string) string {
	h.t.Helper()
	cmd := h.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	if err := cmd.Wait(); err != nil {
		h.t.Fatalf("%q: %v, %s%s", args, err, out.String(), errs.String())
	}
	return out.String()
}

// start starts a machine of the test's root in the background, which runs a shell
// script and has said "ready".
func (h home) start(script string, flags ...string) (name string) {
	h.t.Helper()
	args := slices.Concat([]string{
		"run", "-d", "-q", "-m", "64M", "--rootfs", guesttest.RootFile(h.t),
		"--kernel", guesttest.File(h.t, "686-pae/vmlinuz"), "--modules", guesttest.File(h.t, "686-pae/modules"),
	}, flags, []string{"--", "sh", "-c", script})
	if i := slices.Index(flags, "--name"); i >= 0 {
		name = flags[i+1]
	}
	h.output(args...)
	if name == "" {
		name = strings.Fields(h.output("ps", "-q"))[0]
	}
	h.says(name, "ready")
	return name
}

// says waits until a machine has printed something.
func (h home) says(name, text string) {
	h.t.Helper()
	for late := time.Now().Add(patience); !strings.Contains(h.output("logs", name), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			h.t.Fatalf("%s does not say %q: %s", name, text, h.output("logs", name))
		}
	}
}

// answer connects to the port of the host that leads to a machine's port.
func (h home) answer(name string, port int) string {
	h.t.Helper()
	at := strings.TrimSpace(h.output("port", name, fmt.Sprint(port)))
	var b []byte
	for late := time.Now().Add(patience); len(b) == 0 && time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err != nil {
			continue
		}
		c.SetDeadline(time.Now().Add(patience))
		b, _ = io.ReadAll(c)
		c.Close()
	}
	return string(b)
}

// serving keeps a file in its memory and one on its disk, and listens.
const serving = `echo kept >/root/f; exec 3<>/root/held; echo held >&3; rm /root/held
nc -lk -p 7 -e echo hello & echo ready; n=0; while :; do n=$((n+1)); echo $n >/root/n; sleep 0.2; done`

// TestSaveRunning saves a kept machine that runs: it goes on; machines go on from
// the files when it is gone, with their own disks, and are started again from these.
func TestSaveRunning(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	t.Parallel()
	h := background(t)
	h.start(serving, "--name", "box")
	file := func(name string) string { return filepath.Join(h.dir, name) }
	h.check([]string{"snapshot", "save", "box", file("raw")}, 0, "", `alpinevm: machine box is saved in .*/raw; it stood still for \d+ ms\n`)
	h.check([]string{"snapshot", "save", "-q", "--packed", "box", file("packed")}, 0, "", "")
	h.check([]string{"snapshot", "ls", h.dir}, 0, `(?s).*packed +packed .*raw +raw .*`, "")
	h.check([]string{"exec", "box", "cat", "/root/f"}, 0, "kept\n", "") // it goes on
	h.output("rm", "-f", "box")

	h.output("run", "-d", "-q", "--from", file("raw"), "--name", "one", "-p", "127.0.0.1:0:7")
	h.output("run", "-d", "-q", "--from", file("packed"), "--name", "two")
	if got := h.answer("one", 7); got != "hello\n" {
		t.Errorf("what listened in the saved machine answers %q", got)
	}
	h.check([]string{"exec", "one", "sh", "-c", "cat /root/f; echo changed >/root/f; echo new >/root/new; sync"}, 0, "kept\n", "")
	h.check([]string{"exec", "two", "sh", "-c", "cat /root/f; ls /root/new"}, 1, "kept\n", `ls: /root/new: No such.*\n`)
	h.check([]string{"run", "-q", "--from", file("raw"), "--", "cat", "/root/f"}, 0, "kept\n", "") // without a name
	h.output("stop", "-t", "5", "one")
	h.check([]string{"run", "-q", "--from", file("raw"), "--name", "one"}, 125, "", `alpinevm: machine one: there is one of that name; .*\n`)
	h.output("rm", "-f", "two")
	h.check([]string{"ls", "-q"}, 0, "one\n", "")
	h.output("start", "one")
	h.says("one", "ready") // the same command
	h.check([]string{"exec", "one", "sh", "-c", "cat /root/new"}, 0, "new\n", "")
	h.check([]string{"inspect", "one"}, 0, `(?s).*"sh",\s+"-c",.*`, "")

	other := file("other")
	if err := os.WriteFile(other, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.output("pause", "one")
	for _, tt := range []struct{ args, says string }{
		{"one " + file("x"), `machine one: it is paused; alpinevm unpause one has it go on`},
		{"nosuch " + file("x"), `machine nosuch: there is none of that name; .*`},
		{"one " + other, `snapshot .*/other: it is there, and no snapshot: choose another name, or remove it`},
		{"one " + h.dir, `snapshot .*: is a directory`},
		{"one " + file("no/x"), `snapshot .*/no/x: no such file or directory`},
	} {
		h.check(append([]string{"snapshot", "save"}, strings.Fields(tt.args)...), 1, "", "alpinevm: "+tt.says+"\n")
	}
	if left, err := filepath.Glob(file("x*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestClone makes clones of machines that run, kept and not, and of one that does
// not: what must differ does, and nobody sees what another one changes.
func TestClone(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	t.Parallel()
	h := background(t)
	share := t.TempDir()
	if err := os.WriteFile(filepath.Join(share, "f"), []byte("shared\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.start(serving, "--name", "box", "-v", share+":/v:ro", "--deny", "192.0.2.1")
	h.output("exec", "box", "sh", "-c", "ls -lR /lib/modules/*/kernel/fs") // and so it holds them
	if got := h.output("clone", "-q", "box", "c", "-n", "3", "-p", "127.0.0.1:0:7"); got != "c-1\nc-2\nc-3\n" {
		t.Errorf("%q", got)
	}
	seen := map[string]bool{}
	for _, name := range []string{"c-1", "c-2", "c-3"} {
		got := strings.Split(strings.TrimSpace(h.output("exec", name, "sh", "-c", `hostname; head -c 16 /dev/urandom | md5sum; cat /sys/class/net/eth0/address; cat /root/f /v/f; date +%s; echo `+name+` >/root/f; sync`)), "\n")
		if len(got) != 6 || got[0] != name || got[3] != "kept" || got[4] != "shared" {
			t.Fatalf("%s: %q", name, got)
		}
		for _, own := range got[:3] {
			if seen[own] {
				t.Errorf("%s: others have %s", name, own)
			}
			seen[own] = true
		}
		if got := h.answer(name, 7); got != "hello\n" {
			t.Errorf("%s answers %q", name, got)
		}
	}
	h.check([]string{"exec", "c-1", "sh", "-c", "find /lib/modules/*/kernel/fs -name '*.ko*' -type f | head -n 1 | xargs cat | wc -c"}, 0, `[1-9][0-9]+\n`, "") // which it may read
	h.check([]string{"exec", "box", "cat", "/root/f"}, 0, "kept\n", "")
	h.output("rm", "-f", "box", "c-3") // nothing of the others goes with them
	h.check([]string{"exec", "c-2", "cat", "/root/f"}, 0, "c-2\n", "")
	h.output("stop", "-t", "5", "c-1")
	h.check([]string{"clone", "c-1", "copy"}, 0, "copy\n", "")
	h.output("rm", "c-1")
	h.output("start", "copy")
	h.says("copy", "ready")
	h.check([]string{"exec", "copy", "sh", "-c", "hostname; cat /v/f"}, 0, "copy\nshared\n", "")

	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	taken := free.Addr().String()
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"c-2", "copy"}, `machine copy: there is one of that name; .*`},
		{[]string{"nosuch", "x"}, `machine nosuch: there is none of that name; .*`},
		{[]string{"c-2", "a/b"}, `machine "a/b": want a name .*`},
		{[]string{"c-2", "x", "-n", "0"}, `-n 0: want 1 to 1000 clones`},
		{[]string{"c-2", "x", "-n", "2", "-p", "80:80"}, `-p 80:80: 2 clones cannot have one port of the host; -p 80 .*`},
		{[]string{"c-2", "x", "-p", "x"}, `port "x": .*`},
		{[]string{"c-2", "x", "-p", taken + ":7"}, `.*` + taken + `.*`},
		{[]string{"c-2", "x", "--hostname", "no name"}, `--hostname "no name": .*`},
	} {
		h.check(append([]string{"clone", "-q"}, tt.args...), 1, "", "alpinevm: "+tt.says+"\n")
	}
	h.check([]string{"ls", "-q"}, 0, "copy\nc-2\n", "")
	if left, err := os.ReadDir(filepath.Join(h.dir, "state", "alpinevm", "machines", ".clones")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestCloneUnkept: clones of a machine that is not kept are not either.
func TestCloneUnkept(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	t.Parallel()
	h := background(t)
	name := h.start(serving, "--rm", "--network", "none")
	h.output("clone", "-q", name, "x")
	h.check([]string{"exec", "x", "sh", "-c", "cat /root/f; echo other >/root/f"}, 0, "kept\n", "")
	h.check([]string{"exec", name, "cat", "/root/f"}, 0, "kept\n", "")
	h.check([]string{"clone", "-q", name, "y", "-p", "80"}, 1, "", `alpinevm: -p 80: machine .* has no network\n`)
	file := filepath.Join(h.dir, "file")
	h.output("snapshot", "save", "-q", name, file)
	h.check([]string{"run", "-q", "--network", "none", "--from", file, "--name", "kept", "--", "cat", "/root/f"}, 125, "", `alpinevm: --from .*: the machine's root was .*, not an image, .*\n`)
	h.check([]string{"run", "-q", "--network", "none", "--from", file, "--", "cat", "/root/f"}, 0, "kept\n", "")
	h.output("stop", "-t", "5", "x")
	h.check([]string{"ls", "-q"}, 0, "", "")
}

// TestRunFlagsCarried: of each flag of run it is known whether clones have it too.
func TestRunFlagsCarried(t *testing.T) {
	var want []string
	run := newRun()
	run.InitDefaultHelpFlag()
	run.Flags().VisitAll(func(f *pflag.Flag) { want = append(want, f.Name) })
	got := strings.Fields(hostFlags + " " + ownFlags)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("flags that clones have or not: %q\nwant %q", got, want)
	}
}

// writing writes files one after the other, and says a file's number when it is on
// the disk. counting counts those that are there, whole.
const (
	writing  = `mkdir /root/w; echo ready; n=1; while echo $n | dd of=/root/w/$n conv=fsync 2>/dev/null; do echo $n; n=$((n+1)); done`
	counting = `n=1; while read x </root/w/$n && [ "$x" = $n ]; do n=$((n+1)); done 2>/dev/null; echo $((n-1))`
)

// TestSaveWritten saves and clones a kept machine that writes all the time: what was
// on the disk before is there in each that goes on, which writes on.
func TestSaveWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	t.Parallel()
	h := background(t)
	h.start(writing, "--name", "box", "--network", "none")
	// told waits until a machine has said a higher number, and gives it.
	told := func(name string, before int) (n int) {
		t.Helper()
		for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
			text := h.output("logs", name)
			lines := strings.Fields(text[:strings.LastIndex(text, "\n")+1])
			if len(lines) > 0 {
				if fmt.Sscan(lines[len(lines)-1], &n); n > before {
					return n
				}
			}
		}
		t.Fatalf("%s has not written more than %d files", name, before)
		return 0
	}
	had := 0
	goesOn := func(name string, before int) {
		t.Helper()
		n := 0
		if fmt.Sscan(h.output("exec", name, "sh", "-c", counting), &n); n < before {
			t.Errorf("%s: %d files are there, and %d were on the disk", name, n, before)
		}
		told(name, before)
		h.output("rm", "-f", name)
	}
	for i := range 3 {
		file := filepath.Join(h.dir, fmt.Sprint("file", i))
		save := []string{"snapshot", "save", "-q", "box", file}
		if i == 1 {
			save = append(save, "--packed")
		}
		had = told("box", had+3)
		h.output(save...)
		h.output("run", "-d", "-q", "--network", "none", "--from", file, "--name", "next")
		goesOn("next", had)
		had = told("box", had)
		h.output("clone", "-q", "box", "twin")
		goesOn("twin", had)
	}
}
