package main

import (
	"io"
	"os"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// TestBackgroundFiles: a machine in the background does not keep what its starter had
// left open.
func TestBackgroundFiles(t *testing.T) {
	t.Parallel()
	h := background(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := h.command("run", "-d", "-q", "-m", "64M", "--network", "none", "--name", "box", "--rootfs", guesttest.RootFile(t),
		"--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"), "--", "sleep", "1000")
	cmd.ExtraFiles = []*os.File{w}
	out, err := cmd.CombinedOutput()
	w.Close()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.SetReadDeadline(time.Now().Add(patience))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("of the pipe's other end: %v", err)
	}
	h.output("exec", "box", "true") // it is there
	h.output("kill", "box")
}
