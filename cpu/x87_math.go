package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// x87 functions of one and two registers.

func x87MathFamily() family {
	return family{
		x86.FSQRT: x87Form(nil, fsqrt, 0), x86.FRNDINT: x87Form(nil, frndint, 0), x86.F2XM1: x87Form(nil, f2xm1, 0),
		x86.FSCALE: x87Form(nil, fscale, 0), x86.FPREM: x87Form(nil, fprem, 0), x86.FPREM1: x87Form(nil, fprem1, 0),
		x86.FYL2X: x87Form(nil, fyl2x, 0), x86.FYL2XP1: x87Form(nil, fyl2xp1, 0), x86.FPATAN: x87Form(nil, fpatan, 0),
		x86.FXTRACT: x87Form(nil, fxtract, 0),
		x86.FSIN:    x87Form(nil, fsin, 0), x86.FCOS: x87Form(nil, fcos, 0),
		x86.FSINCOS: x87Form(nil, fsincos, 0), x86.FPTAN: x87Form(nil, fptan, 0),
	}
}

// x87Unary replaces ST(0) by f of it.
func (c *CPU) x87Unary(o *op, fn func(*softfloat.Env, softfloat.F80) softfloat.F80) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	p := f.st(0)
	r := softfloat.Indefinite80
	if f.empty(p) {
		e.Flags = stackUnderflow
	} else {
		r = fn(&e, f.reg(p))
	}
	if !f.stops(e.Flags) {
		f.setReg(p, r)
	}
	return c.retire(o, e.Flags)
}

func fsqrt(c *CPU, o *op) status   { return c.x87Unary(o, (*softfloat.Env).Sqrt80) }
func frndint(c *CPU, o *op) status { return c.x87Unary(o, (*softfloat.Env).RoundInt80) }
func f2xm1(c *CPU, o *op) status   { return c.x87Unary(o, (*softfloat.Env).Exp80) }

// x87Binary is a function of ST(0) and ST(1). Its result replaces ST(0), or,
// where pop is set, ST(1), and the stack is popped.
func (c *CPU) x87Binary(o *op, pop bool, fn func(e *softfloat.Env, st0, st1 softfloat.F80) softfloat.F80) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	p, q := f.st(0), f.st(1)
	r := softfloat.Indefinite80
	if f.empty(p) || f.empty(q) {
		e.Flags = stackUnderflow
	} else {
		r = fn(&e, f.reg(p), f.reg(q))
	}
	if !f.stops(e.Flags) {
		if pop {
			f.pop()
			p = q
		}
		f.setReg(p, r)
	}
	return c.retire(o, e.Flags)
}

func fscale(c *CPU, o *op) status  { return c.x87Binary(o, false, (*softfloat.Env).Scale80) }
func fyl2x(c *CPU, o *op) status   { return c.x87Binary(o, true, (*softfloat.Env).Log80) }
func fyl2xp1(c *CPU, o *op) status { return c.x87Binary(o, true, (*softfloat.Env).Log1p80) }

func fpatan(c *CPU, o *op) status {
	return c.x87Binary(o, true, func(e *softfloat.Env, x, y softfloat.F80) softfloat.F80 { return e.Atan80(y, x) })
}

func fprem(c *CPU, o *op) status  { return c.remainder(o, false) }
func fprem1(c *CPU, o *op) status { return c.remainder(o, true) }

// remainder leaves the low bits of the quotient in C0, C3 and C1, and in C2
// whether the reduction is incomplete (SDM vol. 2A, FPREM). Without a quotient
// C0 and C3 stay as they are.
func (c *CPU) remainder(o *op, nearest bool) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	p, q := f.st(0), f.st(1)
	r := softfloat.Remainder{Value: softfloat.Indefinite80}
	if f.empty(p) || f.empty(q) {
		e.Flags = stackUnderflow
	} else {
		r = e.Rem80(f.reg(p), f.reg(q), nearest)
	}
	if !f.stops(e.Flags) {
		f.setReg(p, r.Value)
	}
	if r.Value.Class() != softfloat.ClassNaN {
		f.SW = f.SW&^(fpuC0|fpuC3) | uint16(r.Quotient>>2&1)*fpuC0 | uint16(r.Quotient>>1&1)*fpuC3
	}
	f.setC2(r.Partial)
	return c.retire(o, e.Flags|softfloat.Flags(r.Quotient&1)*softfloat.C1)
}

// x87Trigonometric is a function of an angle. Out of range it sets C2 and
// changes nothing else.
func (c *CPU) x87Trigonometric(o *op, fn func(*softfloat.Env, softfloat.F80) (softfloat.F80, bool)) status {
	inRange := true
	st := c.x87Unary(o, func(e *softfloat.Env, a softfloat.F80) (r softfloat.F80) {
		r, inRange = fn(e, a)
		return r
	})
	if st != faulted {
		c.FPU.setC2(!inRange)
	}
	return st
}

func (f *FPU) setC2(on bool) {
	f.SW &^= fpuC2
	if on {
		f.SW |= fpuC2
	}
}

func fsin(c *CPU, o *op) status { return c.x87Trigonometric(o, (*softfloat.Env).Sin80) }
func fcos(c *CPU, o *op) status { return c.x87Trigonometric(o, (*softfloat.Env).Cos80) }

// x87Split replaces ST(0) by the first result of fn and pushes the second. done
// is false if it is to leave the stack alone.
func (c *CPU) x87Split(o *op, fn func(e *softfloat.Env, a softfloat.F80) (first, second softfloat.F80, done bool)) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	p := f.st(0)
	first, second, done := softfloat.Indefinite80, softfloat.Indefinite80, true
	switch {
	case f.empty(p):
		e.Flags = stackUnderflow
	case !f.empty(f.st(7)):
		e.Flags = stackOverflow
	default:
		first, second, done = fn(&e, f.reg(p))
	}
	if done && !f.stops(e.Flags) {
		f.setReg(p, first)
		f.push(second)
	}
	return c.retire(o, e.Flags)
}

func fxtract(c *CPU, o *op) status {
	return c.x87Split(o, func(e *softfloat.Env, a softfloat.F80) (softfloat.F80, softfloat.F80, bool) {
		exponent, significand := e.Extract80(a)
		return exponent, significand, true
	})
}

func fsincos(c *CPU, o *op) status {
	inRange := true
	st := c.x87Split(o, func(e *softfloat.Env, a softfloat.F80) (sin, cos softfloat.F80, done bool) {
		sin, cos, inRange = e.SinCos80(a)
		return sin, cos, inRange
	})
	if st != faulted {
		c.FPU.setC2(!inRange)
	}
	return st
}

// fptan pushes 1 above the tangent, or the NaN that it is.
func fptan(c *CPU, o *op) status {
	inRange := true
	st := c.x87Split(o, func(e *softfloat.Env, a softfloat.F80) (tan, pushed softfloat.F80, done bool) {
		tan, inRange = e.Tan80(a)
		if tan.Class() == softfloat.ClassNaN {
			return tan, tan, inRange
		}
		return tan, softfloat.One80, inRange
	})
	if st != faulted {
		c.FPU.setC2(!inRange)
	}
	return st
}
