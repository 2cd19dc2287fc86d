//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

var flagRules = map[x86.Op]rule{
	x86.CLC:  {emit: carry},
	x86.STC:  {emit: carry},
	x86.CMC:  {emit: carry},
	x86.LAHF: {emit: lahf},
	x86.SAHF: {emit: sahf},
	x86.CLD:  {emit: direction},
	x86.STD:  {emit: direction},
}

// carry serves CLC, STC and CMC, which leave the other flags.
func carry(e *emitter) {
	e.ready()
	e.hot.bytes(byte(e.code()))
}

func lahf(e *emitter) {
	e.restore()
	e.hot.bytes(0x9f) // LAHF
	if e.wrongAF {
		andAH(&e.hot, 0xef)
	}
	e.hot.bytes(0x0f, 0xb6, 0xc4) // MOVZX eax, ah
	r := e.turn(4)
	e.hot.load(w8, r, direct(rax))
	e.back(4)
}

// sahf leaves OF alone.
func sahf(e *emitter) {
	e.ready()
	e.hot.rorx(rax, direct(guest[x86.EAX]), 8)
	e.hot.bytes(0x88, 0xc4, 0x9e) // MOV ah, al; SAHF
}

// direction changes DF, which is in State.
func direction(e *emitter) {
	e.spoil()
	m := at(rbp, stateFlags)
	if e.in.Op == x86.CLD {
		e.hot.aluImmLong(aluAND, m, ^int32(x86.FlagDF))
	} else {
		e.hot.aluImmLong(aluOR, m, int32(x86.FlagDF))
	}
}
