//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
)

// TestMachineDisk has a machine whose files were damaged, whose disk fails, and
// one whose disk is full.
func TestMachineDisk(t *testing.T) {
	t.Parallel()
	args := []string{
		"run", "-q", "--network", "none", "-m", "128M", "--name", "box", "--rootfs", guesttest.RootFile(t),
		"--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
	}
	run := func(more ...string) []string { return append(args[:len(args):len(args)], more...) }
	h := home{t: t, dir: t.TempDir()}
	h.check(run("--", "sh", "-c", "echo text >/root/kept; mkdir /root/victim; sync"), 0, "", "")
	dir := filepath.Join(h.dir, "state", "alpinevm", "machines", "box", "root")
	journal := filepath.Join(dir, "journal")

	t.Run("damaged", func(t *testing.T) {
		h := home{t: t, dir: h.dir}
		b, err := os.ReadFile(journal)
		at := bytes.Index(b, []byte("victim"))
		if err != nil || at < 0 {
			t.Fatalf("no journal as it should be: %v", err)
		}
		b[at] ^= 1
		if err := os.WriteFile(journal, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			h.check(run("--", "true"), 125, "", `alpinevm: machine box: state folder `+dir+`: the journal is damaged: .*; alpinevm run --name box --salvage .*\n`)
		}
		if now, err := os.ReadFile(journal); err != nil || !bytes.Equal(now, b) {
			t.Fatalf("the journal was changed, %v", err)
		}
		h.check(run("--salvage", "--", "sh", "-c", "cat /root/kept; ls /root"), 0, "text\nkept\n",
			`alpinevm: machine box: the journal was damaged at 1 places, .* kept as `+journal+`\.damaged-1\n`)
		if was, err := os.ReadFile(journal + ".damaged-1"); err != nil || !bytes.Equal(was, b) {
			t.Errorf("what is kept is not what was there, %v", err)
		}
		h.check([]string{"run", "--salvage", "--rootfs", guesttest.RootFile(t)}, 125, "", `alpinevm: --salvage mends a machine: give its --name\n`)
	})
	t.Run("fails", func(t *testing.T) {
		// The first fsync of a thread is that of the machine's record; which file
		// the second one is of, the journal or the guest's, is the scheduler's.
		strace := []string{"strace", "-f", "--seccomp-bpf", "-qqq", "-o", os.DevNull, "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=2"}
		if out, err := exec.Command(strace[0], append(strace[1:], "true")...).CombinedOutput(); err != nil {
			t.Skipf("not here: strace injects no failures: %v, %s", err, out)
		}
		cmd := h.command(run("--", "sh", "-c", "cat /root/kept; echo new >/root/new; dd if=/dev/zero of=/root/new bs=1k count=9 conv=fsync 2>/dev/null || echo failed; exec sleep 1000")...)
		cmd.Args = append(append(strace, cmd.Path), cmd.Args[1:]...)
		cmd.Path, cmd.Err = exec.Command(strace[0]).Path, nil
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if code := codeOf(t, err); code != 125 || !match(`text\n(failed\n)?`, out.String()) ||
			!match(`alpinevm: machine box: the disk has failed: sync .*/(journal|data/[0-9a-f]+(/[0-9a-f]+)?): input/output error; .* the machine ends\n`, errs.String()) {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
		}
	})
	t.Run("full", func(t *testing.T) {
		small := t.TempDir()
		mount := "mount -t tmpfs -o size=16m tmpfs " + small
		if out, err := exec.Command("unshare", "-r", "-m", "sh", "-c", mount).CombinedOutput(); err != nil {
			t.Skipf("not here: no small disk can be mounted: %v, %s", err, out)
		}
		quoted := func(args []string) string { return "alpinevm '" + strings.Join(args, "' '") + "'" }
		script := strings.Join([]string{
			mount,
			quoted(run("--", "sh", "-c", "dd if=/dev/zero of=/root/big bs=64k count=400 conv=fsync 2>/dev/null || echo full")),
			"dd if=/dev/zero of=" + small + "/rest bs=1k 2>/dev/null",
			quoted(run("--", "sh", "-c", "rm /root/big && sync && echo again >/root/small && sync && cat /root/small")),
		}, "\n")
		cmd := exec.Command("unshare", "-r", "-m", "sh", "-c", script)
		cmd.Env = append(h.command().Env, "XDG_STATE_HOME="+small)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		if out.String() != "full\nagain\n" || !match(`(alpinevm: machine box: the disk of `+small+`.* is full; remove files in the machine.*\n)+`, errs.String()) {
			t.Errorf("%v, stdout %q, stderr %q", err, out.String(), errs.String())
		}
	})
}
