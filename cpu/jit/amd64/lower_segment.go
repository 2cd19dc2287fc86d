//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// Segment registers. ES and DS are loaded here only with what is flat, and SS,
// which holds off interrupts, never.

// ofSegment says that the operand of a PUSH or POP is a segment register.
func ofSegment(in *x86.Inst) bool {
	switch x86.Forms[in.Form].Args[0] {
	case x86.SegES, x86.SegCS, x86.SegSS, x86.SegDS, x86.SegFS, x86.SegGS:
		return true
	}
	return false
}

// loadable says that the segment register ModRM.reg can be loaded.
func loadable(in *x86.Inst) bool {
	switch in.Reg {
	case x86.ES, x86.DS, x86.FS, x86.GS:
		return true
	}
	return false
}

func segment(n uint8) int32 { return stateSeg + int32(n)*segSize }

// moveFromSegment writes 16 bits to memory, but the whole of a register.
func (e *emitter) moveFromSegment() {
	in := e.in
	sel := at(rbp, segment(in.Reg)+segSel)
	switch {
	case in.Mem:
		m := e.memory(write, 2)
		r := e.other(m)
		e.hot.load(w16, r, sel)
		e.hot.store(w16, m, r)
	case in.OpSize == 2:
		e.hot.load(w16, guest[in.RM], sel)
	default:
		e.hot.op(0, w32, 0x0fb7, uint8(guest[in.RM]), sel) // MOVZX
	}
}

// pushSegment writes 16 bits and leaves the upper half of the slot.
func (e *emitter) pushSegment() {
	e.spoil()
	e.hot.lea(rax, at(regESP, -4))
	m := e.check(write, rax, 2)
	e.hot.load(w16, r11, at(rbp, segment(e.in.Reg)+segSel))
	e.hot.store(w16, m, r11)
	e.moveTop(-4)
}

func (e *emitter) moveToSegment() {
	in := e.in
	m := direct(guest[in.RM&7])
	if in.Mem {
		m = e.memory(read, 2)
	} else {
		e.spoil()
	}
	e.hot.op(0, w32, 0x0fb7, uint8(r11), m) // MOVZX
	e.loadSegment()
}

// popSegment reads 16 bits.
func (e *emitter) popSegment() {
	e.spoil()
	e.hot.load(w32, rax, direct(regESP))
	e.hot.op(0, w32, 0x0fb7, uint8(r11), e.check(read, rax, 2)) // MOVZX
	e.loadSegment()
	e.moveTop(4)
}

// loadSegment loads the selector in r11 into the segment register ModRM.reg, if
// it is known what that loads; else the interpreter does it. Flags are lost.
func (e *emitter) loadSegment() {
	n := e.in.Reg
	e.x87.known = false
	flat := n == x86.ES || n == x86.DS
	e.hot.aluImmLong(aluOR, direct(r11), int32(jit.SegmentKey(0, e.b.User, flat)))
	e.hot.call(e.t.stubs.segment)
	e.hot.jcc(condNZ, e.cold.pos())
	e.cold.aluImmLong(aluOR, direct(r11), int32(n)<<24)
	e.cold.store(w32, at(r15, ctxLoad), r11)
	e.interpretCold()
	for part := int32(0); part < segSize; part += 8 {
		e.hot.load(w64, r10, at(rax, segsSeg+part))
		e.hot.store(w64, at(rbp, segment(n)+part), r10)
	}
}

// emitSegment makes the routine that finds what the selector of the key in r11
// loads: rax points to the entry, ZF says whether it is of that key and the
// descriptor is what it was. r10 is lost.
func (s *stubs) emitSegment(a *asm) {
	s.segment = a.pos()
	a.load(w32, rax, direct(r11))      // jit.SegmentIndex
	a.op(0, w32, 0xc1, 5, direct(rax)) // SHR
	a.bytes(3)
	a.load(w32, r10, direct(r11))
	a.op(0, w32, 0xc1, 5, direct(r10))
	a.bytes(13)
	a.op(0, w32, 0x31, uint8(r10), direct(rax)) // XOR
	a.aluImm(aluAND, w32, direct(rax), jit.Segments-1)
	a.op(0, w32, 0xc1, 4, direct(rax)) // SHL
	a.bytes(segsShift)
	a.op(0, w64, 0x8d, uint8(rax), indexed(r15, rax, 0, ctxSegs)) // LEA
	a.op(0, w32, 0x3b, uint8(r11), at(rax, segsKey))              // CMP
	a.bytes(0x74, 1)                                              // JZ over the return
	a.bytes(0xc3)
	a.load(w32, r10, at(rax, segsLin))
	a.load(w32, r11, direct(r10))
	a.op(0, w32, 0xc1, 5, direct(r11)) // SHR
	a.bytes(12)
	a.op(0, w32, 0xc1, 4, direct(r11)) // SHL
	a.bytes(tableShift)
	// As check does, in the processor's own table.
	a.op(0, w64, 0x2b, uint8(r10), indexed(r15, r11, 3, int32(tablesOff))) // SUB
	a.load(w32, r11, at(rax, segsKey))
	a.bytes(0x73, 0) // JNC
	missing := len(a.b)
	a.load(w64, r10, at(r10, 0))
	a.op(0, w64, 0x3b, uint8(r10), at(rax, segsRaw)) // CMP
	a.bytes(0xc3)
	a.b[missing-1] = byte(len(a.b) - missing)
	a.op(0, w64, 0x85, uint8(r15), direct(r15)) // TEST: not zero
	a.bytes(0xc3)
}
