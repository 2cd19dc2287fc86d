package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// x87 loads, stores and register moves.

func x87MoveFamily() family {
	return family{
		x86.FLD: x87Form(fldMem, fldReg, 0), x86.FILD: x87Form(fldMem, nil, 0), x86.FBLD: x87Form(fldMem, nil, 0),
		x86.FST: x87Form(fstMem, fstReg, 0), x86.FSTP: x87Form(fstMem, fstReg, x87Pop1),
		x86.FSTP1: x87Form(nil, fstp1, 0), x86.FSTP8: x87Form(nil, fstReg, x87Pop1), x86.FSTP9: x87Form(nil, fstReg, x87Pop1),
		x86.FIST: x87Form(fstMem, nil, 0), x86.FISTP: x87Form(fstMem, nil, x87Pop1), x86.FBSTP: x87Form(fstMem, nil, x87Pop1),
		x86.FISTTP: x87Form(fstMem, nil, x87Pop1|x87Truncate),
		x86.FXCH:   x87Form(nil, fxch, 0), x86.FXCH4: x87Form(nil, fxch, 0), x86.FXCH7: x87Form(nil, fxch, 0),
		x86.FCMOVCC: x87Form(nil, fcmovcc, 0),
		x86.FCHS:    x87Form(nil, fchs, 0), x86.FABS: x87Form(nil, fabs, 0),
		x86.FLDZ:   x87Form(nil, fldz, 0),
		x86.FLD1:   x87Form(nil, fld1, 0),
		x86.FLDL2T: x87Form(nil, fldConstant, uint8(softfloat.Log2Ten)), x86.FLDL2E: x87Form(nil, fldConstant, uint8(softfloat.Log2E)),
		x86.FLDPI: x87Form(nil, fldConstant, uint8(softfloat.Pi)), x86.FLDLG2: x87Form(nil, fldConstant, uint8(softfloat.LogTwo)),
		x86.FLDLN2: x87Form(nil, fldConstant, uint8(softfloat.LnTwo)),
	}
}

// x87Truncate: FISTTP.
const x87Truncate = 1 << 4

// load80 ends an instruction that pushes v and has raised fl, unless the stack is
// full.
func (c *CPU) load80(o *op, v softfloat.F80, fl softfloat.Flags) status {
	f := &c.FPU
	if !f.empty(f.st(7)) {
		fl, v = stackOverflow, softfloat.Indefinite80
	}
	// A denormal is loaded even if DE is unmasked: it has become normal.
	if !f.unmasked(fl & softfloat.IE) {
		f.push(v)
	}
	return c.retire(o, fl)
}

func fldMem(c *CPU, o *op) status {
	x, off, ok := c.x87Load(o)
	if !ok {
		return faulted
	}
	c.noteData(o, off)
	var fl softfloat.Flags
	if x.denormal {
		fl = softfloat.DE
	} else if o.cond <= x87F64 && x.v.Signaling() {
		x.v.Mant |= 1 << 62
		fl = softfloat.IE
	}
	return c.load80(o, x.v, fl)
}

func fldReg(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	p := f.st(o.reg)
	if !f.empty(p) {
		return c.load80(o, f.reg(p), 0)
	}
	if !f.unmasked(softfloat.IE) {
		f.push(softfloat.Indefinite80)
	}
	return c.retire(o, stackUnderflow)
}

func (c *CPU) loadConstant(o *op, v softfloat.F80) status {
	if !c.x87() {
		return faulted
	}
	return c.load80(o, v, 0)
}

func fldz(c *CPU, o *op) status { return c.loadConstant(o, softfloat.F80{}) }
func fld1(c *CPU, o *op) status { return c.loadConstant(o, softfloat.One80) }

func fldConstant(c *CPU, o *op) status {
	e := c.x87Env()
	return c.loadConstant(o, e.Constant(softfloat.Constant(o.regSh)))
}

// image is what a store puts into memory.
type image struct {
	lo   uint64
	hi   uint16 // bytes 8 and 9
	size uint8
}

// x87Image converts v to the kind of memory operand that o has.
func x87Image(e *softfloat.Env, o *op, v softfloat.F80) image {
	switch o.cond & 7 {
	case x87F32:
		return image{uint64(e.Store32(v)), 0, 4}
	case x87F64:
		return image{e.Store64(v), 0, 8}
	case x87F80:
		return image{v.Mant, v.SE, 10}
	case x87BCD:
		b := e.ToBCD(v)
		return image{le64(b[:]), uint16(b[8]) | uint16(b[9])<<8, 10}
	}
	n := x87Sizes[o.cond&7]
	if o.regSh&x87Truncate != 0 {
		return image{uint64(e.Truncate80(v, uint(n)*8)), 0, n}
	}
	return image{uint64(e.ToInt80(v, uint(n)*8)), 0, n}
}

// x87Dest gives the linear address of the memory operand at offset off, and that
// of bytes 8 and 9 where it has them.
func (c *CPU) x87Dest(o *op, off uint32) (first, second uint32, ok bool) {
	size := uint32(x87Sizes[o.cond&7])
	if size == 10 {
		return c.twoParts(o, off, 8, 2, write)
	}
	first, ok = c.segWrite(o.seg, off, size)
	return first, 0, ok
}

// writable80 is writable for the operand of m.
func (c *CPU) writable80(first, second uint32, m image) bool {
	if m.size == 10 {
		return c.writable(first, 8) && c.writable(second, 2)
	}
	return c.writable(first, uint32(m.size))
}

// store80 writes m to memory.
func (c *CPU) store80(first, second uint32, m image) status {
	switch m.size {
	case 2:
		return c.store16(first, uint32(m.lo)&0xffff)
	case 4:
		return c.store32(first, uint32(m.lo))
	case 8:
		return c.store64(first, m.lo)
	}
	if !c.writable80(first, second, m) || c.store64(first, m.lo) == faulted {
		return faulted
	}
	return c.store16(second, uint32(m.hi))
}

// fstMem stores ST(0). An unmasked exception other than PE leaves memory and
// stack as they are (SDM vol. 1, 8.5), but a fault of the memory operand goes
// before it.
func fstMem(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	off := c.ea(o)
	first, second, ok := c.x87Dest(o, off)
	if !ok {
		return faulted
	}
	p := f.st(0)
	v := f.reg(p)
	if f.empty(p) {
		v = softfloat.Indefinite80
	}
	m := x87Image(&e, o, v)
	if f.empty(p) {
		e.Flags = stackUnderflow
	}
	if f.unmasked(e.Flags &^ softfloat.PE) {
		if !c.writable80(first, second, m) {
			return faulted
		}
	} else {
		if c.store80(first, second, m) == faulted {
			return faulted
		}
		if o.regSh&x87Pop1 != 0 {
			f.pop()
		}
	}
	c.noteData(o, off)
	return c.retire(o, e.Flags)
}

func fstReg(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	var fl softfloat.Flags
	v := f.reg(f.st(0))
	if f.empty(f.st(0)) {
		fl, v = stackUnderflow, softfloat.Indefinite80
	}
	if !f.unmasked(fl) {
		f.setReg(f.st(o.reg), v)
		if o.regSh&x87Pop1 != 0 {
			f.pop()
		}
	}
	return c.retire(o, fl)
}

// fstp1 is the alias D9 D8+i of FSTP, which differs in that an empty ST(0) is no
// stack underflow: it is removed and nothing is stored.
func fstp1(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	if p := f.st(0); !f.empty(p) {
		f.setReg(f.st(o.reg), f.reg(p))
	}
	f.pop()
	return c.retire(o, 0)
}

func fxch(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	p, q := f.st(0), f.st(o.rm)
	a, b := f.reg(p), f.reg(q)
	var fl softfloat.Flags
	if f.empty(p) {
		fl, a = stackUnderflow, softfloat.Indefinite80
	}
	if f.empty(q) {
		fl, b = stackUnderflow, softfloat.Indefinite80
	}
	if !f.unmasked(fl) {
		f.setReg(p, b)
		f.setReg(q, a)
	}
	return c.retire(o, fl)
}

// fcmovcc leaves C1 alone unless the stack underflows, which it does whatever
// the condition is (SDM vol. 2A, FCMOVcc).
func fcmovcc(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	p, q := f.st(0), f.st(o.rm)
	if f.empty(p) || f.empty(q) {
		if !f.unmasked(softfloat.IE) {
			f.setReg(p, softfloat.Indefinite80)
		}
		return c.retire(o, stackUnderflow)
	}
	if c.cond(fcmovConditions[o.cond&7]) {
		f.setReg(p, f.reg(q))
	}
	return c.note(o)
}

// fcmovConditions are the condition codes of B, E, BE, U, NB, NE, NBE, NU.
var fcmovConditions = [8]uint8{2, 4, 6, 10, 3, 5, 7, 11}

func fchs(c *CPU, o *op) status { return c.x87Sign(o, softfloat.F80.Neg) }
func fabs(c *CPU, o *op) status { return c.x87Sign(o, softfloat.F80.Abs) }

func (c *CPU) x87Sign(o *op, change func(softfloat.F80) softfloat.F80) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	p := f.st(0)
	if !f.empty(p) {
		f.setReg(p, change(f.reg(p)))
		return c.retire(o, 0)
	}
	if !f.unmasked(softfloat.IE) {
		f.setReg(p, softfloat.Indefinite80)
	}
	return c.retire(o, stackUnderflow)
}
