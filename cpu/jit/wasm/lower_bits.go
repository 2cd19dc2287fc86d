package wasm

import (
	"alpinevm/cpu/x86"
)

var bitRules = map[x86.Op]rule{
	x86.BT: {takes: takesBit, emit: bitTest}, x86.BTS: {takes: takesBit, emit: bitTest},
	x86.BTR: {takes: takesBit, emit: bitTest}, x86.BTC: {takes: takesBit, emit: bitTest},
	x86.BSF: {emit: scan}, x86.BSR: {emit: scan},
}

// takesBit refuses strings of bits in memory by 16-bit numbers.
func takesBit(in *x86.Inst) bool { return !in.Mem || has(in, x86.Ib) || in.OpSize == 4 }

func bitTest(e *emitter) {
	a, size := e.args(), e.size()
	acc := forWrite
	if e.in.Op == x86.BT {
		acc = forRead
	}
	width := 8 * uint32(size)
	switch {
	case has(&e.in.Inst, x86.Ib):
		e.locateIf(acc, size)
		e.i32(e.in.Imm & (width - 1))
	case e.in.Mem:
		// A string of bits, which reaches both ways.
		e.segment(acc)
		e.address(0)
		e.getReg(e.in.Reg, size)
		e.with(opI32ShrS, 5)
		e.with(opI32Shl, 2)
		e.op(opI32Add)
		e.check(acc, size)
		fallthrough
	default:
		e.getReg(e.in.Reg, size)
		e.with(opI32And, width-1)
	}
	e.asm.set(lU)
	e.take(lV, a[0], size)
	if e.in.Op != x86.BT {
		e.get(lV)
		e.i32(1)
		e.get(lU)
		e.op(opI32Shl)
		switch e.in.Op {
		case x86.BTS:
			e.op(opI32Or)
		case x86.BTC:
			e.op(opI32Xor)
		default:
			e.with(opI32Xor, 1<<32-1)
			e.op(opI32And)
		}
		e.asm.set(lT)
		e.put(a[0], lT, size)
	}
	if e.in.Live&x86.FlagCF == 0 {
		e.rec = record{}
		return
	}
	e.get(lV)
	e.get(lU)
	e.op(opI32ShrU)
	e.with(opI32And, 1)
	e.setCF()
}

// scan serves BSF and BSR. A source of 0 leaves the destination alone and sets ZF.
func scan(e *emitter) {
	size := e.size()
	e.locateIf(forRead, size)
	e.take(lV, e.args()[1], size)
	e.get(lV)
	e.when()
	if e.in.Op == x86.BSF {
		e.get(lV)
		e.op(opI32Ctz)
	} else {
		e.i32(31)
		e.get(lV)
		e.op(opI32Clz, opI32Sub)
	}
	e.setReg(e.in.Reg, size)
	e.done()
	e.rec = record{}
	if e.in.Live&x86.FlagZF == 0 {
		return
	}
	e.get(lV)
	e.with(opI32Ne, 0)
	e.setZF()
}
