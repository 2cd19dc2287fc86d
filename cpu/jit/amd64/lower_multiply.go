//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

var multiplyRules = map[x86.Op]rule{
	x86.MUL:  {emit: multiply},
	x86.IMUL: {emit: multiply},
	x86.DIV:  {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: divide},
	x86.IDIV: {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: divideSigned},
}

// multiply serves MUL, and IMUL in its three forms.
func multiply(e *emitter) {
	in, a := e.in, e.args()
	w := e.width()
	if a[0] == x86.Gv {
		e.regRM(e.code(), read, true, false)
		switch a[2] {
		case x86.Ibs:
			e.hot.imm(in.Imm, w8)
		case x86.Iz:
			e.hot.imm(in.Imm, w)
		}
		e.multiplied(guest[in.Reg])
		return
	}
	e.operand(w)
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	e.hot.op(0, w, e.code(), in.ModRM>>3&7, direct(r11))
	if w == w8 {
		w = w16
	}
	e.hot.load(w, guest[x86.EAX], direct(rax)) // EDX is rdx
	e.multiplied(guest[x86.EAX])
}

// multiplied settles SF, ZF, AF and PF, which are undefined, where they are
// live: they follow the low half of the product, which is in r.
func (e *emitter) multiplied(r reg) {
	if e.in.Live&^(x86.FlagCF|x86.FlagOF) == 0 {
		return
	}
	a := &e.hot
	a.bytes(0x0f, 0x90, 0xc0) // SETO AL: so is CF
	a.op(0, w32, 0x0fb6, uint8(r10), direct(rax))
	code := uint32(0x85)
	if e.width() == w8 {
		code = 0x84
	}
	a.op(0, e.width(), code, uint8(r), direct(r)) // TEST
	a.bytes(0x9f, 0x0f, 0xb6, 0xc4)               // LAHF; MOVZX eax, ah
	a.bytes(0x24, 0xef)                           // AND AL, not AF
	a.op(0, w32, 0x09, uint8(r10), direct(rax))   // OR eax, r10d
	a.op(0, w8, 0x88, uint8(rax), at(r15, ctxFlags+1))
	a.op(0, w8, 0x88, uint8(r10), at(r15, ctxFlags))
	e.inContext()
}

// operand loads the r/m operand into r11.
func (e *emitter) operand(w width) {
	in := e.in
	switch {
	case in.Mem:
		m := e.memory(read, int(w))
		e.hot.load(w, r11, m)
	case w == w8:
		e.spoil()
		e.hot.load(w32, r11, direct(e.byteValue(in.RM, r11)))
	default:
		e.spoil()
		e.hot.load(w32, r11, direct(guest[in.RM]))
	}
}

// divide serves DIV of 32 bits where the quotient fits; the interpreter raises
// the exception where it does not.
func divide(e *emitter) {
	e.operand(w32)
	e.hot.op(0, w32, 0x3b, uint8(rdx), direct(r11)) // CMP edx, r11d
	e.hot.jcc(3, e.cold.pos())                      // JAE
	e.interpretCold()
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	e.hot.op(0, w32, 0xf7, 6, direct(r11))
	e.hot.load(w32, guest[x86.EAX], direct(rax))
}

// divideSigned serves IDIV of 32 bits of a dividend that is the sign extension
// of EAX by a divisor other than 0 and -1.
func divideSigned(e *emitter) {
	e.operand(w32)
	stub := e.cold.pos()
	e.hot.lea(rax, at(r11, 1))
	e.hot.aluImm(aluCMP, w32, direct(rax), 1)
	e.hot.jcc(6, stub) // JBE
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	e.hot.op(0, w32, 0xc1, 7, direct(rax)) // SAR
	e.hot.bytes(31)
	e.hot.op(0, w32, 0x3b, uint8(rax), direct(rdx))
	e.hot.jcc(condNZ, stub)
	e.interpretCold()
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	e.hot.op(0, w32, 0xf7, 7, direct(r11))
	e.hot.load(w32, guest[x86.EAX], direct(rax))
}

// interpretCold is the cold part of an instruction that the interpreter has to
// execute, with nothing changed so far.
func (e *emitter) interpretCold() {
	e.leave(&e.cold, exitInst(e))
}
