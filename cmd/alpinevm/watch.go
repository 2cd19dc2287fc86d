package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// programGrace is what a command gets that SIGTERM was passed on to, in time of
// its own, as docker stop gives it.
const programGrace = 10 * time.Second

// A third SIGINT in a row ends a machine whose command does not heed it, as with
// docker. In a row are those that come within inARow of each other.
const (
	interruptsInARow = 3
	inARow           = 2 * time.Second
)

// watch passes signals on to the guest's command. Those that are not, --timeout and
// the failure of a machine's disk it turns into an orderly end of the guest, and,
// when that takes too long, into the machine's.
type watch struct {
	m       *alpinevm.Machine
	ctx     context.Context // the machine's, which cancel ends
	cancel  context.CancelCauseFunc
	note    func(format string, args ...any)
	abandon func(code int)
	grace   time.Duration
	disk    <-chan error // of a machine that is kept: gets what ends it
	program bool         // there is a command
	typed   io.Reader    // what is typed, where there is a terminal
	proxy   []os.Signal  // what is passed on to it
	signals chan os.Signal
	limit   *memoryLimit // of this process
	full    <-chan error // gets how it was exceeded

	programGrace time.Duration // what the command has to end
	stopSignal   int           // what it is asked by

	listening atomic.Bool // the command has begun, or the guest's own programs

	over context.Context // ends when the machine has
	ends func()          // ends it

	mu    sync.Mutex
	cause error       // why the guest was asked to end
	late  *time.Timer // ends this process, once the machine was cut off
}

func newWatch(cancel context.CancelCauseFunc, grace time.Duration) *watch {
	over, ends := context.WithCancel(context.Background())
	return &watch{cancel: cancel, grace: grace, programGrace: programGrace, signals: make(chan os.Signal, 8), over: over, ends: ends}
}

// proxied are the signals that the command gets. One at a terminal is interrupted
// by a key, and ends, with all in the guest, when the terminal goes.
func (f *runFlags) proxied(h *host) []os.Signal {
	switch {
	case !f.sigProxy:
		return nil
	case h.tty != nil:
		return userSignals
	}
	return slices.Collect(maps.Keys(linuxSignals))
}

// listens is an alpinevm.Consoles.Listening.
func (w *watch) listens(on bool) { w.listening.Store(on) }

// interrupt says whether Ctrl-C is typed for us: in the guest nobody listens yet.
func (w *watch) interrupt() bool {
	if w.listening.Load() {
		return false
	}
	select {
	case w.signals <- os.Interrupt:
	default: // there are enough
	}
	return true
}

// start begins to watch, until the machine has ended. Then signals are caught still,
// until close: one that ends lets this process go on for a moment.
func (w *watch) start(timeout time.Duration) {
	signal.Notify(w.signals, append(slices.Clone(endSignals), userSignals...)...)
	done := w.over.Done()
	w.full = w.limit.watch(done)
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(timeout)
	}
	go func() {
		if cause := w.follow(late, done); cause != nil {
			w.mu.Lock()
			w.cause = cause
			w.mu.Unlock()
			w.end(cause, done)
		}
		<-done
		for s := range w.signals { // as long as there is this process
			w.abort(s)
		}
	}()
}

// abort takes a signal that comes when the machine has ended, and its files are closed.
func (w *watch) abort(s os.Signal) {
	if slices.Contains(endSignals, s) {
		w.cut(signalled{s})
	}
}

// isOver says whether a channel is closed: of several that are ready select takes any.
func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// close ends the watch.
func (w *watch) close() {
	w.ends()
	signal.Stop(w.signals)
}

// follow passes signals on until the guest is to end, for the cause that it gives;
// nil after done.
func (w *watch) follow(late <-chan time.Time, done <-chan struct{}) (cause error) {
	var told signalled // SIGTERM, once it was passed on
	var since time.Time
	var over <-chan struct{}
	interrupts, last := 0, time.Time{}
	for {
		select {
		case <-late:
			return errTimeout
		case cause := <-w.disk:
			return cause
		case cause := <-w.full:
			w.cut(cause)
			return nil
		case <-over:
			return told
		case <-done:
			return nil
		case s := <-w.signals:
			if isOver(done) {
				w.abort(s)
				return nil
			}
			by := 0
			if r, is := s.(stopRequest); is {
				by, s = int(r), syscall.SIGTERM
			}
			if interrupts++; s != os.Interrupt || time.Since(last) > inARow {
				interrupts = 1
			}
			last = time.Now()
			switch ends := !slices.Contains(userSignals, s); {
			case s == os.Interrupt && !w.listening.Load(): // nothing has begun yet
				w.cut(signalled{s})
				return nil
			case ends && (!w.program || !w.listening.Load() || !slices.Contains(w.proxy, s)):
				return signalled{s}
			case s == syscall.SIGTERM && over != nil && time.Since(since) < sameSignal:
				// The same one.
			case s == syscall.SIGTERM && over != nil, s == os.Interrupt && interrupts == interruptsInARow:
				w.cut(signalled{s})
				return nil
			case s == syscall.SIGTERM:
				told, since, over = signalled{s}, time.Now(), w.after(w.programGrace, done)
				fallthrough
			default:
				w.pass(s, by)
			}
		}
	}
}

// pass passes a signal on, as the one by, if that is not 0, if the command gets it.
func (w *watch) pass(s os.Signal, by int) {
	if w.program && slices.Contains(w.proxy, s) {
		w.m.Signal(cmp.Or(by, linuxSignals[s]))
	}
}

// end asks the guest to end, and ends the machine when that takes too long or
// another signal comes.
func (w *watch) end(cause error, done <-chan struct{}) {
	if w.grace == 0 {
		w.cut(cause)
		return
	}
	w.m.Shutdown()
	start, over := time.Now(), w.after(w.grace, done)
	for {
		select {
		case <-over:
			w.note("the guest did not end within %s of %s and was switched off", w.grace, cause)
			w.cut(cause)
			return
		case cause := <-w.full:
			w.cut(cause)
			return
		case s := <-w.signals:
			if isOver(done) {
				w.abort(s)
				return
			}
			if time.Since(start) >= sameSignal && !slices.Contains(userSignals, s) {
				w.cut(cause)
				return
			}
		case <-done:
			return
		}
	}
}

// after gives a channel that is closed once the guest has had d of its own time,
// or graceStretch times as much has passed.
func (w *watch) after(d time.Duration, done <-chan struct{}) <-chan struct{} {
	over, used := make(chan struct{}), make(chan usage, 1)
	ask := func() {
		w.m.Kick(func() {
			select {
			case used <- usage{w.m.Instructions(), w.m.Waited()}:
			default:
			}
		})
	}
	ask()
	go func() {
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
				if p := time.Since(start); p >= d && own >= d || p >= graceStretch*d {
					close(over)
					return
				}
				ask()
			case <-done:
				return
			}
		}
	}()
	return over
}

// cutWait is how long this process has to end once the machine was cut off.
const cutWait = 3 * time.Second

// cut ends the machine now, and this process soon, whatever holds it up: a host's
// file that hangs, say. What has been acknowledged is there as after a kill.
func (w *watch) cut(cause error) {
	w.cancel(cause)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.late == nil {
		w.late = time.AfterFunc(cutWait, func() { w.abandon(codeOfError(w.report(alpinevm.End{}, cause))) })
	}
}

// spare does what takes its time and waits for nothing; cutWait begins behind it.
func (w *watch) spare(do func() error) error {
	w.mu.Lock()
	late := w.late
	w.mu.Unlock()
	if late == nil || !late.Stop() {
		return do()
	}
	defer late.Reset(cutWait)
	return do()
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

// endedByGuest are the exit codes of commands that died of what a guest sends all
// its processes at its end: SIGHUP, SIGKILL and SIGTERM.
var endedByGuest = []int{128 + 1, 128 + 9, 128 + 15}

// report turns the machine's end into the command's. A guest that ended because
// it was asked to ends with the code of what asked, unless its command has
// answered a signal.
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
	case err == nil && end.Cause == alpinevm.NoDrivers:
		return errors.New(end.Detail + giveModules)
	case err == nil && end.Cause == alpinevm.Killed:
		w.note("%s", end.Detail)
		return exitCode(exitKilled)
	case err == nil && end.Cause == alpinevm.Failure:
		return errors.New(end.Detail)
	case errors.Is(cause, errQuit) && w.program:
		return exitCode(exitKilled)
	case errors.Is(cause, errQuit):
		return exitCode(0)
	case errors.Is(cause, errTimeout):
		return exitCode(exitTimeout)
	case errors.As(cause, &disk):
		return exitCode(exitFailure)
	case err == nil && errors.As(cause, &sig) && end.Cause == alpinevm.Exited && !slices.Contains(endedByGuest, end.Code):
		return exitCode(end.Code)
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
