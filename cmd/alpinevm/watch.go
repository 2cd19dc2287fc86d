package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"alpinevm"
	"alpinevm/internal/machines"
)

// How long a Linux guest gets for an orderly end, in time of its own. A session
// gives its program ten seconds, as docker stop does, and then writes its files;
// an image's init has services to stop. Other guests do not know how to end.
const (
	sessionGrace = 20 * time.Second
	initGrace    = 60 * time.Second
)

// grace is what the guest gets.
func (f *runFlags) grace() time.Duration {
	switch {
	case f.init || f.initrd != "":
		return initGrace
	case f.hasRoot():
		return sessionGrace
	}
	return 0
}

// A guest's own time passes while it has nothing to do, and by the instructions
// that it executes: an undisturbed machine executes more than graceRate a
// second. Where the host has no time for the guest, the grace is up to
// graceStretch times as long.
const (
	graceRate    = 50e6
	graceStretch = 6
	graceTick    = 100 * time.Millisecond
)

// sameSignal is for how long after a signal another one is not a second request:
// timeout(1) signals its child and then its process group.
const sameSignal = 500 * time.Millisecond

// errQuit is the cause of an end by Ctrl-A x, errTimeout of one by --timeout.
var (
	errQuit    = errors.New("quit")
	errTimeout = errors.New("--timeout")
)

// signalled is the cause of an end by a signal.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "signal: " + s.String() }

// watch turns --timeout, signals and the failure of a machine's disk into an
// orderly end of the guest, and, when that takes too long, into the machine's.
type watch struct {
	m       *alpinevm.Machine
	cancel  context.CancelCauseFunc
	note    func(format string, args ...any)
	abandon func(code int)
	grace   time.Duration
	disk    <-chan error // of a machine that is kept: gets what ends it

	mu    sync.Mutex
	cause error // why the guest was asked to end
}

// start begins to watch, until stop is called.
func (w *watch) start(timeout time.Duration) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endSignals...)
	done := make(chan struct{})
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	go func() {
		var cause error
		select {
		case <-late:
			cause = errTimeout
		case s := <-signals:
			cause = signalled{s}
		case cause = <-w.disk:
		case <-done:
			return
		}
		w.mu.Lock()
		w.cause = cause
		w.mu.Unlock()
		w.end(cause, signals, done)
	}()
	return func() { signal.Stop(signals); close(done) }
}

// end asks the guest to end, and ends the machine when that takes too long or
// another signal comes.
func (w *watch) end(cause error, signals <-chan os.Signal, done <-chan struct{}) {
	if w.grace == 0 {
		w.cut(cause)
		return
	}
	w.m.Shutdown()
	used := make(chan usage, 1)
	ask := func() {
		w.m.Kick(func() {
			select {
			case used <- usage{w.m.Instructions(), w.m.Waited()}:
			default:
			}
		})
	}
	ask()
	first, own := usage{}, time.Duration(0)
	start, tick := time.Now(), time.NewTicker(graceTick)
	defer tick.Stop()
	for {
		select {
		case u := <-used:
			if first == (usage{}) {
				first = u
			}
			own = u.since(first)
		case <-tick.C:
			if d := time.Since(start); d >= w.grace && own >= w.grace || d >= graceStretch*w.grace {
				w.note("the guest did not end within %s of %s and was switched off", w.grace, cause)
				w.cut(cause)
				return
			}
			ask()
		case <-signals:
			if time.Since(start) >= sameSignal {
				w.cut(cause)
				return
			}
		case <-done:
			return
		}
	}
}

// cutWait is how long this process has to end once the machine was cut off.
const cutWait = time.Second

// cut ends the machine now, and this process soon, whatever holds it up: a host's
// file that hangs, say. What has been acknowledged is there as after a kill.
func (w *watch) cut(cause error) {
	w.cancel(cause)
	time.AfterFunc(cutWait, func() { w.abandon(codeOfError(w.report(alpinevm.End{}, cause))) })
}

// abandon ends this process as it is, but for the terminal.
func abandon(tty *terminal) func(code int) {
	return func(code int) {
		if tty != nil {
			tty.restore()
		}
		say(os.Stderr, "the host's files do not answer: ended without waiting for them")
		os.Exit(code)
	}
}

// usage is what a guest has had of its host.
type usage struct {
	instructions uint64
	waited       time.Duration
}

// since is how much of the guest's own time has passed since an earlier usage.
func (u usage) since(from usage) time.Duration {
	return u.waited - from.waited + time.Duration(float64(u.instructions-from.instructions)/graceRate*float64(time.Second))
}

// report turns the machine's end into the command's. A guest that ended because
// it was asked to ends with the code of what asked.
func (w *watch) report(end alpinevm.End, err error) error {
	w.mu.Lock()
	cause := w.cause
	w.mu.Unlock()
	if err != nil {
		cause = err
	}
	var sig signalled
	var disk *machines.DiskError
	switch {
	case err == nil && (end.Cause == alpinevm.Panic || end.Cause == alpinevm.TripleFault):
		return fmt.Errorf("the guest ended by a %s:\n%s", end.Cause, strings.TrimSpace(end.Detail))
	case err == nil && end.Cause == alpinevm.NoBIOS:
		return errors.New(end.Detail + giveBIOS)
	case err == nil && end.Cause == alpinevm.Failure:
		return errors.New(end.Detail)
	case errors.Is(cause, errQuit):
		return exitCode(0)
	case errors.Is(cause, errTimeout):
		return exitCode(exitTimeout)
	case errors.As(cause, &disk):
		return exitCode(exitFailure)
	case errors.As(cause, &sig):
		n, _ := sig.Signal.(syscall.Signal)
		return exitCode(128 + int(n))
	case err != nil:
		return err
	case end.Cause == alpinevm.PowerOff:
		return nil
	}
	return exitCode(end.Code)
}
