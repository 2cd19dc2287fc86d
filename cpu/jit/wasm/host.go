package wasm

import (
	"unsafe"

	"alpinevm/cpu"
)

// Host runs modules: a browser, or in tests an engine for WebAssembly in Go. What
// it calls addresses are those of the memory that modules import. All methods are
// called on the machine goroutine.
type Host interface {
	// Layout says where things lie in that memory; they stay there.
	Layout() Layout
	// Load makes a module of bytes and puts the functions that it exports at the
	// places of the table that are their names, in decimal. What the first one exports
	// those that follow import from ImportDispatch.
	Load(code []byte, places []uint32) error
	// Drop forgets the functions of a module that was loaded with these places.
	Drop(places []uint32)
	// Enter calls the dispatcher, the function at place 0 of the table.
	Enter(core, tlb, pc, fn uint32) uint32
	// Close gives back what it holds.
	Close()
}

// Layout is where in the memory of modules things lie.
type Layout struct {
	Core   uint32  // address of the cpu.Core
	RAM    uint32  // address of arena offset 0
	Tables uint32  // address of Shared
	Shared *Tables // what is there
}

// Tables is what generated code looks into, beside the cpu.Core.
type Tables struct {
	TLB   TLB
	Jumps [Jumps]Jump
	Shift uint32 // by how much addresses lie above those of the region that has left
	// Used says of each place that the function there was entered since that has been
	// watched.
	Used   [firstRegion + maxRegions]bool
	Depth  uint32 // of calls of the follower in each other
	Missed uint32 // the linear address that the TLB did not have, where a region has left for that
}

// Jump is where an indirect jump leads: what the dispatcher knows of one linear
// address.
type Jump struct {
	EIP uint32
	Off uint32 // what cpu.TLBEntry.Off has to be for the page of EIP
	Fn  uint32 // place in the table of functions
	// Start is what that begins with: the number of the entry, and above it by how much
	// the linear address lies above that which the code was made for.
	Start uint32
}

// The table of jumps: EIP's entry is at (EIP ^ EIP>>jumpFold) mod Jumps.
const (
	jumpBits = 17
	Jumps    = 1 << jumpBits
	jumpFold = 11
)

// noJump is in an entry that is empty: no Off is odd.
var noJump = Jump{Off: 1}

// Places is how many places the table of functions needs for so many regions; 0 is
// the most.
func Places(regions int) uint32 {
	if regions == 0 {
		regions = maxRegions
	}
	return firstRegion + uint32(regions)
}

// Offsets in cpu.Core and what it holds.
const (
	coreEIP    = uint32(cpu.OffsetEIP)
	coreR      = uint32(cpu.OffsetR)
	coreRes    = uint32(cpu.OffsetRes)
	coreAux    = uint32(cpu.OffsetAux)
	coreFlags  = uint32(cpu.OffsetFlags)
	coreBudget = uint32(cpu.OffsetBudget)
	coreSeg    = uint32(cpu.OffsetSeg)
	coreMXCSR  = uint32(cpu.OffsetMXCSR)
	coreMant   = uint32(cpu.OffsetMant)
	coreFPU    = uint32(unsafe.Offsetof(cpu.Core{}.FPU))
	coreSE     = coreFPU + uint32(unsafe.Offsetof(cpu.FPU{}.SE))
	coreSW     = coreFPU + uint32(unsafe.Offsetof(cpu.FPU{}.SW))
	coreUsed   = coreFPU + uint32(unsafe.Offsetof(cpu.FPU{}.Used))
	coreXMM    = uint32(cpu.OffsetXMM)
	coreCR0    = uint32(unsafe.Offsetof(cpu.Core{}.CR0))
	coreCR4    = uint32(unsafe.Offsetof(cpu.Core{}.CR4))
	coreCPL    = uint32(unsafe.Offsetof(cpu.Core{}.CPL))
	coreIntr   = uint32(unsafe.Offsetof(cpu.Core{}.IntrPin))
	segSize    = uint32(unsafe.Sizeof(cpu.Seg{}))
	segBase    = uint32(unsafe.Offsetof(cpu.Seg{}.Base))
	segSel     = uint32(unsafe.Offsetof(cpu.Seg{}.Sel))
	segFast    = uint32(unsafe.Offsetof(cpu.Seg{}.Fast))
	entryR     = uint32(unsafe.Offsetof(cpu.TLBEntry{}.R))
	entryW     = uint32(unsafe.Offsetof(cpu.TLBEntry{}.W))
	entryX     = uint32(unsafe.Offsetof(cpu.TLBEntry{}.X))
	entryOff   = uint32(unsafe.Offsetof(cpu.TLBEntry{}.Off))
	halfSize   = uint32(unsafe.Sizeof(TLB{}[0]))
	offTLB     = uint32(unsafe.Offsetof(Tables{}.TLB))
	offShift   = uint32(unsafe.Offsetof(Tables{}.Shift))
	offMissed  = uint32(unsafe.Offsetof(Tables{}.Missed))
	offDepth   = uint32(unsafe.Offsetof(Tables{}.Depth))
	offUsed    = uint32(unsafe.Offsetof(Tables{}.Used))
	offJumps   = uint32(unsafe.Offsetof(Tables{}.Jumps))
	jumpEIP    = uint32(unsafe.Offsetof(Jump{}.EIP))
	jumpOff    = uint32(unsafe.Offsetof(Jump{}.Off))
	jumpFn     = uint32(unsafe.Offsetof(Jump{}.Fn))
	jumpStart  = uint32(unsafe.Offsetof(Jump{}.Start))
)

// The address of a TLB entry from its half's is lin>>entryShift & entryMask.
const (
	entryShift = 8
	entryMask  = (tlbEntries - 1) << (12 - entryShift)
)

const _ = -(uint(unsafe.Sizeof(cpu.TLBEntry{})) ^ 1<<(12-entryShift)) // does not compile if an entry has another size
