package alpinevm

import (
	"io"
	"strconv"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/ctl"
	"alpinevm/internal/printable"
	"alpinevm/kernel"
)

// Mount tags of the 9P devices.
const (
	tagRoot    = "root"
	tagModules = "modules"
	tagVolume  = "volume" // and a number
)

// Sizes of 9P messages in bytes: the most that Linux's transport takes, and
// what suffices for control files.
const (
	dataMsize = 512000
	ctlMsize  = 128 << 10
	ctlFids   = 4096 // its files are a dozen
)

// Cache modes of v9fs. The root and the modules change only through the guest,
// so everything may be cached; a volume's files may change on the host.
const (
	cacheOwned  = "loose"
	cacheShared = "mmap"
)

// session is the guest's work on a root file system, as far as the host sees
// it. It lives on the machine goroutine.
type session struct {
	m        *Machine
	up       bool // the guest is ready for the session's program
	status   int
	exited   bool
	control  *ctl.FS
	failure  *ctl.Note
	shutdown *ctl.Signal
	drains   []*ctl.Drain
	modules  *kernel.Modules // nil: the drivers are built in
}

// newSession adds the devices of a session.
func newSession(m *Machine) (*session, error) {
	s := &session{m: m}
	if err := m.serve(kernel.CtlTag, fs9p.Config{FS: s.makeControl(), Msize: ctlMsize, MaxFids: ctlFids}); err != nil {
		return nil, err
	}
	if err := m.serve(tagRoot, fs9p.Config{FS: m.cfg.Session.Root, Msize: dataMsize, NoDefaultACL: m.aclFault(cacheOwned)}); err != nil {
		return nil, err
	}
	return s, s.openModules()
}

// makeControl makes the control file system, by which the guest talks to us.
func (s *session) makeControl() *ctl.FS {
	cfg := s.m.cfg.Session
	c := ctl.New(ctl.Config{Post: s.m.Kick, Now: s.m.board.Date, Wait: s.m.cfg.Deterministic})
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
	s.shutdown = c.Signal(kernel.CtlShutdown, 0o400, kernel.ShutdownRequest)
	s.shutdown.Asked = func() {
		if !s.up { // else a restored guest asks again
			s.up = true
			s.m.board.Announce()
		}
	}
	if cfg.Init && !s.m.cfg.Deterministic {
		s.shutdown.Patience = initPatience
	}
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
	return c
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
}
