package alpinevm

import (
	"errors"
	"io"
	"io/fs"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/fs9p/ctl"
	"alpinevm/internal/board"
	"alpinevm/internal/profile"
	"alpinevm/kernel"
)

// ErrNoProfile is the error of a WriteProfile without Debug.Profile.
var ErrNoProfile = errors.New("no profile was made of this machine")

// Profile has a profile made of where a guest is. A program that makes none by NewProfile
// is linked without all that makes profiles.
type Profile struct {
	start func(*Machine) (profiler, *board.Sampling)
}

// NewProfile takes a sample after so many instructions, on average, 1 at least.
func NewProfile(every uint64) *Profile {
	return &Profile{func(m *Machine) (profiler, *board.Sampling) {
		p := profile.New(max(every, 1), m.openGuestFile)
		p.KernelFile(m.cfg.Boot.Kernel)
		return p, &board.Sampling{Every: max(every, 1), Take: func(s *board.Sample) { p.Take(s, s.Instructions) }}
	}}
}

// profiler makes a profile.
type profiler interface {
	Write(io.Writer) error
	// Pause takes no samples while it is on.
	Pause(on bool)
	// Kallsyms gets a part of the file of the kernel's symbols.
	Kallsyms(part []byte)
	Close()
}

// WriteProfile writes the profile of what the guest has executed so far, in the form
// that go tool pprof reads: samples and instructions, by function, with the labels
// process (whose address space it was, which threads of the kernel borrow) and ring
// (user or kernel). It is to be called on the machine goroutine, or when the machine
// has ended and is not closed.
//
// Names are those of ELF files in the root and in what is shared, which are there when
// they are first seen executed; and of the kernel if there is a session that it has
// booted for, or if it is an ELF file itself. Callers are shown where code keeps frame
// pointers, as Linux does, and Go on 386 does not.
func (m *Machine) WriteProfile(w io.Writer) error {
	if m.profile == nil {
		return ErrNoProfile
	}
	return m.profile.Write(w)
}

// makeProfile makes the profile that the Config asks for, and gives what the board
// has to do for it; nil: nothing.
func (m *Machine) makeProfile() (samples *board.Sampling) {
	if p := m.cfg.Debug.Profile; p != nil {
		m.profile, samples = p.start(m)
	}
	return samples
}

// openGuestFile opens a file by its name in the guest, where it is the host that has
// it.
func (m *Machine) openGuestFile(name string) (profile.File, error) {
	if m.cfg.Session == nil {
		return nil, fs.ErrNotExist
	}
	tree, rest := m.cfg.Session.Root, strings.TrimPrefix(name, "/")
	longest := 0
	for _, v := range m.cfg.Volumes {
		below, ok := strings.CutPrefix(name, v.Target)
		if !ok || len(v.Target) < longest || below != "" && below[0] != '/' {
			continue
		}
		longest, tree, rest = len(v.Target), v.FS, strings.TrimPrefix(below, "/")
		if v.File != "" && below == "" {
			rest = v.File
		}
	}
	n, err := fs9p.Lookup(tree, rest, true)
	if err != nil {
		return nil, err
	}
	defer n.Release()
	if a, err := n.Attr(); err != nil || a.Mode&fs9p.ModeType != fs9p.ModeRegular {
		return nil, fs.ErrInvalid // it might not even open
	}
	f, err := n.Open(0)
	if err != nil {
		return nil, err
	}
	return profiledFile{f}, nil
}

// profiledFile is a file of the guest's that is executed.
type profiledFile struct{ f fs9p.File }

func (p profiledFile) Close() error {
	p.f.Close()
	return nil
}

func (p profiledFile) ReadAt(b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := p.f.ReadAt(b[done:], uint64(off)+uint64(done))
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// hearKernel has the guest tell the kernel's symbols as it boots, which is no part of
// the profile. The file comes behind all others, and is none of a machine that goes on
// from a snapshot, so that those have the numbers that they have without it.
func (m *Machine) hearKernel(c *ctl.FS) {
	if m.profile == nil || m.resumed {
		return
	}
	c.Report(kernel.CtlKallsyms, 0o200, func(p []byte) error {
		m.profile.Pause(true)
		m.profile.Kallsyms(p)
		return nil
	}, func() { m.profile.Pause(false) })
}
