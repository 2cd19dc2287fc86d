// Package x86 is the instruction set as data: the opcode table with one row a
// form, the decoder that walks it, and the names of registers and flags. It
// models 16- and 32-bit code of a Pentium M class processor and knows nothing
// of execution. Source: SDM vol. 2.
package x86

// Mode is the part of the processor's state that decoding depends on.
type Mode uint8

// Code sizes: the D bit of the code segment (SDM vol. 3A 3.4.5).
const (
	Mode16 Mode = 0
	Mode32 Mode = 1
)

// MaxLen is the longest legal instruction in bytes (SDM vol. 2A 2.3.11).
const MaxLen = 15

// NoReg stands for an absent base or index register. An interpreter's register
// file of 16 slots may keep slot 8 at zero, so that an absent register needs no
// test.
const NoReg = 8

// Numbers of general registers as ModRM encodes them.
const (
	EAX = iota
	ECX
	EDX
	EBX
	ESP
	EBP
	ESI
	EDI
)

// Numbers of segment registers as ModRM encodes them.
const (
	ES = iota
	CS
	SS
	DS
	FS
	GS
)

// Prefix is the set of prefixes of an instruction.
type Prefix uint8

// Prefixes. Of F2 and F3 the last one counts. A mandatory prefix of an SSE
// form is recorded as well.
const (
	PrefixLock Prefix = 1 << iota
	PrefixRepne
	PrefixRep
	PrefixOpSize
	PrefixAddrSize
	PrefixSeg
)

// Inst is one decoded instruction. Forms[Form].Args says how the fields make
// up its operands.
type Inst struct {
	Form     Form   // row of Forms
	Op       Op     // mnemonic, = Forms[Form].Op
	Len      uint8  // bytes, prefixes included
	OpSize   uint8  // bytes of the integer operand: 1, 2 or 4 (1 for the byte forms)
	AddrSize uint8  // 2 or 4
	Prefix   Prefix // prefixes seen
	Seg      uint8  // segment register of the memory operand: override or default
	Mem      bool   // the ModRM operand (or moffs) is memory
	ModRM    uint8  // ModRM byte, 0 where the form has none
	Cond     uint8  // condition code 0 to 15 of JCC, SETCC, CMOVCC; 0 to 7 of FCMOVCC as its own table row says
	Reg      uint8  // ModRM.reg, or the register in the opcode, or 0 for an implied accumulator
	RM       uint8  // ModRM.rm where Mem is false
	Base     uint8  // NoReg where absent
	Index    uint8  // NoReg where absent
	Scale    uint8  // shift count 0 to 3
	Disp     uint32 // displacement, sign-extended to 32 bits; the offset for moffs
	Imm      uint32 // first immediate, extended to 32 bits as the form says; a relative branch's displacement, sign-extended
	Imm2     uint16 // second immediate: nesting level of ENTER, selector of a far pointer
}

// Result is what Decode found.
type Result uint8

// Results of Decode.
const (
	OK        Result = iota
	Truncated        // more bytes are needed
	Undefined        // #UD; Len counts the bytes that silicon fetched to know it
	TooLong          // #GP(0): more than MaxLen bytes
)
