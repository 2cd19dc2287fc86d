package wasm

import "alpinevm/cpu/x86"

// Arithmetic and comparison of SSE, SSE2 and SSE3.

// floatOp is what one of the mnemonics does.
type floatOp struct {
	k    *lanesKind
	what floatWhat
}

type floatWhat uint8

const (
	fAdd floatWhat = iota
	fSub
	fMul
	fDiv
	fSqrt
	fMin
	fMax
	fCompare // and set flags
	fTest    // and make ones
	fAddNext // neighbours
	fSubNext
)

var floatOps = makeFloatOps()

// makeFloatOps stays out of init: see gatherRules.
//
//go:noinline
func makeFloatOps() map[x86.Op]floatOp {
	t := map[x86.Op]floatOp{
		x86.UCOMISS: {&singles, fCompare}, x86.COMISS: {&singles, fCompare}, x86.UCOMISD: {&doubles, fCompare}, x86.COMISD: {&doubles, fCompare},
		x86.HADDPS: {&fourSingles, fAddNext}, x86.HADDPD: {&twoDoubles, fAddNext}, x86.HSUBPS: {&fourSingles, fSubNext}, x86.HSUBPD: {&twoDoubles, fSubNext},
	}
	for what, ops := range map[floatWhat][4]x86.Op{
		fAdd: {x86.ADDSS, x86.ADDSD, x86.ADDPS, x86.ADDPD}, fSub: {x86.SUBSS, x86.SUBSD, x86.SUBPS, x86.SUBPD},
		fMul: {x86.MULSS, x86.MULSD, x86.MULPS, x86.MULPD}, fDiv: {x86.DIVSS, x86.DIVSD, x86.DIVPS, x86.DIVPD},
		fSqrt: {x86.SQRTSS, x86.SQRTSD, x86.SQRTPS, x86.SQRTPD},
		fMin:  {x86.MINSS, x86.MINSD, x86.MINPS, x86.MINPD}, fMax: {x86.MAXSS, x86.MAXSD, x86.MAXPS, x86.MAXPD},
		fTest: {x86.CMPSS, x86.CMPSD, x86.CMPPS, x86.CMPPD},
	} {
		for i, k := range []*lanesKind{&singles, &doubles, &fourSingles, &twoDoubles} {
			t[ops[i]] = floatOp{k, what}
		}
	}
	return t
}

var floatRules = makeFloatRules()

// makeFloatRules stays out of init: see gatherRules.
//
//go:noinline
func makeFloatRules() map[x86.Op]rule {
	t := map[x86.Op]rule{}
	for op, o := range floatOps {
		emit := arithmetic
		switch o.what {
		case fMin, fMax, fCompare, fTest:
			emit = compareFloats
		}
		t[op] = rule{takes: ofXMM, emit: emit}
	}
	return t
}

// arithmetic serves what may round.
func arithmetic(e *emitter) {
	o := floatOps[e.in.Op]
	k := o.k
	e.findVector()
	e.roundsAlike()
	e.operands(o)
	op := k.add
	switch o.what {
	case fSub, fSubNext:
		op = k.sub
	case fMul:
		op = k.mul
	case fDiv:
		op = k.div
	case fSqrt:
		op = k.sqrt
	}
	if o.what != fSqrt {
		e.get(k.a)
	}
	e.get(k.b)
	e.lanesOp(k, op)
	e.asm.set(k.r)
	e.right(o)
	e.unless(k)
	e.setLanes(k, k.r)
}

// operands sets the kind's locals to destination and source.
func (e *emitter) operands(o floatOp) {
	k := o.k
	e.getLanes(k, e.in.Reg)
	e.asm.set(k.a)
	e.sourceLanes(k)
	e.asm.set(k.b)
	if o.what != fAddNext && o.what != fSubNext {
		return
	}
	odd := uint32(0b11_01_11_01)
	even := uint32(0b10_00_10_00)
	first, second := choose(4, 0, even, 0, 16), choose(4, 0, odd, 0, 16)
	if k.size == 8 {
		first, second = unpack(8, 0)(0), unpack(8, 8)(0)
	}
	for _, l := range []lanes{first, second} {
		e.get(k.a)
		e.get(k.b)
		e.vectorShuffle(l)
	}
	e.asm.set(k.b)
	e.asm.set(k.a)
}

// right pushes whether operands and result are such that nothing is raised. A result
// that is a normal number says that no operand was a NaN or an infinity, but for a
// divisor.
func (e *emitter) right(o floatOp) {
	k := o.k
	e.normal(k, k.r)
	e.compared(k, k.r, k.eq, 0)
	switch o.what {
	case fMul: // a zero of something is one that has become too small
		e.compared(k, k.a, k.eq, 0)
		e.compared(k, k.b, k.eq, 0)
		e.or(k)
		e.and(k)
	case fDiv:
		e.compared(k, k.a, k.eq, 0)
		e.and(k)
	}
	e.or(k)
	if o.what != fSqrt {
		e.ordinary(k, k.a)
		e.and(k)
	}
	e.ordinary(k, k.b)
	e.and(k)
}

// predicate gives the relation that CMPPS and its like test by imm, of operands that are no NaNs
// (SDM vol. 2A, table 3-1): UNORD holds never, ORD always.
func (k *lanesKind) predicate(imm uint32) uint32 {
	return [8]uint32{k.eq, k.lt, k.le, 0, k.ne, k.ge, k.gt, 0}[imm&7]
}

// compareFloats serves what is exact whatever MXCSR says.
func compareFloats(e *emitter) {
	o := floatOps[e.in.Op]
	k := o.k
	e.findVector()
	e.operands(o)
	e.ordinary(k, k.a)
	e.ordinary(k, k.b)
	e.and(k)
	e.unless(k)
	relation := func(op uint32) {
		e.get(k.a)
		e.get(k.b)
		e.lanesOp(k, op)
	}
	switch o.what {
	case fCompare:
		relation(k.lt)
		e.asm.set(lA)
		relation(k.ne)
		e.asm.set(lR)
		e.setOrder()
	case fTest:
		e.get(lCore)
		e.ones(k, relation)
	default: // where both are zeros, the source
		e.get(lCore)
		op := k.lt
		if o.what == fMax {
			op = k.gt
		}
		e.get(k.a)
		e.get(k.b)
		relation(op)
		if k.vector {
			e.vector(vBitSelect)
		} else {
			e.op(opSelect)
		}
		e.lanesMem(k, k.store, xmmAt(e.in.Reg))
	}
}

// ones sets ModRM.reg, above lCore on the stack, to ones where the predicate holds.
func (e *emitter) ones(k *lanesKind, relation func(op uint32)) {
	op, always := k.predicate(e.in.Imm), e.in.Imm&7 == 7
	at := xmmAt(e.in.Reg)
	if k.vector {
		switch {
		case op != 0:
			relation(op)
		case always:
			e.vectorConst(0xff)
		default:
			e.vectorConst(0)
		}
		e.vectorMem(vStore, at)
		return
	}
	e.i32(0)
	switch {
	case op != 0:
		relation(op)
	case always:
		e.i32(1)
	default:
		e.i32(0)
	}
	e.op(opI32Sub)
	if k.size == 4 {
		e.mem(opI32Store, at)
		return
	}
	e.op(opI64ExtendI32)
	e.mem(opI64Store, at)
}
