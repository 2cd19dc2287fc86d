package wasm

import (
	"alpinevm/cpu/x86"
)

var multiplyRules = map[x86.Op]rule{
	x86.MUL:  {takes: wide, emit: multiplyWide},
	x86.IMUL: {takes: takesMultiply, emit: multiply},
	x86.DIV:  {takes: wide, emit: divide},
	x86.IDIV: {takes: wide, emit: divide},
}

// takesMultiply refuses products that go to two registers, but of 32 bits.
func takesMultiply(in *x86.Inst) bool { return in.OpSize == 4 || has(in, x86.Gv) }

// pushWide pushes a word as 64 bits.
func (e *emitter) pushWide(push func(), signed bool) {
	push()
	e.op(map[bool]byte{true: opI64ExtendI32, false: opI64ExtendU32}[signed])
}

// setPair sets EDX and EAX to lWide.
func (e *emitter) setPair() {
	e.asm.get(lWide)
	e.op(opI32WrapI64)
	e.set(reg(x86.EAX))
	e.asm.get(lWide)
	e.i64(32)
	e.op(opI64ShrU, opI32WrapI64)
	e.set(reg(x86.EDX))
}

// setProduct sets flags by the low half of lWide, which is in lR, and by the word
// on the stack, 1 where the product does not fit.
func (e *emitter) setProduct(overflow func()) {
	e.setShift(func() {
		overflow()
		e.with(opI32Shl, 31)
	})
}

func multiplyWide(e *emitter) {
	e.locateIf(forRead, 4)
	e.pushWide(func() { e.get(reg(x86.EAX)) }, false)
	e.pushWide(func() { e.push(e.args()[0], 4) }, false)
	e.op(opI64Mul)
	e.asm.set(lWide)
	e.setPair()
	e.get(reg(x86.EAX))
	e.asm.set(lR)
	e.setProduct(func() {
		e.get(reg(x86.EDX))
		e.with(opI32Ne, 0)
	})
}

// multiply serves IMUL in its three forms.
func multiply(e *emitter) {
	a, size := e.args(), e.size()
	e.locateIf(forRead, size)
	signed := func(arg x86.Arg) {
		e.pushWide(func() {
			e.push(arg, size)
			e.signExtend(size)
		}, true)
	}
	switch {
	case a[1] == x86.None:
		signed(a[0])
		e.pushWide(func() { e.get(reg(x86.EAX)) }, true)
	case a[2] == x86.None:
		signed(a[0])
		signed(a[1])
	default:
		signed(a[1])
		signed(a[2])
	}
	e.op(opI64Mul)
	e.asm.set(lWide)
	e.asm.get(lWide)
	e.op(opI32WrapI64)
	e.narrow(size)
	e.asm.set(lR)
	if a[1] == x86.None {
		e.setPair()
	} else {
		e.put(a[0], lR, size)
	}
	e.setProduct(func() {
		e.pushWide(func() {
			e.get(lR)
			e.signExtend(size)
		}, true)
		e.asm.get(lWide)
		e.op(opI64Ne)
	})
}

// divide leaves to the interpreter what raises an exception or might: a divisor of 0,
// and a quotient that does not fit. WebAssembly traps on the one, and on the least
// number divided by -1, so IDIV leaves -1 to it as well.
func divide(e *emitter) {
	signed := e.in.Op == x86.IDIV
	e.locateIf(forRead, 4)
	e.take(lT, e.args()[0], 4)
	e.get(lT)
	div, rem := byte(opI64DivU), byte(opI64RemU)
	if signed {
		div, rem = opI64DivS, opI64RemS
		e.with(opI32Add, 1)
		e.with(opI32LeU, 1)
	} else {
		e.op(opI32Eqz)
	}
	e.leaveIf(exitInst)
	e.pushWide(func() { e.get(reg(x86.EDX)) }, false)
	e.i64(32)
	e.op(opI64Shl)
	e.pushWide(func() { e.get(reg(x86.EAX)) }, false)
	e.op(opI64Or)
	e.asm.set(lWide)
	divisor := func() { e.pushWide(func() { e.get(lT) }, signed) }
	e.asm.get(lWide)
	divisor()
	e.op(div)
	e.asm.set(lWide2)
	e.asm.get(lWide2)
	e.pushWide(func() {
		e.asm.get(lWide2)
		e.op(opI32WrapI64)
	}, signed)
	e.op(opI64Ne)
	e.leaveIf(exitInst)
	e.asm.get(lWide)
	divisor()
	e.op(rem, opI32WrapI64)
	e.set(reg(x86.EDX))
	e.asm.get(lWide2)
	e.op(opI32WrapI64)
	e.set(reg(x86.EAX))
}
