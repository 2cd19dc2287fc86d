package alpinevm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strconv"
	"strings"

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

// dirtyLimit is how much of a guest's memory may hold what it has yet to write
// to its root. v9fs of Linux 6.1 writes back 4 KiB a message, at half the speed
// at which programs write: what is removed or written again soon had
// better not be written back, and a program should not wait for it.
func dirtyLimit(memory int64) int64 { return min(max((memory-MinMemory)/2, 0), 256<<20) }

// session is the guest's work on a root file system, as far as the host sees
// it. It lives on the machine goroutine.
type session struct {
	m        *Machine
	up       bool // the guest is ready for the session's program
	status   int
	exited   bool
	failure  *ctl.Note
	shutdown *ctl.Signal
	drains   []*ctl.Drain
}

// check refuses what cannot be together.
func (s *Session) check(boot *Boot) error {
	switch {
	case s == nil:
		return nil
	case s.Root == nil:
		return &ConfigError{"Root", errors.New("a session needs a root file system")}
	case boot.Initrd != nil:
		return &ConfigError{"Initrd", errors.New("a session has its own initial root file system")}
	}
	return nil
}

// newSession adds the devices of a session and makes its initial root file
// system.
func newSession(m *Machine) (*session, error) {
	s := &session{m: m}
	cfg, config := &m.cfg, m.cfg.Session
	root := fs9p.IOFS(config.Root)
	ram := &kernel.Initramfs{
		Hostname: m.hostname(), CtlMsize: ctlMsize, Dirty: dirtyLimit(cfg.Memory), TTY: cfg.Consoles.Terminal != nil, Init: config.Init, Merged: same(config.Stdout, config.Stderr),
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
		if _, err := fs.Stat(root, "sbin/init"); err != nil {
			return nil, &ConfigError{"Root", errors.New("there is no /sbin/init in it to run")}
		}
		inittab, err := fs9p.ReadFile(root, "etc/inittab", maxInittab)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		ram.Inittab, ram.Term = string(inittab), terminalType(cfg.Consoles.Terminal)
		// The image's init sets the host name from this file.
		ram.Files = append(ram.Files, kernel.GuestFile{Name: "/etc/hostname", Mode: 0o644, Data: []byte(ram.Hostname + "\n")})
	}
	ram.Mounts = kernel.StandardMounts()
	if cfg.Network != nil {
		cfg.Network.configure(ram)
	}
	if err := m.serve(kernel.CtlTag, fs9p.Config{FS: s.control(), Msize: ctlMsize, MaxFids: ctlFids}); err != nil {
		return nil, err
	}
	if err := m.serve(tagRoot, fs9p.Config{FS: config.Root, Msize: dataMsize, NoDefaultACL: m.aclFault(cacheOwned)}); err != nil {
		return nil, err
	}
	if err := s.modules(ram); err != nil {
		return nil, err
	}
	for i, v := range cfg.Volumes {
		ram.Mounts = append(ram.Mounts, VolumeMount(i, v))
	}
	m.image.Initrd, err = ram.Build(root)
	return s, err
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

// control makes the control file system, by which the guest talks to us.
func (s *session) control() *ctl.FS {
	cfg := s.m.cfg.Session
	c := ctl.New(ctl.Config{Post: s.m.Kick, Now: s.m.board.Date, Wait: s.m.cfg.Deterministic})
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
		s.up = true
		s.m.board.Announce()
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
