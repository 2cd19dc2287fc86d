package wasm

import "alpinevm/cpu/x86"

var moveRules = map[x86.Op]rule{
	x86.MOV:    {takes: func(in *x86.Inst) bool { return x86.Forms[in.Form].Args[0] != x86.Sw }, emit: move},
	x86.MOVZX:  {emit: extend},
	x86.MOVSX:  {emit: extend},
	x86.LEA:    {emit: lea},
	x86.XCHG:   {emit: exchange},
	x86.BSWAP:  {takes: wide, emit: swapBytes},
	x86.CMOVCC: {emit: moveIf},
	x86.SETCC:  {emit: set},
	x86.CBW:    {emit: convert},
	x86.CWD:    {emit: convertDouble},
	x86.NOP:    {emit: nothing}, x86.PAUSE: {emit: nothing}, x86.PREFETCH: {emit: nothing},
	x86.LFENCE: {emit: nothing}, x86.MFENCE: {emit: nothing}, x86.SFENCE: {emit: nothing},
}

func nothing(*emitter) {}

func move(e *emitter) {
	a, size := e.args(), e.size()
	if a[1] == x86.Sw {
		moveFromSegment(e)
		return
	}
	if n, ok := e.register(a[0]); ok {
		e.locateIf(forRead, size)
		e.push(a[1], size)
		e.setReg(n, size)
		return
	}
	e.locate(forWrite, size)
	if n, ok := e.register(a[1]); ok && (size != 1 || n < 4) {
		e.store(reg(n), size)
		return
	}
	e.get(lPlace)
	e.push(a[1], size)
	e.storeStack(size)
}

// moveFromSegment stores 2 bytes, or sets a register of the operand's size.
func moveFromSegment(e *emitter) {
	if e.in.Mem {
		e.locate(forWrite, 2)
		e.get(lPlace)
		e.selector()
		e.storeStack(2)
		return
	}
	e.selector()
	e.setReg(e.in.RM, e.size())
}

// selector pushes the selector in the segment register that the instruction names.
func (e *emitter) selector() {
	e.get(lCore)
	e.mem(opI32Load16U, coreSeg+uint32(e.in.Reg)*segSize+segSel)
}

// extend serves MOVZX and MOVSX.
func extend(e *emitter) {
	in := e.in
	from := uint8(1)
	if e.args()[1] == x86.Ew {
		from = 2
	}
	e.locateIf(forRead, from)
	switch {
	case in.Op == x86.MOVZX:
		e.push(e.args()[1], from)
	case in.Mem:
		e.loadSigned(from)
	default:
		e.getReg(in.RM, from)
		e.signExtend(from)
	}
	e.setReg(in.Reg, e.size())
}

func lea(e *emitter) {
	e.effective(0)
	e.setReg(e.in.Reg, e.size())
}

// exchange serves XCHG. A processor that is alone needs no lock.
func exchange(e *emitter) {
	a, size := e.args(), e.size()
	e.locateIf(forWrite, size)
	e.take(lT, a[0], size)
	e.take(lU, a[1], size)
	e.put(a[0], lU, size)
	e.put(a[1], lT, size)
}

func swapBytes(e *emitter) {
	r := reg(e.in.Reg)
	e.get(r)
	e.with(opI32Rotl, 8)
	e.with(opI32And, 0x00ff00ff)
	e.get(r)
	e.with(opI32Rotr, 8)
	e.with(opI32And, 0xff00ff00)
	e.op(opI32Or)
	e.set(r)
}

// moveIf reads its source whatever the condition (SDM vol. 2A, CMOVcc).
func moveIf(e *emitter) {
	size := e.size()
	e.locateIf(forRead, size)
	e.push(e.args()[1], size)
	e.getReg(e.in.Reg, size)
	e.pushCond(e.in.Cond)
	e.op(opSelect)
	e.setReg(e.in.Reg, size)
}

func set(e *emitter) {
	e.locateIf(forWrite, 1)
	e.pushCond(e.in.Cond)
	e.asm.set(lT)
	e.put(e.args()[0], lT, 1)
}

// convert serves CBW and CWDE, convertDouble CWD and CDQ.
func convert(e *emitter) {
	e.get(reg(x86.EAX))
	e.signExtend(e.size() / 2)
	e.setReg(x86.EAX, e.size())
}

func convertDouble(e *emitter) {
	e.get(reg(x86.EAX))
	e.signExtend(e.size())
	e.with(opI32ShrS, 31)
	e.setReg(x86.EDX, e.size())
}
