package wasm

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

var shiftRules = map[x86.Op]rule{
	x86.ROL: {emit: shift}, x86.ROR: {emit: shift},
	x86.SHL: {emit: shift}, x86.SHR: {emit: shift}, x86.SAR: {emit: shift},
	x86.SHLD: {takes: wide, emit: shift}, x86.SHRD: {takes: wide, emit: shift},
}

// shift serves shifts by a constant, and those by CL, where a count of 0 changes
// nothing but, for memory, still needs the right to write.
func shift(e *emitter) {
	a, size := e.args(), e.size()
	e.locateIf(forWrite, size)
	byCL := has(&e.in.Inst, x86.CL)
	n := e.in.Imm & 31
	if !has(&e.in.Inst, x86.Ib) {
		n = 1
	}
	if !byCL && n == 0 {
		return
	}
	e.take(lA, a[0], size)
	if byCL {
		e.get(reg(x86.ECX))
		e.with(opI32And, 31)
		e.asm.set(lB)
		e.get(lB)
		e.when()
	} else {
		e.i32(n)
		e.asm.set(lB)
	}
	shifts[e.in.Op](e, size)
	if byCL {
		e.done()
	}
}

// shifts shift lA by lB, which is 1 to 31, write the result and set the flags.
var shifts = map[x86.Op]func(e *emitter, size uint8){
	x86.SHL: shiftLeft, x86.SHR: shiftRight, x86.SAR: shiftSigned,
	x86.ROL: rotate, x86.ROR: rotate, x86.SHLD: shiftDouble, x86.SHRD: shiftDouble,
}

// finish takes the result from the stack.
func (e *emitter) finish(size uint8) {
	e.narrow(size)
	e.asm.set(lR)
	e.put(e.args()[0], lR, size)
}

// out pushes lA shifted by one less than the count, with op.
func (e *emitter) out(op byte) {
	e.get(lA)
	e.get(lB)
	e.with(opI32Sub, 1)
	e.op(op)
}

func shiftLeft(e *emitter, size uint8) {
	e.get(lA)
	e.get(lB)
	e.op(opI32Shl)
	e.finish(size)
	// CF is the last bit out; OF is it xor the new top bit.
	e.setShift(func() {
		e.out(opI32Shl)
		if n := uint32(4-size) * 8; n != 0 {
			e.with(opI32Shl, n)
		}
		e.with(opI32And, cpu.AuxCF)
		e.topAt30(size)
		e.op(opI32Or)
	})
}

// topAt30 pushes the top bit of the result in bit 30.
func (e *emitter) topAt30(size uint8) {
	e.get(lR)
	if n := int(8*size) - 1 - 30; n > 0 {
		e.with(opI32ShrU, uint32(n))
	} else {
		e.with(opI32Shl, uint32(-n))
	}
	e.with(opI32And, cpu.AuxPO)
}

// secondAt30 pushes the bit below it there.
func (e *emitter) secondAt30(size uint8) {
	e.get(lR)
	if n := uint32(32 - 8*size); n != 0 {
		e.with(opI32Shl, n)
	}
	e.with(opI32And, cpu.AuxPO)
}

func shiftRight(e *emitter, size uint8) {
	e.get(lA)
	e.get(lB)
	e.op(opI32ShrU)
	e.finish(size)
	// OF is the two top bits of the result xored.
	e.setShift(func() {
		e.out(opI32ShrU)
		e.with(opI32Shl, 31)
		e.asm.set(lT)
		e.carryAndTops(size)
	})
}

// carryAndTops pushes CF, which is in bit 31 of lT, and below it CF xor the two top
// bits of the result.
func (e *emitter) carryAndTops(size uint8) {
	e.get(lT)
	e.get(lT)
	e.with(opI32ShrU, 1)
	e.topAt30(size)
	e.op(opI32Xor)
	e.secondAt30(size)
	e.op(opI32Xor, opI32Or)
}

func shiftSigned(e *emitter, size uint8) {
	e.get(lA)
	e.signExtend(size)
	e.asm.set(lA)
	e.get(lA)
	e.get(lB)
	e.op(opI32ShrS)
	e.finish(size)
	e.setShift(func() { // OF is clear
		e.out(opI32ShrS)
		e.with(opI32Shl, 31)
		e.with(opI32ShrS, 1)
		e.with(opI32And, cpu.AuxCF|cpu.AuxPO)
	})
}

// rotate changes no flags but CF and OF.
func rotate(e *emitter, size uint8) {
	left := e.in.Op == x86.ROL
	if size == 4 {
		e.get(lA)
		e.get(lB)
		e.op(map[bool]byte{true: opI32Rotl, false: opI32Rotr}[left])
	} else {
		// Twice the operand, in which the shift brings in its other end.
		e.get(lA)
		e.get(lA)
		e.with(opI32Shl, 8*uint32(size))
		e.op(opI32Or)
		e.get(lB)
		e.with(opI32And, 8*uint32(size)-1)
		if left {
			e.asm.set(lT)
			e.i32(8 * uint32(size))
			e.get(lT)
			e.op(opI32Sub)
		}
		e.op(opI32ShrU)
	}
	e.finish(size)
	e.rec = record{}
	if e.in.Live&(x86.FlagCF|x86.FlagOF) == 0 {
		return // the others stay
	}
	if left { // CF is the lowest bit, OF it xor the top one
		e.get(lR)
		e.with(opI32Shl, 31)
		e.topAt30(size)
		e.op(opI32Or)
	} else { // CF is the top bit, OF it xor the one below
		e.topAt30(size)
		e.with(opI32Shl, 1)
		e.secondAt30(size)
		e.op(opI32Or)
	}
	e.setCFOF()
}

func shiftDouble(e *emitter, size uint8) {
	left, right := byte(opI32Shl), byte(opI32ShrU)
	if e.in.Op == x86.SHRD {
		left, right = right, left
	}
	e.get(lA)
	e.get(lB)
	e.op(left)
	e.push(e.args()[1], size)
	e.i32(32)
	e.get(lB)
	e.op(opI32Sub, right, opI32Or)
	e.finish(size)
	e.setShift(func() {
		e.out(left)
		if e.in.Op == x86.SHLD {
			e.with(opI32And, cpu.AuxCF)
			e.topAt30(size)
			e.op(opI32Or)
			return
		}
		e.with(opI32Shl, 31)
		e.asm.set(lT)
		e.carryAndTops(size)
	})
}
