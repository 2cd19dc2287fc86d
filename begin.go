package alpinevm

import (
	"cmp"
	"errors"
	"fmt"

	"alpinevm/internal/linux"
)

// beginState is what of a booted kernel a guest that goes on from it is to know.
type beginState struct {
	MAC     [6]byte               // of the network card, if there is one
	Modules []linux.BootedModules // one, or none
}

func (s *session) beginState() (b beginState) {
	if n := s.m.cfg.Network; n != nil {
		b.MAC = cmp.Or(n.MAC, DefaultMAC)
	}
	if s.modules != nil {
		b.Modules = append(b.Modules, s.modules.Booted())
	}
	return b
}

var (
	errBegins = errors.New("the snapshot is of a kernel that has booted, and of no machine yet: Begin goes on from it")
	errBegun  = fmt.Errorf("%w: it is not of a kernel that has just booted", ErrSnapshot)
)

// Begins tells whether the snapshot is of a kernel that has booted, as Warm.Store gets
// it: Begin makes machines of it, and Clone does not.
func (s *Snapshot) Begins() bool { return s.encode() == nil && s.hasSection(beginSection) }

// Begin makes a machine whose kernel has booted already. cfg is as for New, with a
// Session, and with the memory, the devices, the kernel, its command line and its modules
// that the other machine had; the last three, and the tools of its initial root, are for
// whoever keeps the snapshot to know. Boot.Later may stand for Boot.Kernel and
// Session.Busybox, and Memory may be 0.
func (s *Snapshot) Begin(cfg Config) (*Machine, error) {
	if err := s.encode(); err != nil {
		return nil, err
	}
	if !s.Begins() || cfg.Session == nil {
		return nil, errBegun
	}
	var had beginState
	if err := s.decodeShared(beginSection, &had); err != nil {
		return nil, err
	}
	if kernel, busybox := cfg.Boot.Kernel, cfg.Session.Busybox; kernel != nil {
		cfg.Boot.Kernel, cfg.Boot.Later = nil, func() ([]byte, []byte, error) { return kernel, busybox, nil }
	}
	cfg.Memory = cmp.Or(cfg.Memory, s.header.Memory)
	var modules *linux.BootedModules
	if len(had.Modules) > 0 {
		modules = &had.Modules[0]
	}
	m, err := assembleFrom(cfg, s.ram, modules)
	if err != nil {
		return nil, err
	}
	if err := s.begin(m, had); err != nil {
		m.Close()
		return nil, err
	}
	m.debug()
	return m, nil
}

// begin has a machine that has just been assembled go on from a booted kernel.
func (s *Snapshot) begin(m *Machine, had beginState) error {
	if err := s.same(m); err != nil {
		return err
	}
	if mac := m.session.beginState().MAC; mac != had.MAC {
		return fmt.Errorf("restore: the network card's address is %x, and was %x", mac, had.MAC)
	}
	setup, err := m.session.plan().Setup()
	if err != nil {
		return fieldError(err)
	}
	if err := m.goOn(s, setup); err != nil {
		return err
	}
	m.session.beginning.Fire()
	return nil
}
