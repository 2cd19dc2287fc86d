package x86

import (
	"fmt"
	"slices"
	"strings"
)

// args keeps the tables narrow.
type args = [3]Arg

// FormRow is one form of an instruction: how it is encoded and what its
// operands are. Where several rows match an encoding, the first one counts.
type FormRow struct {
	Op     Op
	Code   uint32 // opcode with its escapes: 0x90, 0x0F90, 0x0F3800, 0x0F3A0F
	Prefix PrefixSet
	Sel    Sel
	Args   [3]Arg
	Flags  FormFlags
	Feat   Feature
	Cond   uint8 // of FCMOVCC
}

// PrefixSet is the set of mandatory prefixes that select a form (SDM vol. 2A
// 2.1.2). F2 and F3 go before 66.
type PrefixSet uint8

// Mandatory prefixes.
const (
	NP  PrefixSet = 1 << iota // none
	P66                       // 66 and neither F2 nor F3
	PF3
	PF2

	NFx = NP | P66 // 66 is the operand size, F2 and F3 are reserved
	Any = NP | P66 | PF3 | PF2
)

// Sel says which ModRM bytes select a form. Bits 7 to 0 are the set of ModRM.reg
// that do, none for all of them.
type Sel uint16

const (
	selMem   Sel = 1 << 8 // mod is not 3
	selReg   Sel = 1 << 9 // mod is 3
	selRM    Sel = 1 << 10
	selShift     = 11 // rm, where selRM is set

	n0 Sel = 1 << 0
	n1 Sel = 1 << 1
	n2 Sel = 1 << 2
	n3 Sel = 1 << 3
	n4 Sel = 1 << 4
	n5 Sel = 1 << 5
	n6 Sel = 1 << 6
	n7 Sel = 1 << 7

	m0 = selMem | n0
	m1 = selMem | n1
	m2 = selMem | n2
	m3 = selMem | n3
	m4 = selMem | n4
	m5 = selMem | n5
	m6 = selMem | n6
	m7 = selMem | n7

	r0 = selReg | n0
	r1 = selReg | n1
	r2 = selReg | n2
	r3 = selReg | n3
	r4 = selReg | n4
	r5 = selReg | n5
	r6 = selReg | n6
	r7 = selReg | n7

	rm0 = selRM | 0<<selShift
	rm1 = selRM | 1<<selShift
	rm2 = selRM | 2<<selShift
	rm3 = selRM | 3<<selShift
	rm4 = selRM | 4<<selShift
	rm5 = selRM | 5<<selShift
	rm6 = selRM | 6<<selShift
	rm7 = selRM | 7<<selShift
)

// Match reports whether the ModRM byte b selects the form.
func (s Sel) Match(b uint8) bool {
	return (s&selMem == 0 || b < 0xC0) &&
		(s&selReg == 0 || b >= 0xC0) &&
		(s&0xFF == 0 || s>>(b>>3&7)&1 != 0) &&
		(s&selRM == 0 || uint8(s>>selShift)&7 == b&7)
}

// FormFlags are properties of a form.
type FormFlags uint16

// Form flags. Args[0] is the destination where DstR or DstW is set; every other
// operand is only read unless SrcW is set.
const (
	DstR   FormFlags = 1 << iota // Args[0] is read
	DstW                         // Args[0] is written
	SrcW                         // Args[1] is written as well as read: XCHG, XADD
	LockOK                       // LOCK is allowed where Args[0] is memory
	CC                           // one row for the 16 opcodes of the conditions
	Ends                         // see Inst.Ends
	Alone                        // see Inst.Alone
	String                       // a string instruction: REP repeats it
	Priv                         // CPL 0 only, else #GP(0)
	IOPL                         // sensitive to IOPL, VME or the I/O permission bitmap
	NoV86                        // #UD in real and virtual-8086 mode

	DstRW = DstR | DstW
)

// Forms is the opcode table. It is read-only.
var Forms = slices.Concat(formsOneByte, formsTwoByte, formsX87, formsMMX, formsSSE, formsSSE4)

// HasModRM reports whether the encoding of the form has a ModRM byte.
func (r *FormRow) HasModRM() bool {
	if r.Sel != 0 {
		return true
	}
	for _, a := range r.Args {
		if a.ModRM() {
			return true
		}
	}
	return false
}

// Span returns how many consecutive opcodes from Code on the row covers: 16 for
// conditions, 8 where the opcode holds a register, else 1.
func (r *FormRow) Span() int {
	if r.Flags&CC != 0 {
		return 16
	}
	for _, a := range r.Args {
		if a == Zb || a == Zv {
			return 8
		}
	}
	return 1
}

// MemArg returns the position in Args of the operand that ModRM or moffs puts in
// memory or register, or -1.
func (r *FormRow) MemArg() int {
	for i, a := range r.Args {
		if a.Memory() {
			return i
		}
	}
	return -1
}

// String writes the row as the SDM heads it: "F3 0F 10 MOVSS Vx,Wss".
func (r *FormRow) String() string {
	var b strings.Builder
	switch r.Prefix {
	case P66:
		b.WriteString("66 ")
	case PF3:
		b.WriteString("F3 ")
	case PF2:
		b.WriteString("F2 ")
	}
	if r.Code > 0xFFFF {
		fmt.Fprintf(&b, "%02X ", r.Code>>16)
	}
	if r.Code > 0xFF {
		fmt.Fprintf(&b, "%02X ", r.Code>>8&0xFF)
	}
	fmt.Fprintf(&b, "%02X ", r.Code&0xFF)
	if n := r.Sel & 0xFF; n != 0 {
		b.WriteByte('/')
		for i := range 8 {
			if n>>i&1 != 0 {
				b.WriteByte('0' + byte(i))
			}
		}
		b.WriteByte(' ')
	}
	switch {
	case r.Sel&selRM != 0:
		fmt.Fprintf(&b, "rm=%d ", r.Sel>>selShift&7)
	case r.Sel&selMem != 0:
		b.WriteString("mem ")
	case r.Sel&selReg != 0:
		b.WriteString("reg ")
	}
	b.WriteString(r.Op.String())
	if r.Op == FCMOVCC {
		b.WriteByte('/')
		b.WriteString(fcondNames[r.Cond&7])
	}
	sep := byte(' ')
	for _, a := range r.Args {
		if a != None {
			b.WriteByte(sep)
			b.WriteString(a.String())
			sep = ','
		}
	}
	return b.String()
}
