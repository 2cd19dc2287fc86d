package wasm

import "alpinevm/cpu/x86"

var flagRules = map[x86.Op]rule{
	x86.CLC: {emit: carry}, x86.STC: {emit: carry}, x86.CMC: {emit: carry},
	x86.CLD: {emit: direction}, x86.STD: {emit: direction},
	x86.CLI: {emit: maskInterrupts},
	x86.STI: {emit: unmaskInterrupts},
}

// carry serves CLC, STC and CMC, which leave the other flags.
func carry(e *emitter) {
	if e.in.Live&x86.FlagCF == 0 {
		e.rec = record{}
		return
	}
	switch e.in.Op {
	case x86.CMC:
		e.pushCF()
		e.op(opI32Eqz)
	case x86.STC:
		e.i32(1)
	default:
		e.i32(0)
	}
	e.setCF()
}

// changeFlags changes bits of EFLAGS that are not arithmetic.
func (e *emitter) changeFlags(op byte, bits uint32) {
	e.get(lCore)
	e.get(lCore)
	e.mem(opI32Load, coreFlags)
	e.with(op, bits)
	e.mem(opI32Store, coreFlags)
}

func direction(e *emitter) {
	if e.in.Op == x86.CLD {
		e.changeFlags(opI32And, ^uint32(x86.FlagDF))
	} else {
		e.changeFlags(opI32Or, x86.FlagDF)
	}
}

// system leaves to the interpreter at any CPL but 0.
func (e *emitter) system() {
	e.get(lCore)
	e.mem(opI32Load8U, coreCPL)
	e.leaveIf(exitInst)
}

// maskInterrupts is CLI. While generated code runs no event is pending.
func maskInterrupts(e *emitter) {
	e.system()
	e.changeFlags(opI32And, ^uint32(x86.FlagIF))
}

// unmaskInterrupts is STI. Where no interrupt waits, that it holds them off for one
// more instruction makes no difference if that one follows in the block: nothing
// looks at pins in between.
func unmaskInterrupts(e *emitter) {
	if e.k == len(e.b.insts)-1 {
		e.leave(exitInst)
		return
	}
	e.system()
	e.get(lCore)
	e.mem(opI32Load8U, coreIntr)
	e.leaveIf(exitInst)
	e.changeFlags(opI32Or, x86.FlagIF)
}
