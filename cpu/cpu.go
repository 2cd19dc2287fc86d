// Package cpu is a 32-bit x86 processor of the Pentium M class: real,
// protected and virtual-8086 mode, paging, x87, MMX and SSE, as an interpreter
// over blocks of decoded instructions. It models SDM vol. 1 to 3 (2023) for one
// logical processor without APIC, SMM, VMX and machine checks. It knows memory,
// ports and three pins; it knows no device.
//
// One goroutine owns a CPU. Nothing here sleeps, blocks or starts a goroutine.
package cpu

import (
	"errors"

	"alpinevm/cpu/mem"
)

// Ports is the I/O port space. size is 1, 2 or 4 bytes. Called on the machine
// goroutine, inside Run.
type Ports interface {
	In(port uint16, size int) uint32
	Out(port uint16, size int, v uint32)
}

// Config says what a CPU is connected to.
type Config struct {
	Mem   *mem.Memory
	Ports Ports // nil: all ports read as ones
	// AckIRQ is the interrupt acknowledge cycle: it gives the vector of the
	// request that INTR signals.
	AckIRQ func() (vector uint8)
	// TSC gives the time-stamp counter, nil: the count of retired
	// instructions. It never goes back.
	TSC func() uint64
	// Random fills RDRAND and RDSEED; nil: CPUID does not show them.
	Random func() uint32
	Model  Model
}

// Model is what CPUID tells beyond the fixed identity.
type Model struct {
	// TSCHz is the frequency of the TSC in hertz, shown in leaf 15h; 0 is
	// 1 GHz.
	TSCHz uint64
}

// signature is CPUID.1:EAX: family 6, model 15 (0Fh), stepping 11.
func (Model) signature() uint32 { return 0x6fb }

// Reason tells why Run came back.
type Reason uint8

// Reasons.
const (
	// Budget: the instructions asked for have retired, or Yield was called.
	Budget Reason = iota
	// Halt: HLT waits for an interrupt. Run may be called at any time; it
	// comes back at once while there is none.
	Halt
	// Reset: a triple fault shut the processor down. Only CPU.Reset, NMI
	// excluded, brings it back.
	Reset
)

// Exit is how a Run ended.
type Exit struct{ Reason Reason }

// CPU is one processor. State is the guest's view of it and is exported so that
// loaders, tests, traces and snapshots read and write it between Runs; call
// Reload after a change from outside.
type CPU struct {
	State

	ram  mem.Arena
	tlb  *TLB // what data accesses look into: a half of State.TLB, or noTLB
	code *TLB // what instruction fetch looks into
	n    int  // ops of the current block to execute; 0 makes it end behind the current one
	half uint8
	// precise: State.Retired is exact, as the current op is the first and
	// only one to run.
	precise bool
	pending event
	// stepLost: the instruction under single step was a software interrupt
	// or task switch, which drop the trap.
	stepLost bool
	running  bool
	// paused is the value of Retired between two iterations of a repeated
	// instruction.
	paused uint64
	mode   mode
	limit  uint64 // value of Retired at which Run returns

	mem    *mem.Memory
	ports  Ports
	ack    func() uint8
	tsc    func() uint64
	random func() uint32
	model  Model
	blocks blockCache
	floats sseEnv
	noTLB  TLB // never hits: makes each access take the checking path
	trace  func(*CPU, *Fault)
}

// event is the set of things to look at before the next instruction.
type event uint16

const (
	pendIntr   event = 1 << iota // INTR is up and IF is set
	pendNMI                      // an NMI waits and is not masked
	pendShadow                   // hold interrupts off for one instruction
	pendTrap                     // TF is set
	pendDebug                    // code breakpoints are armed, or RF is set
	pendHalt
	pendShutdown
	pendYield
	pendHit   // the last instruction hit data breakpoints
	pendReset // the RESET pin was pulsed
)

// New makes a CPU in its power-on state.
func New(cfg Config) (*CPU, error) {
	if cfg.Mem == nil {
		return nil, errors.New("cpu: Config.Mem is nil")
	}
	c := &CPU{
		ram: cfg.Mem.Arena, mem: cfg.Mem, ports: cfg.Ports, ack: cfg.AckIRQ,
		tsc: cfg.TSC, random: cfg.Random, model: cfg.Model, paused: ^uint64(0),
	}
	if c.ack == nil {
		c.ack = func() uint8 { return 0xff } // as an empty bus reads
	}
	if c.ports == nil {
		c.ports = noPorts{}
	}
	for i := range c.noTLB {
		c.noTLB[i] = TLBEntry{noTag, noTag, noTag, 0}
	}
	c.blocks.init(cfg.Mem)
	cfg.Mem.Watch(c)
	c.Reset()
	return c, nil
}

type noPorts struct{}

func (noPorts) In(_ uint16, size int) uint32 { return uint32(1<<(8*size) - 1) }
func (noPorts) Out(uint16, int, uint32)      {}

// Reset is the RESET pin: the power-on state, effective before the next
// instruction. The count of retired instructions goes on.
func (c *CPU) Reset() {
	if c.running {
		c.pending |= pendReset
		c.n = 0
		return
	}
	c.reset()
}

func (c *CPU) reset() {
	c.pending = 0
	intr := c.IntrPin
	c.State.power(c.model)
	c.IntrPin = intr
	c.Reload()
	c.n = 0
}

// Reload derives what the CPU caches from State after someone else has changed
// it: a loader, a test, a snapshot.
func (c *CPU) Reload() {
	for i := range c.Seg {
		c.Seg[i].refresh()
	}
	c.flushTLB(true)
	c.modeChanged()
	c.updateEvents()
}

// SetINTR is the level of the INTR pin.
func (c *CPU) SetINTR(level bool) {
	c.IntrPin = level
	c.updateEvents()
}

// NMI is an edge on the NMI pin.
func (c *CPU) NMI() {
	c.NMIPin = true
	c.updateEvents()
}

// SetA20 is the A20M# pin: with it off, bit 20 of physical addresses reads as
// 0.
func (c *CPU) SetA20(on bool) {
	if c.A20 != on {
		c.A20 = on
		c.flushTLB(true)
		c.n = 0
	}
}

// Yield makes the current Run return at the next instruction boundary, for a
// device that has moved the time of the next event forward.
func (c *CPU) Yield() {
	c.pending |= pendYield
	c.n = 0
}

// OnFault installs a trace of exceptions and interrupts as they are delivered;
// nil removes it.
func (c *CPU) OnFault(f func(*CPU, *Fault)) { c.trace = f }

// updateEvents derives pending from State and makes the current block end.
func (c *CPU) updateEvents() {
	e := c.pending & (pendYield | pendReset)
	if c.IntrPin && c.Flags&flagIF != 0 {
		e |= pendIntr
	}
	if c.NMIPin && !c.NMIMask {
		e |= pendNMI
	}
	if c.Shadow {
		e |= pendShadow
	}
	if c.Flags&flagTF != 0 {
		e |= pendTrap
	}
	if c.Flags&flagRF != 0 || c.codeBreakpoints() {
		e |= pendDebug
	}
	if c.Halted {
		e |= pendHalt
	}
	if c.DebugHits != 0 {
		e |= pendHit
	}
	if c.Shutdown {
		e |= pendShutdown
	}
	c.pending = e
	c.n = 0
}

// flagsChanged follows a change of IF, TF, RF, VM or AC.
func (c *CPU) flagsChanged() {
	c.updateEvents()
	c.modeChanged()
}

// modeChanged derives what depends on the segment registers, CPL, CR0, DR7 and
// EFLAGS.VM and AC: the mode that keys blocks, and the half of the TLB.
func (c *CPU) modeChanged() {
	var m mode
	if c.Seg[segCS].Attr&AttrDB != 0 {
		m |= modeCode32
	}
	if c.Seg[segSS].Attr&AttrDB != 0 {
		m |= modeStack32
	}
	c.half = 0
	if c.CPL == 3 {
		m |= modeUser
		c.half = 1
	}
	if c.Seg[segDS].Fast&c.Seg[segES].Fast&c.Seg[segSS].Fast&(fastRead|fastWrite|fastFlat) == fastRead|fastWrite|fastFlat {
		m |= modeFlat
	}
	if cs := &c.Seg[segCS]; cs.Limit == 0xffffffff && cs.Base == 0 {
		m |= modeFlatCode
	}
	if c.protected() {
		m |= modeProtected
	}
	c.mode = m
	c.code = &c.TLB[c.half]
	c.tlb = c.code
	if c.checking() {
		c.tlb = &c.noTLB
	}
	c.n = 0
}

// checking says that data accesses need more than a translation: alignment
// checks or data breakpoints.
func (c *CPU) checking() bool { return c.alignmentChecks() || c.dataBreakpoints() }

// alignmentChecks says whether #AC is enabled (SDM vol. 3A 6.15, interrupt 17).
func (c *CPU) alignmentChecks() bool {
	return c.CPL == 3 && c.CR0&cr0AM != 0 && c.Flags&flagAC != 0
}

// protected says: protected mode proper, neither real nor virtual-8086.
func (c *CPU) protected() bool { return c.CR0&cr0PE != 0 && c.Flags&flagVM == 0 }

// mode is what decoding and the choice of handlers depend on. It is part of the
// key of a block.
type mode uint8

const (
	modeCode32    mode = 1 << iota // CS.D
	modeStack32                    // SS.B
	modeUser                       // CPL 3
	modeFlat                       // DS, ES and SS: base 0, limit 4 GiB, writable
	modeFlatCode                   // CS: base 0, limit 4 GiB
	modeProtected                  // not real, not virtual-8086
)
