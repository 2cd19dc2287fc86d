package wasm

import "alpinevm/cpu/x86"

var aluRules = map[x86.Op]rule{
	x86.ADD: {emit: alu}, x86.OR: {emit: alu}, x86.ADC: {emit: alu}, x86.SBB: {emit: alu},
	x86.AND: {emit: alu}, x86.SUB: {emit: alu}, x86.XOR: {emit: alu}, x86.CMP: {emit: alu},
	x86.TEST: {emit: alu},
	x86.NOT:  {emit: not}, x86.NEG: {emit: negate}, x86.INC: {emit: count}, x86.DEC: {emit: count},
	x86.XADD: {emit: exchangeAdd}, x86.CMPXCHG: {emit: compareExchange}, x86.CMPXCHG8B: {emit: compareExchangePair},
}

// operation is what one of the operations of two operands does.
type operation struct {
	op     byte
	kind   recordKind
	carry  bool // CF takes part
	silent bool // only the flags change
}

var operations = map[x86.Op]operation{
	x86.ADD: {op: opI32Add, kind: recAdd}, x86.ADC: {op: opI32Add, kind: recAdd, carry: true},
	x86.SUB: {op: opI32Sub, kind: recSub}, x86.SBB: {op: opI32Sub, kind: recSub, carry: true},
	x86.CMP: {op: opI32Sub, kind: recSub, silent: true},
	x86.AND: {op: opI32And, kind: recLogic}, x86.TEST: {op: opI32And, kind: recLogic, silent: true},
	x86.OR: {op: opI32Or, kind: recLogic}, x86.XOR: {op: opI32Xor, kind: recLogic},
}

func alu(e *emitter) {
	o, a, size := operations[e.in.Op], e.args(), e.size()
	acc := forRead
	if _, ok := e.register(a[0]); !ok && !o.silent {
		acc = forWrite
	}
	e.locateIf(acc, size)
	e.take(lA, a[0], size)
	e.take(lB, a[1], size)
	e.operate(o.op, o.carry)
	if !o.silent {
		e.put(a[0], lR, size)
	}
	if o.carry {
		e.setFlagsCarried(o.kind)
	} else {
		e.setFlags(o.kind)
	}
}

// take sets a local to an operand.
func (e *emitter) take(l local, a x86.Arg, size uint8) {
	e.push(a, size)
	e.asm.set(l)
}

// operate computes lR of lA and lB, and of CF where that takes part.
func (e *emitter) operate(op byte, carry bool) {
	e.get(lA)
	e.get(lB)
	e.op(op)
	if carry {
		e.pushCF()
		e.op(op)
	}
	e.narrow(e.size())
	e.asm.set(lR)
}

// narrow clears what is above the size.
func (e *emitter) narrow(size uint8) {
	if size < 4 {
		e.with(opI32And, mask(size))
	}
}

// setFlagsCarried is setFlags where CF has taken part.
func (e *emitter) setFlagsCarried(kind recordKind) {
	e.rec = record{recResult, e.size()}
	if e.needed(recResult) == 0 {
		return
	}
	e.setRes()
	e.carries(kind)
	e.set(lAux)
}

func not(e *emitter) {
	a, size := e.args()[0], e.size()
	e.locateIf(forWrite, size)
	e.push(a, size)
	e.with(opI32Xor, 1<<32-1)
	e.asm.set(lT)
	e.put(a, lT, size)
}

// negate is 0 less the operand.
func negate(e *emitter) {
	a, size := e.args()[0], e.size()
	e.locateIf(forWrite, size)
	e.i32(0)
	e.asm.set(lA)
	e.take(lB, a, size)
	e.operate(opI32Sub, false)
	e.put(a, lR, size)
	e.setFlags(recSub)
}

// count serves INC and DEC, which leave CF alone.
func count(e *emitter) {
	a, size := e.args()[0], e.size()
	op, kind := byte(opI32Add), recAdd
	if e.in.Op == x86.DEC {
		op, kind = opI32Sub, recSub
	}
	e.locateIf(forWrite, size)
	e.take(lA, a, size)
	e.i32(1)
	e.asm.set(lB)
	e.operate(op, false)
	e.put(a, lR, size)
	e.rec = record{recResult, size}
	need := e.needed(recResult)
	if need == 0 {
		return
	}
	e.setRes()
	if (need|e.in.Live)&carries == 0 {
		e.i32(0)
		e.set(lAux)
		return
	}
	// The carries of the operation, with CF as it was.
	e.carries(kind)
	e.asm.set(lU)
	e.get(lU)
	e.get(lU)
	e.get(lAux)
	e.op(opI32Xor)
	e.turnCF()
}

func exchangeAdd(e *emitter) {
	a, size := e.args(), e.size()
	e.locateIf(forWrite, size)
	e.take(lA, a[0], size)
	e.take(lB, a[1], size)
	e.operate(opI32Add, false)
	e.put(a[1], lA, size)
	e.put(a[0], lR, size)
	e.setFlags(recAdd)
}

// compareExchange writes memory in either case (SDM vol. 2A, CMPXCHG).
func compareExchange(e *emitter) {
	a, size := e.args(), e.size()
	e.locateIf(forWrite, size)
	e.getReg(x86.EAX, size)
	e.asm.set(lA)
	e.take(lB, a[0], size)
	e.operate(opI32Sub, false)
	e.get(lR)
	e.op(opI32Eqz)
	e.when()
	e.take(lT, a[1], size)
	e.put(a[0], lT, size)
	e.otherwise()
	if e.in.Mem {
		e.store(lB, size)
	}
	e.get(lB)
	e.setReg(x86.EAX, size)
	e.done()
	e.setFlags(recSub)
}

// compareExchangePair is CMPXCHG8B. Where the pairs differ it writes what is there,
// which a processor that is alone cannot tell from nothing.
func compareExchangePair(e *emitter) {
	pair := func(high, low uint8) {
		e.get(reg(high))
		e.op(opI64ExtendU32)
		e.i64(32)
		e.op(opI64Shl)
		e.get(reg(low))
		e.op(opI64ExtendU32, opI64Or)
	}
	e.locate(forWrite, 8)
	e.get(lPlace)
	e.mem(opI64Load, e.layout.RAM)
	e.asm.tee(lWide)
	pair(x86.EDX, x86.EAX)
	e.op(opI64Ne)
	e.asm.tee(lV)
	e.when()
	e.get(lWide)
	e.op(opI32WrapI64)
	e.set(reg(x86.EAX))
	e.get(lWide)
	e.i64(32)
	e.op(opI64ShrU, opI32WrapI64)
	e.set(reg(x86.EDX))
	e.otherwise()
	e.get(lPlace)
	pair(x86.ECX, x86.EBX)
	e.mem(opI64Store, e.layout.RAM)
	e.done()
	e.rec = record{}
	if e.in.Live&x86.FlagZF != 0 {
		e.get(lV)
		e.setZF()
	}
}
