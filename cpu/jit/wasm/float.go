package wasm

import (
	"encoding/binary"
	"math"
)

// Floating point has to be exact to the bit, flags of MXCSR that stick included, and
// WebAssembly has no flags. So an operation is done where its operands and its result
// prove that none can newly be raised, and left to the interpreter otherwise:
//
//   - no operand is a NaN or a denormal, which would raise IE or DE;
//   - the result is no infinity, NaN or denormal, no zero that should be none, and not what
//     a denormal may have been rounded to;
//   - where it may be inexact, PE is set already and masked, and rounding is to nearest,
//     as WebAssembly rounds.
//
// What MXCSR says of denormals, to count as zeros or to become some, then does not
// matter.

// lanesKind is a type of value that arithmetic is done on, with the opcodes for it.
type lanesKind struct {
	a, b, r local
	vector  bool
	size    uint8 // of a lane
	load    uint32
	store   uint32

	abs, sqrt, nearest, add, sub, mul, div uint32
	eq, ne, lt, gt, le, ge                 uint32
}

var (
	singles = lanesKind{
		lSingleA, lSingleB, lSingleR, false, 4, opF32Load, opF32Store,
		opF32Abs, opF32Sqrt, opF32Nearest, opF32Add, opF32Sub, opF32Mul, opF32Div, opF32Eq, opF32Ne, opF32Lt, opF32Gt, opF32Le, opF32Ge,
	}
	doubles = lanesKind{
		lDoubleA, lDoubleB, lDoubleR, false, 8, opF64Load, opF64Store,
		opF64Abs, opF64Sqrt, opF64Nearest, opF64Add, opF64Sub, opF64Mul, opF64Div, opF64Eq, opF64Ne, opF64Lt, opF64Gt, opF64Le, opF64Ge,
	}
	fourSingles = lanesKind{
		lVectorA, lVectorB, lVectorR, true, 4, vLoad, vStore,
		vAbsF32, vSqrtF32, vNearestF32, vAddF32, vSubF32, vMulF32, vDivF32, vEqF32, vNeF32, vLtF32, vGtF32, vLeF32, vGeF32,
	}
	twoDoubles = lanesKind{
		lVectorA, lVectorB, lVectorR, true, 8, vLoad, vStore,
		vAbsF64, vSqrtF64, vNearestF64, vAddF64, vSubF64, vMulF64, vDivF64, vEqF64, vNeF64, vLtF64, vGtF64, vLeF64, vGeF64,
	}
)

// Bounds of normal numbers.
const (
	leastSingle  = 0x1p-126
	leastDouble  = 0x1p-1022
	tooMuchForI4 = 1 << 31
)

// least and most are the bounds of the kind's normal numbers.
func (k *lanesKind) least() float64 {
	if k.size == 4 {
		return leastSingle
	}
	return leastDouble
}

func (k *lanesKind) most() float64 {
	if k.size == 4 {
		return math.MaxFloat32
	}
	return math.MaxFloat64
}

// lanesOp appends an operation on the kind.
func (e *emitter) lanesOp(k *lanesKind, op uint32) {
	if k.vector {
		e.vector(op)
		return
	}
	e.op(byte(op))
}

// lanesConst pushes a constant, in each lane.
func (e *emitter) lanesConst(k *lanesKind, v float64) {
	var b []byte
	if k.size == 4 {
		b = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	} else {
		b = binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
	}
	switch {
	case k.vector:
		e.vector(vConst)
		for range 16 / len(b) {
			e.op(b...)
		}
		return
	case k.size == 4:
		e.op(opF32Const)
	default:
		e.op(opF64Const)
	}
	e.op(b...)
}

// Truths are words, or lanes of ones where they hold.

func (e *emitter) and(k *lanesKind) { e.truths(k, opI32And, vAnd) }
func (e *emitter) or(k *lanesKind)  { e.truths(k, opI32Or, vOr) }

func (e *emitter) truths(k *lanesKind, word byte, vector uint32) {
	if k.vector {
		e.vector(vector)
		return
	}
	e.op(word)
}

// unless leaves to the interpreter unless the truth on the stack holds, in all lanes.
func (e *emitter) unless(k *lanesKind) {
	if k.vector {
		e.vector(vNot)
		e.vector(vAnyTrue)
	} else {
		e.op(opI32Eqz)
	}
	e.leaveIf(exitInst)
}

// compared pushes whether a local relates to a constant.
func (e *emitter) compared(k *lanesKind, l local, op uint32, v float64) {
	e.get(l)
	e.lanesConst(k, v)
	e.lanesOp(k, op)
}

// magnitude pushes whether the absolute value of a local relates to a constant.
func (e *emitter) magnitude(k *lanesKind, l local, op uint32, v float64) {
	e.get(l)
	e.lanesOp(k, k.abs)
	e.lanesConst(k, v)
	e.lanesOp(k, op)
}

// ordinary pushes whether a local is neither a denormal nor a NaN.
func (e *emitter) ordinary(k *lanesKind, l local) {
	e.magnitude(k, l, k.ge, k.least())
	e.compared(k, l, k.eq, 0)
	e.or(k)
}

// normal pushes whether a local is a normal number, but for the least: a result that has
// been rounded to that may have been less, which raises UE.
func (e *emitter) normal(k *lanesKind, l local) {
	e.magnitude(k, l, k.gt, k.least())
	e.magnitude(k, l, k.le, k.most())
	e.and(k)
}

// roundsAlike leaves to the interpreter where MXCSR wants something else than
// WebAssembly does, or would learn of an inexact result. What changes it ends blocks,
// so the first one of a block looks.
func (e *emitter) roundsAlike() {
	const (
		rounding, maskPE, flagPE = 3 << 13, 1 << 12, 1 << 5 // SDM vol. 1, 10.2.3
	)
	if e.rounds {
		return
	}
	e.rounds = true
	e.get(lCore)
	e.mem(opI32Load, coreMXCSR)
	e.with(opI32And, rounding|maskPE|flagPE)
	e.with(opI32Ne, maskPE|flagPE)
	e.leaveIf(exitInst)
}

// getLanes pushes a register, as a value of the kind.
func (e *emitter) getLanes(k *lanesKind, n uint8) {
	e.get(lCore)
	e.lanesMem(k, k.load, xmmAt(n))
}

func (e *emitter) lanesMem(k *lanesKind, op, off uint32) {
	if k.vector {
		e.vectorMem(op, off)
		return
	}
	e.mem(byte(op), off)
}

// sourceLanes pushes the r/m operand.
func (e *emitter) sourceLanes(k *lanesKind) {
	switch {
	case !e.in.Mem:
		e.getLanes(k, e.in.RM)
	case k.vector:
		e.source()
	default:
		e.get(lPlace)
		e.mem(byte(k.load), e.layout.RAM)
	}
}

// setLanes sets ModRM.reg to a local; what is above a scalar stays.
func (e *emitter) setLanes(k *lanesKind, l local) {
	e.get(lCore)
	e.get(l)
	e.lanesMem(k, k.store, xmmAt(e.in.Reg))
}
