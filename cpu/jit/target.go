package jit

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Target is a back end: it turns units into host code and runs it. All methods
// are called on the machine goroutine.
type Target interface {
	// Memory is what code and front end share; it stays where it is.
	Memory() *Memory
	// Native says whether the target has code for in, on flat segments, at CPL 3
	// or below.
	Native(in *x86.Inst, user bool) bool
	// Translate makes code of a unit and fills in what of blocks and edges is
	// the target's: Code, offsets of instructions, stubs and sites. It says
	// false, with nothing kept, where the region has no room.
	Translate(u *Unit, s *Store) bool
	// Link makes e lead to the code of to; Unlink makes it leave again.
	Link(e *Edge, to *Block)
	Unlink(e *Edge, index uint32)
	// Sever makes what falls into b, or jumps to its entry, take the stub of e.
	Sever(b *Block, e *Edge)
	// Address is where a code offset lies, for the table of jumps.
	Address(code uint32) uint64
	// Enter runs code from the offset on until it leaves. Context says how.
	Enter(code uint32)
	// Begin makes what is translated next go to the given region of the memory
	// of code, and forgets what is there.
	Begin(region int)
	// Close gives the memory back.
	Close()
}

// Sizes of what lies in Memory.
const (
	JumpBits  = 18
	JumpSize  = 1 << JumpBits // entries of a table of indirect jumps
	JumpShift = 2             // targets that lie closer than 4 bytes share an entry
	SpareBits = 14
	SpareSize = 1 << SpareBits // entries of the table behind it
	PageCount = 1 << 20        // linear pages
	// CallsSize is the room for the stack of calls, in bytes: each has CallSize, and
	// each instruction of an entry may be one. The rest is for the code's own.
	CallSize  = 16
	CallsSize = 2*CallSize*maxBudget + 4096
)

// SpareHash is what the entry of a target is found by in the table behind: the
// upper SpareBits of its product with the linear address, of 32 bits.
const SpareHash = 0x9e3779b1

// Jump is one entry of the tables that indirect jumps look into: Tag is the
// generation in the upper half and the linear address in the lower.
type Jump struct {
	Tag  uint64
	Code uint64 // host address
}

// Memory is outside the Go heap. Index 0 serves CPL 0, index 1 CPL 3.
type Memory struct {
	*Context
	// Read and Write hold, for each linear page that may be accessed without
	// looking any further, its linear address less the host address of its first
	// byte, modulo 2^64: more than any linear address. 0 is a miss. The entry of page p is at p<<Shift.
	Read, Write [Halves][]uint64
	Shift       uint
	// Pages holds, for each linear page whose translation for fetching is
	// known, the number of its arena page and 1; 0 is a miss.
	Pages [2][]uint32
	// Frames holds for each page of code the number of the arena page that it
	// lies in and 1, as Pages does, NoFrame while it rests, and 0 where there is none.
	Frames []uint32
	Jumps  [2][]Jump
	// Spare holds jumps that have lost their place in Jumps to another.
	Spare [2][]Jump
	// Blocks, Edges and Ops have room for the store: their length bounds it,
	// at most MaxBlocks blocks.
	Blocks []Block
	Edges  []Edge
	Ops    []Op
	// Tables are the addresses of Read, for Context.Table.
	Tables [Halves]uint64
}

// Halves is how many tables data accesses have: indexes are cpu.HalfSystem,
// HalfUser and HalfLifted.
const Halves = int(cpu.NoTLB)

// Segment is what a selector loads into a segment register as long as the
// descriptor is what it was.
type Segment struct {
	Raw uint64 // the descriptor
	Key uint32 // SegmentKey
	Lin uint32 // linear address of the descriptor
	Seg cpu.Seg
}

// SegmentKey tells all that decides, beside the descriptor, whether and what a
// selector loads: CPL, and whether the register has to be flat, as those that
// translated code relies on. It is not 0.
func SegmentKey(sel uint16, user, flat bool) uint32 {
	k := uint32(sel) | 1<<31
	if user {
		k |= 1 << 16
	}
	if flat {
		k |= keyFlat
	}
	return k
}

const keyFlat = 1 << 17

// Segments is how many are remembered.
const Segments = 32

// SegmentIndex is where that of a key is: kernels load one selector into registers
// of both kinds, and in both rings.
func SegmentIndex(key uint32) uint32 { return (key>>3 ^ key>>13) % Segments }

// Context is what generated code and front end tell each other. A back end
// addresses it by offset.
type Context struct {
	Flags  uint64 // arithmetic flags in the form of LAHF in bits 8 to 15, OF in bit 0
	Budget int32  // instructions left
	Exit   uint32 // how the code left: see Exit
	Addr   uint32 // linear address of a Miss
	Page   uint32 // linear page of the block that is executed
	EIP    uint32 // where an indirect jump leads
	_      uint32
	Target uint64 // host address to enter at
	State  uint64 // address of cpu.State
	Table  uint64 // address of the table of readable pages of the current half
	// System and Lifted are what Table is at CPL 0 behind CLAC and behind
	// STAC, and User at CPL 3.
	System, Lifted, User uint64
	// Calls is where the stack of calls goes on, and Bottom where it is empty: what
	// generated code has called and not returned from. Stack and Frame are the
	// host's SP and BP while code runs.
	Calls, Bottom, Stack, Frame uint64
	Gen                         [2]uint64 // generations of the tables of jumps, in the upper half
	Mask                        [4]uint32
	Scratch                     uint64 // the code's
	MXCSR                       uint32 // the guest's, with all exceptions masked
	Host                        uint32 // MXCSR as Go wants it
	HostCW                      uint32 // the x87 control word as Go wants it
	// NoSSE, NoMMX and NoX87 are not 0 where instructions of these may raise
	// an exception: the interpreter executes them. NoMMX is not 0 as well
	// while HeldX87 says that the registers are not in the State.
	NoSSE, NoMMX, NoX87 uint32
	// HeldSSE and HeldX87 are not 0 where XMM registers and MXCSR, or the
	// x87 state without its pointers, are in the host's own while code runs.
	// Leaving puts them into the State, and entering takes them again.
	HeldSSE, HeldX87 uint32
	// Load is the SegmentKey of a selector that was not found in Segs, and the
	// number of the register in bits 24 to 27.
	Load uint32
	Segs [Segments]Segment
	// Asked is 1 more than the way across that was not found in Crossings, Vector the
	// key of an INT n.
	Asked, Vector uint32
	Crossings     [crossings]Crossing
}

// Kinds of exits, the upper bits of Context.Exit.
const (
	ExitBudget uint32 = iota << 29 // the budget does not reach for the block; nothing of it was executed
	ExitInst                       // the instruction is to be interpreted
	ExitMiss                       // the instruction's access is not in the table: Addr
	ExitEdge                       // an edge is not linked
	ExitJump                       // an indirect jump to EIP is not in the table
	ExitPage                       // the second page of a block that crosses pages has changed
	ExitBarred                     // the instruction is to be interpreted, and so may others of its family in the block

	ExitKind  uint32 = 7 << 29
	exitValue        = ^ExitKind
	instBits         = 5
)

// ExitID makes the number of an exit at instruction i of a block, or of an edge
// (i is 0 then).
func ExitID(kind, block uint32, i int) uint32 { return kind | block<<instBits | uint32(i) }

// EdgeID makes the number of an edge's exit.
func EdgeID(edge uint32) uint32 { return ExitEdge | edge }

// MaxBlocks is how many blocks an exit can name.
const MaxBlocks = 1 << (29 - instBits)
