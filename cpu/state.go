package cpu

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
	if s.Attr&(AttrP|AttrS) != AttrP|AttrS || s.Limit != 0xffffffff {
		return
	}
	f := uint8(FastRead)
	switch {
	case s.Attr&(AttrCode|AttrWritable) == AttrCode, s.Attr&(AttrCode|AttrExpandDown) == AttrExpandDown:
		return
	case s.Attr&(AttrCode|AttrWritable) == AttrWritable:
		f |= FastWrite
	}
	if s.Base == 0 {
		f |= FastFlat
	}
	s.Fast = f
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
	XMM   [8][2]uint64 // low, high half
	Mant  [8]uint64
	SE    [8]uint16
	MXCSR uint32
	FIP   uint32
	FDP   uint32
	CW    uint16
	SW    uint16 // TOP is in bits 11 to 13
	FOP   uint16
	FCS   uint16
	FDS   uint16
	Used  uint8 // bit i: physical register i is not empty (the FXSAVE tag)
}

// Fault is an exception that an instruction has recorded and the processor has
// yet to deliver.
type Fault struct {
	Code    uint32
	Vector  uint8
	HasCode bool
}

// State is all that a processor remembers, in one struct that holds no Go
// pointer: what a snapshot keeps is a copy of it. Its fields stand in such an
// order that they lie at the same offsets on every host, and what is looked at
// most lies in few cache lines.
type State struct {
	// R holds EAX to EDI. Slot x86.NoReg is zero for ever, so that an
	// absent base or index needs no test.
	R   [16]uint32
	EIP uint32 // of the block being executed, between instructions of the next one

	// Arithmetic flags, lazily: see abi.go. Flags holds all other bits of
	// EFLAGS.
	Res   uint32
	Aux   uint32
	Flags uint32

	Retired uint64 // instructions retired, plus events delivered; a REP iteration counts as one
	// Paused is the value of Retired between two iterations of a repeated
	// instruction.
	Paused uint64

	CR0, CR2, CR3, CR4 uint32
	DebugHits          uint32 // DR6 bits of data breakpoints that the current instruction hit

	CPL      uint8
	Halted   bool
	Shutdown bool // a triple fault; only Reset leaves it
	Shadow   bool // interrupts are held off for one instruction (STI, MOV SS)
	ShadowSS bool // and so are debug traps (MOV SS, POP SS)
	IntrPin  bool
	NMIPin   bool // an NMI edge waits
	NMIMask  bool // until IRET
	ResetPin bool // the RESET pin was pulsed inside Run
	Yielding bool // Yield was called and Run has not come back since
	A20      bool

	Seg [8]Seg // ES CS SS DS FS GS; 6 is LDTR, 7 is TR
	FPU FPU

	PDPTE        [4]uint64
	EFER         uint64
	PAT          uint64
	MiscEnable   uint64
	MicrocodeRev uint64
	TSCOffset    uint64 // added to Config.TSC; WRMSR 10h changes it

	DR                                   [8]uint32
	SysenterCS, SysenterESP, SysenterEIP uint32
	TSCAux                               uint32

	// Translations are cached, and no part of a snapshot.
	TLB       [numTLBs]TLB  `snapshot:"-"` // by Context.Half; that of NoTLB is empty for ever
	TLBValid  [NoTLB]TLBSet `snapshot:"-"` // entries that may match something
	TLBGlobal [NoTLB]TLBSet `snapshot:"-"` // entries that are global
	TLBLarge  [NoTLB]TLBSet `snapshot:"-"` // entries that are part of a large page

	GDTR, IDTR TableReg
	Fault      Fault
}

// Indexes of Seg beyond the six that ModRM names.
const (
	LDTR = 6
	TR   = 7

	segLDTR, segTR = LDTR, TR
)
