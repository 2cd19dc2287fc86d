package alpinevm

import (
	"fmt"
	"io"
	"time"

	"alpinevm/kernel"
)

// renewPatience is how long what the host has to say waits for a guest that does
// not tell that it knows what has changed.
const renewPatience = time.Second

// gate holds back what the host has to say to a guest that does not know yet that
// it is a copy: a program that reads should draw no numbers that others draw.
type gate struct {
	opened chan struct{}
	late   *time.Timer
	folder string // of the renewal, in the control file system: no other has had that name
}

// newGate makes one that is shut. It is opened on the machine goroutine.
func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) open() {
	select {
	case <-g.opened:
	default:
		close(g.opened)
	}
}

// reader is r behind the gate.
func (g *gate) reader(r io.Reader) io.Reader {
	if r == nil {
		return nil
	}
	return gated{g.opened, r}
}

type gated struct {
	opened <-chan struct{}
	r      io.Reader
}

// Read implements io.Reader.
func (g gated) Read(p []byte) (int, error) {
	<-g.opened
	return g.r.Read(p)
}

// guard puts a gate before what a guest reads from the host.
func (g *gate) guard(cfg *Config) {
	if cfg.Session != nil {
		session := *cfg.Session
		session.Stdin = g.reader(session.Stdin)
		cfg.Session = &session
	}
	if t := cfg.Consoles.Terminal; t != nil {
		terminal := *t
		terminal.In = g.reader(t.In)
		cfg.Consoles.Terminal = &terminal
	}
}

// renew has a machine that goes on from a snapshot learn what has changed: that it
// is a copy, its date, its host's name and its card's address where they are given.
// The guest does its part as soon as it runs, and the gate is opened then.
func (m *Machine) renew() error {
	g := m.gate
	if err := m.board.Renew(); err != nil {
		return err
	}
	if m.session == nil || !m.session.up {
		g.open()
		return nil
	}
	m.session.renewal = g
	g.folder = fmt.Sprintf("r%08x", m.session.control.Number())
	g.late = time.AfterFunc(renewPatience, func() { m.Kick(g.open) })
	m.session.jobs.queue.Put(kernel.JobName(g.folder)) // without room for it the guest is lost anyway
	return nil
}

// renewed makes the guest's program at the moment that the guest asks for it, since
// the date is in it.
func (s *session) renewed(record []byte) {
	g := s.renewal
	if g == nil || string(record) != string(kernel.JobName(g.folder)) {
		return
	}
	s.renewal = nil
	r := s.renewalNow()
	r.Folder = g.folder
	s.control.Static(g.folder+"/"+kernel.JobRun, 0o500, r.Image())
	s.control.Sink(g.folder+"/"+kernel.JobEnd, 0o200, func([]byte) error {
		g.late.Stop()
		g.open()
		return nil
	})
}
