package main

import (
	"io"
	"os"
	"regexp"
	"slices"
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

// TestBackgroundRefused: run -d of a command that cannot begin says why, and exits so.
func TestBackgroundRefused(t *testing.T) {
	t.Parallel()
	h := background(t)
	for _, tt := range []struct {
		flags   []string
		command string
		code    int
		out     string
		says    string // the last line of standard error
	}{
		{nil, "nosuch", 127, "", "alpinevm: exec: \"nosuch\": executable file not found in $PATH\n"},
		{[]string{"-t"}, "/no/such", 127, "", "alpinevm: exec: \"/no/such\": no such file or directory\n"},
		{[]string{"-i"}, "/etc/passwd", 126, "", "alpinevm: exec: \"/etc/passwd\": permission denied\n"},
		{[]string{"-w", "/etc/passwd"}, "true", 125, "", "alpinevm: --workdir /etc/passwd: it is a file; want a folder of the guest\n"},
		{[]string{"-u", "7:8", "--name", "box"}, "false", 0, "box\n", ""},
	} {
		args := slices.Concat([]string{
			"run", "-d", "-m", "64M", "--network", "none", "--rootfs", guesttest.RootFile(t),
			"--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
		}, tt.flags, []string{"--", tt.command})
		h.check(args, tt.code, tt.out, "(.*\n)*"+regexp.QuoteMeta(tt.says))
	}
}
