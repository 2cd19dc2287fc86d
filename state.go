package alpinevm

import (
	"fmt"
	"slices"

	"alpinevm/fs9p"
	"alpinevm/fs9p/ctl"
	"alpinevm/internal/board"
	"alpinevm/kernel"
	"alpinevm/net/usernet"
)

// state is what a machine remembers besides its memory, as plain data.
//
// What cannot be saved: connections of the guest's network, which are reset, and
// what its file systems hold, which save themselves or stay where they are; files
// of the host that have moved meanwhile are stale.
type state struct {
	Board   board.State
	Servers []serverState
	Session []sessionState  // one, or none
	Network []usernet.State // one, or none
	// Initrd is a session's initial root file system, with which the guest
	// starts again: its root may be another by now.
	Initrd []byte
}

// serverState is the state of the server behind the 9P device of that tag.
type serverState struct {
	Tag string
	fs9p.State
}

// sessionState is what the host knows of a session.
type sessionState struct {
	Up, Exited bool
	Status     int
	Jobs       []jobState
	NextFile   uint64 // the number of the next file of Control
	Setup      []kernel.GuestFile
	Control    ctl.State
}

// save gives a copy of the state, between two steps.
func (m *Machine) save() (*state, error) {
	b, err := m.board.Save() // which does what was kicked first
	if err != nil {
		return nil, err
	}
	s := &state{Board: *b}
	for _, srv := range m.servers {
		if !srv.Quiet() {
			return nil, ErrNotQuiet
		}
		s.Servers = append(s.Servers, serverState{srv.tag, srv.Save()})
	}
	if m.network != nil {
		s.Network = []usernet.State{m.network.Save()}
	}
	if m.session != nil {
		s.Session, s.Initrd = []sessionState{m.session.save()}, m.image.Initrd
	}
	return s, nil
}

// restore puts a saved state into a machine that was assembled from the Config of
// the saved one, but for what belongs to its host, and whose memory is restored.
// After an error the machine is of no use.
func (m *Machine) restore(s *state) error {
	if len(s.Servers) != len(m.servers) {
		return fmt.Errorf("restore: there are %d file systems, and were %d", len(m.servers), len(s.Servers))
	}
	had, has := len(s.Session), 0
	if m.session != nil {
		has, m.image.Initrd = 1, s.Initrd
	}
	if had != has {
		return fmt.Errorf("restore: there are %d sessions, and were %d", has, had)
	}
	m.listens(m.alwaysListens())
	// The devices ask again for what their servers have not answered, so that
	// these come before them.
	if m.session != nil {
		if err := m.session.restore(&s.Session[0]); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	for _, srv := range m.servers {
		i := slices.IndexFunc(s.Servers, func(old serverState) bool { return old.Tag == srv.tag })
		if i < 0 {
			return fmt.Errorf("restore: the file system %q was not there", srv.tag)
		}
		if err := srv.Restore(s.Servers[i].State); err != nil {
			return fmt.Errorf("restore: %s: %w", srv.tag, err)
		}
	}
	if err := m.board.Restore(m.image, &s.Board); err != nil || m.network == nil || len(s.Network) == 0 {
		return err
	}
	return m.network.Restore(s.Network[0])
}

func (s *session) save() sessionState {
	return sessionState{s.up, s.exited, s.status, s.jobs.save(), s.control.Number(), s.setup, s.control.Save()}
}

func (s *session) restore(old *sessionState) error {
	if s.exited, s.status = old.Exited, old.Status; old.Up {
		s.begin()
	}
	s.m.listens(old.Up)
	s.makeSetup(old.Setup)
	if err := s.jobs.restore(old.Jobs); err != nil {
		return err
	}
	s.control.NumberFrom(max(s.control.Number(), old.NextFile))
	return s.control.Restore(old.Control)
}
