package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"alpinevm"
)

// runFlags are the flags of alpinevm run as they were given.
type runFlags struct {
	kernel, modules, rootfs, busybox string
	firmware, initrd                 string
	memory                           string
	env, volumes, module             []string
	dir, user, hostname              string
	interactive, tty                 bool
	appendLine, cmdline              string
	kernelLog, quiet                 bool
	timeout                          time.Duration
	trace                            []string
	init                             bool
	debugExit                        uint16
	debugConsole                     bool
	deterministic                    bool
	network                          networkFlags
}

const runLong = `Boot a kernel with a root file system and run a command, or a shell, in it.

Everything up to the command is the guest's to change without a trace: the
root's files are copied on write, in memory. The exit code is the command's;
125 if alpinevm or the guest's kernel fails, 124 after --timeout.

On a terminal, Ctrl-A x switches the machine off and Ctrl-A h lists the other
escapes.`

const runExample = `  alpinevm run --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz
  alpinevm run --kernel vmlinuz --modules lib/modules --rootfs root.tar.gz -v .:/src -w /src -- make
  tar c dir | alpinevm run --kernel vmlinuz --modules lib/modules --rootfs root.tar.gz -- tar t
  alpinevm run --firmware bios.bin --debug-console`

func newRun() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:     "run [flags] [--] [COMMAND [ARG...]]",
		Short:   "Boot a guest and run a command or a shell in it",
		Long:    runLong,
		Example: runExample,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c.Context(), args) },
	}
	fl := c.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.kernel, "kernel", "", "kernel `FILE`: bzImage, vmlinux or multiboot")
	fl.StringVar(&f.modules, "modules", "", "`DIR` with the kernel's modules: lib/modules, or one version of it, or what holds them; a tarball works too")
	fl.StringVar(&f.rootfs, "rootfs", "", "root file system: a tarball or a folder")
	fl.StringVar(&f.busybox, "busybox", "", "static i386 busybox `FILE`, for roots other than Alpine's")
	fl.StringVar(&f.firmware, "firmware", "", "start the ROM image `FILE` at the reset vector, in place of a kernel")
	fl.StringVar(&f.initrd, "initrd", "", "initial root file system `FILE`, in place of ours; there is no session then")
	fl.StringArrayVar(&f.module, "module", nil, "give a multiboot kernel a module: `FILE[ ARGS]`")
	fl.StringVarP(&f.memory, "memory", "m", "512M", "guest memory, up to 3G")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable: `NAME=VALUE`, or NAME to pass the host's on")
	fl.StringArrayVarP(&f.volumes, "volume", "v", nil, "share a host folder or file: `HOST:GUEST[:ro]`")
	fl.StringVarP(&f.dir, "workdir", "w", "", "working folder of the command")
	fl.StringVarP(&f.user, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fl.StringVar(&f.hostname, "hostname", "alpine", "the guest's host name")
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "give the command standard input (always done; for docker's users)")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the command a terminal (implied where standard input and output are one)")
	fl.StringVar(&f.appendLine, "append", "", "add to the kernel's command line")
	fl.StringVar(&f.cmdline, "cmdline", "", "replace the kernel's command line")
	fl.BoolVar(&f.kernelLog, "kernel-log", false, "show the kernel's log on standard error")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing of our own but errors")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the guest after this time, with exit code 124")
	fl.StringSliceVar(&f.trace, "trace", nil, "report to standard error: exceptions, io, 9p, code (comma-separated)")
	fl.BoolVar(&f.init, "init", false, "run the root's own /sbin/init, with a login on the terminal")
	fl.Uint16Var(&f.debugExit, "debug-exit", 0, "end the machine with the value that is written to this `PORT`")
	fl.BoolVar(&f.debugConsole, "debug-console", false, "show on standard error what is written to ports E9h and 402h")
	fl.BoolVar(&f.deterministic, "deterministic", false, "derive time from the instruction count: two runs are the same")
	f.network.add(fl)
	return c
}

// grace is how long a guest gets for an orderly end.
const grace = 5 * time.Second

// errQuit is the cause of an end by Ctrl-A x, errTimeout of one by --timeout.
var (
	errQuit    = errors.New("quit")
	errTimeout = errors.New("timeout")
	errSignal  = errors.New("signal")
)

func (f *runFlags) run(ctx context.Context, args []string) (err error) {
	cfg, closeAll, err := f.config(args)
	if err != nil {
		return err
	}
	defer closeAll()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var out io.Writer = os.Stderr
	if f.wantsTerminal() {
		t, err := openTerminal()
		if err != nil {
			return err
		}
		restored := false
		restore := func() {
			if !restored {
				restored = true
				if e := t.restore(); e != nil && err == nil {
					err = fmt.Errorf("terminal: %w", e)
				}
			}
		}
		defer restore()
		cols, rows := windowSize()
		cfg.Terminal = &alpinevm.Terminal{
			In:  &escapes{r: t, help: t, quit: func() { cancel(errQuit) }},
			Out: t, Cols: cols, Rows: rows, Term: os.Getenv("TERM"),
		}
		out = crlf{os.Stderr}
	} else {
		cfg.Stdin, cfg.Stdout, cfg.Stderr = os.Stdin, os.Stdout, os.Stderr
	}
	if f.kernelLog {
		cfg.Serial = out
	}
	if f.debugConsole {
		cfg.Debug = out
	}
	cfg.TraceTo = out

	m, err := alpinevm.New(*cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	if cfg.Terminal != nil {
		defer onResize(func() { m.Resize(windowSize()) })()
	}
	defer f.watch(m, cancel)()
	end, err := m.Run(ctx)
	return report(end, err)
}

// watch turns --timeout and signals into an orderly end of the guest, and, when
// that takes too long, into the machine's.
func (f *runFlags) watch(m *alpinevm.Machine, cancel context.CancelCauseFunc) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals...)
	done := make(chan struct{})
	var timeout <-chan time.Time
	if f.timeout > 0 {
		timeout = time.After(f.timeout)
	}
	go func() {
		cause := errTimeout
		select {
		case <-timeout:
		case s := <-signals:
			cause = fmt.Errorf("%w %d", errSignal, s)
			if n, ok := s.(syscall.Signal); ok {
				cause = signalled(n)
			}
		case <-done:
			return
		}
		m.Shutdown()
		select {
		case <-time.After(grace):
		case <-signals:
		case <-done:
			return
		}
		cancel(cause)
	}()
	return func() { signal.Stop(signals); close(done) }
}

// signalled is the cause of an end by a signal.
type signalled syscall.Signal

func (s signalled) Error() string { return "ended by " + syscall.Signal(s).String() }

// report turns the machine's end into the command's.
func report(end alpinevm.End, err error) error {
	var sig signalled
	switch {
	case errors.Is(err, errQuit):
		return exitCode(0)
	case errors.Is(err, errTimeout):
		return exitCode(exitTimeout)
	case errors.As(err, &sig):
		return exitCode(128 + int(sig))
	case err != nil:
		return err
	}
	switch end.Cause {
	case alpinevm.Exited, alpinevm.DebugExit:
		return exitCode(end.Code)
	case alpinevm.PowerOff:
		return nil
	case alpinevm.Failure:
		return errors.New(end.Detail)
	}
	return fmt.Errorf("the guest ended by a %s:\n%s", end.Cause, strings.TrimSpace(end.Detail))
}

// wantsTerminal says whether the session gets a terminal.
func (f *runFlags) wantsTerminal() bool {
	return (f.rootfs != "" || f.initrd != "") && (f.tty || interactive())
}

// crlf writes for a terminal in raw mode.
type crlf struct{ w io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	s := strings.ReplaceAll(strings.ReplaceAll(string(p), "\r\n", "\n"), "\n", "\r\n")
	if _, err := io.WriteString(c.w, s); err != nil {
		return 0, err
	}
	return len(p), nil
}
