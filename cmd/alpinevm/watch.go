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
)

// longGrace is how long a Linux guest gets for an orderly end, as with docker
// stop. Others do not know how to.
const longGrace = 10 * time.Second

// errQuit is the cause of an end by Ctrl-A x, errTimeout of one by --timeout.
var (
	errQuit    = errors.New("quit")
	errTimeout = errors.New("--timeout")
)

// signalled is the cause of an end by a signal.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "signal: " + s.String() }

// watch turns --timeout and signals into an orderly end of the guest, and, when
// that takes too long, into the machine's.
type watch struct {
	m      *alpinevm.Machine
	cancel context.CancelCauseFunc
	note   func(format string, args ...any)
	grace  time.Duration

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
		case <-done:
			return
		}
		w.mu.Lock()
		w.cause = cause
		w.mu.Unlock()
		if w.grace == 0 {
			w.cancel(cause)
			return
		}
		w.m.Shutdown()
		select {
		case <-time.After(w.grace):
			w.note("the guest did not end within %s of %s and was switched off", w.grace, cause)
		case <-signals:
		case <-done:
			return
		}
		w.cancel(cause)
	}()
	return func() { signal.Stop(signals); close(done) }
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
	switch {
	case err == nil && (end.Cause == alpinevm.Panic || end.Cause == alpinevm.TripleFault):
		return fmt.Errorf("the guest ended by a %s:\n%s", end.Cause, strings.TrimSpace(end.Detail))
	case err == nil && end.Cause == alpinevm.Failure:
		return errors.New(end.Detail)
	case errors.Is(cause, errQuit):
		return exitCode(0)
	case errors.Is(cause, errTimeout):
		return exitCode(exitTimeout)
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
