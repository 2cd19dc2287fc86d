//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// The MMX registers are significands of x87 registers. A block of nothing but
// moves and lanes works on those of the State: where the lower half of an XMM
// register computes the same, the instruction is executed there. In Linux guests
// such blocks come alone, between integer code, and taking the x87 state would cost more. A
// block with any other MMX instruction takes it, and its MMX instructions are the
// host's.

var mmxRules = map[x86.Op]rule{x86.EMMS: {emit: emms}}

// lanes are the instructions whose result in a lane depends on nothing beyond
// the 8 lower bytes of the operands.
var lanes = map[x86.Op]bool{
	x86.PADDB: true, x86.PADDW: true, x86.PADDD: true, x86.PADDQ: true, x86.PADDSB: true, x86.PADDSW: true, x86.PADDUSB: true, x86.PADDUSW: true,
	x86.PSUBB: true, x86.PSUBW: true, x86.PSUBD: true, x86.PSUBQ: true, x86.PSUBSB: true, x86.PSUBSW: true, x86.PSUBUSB: true, x86.PSUBUSW: true,
	x86.PAND: true, x86.PANDN: true, x86.POR: true, x86.PXOR: true,
	x86.PCMPEQB: true, x86.PCMPEQW: true, x86.PCMPEQD: true, x86.PCMPGTB: true, x86.PCMPGTW: true, x86.PCMPGTD: true,
	x86.PMULLW: true, x86.PMULHW: true, x86.PMULHUW: true, x86.PMULUDQ: true, x86.PMADDWD: true,
	x86.PAVGB: true, x86.PAVGW: true, x86.PMINUB: true, x86.PMINSW: true, x86.PMAXUB: true, x86.PMAXSW: true, x86.PSADBW: true,
	x86.PUNPCKLBW: true, x86.PUNPCKLWD: true, x86.PUNPCKLDQ: true,
	x86.PSLLW: true, x86.PSLLD: true, x86.PSLLQ: true, x86.PSRLW: true, x86.PSRLD: true, x86.PSRLQ: true, x86.PSRAW: true, x86.PSRAD: true,
}

// inLanes says whether the instruction, which has MMX registers, can work on the
// State.
func inLanes(in *x86.Inst) bool {
	if _, xmm, _ := simdArgs(in.Row()); xmm {
		return false
	}
	switch in.Op {
	case x86.MOVQ, x86.MOVD:
		return true
	}
	return lanes[in.Op] && in.Row().Feat <= x86.FeatureSSE2
}

// needsMMX says whether one of the instructions needs the MMX registers in the
// host's.
func needsMMX(insts []jit.Inst) bool {
	for i := range insts {
		in := &insts[i]
		if _, _, mmx := simdArgs(in.Row()); mmx && in.Native && !inLanes(&in.Inst) {
			return true
		}
	}
	return false
}

func mantAt(n uint8) loc { return at(rbp, stateMant+8*int32(n)) }

func emitMMX(e *emitter) {
	e.allowMMX()
	if e.in.Op == x86.MOVQ || e.in.Op == x86.MOVD {
		moveMMX(e)
		return
	}
	laneMMX(e)
}

// enterMMX does to the x87 state what every MMX instruction but EMMS does, once
// it can no longer fault (SDM vol. 3A 12.2). Flags are lost.
func (e *emitter) enterMMX() {
	if e.inMMX {
		return
	}
	e.spoil()
	e.clearTOP()
	e.hot.op(0, w8, 0xc6, 0, at(rbp, stateUsed))
	e.hot.bytes(0xff)
	e.inMMX = true
}

// clearTOP clears bits 11 to 13 of the status word.
func (e *emitter) clearTOP() {
	e.hot.op(0, w8, 0x80, aluAND, at(rbp, stateSW+1))
	e.hot.bytes(0xc7)
}

// setSE makes sign and exponent of a register ones.
func (e *emitter) setSE(n uint8) {
	e.hot.op(0, w16, 0xc7, 0, at(rbp, stateSE+2*int32(n)))
	e.hot.imm(0xffff, w16)
}

// moveMMX goes by r11.
func moveMMX(e *emitter) {
	in := e.in
	w := w64
	if in.Op == x86.MOVD {
		w = w32
	}
	if in.Row().Args[0] == x86.Pq {
		switch {
		case in.Mem:
			e.hot.load(w, r11, e.memory(read, int(w)))
		case w == w32:
			e.hot.load(w32, r11, direct(guest[in.RM]))
		default:
			e.hot.load(w64, r11, mantAt(in.RM))
		}
		e.enterMMX()
		e.hot.store(w64, mantAt(in.Reg), r11)
		e.setSE(in.Reg)
		return
	}
	switch {
	case in.Mem:
		m := e.memory(write, int(w))
		e.hot.load(w64, r11, mantAt(in.Reg))
		e.hot.store(w, m, r11)
		e.enterMMX()
	case w == w32:
		e.enterMMX()
		e.hot.load(w32, guest[in.RM], mantAt(in.Reg))
	default:
		e.enterMMX()
		e.hot.load(w64, r11, mantAt(in.Reg))
		e.hot.store(w64, mantAt(in.RM), r11)
		e.setSE(in.RM)
	}
}

// laneMMX executes on two registers that hold nothing of the guest's.
func laneMMX(e *emitter) {
	in := e.in
	row := in.Row()
	const left, right = 8, 9
	dst, ext := in.Reg, uint8(left)
	m := direct(right)
	switch {
	case row.Args[0] == x86.Nq: // a shift by a constant
		dst, ext, m = in.RM, in.ModRM>>3&7, direct(left)
	case in.Mem:
		size := row.Args[1].Size(in.OpSize)
		place := e.memory(read, size)
		if size == 4 {
			e.hot.op(0x66, w32, 0x0f6e, right, place) // MOVD
		} else {
			e.hot.op(0xf3, w32, 0x0f7e, right, place) // MOVQ
		}
	default:
		e.hot.op(0xf3, w32, 0x0f7e, right, mantAt(in.RM))
	}
	e.enterMMX()
	e.hot.op(0xf3, w32, 0x0f7e, left, mantAt(dst))
	e.hot.op(0x66, w32, row.Code, ext, m)
	if has(&in.Inst, x86.Ib) {
		e.hot.imm(in.Imm, w8)
	}
	e.hot.op(0x66, w32, 0x0fd6, left, mantAt(dst)) // MOVQ
	e.setSE(dst)
}

func emms(e *emitter) {
	if e.hostMMX {
		e.holdX87()
		e.hot.bytes(0x0f, 0x77)
		return
	}
	e.allowMMX()
	e.spoil()
	e.clearTOP()
	e.hot.op(0, w8, 0xc6, 0, at(rbp, stateUsed))
	e.hot.bytes(0)
	e.inMMX = false
}
