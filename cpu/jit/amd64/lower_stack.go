//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

var stackRules = map[x86.Op]rule{
	x86.PUSH:  {takes: takesPush, emit: push},
	x86.POP:   {takes: takesPop, emit: pop},
	x86.LEAVE: {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: leaveFrame},
}

func exitInst(e *emitter) uint32 { return jit.ExitID(jit.ExitInst, e.b.Index, e.i) }

// takesStack refuses 16-bit operands and segment registers.
func takesStack(in *x86.Inst) bool {
	switch x86.Forms[in.Form].Args[0] {
	case x86.Zv, x86.Ev, x86.Ibs, x86.Iz:
		return in.OpSize == 4
	}
	return false
}

func takesPush(in *x86.Inst) bool { return takesStack(in) || ofSegment(in) && in.OpSize == 4 }

func takesPop(in *x86.Inst) bool {
	return takesStack(in) || ofSegment(in) && in.OpSize == 4 && loadable(in)
}

// below looks up the place of the 4 bytes below the top of the stack.
func (e *emitter) below() loc {
	e.spoil()
	e.hot.lea(rax, at(regESP, -4))
	return e.check(write, rax, 4)
}

// moveTop moves the top of the stack by n bytes, without touching the flags.
func (e *emitter) moveTop(n int32) { e.hot.lea(regESP, at(regESP, n)) }

// atTop looks up the place of those at the top.
func (e *emitter) atTop() loc {
	e.spoil()
	e.hot.load(w32, rax, direct(regESP))
	return e.check(read, rax, 4)
}

func push(e *emitter) {
	in := e.in
	if ofSegment(&in.Inst) {
		e.pushSegment()
		return
	}
	switch e.args()[0] {
	case x86.Ibs, x86.Iz:
		e.hot.op(0, w32, 0xc7, 0, e.below())
		e.hot.u32(in.Imm)
	default:
		r := guest[in.Reg]
		if e.args()[0] == x86.Ev {
			r = guest[in.RM&7]
		}
		if in.Mem {
			e.hot.load(w32, r11, e.memory(read, 4))
			r = r11
		}
		e.hot.store(w32, e.below(), r)
	}
	e.moveTop(-4)
}

func pop(e *emitter) {
	if ofSegment(&e.in.Inst) {
		e.popSegment()
		return
	}
	if e.in.Mem {
		e.popMemory()
		return
	}
	n := e.in.Reg
	if e.args()[0] == x86.Ev {
		n = e.in.RM
	}
	e.hot.load(w32, guest[n], e.atTop())
	if n != x86.ESP {
		e.moveTop(4)
	}
}

// popMemory serves POP to memory, whose address counts from where ESP is behind
// it (SDM vol. 2B, POP).
func (e *emitter) popMemory() {
	e.hot.load(w32, r11, e.atTop())
	plus := uint32(0)
	if e.in.Base == x86.ESP {
		plus = 4
	}
	e.addressPlus(write, rax, plus)
	e.hot.store(w32, e.check(write, rax, 4), r11)
	e.moveTop(4)
}

func leaveFrame(e *emitter) {
	e.spoil()
	e.hot.load(w32, rax, direct(regEBP))
	place := e.check(read, rax, 4)
	e.hot.lea(regESP, at(regEBP, 4))
	e.hot.load(w32, regEBP, place)
}
