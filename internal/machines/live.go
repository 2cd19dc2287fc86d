package machines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/control"
)

// Live is a machine that runs in this process, as its socket shows it.
type Live struct {
	// About is what does not change. Its caller completes it before Serve.
	About   control.Machine
	Run     *Invocation
	Console *Console
	// Stop ends the guest in an orderly way, within a time if that is not nil and by
	// a signal of its own if that is not 0, and Kill at once.
	Stop func(grace *time.Duration, signal int)
	Kill func()

	server *control.Server
	m      *alpinevm.Machine
	root   fs9p.FS // nil: there is no session
	ctx    context.Context
	up     atomic.Bool
	kept   *Machine // nil: nothing stays of it
	ended  chan struct{}
	exit   control.Exit // once ended is closed

	saving sync.Mutex // held while a snapshot is made, which takes memory

	mu     sync.Mutex // for About's names too, once Serve has begun
	jobs   map[uint64]*alpinevm.Job
	last   uint64
	paused chan struct{} // closed by Unpause; nil if it is not paused
}

// Announce makes the socket of a machine of that name.
func Announce(name string) (*Live, error) {
	s, err := Listen(name)
	for late := time.Now().Add(lockPatience); errors.Is(err, control.ErrInUse) && time.Now().Before(late); { // its last run may be ending
		time.Sleep(lockPatience / 10)
		s, err = Listen(name)
	}
	if errors.Is(err, control.ErrInUse) {
		err = errRunning
	}
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	l := &Live{server: s, Console: NewConsole(), ended: make(chan struct{}), jobs: map[uint64]*alpinevm.Job{}}
	l.About.Name = name
	s.Handle = l.handle
	return l, nil
}

// KeepLog begins to keep what is printed: for m, or, where that is nil, as long as
// the machine runs.
func (l *Live) KeepLog(m *Machine) error {
	base := strings.TrimSuffix(l.server.Path(), socketSuffix)
	if l.kept = m; m != nil {
		base = m.LogBase()
	}
	log, err := CreateLog(base)
	if err != nil {
		return stateError(err)
	}
	l.About.Log, l.Console.Log = base, log
	if crash, err := os.Create(base + crashSuffix); err == nil { // nobody may see our standard error
		debug.SetCrashOutput(crash, debug.CrashOptions{})
		crash.Close()
	}
	return nil
}

// Serve begins to answer. The machine runs until ctx is done; s is its session, or
// nil.
func (l *Live) Serve(ctx context.Context, m *alpinevm.Machine, s *alpinevm.Session) {
	l.ctx, l.m = ctx, m
	if s != nil {
		l.root = s.Root
	}
	l.About.Started = time.Now()
	go l.server.Serve()
}

// Up says that the guest is.
func (l *Live) Up() { l.up.Store(true) }

// End tells all who wait how it has ended, and takes the socket away.
func (l *Live) End(code int, err error) {
	l.exit = control.Exit{Code: code}
	if err != nil {
		l.exit.Error = err.Error()
	}
	l.Console.End()
	l.server.Stop() // who is told of the end finds a machine that does not run
	close(l.ended)
	l.server.Close()
	if base := l.logBase(); l.kept == nil && base != "" {
		for _, name := range logFiles(base) {
			os.Remove(name)
		}
	}
}

// name is what the machine is called now.
func (l *Live) name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.About.Name
}

// logBase is the name of its log now.
func (l *Live) logBase() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.About.Log
}

// handle answers a request.
func (l *Live) handle(r *control.Request, c *control.Conn) error {
	switch r.Verb {
	case control.Info:
		return c.SendJSON(control.KindReply, control.Reply{Machine: l.describe()})
	case control.Exec:
		return l.exec(r, c)
	case control.Attach:
		return l.attach(r, c)
	case control.Signal, control.Resize:
		return l.tell(r, c)
	case control.Stop:
		if r.Signal < 0 || r.Signal > lastSignal {
			return fmt.Errorf("%d is the number of no signal", r.Signal)
		}
		l.unpause()
		l.Stop(r.Grace, r.Signal)
		return l.wait(c)
	case control.Wait:
		return l.wait(c)
	case control.Stat, control.Read, control.Write, control.Diff:
		return l.files(r, c)
	case control.Save:
		return l.save(r, c)
	case control.Rename:
		return l.rename(r, c)
	case control.Pause:
		return l.done(c, l.pause())
	case control.Unpause:
		if !l.unpause() {
			return fmt.Errorf("machine %s: it is not paused", l.name())
		}
		return l.done(c, nil)
	}
	return fmt.Errorf("this machine was started by another version of alpinevm, which knows no %q", r.Verb)
}

// done is the answer to what has none of its own.
func (l *Live) done(c *control.Conn, err error) error {
	if err != nil {
		return err
	}
	return c.SendJSON(control.KindReply, control.Reply{})
}

// askPatience is how long the machine's goroutine has for an answer: it may be
// paused.
const askPatience = 500 * time.Millisecond

// describe gives what is known.
func (l *Live) describe() *control.Machine {
	l.mu.Lock()
	about := l.About
	about.Up = l.up.Load()
	about.Paused, about.Jobs = l.paused != nil, len(l.jobs)
	l.mu.Unlock()
	type usage struct {
		instructions uint64
		waited       time.Duration
	}
	used := make(chan usage, 1)
	if !about.Paused {
		l.m.Kick(func() { used <- usage{l.m.Instructions(), l.m.Waited()} })
		select {
		case u := <-used:
			about.Instructions, about.Busy = u.instructions, time.Since(about.Started)-u.waited
		case <-l.ended:
		case <-time.After(askPatience):
		}
	}
	return &about
}

// wait waits for the machine's end.
func (l *Live) wait(c *control.Conn) error {
	gone := l.follow(c, func(control.Kind, []byte) {})
	select {
	case <-l.ended:
		return c.SendJSON(control.KindExit, l.exit)
	case <-gone:
		return nil
	}
}

// follow reads what a client sends until it goes, which closes the channel.
func (l *Live) follow(c *control.Conn, f func(control.Kind, []byte)) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			kind, p, err := c.Next()
			if err != nil {
				return
			}
			f(kind, p)
		}
	}()
	return gone
}

// pause has the machine's goroutine wait.
func (l *Live) pause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused != nil {
		return fmt.Errorf("machine %s: it is paused already", l.About.Name)
	}
	resume := make(chan struct{})
	l.paused = resume
	l.m.Kick(func() {
		select {
		case <-resume:
		case <-l.ctx.Done():
		}
	})
	return nil
}

// goesOn is an error where the machine is paused.
func (l *Live) goesOn() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		return nil
	}
	return l.errPaused()
}

// errPaused is of a machine that is paused. l.mu is held.
func (l *Live) errPaused() error {
	return fmt.Errorf("machine %s: it is paused; alpinevm unpause %s has it go on", l.About.Name, l.About.Name)
}

// unpause has it go on. It reports false if it was not paused.
func (l *Live) unpause() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		return false
	}
	close(l.paused)
	l.paused = nil
	return true
}

// Signals that mean something to us.
const (
	signalHUP  = 1
	signalKILL = 9
	lastSignal = 64
)

// tell passes a signal or a size on.
func (l *Live) tell(r *control.Request, c *control.Conn) error {
	if r.Signal < 0 || r.Signal > lastSignal {
		return fmt.Errorf("%d is the number of no signal", r.Signal)
	}
	l.mu.Lock()
	j := l.jobs[r.Job]
	l.mu.Unlock()
	switch {
	case r.Job != 0 && j == nil: // it has ended
	case j != nil && r.Verb == control.Resize:
		j.Resize(r.Cols, r.Rows)
	case j != nil:
		j.Signal(r.Signal)
	case r.Verb == control.Resize:
		l.m.Resize(r.Cols, r.Rows)
	case r.Signal == signalKILL:
		l.unpause()
		l.Kill()
	default:
		l.m.Signal(r.Signal)
	}
	return l.done(c, nil)
}

// startPatience is how long a guest has to take a command.
const startPatience = 30 * time.Second

// errDeaf is of a guest that does not.
var errDeaf = fmt.Errorf("the guest has taken no command for %s: it may be busy, out of memory, or its root may have ended what takes them", startPatience)

// exec runs a program for a client. One that goes hangs up on it.
func (l *Live) exec(r *control.Request, c *control.Conn) error {
	p := r.Command
	if p == nil {
		return errors.New("the request has no command")
	}
	if err := l.goesOn(); err != nil {
		return err
	}
	process := alpinevm.Process{
		Args: p.Args, Env: p.Env, Dir: p.Dir, User: p.User, TTY: p.TTY, Cols: p.Cols, Rows: p.Rows, Term: p.Term,
	}
	replied := make(chan struct{}) // what the program prints comes behind the reply
	process.Stdout, process.Stderr = later{c.Writer(control.KindStdout), replied}, later{c.Writer(control.KindStderr), replied}
	if p.Detach {
		return l.execDetached(&process, c)
	}
	in, typed := io.Pipe()
	if p.Stdin {
		process.Stdin = in
	}
	ctx, cancel := context.WithTimeoutCause(l.ctx, startPatience, errDeaf)
	defer cancel()
	gone := l.feed(c, typed)
	defer in.Close()
	go func() { <-gone; cancel(); typed.CloseWithError(io.EOF) }()
	j, err := l.m.Exec(ctx, process)
	if err != nil {
		return err
	}
	id := l.enter(j)
	defer l.leave(id)
	if err := c.SendJSON(control.KindReply, control.Reply{Job: id}); err != nil {
		j.Signal(signalHUP)
	}
	close(replied)
	select {
	case <-gone:
		j.Signal(signalHUP)
	case <-j.Done():
	}
	code, err := j.Wait()
	if err != nil {
		return err
	}
	return c.SendJSON(control.KindExit, control.Exit{Code: code})
}

// later writes once ready is closed.
type later struct {
	w     io.Writer
	ready <-chan struct{}
}

func (l later) Write(p []byte) (int, error) {
	<-l.ready
	return l.w.Write(p)
}

// feed writes what the client sends as its input, until it closes that. gone is
// closed when the client has gone.
func (l *Live) feed(c *control.Conn, in *io.PipeWriter) (gone <-chan struct{}) {
	return l.follow(c, func(k control.Kind, b []byte) {
		switch {
		case k == control.KindStdin && len(b) == 0:
			in.Close()
		case k == control.KindStdin:
			in.Write(b) // fails where nobody reads any more
		}
	})
}

// execDetached runs a program for nobody.
func (l *Live) execDetached(p *alpinevm.Process, c *control.Conn) error {
	p.Stdout, p.Stderr = nil, nil
	ctx, cancel := context.WithTimeoutCause(l.ctx, startPatience, errDeaf)
	defer cancel()
	j, err := l.m.Exec(ctx, *p)
	if err != nil {
		return err
	}
	id := l.enter(j)
	go func() { <-j.Done(); l.leave(id) }()
	return c.SendJSON(control.KindReply, control.Reply{Job: id})
}

func (l *Live) enter(j *alpinevm.Job) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.jobs[l.last] = j
	return l.last
}

func (l *Live) leave(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.jobs, id)
}

// attach shows a client what the machine's own program prints, and takes what is
// typed to it.
func (l *Live) attach(r *control.Request, c *control.Conn) error {
	w := l.Console.Watch()
	defer l.Console.Leave(w)
	if l.About.TTY && r.Cols > 0 && r.Rows > 0 {
		l.m.Resize(r.Cols, r.Rows)
	}
	if err := c.SendJSON(control.KindReply, control.Reply{Machine: l.describe()}); err != nil {
		return nil
	}
	gone := l.follow(c, func(k control.Kind, b []byte) {
		switch {
		case k != control.KindStdin || !r.Stdin || !l.About.Stdin:
		case len(b) > 0:
			l.Console.Type(b)
		case !l.About.TTY:
			l.Console.CloseInput()
		}
	})
	go func() { <-gone; l.Console.Leave(w) }()
	for {
		stream, p, err := w.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		kind := control.KindStdout
		if stream == "stderr" {
			kind = control.KindStderr
		}
		if c.Send(kind, p) != nil {
			return nil
		}
	}
	select {
	case <-gone:
		return nil
	case <-l.ended:
		return c.SendJSON(control.KindExit, l.exit)
	}
}
