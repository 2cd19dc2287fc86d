package jit

import "alpinevm/cpu/x86"

// MaxInsts is the most instructions of a block.
const MaxInsts = 32

// Inst is one guest instruction as a back end gets it: decoded, with its place and
// with what the front end knows of the flags around it.
type Inst struct {
	x86.Inst
	EIP uint32 // its own address: from its linear page on, where code serves all of those
	// Reads, Writes and Kills are the arithmetic flags that it needs, may
	// change, and loses whatever its operands are. Where an access may fault
	// and the translator is strict, Reads holds all of them, since a fault
	// pushes them.
	Reads, Writes, Kills uint32
	Live                 uint32 // arithmetic flags that somebody behind it may read
	Native               bool   // the back end has code for it; else the interpreter executes it
}

// Next is the address of the instruction behind it.
func (in *Inst) Next() uint32 { return in.EIP + uint32(in.Len) }

// Block is a translated run of instructions, entered at its first one or, after
// an exit, at any other. It belongs to a page of code and serves wherever that lies
// and is mapped: what the code knows of linear addresses counts from the page that
// Context.Page names.
type Block struct {
	Page  uint32 // that it begins in
	Page2 uint32 // that it reaches into, where Cross
	At    uint16 // offset of its first byte in the page
	Size  uint16 // bytes
	N     uint8  // instructions
	User  bool   // CPL 3
	Cross bool   // its last instruction reaches into the next page
	Kills bool   // it overwrites all arithmetic flags before anything reads them
	Valid bool
	// listed says that it is in the lists of its pages.
	listed [2]bool
	found  bool   // indirect jumps find it, or have found it, at jumped
	Code   uint32 // code offset of the entry
	Ops    uint32 // where its N code offsets of instructions begin in Store.ops, relative to Code
	// Edges lead to what follows: the taken branch, jump or call, and the next
	// instruction, which a call has where its returns may lead there; 0 is none.
	Edges [2]uint32

	in        uint32    // first of the edges that lead here
	same      uint32    // next block of the same key
	page      [2]uint32 // next block of the lists of its pages
	fallsFrom uint32    // edge that falls through to it, as it is laid out behind
	jumped    uint32    // linear address that indirect jumps find it at, or have found it at; any may be one, 0 too
	jump      uint32    // next block of its page that they have found
}

// Edge is a way from a block to another whose address is a constant. Until it is
// linked, and where its target has gone, its stub leaves to the front end.
type Edge struct {
	From  uint32 // block
	To    uint32 // block, or 0
	At    uint32 // linear address of the target, from the source's page on
	Stub  uint32 // code offset of the stub
	Exit  uint32 // code offset in the stub of what leaves: behind a save of flags, if there is one
	Site  uint32 // code offset of the displacement of the jump that leads to the stub; 0: falls into it
	Near  bool   // source and target lie in one page, so they are mapped together
	Saves bool   // flags are live in the host's register: a target that does not kill them needs them saved
	next  uint32 // next edge that leads to the same block
	prev  uint32 // the one before it
}

// entry is the linear address of its first instruction, in the given linear page.
func (b *Block) entry(page uint32) uint32 { return page | uint32(b.At) }

// near says whether what lies at a linear address, counted from the block's page on,
// is mapped together with the block.
func (b *Block) near(at uint32) bool { return !b.Cross && at>>12 == 0 }

// Unit is what is translated at once: blocks of which each falls through to the
// next, laid out one behind the other.
type Unit struct {
	Blocks []UnitBlock
}

// UnitBlock is one block of a unit on its way to code.
type UnitBlock struct {
	Index uint32 // of the block in the store
	*Block
	Insts []Inst
	// Ends says that the last instruction leaves by itself: a branch, or
	// one that the interpreter executes and that may go anywhere.
	Ends bool
	// Falls says that the next block of the unit is what Edges[1] leads to.
	Falls bool
}
