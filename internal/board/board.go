// Package board is the hardware of a PC put together: memory, processor, chips,
// virtio devices, time, and the steps in which all of that goes; with what firmware
// and a boot loader leave behind. It knows no operating system: whoever runs a
// board is told by Hooks what happens on it, and plugs in what it talks to.
package board

import (
	"fmt"
	"io"
	"slices"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
	"alpinevm/devices"
	"alpinevm/devices/acpi"
	"alpinevm/devices/debugport"
	"alpinevm/devices/fwcfg"
	"alpinevm/devices/i8042"
	"alpinevm/devices/pci"
	"alpinevm/devices/pic"
	"alpinevm/devices/pit"
	"alpinevm/devices/rtc"
	"alpinevm/devices/uart"
	"alpinevm/devices/virtio"
)

// Config describes a board and what is connected to it.
type Config struct {
	Memory int64 // bytes of RAM, whole MiB
	// RAM, where not nil, is what the memory begins as, Memory bytes.
	RAM *mem.Image
	// Deterministic derives time from the count of instructions and fixes
	// date and random numbers.
	Deterministic bool

	// Engine gives the processor a back end that executes hot code, which is
	// closed with the board; nil: the interpreter executes all.
	Engine func(*cpu.CPU) (io.Closer, error)

	// Serial gets what is written to COM1. SerialIn, where not nil, is what
	// COM1 receives, as fast as the guest takes it. Debug gets the bytes
	// written to ports E9h and 402h.
	Serial, Debug io.Writer
	SerialIn      io.Reader
	// Console is what the virtio console is connected to; nil: there is none.
	Console *Console

	// DebugExit, where not 0, is a port that ends the machine with the
	// value written to it.
	DebugExit uint16
	// Trace says what to report to TraceTo, TraceFilter where, TraceLimit how
	// many bytes at most; 0: there is no limit.
	Trace       Trace
	TraceFilter TraceFilter
	TraceTo     io.Writer
	TraceLimit  int64
	// Samples, where not nil, are taken of where the guest is.
	Samples *Sampling

	Hooks Hooks
}

// Console is a terminal of Cols by Rows characters. A nil In is silent.
type Console struct {
	In         io.Reader
	Out        io.Writer
	Cols, Rows uint16
}

// Hooks tell whoever runs a board what happens on it. They are called on the
// machine goroutine; a nil one is left out.
type Hooks struct {
	// The first of these that comes switches the board off, behind the current
	// instruction. PowerOff is the guest's wish, by ACPI or by a halt that no
	// interrupt ends. Failed says why the board could not start again.
	PowerOff    func()
	TripleFault func()
	DebugExit   func(v uint32)
	NoBIOS      func(interrupt uint8) // was called in real mode, and is not there
	Failed      func(err error)

	// Line gets each line that COM1 has sent, without its end, before the end
	// is in Log. It is good until the hook returns.
	Line func(line []byte)
	// Listens is told, as often as there is a sign of it, that the guest heeds
	// what COM1 receives.
	Listens func()
	// Reset is asked when the guest resets the board: false switches it off.
	Reset func() bool
	// Restart is told before the board is reset.
	Restart func()
	// Idle is asked whether what the board's owner has to write for it is
	// written: Run does not return before.
	Idle func() bool
}

// Board is one PC. It is passive: Run or Step make it go, on whichever goroutine
// calls them, which owns it meanwhile. Only Kick may be called from others.
type Board struct {
	cfg    Config
	clock  timebase
	timers *devices.Scheduler
	start  time.Time     // what the guest's calendar shows at time 0
	rested time.Duration // between a restored board's Save and its Restore
	kicks  *kicks
	turns  *turns
	quiet  quiet

	mem    *mem.Memory
	engine io.Closer // of the processor; nil: none
	cpu    *cpu.CPU
	bus    *devices.Bus
	pic    *pic.PIC
	pit    *pit.PIT
	rtc    *rtc.RTC
	i8042  *i8042.I8042
	com1   *uart.UART
	com2   *uart.UART
	acpi   *acpi.ACPI
	pci    *pci.Host
	post   *debugport.POST
	fwcfg  *fwcfg.Device // nil without firmware

	plugged []string // functions in slots, from slot 1 on
	entropy *virtio.RNG
	console *virtio.Console // nil without a terminal
	cards   []*virtio.Net
	files   []share

	rdrand, drawn *generator // of a repeatable machine: of RDRAND, of the entropy device

	serial   *outlet
	received *inlet // by COM1; nil without Config.SerialIn
	debug    *outlet
	terminal *outlet
	keys     *inlet
	log      LogState
	trace    *tracer   // nil without a trace
	debugger *Debugger // nil without one
	samples  *sampler
	yielded  bool // the processor was told to stop at the next instruction

	image     Image // what was booted
	resetting bool  // the RESET line was pulled
	off       bool
	waited    time.Duration
}

// New assembles the hardware; nothing is loaded yet.
func New(cfg Config) (*Board, error) {
	b := &Board{cfg: cfg, kicks: newKicks(), turns: newTurns(), quiet: newQuiet()}
	var err error
	if b.mem, err = b.memory(); err != nil {
		return nil, err
	}
	if err := b.assemble(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// memory makes RAM.
func (b *Board) memory() (*mem.Memory, error) {
	switch image := b.cfg.RAM; {
	case image == nil:
		return mem.New(uint64(b.cfg.Memory))
	case int64(image.Size()) != b.cfg.Memory:
		return nil, fmt.Errorf("a memory of %d MiB is restored, and there are to be %d", image.Size()>>20, b.cfg.Memory>>20)
	default:
		return image.Thaw()
	}
}

func (b *Board) assemble() error {
	b.serial, b.debug = newOutlet(b.cfg.Serial, b.Kick), newOutlet(b.cfg.Debug, b.Kick)
	b.start = time.Now()
	if b.cfg.Deterministic {
		b.start = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		b.clock = &countClock{retired: b.Instructions}
		b.rdrand, b.drawn = newGenerator(), newGenerator()
	} else {
		b.clock = newHostClock(b.Instructions)
	}
	b.timers = devices.NewScheduler(b.clock)
	b.timers.Sooner = b.yield
	b.bus = &devices.Bus{}
	var err error
	b.cpu, err = cpu.New(cpu.Config{
		Mem: b.mem, Ports: b.bus, Overdue: func() bool { return b.clock.overdue() }, AckIRQ: func() uint8 { return b.pic.Ack() },
		TSC: func() uint64 { return uint64(b.clock.Now()) }, Random: b.random(),
		Model: cpu.Model{TSCHz: uint64(time.Second)},
	})
	if err != nil {
		return err
	}
	if b.cfg.Engine != nil {
		if b.engine, err = b.cfg.Engine(b.cpu); err != nil {
			return err
		}
	}
	b.makeChips()
	if err := b.claim(); err != nil {
		return err
	}
	if b.cfg.Trace != 0 && b.cfg.TraceTo != nil {
		b.trace = newTracer(&b.cfg, b.Kick, b.Instructions)
		b.trace.install(b.cpu, b.bus)
	}
	b.samples = newSampler(b.cfg.Samples, b.cpu.Retired)
	if b.cfg.Console != nil {
		if err := b.plugConsole(b.cfg.Console); err != nil {
			return err
		}
	}
	b.entropy = virtio.NewRNG(b.mem, b.randomBytes())
	return b.plug("entropy", b.entropy)
}

// makeChips makes what is soldered to the board.
func (b *Board) makeChips() {
	b.pic = pic.New(b.cpu.SetINTR)
	b.pit = pit.New(b.timers, b.pic.Line(irqPIT))
	b.rtc = rtc.New(b.timers, b.pic.Line(irqRTC), rtc.Config{Start: b.start, Memory: uint64(b.cfg.Memory)})
	b.i8042 = i8042.New(i8042.Config{A20: b.cpu.SetA20, Reset: b.reset})
	b.com1 = uart.New(b.timers, b.pic.Line(irqCOM1), uart.Config{Transmit: b.printed, Room: func() { b.received.pump() }, Listens: b.cfg.Hooks.Listens})
	if b.cfg.SerialIn != nil {
		b.received = newInlet(b.cfg.SerialIn, b.Kick, b.com1.Receive, func(error) {})
	}
	b.com2 = uart.New(b.timers, b.pic.Line(irqCOM2), uart.Config{})
	b.acpi = acpi.New(b.timers, b.pic.Line(irqSCI), b.powerOff)
	b.post = debugport.NewPOST(func(uint8) {})
	b.pci = pci.New(pci.Config{
		Ports: b.bus, Memory: mmio{b.mem}, MemoryBase: mmioBase, MemoryEnd: mmioEnd,
		Routing: pciRouting, IRQ: b.pic.Line, Reset: b.reset,
	})
}

// mmio lets a device package, which knows no package mem, map its devices.
type mmio struct{ *mem.Memory }

func (m mmio) Map(base, n uint64, d devices.MMIODevice) error { return m.Memory.Map(base, n, d) }

// claim gives each chip its ports.
func (b *Board) claim() error {
	for _, p := range []struct {
		base, n uint16
		name    string
		dev     devices.PortDevice
	}{
		{portPIC1, 2, "pic", b.pic.Ports(0)},
		{portPIC2, 2, "pic", b.pic.Ports(1)},
		{portELCR, 2, "elcr", b.pic.ELCR()},
		{portPIT, 4, "pit", b.pit.Ports()},
		{portB, 1, "port b", b.pit.PortB()},
		{portCMOS, 2, "rtc", b.rtc.Ports()},
		{portCOM1, 8, "com1", b.com1.Ports()},
		{portCOM2, 8, "com2", b.com2.Ports()},
		{portA, 1, "port a", b.i8042.PortA()},
		{portI8042, 1, "i8042", b.i8042.Data()},
		{portI8042 + 4, 1, "i8042", b.i8042.Command()},
		{portACPI, acpi.BlockSize, "acpi", b.acpi.Ports()},
		{portPCIAddr, 8, "pci", b.pci.Ports()},
		{portPOST, 1, "post", b.post.Port()},
		{portPOST2, 1, "post", b.post.Port()},
		{portE9, 1, "debug console", b.debugConsole()},
		{portDebug, 1, "debug console", b.debugConsole()},
	} {
		if err := b.bus.Claim(p.base, p.n, p.name, p.dev); err != nil {
			return err
		}
	}
	return b.claimDebugExit()
}

// claimDebugExit gives the port that ends the machine room for 32 bits, or for
// 8 where there is not so much.
func (b *Board) claimDebugExit() error {
	port := b.cfg.DebugExit
	if port == 0 {
		return nil
	}
	exit := debugport.Exit(func(v uint32) {
		b.end(func() {
			if f := b.cfg.Hooks.DebugExit; f != nil {
				f(v)
			}
		})
	})
	if b.bus.Claim(port, 4, "debug exit", exit) == nil {
		return nil
	}
	return b.bus.Claim(port, 1, "debug exit", exit)
}

// share is a 9P device and its mount tag.
type share struct {
	tag string
	*virtio.P9
}

// plug puts a function into the next free slot.
func (b *Board) plug(name string, f devices.PCIFunction) error {
	b.plugged = append(b.plugged, name)
	return b.pci.Plug(len(b.plugged), f)
}

// Devices are the names of what is in the slots, which a board has to have alike
// to go on from another one's State.
func (b *Board) Devices() []string { return slices.Clone(b.plugged) }

// Processor names the processor's model: its signature, frequency and features
// (CPUID).
func (b *Board) Processor() string { return b.cpu.Model() }

// PlugNet adds a network card.
func (b *Board) PlugNet(mac [6]byte, link virtio.Link) error {
	card := virtio.NewNet(b.mem, mac, 0, link)
	b.cards = append(b.cards, card)
	return b.plug("network", card)
}

// PlugP9 adds a 9P device of that mount tag.
func (b *Board) PlugP9(tag string, s virtio.Server9P) error {
	files := share{tag, virtio.NewP9(b.mem, tag, s)}
	b.files = append(b.files, files)
	return b.plug("files "+tag, files.P9)
}

// Date is the guest's.
func (b *Board) Date() time.Time { return b.start.Add(b.clock.Now()) }

// Instructions is the number of guest instructions retired so far; each
// iteration of a string instruction and each interrupt counts as one.
func (b *Board) Instructions() uint64 { return b.cpu.Retired }

// PowerButton is pressed by the host.
func (b *Board) PowerButton() { b.acpi.PowerButton() }

// Close gives the board's memory back. It must not be running. A goroutine
// that waits for the host, in a Read of the terminal or a Write of output, goes
// when that returns.
func (b *Board) Close() error {
	b.serial.close()
	b.debug.close()
	if b.trace != nil {
		b.trace.out.close()
	}
	if b.terminal != nil {
		b.terminal.close()
	}
	for _, in := range []*inlet{b.keys, b.received} {
		if in != nil {
			in.close()
		}
	}
	if b.engine != nil {
		b.cpu.Attach(nil, 0)
		_ = b.engine.Close()
	}
	return b.mem.Close()
}
