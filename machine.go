package alpinevm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"alpinevm/cpu/mem"
	"alpinevm/internal/board"
	"alpinevm/internal/linux"
	"alpinevm/kernel"
	"alpinevm/net/usernet"
)

// Machine is one PC. It is passive: Run or Step make it go, on whichever
// goroutine calls them, which owns it meanwhile. Only Kick may be called from
// others.
type Machine struct {
	cfg      Config
	board    *board.Board
	image    board.Image          // what it starts
	network  *usernet.Network     // nil without one
	servers  []server             // of the 9P devices
	session  *session             // nil for a bare kernel or firmware
	end      *End                 // not nil once the machine is off
	debugger debugger             // nil without one
	gate     *gate                // of a machine that goes on from a snapshot; nil: there is none
	profile  profiler             // nil without one
	resumed  bool                 // the machine is to go on from a snapshot
	modules  *linux.BootedModules // of a guest that is to go on; nil: they are in their tree

	listening bool // as Consoles.Listening was told last

	closeWait time.Duration
}

// Status is what a machine is doing.
type Status = board.Status

// States of a machine.
const (
	// Running: Step wants to be called again at once.
	Running = board.Running
	// Idle: the guest waits for an interrupt. Nothing happens before
	// wakeAt, or before a Kick.
	Idle = board.Idle
	// Blocked: the guest's output has nowhere to go, or a debugger holds it;
	// only a Kick helps.
	Blocked = board.Blocked
	// Ended: the machine is off. Machine.End says why.
	Ended = board.Ended
)

// Trace is a set of things that a machine reports.
type Trace = board.Trace

// What can be traced. A line begins with the count of instructions retired.
const (
	TraceExceptions = board.TraceExceptions // exceptions as they are delivered
	TraceInterrupts = board.TraceInterrupts // interrupts, of devices and of INT n
	TraceIO         = board.TraceIO         // port accesses
	TracePOST       = board.TracePOST       // codes written to ports 80h and 190h
	TraceCode       = board.TraceCode       // every instruction, disassembled
	Trace9P         = board.TraceOwner      // 9P messages
)

// TraceFilter narrows a trace to counts of instructions, linear addresses and
// privilege levels. Its zero value narrows nothing.
type TraceFilter = board.TraceFilter

// TraceRange is the linear addresses from First to Last, both included.
type TraceRange = board.TraceRange

// Choices of TraceFilter.Rings.
const (
	AllRings    = board.AllRings
	UserRings   = board.UserRings   // CPL 3
	KernelRings = board.KernelRings // CPL 0 to 2
)

// assemble makes a machine with all that its Config asks for; nothing is loaded
// yet.
func assemble(cfg Config) (*Machine, error) { return assembleFrom(cfg, nil, nil) }

// assembleFrom is assemble for a machine whose memory begins as ram, and whose guest
// has seen modules so, if these are not nil.
func assembleFrom(cfg Config, ram *mem.Image, modules *linux.BootedModules) (*Machine, error) {
	cfg.Memory = cmp.Or(cfg.Memory, DefaultMemory)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Machine{cfg: cfg, closeWait: closeWait, resumed: ram != nil, modules: modules}
	hardware := board.Config{
		Memory: cfg.Memory, RAM: ram, Deterministic: cfg.Deterministic, Serial: cfg.Consoles.Serial, SerialIn: cfg.Consoles.SerialIn,
		Debug: cfg.Debug.Console, DebugExit: cfg.Debug.Exit, Hooks: m.hooks(),
		Trace: cfg.Debug.Trace, TraceFilter: cfg.Debug.TraceFilter, TraceTo: cfg.Debug.TraceTo, TraceLimit: cfg.Debug.TraceLimit,
	}
	hardware.Samples = m.makeProfile()
	if t := cfg.Consoles.Terminal; t != nil {
		hardware.Console = &board.Console{In: t.In, Out: t.Out, Cols: t.Cols, Rows: t.Rows}
	}
	var err error
	if hardware.Engine, err = cfg.Engine.attach(); err != nil {
		return nil, err
	}
	if m.board, err = board.New(hardware); err != nil {
		return nil, err
	}
	if err := m.plug(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// plug adds what the Config asks for to the board.
func (m *Machine) plug() error {
	cfg, boot := &m.cfg, &m.cfg.Boot
	if cfg.Network != nil {
		if err := m.plugNetwork(cfg.Network); err != nil {
			return err
		}
	}
	m.image = board.Image{Firmware: boot.Firmware, Initrd: boot.Initrd, Modules: boot.ModuleFiles, Cache: boot.Cache}
	if boot.Kernel != nil {
		if err := m.loadKernel(); err != nil {
			return err
		}
	} else if boot.Firmware == nil {
		if !m.resumed {
			return errNoKernel
		}
		m.image.Later = m.laterImage
	}
	if cfg.Session != nil && m.image.Later == nil {
		if k := m.image.Kernel; k == nil || k.Kind == kernel.Multiboot || boot.Firmware != nil {
			return &ConfigError{"Kernel", errors.New("it is no Linux kernel without firmware, which a root file system needs")}
		}
	}
	if cfg.Session != nil {
		var err error
		if m.session, err = newSession(m); err != nil {
			return err
		}
	}
	return m.plugVolumes()
}

// start boots the machine.
func (m *Machine) start() error {
	if s := m.session; s != nil {
		var err error
		plan := s.plan()
		if m.image.Initrd, err = plan.Archive(); err != nil {
			return fieldError(err)
		}
		setup, err := plan.Setup()
		if err != nil {
			return fieldError(err)
		}
		if m.cfg.warms() {
			s.setup = setup
			if awake, err := m.wake(); awake || err != nil {
				return err
			}
		} else {
			s.beginning.Fire()
		}
		s.makeSetup(setup)
	}
	m.listens(m.alwaysListens())
	err := m.board.Boot(m.image)
	var firmware *board.FirmwareError
	if errors.As(err, &firmware) {
		return &ConfigError{"Firmware", err}
	}
	return err
}

// loadKernel parses it and completes its command line.
func (m *Machine) loadKernel() error {
	boot, image := &m.cfg.Boot, &m.image
	var err error
	if image.Kernel, err = kernel.Parse(boot.Kernel); err != nil {
		return &ConfigError{"Kernel", err}
	}
	switch k := image.Kernel; {
	case k.NeedsBIOS() && boot.Firmware == nil:
		return &ConfigError{"Kernel", kernel.ErrBIOS}
	case boot.Cmdline == "" && k.Kind != kernel.Multiboot && !k.NeedsBIOS(): // it is for Linux
		image.Cmdline = defaultCmdline(boot.Append, k.CmdlineMax())
	default:
		image.Cmdline = strings.TrimSpace(boot.Cmdline + " " + boot.Append)
	}
	return nil
}

// laterImage is what a guest whose kernel was not needed so far starts again with.
func (m *Machine) laterImage() (board.Image, error) {
	var busybox []byte
	var err error
	if m.cfg.Boot.Kernel, busybox, err = m.cfg.Boot.Later(); err == nil {
		err = m.loadKernel()
	}
	if err == nil && m.session != nil && len(m.image.Initrd) == 0 {
		err = m.session.bootAnew(busybox)
	}
	if err == nil {
		m.image.Later = nil
	}
	return m.image, err
}

// Kick has f run on the machine goroutine, between two steps, in the order of
// the calls. It may be called from any goroutine and never blocks.
func (m *Machine) Kick(f func()) { m.board.Kick(f) }

// Step runs the machine for at most about 100 microseconds of host time, never
// past its next timer. It never sleeps. wakeAt is the guest time at which an
// Idle machine has something to do.
func (m *Machine) Step() (s Status, wakeAt time.Duration) { return m.board.Step() }

// Run steps the machine until it ends or ctx is done; an idle guest costs no
// host CPU. What the guest has printed is written before it returns. The error
// is ctx's; how the machine ended is in End.
func (m *Machine) Run(ctx context.Context) (End, error) {
	if err := m.board.Run(ctx); err != nil {
		return End{}, err
	}
	return *m.end, nil
}

// End says how the machine has ended; ok is false while it has not.
func (m *Machine) End() (e End, ok bool) {
	if m.end == nil {
		return End{}, false
	}
	return *m.end, true
}

// Waited is how long Run has waited so far with nothing for the guest to do, in
// host time. To be called on the machine goroutine.
func (m *Machine) Waited() time.Duration { return m.board.Waited() }

// Instructions is the number of guest instructions retired so far; each
// iteration of a string instruction and each interrupt counts as one. To be
// called on the machine goroutine.
func (m *Machine) Instructions() uint64 { return m.board.Instructions() }

// Shutdown asks the guest to end in an orderly way: its processes are told,
// its files written. It may be called from any goroutine. A guest that does
// not answer goes on.
func (m *Machine) Shutdown() {
	m.Kick(func() {
		if m.session != nil {
			m.session.shutdown.Fire()
		}
		m.board.PowerButton()
	})
}

// lastSignal is the highest number of a signal in Linux.
const lastSignal = 64

// Signal sends the session's program a signal, by its number in Linux; one that
// comes before the program has started waits for it. A number that is none, and a
// machine without a session or whose session is the root's own init, are left
// alone. It may be called from any goroutine.
func (m *Machine) Signal(number int) {
	m.Kick(func() {
		if m.session != nil && 0 < number && number <= lastSignal {
			m.session.signals.Tell(number)
		}
	})
}

// Resize tells the guest the terminal's size in characters. It may be called
// from any goroutine.
func (m *Machine) Resize(cols, rows uint16) {
	m.Kick(func() { m.board.Resize(cols, rows) })
}

// closeWait is how long Close waits for what the host's files are at.
const closeWait = 10 * time.Second

// ErrBusy is the error of a Close that could not wait for the host's files.
var ErrBusy = fmt.Errorf("the host's files have not answered for %s: ended without waiting for them", closeWait)

// Close gives the machine's memory back. It must not be running. A goroutine
// that waits for the host, in a Read of the terminal or a Write of output, goes
// when that returns. After ErrBusy a file system of the Config is still being
// called, and is neither to be closed nor used.
func (m *Machine) Close() error {
	if m.gate != nil {
		m.gate.open() // for those who wait
	}
	if m.profile != nil {
		m.profile.Close()
	}
	if m.debugger != nil {
		m.debugger.Close()
	}
	err := m.closeServers()
	if m.network != nil {
		m.network.Close()
	}
	return errors.Join(err, m.board.Close())
}

// closeServers ends the sessions of all 9P devices.
func (m *Machine) closeServers() error {
	var ends []<-chan struct{}
	for _, srv := range m.servers {
		ends = append(ends, srv.Close())
	}
	late := time.After(m.closeWait)
	for _, end := range ends {
		select {
		case <-end:
		case <-late:
			return ErrBusy
		}
	}
	return nil
}
