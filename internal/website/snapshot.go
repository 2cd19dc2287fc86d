package website

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"alpinevm"
	"alpinevm/internal/chunked"
)

// Names of what a snapshot keeps of a machine. KeptUpper and KeptOverlay are what
// package launch has.
const (
	KeptUpper   = "root.upper"
	KeptOverlay = "root.overlay"
	keptSite    = "site"
	keptChunks  = "site.chunks"
)

// siteState is what a snapshot tells of its machine.
type siteState struct {
	Machine           []byte // JSON
	Terminal, Network bool
	Screen            []byte
}

// chunksState are the machine's files.
type chunksState struct {
	Chunks []struct {
		Name string
		Data []byte
	}
}

// lateChunks is chunksState when it is written. It is an alpinevm.Late.
type lateChunks struct{ Chunks []lateChunk }

type lateChunk struct {
	Name string
	Data func() ([]byte, error)
}

// State is part of alpinevm.Late.
func (l *lateChunks) State() (any, error) { return *l, nil }

// Close is part of alpinevm.Late.
func (l *lateChunks) Close() error { return nil }

// keep has the machine's snapshots tell what it is.
func (m *Machine) keep(cfg *alpinevm.Config, o Opening) error {
	about, err := json.Marshal(m.itself())
	if err != nil {
		return err
	}
	cfg.Kept = append(cfg.Kept, alpinevm.Kept{Name: keptSite, Save: func() (any, error) {
		s := siteState{Machine: about, Terminal: o.Terminal, Network: o.Network}
		if o.Screen != nil {
			s.Screen = o.Screen()
		}
		return s, nil
	}})
	if o.Source == nil {
		return nil
	}
	cfg.Kept = append(cfg.Kept, alpinevm.Kept{Name: keptChunks, Save: func() (any, error) {
		l := &lateChunks{}
		for _, name := range m.chunks() {
			l.Chunks = append(l.Chunks, lateChunk{name, func() ([]byte, error) { return o.Source(name) }})
		}
		return l, nil
	}})
	return nil
}

// itself is the machine, without how a page gets at it.
func (m *Machine) itself() *Machine {
	c := *m
	c.Snapshot, c.Booted, c.Ahead, c.Network = nil, nil, Ahead{}, nil
	return &c
}

// chunks are the names of all parts of the machine's files.
func (m *Machine) chunks() []string {
	files := []chunked.File{m.Kernel, m.Root.Index, m.Root.Archive} // no root: no parts
	if m.Modules != nil {
		files = append(files, m.Modules.Index, m.Modules.Archive)
	}
	if m.Busybox != nil {
		files = append(files, *m.Busybox)
	}
	names := map[string]bool{}
	for _, f := range files {
		for _, name := range f.Chunks {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// About is what a snapshot tells of its machine.
type About struct {
	Machine           *Machine
	Terminal, Network bool
	// Screen is what brings a terminal to where the machine's was.
	Screen []byte
}

// HasConsole tells whether the snapshot's machine has a console, which a page may have no
// terminal for.
func HasConsole(s *alpinevm.Snapshot) bool { return slices.Contains(s.Info().Devices, "console") }

// Keeps tells whether a snapshot is of a page's machine.
func Keeps(s *alpinevm.Snapshot) bool { return s.Has(keptSite) }

// ReadAbout gives what a snapshot of a page's machine tells.
func ReadAbout(s *alpinevm.Snapshot) (*About, error) {
	if !Keeps(s) {
		return nil, ErrNoPage
	}
	var state siteState
	if err := s.Decode(keptSite, &state); err != nil {
		return nil, err
	}
	m, err := Read(state.Machine)
	return &About{m, state.Terminal, state.Network, state.Screen}, err
}

// Errors of snapshots.
var (
	// ErrNoPage is of a snapshot of another kind of machine.
	ErrNoPage = errors.New("it is not of a page's machine: alpinevm run --from goes on with it")
	// ErrOtherImage is of one that does not fit a Machine.
	ErrOtherImage = errors.New("it is of a machine with another image, or another kernel")
	// ErrNoFiles is of one that was made for a page, which has the files.
	ErrNoFiles = errors.New("it holds no image, since it was made for the page that has it: alpinevm run starts that image")
)

// Fits refuses a snapshot of a machine that is none of m's, or was used otherwise.
func (m *Machine) Fits(a *About, terminal, network bool) error {
	own := *m
	if a.Machine.alone() {
		own.Root = Tree{} // its files are all in the snapshot
	}
	have, err := json.Marshal(own.kernelAndFiles())
	if err != nil {
		return err
	}
	had, err := json.Marshal(a.Machine.kernelAndFiles())
	switch {
	case err != nil:
		return err
	case !bytes.Equal(have, had):
		return ErrOtherImage
	case terminal != a.Terminal:
		return fmt.Errorf("its machine has %s terminal", word(a.Terminal))
	case network != a.Network:
		return fmt.Errorf("its machine has %s network", word(a.Network))
	}
	return nil
}

func word(has bool) string {
	if has {
		return "a"
	}
	return "no"
}

// Become gives the machine the root that a snapshot has which fits.
func (m *Machine) Become(a *About) {
	if a.Machine.alone() {
		m.standAlone()
	}
}

// kernelAndFiles is what machines have alike that can go on from each other's snapshots.
func (m *Machine) kernelAndFiles() *Machine {
	return &Machine{Kernel: m.Kernel, Cmdline: m.Cmdline, Append: m.Append, Modules: m.Modules, Root: m.Root, Busybox: m.Busybox}
}

// Held are the files of the machine that a snapshot holds.
func Held(s *alpinevm.Snapshot) (chunked.Source, error) {
	if !s.Has(keptChunks) {
		return nil, ErrNoFiles
	}
	var state chunksState
	if err := s.Decode(keptChunks, &state); err != nil {
		return nil, err
	}
	held := make(map[string][]byte, len(state.Chunks))
	for _, c := range state.Chunks {
		held[c.Name] = c.Data
	}
	return func(name string) ([]byte, error) {
		data, ok := held[name]
		if !ok {
			return nil, fmt.Errorf("%w: %.40q is not in it", chunked.ErrChunk, name)
		}
		return data, nil
	}, nil
}
