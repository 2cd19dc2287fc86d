package wasm

import (
	"math"

	"alpinevm/cpu/x86"
)

// Conversions between integers, singles and doubles, without MMX registers.

// conversion is one whose result is of another kind than its source.
type conversion struct {
	from    *lanesKind // nil: integers
	size    uint8      // of the source, where that is less than a vector of from; 0: it is one
	ops     []uint32
	to      *lanesKind // nil: a general register
	inexact bool       // it may round
	check   conversionCheck
}

// conversionCheck is what is asked of the source, beside that it is no denormal and no
// NaN; or, as fitsInt, of what the first operation makes of it.
type conversionCheck uint8

const (
	fits       conversionCheck = iota // nothing
	fitsInt                           // it is less than 2^31 away from 0
	fitsSingle                        // it is a normal single, or 0
)

var conversions = map[x86.Op]conversion{
	x86.CVTSI2SS: {size: 4, ops: []uint32{opF32ConvertI32}, to: &singles, inexact: true},
	x86.CVTSI2SD: {size: 4, ops: []uint32{opF64ConvertI32}, to: &doubles},
	x86.CVTSS2SD: {from: &singles, ops: []uint32{opF64PromoteF32}, to: &doubles},
	x86.CVTSD2SS: {from: &doubles, ops: []uint32{opF32DemoteF64}, to: &singles, inexact: true, check: fitsSingle},

	x86.CVTTSS2SI: {from: &singles, ops: []uint32{opI32TruncF32}, inexact: true, check: fitsInt},
	x86.CVTTSD2SI: {from: &doubles, ops: []uint32{opI32TruncF64}, inexact: true, check: fitsInt},
	x86.CVTSS2SI:  {from: &singles, ops: []uint32{opF32Nearest, opI32TruncF32}, inexact: true, check: fitsInt},
	x86.CVTSD2SI:  {from: &doubles, ops: []uint32{opF64Nearest, opI32TruncF64}, inexact: true, check: fitsInt},

	x86.CVTDQ2PS:  {size: 16, ops: []uint32{vSinglesOfInts}, to: &fourSingles, inexact: true},
	x86.CVTDQ2PD:  {size: 8, ops: []uint32{vDoublesOfInts}, to: &twoDoubles},
	x86.CVTPS2PD:  {from: &fourSingles, size: 8, ops: []uint32{vDoublesOfSingles}, to: &twoDoubles},
	x86.CVTPD2PS:  {from: &twoDoubles, ops: []uint32{vSinglesOfDoubles}, to: &fourSingles, inexact: true, check: fitsSingle},
	x86.CVTTPS2DQ: {from: &fourSingles, ops: []uint32{vIntsOfSingles}, to: &fourSingles, inexact: true, check: fitsInt},
	x86.CVTPS2DQ:  {from: &fourSingles, ops: []uint32{vNearestF32, vIntsOfSingles}, to: &fourSingles, inexact: true, check: fitsInt},
	x86.CVTTPD2DQ: {from: &twoDoubles, ops: []uint32{vIntsOfDoubles}, to: &twoDoubles, inexact: true, check: fitsInt},
	x86.CVTPD2DQ:  {from: &twoDoubles, ops: []uint32{vNearestF64, vIntsOfDoubles}, to: &twoDoubles, inexact: true, check: fitsInt},
}

var convertRules = makeConvertRules()

// makeConvertRules stays out of init: see gatherRules.
//
//go:noinline
func makeConvertRules() map[x86.Op]rule {
	t := map[x86.Op]rule{}
	for op := range conversions {
		t[op] = rule{takes: ofXMM, emit: convertFloats}
	}
	return t
}

func convertFloats(e *emitter) {
	c := conversions[e.in.Op]
	e.findVector()
	if c.inexact {
		e.roundsAlike()
	}
	if c.from == nil {
		e.convertInts(c)
		return
	}
	k := c.from
	if c.size == 8 {
		e.lowSource()
	} else {
		e.sourceLanes(k)
	}
	e.asm.set(k.a)
	e.ordinary(k, k.a)
	ops := c.ops
	if len(ops) > 1 {
		e.get(k.a)
		e.lanesOp(k, ops[0])
		e.asm.set(k.a)
		ops = ops[1:]
	}
	switch c.check {
	case fitsInt:
		e.magnitude(k, k.a, k.lt, tooMuchForI4)
		e.and(k)
	case fitsSingle:
		e.magnitude(k, k.a, k.ge, leastSingle)
		e.magnitude(k, k.a, k.le, math.MaxFloat32)
		e.and(k)
		e.compared(k, k.a, k.eq, 0)
		e.or(k)
		e.and(k)
	}
	e.unless(k)
	if c.to != nil {
		e.get(lCore)
	}
	e.get(k.a)
	e.lanesOp(k, ops[0])
	if c.to == nil {
		e.set(reg(e.in.Reg))
		return
	}
	e.lanesMem(c.to, c.to.store, xmmAt(e.in.Reg))
}

// convertInts serves conversions of integers, of a general register or of a vector.
func (e *emitter) convertInts(c conversion) {
	e.get(lCore)
	switch {
	case c.size == 8:
		e.lowSource()
	case c.to.vector:
		e.source()
	case e.in.Mem:
		e.load(4)
	default:
		e.get(reg(e.in.RM))
	}
	e.lanesOp(c.to, c.ops[0])
	e.lanesMem(c.to, c.to.store, xmmAt(e.in.Reg))
}

// lowSource pushes the lower half of the r/m operand, with zeros above.
func (e *emitter) lowSource() {
	if e.in.Mem {
		e.source()
		return
	}
	e.get(lCore)
	e.vectorMem(vLoad64, xmmAt(e.in.RM))
}
