//go:build linux && amd64

package amd64

import (
	"encoding/binary"

	"alpinevm/cpu/x86"
)

// String instructions, upwards, and of the repeated ones those that stay in their
// pages. The interpreter does the others.
var stringRules = map[x86.Op]rule{
	x86.MOVS: {takes: takesRepeated, emit: moveString},
	x86.STOS: {takes: takesRepeated, emit: storeString},
	x86.LODS: {takes: takesString, emit: loadString},
	x86.SCAS: {takes: takesCompared, emit: scanString},
	x86.CMPS: {takes: takesCompared, emit: compareString},
}

func takesRepeated(in *x86.Inst) bool {
	plain := *in
	plain.Prefix &^= x86.PrefixRep
	return takesString(&plain)
}

func takesCompared(in *x86.Inst) bool {
	plain := *in
	plain.Prefix &^= x86.PrefixRep | x86.PrefixRepne
	return takesString(&plain)
}

func takesString(in *x86.Inst) bool {
	return in.AddrSize == 4 && in.Prefix&(x86.PrefixRep|x86.PrefixRepne) == 0 && (in.Seg == x86.DS || in.Seg == x86.SS || in.Seg == x86.ES)
}

// upwards leaves to the interpreter where DF is set. Flags are lost.
func (e *emitter) upwards() {
	e.spoil()
	e.hot.op(0, w8, 0xf6, 0, at(rbp, stateFlags+1)) // TEST
	e.hot.bytes(x86.FlagDF >> 8)
	e.hot.jcc(condNZ, e.cold.pos())
	e.interpretCold()
}

// element looks up what ESI or EDI points to; r11 is free.
func (e *emitter) element(table int, r reg) loc {
	e.hot.load(w32, rax, direct(r))
	return e.check(table, rax, int(e.width()))
}

// step moves ESI or EDI on.
func (e *emitter) step(r reg) { e.hot.lea(r, at(r, int32(e.width()))) }

// repeated says that the instruction has a repeat prefix.
func (e *emitter) repeated() bool { return e.in.Prefix&(x86.PrefixRep|x86.PrefixRepne) != 0 }

// within leaves to the interpreter where what r points to, ECX elements, is not
// all in one page; there are few enough.
func (e *emitter) within(r reg) {
	a := &e.hot
	a.load(w32, rax, direct(r))
	a.aluImm(aluAND, w32, direct(rax), 0xfff)
	a.lea(rax, indexed(rax, rcx, e.scale(), 0))
	a.aluImm(aluCMP, w32, direct(rax), 0x1000)
	a.jcc(condA, e.cold.pos())
	e.interpretCold()
}

// scale is the logarithm of the size of an element.
func (e *emitter) scale() uint8 { return uint8(e.width()) >> 1 }

// countRepeats takes all iterations but the one that the block has counted from
// the budget, r13. It leaves to the interpreter where there are more than a
// page's or than may be executed. Where there is none, a number above all limits
// here, the code goes on behind the instruction: done, called there, says where
// that is.
func (e *emitter) countRepeats() (done func()) {
	a := &e.hot
	a.lea(rax, at(rcx, -1))
	a.op(0, w32, 0x3b, uint8(rax), direct(r13)) // CMP
	a.jcc(condA, e.cold.pos())
	a.aluImm(aluCMP, w32, direct(rax), 0x1000>>e.scale()-1)
	a.jcc(condA, e.cold.pos())
	e.cold.bytes(0x67, 0xe3, 0) // JECXZ over what leaves
	over := len(e.cold.b)
	e.interpretCold()
	e.cold.b[over-1] = byte(len(e.cold.b) - over)
	e.cold.jmp(0)
	end := len(e.cold.b)
	return func() {
		rel := a.pos() - (e.cold.base + uint32(end))
		binary.LittleEndian.PutUint32(e.cold.b[end-4:], rel)
	}
}

// repeat appends the repeated instruction itself: the places are in rax (where
// it reads) and r11.
func (e *emitter) repeat(code byte, reads bool) {
	a := &e.hot
	a.lea(r10, at(rcx, -1))
	a.op(0, w32, 0x29, uint8(r10), direct(r13)) // SUB
	a.load(w32, r10, direct(rcx))
	if reads {
		a.op(0, w64, 0x87, uint8(rsi), direct(rax)) // XCHG
	} else {
		a.load(w32, rax, direct(guest[x86.EAX]))
	}
	a.op(0, w64, 0x87, uint8(rdi), direct(r11)) // XCHG
	if e.width() == w16 {
		a.bytes(0x66)
	}
	if e.width() != w8 {
		code |= 1
	}
	a.bytes(0xf3, code)
	if reads {
		a.lea(rsi, indexed(rax, r10, e.scale(), 0))
	}
	a.lea(rdi, indexed(r11, r10, e.scale(), 0))
}

// repeatInPages serves REP MOVS and REP STOS.
func (e *emitter) repeatInPages(code byte, reads bool) {
	done := e.countRepeats()
	if reads {
		e.within(rsi)
	}
	e.within(rdi)
	if reads {
		e.hot.load(w32, rax, direct(rsi))
		e.check(read, rax, 1)
	}
	e.hot.load(w32, r11, direct(rdi))
	e.check(write, r11, 1)
	e.repeat(code, reads)
	done()
}

func moveString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.repeatInPages(0xa4, true)
		return
	}
	e.hot.load(e.width(), r11, e.element(read, rsi))
	e.hot.store(e.width(), e.element(write, rdi), r11)
	e.step(rsi)
	e.step(rdi)
}

func storeString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.repeatInPages(0xaa, false)
		return
	}
	e.hot.store(e.width(), e.element(write, rdi), guest[x86.EAX])
	e.step(rdi)
}

func loadString(e *emitter) {
	e.upwards()
	e.hot.load(e.width(), guest[x86.EAX], e.element(read, rsi))
	e.step(rsi)
}

func scanString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.compareInPages(0xae, false)
		return
	}
	e.compare(guest[x86.EAX], e.element(read, rdi))
	e.step(rdi)
}

func compareString(e *emitter) {
	e.upwards()
	if e.repeated() {
		e.compareInPages(0xa6, true)
		return
	}
	e.hot.load(e.width(), r11, e.element(read, rsi))
	e.compare(r11, e.element(read, rdi))
	e.step(rsi)
	e.step(rdi)
}

// compare appends CMP r, m. It writes all flags.
func (e *emitter) compare(r reg, m loc) {
	code := uint32(0x3b)
	if e.width() == w8 {
		code = 0x3a
	}
	e.hot.op(0, e.width(), code, uint8(r), m)
}
