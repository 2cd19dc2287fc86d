package wasm

import (
	"slices"

	"alpinevm/cpu/x86"
)

// MMX, and SSE to SSE4.2 on integers and bits, and moves: what raises no
// floating-point exception and asks MXCSR for nothing. The registers stay in the
// cpu.State, XMM registers as vectors, MMX registers, which are significands of x87
// registers, as the lower halves of vectors whose upper halves do not count.

// pairwise are operations of destination and source, into the destination.
var pairwise = map[x86.Op]struct {
	op   uint32
	swap bool // the source is the first
}{
	x86.PADDB: {op: vAdd8}, x86.PADDW: {op: vAdd16}, x86.PADDD: {op: vAdd32}, x86.PADDQ: {op: vAdd64},
	x86.PSUBB: {op: vSub8}, x86.PSUBW: {op: vSub16}, x86.PSUBD: {op: vSub32}, x86.PSUBQ: {op: vSub64},
	x86.PADDSB: {op: vAddSatS8}, x86.PADDSW: {op: vAddSatS16}, x86.PADDUSB: {op: vAddSatU8}, x86.PADDUSW: {op: vAddSatU16},
	x86.PSUBSB: {op: vSubSatS8}, x86.PSUBSW: {op: vSubSatS16}, x86.PSUBUSB: {op: vSubSatU8}, x86.PSUBUSW: {op: vSubSatU16},
	x86.PCMPEQB: {op: vEq8}, x86.PCMPEQW: {op: vEq16}, x86.PCMPEQD: {op: vEq32}, x86.PCMPEQQ: {op: vEq64},
	x86.PCMPGTB: {op: vGt8}, x86.PCMPGTW: {op: vGt16}, x86.PCMPGTD: {op: vGt32}, x86.PCMPGTQ: {op: vGt64},
	x86.PMINUB: {op: vMinU8}, x86.PMAXUB: {op: vMaxU8}, x86.PMINSW: {op: vMinS16}, x86.PMAXSW: {op: vMaxS16},
	x86.PMINSB: {op: vMinS8}, x86.PMAXSB: {op: vMaxS8}, x86.PMINUW: {op: vMinU16}, x86.PMAXUW: {op: vMaxU16},
	x86.PMINSD: {op: vMinS32}, x86.PMAXSD: {op: vMaxS32}, x86.PMINUD: {op: vMinU32}, x86.PMAXUD: {op: vMaxU32},
	x86.PAVGB: {op: vAverageU8}, x86.PAVGW: {op: vAverageU16}, x86.PMULLW: {op: vMul16}, x86.PMULLD: {op: vMul32}, x86.PMADDWD: {op: vDot16},
	x86.PAND: {op: vAnd}, x86.ANDPS: {op: vAnd}, x86.ANDPD: {op: vAnd}, x86.POR: {op: vOr}, x86.ORPS: {op: vOr}, x86.ORPD: {op: vOr},
	x86.PXOR: {op: vXor}, x86.XORPS: {op: vXor}, x86.XORPD: {op: vXor},
	x86.PANDN: {vAndNot, true}, x86.ANDNPS: {vAndNot, true}, x86.ANDNPD: {vAndNot, true},
}

// unary are operations of the source alone.
var unary = map[x86.Op][]uint32{
	x86.PABSB: {vAbs8}, x86.PABSW: {vAbs16}, x86.PABSD: {vAbs32},
	x86.PMOVSXBW: {vWiden8S}, x86.PMOVSXBD: {vWiden8S, vWiden16S}, x86.PMOVSXBQ: {vWiden8S, vWiden16S, vWiden32S},
	x86.PMOVSXWD: {vWiden16S}, x86.PMOVSXWQ: {vWiden16S, vWiden32S}, x86.PMOVSXDQ: {vWiden32S},
	x86.PMOVZXBW: {vWiden8U}, x86.PMOVZXBD: {vWiden8U, vWiden16U}, x86.PMOVZXBQ: {vWiden8U, vWiden16U, vWiden32U},
	x86.PMOVZXWD: {vWiden16U}, x86.PMOVZXWQ: {vWiden16U, vWiden32U}, x86.PMOVZXDQ: {vWiden32U},
}

// packs make one vector of narrower lanes of both operands.
var packs = map[x86.Op]uint32{x86.PACKSSWB: vNarrowS8, x86.PACKUSWB: vNarrowU8, x86.PACKSSDW: vNarrowS16, x86.PACKUSDW: vNarrowU16}

// shiftsOf are shifts of lanes.
var shiftsOf = map[x86.Op]struct {
	op     uint32
	bits   uint32 // of a lane
	signed bool
}{
	x86.PSLLW: {vShl16, 16, false}, x86.PSLLD: {vShl32, 32, false}, x86.PSLLQ: {vShl64, 64, false},
	x86.PSRLW: {vShrU16, 16, false}, x86.PSRLD: {vShrU32, 32, false}, x86.PSRLQ: {vShrU64, 64, false},
	x86.PSRAW: {vShrS16, 16, true}, x86.PSRAD: {vShrS32, 32, true},
}

// masks gather the uppermost bits of lanes.
var masks = map[x86.Op]uint32{x86.PMOVMSKB: vMask8, x86.MOVMSKPS: vMask32, x86.MOVMSKPD: vMask64}

var simdRules = makeSIMDRules()

// makeSIMDRules stays out of init: see gatherRules.
//
//go:noinline
func makeSIMDRules() map[x86.Op]rule {
	t := map[x86.Op]rule{
		x86.PEXTRB: {emit: extract}, x86.PEXTRW: {emit: extract}, x86.PEXTRD: {emit: extract}, x86.EXTRACTPS: {emit: extract},
		x86.PINSRB: {emit: insert}, x86.PINSRW: {emit: insert}, x86.PINSRD: {emit: insert},
		x86.PMULHW: {emit: multiplyHigh}, x86.PMULHUW: {emit: multiplyHigh},
		x86.PMULUDQ: {emit: multiplyEven}, x86.PMULDQ: {emit: multiplyEven},
		x86.PSADBW: {emit: sumDifferences}, x86.PSHUFB: {emit: shuffleBytes}, x86.PTEST: {emit: testBits},
		x86.PBLENDVB: {emit: blend}, x86.BLENDVPS: {emit: blend}, x86.BLENDVPD: {emit: blend},
	}
	for op := range pairwise {
		t[op] = rule{emit: pair}
	}
	for op := range unary {
		t[op] = rule{emit: single}
	}
	for op := range packs {
		t[op] = rule{emit: pack}
	}
	for op := range shiftsOf {
		t[op] = rule{emit: shiftLanes}
	}
	for op := range shuffles {
		t[op] = rule{emit: shuffle}
	}
	for op := range masks {
		t[op] = rule{emit: gatherBits}
	}
	for op, r := range t {
		r.takes = ofOneFile
		t[op] = r
	}
	return t
}

// ofOneFile says that the form is one on XMM registers or on MMX registers, and not on
// both.
func ofOneFile(in *x86.Inst) bool { return ofXMM(in) != ofMMX(in) }

func ofXMM(in *x86.Inst) bool {
	args := in.Row().Args
	return slices.ContainsFunc(args[:], x86.Arg.XMM)
}

func ofMMX(in *x86.Inst) bool {
	args := in.Row().Args
	return slices.ContainsFunc(args[:], x86.Arg.MMX)
}

const (
	cr0EMTS   = 1<<2 | 1<<3 // CR0
	cr4OSFXSR = 1 << 9      // CR4
)

// usableSSE leaves to the interpreter where SSE instructions raise #UD or #NM (SDM vol.
// 3A, table 13-1). What changes that ends blocks, so the first one of a block looks.
func (e *emitter) usableSSE() {
	if e.sse {
		return
	}
	e.sse = true
	e.get(lCore)
	e.mem(opI32Load, coreCR0)
	e.with(opI32And, cr0EMTS)
	e.get(lCore)
	e.mem(opI32Load, coreCR4)
	e.with(opI32And, cr4OSFXSR)
	e.op(opI32Eqz, opI32Or)
	e.leaveIf(exitInst)
}

// findVector is what each rule begins with: it looks up the memory operand, if there is
// one. Behind it the instruction can no longer fault.
func (e *emitter) findVector() {
	if ofMMX(&e.in.Inst) {
		e.usableMMX()
		e.findOperand()
		e.enterMMX()
		return
	}
	e.usableSSE()
	e.findOperand()
}

// findOperand looks up the memory operand, if there is one.
func (e *emitter) findOperand() {
	if !e.in.Mem {
		return
	}
	row := e.in.Row()
	at := row.MemArg()
	acc := forRead
	if at == 0 && row.Flags&x86.DstW != 0 {
		acc = forWrite
	}
	e.locate(acc, uint8(row.Args[at].Size(e.in.OpSize)))
	if row.Args[at].Aligned() {
		e.get(lEA)
		e.with(opI32And, 15)
		e.leaveIf(exitInst)
	}
}

func xmmAt(n uint8) uint32 { return coreXMM + 16*uint32(n) }

// vectorAt is where in the Core a register of the instruction's kind is.
func (e *emitter) vectorAt(n uint8) uint32 {
	if ofMMX(&e.in.Inst) {
		return mantAt(n)
	}
	return xmmAt(n)
}

// getVector pushes a register. Whoever sets one pushes lCore first.
func (e *emitter) getVector(n uint8) {
	e.get(lCore)
	if ofMMX(&e.in.Inst) {
		e.vectorMem(vLoad64, mantAt(n))
		return
	}
	e.vectorMem(vLoad, xmmAt(n))
}

func (e *emitter) setVector(n uint8) {
	if ofMMX(&e.in.Inst) {
		e.vectorMem(vStoreLow, mantAt(n))
		e.op(0)
		e.setSE(n)
		return
	}
	e.vectorMem(vStore, xmmAt(n))
}

// source pushes the r/m operand, with zeros above where that has fewer than 16 bytes.
func (e *emitter) source() {
	if !e.in.Mem {
		e.getVector(e.in.RM)
		return
	}
	row := e.in.Row()
	e.get(lPlace)
	switch row.Args[row.MemArg()].Size(e.in.OpSize) {
	case 2:
		e.mem(opI32Load16U, e.layout.RAM)
		e.op(opI64ExtendU32)
		e.vector(vSplat64)
	case 4:
		e.vectorMem(vLoad32, e.layout.RAM)
	case 8:
		e.vectorMem(vLoad64, e.layout.RAM)
	default:
		e.vectorMem(vLoad, e.layout.RAM)
	}
}

func pair(e *emitter) {
	o := pairwise[e.in.Op]
	e.findVector()
	e.get(lCore)
	if o.swap {
		e.source()
		e.getVector(e.in.Reg)
	} else {
		e.getVector(e.in.Reg)
		e.source()
	}
	e.vector(o.op)
	e.setVector(e.in.Reg)
}

func single(e *emitter) {
	e.findVector()
	e.get(lCore)
	e.source()
	for _, op := range unary[e.in.Op] {
		e.vector(op)
	}
	e.setVector(e.in.Reg)
}

// pack of MMX registers packs both of them, side by side, twice.
func pack(e *emitter) {
	e.findVector()
	e.get(lCore)
	e.getVector(e.in.Reg)
	e.source()
	if ofMMX(&e.in.Inst) {
		e.vectorShuffle(unpack(8, 0)(0))
		e.asm.tee(lVectorA)
		e.get(lVectorA)
	}
	e.vector(packs[e.in.Op])
	e.setVector(e.in.Reg)
}

// shiftLanes shifts by the immediate operand, or by the lower half of the source.
func shiftLanes(e *emitter) {
	s := shiftsOf[e.in.Op]
	e.findVector()
	if !has(&e.in.Inst, x86.Ib) {
		e.shiftBySource(s.op, s.bits, s.signed)
		return
	}
	n := e.in.Imm & 0xff
	e.get(lCore)
	switch {
	case n < s.bits:
	case s.signed:
		n = s.bits - 1
	default:
		e.vectorConst(0)
		e.setVector(e.in.RM)
		return
	}
	e.getVector(e.in.RM)
	e.i32(n)
	e.vector(s.op)
	e.setVector(e.in.RM)
}

func (e *emitter) shiftBySource(op, bits uint32, signed bool) {
	if e.in.Mem {
		e.get(lPlace)
		e.mem(opI64Load, e.layout.RAM)
	} else {
		e.get(lCore)
		e.mem(opI64Load, e.vectorAt(e.in.RM))
	}
	if signed {
		e.asm.tee(lWide)
		e.i64(int64(bits) - 1)
		e.get(lWide)
		e.i64(int64(bits))
		e.op(opI64LtU, opSelect)
	}
	e.asm.set(lWide)
	e.get(lCore)
	e.getVector(e.in.Reg)
	e.get(lWide)
	e.op(opI32WrapI64)
	e.vector(op)
	e.vectorConst(0)
	e.get(lWide)
	e.i64(int64(bits))
	e.op(opI64LtU, opSelect)
	e.setVector(e.in.Reg)
}

func gatherBits(e *emitter) {
	e.findVector()
	e.getVector(e.in.RM)
	e.vector(masks[e.in.Op])
	e.set(reg(e.in.Reg))
}

// lane is where the lane that the immediate operand names lies in the Core, of register
// n, and of how many bytes it is.
func (e *emitter) lane(n uint8) (at uint32, size uint8) {
	all := uint32(16)
	if ofMMX(&e.in.Inst) {
		all = 8
	}
	switch e.in.Op {
	case x86.PEXTRB, x86.PINSRB:
		size = 1
	case x86.PEXTRW, x86.PINSRW:
		size = 2
	default:
		size = 4
	}
	return e.vectorAt(n) + uint32(size)*e.in.Imm&(all-1), size
}

// extract has its destination in ModRM.reg or in r/m, which may be memory.
func extract(e *emitter) {
	in := e.in
	e.findVector()
	from, to := in.RM, in.Reg
	if has(&in.Inst, x86.Vx) {
		from, to = in.Reg, in.RM
	}
	at, size := e.lane(from)
	if in.Mem {
		e.get(lPlace)
	}
	e.get(lCore)
	e.mem(loadOf[size], at)
	if in.Mem {
		e.storeStack(size)
		return
	}
	e.set(reg(to))
}

func insert(e *emitter) {
	e.findVector()
	at, size := e.lane(e.in.Reg)
	e.get(lCore)
	if e.in.Mem {
		e.load(size)
	} else {
		e.get(reg(e.in.RM))
	}
	e.mem(storeOf[size], at)
	if ofMMX(&e.in.Inst) {
		e.setSE(e.in.Reg)
	}
}

// both sets lVectorA and lVectorB to destination and source.
func (e *emitter) both() {
	e.getVector(e.in.Reg)
	e.asm.set(lVectorA)
	e.source()
	e.asm.set(lVectorB)
}

// of pushes an operation of lVectorA and lVectorB.
func (e *emitter) of(op uint32) {
	e.get(lVectorA)
	e.get(lVectorB)
	e.vector(op)
}

// multiplyHigh has the upper halves of products of words.
func multiplyHigh(e *emitter) {
	low, high := uint32(vProductLowS), uint32(vProductHighS)
	if e.in.Op == x86.PMULHUW {
		low, high = vProductLowU, vProductHighU
	}
	e.findVector()
	e.both()
	e.get(lCore)
	e.of(low)
	e.of(high)
	var l lanes
	for i := range byte(16) {
		l[i] = i/2*4 + 2 + i%2
	}
	e.vectorShuffle(l)
	e.setVector(e.in.Reg)
}

// multiplyEven multiplies the even doublewords.
func multiplyEven(e *emitter) {
	op := uint32(vProduct32U)
	if e.in.Op == x86.PMULDQ {
		op = vProduct32S
	}
	even := lanes{0, 1, 2, 3, 8, 9, 10, 11}
	e.findVector()
	e.get(lCore)
	e.getVector(e.in.Reg)
	e.asm.tee(lVectorA)
	e.get(lVectorA)
	e.vectorShuffle(even)
	e.source()
	e.asm.tee(lVectorB)
	e.get(lVectorB)
	e.vectorShuffle(even)
	e.vector(op)
	e.setVector(e.in.Reg)
}

// sumDifferences sums absolute differences of bytes, eight each.
func sumDifferences(e *emitter) {
	e.findVector()
	e.both()
	e.get(lCore)
	e.of(vMaxU8)
	e.of(vMinU8)
	e.vector(vSub8)
	e.vector(vPairs8U)
	e.vector(vPairs16U)
	e.asm.tee(lVectorA)
	e.get(lVectorA)
	e.i32(32)
	e.vector(vShrU64)
	e.vector(vAdd32)
	e.i32(32)
	e.vector(vShl64)
	e.i32(32)
	e.vector(vShrU64)
	e.setVector(e.in.Reg)
}

// shuffleBytes chooses bytes by those of the source, or 0 where their uppermost bits are
// set.
func shuffleBytes(e *emitter) {
	e.findVector()
	e.get(lCore)
	e.getVector(e.in.Reg)
	e.source()
	if ofMMX(&e.in.Inst) {
		e.vectorConst(0x87)
	} else {
		e.vectorConst(0x8f)
	}
	e.vector(vAnd)
	e.vector(vSwizzle)
	e.setVector(e.in.Reg)
}

// testBits sets ZF and CF alone (SDM vol. 2B, PTEST).
func testBits(e *emitter) {
	e.findVector()
	e.both()
	e.get(lVectorB)
	e.get(lVectorA)
	e.vector(vAndNot)
	e.vector(vAnyTrue)
	e.op(opI32Eqz)
	e.asm.set(lA)
	e.of(vAnd)
	e.vector(vAnyTrue)
	e.asm.set(lR)
	e.setOrder()
}

// blend chooses lanes by the uppermost bits of those of XMM0.
func blend(e *emitter) {
	op, bits := uint32(vShrS8), uint32(7)
	switch e.in.Op {
	case x86.BLENDVPS:
		op, bits = vShrS32, 31
	case x86.BLENDVPD:
		op, bits = vShrS64, 63
	}
	e.findVector()
	e.get(lCore)
	e.source()
	e.getVector(e.in.Reg)
	e.getVector(0)
	e.i32(bits)
	e.vector(op)
	e.vector(vBitSelect)
	e.setVector(e.in.Reg)
}
