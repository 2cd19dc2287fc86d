package wasm

import "alpinevm/cpu/x86"

// Moves of XMM and MMX registers.

// wholes are moves of 16 bytes.
var wholes = []x86.Op{
	x86.MOVUPS, x86.MOVUPD, x86.MOVAPS, x86.MOVAPD, x86.MOVDQA, x86.MOVDQU, x86.MOVNTPS, x86.MOVNTPD, x86.MOVNTDQ, x86.LDDQU, x86.MOVNTDQA,
}

var vectorMoveRules = makeVectorMoveRules()

// makeVectorMoveRules stays out of init: see gatherRules.
//
//go:noinline
func makeVectorMoveRules() map[x86.Op]rule {
	t := map[x86.Op]rule{
		x86.MOVQ: {emit: moveLow}, x86.MOVD: {emit: moveLow}, x86.MOVSS: {emit: moveLow}, x86.MOVSD: {emit: moveLow}, x86.MOVNTQ: {emit: moveLow},
		x86.MOVLPS: {emit: moveHalf}, x86.MOVLPD: {emit: moveHalf}, x86.MOVHPS: {emit: moveHalf}, x86.MOVHPD: {emit: moveHalf},
		x86.MOVHLPS: {emit: moveHalf}, x86.MOVLHPS: {emit: moveHalf},
	}
	for _, op := range wholes {
		t[op] = rule{emit: moveWhole}
	}
	for op, r := range t {
		r.takes = ofOneFile
		t[op] = r
	}
	return t
}

func moveWhole(e *emitter) {
	in := e.in
	e.findVector()
	switch toRM := in.Row().Args[0] != x86.Vx; {
	case !toRM:
		e.get(lCore)
		e.source()
		e.setVector(in.Reg)
	case in.Mem:
		e.get(lPlace)
		e.getVector(in.Reg)
		e.vectorMem(vStore, e.layout.RAM)
	default:
		e.get(lCore)
		e.getVector(in.Reg)
		e.setVector(in.RM)
	}
}

// moveLow serves moves of the lowest 4 or 8 bytes. Those to a register clear what is
// above them, but for MOVSS and MOVSD between registers.
func moveLow(e *emitter) {
	in := e.in
	e.findVector()
	load, store := byte(opI64Load), byte(opI64Store)
	if in.Op == x86.MOVD || in.Op == x86.MOVSS {
		load, store = opI32Load, opI32Store
	}
	first := in.Row().Args[0]
	toRM := first != x86.Vx && first != x86.Pq
	from, to := in.RM, in.Reg
	if toRM {
		from, to = in.Reg, in.RM
	}
	push := func() {
		switch {
		case !toRM && in.Mem:
			e.get(lPlace)
			e.mem(load, e.layout.RAM)
		case !toRM && in.Op == x86.MOVD:
			e.get(reg(in.RM))
		default:
			e.get(lCore)
			e.mem(load, e.vectorAt(from))
		}
	}
	switch {
	case toRM && in.Mem:
		e.get(lPlace)
		push()
		e.mem(store, e.layout.RAM)
	case toRM && in.Op == x86.MOVD:
		push()
		e.set(reg(in.RM))
	case (in.Op == x86.MOVSS || in.Op == x86.MOVSD) && !in.Mem:
		e.get(lCore)
		push()
		e.mem(store, xmmAt(to))
	default:
		e.get(lCore)
		push()
		if load == opI32Load {
			e.op(opI64ExtendU32)
		}
		e.mem(opI64Store, e.vectorAt(to))
		if ofMMX(&in.Inst) {
			e.setSE(to)
			return
		}
		e.get(lCore)
		e.i64(0)
		e.mem(opI64Store, xmmAt(to)+8)
	}
}

// moveHalf serves moves of 8 bytes from or to one half of a register that leave the
// other.
func moveHalf(e *emitter) {
	in := e.in
	e.findVector()
	half, from := uint32(0), uint32(0) // of the register in ModRM.reg, and of the source
	switch in.Op {
	case x86.MOVHPS, x86.MOVHPD, x86.MOVLHPS:
		half = 8
	case x86.MOVHLPS:
		from = 8
	}
	switch {
	case !in.Mem:
		e.get(lCore)
		e.get(lCore)
		e.mem(opI64Load, xmmAt(in.RM)+from)
		e.mem(opI64Store, xmmAt(in.Reg)+half)
	case in.Row().Args[0] == x86.Vx:
		e.get(lCore)
		e.get(lPlace)
		e.mem(opI64Load, e.layout.RAM)
		e.mem(opI64Store, xmmAt(in.Reg)+half)
	default:
		e.get(lPlace)
		e.get(lCore)
		e.mem(opI64Load, xmmAt(in.Reg)+half)
		e.mem(opI64Store, e.layout.RAM)
	}
}
