package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// x87 arithmetic and comparison.

// Operations of x87Arith, numbered as ModRM.reg of the opcodes D8 numbers them.
const (
	x87Add  = 0
	x87Mul  = 1
	x87Sub  = 4
	x87SubR = 5
	x87Div  = 6
	x87DivR = 7
	x87Pop  = 8 // then the stack is popped
)

// Variants of a comparison.
const (
	x87Quiet  = 1 << iota // quiet NaNs are no error
	x87Pop1               // then the stack is popped
	x87Pop2               // and again
	x87EFLAGS             // the result goes to EFLAGS
)

func x87ArithFamily() family {
	return family{
		x86.FADD: x87Form(x87ArithMem, x87ArithReg, x87Add), x86.FADDP: x87Form(nil, x87ArithReg, x87Add|x87Pop),
		x86.FMUL: x87Form(x87ArithMem, x87ArithReg, x87Mul), x86.FMULP: x87Form(nil, x87ArithReg, x87Mul|x87Pop),
		x86.FSUB: x87Form(x87ArithMem, x87ArithReg, x87Sub), x86.FSUBP: x87Form(nil, x87ArithReg, x87Sub|x87Pop),
		x86.FSUBR: x87Form(x87ArithMem, x87ArithReg, x87SubR), x86.FSUBRP: x87Form(nil, x87ArithReg, x87SubR|x87Pop),
		x86.FDIV: x87Form(x87ArithMem, x87ArithReg, x87Div), x86.FDIVP: x87Form(nil, x87ArithReg, x87Div|x87Pop),
		x86.FDIVR: x87Form(x87ArithMem, x87ArithReg, x87DivR), x86.FDIVRP: x87Form(nil, x87ArithReg, x87DivR|x87Pop),
		x86.FIADD: x87Form(x87ArithMem, nil, x87Add), x86.FIMUL: x87Form(x87ArithMem, nil, x87Mul),
		x86.FISUB: x87Form(x87ArithMem, nil, x87Sub), x86.FISUBR: x87Form(x87ArithMem, nil, x87SubR),
		x86.FIDIV: x87Form(x87ArithMem, nil, x87Div), x86.FIDIVR: x87Form(x87ArithMem, nil, x87DivR),

		x86.FCOM: x87Form(x87CompareMem, x87CompareReg, 0), x86.FCOM2: x87Form(nil, x87CompareReg, 0),
		x86.FCOMP: x87Form(x87CompareMem, x87CompareReg, x87Pop1), x86.FCOMP3: x87Form(nil, x87CompareReg, x87Pop1),
		x86.FCOMP5: x87Form(nil, x87CompareReg, x87Pop1), x86.FCOMPP: x87Form(nil, x87CompareReg, x87Pop1|x87Pop2),
		x86.FUCOM: x87Form(nil, x87CompareReg, x87Quiet), x86.FUCOMP: x87Form(nil, x87CompareReg, x87Quiet|x87Pop1),
		x86.FUCOMPP: x87Form(nil, x87CompareReg, x87Quiet|x87Pop1|x87Pop2),
		x86.FICOM:   x87Form(x87CompareMem, nil, 0), x86.FICOMP: x87Form(x87CompareMem, nil, x87Pop1),
		x86.FCOMI: x87Form(nil, x87CompareReg, x87EFLAGS), x86.FCOMIP: x87Form(nil, x87CompareReg, x87EFLAGS|x87Pop1),
		x86.FUCOMI:  x87Form(nil, x87CompareReg, x87EFLAGS|x87Quiet),
		x86.FUCOMIP: x87Form(nil, x87CompareReg, x87EFLAGS|x87Quiet|x87Pop1),
		x86.FTST:    x87Form(nil, ftst, 0),
		x86.FXAM:    x87Form(nil, fxam, 0),
	}
}

// x87Arith computes operation k of the destination a and the source b.
func x87Arith(e *softfloat.Env, k uint8, a, b softfloat.F80) softfloat.F80 {
	switch k & 7 {
	case x87Add:
		return e.Add80(a, b)
	case x87Mul:
		return e.Mul80(a, b)
	case x87Sub:
		return e.Sub80(a, b)
	case x87SubR:
		return e.Sub80(b, a)
	case x87Div:
		return e.Div80(a, b)
	}
	return e.Div80(b, a)
}

// x87ArithReg is an operation on ST(0) and another register, which are both
// there, or raises a stack underflow.
func x87ArithReg(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	dst, src := f.st(o.reg), f.st(o.rm)
	var r softfloat.F80
	if f.empty(dst) || f.empty(src) {
		e.Flags, r = stackUnderflow, softfloat.Indefinite80
	} else {
		r = x87Arith(&e, o.regSh, f.reg(dst), f.reg(src))
	}
	if !f.stops(e.Flags) {
		f.setReg(dst, r)
		if o.regSh&x87Pop != 0 {
			f.pop()
		}
	}
	return c.retire(o, e.Flags)
}

// x87ArithMem is an operation on ST(0) and memory.
func x87ArithMem(c *CPU, o *op) status {
	x, off, ok := c.x87Load(o)
	if !ok {
		return faulted
	}
	f := &c.FPU
	e := c.x87Env()
	dst := f.st(0)
	var r softfloat.F80
	switch {
	case f.empty(dst):
		e.Flags, r = stackUnderflow, softfloat.Indefinite80
	case x.denormal:
		r = x87ArithDenormal(&e, o.regSh, f.reg(dst), x.v)
	default:
		r = x87Arith(&e, o.regSh, f.reg(dst), x.v)
	}
	if !f.stops(e.Flags) {
		f.setReg(dst, r)
	}
	c.noteData(o, off)
	return c.retire(o, e.Flags)
}

// x87ArithDenormal is x87Arith with a source that was denormal in memory: that
// raises DE unless a NaN, an invalid operation or a division by zero goes
// before it.
func x87ArithDenormal(e *softfloat.Env, k uint8, a, b softfloat.F80) softfloat.F80 {
	r := x87Arith(e, k, a, b)
	if e.Flags&(softfloat.IE|softfloat.ZE) != 0 || a.Class() >= softfloat.ClassNaN {
		return r
	}
	if e.Masks&softfloat.DE == 0 {
		e.Flags = 0 // nothing is computed
	}
	e.Flags |= softfloat.DE
	return r
}

// x87CompareReg compares ST(0) to another register.
func x87CompareReg(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	b := c.FPU.st(o.rm)
	return c.x87Compare(o, x87Operand{v: c.FPU.reg(b)}, c.FPU.empty(b))
}

// x87CompareMem compares ST(0) to memory.
func x87CompareMem(c *CPU, o *op) status {
	x, off, ok := c.x87Load(o)
	if !ok {
		return faulted
	}
	c.noteData(o, off)
	return c.x87Compare(o, x, false)
}

// ftst compares ST(0) to zero.
func ftst(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	return c.x87Compare(o, x87Operand{}, false)
}

// x87Compare compares ST(0) to b, of which bEmpty says that it is no number
// but an empty register.
//
// Deviation: where an exception is unmasked the SDM leaves the condition codes
// and EFLAGS unchanged; here they show the result, as AMD processors have it. FCOMI and its kin leave C1 alone unless the stack
// underflows, likewise.
func (c *CPU) x87Compare(o *op, b x87Operand, bEmpty bool) status {
	f := &c.FPU
	e := c.x87Env()
	rel := softfloat.Unordered
	if a := f.st(0); f.empty(a) || bEmpty {
		e.Flags = stackUnderflow
	} else {
		rel = e.Compare80(f.reg(a), b.v, o.regSh&x87Quiet != 0)
		if b.denormal && rel != softfloat.Unordered {
			e.Flags |= softfloat.DE
		}
	}
	fl := e.Flags
	if o.regSh&x87EFLAGS != 0 {
		c.SetArith(x87Relations[rel].flags)
		if fl&fpuSF == 0 {
			fl |= softfloat.Flags(f.SW & fpuC1)
		}
	} else {
		f.SW = f.SW&^(fpuC0|fpuC2|fpuC3) | x87Relations[rel].codes
	}
	if !f.stops(e.Flags) {
		if o.regSh&x87Pop1 != 0 {
			f.pop()
		}
		if o.regSh&x87Pop2 != 0 {
			f.pop()
		}
	}
	return c.retire(o, fl)
}

// x87Relations tells how a comparison shows (SDM vol. 1, tables 8-6 and 8-7).
var x87Relations = [4]struct {
	codes uint16
	flags uint32
}{
	softfloat.Less:      {fpuC0, x86.FlagCF},
	softfloat.Equal:     {fpuC3, x86.FlagZF},
	softfloat.Greater:   {0, 0},
	softfloat.Unordered: {fpuC0 | fpuC2 | fpuC3, x86.FlagCF | x86.FlagZF | x86.FlagPF},
}

// fxam tells the class of ST(0), empty or not, and in C1 its sign.
func fxam(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	f := &c.FPU
	p := f.st(0)
	v := f.reg(p)
	codes := x87Classes[v.Class()]
	if f.empty(p) {
		codes = fpuC3 | fpuC0
	}
	f.SW = f.SW&^(fpuC0|fpuC2|fpuC3) | codes
	fl := softfloat.Flags(0)
	if v.Negative() {
		fl = softfloat.C1
	}
	return c.retire(o, fl)
}

// x87Classes are the codes of FXAM (SDM vol. 2A, FXAM).
var x87Classes = [...]uint16{
	softfloat.ClassUnsupported: 0,
	softfloat.ClassNaN:         fpuC0,
	softfloat.ClassNormal:      fpuC2,
	softfloat.ClassInfinity:    fpuC2 | fpuC0,
	softfloat.ClassZero:        fpuC3,
	softfloat.ClassDenormal:    fpuC3 | fpuC2,
}
