package wasm

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Operands. Values on the stack and in locals have the operand's size with zeros
// above, unless something else is said.

func reg(n uint8) local { return lReg + local(n&7) }

func mask(size uint8) uint32 { return 1<<(8*uint32(size)) - 1 }

// getReg pushes a register of a size.
func (e *emitter) getReg(n, size uint8) {
	switch {
	case size == 4:
		e.get(reg(n))
	case size == 2:
		e.get(reg(n))
		e.with(opI32And, 0xffff)
	case n >= 4:
		e.get(reg(n & 3))
		e.with(opI32ShrU, 8)
		e.with(opI32And, 0xff)
	default:
		e.get(reg(n))
		e.with(opI32And, 0xff)
	}
}

// setReg sets a register of a size to what is on the stack, whose upper bits do not
// count.
func (e *emitter) setReg(n, size uint8) {
	if size == 4 {
		e.set(reg(n))
		return
	}
	keep, r := ^mask(size), reg(n)
	e.with(opI32And, mask(size))
	if size == 1 && n >= 4 {
		keep, r = ^uint32(0xff00), reg(n&3)
		e.with(opI32Shl, 8)
	}
	e.get(r)
	e.with(opI32And, keep)
	e.op(opI32Or)
	e.set(r)
}

// address pushes the linear address of the memory operand, and plus.
func (e *emitter) address(plus uint32) {
	in := e.in
	e.effective(plus)
	if in.Seg == x86.FS || in.Seg == x86.GS {
		e.get(lCore)
		e.mem(opI32Load, coreSeg+uint32(in.Seg)*segSize+segBase)
		e.op(opI32Add)
	}
}

// effective pushes the offset in its segment, and plus.
func (e *emitter) effective(plus uint32) {
	in := e.in
	disp, any := in.Disp+plus, false
	if in.Base != x86.NoReg {
		e.get(reg(in.Base))
		any = true
	}
	if in.Index != x86.NoReg {
		e.get(reg(in.Index))
		if in.Scale != 0 {
			e.with(opI32Shl, uint32(in.Scale))
		}
		if any {
			e.op(opI32Add)
		}
		any = true
	}
	switch {
	case !any:
		e.i32(disp)
	case disp != 0:
		e.with(opI32Add, disp)
	}
}

// access is what a translation is asked for.
type access uint8

const (
	forRead access = iota
	forWrite
)

// segment leaves where the operand's segment register needs more than its base
// added. DS, ES and SS are flat in the mode that code is made for.
func (e *emitter) segment(acc access) {
	if e.in.Seg != x86.FS && e.in.Seg != x86.GS {
		return
	}
	bit := uint32(cpu.FastRead)
	if acc == forWrite {
		bit = uint32(cpu.FastWrite)
	}
	e.get(lCore)
	e.mem(opI32Load8U, coreSeg+uint32(e.in.Seg)*segSize+segFast)
	e.with(opI32And, bit)
	e.op(opI32Eqz)
	e.leaveIf(exitInst)
}

// check looks up an access of size bytes at the linear address on the stack, and
// leaves where the translation cache does not have it. lPlace is the arena offset
// then.
//
// It is what bounds generated code: an address is only ever accessed as lPlace plus
// the address of the arena, behind this comparison, or as a constant offset into the
// cpu.Core. Where the address differs from an entry's tag in nothing but the offset in
// the page, the entry is one that the processor has filled for that page, since tags of
// other pages are at other indexes or differ; and where that offset leaves room for size
// bytes, all of them lie in the page, which Off leads to in the arena. Registers and
// memory of the guest decide which entry is compared (its index is masked) and nothing
// else; and the cache lies outside guest RAM.
func (e *emitter) check(acc access, size uint8) {
	e.asm.tee(lEA)
	e.with(opI32ShrU, entryShift)
	e.with(opI32And, entryMask)
	e.get(lTLB)
	e.op(opI32Add)
	e.asm.tee(lPlace)
	tag := entryR
	if acc == forWrite {
		tag = entryW
	}
	e.mem(opI32Load, tag)
	e.get(lEA)
	e.op(opI32Xor)
	e.with(opI32GtU, 0x1000-uint32(size))
	e.leaveIf(exitMiss)
	e.get(lPlace)
	e.mem(opI32Load, entryOff)
	e.get(lEA)
	e.op(opI32Add)
	e.asm.set(lPlace)
}

// locate looks up the memory operand.
func (e *emitter) locate(acc access, size uint8) {
	e.segment(acc)
	e.address(0)
	e.check(acc, size)
}

// load pushes size bytes at lPlace.
func (e *emitter) load(size uint8) {
	e.get(lPlace)
	e.mem(loadOf[size], e.layout.RAM)
}

// loadOf and storeOf are the opcodes for so many bytes.
var (
	loadOf  = map[uint8]byte{1: opI32Load8U, 2: opI32Load16U, 4: opI32Load}
	storeOf = map[uint8]byte{1: opI32Store8, 2: opI32Store16, 4: opI32Store}
)

// loadSigned pushes them sign-extended.
func (e *emitter) loadSigned(size uint8) {
	e.get(lPlace)
	e.mem(map[uint8]byte{1: opI32Load8S, 2: opI32Load16S, 4: opI32Load}[size], e.layout.RAM)
}

// store stores a local at lPlace, of which the upper bits do not count.
func (e *emitter) store(l local, size uint8) {
	e.get(lPlace)
	e.get(l)
	e.storeStack(size)
}

// storeStack stores what is on the stack above lPlace.
func (e *emitter) storeStack(size uint8) {
	e.mem(storeOf[size], e.layout.RAM)
}

// size is the operand size of the instruction.
func (e *emitter) size() uint8 { return e.in.OpSize }

// register gives the number of the general register that an operand is, where it is
// one.
func (e *emitter) register(arg x86.Arg) (n uint8, ok bool) {
	in := e.in
	switch arg {
	case x86.Eb, x86.Ew, x86.Ed, x86.Ev, x86.RvMw, x86.RdMw, x86.RdMb:
		return in.RM, !in.Mem
	case x86.Rd, x86.Rv:
		return in.RM, true
	case x86.Gb, x86.Gw, x86.Gd, x86.Gv, x86.Zb, x86.Zv:
		return in.Reg, true
	case x86.AL, x86.RAX, x86.AX:
		return x86.EAX, true
	case x86.CL:
		return x86.ECX, true
	}
	return 0, false
}

// push pushes an operand of the instruction, of a size. Memory has been located.
func (e *emitter) push(arg x86.Arg, size uint8) {
	if n, ok := e.register(arg); ok {
		e.getReg(n, size)
		return
	}
	switch arg {
	case x86.Ib, x86.Ibs, x86.Iw, x86.Iz:
		e.i32(e.in.Imm & mask(size))
	case x86.One:
		e.i32(1)
	default:
		e.load(size)
	}
}

// put writes a local to the operand that is the destination.
func (e *emitter) put(arg x86.Arg, l local, size uint8) {
	if n, ok := e.register(arg); ok {
		e.get(l)
		e.setReg(n, size)
		return
	}
	e.store(l, size)
}

// locateIf looks up the memory operand, if the instruction has one.
func (e *emitter) locateIf(acc access, size uint8) {
	if e.in.Mem {
		e.locate(acc, size)
	}
}
