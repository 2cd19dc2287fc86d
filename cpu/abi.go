package cpu

import "unsafe"

// What generated code may rely on, all of it; a test pins sizes and offsets. A
// change here is a change of every back end.

// Core is the part of a CPU that generated code works on. It is of fixed layout,
// holds no Go pointer and is never moved; it may lie outside the Go heap.
type Core struct {
	State
	Context
}

// Context is what an engine works under, beside the guest's State and derived
// from it: plain data like it.
type Context struct {
	Limit   uint64 // value of State.Retired at which Run returns
	Budget  uint64 // of generated code: how many instructions it may retire
	Pending Event  // not 0: Run has to look before the next instruction
	Mode    Mode
	Half    uint8 // which of State.TLB serves instructions: HalfSystem, HalfUser or HalfLifted
	Data    uint8 // which of State.TLB data accesses look into: Half, or NoTLB
}

// Offsets in Core, in bytes.
const (
	OffsetR       = unsafe.Offsetof(Core{}.R)
	OffsetEIP     = unsafe.Offsetof(Core{}.EIP)
	OffsetRes     = unsafe.Offsetof(Core{}.Res)
	OffsetAux     = unsafe.Offsetof(Core{}.Aux)
	OffsetFlags   = unsafe.Offsetof(Core{}.Flags)
	OffsetRetired = unsafe.Offsetof(Core{}.Retired)
	OffsetSeg     = unsafe.Offsetof(Core{}.Seg)
	OffsetMant    = unsafe.Offsetof(Core{}.FPU) + unsafe.Offsetof(FPU{}.Mant)
	OffsetMXCSR   = unsafe.Offsetof(Core{}.FPU) + unsafe.Offsetof(FPU{}.MXCSR)
	OffsetXMM     = unsafe.Offsetof(Core{}.FPU) + unsafe.Offsetof(FPU{}.XMM)
	OffsetTLB     = unsafe.Offsetof(Core{}.TLB)
	OffsetBudget  = unsafe.Offsetof(Core{}.Budget)
)

// Sizes of the TLB.
const (
	tlbBits = 9
	TLBSize = 1 << tlbBits // entries
	tlbMask = TLBSize - 1
)

// TLB is one half of the translation cache, direct-mapped by linear page: an
// access of n bytes at lin looks at entry lin>>12 mod TLBSize, and hits where the
// tag is the page of its last byte.
type TLB [TLBSize]TLBEntry

// TLBEntry caches one translation of a linear page to RAM or ROM. A tag is the
// linear page address if the access is allowed without looking any further,
// else NoTag: W is valid only where the dirty bit is set, the page is RAM and
// holds no decoded code. Off + linear address (mod 2^32) is the arena offset.
type TLBEntry struct{ R, W, X, Off uint32 }

// NoTag is the tag that no page-aligned address equals.
const NoTag = 1

// Indexes in State.TLB. Supervisor and user translations are apart, and the
// supervisor's are there twice, since SMAP depends on EFLAGS.AC: a page may be open
// to instructions and closed to the processor's own accesses at the same time.
const (
	HalfSystem = iota // CPL 0 to 2, and the processor's own accesses at any CPL
	HalfUser          // CPL 3
	HalfLifted        // CPL 0 to 2 while AC lifts SMAP, but for the processor's own accesses
	NoTLB             // never hits: with it each data access takes the checking path
	numTLBs
)

// TLBSet is a set of entries of a TLB: bit i%64 of word i/64 stands for entry i.
type TLBSet [TLBSize / 64]uint64

func (s *TLBSet) put(i uint32, in bool) {
	if in {
		s[i/64] |= 1 << (i % 64)
	} else {
		s[i/64] &^= 1 << (i % 64)
	}
}

func (s *TLBSet) has(i uint32) bool { return s[i/64]>>(i%64)&1 != 0 }

// Bits of Seg.Fast.
const (
	FastRead  uint8 = 1 << iota // every offset may be read: no limit or type check is needed
	FastWrite                   // every offset may be written
	FastFlat                    // the base is 0 as well
)

// The six arithmetic flags are kept as the result of the last operation and its
// carries, and computed when asked for:
//
//	State.Res  the result, sign-extended from the operand size: ZF, SF and PF
//	State.Aux  bit 31 CF, bits 31 and 30 differ: OF, bit 3 AF,
//	           bit 0 flips SF, bits 8 to 15 are xored into the byte PF counts
//
// The flips exist because POPF, SAHF and rotates may set combinations that no
// result has (ZF with SF). State.Flags holds the other bits of EFLAGS. Arith and
// SetArith convert.
const (
	AuxCF = 1 << 31
	AuxPO = 1 << 30
	AuxAF = 1 << 3
	AuxSF = 1 << 0
	AuxPF = 0xff << 8
)
