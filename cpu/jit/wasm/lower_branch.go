package wasm

import "alpinevm/cpu/x86"

var branchRules = map[x86.Op]rule{
	x86.JCC:   {takes: wide, emit: branchIf},
	x86.JMP:   {takes: takesJump, emit: jump},
	x86.LOOP:  {takes: takesLoop, emit: loop},
	x86.JECXZ: {takes: takesLoop, emit: branchIfZero},
}

func takesJump(in *x86.Inst) bool {
	switch x86.Forms[in.Form].Args[0] {
	case x86.Jb, x86.Jz, x86.Ev:
		return in.OpSize == 4
	}
	return false
}

func takesLoop(in *x86.Inst) bool { return in.OpSize == 4 && in.AddrSize == 4 }

func branchIf(e *emitter) {
	e.pushCond(e.in.Cond)
	e.branch()
}

// branch takes the branch where the word on the stack is not 0.
func (e *emitter) branch() {
	eip, _ := target(e.in)
	e.goToIf(eip)
	e.goTo(e.in.Next())
}

func jump(e *emitter) {
	if eip, ok := target(e.in); ok {
		e.goTo(eip)
		return
	}
	e.locateIf(forRead, 4)
	e.take(lT, e.args()[0], 4)
	e.goToLocal(lT)
}

// loop counts without touching the flags.
func loop(e *emitter) {
	e.get(reg(x86.ECX))
	e.with(opI32Sub, 1)
	e.set(reg(x86.ECX))
	e.get(reg(x86.ECX))
	e.branch()
}

func branchIfZero(e *emitter) {
	e.get(reg(x86.ECX))
	e.op(opI32Eqz)
	e.branch()
}
