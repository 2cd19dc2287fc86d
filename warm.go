package alpinevm

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"alpinevm/internal/snapshot"
	"alpinevm/kernel"
)

// Warm keeps snapshots of kernels that have booted as far as all guests of a kind
// come alike: a machine with a session goes on from there. Its methods are called
// by New and on the machine goroutine.
type Warm interface {
	// Load gives the snapshot of a key, which is closed when it was used; nil: there
	// is none. Drop is told of one that was of no use.
	Load(key string) *Snapshot
	Drop(key string)
	// Store keeps a snapshot, and closes it. It does not wait for that.
	Store(key string, s *Snapshot)
}

// warms tells whether a machine may go on from a booted kernel: a guest that is
// watched as it boots, or that is to be repeatable, may not.
func (c *Config) warms() bool {
	watched := c.Consoles.Serial != nil || c.Consoles.SerialIn != nil || c.Debug.Console != nil || c.Debug.Exit != 0 || c.Debug.Trace != 0 || c.Debug.Profile != nil || c.Debug.GDB != nil
	return c.Boot.Warm != nil && c.Session != nil && !c.Deterministic && !watched
}

// kind is what guests which boot alike have alike.
type kind struct {
	Format  int    // of a snapshot
	Program string // version of ours
	Model   string // of the processor
	Memory  int64
	Devices []string
	MAC     [6]byte // of the network card, if there is one
	Kernel  [sha256.Size]byte
	Cmdline string
	Archive [sha256.Size]byte // the initial root: its tools and the kernel's modules
}

// key names the kind.
func (k *kind) key() string {
	h := sha256.New()
	fmt.Fprintf(h, "%#v", *k)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// kind is that of a machine that is ready to boot.
func (m *Machine) kind() *kind {
	k := &kind{
		Format: snapshot.Version, Program: version(), Model: m.board.Processor(), Memory: m.cfg.Memory, Devices: m.board.Devices(),
		Kernel: sha256.Sum256(m.cfg.Boot.Kernel), Cmdline: m.image.Cmdline, Archive: sha256.Sum256(m.image.Initrd),
	}
	if n := m.cfg.Network; n != nil {
		k.MAC = cmp.Or(n.MAC, DefaultMAC)
	}
	return k
}

// errWarm is of a snapshot of a booted kernel that is of no use. The machine is not
// either.
var errWarm = errors.New("a kernel that was kept does not go on")

// wake has a machine that is ready to boot go on from a booted kernel, if one is
// kept; else it boots, and has its own kept.
func (m *Machine) wake() (awake bool, err error) {
	s, warm := m.session, m.cfg.Boot.Warm
	key := m.kind().key()
	old := warm.Load(key)
	if old == nil {
		s.beginning.Asked = func() { m.Kick(func() { s.keepWarm(key) }) }
		return false, nil
	}
	defer old.Close()
	if err = m.board.Adopt(old.ram); err == nil {
		err = m.goOn(old, s.setup)
	}
	if err != nil {
		warm.Drop(key)
		return false, fmt.Errorf("%w: %w", errWarm, err)
	}
	s.beginning.Fire()
	return true, nil
}

// goOn has a machine that is ready to boot, and whose memory is that of a booted kernel,
// go on from there: what the guest adds to its initial root is this machine's.
func (m *Machine) goOn(old *Snapshot, setup []kernel.GuestFile) error {
	state, err := old.state(m.tags())
	if err != nil {
		return err
	}
	state.Initrd = m.image.Initrd
	if len(state.Session) == 1 {
		state.Session[0].Setup = setup
	}
	if err := m.restore(state); err != nil {
		return err
	}
	if t := m.cfg.Consoles.Terminal; t != nil {
		m.board.Resize(t.Cols, t.Rows)
	}
	return nil
}

// keepWarm has the machine kept, where the guest waits to begin, and lets it.
func (s *session) keepWarm(key string) {
	if s.beginning.Fired() {
		return
	}
	switch snap, err := s.m.capture(true, s.m.board.Freeze); {
	case errors.Is(err, ErrNotQuiet):
		s.m.Kick(func() { s.keepWarm(key) })
		return
	case err == nil:
		s.m.cfg.Boot.Warm.Store(key, snap)
	}
	s.beginning.Fire() // a guest that could not be kept goes on all the same
}

// makeSetup adds what the guest adds to its initial root.
func (s *session) makeSetup(files []kernel.GuestFile) {
	s.setup = files
	for _, f := range files {
		s.control.Static(kernel.CtlSetup+f.Name, f.Mode, f.Data)
	}
	s.control.Made(kernel.CtlRenewal, 0o500, len(s.firstRenewal()), s.firstRenewal)
}

// firstRenewal is the program that gives a guest that begins its date and random
// numbers.
func (s *session) firstRenewal() []byte {
	r := s.renewalNow()
	r.Hostname, r.MAC = "", nil
	return r.Image()
}

// renewalNow is what a guest is to learn.
func (s *session) renewalNow() kernel.Renew {
	date := s.m.board.Date()
	r := kernel.Renew{Seconds: date.Unix(), Nanoseconds: int64(date.Nanosecond()), Hostname: s.m.cfg.Hostname}
	if !s.m.cfg.Deterministic {
		r.Seed = make([]byte, 64)
		rand.Read(r.Seed)
	}
	if n := s.m.cfg.Network; n != nil && n.MAC != [6]byte{} {
		r.MAC = &n.MAC
	}
	return r
}
