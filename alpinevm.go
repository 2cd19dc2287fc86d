// Package alpinevm is a PC in pure Go that boots real 32-bit Linux: a
// processor of the Pentium M class, a chip set, virtio devices and the files,
// terminal and commands that a guest works with. It needs no cgo, no KVM, no
// root and no other program.
//
// Where to start: package launch makes a guest of the name of an image and gives a
// [VM], on which VM.Command is what exec.Command is on the host; package vmtest gives
// one to a test. This package is below: a machine of a kernel and a root file system
// that the program has itself, run by [Start] on a goroutine of its own, or by hand.
//
//	m, err := alpinevm.New(alpinevm.Config{
//		Boot:    alpinevm.Boot{Kernel: vmlinuz, Modules: modules},
//		Session: &alpinevm.Session{Root: root, Args: []string{"uname", "-a"}},
//	})
//	...
//	defer m.Close()
//	end, err := m.Run(ctx)
//
// A Machine belongs to the goroutine that runs it; only Kick, Shutdown, Signal and
// Resize may be called from others.
package alpinevm

import (
	"errors"
	"fmt"
	"io"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// Sizes of guest memory in bytes.
const (
	DefaultMemory = 512 << 20
	MinMemory     = 64 << 20
	MaxMemory     = 3 << 30
)

// Config describes a machine and what it runs: a Linux kernel with a session
// on a root file system, or, without one, a bare kernel or firmware image.
type Config struct {
	Memory   int64  // bytes of RAM, a multiple of 1 MiB; 0 is DefaultMemory
	Hostname string // the guest's; default "alpine"
	// Deterministic derives time from the count of instructions, fixes date
	// and random numbers, and has the machine wait for the host's files and
	// streams: two runs do the same to the instruction, if the file systems
	// tell the same times and nothing comes from a terminal or by Kick.
	Deterministic bool
	Engine        Engine // what executes the guest's instructions

	Boot Boot
	// Session is what a Linux kernel works on; nil: there is none.
	Session *Session
	// Volumes are further file systems, mounted where their targets lead to, a
	// folder before what is in it. Without a session the guest has to mount them,
	// as VolumeMount says.
	Volumes []Volume
	// Network is what the guest's network card is plugged into; nil: it has
	// none.
	Network  *Network
	Consoles Consoles
	Debug    Debug
	// Kept is what a snapshot holds besides the machine itself.
	Kept []Kept
}

// Boot is what a machine starts.
type Boot struct {
	// Kernel is a bzImage, a vmlinux or a multiboot image. Firmware, in
	// its place, is a ROM image of 64 KiB to 4 MiB that is entered at the
	// reset vector in real mode. With both, the firmware, which has to be
	// SeaBIOS, starts the kernel, a bzImage, in real mode: so do kernels that
	// call a BIOS, such as iPXE and memdisk.
	Kernel   []byte
	Firmware []byte
	// Later gives Kernel, where that is nil, and Session.Busybox, when the guest of a
	// machine that goes on from a snapshot starts again. It is called on the machine
	// goroutine.
	Later func() (kernel, busybox []byte, err error)
	// Cmdline replaces the kernel's default command line; Append is added
	// to it. A kernel that takes less than both gets less of the default one,
	// what matters least first.
	Cmdline, Append string
	// Modules is the kernel's module tree: a folder that holds
	// lib/modules/VERSION, VERSION or the contents of VERSION. nil: the
	// drivers are built in.
	Modules fs9p.FS
	// Cache keeps unpacked kernels; nil: unpacked each time.
	Cache kernel.Cache
	// Warm keeps booted kernels; nil: each machine boots. A deterministic machine,
	// and one that shows its kernel's log or a trace or lets debuggers in, boots in any case.
	Warm Warm
	// Initrd is the initial root file system of a machine without a session,
	// which has its own. ModuleFiles are given to a multiboot kernel.
	Initrd      []byte
	ModuleFiles []kernel.Module
}

// Session is a program's run on a root file system.
type Session struct {
	// Root is the guest's root file system.
	Root fs9p.FS
	// Busybox is a static i386 busybox, needed where Root is not Alpine's.
	Busybox []byte

	// Args is the program to run, with its arguments; empty is a login
	// shell. Env has "NAME=value". Dir is its working folder, User its
	// user and group: "name", "name:group", "1000" or "1000:100".
	Args []string
	Env  []string
	Dir  string
	User string
	// Init runs the root's own /sbin/init in place of Args.
	Init bool
	// Idle runs nothing in place of Args: the guest is there for Exec until it
	// is told to end.
	Idle bool
	// ReadOnly keeps the guest from changing its root. Tmpfs are file systems in
	// its memory.
	ReadOnly bool
	Tmpfs    []Tmpfs
	// WriteThrough has what the guest writes to its root be there before it goes on,
	// so that it is told at once where a root with a bound is full.
	WriteThrough bool
	// Entered, where not nil, is told on the machine goroutine when the program has
	// begun, by "", or why there is none, in a line. It is told again when the
	// guest has been reset; of Init and Idle nothing is told.
	Entered func(refusal string)
	// StopSignal is what the image wants its program to be asked by to end, a name
	// such as SIGQUIT or a number: for whoever calls Machine.Signal.
	StopSignal string

	// Without a terminal the program's standard files are these; nil ones
	// are empty and dropped. Where Stdout and Stderr are the same and can be
	// compared by ==, what is written to them stays in order.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Tmpfs is a file system in the guest's memory that it finds mounted at Target, an
// absolute name. Options are mount(8)'s, such as "size=64m"; empty: the kernel's.
type Tmpfs struct{ Target, Options string }

// Consoles are what a machine's lines to people are connected to.
type Consoles struct {
	// Terminal, where not nil, is the virtio console's, and the session's.
	Terminal *Terminal
	// Serial gets what is written to COM1, the kernel's log. SerialIn, where
	// not nil, is what COM1 receives, as fast as the guest takes it.
	Serial   io.Writer
	SerialIn io.Reader
	// Listening, where not nil, is told on the machine goroutine whether somebody
	// in the guest heeds what is typed: the session's program, or, without a
	// session, whoever opens or reads COM1. It is told of changes; at first nobody
	// does. A guest that is no Linux always does.
	Listening func(bool)
}

// Debug is for who looks for faults.
type Debug struct {
	// Console gets the bytes written to ports E9h and 402h.
	Console io.Writer
	// Exit, where not 0, is a port that ends the machine with the value
	// written to it.
	Exit uint16
	// Trace says what to report to TraceTo, TraceFilter where. Where TraceLimit is
	// not 0 the trace ends when it has as many bytes, with a line that says so.
	Trace       Trace
	TraceFilter TraceFilter
	TraceTo     io.Writer
	TraceLimit  int64
	// Profile, where not nil, has a profile made of where the guest is: NewProfile, and
	// Machine.WriteProfile.
	Profile *Profile
	// GDB, where not nil, is where debuggers connect: NewGDB. A machine that is held
	// by one is Blocked, and its guest has no time. Whoever connects controls the
	// guest and can switch the machine off. With GDBWait it is held before its first
	// instruction until one is there that lets it go on.
	GDB     *GDB
	GDBWait bool
}

// Volume is a file system that the guest finds mounted at Target, an absolute
// name.
type Volume struct {
	FS       fs9p.FS
	Target   string
	ReadOnly bool
	// File mounts just this file of the top folder, at Target.
	File string
}

// Terminal is where an interactive session takes place.
type Terminal struct {
	In         io.Reader
	Out        io.Writer
	Cols, Rows uint16 // characters
	Term       string // the type, by TERM; one that the root does not know becomes xterm-256color, and so does ""
}

// ConfigError is New's error about a field of its Config.
type ConfigError struct {
	Field string // "Root"
	Err   error
}

// Error names the field.
func (e *ConfigError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap gives the error without the field.
func (e *ConfigError) Unwrap() error { return e.Err }

// New makes a machine that is ready to run. Nothing of it runs before Step or
// Run.
func New(cfg Config) (*Machine, error) {
	m, err := assemble(cfg)
	if err != nil {
		return nil, err
	}
	err = m.start()
	if err == nil {
		m.debug()
		return m, nil
	}
	m.Close()
	if errors.Is(err, errWarm) {
		cfg.Boot.Warm = nil
		return New(cfg)
	}
	return nil, err
}

var errNoKernel = errors.New("a machine needs a kernel or a firmware image")

// check refuses what cannot be, or cannot be together.
func (c *Config) check() error {
	switch {
	case c.Memory%(1<<20) != 0 || c.Memory < MinMemory || c.Memory > MaxMemory:
		return &ConfigError{"Memory", fmt.Errorf("%d bytes: want whole MiB from %d to %d", c.Memory, MinMemory>>20, MaxMemory>>20)}
	case c.Boot.Kernel == nil && c.Boot.Firmware == nil && c.Boot.Later == nil:
		return errNoKernel
	case c.Session == nil:
		return nil
	case c.Session.Root == nil:
		return &ConfigError{"Root", errors.New("a session needs a root file system")}
	case c.Boot.Initrd != nil:
		return &ConfigError{"Initrd", errors.New("a session has its own initial root file system")}
	}
	return nil
}
