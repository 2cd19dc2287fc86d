package website

import (
	"fmt"
	"iter"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/chunked"
)

// Upper is a file system of what a guest changes in its root, other than one in memory.
type Upper interface {
	fs9p.Numbered
	// Settle ends a restore.
	Settle()
	// Freeze gives what it holds, for a snapshot.
	Freeze() (*statefs.Frozen, error)
}

// Opening says how a Machine becomes a Config.
type Opening struct {
	Chunks *chunked.Cache // of its files
	// Source, where not nil, has snapshots hold these files too, so that they are whole
	// by themselves.
	Source chunked.Source

	// Terminal and Network tell what the machine is going to have, for snapshots.
	Terminal, Network bool

	// Upper is what the guest has changed in its root; nil: that is kept in memory. With
	// From it is made by Fill, of what the snapshot holds: see statefs.Create.
	Upper Upper
	Fill  func(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (Upper, error)

	// From, where not nil, is what the machine goes on from. Booted says that its kernel
	// has booted already, and that it goes on from that: see alpinevm.Snapshot.Begin.
	From   *alpinevm.Snapshot
	Booted bool
	// Screen, where not nil, gives what a terminal shows that has got the guest's output.
	Screen func() []byte
}

// Open gives the Config of what is described, without terminal and network. Its
// snapshots keep what it takes to open it again.
func (m *Machine) Open(o Opening) (alpinevm.Config, error) {
	cfg := alpinevm.Config{
		Memory: m.Memory, Hostname: m.Hostname, Boot: alpinevm.Boot{Cmdline: m.Cmdline, Append: m.Append},
		Session: &alpinevm.Session{Args: m.Args, Env: m.Env, Dir: m.Dir, User: m.User, Init: m.Init},
	}
	if err := m.openBoot(&cfg, o); err != nil {
		return cfg, err
	}
	var err error
	if m.alone() {
		cfg.Session.Root, err = o.upper(&cfg, nil)
	} else {
		cfg.Session.Root, err = m.root(&cfg, o)
	}
	if err != nil {
		return cfg, err
	}
	return cfg, m.keep(&cfg, o)
}

// openBoot opens what the guest starts with. One whose kernel has booted already needs
// its modules only, until it starts again.
func (m *Machine) openBoot(cfg *alpinevm.Config, o Opening) error {
	var err error
	if m.Modules != nil {
		if cfg.Boot.Modules, err = m.Modules.open(o.Chunks); err != nil {
			return fmt.Errorf("the kernel's modules: %w", err)
		}
	}
	start := func() (kernel, busybox []byte, err error) {
		if kernel, err = whole(o.Chunks, m.Kernel); err != nil {
			return nil, nil, fmt.Errorf("the kernel: %w", err)
		}
		if m.Busybox == nil {
			return kernel, nil, nil
		}
		if busybox, err = whole(o.Chunks, *m.Busybox); err != nil {
			return nil, nil, fmt.Errorf("busybox: %w", err)
		}
		return kernel, busybox, nil
	}
	if o.From != nil || o.Booted {
		cfg.Boot.Later = start
		return nil
	}
	cfg.Boot.Kernel, cfg.Session.Busybox, err = start()
	return err
}

// root makes the guest's root of the site's, and of what was changed in it.
func (m *Machine) root(cfg *alpinevm.Config, o Opening) (fs9p.FS, error) {
	lower, err := m.Root.open(o.Chunks)
	if err != nil {
		return nil, fmt.Errorf("the root: %w", err)
	}
	c := overlay.Config{Lower: lower}
	if o.From != nil {
		c.State = &overlay.State{}
		if err := o.From.Decode(KeptOverlay, c.State); err != nil {
			return nil, fmt.Errorf("the snapshot's files: %w", err)
		}
	}
	// A file in memory may borrow from lower, which one that is kept does not.
	lend := func(m *memfs.FS) error {
		_, err := overlay.New(overlay.Config{Upper: m, Lower: lower, State: c.State})
		return err
	}
	if c.Upper, err = o.upper(cfg, lend); err != nil {
		return nil, err
	}
	union, err := overlay.New(c)
	if err != nil {
		return nil, err
	}
	cfg.Kept = append(cfg.Kept, alpinevm.Kept{Name: KeptOverlay, Save: func() (any, error) { return *union.Save(), nil }, Settle: union.Settle})
	return union, nil
}

// upper makes the file system of what the guest has changed, which snapshots hold. lend,
// where not nil, gives one in memory what it has borrowed before Fill reads it.
func (o Opening) upper(cfg *alpinevm.Config, lend func(*memfs.FS) error) (fs9p.Numbered, error) {
	if o.From == nil {
		if o.Upper != nil {
			return keepUpper(cfg, o.Upper), nil
		}
		return keepMemory(cfg, memfs.New(memfs.Config{})), nil
	}
	var state memfs.State
	err := o.From.Decode(KeptUpper, &state)
	var memory *memfs.FS
	if err == nil {
		memory, err = memfs.Restore(memfs.Config{}, state)
	}
	if err == nil && o.Fill == nil {
		return keepMemory(cfg, memory), nil
	}
	if err == nil && lend != nil {
		err = lend(memory)
	}
	if err != nil {
		return nil, fmt.Errorf("the snapshot's files: %w", err)
	}
	upper, err := o.Fill(state.Tree, memory.Contents())
	if err != nil {
		return nil, err
	}
	return keepUpper(cfg, upper), nil
}

// keepMemory has snapshots hold what is in memory.
func keepMemory(cfg *alpinevm.Config, m *memfs.FS) fs9p.Numbered {
	cfg.Kept = append(cfg.Kept, alpinevm.Kept{Name: KeptUpper, Save: func() (any, error) { return m.Save(), nil }, Settle: m.Settle})
	return m
}

// keepUpper has snapshots hold what is kept.
func keepUpper(cfg *alpinevm.Config, u Upper) fs9p.Numbered {
	cfg.Kept = append(cfg.Kept, alpinevm.Kept{Name: KeptUpper, Save: func() (any, error) {
		z, err := u.Freeze()
		return &frozen{z}, err
	}, Settle: u.Settle})
	return u
}

// frozen is what an Upper holds. It is an alpinevm.Late.
type frozen struct{ *statefs.Frozen }

// State is part of alpinevm.Late.
func (f *frozen) State() (any, error) { return memfs.LateStateOf(f.Frozen) }
