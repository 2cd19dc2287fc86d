package cputest

import (
	"slices"

	"alpinevm/cpu/x86"
)

// undef is the part of an outcome that is not compared.
type undef struct {
	all    bool      // nothing is
	flags  uint32    // EFLAGS
	sw     uint16    // x87 status word
	st     uint8     // ST(i), a bit each
	x87    bool      // the x87 state
	fop    bool      // the x87 pointers: opcode,
	fip    bool      // instruction
	fdp    bool      // and data
	cause  bool      // which fault it is
	align  bool      // whether a fault is #AC or another one
	cr2    bool      // CR2
	faults bool      // on a fault, memory does not count and registers must be as before
	near80 uint64    // ST is an approximation: so many ulps are allowed
	near12 bool      // XMM holds approximations of 12 bits
	nans   int       // bytes of the lanes of XMM in which one NaN is as good as another
	regs   [8]uint32 // bits of general registers
	mem    func(addr uint32) bool
}

func (u *undef) memory(addr uint32) bool { return u.mem != nil && u.mem(addr) }

// pointers leaves out the x87 pointers.
func (u *undef) pointers() { u.fop, u.fip, u.fdp = true, true, true }

// Host is what is known of a processor whose outcomes are the truth. The zero Host is
// the one that the vectors were recorded on, of AMD's family 1Ah: where the manuals
// leave something open the model does mostly as that one does, and is held to it.
type Host struct {
	Any  bool // whatever the manuals leave open may be otherwise
	Keep Keeps
}

// Keeps is what a processor keeps of the last x87 instruction; see SDM vol. 1, 8.1.8
// and 8.1.9, and APM vol. 2, "FXSAVE and FXRSTOR".
type Keeps struct {
	NoFOP bool // the opcode only of one that causes an unmasked exception
	NoFDP bool // the pointer to its operand likewise (CPUID leaf 7, EBX bit 6)
	Stale bool // FXRSTOR loads no pointers unless an exception is pending
}

// openFlags lists the flags that the manual leaves undefined (SDM vol. 2, "Flags
// Affected") and that are not the same on all processors. A form has at most one row.
// AF after AND, OR, XOR and TEST is undefined too, but 0 on all 64-bit processors; so
// is it with what BSF and BSR of 0 do to their destination: nothing.
var openFlags = []struct {
	ops    []x86.Op
	follow bool // the model does as the zero Host
	flags  func(c *Case, in *x86.Inst) uint32
}{
	{[]x86.Op{x86.AAA, x86.AAS}, false, always(x86.FlagOF | x86.FlagSF | x86.FlagZF | x86.FlagPF)},
	{[]x86.Op{x86.AAD, x86.AAM}, false, always(x86.FlagOF | x86.FlagAF | x86.FlagCF)},
	{[]x86.Op{x86.DAA, x86.DAS}, false, always(x86.FlagOF)},
	{[]x86.Op{x86.MUL, x86.IMUL}, false, always(x86.FlagSF | x86.FlagZF | x86.FlagAF | x86.FlagPF)},
	{[]x86.Op{x86.DIV, x86.IDIV}, false, always(x86.FlagsArith)},
	{[]x86.Op{x86.BSF, x86.BSR}, false, always(x86.FlagsArith &^ x86.FlagZF)},
	{[]x86.Op{x86.BT, x86.BTS, x86.BTR, x86.BTC}, true, always(x86.FlagOF | x86.FlagSF | x86.FlagAF | x86.FlagPF)},
	{[]x86.Op{x86.ROL, x86.ROR, x86.RCL, x86.RCR}, true, rotateFlags},
	{[]x86.Op{x86.SHL, x86.SHR, x86.SAR}, false, shiftFlags},
	{[]x86.Op{x86.SHLD, x86.SHRD}, false, doubleShiftFlags},
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

// rotateFlags: OF if the count is above 1 (SDM vol. 2B, RCL/RCR/ROL/ROR). The P6 cores
// leave it alone, others set it as for a count of 1.
func rotateFlags(c *Case, in *x86.Inst) uint32 {
	if shiftCount(c, in) > 1 {
		return x86.FlagOF
	}
	return 0
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

// effective is the linear address of the memory operand.
func effective(c *Case, in *x86.Inst) uint32 { return operandAt(c, in, 0) }

// operandAt is the linear address of byte i of the memory operand, which wraps
// around at the end of the address size.
func operandAt(c *Case, in *x86.Inst, i uint32) uint32 {
	reg := func(n uint8) uint32 {
		if n == x86.NoReg {
			return 0
		}
		return c.R[n]
	}
	ea := reg(in.Base) + reg(in.Index)<<in.Scale + in.Disp + i
	if in.AddrSize == 2 {
		ea &= 0xFFFF
	}
	if in.Seg == x86.FS || in.Seg == x86.GS {
		return ea + DataBase
	}
	return ea + c.dataBase()
}

// undefined is what of a case's outcome on a host is not compared.
func undefined(c *Case, in *x86.Inst, want *Outcome, h Host) undef {
	u := undef{align: c.EFLAGS&x86.FlagAC != 0}
	if want.Vector != noVector || !usesX87(&x86.Forms[in.Form]) {
		u.pointers()
	}
	u.fdp = u.fdp || h.Any && !in.Mem // then it is undefined (SDM vol. 1, 8.1.8)
	for i := range openFlags {
		if r := &openFlags[i]; (h.Any || !r.follow) && slices.Contains(r.ops, in.Op) {
			u.flags = r.flags(c, in)
		}
	}
	for i := range differences {
		if d := &differences[i]; (h.Any || !d.follow) && slices.Contains(d.ops, in.Op) {
			d.rule(c, in, want, &u)
		}
	}
	h.Keep.rule(in, want, &u)
	return u
}
