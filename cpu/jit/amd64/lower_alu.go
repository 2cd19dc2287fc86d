//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

var aluRules = map[x86.Op]rule{
	x86.ADD: {emit: alu}, x86.OR: {emit: alu}, x86.ADC: {emit: alu}, x86.SBB: {emit: alu},
	x86.AND: {emit: alu}, x86.SUB: {emit: alu}, x86.XOR: {emit: alu}, x86.CMP: {emit: alu},
	x86.TEST: {emit: test},
	x86.NOT:  {emit: unary}, x86.NEG: {emit: unary}, x86.INC: {emit: unary}, x86.DEC: {emit: unary},
	x86.ROL: {takes: takesShift, emit: shift}, x86.ROR: {takes: takesShift, emit: shift}, x86.RCL: {takes: takesShift, emit: shift}, x86.RCR: {takes: takesShift, emit: shift},
	x86.SHL: {takes: takesShift, emit: shift}, x86.SHR: {takes: takesShift, emit: shift}, x86.SAR: {takes: takesShift, emit: shift},
	x86.SHLD: {takes: takesDouble, emit: doubleShift}, x86.SHRD: {takes: takesDouble, emit: doubleShift},
}

// alu serves the eight operations of the first group (SDM vol. 2D table A-2).
func alu(e *emitter) {
	compares := e.in.Op == x86.CMP
	table := write
	if compares {
		table = read
	}
	switch a := e.args(); a[0] {
	case x86.Eb, x86.Ev:
		if a[1] == x86.Gb || a[1] == x86.Gv {
			e.regRM(e.code(), table, false, !compares)
			return
		}
		e.immediate(e.in.ModRM>>3&7, table, !compares)
	case x86.Gb, x86.Gv:
		e.regRM(e.code(), read, !compares, false)
	default:
		e.immediate(uint8(e.code()>>3&7), read, !compares)
	}
}

// immediate appends operation number n of the group with the immediate.
func (e *emitter) immediate(n uint8, table int, changes bool) {
	w := e.width()
	v := e.in.Imm
	switch {
	case w == w8:
		e.rmOnly(0x80, n, table, changes)
		e.hot.imm(v, w8)
		if changes {
			e.settle()
		}
	case int32(int8(v)) == int32(v) || w == w16 && int16(int8(v)) == int16(v):
		e.rmOnly(0x83, n, table, changes)
		e.hot.imm(v, w8)
	default:
		e.rmOnly(0x81, n, table, changes)
		e.hot.imm(v, w)
	}
}

func test(e *emitter) {
	if a := e.args()[1]; a == x86.Gb || a == x86.Gv {
		e.regRM(e.code(), read, false, false)
		return
	}
	if w := e.width(); w == w8 {
		e.rmOnly(0xf6, 0, read, false)
		e.hot.imm(e.in.Imm, w8)
	} else {
		e.rmOnly(0xf7, 0, read, false)
		e.hot.imm(e.in.Imm, w)
	}
}

// unary serves NOT, NEG, INC and DEC; the one-byte forms of INC and DEC are
// prefixes in 64-bit code.
func unary(e *emitter) {
	code, n := e.code(), e.in.ModRM>>3&7
	if e.args()[0] == x86.Zv {
		code, n = 0xff, uint8(e.code()>>3&1)
	}
	e.rmOnly(code, n, write, true)
	e.settle()
}

// takesShift refuses CH shifted by CL, which turning would lose.
func takesShift(in *x86.Inst) bool {
	return in.Mem || in.OpSize != 1 || in.RM != 4+x86.ECX || !has(in, x86.CL)
}

func shift(e *emitter) {
	e.keepCount()
	e.rmOnly(e.code(), e.in.ModRM>>3&7, write, true)
	if has(&e.in.Inst, x86.Ib) {
		e.hot.imm(e.in.Imm, w8)
	}
	e.settle()
	e.shifted()
}

// takesDouble refuses counts that may reach the operand's size or exceed it, of
// which OF or the result is undefined.
func takesDouble(in *x86.Inst) bool {
	return in.OpSize == 4 || has(in, x86.Ib) && in.Imm&31 < 16
}

func doubleShift(e *emitter) {
	e.keepCount()
	e.regRM(e.code(), write, false, true)
	if has(&e.in.Inst, x86.Ib) {
		e.hot.imm(e.in.Imm, w8)
	}
	e.shifted()
}

// settlesAF says whether a shift is by CL, where AF is live: it is cleared
// unless the count is 0, which leaves it.
func (e *emitter) settlesAF() bool {
	return has(&e.in.Inst, x86.CL) && e.in.Live&x86.FlagAF != 0 && shifts(e.in.Op)
}

// keepCount copies the count of such a shift of a register, which may be ECX.
func (e *emitter) keepCount() {
	if e.settlesAF() && !e.in.Mem {
		e.hot.load(w32, r10, direct(rcx))
	}
}

// shifted follows it.
func (e *emitter) shifted() {
	if !e.settlesAF() {
		return
	}
	a := &e.hot
	a.bytes(0x9f, 0x0f, 0x90, 0xc0) // LAHF; SETO AL
	count := rcx
	if !e.in.Mem {
		count = r10
	}
	if !e.wrongAF { // else AF is clear, whatever the count: a shift before has left it so
		a.op(0, w8, 0xf6, 0, direct(count)) // TEST count, 31
		a.bytes(31)
		a.bytes(0x74, 3) // JZ over what follows
	}
	andAH(a, 0xef)
	a.store(w16, at(r15, ctxFlags), rax)
	e.inContext()
}
