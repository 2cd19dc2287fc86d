//go:build linux && amd64

package amd64

import (
	"encoding/binary"
	"unsafe"

	"alpinevm/cpu/jit"
)

// Floating point is executed by the host's own units, on the guest's registers:
// XMM0 to 7 with MXCSR, and the x87 stack with its tags, status and control word.
// They are taken from the State when the first instruction needs them, and put
// back when code leaves, so that code without them pays nothing.

// What lies in the region between the context and the tables.
const (
	fxsaveOff = 2048 // an FXSAVE image: 512 bytes
	frstorOff = 2560 // an FRSTOR image: 108 bytes
	tagsOff   = 3072 // the tag word for each set of registers in use: 256 of 2 bytes
)

// The context ends before.
const _ = uint(fxsaveOff - unsafe.Sizeof(jit.Context{}))

// Parts of the images (SDM vol. 1, table 10-2 and figure 8-9).
const (
	fxsaveSW, fxsaveUsed, fxsaveRegs   = 2, 4, 32
	frstorCW, frstorSW, frstorTags     = 0, 4, 8
	frstorRegs, frstorSize, frstorNext = 28, 108, 10
	fxsaveNext                         = 16
)

// heldBit is what NoMMX holds while HeldX87 is set.
const heldBit = -1 << 31

// fillTags makes the table at tagsOff. A tag tells empty registers from others;
// the processor finds out the rest (SDM vol. 1, 8.1.7).
func fillTags(b []byte) {
	for used := range 256 {
		w := uint16(0)
		for i := range 8 {
			if used>>i&1 == 0 {
				w |= 3 << (2 * i)
			}
		}
		binary.LittleEndian.PutUint16(b[tagsOff+2*used:], w)
	}
}

// floatStubs are the code offsets of what moves floating-point state. holdSSE,
// holdX87 and freeX87 are called by instructions; behind the call stand a jump
// back and the number of the exit that is taken where the instruction is barred.
// rax, r10, r11 and flags are lost.
type floatStubs struct {
	holdSSE, holdX87 uint32
	freeX87          uint32 // puts the x87 state into the State, for MMX
	loadX87, saveX87 uint32
}

// emitMoves comes before the code that enters and leaves, emitHolds, which leaves
// as well, behind it.
func (s *floatStubs) emitMoves(a *asm) {
	s.loadX87 = a.pos()
	loadX87(a)
	s.saveX87 = a.pos()
	saveX87(a)
}

func (s *floatStubs) emitHolds(a *asm, exit uint32) {
	s.holdSSE = a.pos()
	barred(a, ctxNoSSE, 0, exit)
	loadSSE(a)
	a.op(0, w32, 0xc7, 0, at(r15, ctxHeldSSE))
	a.u32(1)
	a.bytes(0xc3)

	s.holdX87 = a.pos()
	barred(a, ctxNoX87, 0, exit)
	a.op(0, w32, 0xc7, 0, at(r15, ctxHeldX87))
	a.u32(1)
	a.aluImm(aluOR, w32, at(r15, ctxNoMMX), heldBit)
	a.jmp(s.loadX87)

	s.freeX87 = a.pos()
	barred(a, ctxNoMMX, ^heldBit, exit)
	a.op(0, w32, 0xc7, 0, at(r15, ctxHeldX87))
	a.u32(0)
	a.aluImm(aluAND, w32, at(r15, ctxNoMMX), ^heldBit)
	a.jmp(s.saveX87)
}

// barred leaves with the exit whose number stands behind the jump behind the
// call, where any of the bits of the context's word are set; 0 stands for all.
func barred(a *asm, off, bits int32, exit uint32) {
	if bits == 0 {
		a.aluImm(aluCMP, w32, at(r15, off), 0)
	} else {
		a.op(0, w32, 0xf7, 0, at(r15, off)) // TEST
		a.u32(uint32(bits))
	}
	a.bytes(0x74, 0) // JZ over what follows
	allowed := len(a.b)
	a.bytes(0x41, 0x5a) // POP r10
	a.load(w32, r10, at(r10, 5))
	a.jmp(exit)
	a.b[allowed-1] = byte(len(a.b) - allowed)
}

func loadSSE(a *asm) {
	for n := range uint8(8) {
		a.op(0, w32, 0x0f10, n, xmmAt(n)) // MOVUPS
	}
	a.op(0, w32, 0x0fae, 2, at(r15, ctxMXCSR)) // LDMXCSR
}

func saveSSE(a *asm) {
	for n := range uint8(8) {
		a.op(0, w32, 0x0f11, n, xmmAt(n))
	}
	a.op(0, w32, 0x0fae, 3, at(r15, ctxMXCSR)) // STMXCSR
	a.op(0, w32, 0x0fae, 2, at(r15, ctxHost))
}

// loadX87 loads the x87 state. The State has the registers in physical order, the
// image in the order of the stack.
func loadX87(a *asm) {
	a.op(0, w32, 0x0fb7, uint8(rax), at(rbp, stateCW)) // MOVZX
	a.store(w32, at(r15, frstorOff+frstorCW), rax)
	a.op(0, w32, 0x0fb6, uint8(rax), at(rbp, stateUsed))
	a.op(0, w32, 0x0fb7, uint8(rax), indexed(r15, rax, 1, tagsOff))
	a.store(w32, at(r15, frstorOff+frstorTags), rax)
	a.op(0, w32, 0x0fb7, uint8(rax), at(rbp, stateSW))
	a.store(w32, at(r15, frstorOff+frstorSW), rax)
	eachX87(a, frstorOff+frstorRegs, frstorNext, func(mant, se, imageMant, imageSE loc) {
		a.load(w64, r10, mant)
		a.store(w64, imageMant, r10)
		a.load(w16, r10, se)
		a.store(w16, imageSE, r10)
	})
	a.op(0, w32, 0xdd, 4, at(r15, frstorOff)) // FRSTOR
	a.bytes(0xc3)
}

// saveX87 stores the x87 state and leaves the host's units as Go wants them.
func saveX87(a *asm) {
	a.op(0, w32, 0x0fae, 0, at(r15, fxsaveOff)) // FXSAVE
	a.op(0, w32, 0x0fb6, uint8(rax), at(r15, fxsaveOff+fxsaveUsed))
	a.store(w8, at(rbp, stateUsed), rax)
	a.op(0, w32, 0x0fb7, uint8(rax), at(r15, fxsaveOff+fxsaveSW))
	a.store(w16, at(rbp, stateSW), rax)
	eachX87(a, fxsaveOff+fxsaveRegs, fxsaveNext, func(mant, se, imageMant, imageSE loc) {
		a.load(w64, r10, imageMant)
		a.store(w64, mant, r10)
		a.load(w16, r10, imageSE)
		a.store(w16, se, r10)
	})
	a.bytes(0x0f, 0x77)                       // EMMS
	a.op(0, w32, 0xd9, 5, at(r15, ctxHostCW)) // FLDCW
	a.bytes(0xc3)
}

// eachX87 makes a loop over the registers from the top of the stack on, with the
// status word in eax. move gets where the State and the image have significand,
// and sign with exponent.
func eachX87(a *asm, image, next int32, move func(mant, se, imageMant, imageSE loc)) {
	a.op(0, w32, 0xc1, 5, direct(rax)) // SHR
	a.bytes(11)
	a.lea64(r11, at(r15, image))
	again := a.pos()
	a.aluImm(aluAND, w32, direct(rax), 7)
	move(indexed(rbp, rax, 3, stateMant), indexed(rbp, rax, 1, stateSE), at(r11, 0), at(r11, 8))
	a.op(0, w32, 0xff, 0, direct(rax)) // INC
	a.aluImm(aluADD, w64, direct(r11), next)
	a.lea64(r10, at(r15, image+8*next))
	a.op(0, w64, 0x39, uint8(r10), direct(r11)) // CMP
	a.jcc(condNZ, again)
}

// enter and leave are the parts of entering and leaving for what is held. The
// guest's general registers are in the State.
func (s *floatStubs) enter(a *asm) {
	a.aluImm(aluCMP, w32, at(r15, ctxHeldSSE), 0)
	skip(a, 0x74, func() { loadSSE(a) })
	a.aluImm(aluCMP, w32, at(r15, ctxHeldX87), 0)
	skip(a, 0x74, func() {
		a.aluImm(aluOR, w32, at(r15, ctxNoMMX), heldBit)
		a.call(s.loadX87)
	})
}

func (s *floatStubs) leave(a *asm) {
	a.aluImm(aluCMP, w32, at(r15, ctxHeldSSE), 0)
	skip(a, 0x74, func() { saveSSE(a) })
	a.aluImm(aluCMP, w32, at(r15, ctxHeldX87), 0)
	skip(a, 0x74, func() { a.call(s.saveX87) })
}

// skip appends a short conditional jump over what f appends.
func skip(a *asm, opcode byte, f func()) {
	a.bytes(opcode, 0)
	from := len(a.b)
	f()
	a.b[from-1] = byte(len(a.b) - from)
}

// hold makes sure that the state which word off of the context tells of is held, by
// the stub, and leaves to the interpreter where the instruction is barred.
func (e *emitter) hold(held *bool, off int32, stub uint32) {
	if *held {
		return
	}
	e.check0(off, condZ, stub)
	*held = true
}

// check0 compares a word of the context with 0 and calls a stub under a
// condition.
func (e *emitter) check0(off int32, cond uint8, stub uint32) {
	e.spoil()
	e.hot.aluImm(aluCMP, w32, at(r15, off), 0)
	e.hot.jcc(cond, e.cold.pos())
	e.tellX87(&e.cold)
	e.cold.call(stub)
	e.cold.jmp(e.hot.pos())
	e.cold.u32(jit.ExitID(jit.ExitBarred, e.b.Index, e.i))
}

func (e *emitter) holdSSE() { e.hold(&e.inSSE, ctxHeldSSE, e.t.stubs.float.holdSSE) }

// holdX87 ends what is known of MMX, whose registers are the same.
func (e *emitter) holdX87() {
	e.hold(&e.inX87, ctxHeldX87, e.t.stubs.float.holdX87)
	e.mmxAllowed, e.inMMX = false, false
}

// allowMMX makes sure that the MMX registers are in the State and may be used.
func (e *emitter) allowMMX() {
	if e.mmxAllowed {
		return
	}
	e.check0(ctxNoMMX, condNZ, e.t.stubs.float.freeX87)
	e.mmxAllowed, e.inX87 = true, false
}
