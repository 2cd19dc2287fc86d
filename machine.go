package alpinevm

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
	"alpinevm/devices"
	"alpinevm/devices/acpi"
	"alpinevm/devices/debugport"
	"alpinevm/devices/i8042"
	"alpinevm/devices/pci"
	"alpinevm/devices/pic"
	"alpinevm/devices/pit"
	"alpinevm/devices/rtc"
	"alpinevm/devices/uart"
	"alpinevm/devices/virtio"
	"alpinevm/fs9p"
	"alpinevm/kernel"
	"alpinevm/net/usernet"
)

// Machine is one PC. It is passive: Run or Step make it go, on whichever
// goroutine calls them, which owns it meanwhile. Only Kick may be called from
// others.
type Machine struct {
	cfg    Config
	clock  timebase
	timers *devices.Scheduler
	start  time.Time // what the guest's calendar shows at time 0
	kicks  *kicks
	quiet  quiet

	mem   *mem.Memory
	cpu   *cpu.CPU
	bus   *devices.Bus
	pic   *pic.PIC
	pit   *pit.PIT
	rtc   *rtc.RTC
	i8042 *i8042.I8042
	com1  *uart.UART
	com2  *uart.UART
	acpi  *acpi.ACPI
	pci   *pci.Host
	post  *debugport.POST

	functions []virtioDevice
	console   *virtio.Console  // nil without a terminal
	network   *usernet.Network // nil without one
	servers   []*fs9p.Server   // of the 9P devices

	serial   *outlet
	received *inlet // by COM1; nil without Config.SerialIn
	debug    *outlet
	terminal *outlet
	keys     *inlet
	log      logTail
	trace    *tracer // nil without a trace
	yielded  bool    // the processor was told to stop at the next instruction

	kernel    *kernel.Image
	cmdline   string
	initrd    []byte
	session   *session // nil for a bare kernel or firmware
	romMapped bool
	resetting bool // the RESET line was pulled
	waited    time.Duration

	end *End // not nil once the machine is off
}

// newMachine assembles the hardware; nothing is loaded yet.
func newMachine(cfg Config) (*Machine, error) {
	m := &Machine{cfg: cfg, kicks: newKicks(), quiet: newQuiet()}
	var err error
	if m.mem, err = mem.New(uint64(cfg.Memory)); err != nil {
		return nil, err
	}
	m.start = time.Now()
	if cfg.Deterministic {
		m.start = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		m.clock = &countClock{retired: func() uint64 { return m.cpu.Retired }}
	} else {
		m.clock = newHostClock()
	}
	m.timers = devices.NewScheduler(m.clock)
	m.bus = &devices.Bus{}
	m.cpu, err = cpu.New(cpu.Config{
		Mem: m.mem, Ports: m.bus, AckIRQ: func() uint8 { return m.pic.Ack() },
		TSC: func() uint64 { return uint64(m.clock.Now()) }, Random: m.random(),
		Model: cpu.Model{TSCHz: uint64(time.Second)},
	})
	if err != nil {
		return nil, err
	}
	m.timers.Sooner = m.yield
	m.pic = pic.New(m.cpu.SetINTR)
	m.pit = pit.New(m.timers, m.pic.Line(irqPIT))
	m.rtc = rtc.New(m.timers, m.pic.Line(irqRTC), rtc.Config{Start: m.start, Memory: uint64(cfg.Memory)})
	m.i8042 = i8042.New(i8042.Config{A20: m.cpu.SetA20, Reset: m.reset})
	m.serial, m.debug = newOutlet(cfg.Serial, m.Kick), newOutlet(cfg.Debug, m.Kick)
	m.com1 = uart.New(m.timers, m.pic.Line(irqCOM1), uart.Config{Transmit: m.printed, Room: func() { m.received.pump() }})
	if cfg.SerialIn != nil {
		m.received = newInlet(cfg.SerialIn, m.Kick, m.com1.Receive, func(error) {})
	}
	m.com2 = uart.New(m.timers, m.pic.Line(irqCOM2), uart.Config{})
	if cfg.Trace != 0 && cfg.TraceTo != nil {
		m.trace = newTracer(m, cfg.Trace, cfg.TraceTo)
	}
	m.acpi = acpi.New(m.timers, m.pic.Line(irqSCI), m.powerOff)
	m.post = debugport.NewPOST(func(uint8) {})
	m.pci = pci.New(pci.Config{
		Ports: m.bus, Memory: mmio{m.mem}, MemoryBase: mmioBase, MemoryEnd: mmioEnd,
		Routing: pciRouting, IRQ: m.pic.Line, Reset: m.reset,
	})
	return m, m.claim()
}

// printed takes a byte that the guest has sent to COM1.
func (m *Machine) printed(b byte) bool {
	if line := m.log.start; b == '\n' {
		m.logged(m.log.since(line))
	}
	m.log.add(b)
	m.serial.put([]byte{b})
	return true
}

// debugConsole is a port whose bytes go to Config.Debug.
func (m *Machine) debugConsole() devices.PortDevice {
	return debugport.Console(func(b byte) { m.debug.put([]byte{b}) })
}

// mmio lets a device package, which knows no package mem, map its devices.
type mmio struct{ *mem.Memory }

func (m mmio) Map(base, n uint64, d devices.MMIODevice) error { return m.Memory.Map(base, n, d) }

// virtioDevice is a PCI function with a reset of its own.
type virtioDevice interface {
	devices.PCIFunction
	Err() error
}

// plug puts a function into the next free slot.
func (m *Machine) plug(f virtioDevice) error {
	m.functions = append(m.functions, f)
	return m.pci.Plug(len(m.functions), f)
}

// plugTerminal adds the virtio console and connects it.
func (m *Machine) plugTerminal(t *Terminal) error {
	m.console = virtio.NewConsole(m.mem, t.Cols, t.Rows)
	m.terminal = newOutlet(t.Out, m.Kick)
	if t.In != nil {
		m.keys = newInlet(t.In, m.Kick, m.console.Input, func(error) {})
	}
	return m.plug(m.console)
}

// share adds a 9P device.
func (m *Machine) share(tag string, s virtio.Server9P) error {
	return m.plug(virtio.NewP9(m.mem, tag, s))
}

// pump moves bytes between the console and the host.
func (m *Machine) pump() {
	if m.console == nil {
		return
	}
	for m.console.Buffered() > 0 && !m.terminal.full() {
		var buf [4096]byte
		m.terminal.put(buf[:m.console.ReadOutput(buf[:])])
	}
	if m.keys != nil {
		m.keys.pump()
	}
}

// claim gives each device its ports.
func (m *Machine) claim() error {
	for _, p := range []struct {
		base, n uint16
		name    string
		dev     devices.PortDevice
	}{
		{portPIC1, 2, "pic", m.pic.Ports(0)},
		{portPIC2, 2, "pic", m.pic.Ports(1)},
		{portELCR, 2, "elcr", m.pic.ELCR()},
		{portPIT, 4, "pit", m.pit.Ports()},
		{portB, 1, "port b", m.pit.PortB()},
		{portCMOS, 2, "rtc", m.rtc.Ports()},
		{portCOM1, 8, "com1", m.com1.Ports()},
		{portCOM2, 8, "com2", m.com2.Ports()},
		{portA, 1, "port a", m.i8042.PortA()},
		{portI8042, 1, "i8042", m.i8042.Data()},
		{portI8042 + 4, 1, "i8042", m.i8042.Command()},
		{portACPI, acpi.BlockSize, "acpi", m.acpi.Ports()},
		{portPCIAddr, 8, "pci", m.pci.Ports()},
		{portPOST, 1, "post", m.post.Port()},
		{portPOST2, 1, "post", m.post.Port()},
		{portE9, 1, "debug console", m.debugConsole()},
		{portDebug, 1, "debug console", m.debugConsole()},
	} {
		if err := m.bus.Claim(p.base, p.n, p.name, p.dev); err != nil {
			return err
		}
	}
	return m.claimDebugExit()
}

// claimDebugExit gives the port that ends the machine room for 32 bits, or for
// 8 where there is not so much.
func (m *Machine) claimDebugExit() error {
	port := m.cfg.DebugExit
	if port == 0 {
		return nil
	}
	exit := debugport.Exit(func(v uint32) { m.finish(End{Cause: DebugExit, Code: int(v)}) })
	if m.bus.Claim(port, 4, "debug exit", exit) == nil {
		return nil
	}
	return m.bus.Claim(port, 1, "debug exit", exit)
}

// wallClock is the guest's date.
func (m *Machine) wallClock() time.Time { return m.start.Add(m.clock.Now()) }

// entropy is the source of the virtio random number generator.
func (m *Machine) entropy() io.Reader {
	if m.cfg.Deterministic {
		return wordReader{m.random()}
	}
	return rand.Reader
}

// wordReader reads the bytes of 32-bit numbers.
type wordReader struct{ next func() uint32 }

func (r wordReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.next())
	}
	return len(p), nil
}

// seed is what the loader gives the kernel's random number generator.
func (m *Machine) seed() []byte {
	b := make([]byte, 32)
	if !m.cfg.Deterministic {
		rand.Read(b)
	}
	return b
}

// random is the source of RDRAND.
func (m *Machine) random() func() uint32 {
	if m.cfg.Deterministic {
		x := uint64(0x9e3779b97f4a7c15)
		return func() uint32 {
			// xorshift64*: repeatable, not secret
			x ^= x >> 12
			x ^= x << 25
			x ^= x >> 27
			return uint32(x * 0x2545f4914f6cdd1d >> 32)
		}
	}
	return func() uint32 {
		var b [4]byte
		if _, err := io.ReadFull(rand.Reader, b[:]); err != nil {
			panic("BUG: crypto/rand does not fail: " + err.Error())
		}
		return binary.LittleEndian.Uint32(b[:])
	}
}

// outputFull says that what the guest prints has nowhere to go.
func (m *Machine) outputFull() bool {
	return m.trace != nil && m.trace.out.full() || m.serial.full() || m.debug.full() || m.terminal != nil && m.terminal.full()
}

// yield makes the processor stop at the next instruction.
func (m *Machine) yield() {
	m.yielded = true
	m.cpu.Yield()
}

// finish switches the machine off behind the current instruction.
func (m *Machine) finish(e End) {
	if m.end == nil {
		m.end = &e
	}
	m.yield()
}

// reset is the RESET line of the board. Linux pulls it behind a panic too, so
// its log tells which it was.
func (m *Machine) reset() {
	if m.log.panicked() {
		m.finish(End{Cause: Panic, Detail: m.crash()})
		return
	}
	m.resetting = true
	m.yield()
}

// tripleFault is the shutdown cycle on the bus.
func (m *Machine) tripleFault() {
	m.finish(End{Cause: TripleFault, Detail: m.crash()})
}

// Close gives the machine's memory back. It must not be running. A goroutine
// that waits for the host, in a Read of the terminal or a Write of output, goes
// when that returns.
func (m *Machine) Close() error {
	for _, srv := range m.servers {
		srv.Close()
	}
	if m.network != nil {
		m.network.Close()
	}
	m.serial.close()
	m.debug.close()
	if m.trace != nil {
		m.trace.out.close()
	}
	if m.terminal != nil {
		m.terminal.close()
	}
	for _, in := range []*inlet{m.keys, m.received} {
		if in != nil {
			in.close()
		}
	}
	return m.mem.Close()
}
