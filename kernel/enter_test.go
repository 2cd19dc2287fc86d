package kernel

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"alpinevm/internal/guesttest/guestfile"
)

// chroots comes into the folder that the process is in.
func chroots(c *caller, noRoot label) { c.add(callChroot, arg(c.text("."))).fails(noRoot) }

// TestEnter has the host's own processor and Linux run the program that becomes the session's, in a root whose tools are a static busybox:
// what is run is the root's, found as execvp(3) finds it, and what cannot be run is named.
func TestEnter(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "386" || os.Getuid() != 0 {
		t.Skip("not here: it takes root on an x86 Linux to change the root")
	}
	bb, err := os.ReadFile(guestfile.Path(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"bin/busybox":  {string(bb), 0o755},
		"a/tar":        {"#!/bin/busybox sh\necho tar in a, $*, in $(/bin/busybox pwd), $HOME\n", 0o755},
		"b/tar":        {"#!/bin/busybox sh\necho tar in b\n", 0o755},
		"a/late":       {"#!/bin/busybox sh\n", 0o644},
		"b/late":       {"#!/bin/busybox sh\necho late\n", 0o755},
		"a/plain":      {"", 0o644},
		"a/text":       {"echo no line about a shell\n", 0o755},
		"a/lost":       {"#!/bin/bash\n", 0o755},
		"work/tar":     {"#!/bin/busybox sh\necho tar at work\n", 0o755},
		"a/who":        {"#!/bin/busybox sh\n/bin/busybox id\n", 0o755},
		"a/dir/x":      {"", 0o644},
		"private/file": {"", 0o755},
		"c/late/x":     {"", 0o644},
	} {
		at := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(file.text), file.mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "private"), 0o700); err != nil {
		t.Fatal(err)
	}
	const folders = "PATH=/none:/a/plain:/a:/b"
	for _, tt := range []struct {
		name   string
		p      Program
		dir    string
		stdout string
		stderr string
		code   int
	}{
		{"along PATH", Program{Args: []string{"tar", "x y", "z"}, Env: []string{folders, "HOME=/h"}}, "/work", "tar in a, x y z, in /work, /h\n", "", 0},
		{"the working folder", Program{Args: []string{"tar"}, Env: []string{"PATH=:/b"}}, "/work", "tar at work\n", "", 0},
		{"with a folder", Program{Args: []string{"./tar"}, Env: []string{folders}}, "/b", "tar in b\n", "", 0},
		{"no PATH", Program{Args: []string{"busybox", "echo", "it's"}}, "/", "it's\n", "", 0},
		{"a later one", Program{Args: []string{"late"}, Env: []string{folders}}, "/", "late\n", "", 0},
		{"user", Program{Args: []string{"who"}, Env: []string{folders}, UID: 1000, GID: 100, Groups: []uint32{7, 100, 1 << 31}}, "/",
			"uid=1000 gid=100 groups=7,100,2147483648\n", "", 0},
		{"root's groups", Program{Args: []string{"who"}, Env: []string{folders}, Groups: []uint32{0, 10}}, "/", "uid=0 gid=0 groups=0,10\n", "", 0},
		{"missing", Program{Args: []string{"nosuch"}, Env: []string{folders}}, "/", "", `exec: "nosuch": executable file not found in $PATH`, 127},
		{"an applet that is no file", Program{Args: []string{"ls"}, Env: []string{folders}}, "/", "", `exec: "ls": executable file not found in $PATH`, 127},
		{"no name", Program{Args: []string{""}, Env: []string{folders}}, "/", "", `exec: "": executable file not found in $PATH`, 127},
		{"missing file", Program{Args: []string{"/no/\x1b"}, Env: []string{folders}}, "/", "", `exec: "/no/\x1b": no such file or directory`, 127},
		{"below a file", Program{Args: []string{"/a/tar/x"}, Env: []string{folders}}, "/", "", `exec: "/a/tar/x": no such file or directory`, 127},
		{"not executable", Program{Args: []string{"plain"}, Env: []string{folders}}, "/", "", `exec: "plain": permission denied`, 126},
		{"folder", Program{Args: []string{"dir"}, Env: []string{folders}}, "/", "", `exec: "dir": executable file not found in $PATH`, 127},
		{"folder by name", Program{Args: []string{"/a/dir"}, Env: []string{folders}}, "/", "", `exec: "/a/dir": is a directory`, 126},
		{"the root", Program{Args: []string{"/"}, Env: []string{folders}}, "/", "", `exec: "/": is a directory`, 126},
		{"folder, and a program behind it", Program{Args: []string{"late"}, Env: []string{"PATH=/c:/b"}}, "/", "late\n", "", 0},
		{"not executable, by name", Program{Args: []string{"/a/plain"}, Env: []string{folders}}, "/", "", `exec: "/a/plain": permission denied`, 126},
		{"behind a folder that is closed", Program{Args: []string{"/private/file"}, Env: []string{folders}, UID: 7, GID: 7}, "/", "", `exec: "/private/file": permission denied`, 126},
		{"not executable, and no program behind it", Program{Args: []string{"plain"}, Env: []string{"PATH=/a:/none:/b"}}, "/", "", `exec: "plain": permission denied`, 126},
		{"too large", Program{Args: []string{"tar", strings.Repeat("x", 1<<18)}, Env: []string{folders}}, "/", "", `exec: "tar": argument list too long, or too little memory`, 126},
		{"format", Program{Args: []string{"text"}, Env: []string{folders}}, "/", "", `exec: "text": exec format error: it is no 32-bit x86 program, nor a script that begins with #!`, 126},
		{"interpreter", Program{Args: []string{"lost"}, Env: []string{folders}}, "/", "", `exec: "lost": no such file or directory: the interpreter or loader that it names is missing`, 127},
		{"no folder", Program{Args: []string{"tar"}, Env: []string{folders}}, "/bin/busybox", "", `the working folder "/bin/busybox" cannot be entered`, 125},
	} {
		enter := filepath.Join(t.TempDir(), "enter")
		if err := os.WriteFile(enter, tt.p.enter(tt.dir, chroots), 0o755); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(enter)
		cmd.Dir, cmd.Stdout, cmd.Stderr = root, &stdout, &stderr
		err := cmd.Run()
		if cmd.ProcessState == nil {
			t.Skip("not here: the host's kernel runs no 32-bit programs: ", err)
		}
		want := tt.stderr
		if want != "" {
			want = "alpinevm: " + want + "\n"
		}
		if stdout.String() != tt.stdout || stderr.String() != want || cmd.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s: stdout %q, stderr %q, %v; want %q, %q, %d", tt.name, &stdout, &stderr, cmd.ProcessState, tt.stdout, want, tt.code)
		}
	}
}

// TestEnterBounds: what an image says in PATH costs the host little.
func TestEnterBounds(t *testing.T) {
	long := strings.Repeat("n", maxPath-10)
	for _, row := range []struct {
		name, path, program string
		want                int
	}{
		{"many folders", strings.Repeat("/a:", 1<<16), "x", maxFolders},
		{"long names but for the working folder's", strings.Repeat("/abcdefghijkl:", 100), long, 1},
		{"a name that just fits", "/abcdefg:/abcdefgh", long, 1},
	} {
		p := Program{Args: []string{row.program}, Env: []string{"PATH=/old", "PATH=" + row.path}}
		if n := len(p.places()); n != row.want {
			t.Errorf("%s: %d places, want %d", row.name, n, row.want)
		}
		if n := len(p.enter("/", chroots)); n > 4<<20 {
			t.Errorf("%s: %d bytes", row.name, n)
		}
	}
	if p := (Program{Args: []string{"x"}, Env: []string{"PATH=/a::b/"}}); !slices.Equal(p.places(), []string{"/a/x", "x", "b/x"}) {
		t.Errorf("places %q", p.places())
	}
}
