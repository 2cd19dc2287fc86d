package cputest

import (
	"encoding/binary"
	"math"

	"alpinevm/cpu/x86"
)

// undef is the part of an outcome that is not compared.
type undef struct {
	flags    uint32 // EFLAGS
	sw       uint16 // x87 status word
	pointers bool   // FOP, FIP, FDP
	cause    bool   // which fault it is
	cr2      bool   // CR2 does not count
	faults   bool   // on a fault, memory does not count and registers must be as before
	near80   bool   // ST is an approximation: an ulp is allowed
	near12   bool   // XMM holds approximations of 12 bits
	result   bool   // the destination does not count
	x87      bool   // the x87 state does not count
	regs     [8]uint32
	mem      func(addr uint32) bool
}

func (u *undef) memory(addr uint32) bool { return u.mem != nil && u.mem(addr) }

// undefinedFlags lists the flags that the manual leaves undefined (SDM vol. 2,
// "Flags Affected") and on which vendors differ. A form has at most one row.
var undefinedFlags = []struct {
	ops   []x86.Op
	flags func(c *Case, in *x86.Inst) uint32
}{
	{[]x86.Op{x86.AAA, x86.AAS}, always(x86.FlagOF | x86.FlagSF | x86.FlagZF | x86.FlagPF)},
	{[]x86.Op{x86.AAD, x86.AAM}, always(x86.FlagOF | x86.FlagAF | x86.FlagCF)},
	{[]x86.Op{x86.DAA, x86.DAS}, always(x86.FlagOF)},
	{[]x86.Op{x86.MUL, x86.IMUL}, always(x86.FlagSF | x86.FlagZF | x86.FlagAF | x86.FlagPF)},
	{[]x86.Op{x86.DIV, x86.IDIV}, always(x86.FlagsArith)},
	{[]x86.Op{x86.BSF, x86.BSR}, always(x86.FlagsArith &^ x86.FlagZF)},
	{[]x86.Op{x86.SHL, x86.SHR, x86.SAR}, shiftFlags},
	{[]x86.Op{x86.SHLD, x86.SHRD}, doubleShiftFlags},
}

func always(f uint32) func(*Case, *x86.Inst) uint32 {
	return func(*Case, *x86.Inst) uint32 { return f }
}

// shiftCount is the masked count of a shift.
func shiftCount(c *Case, in *x86.Inst) uint32 {
	for _, a := range x86.Forms[in.Form].Args {
		switch a {
		case x86.CL:
			return c.R[x86.ECX] & 31
		case x86.Ib:
			return in.Imm & 31
		}
	}
	return 1
}

// shiftFlags: AF if the count is not 0, OF if it is above 1, CF of SHL and SHR
// if it reaches beyond the operand (SDM vol. 2B, SAL/SAR/SHL/SHR).
func shiftFlags(c *Case, in *x86.Inst) uint32 {
	n := shiftCount(c, in)
	var f uint32
	if n > 0 {
		f |= x86.FlagAF
	}
	if n > 1 {
		f |= x86.FlagOF
	}
	if n >= 8*uint32(in.OpSize) && in.Op != x86.SAR {
		f |= x86.FlagCF
	}
	return f
}

// doubleShiftFlags: as for shifts; all where the count is above the operand
// size, and so is the result (SDM vol. 2B, SHLD and SHRD).
func doubleShiftFlags(c *Case, in *x86.Inst) uint32 {
	n := shiftCount(c, in)
	var f uint32
	if n > 0 {
		f |= x86.FlagAF
	}
	if n > 1 {
		f |= x86.FlagOF
	}
	if n > 8*uint32(in.OpSize) {
		f = x86.FlagsArith
	}
	return f
}

// A difference is behaviour beyond the flags that is not compared in full: the
// manual leaves it open, or vendors are known to differ. Each is listed by name.
type difference struct {
	name string
	ops  []x86.Op
	rule func(c *Case, in *x86.Inst, want *Outcome, u *undef)
}

var differences = []difference{
	{"SHLD and SHRD by more than the operand size: the result is undefined", []x86.Op{x86.SHLD, x86.SHRD},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			u.result = shiftCount(c, in) > 8*uint32(in.OpSize)
		}},
	{"PUSH of a segment register: AMD writes zeros above the selector, Intel writes 2 bytes", []x86.Op{x86.PUSH},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			if a := x86.Forms[in.Form].Args[0]; a >= x86.SegES && a <= x86.SegGS && in.OpSize == 4 {
				top := (c.R[x86.ESP]-4)&c.stackMask() + c.dataBase()
				u.mem = func(addr uint32) bool { return addr-top-2 < 2 }
			}
		}},
	{"FXSAVE: AMD saves the x87 pointers only while an exception is pending; MXCSR_MASK is the processor's", []x86.Op{x86.FXSAVE},
		func(c *Case, in *x86.Inst, want *Outcome, u *undef) {
			base := effective(c, in)
			u.mem = func(addr uint32) bool {
				off := addr - base
				return off-fxFOP < fxMXCSR-fxFOP || off-fxMask < 4
			}
		}},
	{"F2XM1 and FYL2XP1 outside their domain: the result is undefined", []x86.Op{x86.F2XM1, x86.FYL2XP1},
		func(c *Case, in *x86.Inst, want *Outcome, u *undef) {
			x := binary.LittleEndian.Uint16(c.FX[fxST+8:]) & 0x7FFF
			if in.Op == x86.F2XM1 {
				u.x87 = x >= 0x3FFF && x != 0x7FFF
			} else {
				u.x87 = x >= 0x3FFD && x != 0x7FFF
			}
		}},
	{"LAR: bits 16 to 19 of the result are undefined", []x86.Op{x86.LAR},
		func(_ *Case, in *x86.Inst, _ *Outcome, u *undef) { u.regs[in.Reg] = 0x000F0000 }},
	{"CMPS: which of two operands is read first", []x86.Op{x86.CMPS},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cause = true }},
	{"CALL: whether the limit of CS or the stack is checked first", []x86.Op{x86.CALL, x86.CALLF},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cause = true }},
	{"FXSAVE and FXRSTOR at a misaligned address with alignment checks enabled: #GP or #AC", []x86.Op{x86.FXSAVE, x86.FXRSTOR},
		func(c *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.cause = u.cause || c.EFLAGS&x86.FlagAC != 0 }},
	{"instructions with several accesses: which of them faults first, and what the ones before it did",
		[]x86.Op{x86.PUSHA, x86.POPA, x86.ENTER, x86.RETF, x86.IRET, x86.CALLF, x86.FNSTENV, x86.FLDENV, x86.FNSAVE,
			x86.FRSTOR, x86.FXSAVE, x86.FXRSTOR},
		func(c *Case, _ *x86.Inst, _ *Outcome, u *undef) {
			u.cr2, u.faults = true, true
			u.cause = u.cause || c.EFLAGS&x86.FlagAC != 0
		}},
	{"operands that are accessed in parts: whether the limit of the second or the alignment of the first faults",
		[]x86.Op{x86.BOUND, x86.LDS, x86.LES, x86.LFS, x86.LGS, x86.LSS, x86.JMPF, x86.FLD, x86.FSTP, x86.FBLD, x86.FBSTP,
			x86.FNSTENV, x86.FLDENV, x86.FNSAVE, x86.FRSTOR, x86.MASKMOVQ, x86.MASKMOVDQU},
		func(c *Case, in *x86.Inst, _ *Outcome, u *undef) {
			u.cause = u.cause || c.EFLAGS&x86.FlagAC != 0 && in.Seg == x86.GS
		}},
	{"RCPPS, RCPSS, RSQRTPS, RSQRTSS: the bits of the approximation", []x86.Op{x86.RCPPS, x86.RCPSS, x86.RSQRTPS, x86.RSQRTSS},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) { u.near12 = true }},
	{"x87 transcendental functions: the last bit, C1, precision and underflow flags",
		[]x86.Op{x86.F2XM1, x86.FYL2X, x86.FYL2XP1, x86.FPTAN, x86.FPATAN, x86.FSIN, x86.FCOS, x86.FSINCOS},
		func(_ *Case, _ *x86.Inst, _ *Outcome, u *undef) {
			u.near80 = true
			u.sw = 0x0200 | 0x0020 | 0x0010
		}},
}

// effective is the linear address of the memory operand.
func effective(c *Case, in *x86.Inst) uint32 {
	reg := func(n uint8) uint32 {
		if n == x86.NoReg {
			return 0
		}
		return c.R[n]
	}
	ea := reg(in.Base) + reg(in.Index)<<in.Scale + in.Disp
	if in.AddrSize == 2 {
		ea &= 0xFFFF
	}
	if in.Seg == x86.FS || in.Seg == x86.GS {
		return ea + DataBase
	}
	return ea + c.dataBase()
}

func undefined(c *Case, in *x86.Inst, want *Outcome) undef {
	u := undef{pointers: want.Vector != noVector || !usesX87(&x86.Forms[in.Form])}
	has := func(list []x86.Op) bool {
		for _, op := range list {
			if op == in.Op {
				return true
			}
		}
		return false
	}
	for i := range undefinedFlags {
		if r := &undefinedFlags[i]; has(r.ops) {
			u.flags = r.flags(c, in)
		}
	}
	for i := range differences {
		if d := &differences[i]; has(d.ops) {
			d.rule(c, in, want, &u)
		}
	}
	return u
}

// nearExtended says that two values of 80 bits are neighbours.
func nearExtended(a, b []byte) bool {
	x, y := order80(a), order80(b)
	d := [2]uint64{x[0] - y[0], x[1] - y[1]}
	if x[1] < y[1] {
		d[0]--
	}
	return a[9]&0x80 == b[9]&0x80 && (d[0] == 0 && d[1] <= 1 || d[0] == math.MaxUint64 && d[1] == math.MaxUint64)
}

// order80 is the rank of a magnitude among normal numbers, in two halves.
func order80(b []byte) [2]uint64 {
	e := uint64(binary.LittleEndian.Uint16(b[8:]) & 0x7FFF)
	return [2]uint64{e >> 1, e<<63 | binary.LittleEndian.Uint64(b)&^integerBit}
}

// nearSingles says that each of four singles is within 2^-11 of the other one:
// both are within 1.5 * 2^-12 of the truth (SDM vol. 2, RCPPS).
func nearSingles(a, b []byte) bool {
	for i := 0; i < 16; i += 4 {
		x := binary.LittleEndian.Uint32(a[i:])
		y := binary.LittleEndian.Uint32(b[i:])
		if x == y {
			continue
		}
		f, g := float64(math.Float32frombits(x)), float64(math.Float32frombits(y))
		if !(math.Abs(f-g) <= math.Abs(f)/2048) {
			return false
		}
	}
	return true
}
