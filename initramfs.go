package alpinevm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// dirtyLimit is how much of a guest's memory may hold what it has yet to write
// to its root. v9fs of Linux 6.1 writes back 4 KiB a message, at half the speed
// at which programs write: what is removed or written again soon had
// better not be written back, and a program should not wait for it.
func dirtyLimit(memory int64) int64 { return min(max((memory-MinMemory)/2, 0), 256<<20) }

// initramfs makes the session's initial root file system.
func (s *session) initramfs() ([]byte, error) {
	cfg, config := &s.m.cfg, s.m.cfg.Session
	root := fs9p.IOFS(config.Root)
	ram := &kernel.Initramfs{
		Hostname: s.m.hostname(), CtlMsize: ctlMsize, Dirty: dirtyLimit(cfg.Memory), TTY: cfg.Consoles.Terminal != nil, Init: config.Init, Merged: same(config.Stdout, config.Stderr),
		Root: kernel.Mount{Type: "9p", Source: tagRoot, Options: options9P(cacheOwned)},
	}
	if !kernel.ValidHostname(ram.Hostname) {
		return nil, &ConfigError{"Hostname", errors.New("want up to 64 letters, digits, dots and hyphens")}
	}
	var err error
	if ram.Tools, err = tools(root, config.Busybox); err != nil {
		return nil, err
	}
	if ram.Program, err = program(root, cfg); err != nil {
		return nil, err
	}
	if config.Init {
		if err := s.addInit(ram, root); err != nil {
			return nil, err
		}
	}
	ram.Mounts = kernel.StandardMounts()
	if cfg.Network != nil {
		cfg.Network.configure(ram)
	}
	if err := s.addModules(ram); err != nil {
		return nil, err
	}
	mounts, seen, err := placeVolumes(root, cfg.Volumes)
	if err != nil {
		return nil, err
	}
	ram.Mounts = append(ram.Mounts, mounts...)
	return ram.Build(seen)
}

// addInit has the image's init run.
func (s *session) addInit(ram *kernel.Initramfs, root fs.FS) error {
	if _, err := fs.Stat(root, "sbin/init"); err != nil {
		return &ConfigError{"Root", errors.New("there is no /sbin/init in it to run")}
	}
	inittab, err := fs9p.ReadFile(root, "etc/inittab", maxInittab)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ram.Inittab, ram.Term = string(inittab), terminalType(s.m.cfg.Consoles.Terminal)
	// The image's init sets the host name from this file.
	ram.Files = append(ram.Files, kernel.GuestFile{Name: "/etc/hostname", Mode: 0o644, Data: []byte(ram.Hostname + "\n")})
	return nil
}

// maxInittab bounds the image's /etc/inittab, in bytes: it goes into the initial
// root file system.
const maxInittab = 1 << 20

// same says that two writers are one.
func same(a, b io.Writer) bool {
	return a != nil && reflect.ValueOf(a).Comparable() && a == b
}

// tools finds the busybox of the initial root file system.
func tools(root fs.FS, static []byte) (kernel.Tools, error) {
	if static != nil {
		t, err := kernel.StaticTools(static)
		if err != nil {
			err = &ConfigError{"Busybox", err}
		}
		return t, err
	}
	t, err := kernel.RootTools(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = &ConfigError{"Root", errors.New("there is no /bin/busybox in it to start the guest with; give a static i386 busybox")}
	case err != nil:
		err = &ConfigError{"Root", fmt.Errorf("%w; give a static i386 busybox", err)}
	}
	return t, err
}
