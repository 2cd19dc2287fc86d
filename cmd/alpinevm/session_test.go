//go:build linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// run runs the program without a terminal, to its end.
func run(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = runTo(t, stdin, &out, &errs, args...)
	return out.String(), errs.String(), code
}

// runTo is run with the places that the output goes to, which may be one.
func runTo(t *testing.T, stdin io.Reader, stdout, stderr io.Writer, args ...string) (code int) {
	t.Helper()
	cmd := exec.Command("alpinevm", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	return codeOf(t, cmd.Wait())
}

// TestStreams sends bytes through a program: they arrive as they were, with an
// end, and apart from standard error.
func TestStreams(t *testing.T) {
	t.Parallel()
	data := make([]byte, 20<<20)
	for i, r := 0, rand.NewPCG(1, 2); i < len(data); i += 8 {
		for j, x := 0, r.Uint64(); j < 8; j++ {
			data[i+j] = byte(x >> (8 * j))
		}
	}
	stdout, stderr, code := run(t, bytes.NewReader(data), runArgs(t, "--", "sh", "-c", "cat; echo error >&2; kill -USR1 $$")...)
	if stdout != string(data) {
		t.Errorf("%d bytes came back, or not the same as the %d sent", len(stdout), len(data))
	}
	if want := 128 + int(syscall.SIGUSR1); stderr != "error\n" || code != want {
		t.Errorf("stderr %q, exit code %d, want %d", stderr, code, want)
	}
}

// programs are scripts that say what they see.
var programs = []struct {
	name   string
	flags  []string
	script string
	stdout string
	stderr string
	code   int
	merged bool // standard error is standard output: both are in order
}{
	{
		name:   "environment",
		flags:  []string{"-e", "A=b c'd", "-e", "FROM_HOST", "-e", "UNSET_ON_HOST", "-w", "/new/dir", "--hostname", "box", "-m", "128m"},
		script: `env | grep -v SHLVL | sort; hostname; id -u; awk '/MemTotal/ { print ($2 < 131072) }' /proc/meminfo; cat /proc/cmdline | grep -c console`,
		stdout: "A=b c'd\nFROM_HOST=yes\nHOME=/root\nHOSTNAME=box\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" +
			"PWD=/new/dir\nbox\n0\n1\n1\n",
	},
	{
		name:  "owners",
		flags: []string{"-u", "nobody:users"},
		script: `touch /root/x; id -un; id -gn; touch /tmp/mine; stat -c %U:%G /tmp/mine
			cp /bin/busybox /tmp/b; chmod 4755 /tmp/b; stat -c %a /tmp/b; echo >>/tmp/b; stat -c %a /tmp/b
			touch /root/x`,
		stdout: "touch: /root/x: Permission denied\nnobody\nusers\nnobody:users\n4755\n755\ntouch: /root/x: Permission denied\n", code: 1,
		merged: true,
	},
	{
		name: "root", flags: []string{"-v", "/:/host:ro"},
		script: `su nobody -s /bin/sh -c 'touch /tmp/n; cat /etc/shadow'; stat -c %U /tmp/n; su nobody -s /bin/sh -c 'kill -9 $$'; echo $?
			modprobe dummy && ls -d /sys/module/dummy && modprobe -r dummy && ls -d /sys/module/dummy
			exec /no/such/program`,
		stdout: "nobody\n137\n/sys/module/dummy\n",
		stderr: "cat: can't open '/etc/shadow': Permission denied\nKilled\nls: /sys/module/dummy: No such file or directory\n" +
			"sh: exec: line 2: /no/such/program: not found\n",
		code: 127,
	},
	{name: "kill all", script: `kill -9 -1; sleep 10`, code: 137},
	{name: "poweroff", script: `poweroff; sleep 10`, code: 0},
	{name: "halt", script: `halt; sleep 10`, code: 0},
	{name: "terminal without one", flags: []string{"-t"}, script: "tty; stty size; sleep 100 & exit 6", stdout: "/dev/hvc0\r\n24 80\r\n", code: 6},
}

// TestPrograms runs the programs. Their standard input stays open, unread.
func TestPrograms(t *testing.T) {
	os.Setenv("FROM_HOST", "yes")
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			var stdout, stderr bytes.Buffer
			errs := &stderr
			if p.merged {
				errs = &stdout
			}
			code := runTo(t, r, &stdout, errs, runArgs(t, append(p.flags, "--", "sh", "-c", p.script)...)...)
			if stdout.String() != p.stdout || stderr.String() != p.stderr || code != p.code {
				t.Errorf("stdout %q, stderr %q, exit code %d; want %q, %q, %d", &stdout, &stderr, code, p.stdout, p.stderr, p.code)
			}
		})
	}
}

// TestProgramOfRoot: with tools from elsewhere too, what is run is the root's, in
// the groups that the root says; and what is not there is named.
func TestProgramOfRoot(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags, program []string
		stdout, stderr string
		code           int
	}{
		{nil, []string{"id"}, "uid=0(root) gid=0(root) groups=0(root),1(bin),2(daemon),3(sys),4(adm),6(disk),10(wheel),11(floppy),20(dialout),26(tape),27(video)\n", "", 0},
		{[]string{"-u", "1234:"}, []string{"sh", "-c", "id; readlink /proc/$$/exe"}, "uid=1234 gid=0(root) groups=0(root)\n/bin/busybox\n", "", 0},
		{nil, []string{"nsenter-of-nobody"}, "", `alpinevm: exec: "nsenter-of-nobody": executable file not found in $PATH` + "\n", 127},
		{nil, []string{"/etc"}, "", `alpinevm: exec: "/etc": is a directory` + "\n", 126},
		{[]string{"-u", "nobody"}, []string{"/etc/passwd"}, "", `alpinevm: exec: "/etc/passwd": permission denied` + "\n", 126},
	} {
		args := append(runArgs(t, "--busybox", guesttest.File(t, "busybox")), tt.flags...)
		stdout, stderr, code := run(t, nil, append(append(args, "--"), tt.program...)...)
		if stdout != tt.stdout || stderr != tt.stderr || code != tt.code {
			t.Errorf("%q: stdout %q, stderr %q, exit code %d; want %q, %q, %d", tt.program, stdout, stderr, code, tt.stdout, tt.stderr, tt.code)
		}
	}
}

// TestReboot starts again from the loader, and only what is on a volume is
// kept.
func TestReboot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := `[ ! -e /v/count ] || exit 9; echo 1 >/v/count; echo first; reboot; sleep 10`
	stdout, stderr, code := run(t, nil, runArgs(t, "-v", dir+":/v", "--", "sh", "-c", script)...)
	if stdout != "first\n" || stderr != "" || code != 9 {
		t.Errorf("stdout %q, stderr %q, exit code %d", stdout, stderr, code)
	}
}

// TestVolumes shares a folder, a folder read-only, a file, and a root.
func TestVolumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, shared, file := filepath.Join(dir, "root"), filepath.Join(dir, "shared"), filepath.Join(dir, "file")
	for _, d := range []string{root, shared} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("tar", "-xzf", runArgs(t)[6], "-C", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(shared, "a"), "from the host\n")
	write(file, "a file\n")
	script := `cat /new/dir/a /etc/file; echo from the guest >/new/dir/b; echo more >>/etc/file
		ls /new/dir/sub; echo x >/new/dir/sub/c; echo x >/ro/c; echo x >/etc/motd; rm -r /etc/apk; exit 3`
	args := append(runArgs(t), "--rootfs", root, "-v", file+":/new/dir/sub/file", "-v", shared+":/new/dir", "-v", file+":/etc/file",
		"-v", shared+":/ro:ro", "--", "sh", "-c", script)
	stdout, stderr, code := run(t, nil, args...)
	if want := "from the host\na file\nfile\n"; stdout != want || code != 3 {
		t.Errorf("stdout %q, exit code %d", stdout, code)
	}
	if want := "sh: can't create /ro/c: Read-only file system\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	for name, want := range map[string]string{
		filepath.Join(shared, "b"): "from the guest\n", file: "a file\nmore\n", filepath.Join(shared, "sub", "c"): "x\n",
	} {
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(root, "etc", "motd")); err != nil || len(b) < 10 {
		t.Errorf("the root's folder was changed: motd is %q, %v", b, err)
	}
	if _, err := os.Stat(filepath.Join(root, "etc", "apk")); err != nil {
		t.Errorf("the root's folder was changed: %v", err)
	}
}

// TestClosedPipe prints to somebody who has stopped reading.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("alpinevm", runArgs(t, "--", "yes")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "y\n" {
		t.Errorf("%q, %v", line, err)
	}
	out.Close()
	if code := codeOf(t, cmd.Wait()); code != 128+int(syscall.SIGPIPE) || errs.Len() > 0 {
		t.Errorf("exit code %d, stderr %q", code, errs.String())
	}
}

// TestAsked has the guest end by a signal: the program is told and gets time,
// what it prints arrives, and what it wrote is on the host.
func TestAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := `trap 'sleep 4; echo told; exit 5' TERM; echo text >/v/file; echo up; while :; do sleep 0.1; done`
	cmd := exec.Command("alpinevm", runArgs(t, "-v", dir+":/v", "--", "sh", "-c", script)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "up\n" {
		t.Errorf("%q, %v", line, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if rest, err := io.ReadAll(r); string(rest) != "told\n" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	// The shell may say that its child was terminated, too.
	if code := codeOf(t, cmd.Wait()); code != 5 || strings.TrimPrefix(errs.String(), "Terminated\n") != "" {
		t.Errorf("exit code %d; stderr %q", code, errs.String())
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "text\n" {
		t.Errorf("on the host the file holds %q, %v", b, err)
	}
}

// TestTimeout has the guest end by --timeout, which counts from the start: where
// the machine is so busy that the guest is not up by then, it gets more.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for limit := 5 * time.Second; ; limit *= 3 {
		dir := t.TempDir()
		script := `echo text >/v/file; echo up; sleep 1000`
		start := time.Now()
		stdout, stderr, code := run(t, nil, runArgs(t, "--timeout", limit.String(), "-v", dir+":/v", "--", "sh", "-c", script)...)
		if (stdout == "" || stderr != "") && limit < patience/2 {
			continue
		}
		if stdout != "up\n" || stderr != "" || code != exitTimeout || time.Since(start) < limit {
			t.Errorf("stdout %q, stderr %q, exit code %d after %v", stdout, stderr, code, time.Since(start))
		}
		if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "text\n" {
			t.Errorf("on the host the file holds %q, %v", b, err)
		}
		return
	}
}

// TestKernelPanic: a crash of the guest's kernel is our failure, and says what
// is known of it.
func TestKernelPanic(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, runArgs(t, "--trace", "9p", "--", "sh", "-c", "echo before; echo c >/proc/sysrq-trigger; sleep 10")...)
	if stdout != "before\n" || code != exitFailure {
		t.Errorf("stdout %q, exit code %d", stdout, code)
	}
	for _, want := range []string{
		"alpinevm: the guest ended by a kernel panic:\n", "Kernel panic - not syncing: sysrq triggered crash", "\nEAX ", "\nEIP ", " instructions\n",
		" 9p root: tag 0 Tattach {",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in %q", want, stderr)
		}
	}
}

// TestNoModules: a kernel that was given without the modules that it needs is
// answered by one line.
func TestNoModules(t *testing.T) {
	t.Parallel()
	for _, kernel := range []string{"686-pae", "686"} {
		for _, more := range [][]string{nil, {"--boot"}, {"-t"}, {"--network", "none"}} {
			args := append([]string{"run", "-m", "128M", "--kernel", guesttest.File(t, kernel+"/vmlinuz"), "--rootfs", guesttest.RootFile(t)}, more...)
			stdout, stderr, code := run(t, nil, args...)
			want := "alpinevm: the kernel has no drivers of its own for 9P over virtio, by which it gets its files, and was given no modules" + giveModules + "\n"
			if stdout != "" || strings.ReplaceAll(stderr, "\r", "") != want || code != exitFailure {
				t.Errorf("%s %q: stdout %q, stderr %q, exit code %d", kernel, more, stdout, stderr, code)
			}
		}
	}
}

// TestSetIDShared: what the guest's root makes a set-id program of in a shared
// folder is one in the guest alone, whoever owns it on the host; one of the host
// that the guest changes is none any more.
func TestSetIDShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"theirs": 0o755, "ours": 0o755, "hosts": 0o755 | os.ModeSetuid} {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 && filepath.Base(name) != "ours" {
			if err := os.Chown(name, 1000, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, more := range [][]string{nil, {"--no-confine"}} {
		script := `cd /v; rm -rf made d; chmod 4755 theirs; chmod 2755 ours; cp ours made; chown 1234:1234 made; chmod 6755 made; mkdir -m 2775 d
			mv theirs x; mv x theirs; echo : >>hosts; stat -c '%a %n' theirs ours made d hosts`
		stdout, stderr, code := run(t, nil, runArgs(t, append(append([]string{"-q", "-v", dir + ":/v"}, more...), "--", "sh", "-c", script)...)...)
		if want := "4755 theirs\n2755 ours\n6755 made\n2775 d\n755 hosts\n"; stdout != want || stderr != "" || code != 0 {
			t.Errorf("%q: the guest sees %q, %q, exit code %d; want %q", more, stdout, stderr, code, want)
		}
		for _, name := range []string{"theirs", "ours", "made", "d", "hosts"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
				t.Errorf("%q: on the host %s is %v, %v", more, name, info, err)
			}
		}
	}
}
