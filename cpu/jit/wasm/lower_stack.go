package wasm

import "alpinevm/cpu/x86"

var stackRules = map[x86.Op]rule{
	x86.PUSH:  {takes: func(in *x86.Inst) bool { return takesStack(in) || ofSegment(in) && wide(in) }, emit: push},
	x86.POP:   {takes: takesStack, emit: pop},
	x86.LEAVE: {takes: wide, emit: leaveFrame},
	x86.CALL:  {takes: takesCall, emit: call},
	x86.RET:   {takes: wide, emit: ret},
	x86.PUSHF: {takes: wide, emit: pushFlags},
}

// takesStack refuses 16-bit operands and segment registers.
func takesStack(in *x86.Inst) bool {
	switch x86.Forms[in.Form].Args[0] {
	case x86.Zv, x86.Ev, x86.Ibs, x86.Iz:
		return in.OpSize == 4
	}
	return false
}

// ofSegment says that the operand is a segment register.
func ofSegment(in *x86.Inst) bool {
	switch x86.Forms[in.Form].Args[0] {
	case x86.SegES, x86.SegCS, x86.SegSS, x86.SegDS, x86.SegFS, x86.SegGS:
		return true
	}
	return false
}

// takesCall refuses far ones by their operands.
func takesCall(in *x86.Inst) bool {
	a := x86.Forms[in.Form].Args[0]
	return in.OpSize == 4 && (a == x86.Jz || a == x86.Ev)
}

// pushLocal pushes a word onto the guest's stack.
func (e *emitter) pushLocal(word func()) { e.pushPart(4, word) }

// pushPart pushes a word of which it writes so many bytes.
func (e *emitter) pushPart(size uint8, word func()) {
	e.get(reg(x86.ESP))
	e.with(opI32Sub, 4)
	e.check(forWrite, 4)
	e.get(lPlace)
	word()
	e.storeStack(size)
	e.get(reg(x86.ESP))
	e.with(opI32Sub, 4)
	e.set(reg(x86.ESP))
}

// top pushes the word at the top of the guest's stack.
func (e *emitter) top() {
	e.get(reg(x86.ESP))
	e.check(forRead, 4)
	e.load(4)
}

func (e *emitter) moveTop(n uint32) {
	e.get(reg(x86.ESP))
	e.with(opI32Add, n)
	e.set(reg(x86.ESP))
}

func push(e *emitter) {
	a := e.args()[0]
	if ofSegment(&e.in.Inst) {
		e.pushPart(2, e.selector)
		return
	}
	if e.in.Mem {
		e.locate(forRead, 4)
		e.load(4)
		e.asm.set(lT)
		e.pushLocal(func() { e.get(lT) })
		return
	}
	e.pushLocal(func() { e.push(a, 4) })
}

func pop(e *emitter) {
	n, ok := e.register(e.args()[0])
	e.top()
	if ok {
		e.asm.set(lT)
		e.moveTop(4)
		e.get(lT)
		e.set(reg(n))
		return
	}
	// The address counts from where ESP is behind it (SDM vol. 2B, POP).
	e.asm.set(lT)
	plus := uint32(0)
	if e.in.Base == x86.ESP {
		plus = 4
	}
	e.segment(forWrite)
	e.address(plus)
	e.check(forWrite, 4)
	e.store(lT, 4)
	e.moveTop(4)
}

func leaveFrame(e *emitter) {
	e.get(reg(x86.EBP))
	e.check(forRead, 4)
	e.get(reg(x86.EBP))
	e.with(opI32Add, 4)
	e.set(reg(x86.ESP))
	e.load(4)
	e.set(reg(x86.EBP))
}

func call(e *emitter) {
	next := e.in.Next()
	if eip, ok := target(e.in); ok {
		e.pushLocal(func() { e.linear(next) })
		if e.r.find(eip) >= 0 {
			e.goTo(eip)
			return
		}
		e.follow(next, func() { e.linear(eip) })
		return
	}
	e.locateIf(forRead, 4)
	e.take(lT, e.args()[0], 4)
	e.pushLocal(func() { e.linear(next) })
	e.follow(next, func() { e.get(lT) })
}

// follow goes to the linear address that to pushes, and on at next, where that is in the
// region and the guest returns there before code is left.
func (e *emitter) follow(next uint32, to func()) {
	e.get(lCore)
	to()
	e.mem(opI32Store, coreEIP)
	if e.r.find(next) < 0 {
		e.jump()
		return
	}
	e.storeHeld()
	e.get(lCore)
	e.get(lTLB)
	e.linear(next)
	e.op(opCall)
	e.u(followFunc)
	e.asm.tee(lT)
	e.with(opI32Xor, leaveJump)
	e.get(lCore)
	e.mem(opI32Load, coreEIP)
	e.linear(next)
	e.op(opI32Xor, opI32Or)
	e.when()
	e.get(lT)
	e.op(opReturn)
	e.done()
	e.get(lCore)
	e.mem(opI32Load, coreBudget)
	e.asm.set(lBudget)
	e.noteShift(e.layout)
	e.goTo(next)
}

func ret(e *emitter) {
	e.top()
	e.asm.set(lT)
	n := uint32(4)
	if e.args()[0] != x86.None {
		n += e.in.Imm & 0xffff
	}
	e.moveTop(n)
	callers := e.r.callers(e.in.EIP)
	e.storeHeld()
	if len(callers) > 0 {
		e.get(lT)
		e.get(lShift)
		e.op(opI32Sub)
		e.asm.set(lU)
	}
	for _, next := range callers {
		e.get(lU)
		e.with(opI32Eq, next)
		e.when()
		e.goTo(next)
		e.done()
	}
	e.goToLocal(lT)
}

// goToLocal leaves to the linear address in a local.
func (e *emitter) goToLocal(l local) {
	e.get(lCore)
	e.get(l)
	e.mem(opI32Store, coreEIP)
	e.jump()
}

// pushFlags pushes EFLAGS without VM and RF.
func pushFlags(e *emitter) {
	e.pushLocal(func() {
		e.pushArith()
		e.get(lCore)
		e.mem(opI32Load, coreFlags)
		e.op(opI32Or)
		e.with(opI32And, ^uint32(x86.FlagVM|x86.FlagRF))
		e.with(opI32Or, x86.FlagOne)
	})
}
