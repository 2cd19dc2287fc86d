package alpinevm

import (
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/ctl"
	"alpinevm/internal/linux"
	"alpinevm/internal/printable"
	"alpinevm/kernel"
)

// ctlFids bounds the fids of the control file system, whose files are a dozen,
// and as many for each job.
const ctlFids = 4096

// session is the guest's work on a root file system, as far as the host sees
// it. It lives on the machine goroutine.
type session struct {
	m         *Machine
	up        bool          // the guest is ready for the session's program
	begun     chan struct{} // closed when it is so for the first time
	status    int
	exited    bool
	control   *ctl.FS
	failure   *ctl.Note
	shutdown  *ctl.Signal
	drains    []*ctl.Drain
	signals   *ctl.Lines
	modules   *linux.Modules // nil: the drivers are built in
	jobs      jobs
	renewal   *gate              // is opened when the guest knows that it is a copy
	beginning *ctl.Signal        // lets the guest mount its root
	setup     []kernel.GuestFile // what the guest adds to its initial root
}

// newSession adds the devices of a session.
func newSession(m *Machine) (*session, error) {
	s := &session{m: m, begun: make(chan struct{})}
	s.jobs.s = s
	if err := m.serve(kernel.CtlTag, fs9p.Config{FS: s.makeControl(), Msize: linux.CtlMsize, MaxFids: ctlFids}); err != nil {
		return nil, err
	}
	if err := m.serve(linux.RootTag, fs9p.Config{FS: m.cfg.Session.Root, Msize: linux.DataMsize, NoDefaultACL: m.aclFault(linux.CacheOwned)}); err != nil {
		return nil, err
	}
	return s, s.openModules()
}

// openModules adds the device of the kernel's modules.
func (s *session) openModules() error {
	cfg := &s.m.cfg.Boot
	if cfg.Modules == nil {
		return nil
	}
	var err error
	if had := s.m.modules; had != nil {
		s.modules, err = had.Restore(cfg.Modules, s.m.board.Date)
	} else {
		s.modules, err = linux.OpenModules(cfg.Modules, s.m.image.Kernel.Release, cfg.Cache, s.m.board.Date)
	}
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	return s.m.serve(linux.ModulesTag, fs9p.Config{FS: s.modules.FS, Msize: linux.DataMsize, ReadOnly: true})
}

// plan describes the session to the guest.
func (s *session) plan() *linux.Session {
	cfg, config := &s.m.cfg, s.m.cfg.Session
	l := &linux.Session{
		Root: config.Root, Busybox: config.Busybox, Spare: cfg.Memory - MinMemory, Init: config.Init, Idle: config.Idle, ReadOnly: config.ReadOnly, WriteThrough: config.WriteThrough,
		Merged: same(config.Stdout, config.Stderr), Modules: s.modules,
		Program: linux.Program{Args: config.Args, Env: config.Env, Dir: config.Dir, User: config.User, Hostname: s.m.hostname()},
	}
	if t := cfg.Consoles.Terminal; t != nil {
		l.TTY, l.Program.Terminal, l.Program.Term = true, true, t.Term
	}
	if cfg.Network != nil {
		cfg.Network.configure(l)
	}
	for _, t := range config.Tmpfs {
		l.Tmpfs = append(l.Tmpfs, kernel.Mount{Type: "tmpfs", Source: "tmpfs", Target: t.Target, Options: t.Options})
	}
	for _, v := range cfg.Volumes {
		l.Volumes = append(l.Volumes, linux.Volume(v))
	}
	return l
}

// bootAnew has a guest that went on from one that had booted start again, with an
// initial root file system that it has not had yet.
func (s *session) bootAnew(busybox []byte) (err error) {
	p := s.plan()
	p.Busybox = busybox
	if cfg := &s.m.cfg.Boot; cfg.Modules != nil { // the guest keeps those that it has
		if p.Modules, err = linux.OpenModules(cfg.Modules, s.m.image.Kernel.Release, cfg.Cache, s.m.board.Date); err != nil {
			return &ConfigError{"Modules", err}
		}
	}
	s.m.image.Initrd, err = p.Archive()
	return fieldError(err)
}

// fieldError names the field of a Config.
func fieldError(err error) error {
	var field *linux.FieldError
	if errors.As(err, &field) {
		return (*ConfigError)(field)
	}
	return err
}

// same says that two writers are one.
func same(a, b io.Writer) bool {
	return a != nil && reflect.ValueOf(a).Comparable() && a == b
}

// makeControl makes the control file system, by which the guest talks to us.
func (s *session) makeControl() *ctl.FS {
	cfg := s.m.cfg.Session
	config := ctl.Config{Post: s.m.Kick, Now: s.m.board.Date, Wait: s.m.cfg.Deterministic}
	if cfg.Init && !config.Wait {
		config.Patience = initPatience
	}
	c := ctl.New(config)
	s.control = c
	c.Sink(kernel.CtlExit, 0o200, func(p []byte) error {
		n, err := strconv.Atoi(strings.TrimSpace(string(p)))
		if err != nil {
			return fs9p.EINVAL
		}
		s.status, s.exited = n&0xff, true
		return nil
	})
	s.failure = c.Note(kernel.CtlError, 0o200)
	s.hearEntered(c)
	s.beginning = c.Signal(kernel.CtlBegin, 0o400, kernel.BeginNow)
	s.shutdown = c.Signal(kernel.CtlShutdown, 0o400, kernel.ShutdownRequest)
	s.shutdown.Asked = func() {
		if !s.up { // else a restored guest asks again
			s.begin()
			s.m.board.Announce()
			s.m.listens(true)
		}
	}
	s.signals = c.Lines(kernel.CtlSignal, 0o400, kernel.CtlSignalSize-1)
	in := cfg.Stdin
	if in == nil {
		in = strings.NewReader("")
	}
	c.Chunks(kernel.CtlStdinNext, kernel.CtlStdin, 0o400, in)
	for _, out := range []struct {
		name string
		w    io.Writer
	}{{kernel.CtlStdout, cfg.Stdout}, {kernel.CtlStderr, cfg.Stderr}} {
		w := out.w
		if w == nil {
			w = io.Discard
		}
		s.drains = append(s.drains, c.Drain(out.name, 0o200, w))
	}
	s.jobs.queue = c.Queue(kernel.CtlJobs, 0o400, kernel.JobNameSize)
	s.jobs.queue.Taken = func(record []byte) {
		s.jobs.taken(record)
		s.renewed(record)
	}
	c.Sink(kernel.CtlJobsFailed, 0o200, s.jobs.failed)
	c.Sink(kernel.CtlRelease, 0o200, s.release)
	s.m.hearKernel(c)
	return c
}

// maxRefusal is how much the guest may say of a program that cannot begin, in bytes.
const maxRefusal = 8 << 10

// hearEntered hears whether the program has begun.
func (s *session) hearEntered(c *ctl.FS) {
	var refusal []byte
	c.Report(kernel.CtlEntered, 0o200, func(p []byte) error {
		refusal = append(refusal, p[:min(len(p), maxRefusal-len(refusal))]...)
		return nil
	}, func() {
		if f := s.m.cfg.Session.Entered; f != nil {
			f(strings.TrimSpace(printable.Text(string(refusal))))
		}
		refusal = nil
	})
}

// release lets go whoever reads what the host has yet to say, for the guest ends.
func (s *session) release(p []byte) error {
	switch string(p) {
	case kernel.ReleaseAll:
		s.control.Release(kernel.CtlStdinNext, true)
	case kernel.ReleaseJobs:
	default:
		return fs9p.EINVAL
	}
	s.hold(false)
	return nil
}

// hold has reads of all but the input wait for the host, or not.
func (s *session) hold(on bool) {
	for _, name := range []string{kernel.CtlJobs, kernel.CtlShutdown, kernel.CtlSignal} {
		s.control.Release(name, !on)
	}
	for _, j := range s.jobs.list {
		s.control.Release(j.folder, !on)
	}
}

// begin notes that the guest is up.
func (s *session) begin() {
	s.up = true
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
}

// initPatience is how often an image's own init lets the guest's wait for the
// host be seen to end: it may want to stop the process that waits.
const initPatience = 2 * time.Second

// startLines is how much of the log a failed start shows.
const startLines = 10

// end is how a session ends whose machine has been switched off.
func (s *session) end() End {
	switch {
	case s.exited:
		return End{Cause: Exited, Code: s.status}
	case s.failure.String() != "":
		return End{Cause: Failure, Detail: "the guest: " + strings.TrimSpace(printable.Text(s.failure.String()))}
	case !s.control.Attached() && s.m.cfg.Boot.Modules == nil:
		return End{Cause: NoDrivers, Detail: "the kernel has no drivers of its own for 9P over virtio, by which it gets its files, and was given no modules"}
	case !s.up:
		return End{Cause: Failure, Detail: "the guest switched itself off before its session began; the end of its log:\n" + strings.Join(lastLines(s.m.logLines(), startLines), "\n")}
	}
	return End{Cause: PowerOff}
}

// drained says that all output has reached the host.
func (s *session) drained() bool {
	for _, d := range s.drains {
		if d.Busy() {
			return false
		}
	}
	return true
}

// restart forgets what the last run of the guest said.
func (s *session) restart() {
	s.exited, s.up = false, false
	s.failure.Clear()
	s.signals.Clear()
	s.jobs.end(ErrEnded)
	s.control.Release(kernel.CtlStdinNext, false)
	s.hold(true)
}
