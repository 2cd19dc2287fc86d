//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

// Instructions of the kernel on EFLAGS. While generated code runs no event is
// pending.
var systemRules = map[x86.Op]rule{
	x86.CLI:  {emit: maskInterrupts, system: true},
	x86.STI:  {emit: unmaskInterrupts, system: true},
	x86.POPF: {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: popFlags, system: true},
	x86.CLAC: {emit: accessUser, system: true},
	x86.STAC: {emit: accessUser, system: true},
}

// maskInterrupts is CLI with the privilege to do it.
func maskInterrupts(e *emitter) {
	e.spoil()
	e.hot.aluImmLong(aluAND, at(rbp, stateFlags), ^int32(x86.FlagIF))
}

// unmaskInterrupts is STI with that privilege. Where no interrupt waits, that it
// holds them off for one more instruction makes no difference if that one
// follows in the block: nothing looks at pins in between.
func unmaskInterrupts(e *emitter) {
	if e.i == len(e.b.Insts)-1 {
		e.interpreted()
		return
	}
	a := &e.hot
	e.spoil()
	a.op(0, w8, 0x80, aluCMP, at(rbp, stateIntr))
	a.bytes(0)
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.aluImmLong(aluOR, at(rbp, stateFlags), x86.FlagIF)
}

// popFlags is POPF with all privileges, where no more than arithmetic flags, IF and DF
// change and no interrupt waits that IF lets in.
func popFlags(e *emitter) {
	const changes = x86.FlagIF | x86.FlagDF
	a := &e.hot
	flags := at(rbp, stateFlags)
	a.load(w32, r11, e.atTop())
	a.load(w32, rax, direct(r11))
	a.op(0, w32, 0x33, uint8(rax), flags) // XOR
	a.op(0, w32, 0xf7, 0, direct(rax))    // TEST
	other := x86.FlagsArith | changes | 2
	a.u32(^uint32(other))
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.op(0, w32, 0xf7, 0, direct(r11))
	a.u32(x86.FlagIF)
	a.bytes(0x74, 0) // JZ over the look
	over := len(a.b)
	a.op(0, w8, 0x80, aluCMP, at(rbp, stateIntr))
	a.bytes(0)
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.b[over-1] = byte(len(a.b) - over)
	a.aluImm(aluAND, w32, direct(rax), changes)
	a.op(0, w32, 0x31, uint8(rax), flags) // XOR
	a.store(w8, at(r15, ctxFlags+1), r11) // as LAHF has them
	a.shiftRight(r11, 11)
	a.aluImm(aluAND, w32, direct(r11), 1) // OF
	a.store(w8, at(r15, ctxFlags), r11)
	e.moveTop(4)
	e.inContext()
}

// accessUser serves STAC and CLAC, which lift SMAP and set it again.
func accessUser(e *emitter) {
	e.spoil()
	flags := at(rbp, stateFlags)
	if e.in.Op == x86.STAC {
		e.hot.aluImmLong(aluOR, flags, x86.FlagAC)
		e.hot.load(w64, r14, at(r15, ctxLifted))
	} else {
		e.hot.aluImmLong(aluAND, flags, ^int32(x86.FlagAC))
		e.hot.load(w64, r14, at(r15, ctxSystem))
	}
}
