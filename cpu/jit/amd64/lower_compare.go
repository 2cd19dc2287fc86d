//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/x86"
)

// compareInPages serves SCAS and CMPS, the latter with a source, that are repeated while
// elements are equal, or differ: as many of them as lie in their pages, and as the
// budget reaches for. What is left then, as where there is nothing to do, is the
// interpreter's, which goes on as behind an interrupt.
func (e *emitter) compareInPages(code byte, source bool) {
	a := &e.hot
	a.op(0, w32, 0x85, uint8(rcx), direct(rcx)) // TEST
	a.jcc(condZ, e.cold.pos())
	e.interpretCold()
	from, to := at(rbp, stateR+4*x86.ESI), at(rbp, stateR+4*x86.EDI)
	if source {
		a.load(w32, rax, direct(rsi))
		e.check(read, rax, 1)
	}
	a.load(w32, r11, direct(rdi))
	e.check(read, r11, 1)
	a.store(w32, to, rdi)
	e.countCompared(source, from)
	a.jcc(condZ, e.cold.pos())
	e.interpretCold()
	a.load(w64, rdi, direct(r11))
	if source {
		a.load(w64, rsi, direct(rax))
	} else {
		a.load(w32, rax, direct(guest[x86.EAX]))
	}
	a.load(w32, r11, direct(r10)) // what may be done; ECX goes to r10
	a.load(w32, r10, direct(rcx))
	a.load(w32, rcx, direct(r11))
	e.repeatCompare(code)
	saveFlags(a, false)
	a.load(w32, rax, direct(r11))
	a.op(0, w32, 0x2b, uint8(rax), direct(rcx)) // SUB: what was done
	a.load(w32, rdi, to)
	a.lea(rdi, indexed(rdi, rax, e.scale(), 0))
	if source {
		a.load(w32, rsi, from)
		a.lea(rsi, indexed(rsi, rax, e.scale(), 0))
	}
	a.op(0, w32, 0x2b, uint8(r10), direct(rax))
	a.load(w32, rcx, direct(r10))
	a.op(0, w32, 0x2b, uint8(r13), direct(rax))
	e.endCompare()
	e.inContext()
}

// countCompared makes r10 the number of elements that may be compared, whose flags it
// gives: ESI, where there is a source, is noted at from.
func (e *emitter) countCompared(source bool, from loc) {
	a := &e.hot
	a.load(w32, r10, direct(rdi))
	a.aluImm(aluOR, w32, direct(r10), ^0xfff) // less what is left of the page
	if source {
		a.store(w32, from, rsi)
		a.aluImm(aluOR, w32, direct(rsi), ^0xfff)
		a.op(0, w32, 0x3b, uint8(r10), direct(rsi))         // CMP
		a.op(0, w32, 0x0f40|condB, uint8(r10), direct(rsi)) // CMOV
		a.load(w32, rsi, from)
	}
	a.op(0, w32, 0xf7, 3, direct(r10)) // NEG
	a.shiftRight(r10, e.scale())
	for _, most := range []reg{rcx, r13} {
		a.op(0, w32, 0x3b, uint8(r10), direct(most))
		a.op(0, w32, 0x0f40|condA, uint8(r10), direct(most))
	}
	a.op(0, w32, 0x85, uint8(r10), direct(r10)) // TEST
}

// repeatCompare appends the repeated instruction itself.
func (e *emitter) repeatCompare(code byte) {
	prefix := byte(0xf3)
	if e.in.Prefix&x86.PrefixRepne != 0 {
		prefix = 0xf2
	}
	if e.width() == w16 {
		e.hot.bytes(0x66)
	}
	if e.width() != w8 {
		code |= 1
	}
	e.hot.bytes(prefix, code)
}

// endCompare goes on behind the instruction where it has come to its end, by the last
// element or by ECX. The block has counted one of the iterations.
func (e *emitter) endCompare() {
	a := &e.hot
	a.op(0, w8, 0xf6, 0, at(r15, ctxFlags+1)) // TEST
	a.bytes(x86.FlagZF)
	ended := byte(condZ)
	if e.in.Prefix&x86.PrefixRepne != 0 {
		ended = condNZ
	}
	a.bytes(0x70|ended, 0)
	over := len(a.b)
	a.op(0, w32, 0x85, uint8(rcx), direct(rcx))
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.b[over-1] = byte(len(a.b) - over)
	a.lea(r13, at(r13, 1))
}
