package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"alpinevm"
	"alpinevm/internal/machines"
)

// backgroundVariable has a process be the machine of a run -d: its value is the
// machine's name.
const backgroundVariable = "ALPINEVM_BACKGROUND"

// upLine is what that process prints when its guest is up. Before that its
// standard error is what the user sees.
const upLine = "up\n"

// detached starts the machine in a process of its own, which belongs to no
// terminal, and returns when its guest is up and its command has begun.
func (f *runFlags) detached(ctx context.Context) error {
	name := f.name
	if name == "" {
		name = machines.NewName()
	}
	if err := startBackground(ctx, name, os.Args[1:], ""); err != nil {
		return err
	}
	if !f.quiet {
		fmt.Println(name)
	}
	return nil
}

// startBackground starts "alpinevm ARGS" as the machine of that name, in the folder
// dir.
func startBackground(ctx context.Context, name string, args []string, dir string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, endSignals...)
	defer stop()
	cmd := exec.Command(program, args...)
	cmd.Args[0], cmd.Dir = os.Args[0], dir
	cmd.Env = append(os.Environ(), backgroundVariable+"="+name)
	cmd.SysProcAttr = detachedProcess()
	keepFiles()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
	said := make(chan struct{})
	go func() { io.Copy(os.Stderr, errs); close(said) }()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line == upLine {
		return nil
	}
	<-said
	cmd.Wait()
	if ctx.Err() != nil {
		return exitCode(128 + 2)
	}
	if code := cmd.ProcessState.ExitCode(); code > 0 {
		return exitCode(code)
	}
	return exitCode(exitFailure)
}

// A backgroundHost is what the machine of a run -d has of its host: nobody looks
// on, but who attaches.
type backgroundHost struct {
	live *machines.Live
	up   atomic.Bool
	once sync.Once

	listens, entered bool // what being up takes; of the machine goroutine
}

// Write prints our messages: to who has started us, as long as he waits.
func (b *backgroundHost) Write(p []byte) (int, error) {
	if !b.up.Load() {
		return os.Stderr.Write(p)
	}
	return b.live.Console.Output("stderr").Write(p)
}

// isUp tells who has started us that the guest is up, and gives back the memory
// that only the beginning has taken.
func (b *backgroundHost) isUp() {
	b.once.Do(func() {
		b.live.Up()
		b.up.Store(true)
		os.Stdout.WriteString(upLine)
		os.Stdout.Close()
		go debug.FreeOSMemory()
	})
}

// begins tells that the guest listens, or that its command has begun.
func (b *backgroundHost) begins(what *bool) {
	if *what = true; b.listens && b.entered {
		b.isUp()
	}
}

// enters has who has started us wait until the command has begun, or hear why there
// is none, as docker does.
func (b *backgroundHost) enters(s *alpinevm.Session) {
	if s == nil || s.Init || s.Idle {
		b.entered = true
		return
	}
	s.Entered = func(refusal string) {
		if refusal == "" {
			b.begins(&b.entered)
		} else if !b.up.Load() {
			fmt.Fprintln(os.Stderr, refusal)
		}
	}
}

// connect connects the machine to those who attach.
func (b *backgroundHost) connect(f *runFlags, cfg *alpinevm.Config) {
	if f.from == nil {
		b.enters(cfg.Session)
	}
	console := b.live.Console
	var in io.Reader
	if f.interactive || f.from != nil { // what goes on may read: without an input it would see an end
		in = console.Input()
	}
	stdout, stderr := console.Output("stdout"), console.Output("stderr")
	switch {
	case f.from != nil && f.from.was.Terminal:
		cfg.Consoles.Terminal = &alpinevm.Terminal{In: in, Out: stdout, Cols: 80, Rows: 24}
	case cfg.Session == nil:
		cfg.Consoles.Serial, cfg.Consoles.SerialIn = stdout, in
	case f.tty && f.from == nil:
		cfg.Consoles.Terminal = &alpinevm.Terminal{In: in, Out: stdout, Cols: 80, Rows: 24, Term: os.Getenv("TERM")}
	default:
		cfg.Session.Stdin, cfg.Session.Stdout, cfg.Session.Stderr = in, stdout, stderr
	}
	if f.kernelLog {
		cfg.Consoles.Serial = stderr
	}
}

// ended is the end of such a machine: why is kept in its log.
func (b *backgroundHost) ended(err error) {
	var text bytes.Buffer
	if _, ok := err.(exitCode); err != nil && !ok {
		say(&text, "%s", err)
		if b.up.Load() {
			b.live.Console.Output("stderr").Write(text.Bytes())
		}
	}
}
