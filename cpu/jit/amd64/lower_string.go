//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

// String instructions without a repeat prefix, upwards. The interpreter does
// the others, whole pages at a time.
var stringRules = map[x86.Op]rule{
	x86.MOVS: {takes: takesString, emit: moveString},
	x86.STOS: {takes: takesString, emit: storeString},
	x86.LODS: {takes: takesString, emit: loadString},
	x86.SCAS: {takes: takesString, emit: scanString},
	x86.CMPS: {takes: takesString, emit: compareString},
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

func moveString(e *emitter) {
	e.upwards()
	e.hot.load(e.width(), r11, e.element(read, rsi))
	e.hot.store(e.width(), e.element(write, rdi), r11)
	e.step(rsi)
	e.step(rdi)
}

func storeString(e *emitter) {
	e.upwards()
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
	e.compare(guest[x86.EAX], e.element(read, rdi))
	e.step(rdi)
}

func compareString(e *emitter) {
	e.upwards()
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
