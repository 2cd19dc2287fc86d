package wasm

import "alpinevm/cpu/x86"

// String instructions, upwards, and of the repeated ones those that copy and fill
// and stay in their pages. The interpreter does the others.
var stringRules = map[x86.Op]rule{
	x86.MOVS: {takes: takesRepeated, emit: moveString},
	x86.STOS: {takes: takesRepeated, emit: storeString},
	x86.LODS: {takes: takesString, emit: loadString},
	x86.SCAS: {takes: takesString, emit: scanString},
	x86.CMPS: {takes: takesString, emit: compareString},
}

// takesString refuses segments that are not flat.
func takesString(in *x86.Inst) bool {
	return in.AddrSize == 4 && in.Prefix&(x86.PrefixRep|x86.PrefixRepne) == 0 && (in.Seg == x86.DS || in.Seg == x86.SS || in.Seg == x86.ES)
}

func takesRepeated(in *x86.Inst) bool {
	plain := *in
	plain.Prefix &^= x86.PrefixRep
	return takesString(&plain)
}

// upwards leaves to the interpreter where DF is set.
func (e *emitter) upwards() {
	e.get(lCore)
	e.mem(opI32Load8U, coreFlags+1)
	e.with(opI32And, x86.FlagDF>>8)
	e.leaveIf(exitInst)
}

// element looks up what ESI or EDI points to.
func (e *emitter) element(acc access, r uint8) {
	e.get(reg(r))
	e.check(acc, e.size())
}

// step moves ESI or EDI on.
func (e *emitter) step(r uint8) {
	e.get(reg(r))
	e.with(opI32Add, uint32(e.size()))
	e.set(reg(r))
}

func moveString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.repeat(true)
		return
	}
	e.element(forRead, x86.ESI)
	e.load(e.size())
	e.asm.set(lT)
	e.element(forWrite, x86.EDI)
	e.store(lT, e.size())
	e.step(x86.ESI)
	e.step(x86.EDI)
}

func storeString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.repeat(false)
		return
	}
	e.element(forWrite, x86.EDI)
	e.store(reg(x86.EAX), e.size())
	e.step(x86.EDI)
}

func loadString(e *emitter) {
	e.upwards()
	e.element(forRead, x86.ESI)
	e.load(e.size())
	e.setReg(x86.EAX, e.size())
	e.step(x86.ESI)
}

func scanString(e *emitter) {
	e.upwards()
	e.element(forRead, x86.EDI)
	e.getReg(x86.EAX, e.size())
	e.asm.set(lA)
	e.load(e.size())
	e.asm.set(lB)
	e.operate(opI32Sub, false)
	e.step(x86.EDI)
	e.setFlags(recSub)
}

func compareString(e *emitter) {
	e.upwards()
	e.element(forRead, x86.ESI)
	e.load(e.size())
	e.asm.set(lT)
	e.element(forRead, x86.EDI)
	e.get(lT)
	e.asm.set(lA)
	e.load(e.size())
	e.asm.set(lB)
	e.operate(opI32Sub, false)
	e.step(x86.ESI)
	e.step(x86.EDI)
	e.setFlags(recSub)
}

// repeated says that the instruction has a repeat prefix.
func (e *emitter) repeated() bool { return e.in.Prefix&x86.PrefixRep != 0 }

// repeat does all iterations of REP MOVS, which reads, or REP STOS at once, and takes
// all but the one that the block has counted from the budget. It leaves to the
// interpreter where there are more than that or than the pages have, where what is
// filled with are different bytes, and where what is read lies just below what is
// written, since each iteration then reads what an earlier one has written.
func (e *emitter) repeat(reads bool) {
	count := reg(x86.ECX)
	e.get(count)
	e.when()
	e.get(count)
	e.with(opI32Sub, 1)
	e.get(lBudget)
	e.op(opI32GtU)
	e.leaveIf(exitInst)
	e.get(count) // at most maxBudget+1
	e.with(opI32Shl, uint32(e.size()>>1))
	e.asm.set(lU)
	if reads {
		e.within(forRead, x86.ESI)
		e.asm.set(lT)
	} else if e.size() > 1 {
		e.alike()
	}
	e.within(forWrite, x86.EDI)
	if reads {
		e.asm.tee(lV)
		e.get(lT)
		e.op(opI32Sub)
		e.with(opI32Sub, 1)
		e.get(lU)
		e.with(opI32Sub, 1)
		e.op(opI32LtU)
		e.leaveIf(exitInst)
		e.get(lV)
		e.get(lT)
		e.get(lU)
		e.bulk(memoryCopy, 0, 0)
		e.advance(x86.ESI)
	} else {
		e.getReg(x86.EAX, 1)
		e.get(lU)
		e.bulk(memoryFill, 0)
	}
	e.advance(x86.EDI)
	e.spend(func() {
		e.get(count)
		e.with(opI32Sub, 1)
	})
	e.i32(0)
	e.set(count)
	e.done()
}

// alike leaves to the interpreter where the bytes of EAX, as far as they count, are
// not the same.
func (e *emitter) alike() {
	e.getReg(x86.EAX, 1)
	e.with(opI32Mul, 0x01010101&mask(e.size()))
	e.getReg(x86.EAX, e.size())
	e.op(opI32Ne)
	e.leaveIf(exitInst)
}

// within looks up what a register points to, lU bytes, and leaves to the interpreter
// where they are not all in one page. It pushes their address.
func (e *emitter) within(acc access, r uint8) {
	e.get(reg(r))
	e.with(opI32And, 0xfff)
	e.get(lU)
	e.op(opI32Add)
	e.with(opI32GtU, 0x1000)
	e.leaveIf(exitInst)
	e.get(reg(r))
	e.check(acc, 1)
	e.get(lPlace)
	e.with(opI32Add, e.layout.RAM)
}

// advance moves ESI or EDI on by lU bytes.
func (e *emitter) advance(r uint8) {
	e.get(reg(r))
	e.get(lU)
	e.op(opI32Add)
	e.set(reg(r))
}
