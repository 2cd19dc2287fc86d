package cputest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"alpinevm/cpu/x86"
)

// Sequences are a few instructions in a row, with branches forward and at times
// a loop around them: what an engine keeps from one instruction to the next, its
// lazy flags above all, shows in them, and faults in the middle.

// sequenceOps are what sequences are made of.
var sequenceOps = opSet{
	x86.ADD: true, x86.OR: true, x86.ADC: true, x86.SBB: true, x86.AND: true, x86.SUB: true, x86.XOR: true, x86.CMP: true,
	x86.TEST: true, x86.MOV: true, x86.INC: true, x86.DEC: true, x86.NEG: true, x86.NOT: true, x86.LEA: true, x86.XCHG: true,
	x86.MOVZX: true, x86.MOVSX: true, x86.SETCC: true, x86.CMOVCC: true, x86.ROL: true, x86.ROR: true, x86.RCL: true,
	x86.RCR: true, x86.SHL: true, x86.SHR: true, x86.SAR: true, x86.SHLD: true, x86.SHRD: true, x86.BT: true, x86.BTS: true,
	x86.BTR: true, x86.BTC: true, x86.BSWAP: true, x86.CBW: true, x86.CWD: true, x86.CLC: true, x86.STC: true, x86.CMC: true,
	x86.LAHF: true, x86.SAHF: true, x86.SALC: true, x86.PUSHF: true, x86.PUSH: true, x86.POP: true, x86.MUL: true,
	x86.IMUL: true, x86.BSF: true, x86.BSR: true, x86.XADD: true, x86.CMPXCHG: true, x86.NOP: true, x86.JCC: true,
	x86.DAA: true, x86.DAS: true, x86.AAA: true, x86.AAS: true, x86.AAM: true, x86.AAD: true,
}

// sequenceForms are the rows of sequenceOps that need nothing but general
// registers and memory at ESI.
var sequenceForms = func() (list []x86.Form) {
	for f := range x86.Forms {
		row := &x86.Forms[f]
		ok := sequenceOps[row.Op] && asked(row) && row.Prefix&x86.NP != 0
		for _, a := range row.Args {
			switch a {
			case x86.None, x86.Eb, x86.Ev, x86.Gb, x86.Gv, x86.Zb, x86.Zv, x86.AL, x86.RAX, x86.CL, x86.One, x86.Ib, x86.Ibs,
				x86.Iz, x86.M, x86.Jb:
			case x86.Ew:
				ok = ok && row.Op != x86.MOV
			default:
				ok = false
			}
		}
		if ok {
			list = append(list, x86.Form(f))
		}
	}
	return list
}()

// Registers of sequences that keep their values.
const (
	seqPointer = x86.ESI // where memory operands are
	seqCounter = x86.ECX // of a loop
)

// sequence makes one case.
type sequence struct {
	*rand.Rand
	c     Case
	loop  bool
	insts []x86.Inst
}

// Sequence makes sequence n of a seed for a code slot. Equal arguments make
// equal cases.
func Sequence(seed uint64, n, slot int) Case {
	for attempt := uint64(0); ; attempt++ {
		s := &sequence{Rand: rand.New(rand.NewPCG(seed+attempt<<48, 1<<63|uint64(n)))}
		s.c.Mode = x86.Mode32
		s.c.Addr = CodeBase + uint32(slot)*CodeSlot + CodeAt
		if s.make() {
			return s.c
		}
	}
}

func (s *sequence) make() bool {
	s.loop = s.IntN(4) == 0
	want := 2 + s.IntN(7)
	for tries := 0; len(s.insts) < want && tries < 1000; tries++ {
		s.add()
	}
	if s.loop {
		s.append(0x49)                        // DEC ECX
		s.append(0x75, byte(-int(s.c.Len)-2)) // JNZ
	}
	for i := range s.c.R {
		s.c.R[i] = word(s.Rand, 4)
	}
	s.state()
	return s.taints()
}

// state gives registers, flags and memory their values.
func (s *sequence) state() {
	c := &s.c
	c.R[x86.ESP] = pageStack + 0x800
	c.R[seqPointer] = pageTwo + 0x300
	switch s.IntN(8) {
	case 0:
		c.R[seqPointer] = pageTwo + pageSize - 20 // crosses pages
	case 1:
		c.R[seqPointer] = pageRO - 20
	case 2:
		c.R[seqPointer] = pageLone + pageSize - 40
	}
	if s.loop {
		c.R[seqCounter] = uint32(1 + s.IntN(5))
	}
	c.EFLAGS = uint32(s.IntN(1<<12))&x86.FlagsArith | 2 | x86.FlagIF
	c.FX[fxCW], c.FX[fxCW+1] = 0x7F, 3
	c.FX[fxMXCSR], c.FX[fxMXCSR+1] = 0x80, 0x1F
	g := generator{Rand: s.Rand}
	b := make([]byte, 160)
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], word(s.Rand, 4))
	}
	g.poke(c.R[x86.ESP]-96, b)
	g.poke(c.R[seqPointer], b[:72])
	c.Windows = g.c.Windows
}

// append adds an instruction.
func (s *sequence) append(code ...byte) {
	var in x86.Inst
	if x86.Decode(code, x86.Mode32, &in) != x86.OK {
		panic("BUG: a sequence of what does not decode")
	}
	copy(s.c.Code[s.c.Len:], code)
	s.c.Len += in.Len
	s.insts = append(s.insts, in)
}

// add appends an instruction of chance, unless it may not be there.
func (s *sequence) add() {
	form := sequenceForms[s.IntN(len(sequenceForms))]
	row := &x86.Forms[form]
	if s.Len()+16 > maxCode || row.Op == x86.JCC && len(s.insts) == 0 {
		return
	}
	code := s.encode(row)
	var in x86.Inst
	if x86.Decode(code, x86.Mode32, &in) != x86.OK || in.Form != form || !s.allowed(&in, row) {
		return
	}
	if in.Op != x86.JCC {
		s.append(code...)
		return
	}
	// A branch over the instruction that follows it.
	before := *s
	s.append(code...)
	at := s.c.Len
	s.add()
	if s.c.Len == at || s.insts[len(s.insts)-1].Op == x86.JCC {
		*s = before
		return
	}
	s.c.Code[at-1] = s.c.Len - at
}

// Len is the length of the code so far.
func (s *sequence) Len() int { return int(s.c.Len) }

func (s *sequence) encode(row *x86.FormRow) []byte {
	var b []byte
	size := 4
	if s.IntN(4) == 0 && row.Op != x86.SHLD && row.Op != x86.SHRD && row.Op != x86.JCC {
		b, size = append(b, 0x66), 2
	}
	if row.Code > 0xFF {
		b = append(b, byte(row.Code>>8))
	}
	b = append(b, byte(row.Code)+byte(s.IntN(row.Span())))
	if row.HasModRM() {
		for {
			m := byte(s.Uint32())
			if s.IntN(3) == 0 || m < 0xC0 {
				m = m&0x38 | 0x40 | seqPointer
			}
			if row.Sel.Match(m) {
				b = append(b, m)
				break
			}
		}
		if b[len(b)-1] < 0xC0 {
			b = append(b, byte(s.IntN(40)))
		}
	}
	for _, a := range row.Args {
		switch a {
		case x86.Ib, x86.Ibs, x86.Jb:
			b = append(b, byte(word(s.Rand, 1)))
		case x86.Iz:
			b = append(b, binary.LittleEndian.AppendUint32(nil, word(s.Rand, size))[:size]...)
		}
	}
	return b
}

// allowed says whether an instruction leaves the registers alone that must
// keep their values, and its operand in the windows.
func (s *sequence) allowed(in *x86.Inst, row *x86.FormRow) bool {
	kept := func(n uint8, size uint8) bool {
		if size == 1 {
			n &= 3
		}
		return n == x86.ESP || n == seqPointer || s.loop && n == seqCounter
	}
	for i, a := range row.Args {
		writes := i == 0 && row.Flags&x86.DstW != 0 || i == 1 && row.Flags&x86.SrcW != 0
		if !writes {
			continue
		}
		switch a {
		case x86.Gb, x86.Gv, x86.Zb, x86.Zv:
			if kept(in.Reg, uint8(a.Size(in.OpSize))) {
				return false
			}
		case x86.Eb, x86.Ev, x86.Ew:
			if !in.Mem && kept(in.RM, uint8(a.Size(in.OpSize))) {
				return false
			}
		}
	}
	switch in.Op {
	case x86.BT, x86.BTS, x86.BTR, x86.BTC:
		return !in.Mem || row.Args[1] == x86.Ib
	case x86.AAM:
		return in.Imm != 0
	case x86.BSWAP:
		return in.OpSize == 4 // of 16 bits it is undefined
	case x86.POP, x86.PUSH:
		return true
	}
	return true
}

// taints fills in the taints and says whether no instruction reads a flag that
// is undefined.
func (s *sequence) taints() bool {
	flags, ok := s.pass(0)
	if ok && s.loop {
		flags, ok = s.pass(flags)
	}
	s.c.Taints = append(s.c.Taints, Taint{s.c.Len, flags})
	return ok
}

// pass follows the undefined flags through the sequence.
func (s *sequence) pass(flags uint32) (uint32, bool) {
	s.c.Taints = s.c.Taints[:0]
	at := uint8(0)
	skipped := uint32(0) // undefined where the branch before was taken
	for i := range s.insts {
		in := &s.insts[i]
		s.c.Taints = append(s.c.Taints, Taint{at, flags})
		use := in.Flags()
		if use.Reads&flags != 0 {
			return 0, false
		}
		was := flags
		flags = flags&^use.Kills | s.undefined(in)
		flags |= skipped
		skipped = 0
		if in.Op == x86.JCC && i+1 < len(s.insts) && at+in.Len < s.c.Len {
			skipped = was
		}
		at += in.Len
	}
	return flags, true
}

// undefined is the flags that an instruction may leave undefined.
func (s *sequence) undefined(in *x86.Inst) uint32 {
	args := x86.Forms[in.Form].Args
	for i := range openFlags {
		r := &openFlags[i]
		for _, op := range r.ops {
			if op != in.Op {
				continue
			}
			if args[1] == x86.CL || args[2] == x86.CL { // of the worst count
				worst := Case{}
				worst.R[x86.ECX] = 31
				return r.flags(&worst, in)
			}
			return r.flags(&s.c, in)
		}
	}
	return 0
}

// tainted is what is not compared of a sequence that ended at eip.
func (c *Case) tainted(eip uint32) undef {
	var u undef
	u.pointers()
	for _, t := range c.Taints {
		if c.Addr+uint32(t.At) == eip {
			u.flags = t.Flags
		}
	}
	return u
}

func (c *Case) describeSequence(b *strings.Builder) {
	b.WriteString("sequence\n")
	for code := c.Code[:c.Len]; len(code) > 0; {
		var in x86.Inst
		x86.Decode(code, x86.Mode32, &in)
		fmt.Fprintf(b, "    %-24s %v\n", fmt.Sprintf("% X", code[:in.Len]), &x86.Forms[in.Form])
		code = code[in.Len:]
	}
}
