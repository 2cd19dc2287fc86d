package cputest

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"alpinevm/cpu/x86"
)

// A difference is behaviour beyond EFLAGS that is not compared in full: the manual
// leaves it open, or processors are known to differ. Each is listed by name.
type difference struct {
	name   string
	follow bool // the model does as the zero Host
	ops    []x86.Op
	rule   func(c *Case, in *x86.Inst, want *Outcome, u *undef)
}

var differences = slices.Concat(integerDifferences, faultDifferences, x87Differences, vectorDifferences)

var integerDifferences = []difference{
	{"SHLD and SHRD by more than the operand size: the result is undefined", false, []x86.Op{x86.SHLD, x86.SHRD},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			size := uint32(in.OpSize)
			switch {
			case shiftCount(c, in) <= 8*size:
			case in.Mem:
				u.bytes(effective(c, in), size)
			default:
				u.regs[in.RM] = 1<<(8*size) - 1
			}
		}},
	{"BSWAP of a 16-bit register: the result is undefined", true, []x86.Op{x86.BSWAP},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) {
			if in.OpSize == 2 {
				u.regs[in.Reg] = 0xFFFF
			}
		}},
	{"PUSH of a segment register: AMD writes zeros above the selector, Intel writes 2 bytes", false, []x86.Op{x86.PUSH},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			if a := x86.Forms[in.Form].Args[0]; a >= x86.SegES && a <= x86.SegGS && in.OpSize == 4 {
				u.bytes((c.R[x86.ESP]-4)&c.stackMask()+c.dataBase()+2, 2)
			}
		}},
	{"LAR: bits 16 to 19 of the result are undefined", false, []x86.Op{x86.LAR},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) { u.regs[in.Reg] |= 0x000F0000 }},
	{"LAR: bit 20 is AVL, which software may use as it likes, the host's kernel in its own descriptors", false, []x86.Op{x86.LAR},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) { u.regs[in.Reg] |= 1 << 20 }},
}

var faultDifferences = []difference{
	{"CMPS: which of two operands is read first", false, []x86.Op{x86.CMPS},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cause = true }},
	{"CALL: whether the limit of CS or the stack is checked first", false, []x86.Op{x86.CALL, x86.CALLF},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cause = true }},
	{"instructions with several accesses: which of them faults first, and what the ones before it did", false,
		[]x86.Op{x86.PUSHA, x86.POPA, x86.ENTER, x86.RETF, x86.IRET, x86.CALLF, x86.FNSTENV, x86.FLDENV, x86.FNSAVE,
			x86.FRSTOR, x86.FXSAVE, x86.FXRSTOR},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cr2, u.faults = true, true }},
	{"16 bytes that need no alignment, with alignment checks enabled: #AC or not, unless they are aligned by 8", true,
		[]x86.Op{x86.MOVUPS, x86.MOVUPD, x86.MOVDQU, x86.LDDQU, x86.PCMPESTRI, x86.PCMPESTRM, x86.PCMPISTRI, x86.PCMPISTRM},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			u.all = in.Mem && u.align && effective(c, in)&7 != 0
		}},
	{"MASKMOVQ and MASKMOVDQU: whether bytes that the mask leaves out can fault", true, []x86.Op{x86.MASKMOVQ, x86.MASKMOVDQU},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			size := uint32(x86.Forms[in.Form].Args[0].Size(4))
			dst := atEDI(in)
			last := operandAt(c, &dst, size-1)
			inside := accessOf(effective(c, &dst)) == readWrite && accessOf(last) == readWrite && in.Seg != x86.GS
			u.all = !fullMask(c, in) && (u.align || !inside)
		}},
	{"REP INS and OUTS of no iterations: whether the right to access the port is looked at", true, []x86.Op{x86.INS, x86.OUTS},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			count := c.R[x86.ECX]
			if in.AddrSize == 2 {
				count &= 0xFFFF
			}
			u.all = in.Prefix&(x86.PrefixRep|x86.PrefixRepne) != 0 && count == 0
		}},
	{"x87 and SSE images, numbers of 80 bits and masked stores across the end of 16-bit addresses: of which parts they are", true,
		[]x86.Op{x86.FLD, x86.FSTP, x86.FBLD, x86.FBSTP, x86.FLDENV, x86.FNSTENV, x86.FRSTOR, x86.FNSAVE, x86.FXSAVE, x86.FXRSTOR,
			x86.MASKMOVQ, x86.MASKMOVDQU},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			row := &x86.Forms[in.Form]
			dst, size := atEDI(in), row.Args[0].Size(4)
			if i := row.MemArg(); i >= 0 {
				dst, size = *in, row.Args[i].Size(in.OpSize)
			}
			u.all = u.all || operandAt(c, &dst, uint32(size-1)) < effective(c, &dst)
		}},
	{"MASKMOVQ, and conversions to integers in MMX: whether the x87 state becomes MMX's before a fault", true,
		[]x86.Op{x86.MASKMOVQ, x86.CVTPS2PI, x86.CVTPD2PI, x86.CVTTPS2PI, x86.CVTTPD2PI},
		func(_ *Case, _ *x86.Inst, want *Outcome, u *undef) { u.x87 = want.Vector != noVector }},
}

// atEDI is the operand of a masked store.
func atEDI(in *x86.Inst) x86.Inst {
	return x86.Inst{Base: x86.EDI, Index: x86.NoReg, AddrSize: in.AddrSize, Seg: in.Seg}
}

// Condition codes of the x87 status word.
const (
	swC0 = 0x0100
	swC1 = 0x0200
	swC2 = 0x0400
	swC3 = 0x4000

	swExceptions = 0x3F
)

// codes is the rule that condition codes are undefined (SDM vol. 2, "FPU Flags
// Affected").
func codes(sw uint16) func(*Case, *x86.Inst, *Outcome, *undef) {
	return func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.sw |= sw }
}

var x87Differences = []difference{
	{"x87 arithmetic, loads, stores and exchanges: C0, C2 and C3", true,
		[]x86.Op{x86.FADD, x86.FADDP, x86.FIADD, x86.FSUB, x86.FSUBP, x86.FISUB, x86.FSUBR, x86.FSUBRP, x86.FISUBR, x86.FMUL,
			x86.FMULP, x86.FIMUL, x86.FDIV, x86.FDIVP, x86.FIDIV, x86.FDIVR, x86.FDIVRP, x86.FIDIVR, x86.FLD, x86.FST, x86.FSTP,
			x86.FSTP8, x86.FSTP9, x86.FILD, x86.FIST, x86.FISTP, x86.FISTTP, x86.FBLD, x86.FBSTP, x86.FLD1, x86.FLDL2T,
			x86.FLDL2E, x86.FLDPI, x86.FLDLG2, x86.FLDLN2, x86.FLDZ, x86.FCHS, x86.FABS, x86.FSQRT, x86.FRNDINT, x86.FSCALE,
			x86.FXTRACT, x86.F2XM1, x86.FYL2X, x86.FYL2XP1, x86.FPATAN, x86.FINCSTP, x86.FDECSTP},
		codes(swC0 | swC2 | swC3)},
	{"FSIN, FCOS, FSINCOS, FPTAN: C0 and C3", true, []x86.Op{x86.FSIN, x86.FCOS, x86.FSINCOS, x86.FPTAN}, codes(swC0 | swC3)},
	{"x87 control, FFREE, FCMOVcc, FXCH: all condition codes", true,
		[]x86.Op{x86.FNOP, x86.FWAIT, x86.FFREE, x86.FFREEP, x86.FNENI, x86.FNDISI, x86.FNSETPM, x86.FNCLEX, x86.FLDCW, x86.FNSTCW,
			x86.FNSTSW, x86.FNSTENV, x86.FCMOVCC, x86.FXCH, x86.FXCH4, x86.FXCH7},
		codes(swC0 | swC1 | swC2 | swC3)},
	{"FCOMI and FUCOM: C1 where the stack is as it must be", true,
		[]x86.Op{x86.FCOMI, x86.FCOMIP, x86.FUCOMI, x86.FUCOMIP, x86.FUCOM, x86.FUCOMP, x86.FUCOMPP}, codes(swC1)},
	{"x87 comparisons with an unmasked exception: AMD shows the result, Intel changes nothing", true,
		[]x86.Op{x86.FCOM, x86.FCOM2, x86.FCOMP, x86.FCOMP3, x86.FCOMP5, x86.FCOMPP, x86.FUCOM, x86.FUCOMP, x86.FUCOMPP, x86.FICOM,
			x86.FICOMP, x86.FTST, x86.FCOMI, x86.FCOMIP, x86.FUCOMI, x86.FUCOMIP},
		func(c *Case, _ *x86.Inst, want *Outcome, u *undef) {
			if c.unmasked(want) {
				u.sw |= swC0 | swC2 | swC3
				u.flags |= x86.FlagsArith
			}
		}},
	{"FPREM and FPREM1 of exponents 64 apart or more: how far the remainder is taken, and its quotient", true,
		[]x86.Op{x86.FPREM, x86.FPREM1},
		func(c *Case, _ *x86.Inst, _ *Outcome, u *undef) {
			a, aOK := c.exponent(0)
			b, bOK := c.exponent(1)
			if aOK && bOK && a-b >= 64 {
				u.st |= 1
				u.sw |= swC0 | swC1 | swC3
			}
		}},
	{"F2XM1 and FYL2XP1 outside their domain: the result is undefined", false, []x86.Op{x86.F2XM1, x86.FYL2XP1},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			x := binary.LittleEndian.Uint16(c.FX[fxST+8:]) & 0x7FFF
			if in.Op == x86.F2XM1 {
				u.x87 = x >= 0x3FFF && x != 0x7FFF
			} else {
				u.x87 = x >= 0x3FFD && x != 0x7FFF
			}
		}},
	{"FBLD of what is no decimal digit: the result is undefined", true, []x86.Op{x86.FBLD},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			for i := range uint32(9) {
				if b := c.byteAt(operandAt(c, in, i)); b > 0x99 || b&15 > 9 {
					u.st |= 1
				}
			}
		}},
	{"FSTP1, which no manual has, of an empty register", true, []x86.Op{x86.FSTP1},
		func(c *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.x87 = c.emptyST0() }},
	{"x87 transcendental functions: the last bit (two of them where rounding is not to the nearest), C1, precision and underflow flags",
		false, []x86.Op{x86.F2XM1, x86.FYL2X, x86.FYL2XP1, x86.FPTAN, x86.FPATAN, x86.FSIN, x86.FCOS, x86.FSINCOS},
		func(c *Case, _ *x86.Inst, _ *Outcome, u *undef) {
			u.near80 = 1
			if c.FX[fxCW+1]&0x0C != 0 {
				u.near80 = 2
			}
			u.sw |= swC1 | 0x0020 | 0x0010
		}},
	{"FNOP, FFREE, FINCSTP and others that compute nothing: whether they are control instructions, which leave the pointers alone", true,
		[]x86.Op{x86.FNOP, x86.FFREE, x86.FFREEP, x86.FINCSTP, x86.FDECSTP, x86.FNENI, x86.FNDISI, x86.FNSETPM},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.pointers() }},
	{"FXSAVE: AMD saves the x87 pointers only while an exception is pending; MXCSR_MASK is the processor's", false, []x86.Op{x86.FXSAVE},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			base := effective(c, in)
			u.mem = func(addr uint32) bool {
				off := addr - base
				if in.AddrSize == 2 {
					off &= 0xFFFF
				}
				return off-fxFOP < fxMXCSR-fxFOP || off-fxMask < 4
			}
		}},
}

var vectorDifferences = []difference{
	{"CVTPI2PS of memory: whether it is an MMX instruction", true, []x86.Op{x86.CVTPI2PS},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) { u.x87 = in.Mem }},
	{"RCPPS, RCPSS, RSQRTPS, RSQRTSS: the bits of the approximation", false, []x86.Op{x86.RCPPS, x86.RCPSS, x86.RSQRTPS, x86.RSQRTSS},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.near12 = true }},
	{"DPPS and DPPD: which of several NaNs comes through, and where", true, []x86.Op{x86.DPPS, x86.DPPD},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) {
			u.nans = 4
			if in.Op == x86.DPPD {
				u.nans = 8
			}
		}},
}

// rule leaves out the pointers of the last x87 instruction that a host does not keep.
func (k Keeps) rule(in *x86.Inst, want *Outcome, u *undef) {
	raised := want.FX[fxSW]&0x80 != 0
	u.fop = u.fop || k.NoFOP && !raised
	u.fdp = u.fdp || k.NoFDP && !raised
	if k.Stale {
		u.pointers()
	}
}

// bytes leaves out n bytes of memory.
func (u *undef) bytes(at, n uint32) { u.mem = func(addr uint32) bool { return addr-at < n } }

// unmasked says that the case ended with an exception that is not masked.
func (c *Case) unmasked(o *Outcome) bool { return o.FX[fxSW]&^c.FX[fxCW]&swExceptions != 0 }

// emptyST0 says that ST(0) is empty before the case. The tags are of physical registers.
func (c *Case) emptyST0() bool { return c.FX[fxTag]>>(c.FX[fxSW+1]>>3&7)&1 == 0 }

// exponent is that of ST(i) as if it were normal, with its bias; zeros, infinities and
// NaNs have none.
func (c *Case) exponent(i int) (int, bool) {
	v := c.FX[fxST+16*i:]
	e := int(binary.LittleEndian.Uint16(v[8:]) & 0x7FFF)
	m := binary.LittleEndian.Uint64(v)
	return max(e, 1) - bits.LeadingZeros64(m), e != 0x7FFF && m != 0
}

// byteAt is what memory holds before the case.
func (c *Case) byteAt(addr uint32) byte {
	for _, w := range c.Windows {
		if i := addr - w.Addr; i < uint32(len(w.Data)) {
			return w.Data[i]
		}
	}
	return background(addr)
}

// fullMask says that the mask of MASKMOVQ or MASKMOVDQU, in ModRM.rm, selects all bytes.
func fullMask(c *Case, in *x86.Inst) bool {
	m := c.FX[fxXMM+16*int(in.RM&7):][:16]
	if in.Op == x86.MASKMOVQ {
		m = c.FX[fxST+16*(int(in.RM-c.FX[fxSW+1]>>3)&7):][:8]
	}
	for _, b := range m {
		if b < 0x80 {
			return false
		}
	}
	return true
}
