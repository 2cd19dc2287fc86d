package cpu

// Sizes of the TLB. Supervisor and user translations are apart: half 0 serves
// CPL 0 to 2 and the processor's own accesses, half 1 serves CPL 3.
const (
	tlbBits = 9
	tlbSize = 1 << tlbBits
	tlbMask = tlbSize - 1
	noTag   = 1 // no page-aligned address equals it
)

// TLBEntry caches one translation of a linear page to RAM or ROM. A tag is the
// linear page address if the access is allowed without looking any further,
// else noTag: W is valid only where the dirty bit is set, the page is RAM and
// holds no decoded code. Off + linear address (mod 2^32) is the arena offset.
type TLBEntry struct{ R, W, X, Off uint32 }

// TLB is one half of the translation cache, direct-mapped by linear page.
type TLB [tlbSize]TLBEntry

// Bits of Seg.Attr: descriptor bits 40 to 55 (SDM vol. 3A 3.4.5) without the
// limit.
const (
	AttrAccessed   uint16 = 1 << 0
	AttrWritable   uint16 = 1 << 1 // data: writable; code: readable
	AttrExpandDown uint16 = 1 << 2 // data: expand-down; code: conforming
	AttrCode       uint16 = 1 << 3
	AttrS          uint16 = 1 << 4 // code or data, not a system descriptor
	AttrDPL        uint16 = 3 << 5
	AttrP          uint16 = 1 << 7
	AttrDB         uint16 = 1 << 14
	AttrG          uint16 = 1 << 15
)

// Bits of Seg.Fast.
const (
	fastRead  uint8 = 1 << iota // every offset may be read: no limit or type check is needed
	fastWrite                   // every offset may be written
	fastFlat                    // the base is 0 as well
)

// Bits of Seg.Fast, for back ends.
const (
	FastRead  = fastRead
	FastWrite = fastWrite
)

// Seg is a segment register with its descriptor cache. A null selector has
// Attr 0. Fast is derived from the rest by refresh.
type Seg struct {
	Base, Limit uint32 // Limit is in bytes, scaled by G
	Sel         uint16
	Attr        uint16
	Fast        uint8
}

// refresh derives Fast.
func (s *Seg) refresh() {
	s.Fast = 0
	if s.Attr&AttrP == 0 || s.Limit != 0xffffffff || s.Attr&AttrS == 0 {
		return
	}
	if s.Attr&AttrCode != 0 {
		if s.Attr&AttrWritable != 0 {
			s.Fast = fastRead
		}
	} else if s.Attr&AttrExpandDown == 0 {
		s.Fast = fastRead
		if s.Attr&AttrWritable != 0 {
			s.Fast |= fastWrite
		}
	}
	if s.Fast != 0 && s.Base == 0 {
		s.Fast |= fastFlat
	}
}

// DPL is the descriptor privilege level.
func (s *Seg) DPL() uint8 { return uint8(s.Attr >> 5 & 3) }

// TableReg is GDTR or IDTR.
type TableReg struct {
	Base  uint32
	Limit uint16
}

// FPU is the x87 and SSE state. Mant and SE hold the registers R0 to R7 in
// physical order, not stack order: significand, and sign with exponent.
type FPU struct {
	Mant  [8]uint64
	SE    [8]uint16
	CW    uint16
	SW    uint16 // TOP is in bits 11 to 13
	Used  uint8  // bit i: physical register i is not empty (the FXSAVE tag)
	FOP   uint16
	FCS   uint16
	FDS   uint16
	FIP   uint32
	FDP   uint32
	MXCSR uint32
	XMM   [8][2]uint64 // low, high half
}

// Fault is an exception that an instruction has recorded and the processor has
// yet to deliver.
type Fault struct {
	Code    uint32
	Vector  uint8
	HasCode bool
}

// State is all that a processor remembers, in one struct of fixed layout that
// holds no Go pointer. Generated code addresses it by offset.
type State struct {
	// R holds EAX to EDI. Slot x86.NoReg is zero for ever, so that an
	// absent base or index needs no test.
	R   [16]uint32
	EIP uint32 // of the block being executed, between instructions of the next one

	// Arithmetic flags, lazily: see flags.go. Flags holds all other bits
	// of EFLAGS.
	Res   uint32
	Aux   uint32
	Flags uint32

	Retired uint64 // instructions retired, plus events delivered; a REP iteration counts as one

	Seg      [8]Seg // ES CS SS DS FS GS; 6 is LDTR, 7 is TR
	CPL      uint8
	Halted   bool
	Shutdown bool // a triple fault; only Reset leaves it
	Shadow   bool // interrupts are held off for one instruction (STI, MOV SS)
	ShadowSS bool // and so are debug traps (MOV SS, POP SS)
	IntrPin  bool
	NMIPin   bool // an NMI edge waits
	NMIMask  bool // until IRET
	A20      bool

	GDTR, IDTR    TableReg
	CR0, CR2, CR3 uint32
	CR4           uint32
	EFER          uint64
	DR            [8]uint32
	PDPTE         [4]uint64
	DebugHits     uint32 // DR6 bits of data breakpoints that the current instruction hit

	SysenterCS, SysenterESP, SysenterEIP uint32
	PAT                                  uint64
	MiscEnable                           uint64
	MicrocodeRev                         uint64
	TSCOffset                            uint64 // added to Config.TSC; WRMSR 10h changes it
	TSCAux                               uint32

	Fault Fault
	FPU   FPU

	TLB       [2]TLB
	TLBGlobal [2][tlbSize / 64]uint64 // bit i: entry i is global
	TLBLarge  [2][tlbSize / 64]uint64 // bit i: entry i is part of a large page
}

// Indexes of Seg beyond the six that ModRM names.
const (
	segLDTR = 6
	segTR   = 7
)
