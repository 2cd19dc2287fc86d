package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// Session describes what an initial root file system starts.
type Session struct {
	Root    fs9p.FS // the guest's root file system
	Busybox []byte  // a static i386 busybox; nil: Root is Alpine's
	// Spare is the guest's memory in bytes beyond the least that a guest has.
	Spare int64

	Program Program
	// Init runs the root's own /sbin/init in place of Program, Idle nothing.
	Init, Idle bool
	// ReadOnly keeps the guest from changing its root.
	ReadOnly bool
	// WriteThrough has what it writes there be with the server before it goes on.
	WriteThrough bool
	Tmpfs        []kernel.Mount // file systems in its memory
	// TTY says that the session is on the virtio console. Merged says that its
	// two outputs are one.
	TTY, Merged bool

	Network *kernel.Network // nil: the guest has none
	Files   []kernel.GuestFile
	Modules *Modules // nil: the drivers are built in
	Volumes []Volume
}

// dirtyLimit is how much of a guest's memory may hold what it has yet to write
// to its root. v9fs of Linux 6.1 writes back 4 KiB a message, at half the speed
// at which programs write: what is removed or written again soon had
// better not be written back, and a program should not wait for it.
func dirtyLimit(spare int64) int64 { return min(max(spare/2, 0), 256<<20) }

// ErrHostname is of a name that no host has.
var ErrHostname = errors.New("want up to 64 letters, digits, dots and hyphens")

// Archive makes the session's initial root file system, which is the same for all that
// have the same tools, modules and devices. A FieldError is about a field of Session.
func (s *Session) Archive() ([]byte, error) {
	ram := &kernel.Initramfs{CtlMsize: CtlMsize}
	var err error
	if ram.Tools, err = tools(fs9p.IOFS(s.Root), s.Busybox); err != nil {
		return nil, err
	}
	if err := s.addDrivers(ram); err != nil {
		return nil, err
	}
	return ram.Build()
}

// Setup makes what the guest adds to its initial root file system (kernel.CtlSetup). A
// FieldError is about a field of Session or of Program, or about "Hostname".
func (s *Session) Setup() ([]kernel.GuestFile, error) {
	root := fs9p.IOFS(s.Root)
	ram := &kernel.Initramfs{
		Hostname: s.Program.Hostname, CtlMsize: CtlMsize, Dirty: dirtyLimit(s.Spare), TTY: s.TTY, Init: s.Init, Idle: s.Idle, Merged: s.Merged,
		Root: kernel.Mount{Type: "9p", Source: RootTag, Options: options9P(CacheOwned)},
	}
	if !kernel.ValidHostname(ram.Hostname) {
		return nil, &FieldError{"Hostname", ErrHostname}
	}
	if s.WriteThrough {
		ram.Root.Options += ",sync"
	}
	var err error
	if ram.Program, err = s.Program.In(root); err != nil {
		return nil, err
	}
	if s.Init {
		if err := s.addInit(ram, root); err != nil {
			return nil, err
		}
	}
	ram.ReadOnly = s.ReadOnly
	ram.Mounts = withTmpfs(kernel.StandardMounts(), s.Tmpfs)
	ram.Network, ram.Files = s.Network, append(ram.Files, s.Files...)
	if s.Modules != nil {
		ram.Mounts = append(ram.Mounts, s.Modules.mount())
	}
	mounts, seen, err := placeVolumes(root, s.Volumes)
	if err != nil {
		return nil, err
	}
	ram.Mounts = append(ram.Mounts, mounts...)
	return ram.Setup(seen)
}

// withTmpfs adds file systems in memory to mounts, in the place of those that are
// there already, such as /dev/shm: the guest mounts nothing twice.
func withTmpfs(mounts, tmpfs []kernel.Mount) []kernel.Mount {
	for _, t := range tmpfs {
		at := slices.IndexFunc(mounts, func(m kernel.Mount) bool { return m.Type == t.Type && m.Target == t.Target })
		if at < 0 {
			mounts = append(mounts, t)
		} else {
			mounts[at] = t
		}
	}
	return mounts
}

// addInit has the image's init run.
func (s *Session) addInit(ram *kernel.Initramfs, root fs.FS) error {
	if _, err := fs.Stat(root, "sbin/init"); err != nil {
		return &FieldError{"Root", errors.New("there is no /sbin/init in it to run")}
	}
	inittab, err := fs9p.ReadFile(root, "etc/inittab", maxInittab)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ram.Inittab, ram.Term = string(inittab), s.Program.term(root)
	// The image's init sets the host name from this file.
	ram.Files = append(ram.Files, kernel.GuestFile{Name: "/etc/hostname", Mode: 0o644, Data: []byte(ram.Hostname + "\n")})
	return nil
}

// maxInittab bounds the image's /etc/inittab, in bytes: it goes into the initial
// root file system.
const maxInittab = 1 << 20

// tools finds the busybox of the initial root file system.
func tools(root fs.FS, static []byte) (kernel.Tools, error) {
	if static != nil {
		t, err := kernel.StaticTools(static)
		if err != nil {
			err = &FieldError{"Busybox", err}
		}
		return t, err
	}
	t, err := kernel.RootTools(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = &FieldError{"Root", errors.New("there is no /bin/busybox in it to start the guest with; give a static i386 busybox")}
	case err != nil:
		err = &FieldError{"Root", fmt.Errorf("%w; give a static i386 busybox", err)}
	}
	return t, err
}
