package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"alpinevm/internal/guesttest"
)

// startVM is a guest that runs nothing of its own.
func startVM(t testing.TB, change func(*Config)) *VM {
	t.Helper()
	cfg := sessionConfig(t, "686-pae", "")
	cfg.Deterministic = false
	cfg.Session = &Session{Root: guesttest.Root(t, nil), Idle: true}
	if change != nil {
		change(&cfg)
	}
	vm, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
	})
	return vm
}

// command is what exec.Cmd and Cmd have in common.
type command struct {
	stdin          *io.Reader
	stdout, stderr *io.Writer
	env            *[]string
	dir            *string
	waitDelay      *time.Duration

	run, start, wait       func() error
	output, combined       func() ([]byte, error)
	stdinPipe              func() (io.WriteCloser, error)
	stdoutPipe, stderrPipe func() (io.ReadCloser, error)
	signal                 func(os.Signal) error
	kill                   func() error
	code                   func() int
	exitError              func(error) (code int, stderr []byte, ok bool)
	processDone, delayed   error
}

func hostCommand(ctx context.Context, name string, args ...string) *command {
	c := exec.Command(name, args...)
	if ctx != nil {
		c = exec.CommandContext(ctx, name, args...)
	}
	return &command{
		stdin: &c.Stdin, stdout: &c.Stdout, stderr: &c.Stderr, env: &c.Env, dir: &c.Dir, waitDelay: &c.WaitDelay,
		run: c.Run, start: c.Start, wait: c.Wait, output: c.Output, combined: c.CombinedOutput, stdinPipe: c.StdinPipe, stdoutPipe: c.StdoutPipe,
		stderrPipe: c.StderrPipe, signal: func(s os.Signal) error { return c.Process.Signal(s) }, kill: func() error { return c.Process.Kill() },
		code: func() int { return c.ProcessState.ExitCode() },
		exitError: func(err error) (int, []byte, bool) {
			var e *exec.ExitError
			if !errors.As(err, &e) {
				return 0, nil, false
			}
			return e.ExitCode(), e.Stderr, true
		},
		processDone: os.ErrProcessDone, delayed: exec.ErrWaitDelay,
	}
}

func (vm *VM) testCommand(ctx context.Context, name string, args ...string) *command {
	c := vm.Command(name, args...)
	if ctx != nil {
		c = vm.CommandContext(ctx, name, args...)
	}
	return &command{
		stdin: &c.Stdin, stdout: &c.Stdout, stderr: &c.Stderr, env: &c.Env, dir: &c.Dir, waitDelay: &c.WaitDelay,
		run: c.Run, start: c.Start, wait: c.Wait, output: c.Output, combined: c.CombinedOutput, stdinPipe: c.StdinPipe, stdoutPipe: c.StdoutPipe,
		stderrPipe: c.StderrPipe, signal: func(s os.Signal) error { return c.Process.Signal(s) }, kill: func() error { return c.Process.Kill() },
		code: func() int { return c.ProcessState.ExitCode() },
		exitError: func(err error) (int, []byte, bool) {
			var e *ExitError
			if !errors.As(err, &e) {
				return 0, nil, false
			}
			return e.ExitCode(), e.Stderr, true
		},
		processDone: ErrProcessDone, delayed: ErrWaitDelay,
	}
}

// failing is a writer that takes nothing.
type failing struct{}

var errFull = errors.New("no room")

func (failing) Write([]byte) (int, error) { return 0, errFull }

// commandRows are what exec.Cmd and Cmd do alike. Each row gives what it has seen.
var commandRows = []struct {
	name string
	do   func(t *testing.T, c func(ctx context.Context, name string, args ...string) *command) []any
	want []any
}{
	{"run", func(t *testing.T, c maker) []any { return []any{c(nil, "true").run()} }, []any{nil}},
	{"exit code", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "exit 7")
		err := x.run()
		code, _, ok := x.exitError(err)
		return []any{code, ok, err.Error(), x.code()}
	}, []any{7, true, "exit status 7", 7}},
	{"signal", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "kill -9 $$")
		code, _, ok := x.exitError(x.run())
		return []any{code, ok, x.code()}
	}, []any{-1, true, -1}},
	{"output", func(t *testing.T, c maker) []any {
		out, err := c(nil, "sh", "-c", "echo out; echo err >&2").output()
		return []any{string(out), err}
	}, []any{"out\n", nil}},
	{"output and stderr", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "echo out; echo err >&2; exit 3")
		out, err := x.output()
		code, stderr, _ := x.exitError(err)
		return []any{string(out), code, string(stderr)}
	}, []any{"out\n", 3, "err\n"}},
	{"long stderr", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "head -c 100000 /dev/zero >&2; exit 3")
		_, err := x.output()
		_, stderr, _ := x.exitError(err)
		return []any{len(stderr) < 70000, bytes.Contains(stderr, []byte("\n... omitting 34464 bytes ...\n"))}
	}, []any{true, true}},
	{"combined", func(t *testing.T, c maker) []any {
		out, err := c(nil, "sh", "-c", "echo a; echo b >&2; echo c").combined()
		return []any{string(out), err}
	}, []any{"a\nb\nc\n", nil}},
	{"outputs that are set", func(t *testing.T, c maker) []any {
		x, y := c(nil, "true"), c(nil, "true")
		*x.stdout, *y.stderr = io.Discard, io.Discard
		_, e1 := x.output()
		_, e2 := y.combined()
		_, e3 := x.stdoutPipe()
		_, e4 := y.stderrPipe()
		return []any{e1 != nil, e2 != nil, e3 != nil, e4 != nil}
	}, []any{true, true, true, true}},
	{"input", func(t *testing.T, c maker) []any {
		x := c(nil, "cat")
		*x.stdin = strings.NewReader(strings.Repeat("line\n", 50000))
		out, err := x.output()
		return []any{len(out), err}
	}, []any{250000, nil}},
	{"no input", func(t *testing.T, c maker) []any {
		out, err := c(nil, "cat").output()
		return []any{len(out), err}
	}, []any{0, nil}},
	{"input that is not read", func(t *testing.T, c maker) []any {
		x := c(nil, "true")
		*x.stdin = strings.NewReader(strings.Repeat("line\n", 50000))
		return []any{x.run()}
	}, []any{nil}},
	{"environment and folder", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "echo $A$B; pwd")
		*x.env, *x.dir = []string{"A=1", "B=2", "A=3", "PATH=/bin:/usr/bin"}, "/usr/bin"
		out, err := x.output()
		return []any{string(out), err}
	}, []any{"32\n/usr/bin\n", nil}},
	{"pipes", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "read x; echo got $x; echo err >&2; cat")
		in, e1 := x.stdinPipe()
		out, e2 := x.stdoutPipe()
		errs, e3 := x.stderrPipe()
		if e1 != nil || e2 != nil || e3 != nil || x.start() != nil {
			return []any{e1, e2, e3}
		}
		io.WriteString(in, "one\n")
		b := make([]byte, 8)
		io.ReadFull(out, b)
		io.WriteString(in, "two\n")
		in.Close()
		rest, e1 := io.ReadAll(out)
		said, e2 := io.ReadAll(errs)
		return []any{string(b), string(rest), string(said), e1, e2, x.wait()}
	}, []any{"got one\n", "two\n", "err\n", nil, nil, nil}},
	{"a pipe that nobody reads", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "echo something")
		if _, err := x.stdoutPipe(); err != nil {
			return []any{err}
		}
		return []any{x.start(), x.wait()}
	}, []any{nil, nil}},
	{"a writer that fails", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "echo something")
		*x.stdout = failing{}
		return []any{errors.Is(x.run(), errFull)}
	}, []any{true}},
	{"order", func(t *testing.T, c maker) []any {
		x := c(nil, "true")
		before := x.wait()
		first := x.start()
		again := x.start()
		_, late := x.stdoutPipe()
		done := x.wait()
		twice := x.wait()
		return []any{before != nil, first, again != nil, late != nil, done, twice != nil}
	}, []any{true, nil, true, true, nil, true}},
	{"signals", func(t *testing.T, c maker) []any {
		x := c(nil, "sh", "-c", "trap 'echo int; exit 5' INT; echo ready; while :; do sleep 0.1; done")
		out, _ := x.stdoutPipe()
		if err := x.start(); err != nil {
			return []any{err}
		}
		b := make([]byte, 6)
		io.ReadFull(out, b)
		sent := x.signal(os.Interrupt)
		rest, _ := io.ReadAll(out)
		code, _, _ := x.exitError(x.wait())
		return []any{string(b), sent, string(rest), code, errors.Is(x.kill(), x.processDone)}
	}, []any{"ready\n", nil, "int\n", 5, true}},
	{"context", func(t *testing.T, c maker) []any {
		ctx, cancel := context.WithCancel(context.Background())
		x := c(ctx, "sleep", "1000")
		started := x.start()
		cancel()
		code, _, ok := x.exitError(x.wait())
		return []any{started, code, ok}
	}, []any{nil, -1, true}},
	{"context that is done", func(t *testing.T, c maker) []any {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return []any{errors.Is(c(ctx, "true").run(), context.Canceled)}
	}, []any{true}},
}

type maker = func(ctx context.Context, name string, args ...string) *command

// TestCommand has the host's exec.Cmd and the guest's Cmd do the same.
func TestCommand(t *testing.T) {
	vm := startVM(t, nil)
	for _, tt := range commandRows {
		t.Run(tt.name, func(t *testing.T) {
			for _, on := range []struct {
				name string
				make maker
			}{{"host", hostCommand}, {"guest", vm.testCommand}} {
				got := tt.do(t, on.make)
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("%s: %v, want %v", on.name, got, tt.want)
						break
					}
				}
			}
		})
	}
}

// TestWaitDelay: a writer that does not take the output keeps Wait no longer than that.
// exec.Cmd would wait for it.
func TestWaitDelay(t *testing.T) {
	x := startVM(t, nil).Command("echo", "something")
	r, w := io.Pipe()
	defer r.Close()
	x.Stdout, x.WaitDelay = w, 100*time.Millisecond
	if err := x.Run(); !errors.Is(err, ErrWaitDelay) || x.ProcessState.ExitCode() != 0 {
		t.Error(err)
	}
}

// TestGuestFS: what the host does to a guest's files is there for the guest at once,
// and the other way round.
func TestGuestFS(t *testing.T) {
	vm := startVM(t, nil)
	files := vm.FS()
	sh := func(script string) string {
		t.Helper()
		out, err := vm.Command("sh", "-c", script).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v; %s", script, err, out)
		}
		return string(out)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	sh("mkdir /tmp/t; ls /tmp/t; cat /tmp/t/none 2>/dev/null; echo guest >/tmp/t/guest; ln -s guest /tmp/t/link; mkdir -p /tmp/t/d/e; echo inner >/tmp/t/d/e/f")
	must(files.WriteFile("tmp/t/host", []byte("from the host"), 0o640))
	if got := sh("stat -c '%a %s %U' /tmp/t/host; cat /tmp/t/host"); got != "640 13 root\nfrom the host" {
		t.Errorf("%q", got)
	}
	sub, err := fs.Sub(files, "tmp/t")
	must(err)
	must(fstest.TestFS(sub, "guest", "host", "link", "d/e/f"))
	must(files.MkdirAll("tmp/t/x/y", 0o755))
	must(files.Rename("tmp/t/host", "tmp/t/x/y/moved"))
	must(files.Symlink("../moved", "tmp/t/x/l"))
	must(files.Chmod("tmp/t/x/y/moved", 0o700))
	if to, err := files.ReadLink("tmp/t/x/l"); to != "../moved" || err != nil {
		t.Error(to, err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	w, err := files.Create("tmp/t/big")
	must(err)
	if n, err := w.Write(big); n != len(big) || err != nil {
		t.Error(n, err)
	}
	must(w.Close())
	if got, err := files.ReadFile("tmp/t/big"); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	must(files.Remove("tmp/t/big"))
	must(files.Remove("tmp/t/x/l"))
	must(files.Remove("tmp/t/x/y/moved"))
	must(files.Remove("tmp/t/x/y"))
	if got := sh("cd /tmp/t; find x big host 2>/dev/null; echo"); got != "x\n\n" {
		t.Errorf("%q", got)
	}
	if got := sh("mount -t tmpfs -o size=64k none /mnt; echo ok"); got != "ok\n" {
		t.Error(got)
	}
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"absent", func() error { _, err := files.ReadFile("no/such"); return err }(), fs.ErrNotExist},
		{"open absent", func() error { _, err := files.Open("nosuch"); return err }(), fs.ErrNotExist},
		{"create nowhere", func() error { _, err := files.Create("no/such"); return err }(), fs.ErrNotExist},
		{"exists", files.Mkdir("tmp", 0o700), fs.ErrExist},
		{"not empty", files.Remove("tmp/t"), nil},
		{"no name", func() error { _, err := files.Stat("/etc"); return err }(), fs.ErrInvalid},
		{"a full disk", files.WriteFile("mnt/big", big, 0o600), nil},
	} {
		var p *fs.PathError
		if !errors.As(tt.err, &p) || tt.want != nil && !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := files.WithContext(ctx).ReadFile("etc/passwd"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(vm.Shutdown(t.Context()))
	if end, err := vm.Wait(); err != nil || end.Cause != PowerOff && end.Cause != Exited {
		t.Error(end, err)
	}
	if _, err := files.ReadFile("etc/passwd"); !errors.Is(err, ErrEnded) {
		t.Errorf("behind the end: %v", err)
	}
	if err := vm.Command("true").Run(); !errors.Is(err, ErrEnded) {
		t.Errorf("behind the end: %v", err)
	}
}

// TestVMEnds: whoever waits for a machine that is switched off is let go.
func TestVMEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	vm := startVM(t, nil)
	c := vm.Command("sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := vm.Exec(ctx, Process{Args: []string{"true"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go vm.Close()
	if err := c.Wait(); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	if _, err := vm.Wait(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := vm.Snapshot(t.Context()); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	cfg := sessionConfig(t, "686-pae", "")
	cfg.Deterministic, cfg.Boot.Modules = false, nil
	var start *StartError
	if _, err := Start(t.Context(), cfg); !errors.As(err, &start) || start.End.Cause != NoDrivers {
		t.Error(err)
	}
}

// TestVMNetwork: connections between the guest and the program, without the host's.
func TestVMNetwork(t *testing.T) {
	cfg := networkConfig(t, "")
	vm := startVM(t, func(c *Config) {
		c.Network, c.Boot.Modules = &Network{Dialer: cfg.Network.Dialer}, cfg.Boot.Modules
	})
	l, err := vm.Listen("tcp", ":7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vm.Listen("tcp", ":7"); err == nil {
		t.Error("a port was given twice")
	}
	free, err := vm.Listen("tcp", ":0")
	if err != nil || free.Addr().String() == "10.0.2.2:0" {
		t.Error(free, err)
	}
	free.Close()
	if c, err := free.Accept(); err == nil {
		t.Error(c)
	}
	go func() { // echoes, in two halves
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(b))
	}()
	out, err := vm.Command("sh", "-c", "echo hello | nc 10.0.2.2 7").CombinedOutput()
	if string(out) != "HELLO\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := vm.Command("sh", "-c", "nc -w 5 10.0.2.2 8 </dev/null").CombinedOutput(); err == nil {
		t.Errorf("a port that nobody listens to: %q", out)
	}
	server := vm.Command("sh", "-c", "cat >/dev/null & nc -l -p 80 -e tr a-z A-Z")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var c net.Conn
	await(t, func() bool {
		var err error
		c, err = vm.Dial(t.Context(), "tcp", ":80")
		return err == nil
	})
	io.WriteString(c, "to the guest\n")
	c.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "TO THE GUEST\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	c.Close()
	server.Wait()
	for _, address := range []string{":none", "80", ":70000"} {
		if _, err := vm.Dial(t.Context(), "tcp", address); err == nil {
			t.Errorf("%s was dialled", address)
		}
	}
	if _, err := vm.Dial(t.Context(), "tcp", ":81"); err == nil {
		t.Error("a port that nobody listens to was dialled")
	}
	if n := vm.m.network.Flows(); n != 0 {
		t.Errorf("%d flows are left", n)
	}
}
