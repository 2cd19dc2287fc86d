//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

var branchRules = map[x86.Op]rule{
	x86.JCC:   {takes: takesBranch, emit: branchIf},
	x86.JMP:   {takes: takesBranch, emit: jump},
	x86.LOOP:  {takes: takesLoop, emit: loop},
	x86.JECXZ: {takes: takesLoop, emit: branchIfZero},
}

func takesBranch(in *x86.Inst) bool { return in.OpSize == 4 }

func takesLoop(in *x86.Inst) bool { return in.OpSize == 4 && in.AddrSize == 4 }

func branchIf(e *emitter) {
	e.restore()
	e.branch(e.in.Cond, e.b.Edges[0])
	e.next()
}

// next ends a block whose last instruction did not branch.
func (e *emitter) next() {
	if e.falls != nil {
		e.fallInto(e.falls)
	} else {
		e.jump(e.b.Edges[1])
	}
}

func jump(e *emitter) {
	in := e.in
	if e.b.Edges[0] != 0 {
		e.jump(e.b.Edges[0])
		return
	}
	if in.Mem {
		m := e.memory(read, 4)
		e.hot.load(w32, rax, m)
	} else {
		e.hot.load(w32, rax, direct(guest[in.RM]))
	}
	e.jumpIndirect()
}

// jumpIndirect goes to the linear address in eax, by the table of jumps.
func (e *emitter) jumpIndirect() {
	if e.inHost && !e.inMem {
		e.hot.load(w32, r11, direct(rax))
		e.save()
		e.hot.load(w32, rax, direct(r11))
	}
	a := &e.hot
	jumps, gen := jumpsAt(e.b.User), int32(0)
	if e.b.User {
		gen = 8
	}
	a.load(w32, r10, direct(rax))
	a.aluImm(aluAND, w32, direct(r10), (jit.JumpSize-1)<<jit.JumpShift)
	a.op(0, w64, 0x0b, uint8(rax), at(r15, ctxGen+gen)) // OR
	a.op(0, w64, 0x39, uint8(rax), indexed(r15, r10, 4-jit.JumpShift, jumps))
	a.jcc(condNZ, e.cold.pos())
	a.op(0, w32, 0xff, 4, indexed(r15, r10, 4-jit.JumpShift, jumps+8)) // JMP
	e.cold.store(w32, at(r15, ctxEIP), rax)
	e.leave(&e.cold, jit.ExitID(jit.ExitJump, e.b.Index, 0))
}

// loop counts without touching the flags.
func loop(e *emitter) {
	e.hot.lea(rcx, at(rcx, -1))
	e.hot.bytes(0x67, 0xe3, 5) // JECXZ over the jump
	e.jump(e.b.Edges[0])
	e.next()
}

func branchIfZero(e *emitter) {
	e.hot.bytes(0x67, 0xe3, 2, 0xeb, 5) // JECXZ to the jump; JMP over it
	e.jump(e.b.Edges[0])
	e.next()
}
