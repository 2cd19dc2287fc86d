package wasm

import (
	"slices"

	"alpinevm/cpu/x86"
)

// SSE and SSE2 on integers and bits, and moves: what raises no floating-point
// exception and asks MXCSR for nothing. XMM registers stay in the cpu.State. The
// interpreter does the others, and MMX.

// pairwise are operations of destination and source, into the destination.
var pairwise = map[x86.Op]struct {
	op   uint32
	swap bool // the source is the first
}{
	x86.PADDB: {op: vAdd8}, x86.PADDW: {op: vAdd16}, x86.PADDD: {op: vAdd32}, x86.PADDQ: {op: vAdd64},
	x86.PSUBB: {op: vSub8}, x86.PSUBW: {op: vSub16}, x86.PSUBD: {op: vSub32}, x86.PSUBQ: {op: vSub64},
	x86.PADDSB: {op: vAddSatS8}, x86.PADDSW: {op: vAddSatS16}, x86.PADDUSB: {op: vAddSatU8}, x86.PADDUSW: {op: vAddSatU16},
	x86.PSUBSB: {op: vSubSatS8}, x86.PSUBSW: {op: vSubSatS16}, x86.PSUBUSB: {op: vSubSatU8}, x86.PSUBUSW: {op: vSubSatU16},
	x86.PCMPEQB: {op: vEq8}, x86.PCMPEQW: {op: vEq16}, x86.PCMPEQD: {op: vEq32},
	x86.PCMPGTB: {op: vGt8}, x86.PCMPGTW: {op: vGt16}, x86.PCMPGTD: {op: vGt32},
	x86.PMINUB: {op: vMinU8}, x86.PMAXUB: {op: vMaxU8}, x86.PMINSW: {op: vMinS16}, x86.PMAXSW: {op: vMaxS16},
	x86.PAVGB: {op: vAverageU8}, x86.PAVGW: {op: vAverageU16}, x86.PMULLW: {op: vMul16}, x86.PMADDWD: {op: vDot16},
	x86.PACKSSWB: {op: vNarrowS8}, x86.PACKUSWB: {op: vNarrowU8}, x86.PACKSSDW: {op: vNarrowS16},
	x86.PAND: {op: vAnd}, x86.ANDPS: {op: vAnd}, x86.ANDPD: {op: vAnd}, x86.POR: {op: vOr}, x86.ORPS: {op: vOr}, x86.ORPD: {op: vOr},
	x86.PXOR: {op: vXor}, x86.XORPS: {op: vXor}, x86.XORPD: {op: vXor},
	x86.PANDN: {vAndNot, true}, x86.ANDNPS: {vAndNot, true}, x86.ANDNPD: {vAndNot, true},
}

// shiftsOf are shifts of lanes by a constant.
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

// wholes are moves of 16 bytes.
var wholes = []x86.Op{
	x86.MOVUPS, x86.MOVUPD, x86.MOVAPS, x86.MOVAPD, x86.MOVDQA, x86.MOVDQU, x86.MOVNTPS, x86.MOVNTPD, x86.MOVNTDQ, x86.LDDQU,
}

var simdRules = func() map[x86.Op]rule {
	t := map[x86.Op]rule{
		x86.MOVQ: {emit: moveLow}, x86.MOVD: {emit: moveLow}, x86.MOVSS: {emit: moveLow}, x86.MOVSD: {emit: moveLow},
		x86.MOVLPS: {emit: moveHalf}, x86.MOVLPD: {emit: moveHalf}, x86.MOVHPS: {emit: moveHalf}, x86.MOVHPD: {emit: moveHalf},
		x86.MOVHLPS: {emit: moveHalf}, x86.MOVLHPS: {emit: moveHalf},
		x86.PEXTRW: {takes: func(in *x86.Inst) bool { return has(in, x86.Gd) }, emit: extractWord}, x86.PINSRW: {emit: insertWord},
	}
	for op := range pairwise {
		t[op] = rule{emit: pair}
	}
	for op := range shiftsOf {
		t[op] = rule{takes: func(in *x86.Inst) bool { return has(in, x86.Ux) }, emit: shiftLanes}
	}
	for op := range shuffles {
		t[op] = rule{emit: shuffle}
	}
	for op := range masks {
		t[op] = rule{emit: gatherBits}
	}
	for _, op := range wholes {
		t[op] = rule{emit: moveWhole}
	}
	for op, r := range t {
		takes := r.takes
		r.takes = func(in *x86.Inst) bool { return ofXMM(in) && (takes == nil || takes(in)) }
		t[op] = r
	}
	return t
}()

// ofXMM says that the form is one on XMM registers and on no MMX register.
func ofXMM(in *x86.Inst) bool {
	args := x86.Forms[in.Form].Args
	return slices.ContainsFunc(args[:], x86.Arg.XMM) && !slices.ContainsFunc(args[:], x86.Arg.MMX)
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

// findXMM is what each rule begins with: it looks up the memory operand, if there is one,
// which is the form's operand of that number.
func (e *emitter) findXMM() {
	e.usableSSE()
	if !e.in.Mem {
		return
	}
	row := &x86.Forms[e.in.Form]
	at := row.MemArg()
	acc := forRead
	if at == 0 {
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

// getXMM pushes a register. Whoever sets one pushes lCore first.
func (e *emitter) getXMM(n uint8) {
	e.get(lCore)
	e.vectorMem(vLoad, xmmAt(n))
}

func (e *emitter) setXMM(n uint8) { e.vectorMem(vStore, xmmAt(n)) }

// sourceXMM pushes the r/m operand.
func (e *emitter) sourceXMM() {
	if !e.in.Mem {
		e.getXMM(e.in.RM)
		return
	}
	e.get(lPlace)
	e.vectorMem(vLoad, e.layout.RAM)
}

func pair(e *emitter) {
	o := pairwise[e.in.Op]
	e.findXMM()
	e.get(lCore)
	if o.swap {
		e.sourceXMM()
		e.getXMM(e.in.Reg)
	} else {
		e.getXMM(e.in.Reg)
		e.sourceXMM()
	}
	e.vector(o.op)
	e.setXMM(e.in.Reg)
}

func shiftLanes(e *emitter) {
	s := shiftsOf[e.in.Op]
	n := e.in.Imm & 0xff
	e.findXMM()
	e.get(lCore)
	switch {
	case n < s.bits:
	case s.signed:
		n = s.bits - 1
	default:
		e.vectorConst(0)
		e.setXMM(e.in.RM)
		return
	}
	e.getXMM(e.in.RM)
	e.i32(n)
	e.vector(s.op)
	e.setXMM(e.in.RM)
}

func gatherBits(e *emitter) {
	e.findXMM()
	e.getXMM(e.in.RM)
	e.vector(masks[e.in.Op])
	e.set(reg(e.in.Reg))
}

func moveWhole(e *emitter) {
	in := e.in
	e.findXMM()
	switch toRM := x86.Forms[in.Form].Args[0] != x86.Vx; {
	case !toRM:
		e.get(lCore)
		e.sourceXMM()
		e.setXMM(in.Reg)
	case in.Mem:
		e.get(lPlace)
		e.getXMM(in.Reg)
		e.vectorMem(vStore, e.layout.RAM)
	default:
		e.get(lCore)
		e.getXMM(in.Reg)
		e.setXMM(in.RM)
	}
}

// moveLow serves moves of the lowest 4 or 8 bytes. Those to a register clear what is
// above them, but for MOVSS and MOVSD between registers.
func moveLow(e *emitter) {
	in := e.in
	e.findXMM()
	load, store := byte(opI64Load), byte(opI64Store)
	if in.Op == x86.MOVD || in.Op == x86.MOVSS {
		load, store = opI32Load, opI32Store
	}
	toRM := x86.Forms[in.Form].Args[0] != x86.Vx
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
			e.mem(load, xmmAt(from))
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
		e.mem(opI64Store, xmmAt(to))
		e.get(lCore)
		e.i64(0)
		e.mem(opI64Store, xmmAt(to)+8)
	}
}

// moveHalf serves moves of 8 bytes from or to one half of a register that leave the
// other.
func moveHalf(e *emitter) {
	in := e.in
	e.findXMM()
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
	case x86.Forms[in.Form].Args[0] == x86.Vx:
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

func extractWord(e *emitter) {
	e.findXMM()
	e.get(lCore)
	e.mem(opI32Load16U, xmmAt(e.in.RM)+2*(e.in.Imm&7))
	e.set(reg(e.in.Reg))
}

func insertWord(e *emitter) {
	e.findXMM()
	e.get(lCore)
	if e.in.Mem {
		e.load(2)
	} else {
		e.get(reg(e.in.RM))
	}
	e.mem(opI32Store16, xmmAt(e.in.Reg)+2*(e.in.Imm&7))
}
