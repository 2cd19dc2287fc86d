//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

var flagRules = map[x86.Op]rule{
	x86.CLC:   {emit: carry},
	x86.STC:   {emit: carry},
	x86.CMC:   {emit: carry},
	x86.LAHF:  {emit: lahf},
	x86.SAHF:  {emit: sahf},
	x86.CLD:   {emit: direction},
	x86.STD:   {emit: direction},
	x86.PUSHF: {takes: func(in *x86.Inst) bool { return in.OpSize == 4 }, emit: pushFlags},
}

// carry serves CLC, STC and CMC, which leave the other flags.
func carry(e *emitter) {
	e.ready()
	e.hot.bytes(byte(e.code()))
}

func lahf(e *emitter) {
	if e.wrongAF { // clearing AF in ah would change the flags
		e.save()
	}
	e.restore()
	e.hot.bytes(0x9f)             // LAHF
	e.hot.bytes(0x0f, 0xb6, 0xc4) // MOVZX eax, ah
	r := e.turn(4)
	e.hot.load(w8, r, direct(rax))
	e.back(4)
}

// sahf leaves OF alone.
func sahf(e *emitter) {
	e.ready()
	e.secondByte(rax, guest[x86.EAX])
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

// pushFlags pushes EFLAGS without VM and RF.
func pushFlags(e *emitter) {
	place := e.below()
	e.hot.op(0, w64, 0x8d, uint8(r10), place) // LEA
	e.moveTop(-4)
	e.hot.op(0, w32, 0x0fb6, uint8(r11), at(r15, ctxFlags)) // MOVZX: OF
	e.hot.op(0, w32, 0xc1, 4, direct(r11))                  // SHL
	e.hot.bytes(11)
	e.hot.op(0, w32, 0x0fb6, uint8(rax), at(r15, ctxFlags+1))
	e.hot.op(0, w32, 0x09, uint8(r11), direct(rax))         // OR
	e.hot.op(0, w32, 0x0b, uint8(rax), at(rbp, stateFlags)) // OR
	e.hot.aluImm(aluAND, w32, direct(rax), ^int32(x86.FlagVM|x86.FlagRF))
	e.hot.aluImm(aluOR, w32, direct(rax), 2)
	e.hot.store(w32, at(r10, 0), rax)
}
