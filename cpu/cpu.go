// Package cpu is a 32-bit x86 processor of the Pentium M class: real,
// protected and virtual-8086 mode, paging, x87, MMX and SSE, as an interpreter
// over blocks of decoded instructions. It models SDM vol. 1 to 3 (2023) for one
// logical processor without APIC, SMM, VMX and machine checks. It knows memory,
// ports and three pins; it knows no device.
//
// One goroutine owns a CPU. Nothing here sleeps, blocks or starts a goroutine.
package cpu

import "alpinevm/cpu/mem"

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
	// Overdue, where not nil, is asked now and then, in the middle of a Run: true
	// makes the Run return as Yield does. How often is the engine's, so it is
	// not for runs that are to be repeated.
	Overdue func() bool
	// Random fills RDRAND and RDSEED; nil: CPUID does not show them.
	Random func() uint32
	Model  Model
	// Core is zeroed memory for the CPU's Core, which stays there as long as the
	// CPU is used: outside the Go heap, where generated code wants it so. nil:
	// the CPU makes one.
	Core *Core
}

// Model is what CPUID tells beyond the fixed identity.
type Model struct {
	// TSCHz is the frequency of the TSC in hertz, shown in leaf 15h; 0 is
	// 1 GHz.
	TSCHz uint64
}

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
	// Stopped: for a debugger. CPU.Hit says why.
	Stopped
)

// Exit is how a Run ended.
type Exit struct{ Reason Reason }

// CPU is one processor. Its State is the guest's view of it and is exported so
// that loaders, tests, traces and snapshots read and write it between Runs; call
// Reload after a change from outside.
type CPU struct {
	*Core

	ram  mem.Arena
	tlb  *TLB // TLB[Data]: what data accesses look into
	code *TLB // TLB[Half]: what instruction fetch looks into
	// large says of which regions of 4 MB a TLB may hold parts of large pages.
	large [NoTLB][1 << 10]bool
	n     int // ops of the current block to execute; 0 makes it end behind the current one
	// precise: State.Retired is exact, as the current op is the first and
	// only one to run.
	precise bool
	// retrying: the op that has just faulted raised no exception; it asks to
	// be executed again with an exact count.
	retrying bool
	// stepLost: the instruction under single step was a software interrupt
	// or task switch, which drop the trap.
	stepLost bool
	running  bool

	mem     *mem.Memory
	ports   Ports
	ack     func() uint8
	tsc     func() uint64
	overdue func() bool
	random  func() uint32
	model   Model
	// features is the set of x86.Features that CPUID shows.
	features uint64
	// backend executes what is hot; a block is at threshold. hot says that
	// the block at EIP has just become so: hotBlock, unless blocks were flushed since
	// their count of that was hotAt.
	backend   Backend
	threshold uint8
	hot       bool
	hotBlock  *block
	hotAt     uint64

	blocks blockCache
	floats sseEnv
	trace  func(*CPU, *Fault)
	stops  *stops // nil: no debugger wants anything
}
