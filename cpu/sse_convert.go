package cpu

import (
	"math"

	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// Conversions between integers, singles and doubles, in XMM, MMX and general
// registers.

func sseConvertFamily() family {
	return family{
		x86.CVTDQ2PS: convert128(intToSingle), x86.CVTPS2DQ: convert128(singleToInt), x86.CVTTPS2DQ: convert128(singleToIntTruncating),
		x86.CVTPS2PD: widen(singleToDouble), x86.CVTDQ2PD: widen(intToDouble),
		x86.CVTPD2PS: narrow(doubleToSingle), x86.CVTPD2DQ: narrow(doubleToInt), x86.CVTTPD2DQ: narrow(doubleToIntTruncating),
		x86.CVTPI2PS: always(cvtpi2ps), x86.CVTPI2PD: always(cvtpi2pd),
		x86.CVTPS2PI: singlesToMMX(singleToInt), x86.CVTTPS2PI: singlesToMMX(singleToIntTruncating),
		x86.CVTPD2PI: doublesToMMX(doubleToInt), x86.CVTTPD2PI: doublesToMMX(doubleToIntTruncating),
		x86.CVTSI2SS: always(cvtsi2ss), x86.CVTSI2SD: always(cvtsi2sd),
		x86.CVTSS2SI: singleToGeneral(singleToInt), x86.CVTTSS2SI: singleToGeneral(singleToIntTruncating),
		x86.CVTSD2SI: doubleToGeneral(doubleToInt), x86.CVTTSD2SI: doubleToGeneral(doubleToIntTruncating),
		x86.CVTSS2SD: always(cvtss2sd), x86.CVTSD2SS: always(cvtsd2ss),
	}
}

// Conversions of one lane.
type (
	sameWidth func(e *softfloat.Env, v uint32) uint32
	widening  func(e *softfloat.Env, v uint32) uint64
	narrowing func(e *softfloat.Env, v uint64) uint32
)

func intToSingle(e *softfloat.Env, v uint32) uint32    { return e.FromInt32(int64(int32(v))) }
func intToDouble(e *softfloat.Env, v uint32) uint64    { return e.FromInt64(int64(int32(v))) }
func singleToDouble(e *softfloat.Env, v uint32) uint64 { return e.Float32To64(v) }
func doubleToSingle(e *softfloat.Env, v uint64) uint32 { return e.Float64To32(v) }

func singleToInt(e *softfloat.Env, v uint32) uint32 { return uint32(e.ToInt32(v, 32, e.Rounding)) }
func doubleToInt(e *softfloat.Env, v uint64) uint32 { return uint32(e.ToInt64(v, 32, e.Rounding)) }

func singleToIntTruncating(e *softfloat.Env, v uint32) uint32 {
	return uint32(e.ToInt32(v, 32, softfloat.Zero))
}

// doubleToIntTruncating is hot: it is how a compiler converts. The host does it
// for what is in range and no denormal.
func doubleToIntTruncating(e *softfloat.Env, v uint64) uint32 {
	if f := math.Float64frombits(v); math.Abs(f) < 1<<31 && v<<1 >= 1<<53 {
		i := int32(f)
		if float64(i) != f {
			e.Flags |= softfloat.PE
		}
		return uint32(i)
	}
	return uint32(e.ToInt64(v, 32, softfloat.Zero))
}

// both applies f to both halves of v.
func (f sameWidth) both(e *softfloat.Env, v uint64) uint64 {
	return pair(f(e, uint32(v)), f(e, uint32(v>>32)))
}

//go:noinline
func convert128(f sameWidth) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := [2]uint64{f.both(e, lo), f.both(e, hi)}
		if !c.settle(e) {
			return faulted
		}
		*c.xmm(o) = r
		return next
	})
}

//go:noinline
func widen(f widening) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source64(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := [2]uint64{f(e, uint32(s)), f(e, uint32(s>>32))}
		if !c.settle(e) {
			return faulted
		}
		*c.xmm(o) = r
		return next
	})
}

//go:noinline
func narrow(f narrowing) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := pair(f(e, lo), f(e, hi))
		if !c.settle(e) {
			return faulted
		}
		*c.xmm(o) = [2]uint64{r, 0}
		return next
	})
}

// sourcePI reads the r/m operand of CVTPI2PS or CVTPI2PD. Where it is memory,
// they are no MMX instructions.
//
// Deviation: SDM vol. 2A says so of CVTPI2PD only; silicon (Zen 4) treats both
// alike. Code that leaves out EMMS behind CVTPI2PS of memory can tell.
func (c *CPU) sourcePI(o *op) (lo, hi uint32, ok bool) {
	if !c.sse() {
		return 0, 0, false
	}
	var v uint64
	if o.flags&opMem != 0 {
		v, ok = c.peekMM(o)
	} else {
		v, ok = c.sourceMM(o)
	}
	return uint32(v), uint32(v >> 32), ok
}

// cvtpi2ps leaves the high half of the destination as it is.
func cvtpi2ps(c *CPU, o *op) status {
	lo, hi, ok := c.sourcePI(o)
	if !ok {
		return faulted
	}
	e := c.sseEnv()
	r := pair(intToSingle(e, lo), intToSingle(e, hi))
	if !c.settle(e) {
		return faulted
	}
	c.xmm(o)[0] = r
	return next
}

func cvtpi2pd(c *CPU, o *op) status {
	lo, hi, ok := c.sourcePI(o)
	if !ok {
		return faulted
	}
	e := c.sseEnv()
	*c.xmm(o) = [2]uint64{intToDouble(e, lo), intToDouble(e, hi)}
	return next
}

//go:noinline
func singlesToMMX(f sameWidth) selector {
	return always(func(c *CPU, o *op) status {
		if !c.sse() || !c.mmx() {
			return faulted
		}
		s, ok := c.source64(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		return c.settleMMX(e, o, f.both(e, s))
	})
}

//go:noinline
func doublesToMMX(f narrowing) selector {
	return always(func(c *CPU, o *op) status {
		if !c.sse() || !c.mmx() {
			return faulted
		}
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		return c.settleMMX(e, o, pair(f(e, lo), f(e, hi)))
	})
}

// settleMMX settles e and writes v to the MMX register of ModRM.reg. Silicon
// enters the MMX state even if #XM follows.
func (c *CPU) settleMMX(e *softfloat.Env, o *op, v uint64) status {
	c.enterMMX()
	if !c.settle(e) {
		return faulted
	}
	c.setMM(o, v)
	return next
}

func cvtsi2ss(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := intToSingle(e, v)
	if !c.settle(e) {
		return faulted
	}
	x[0] = low32(x[0], r)
	return next
}

// cvtsi2sd is exact.
func cvtsi2sd(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	c.xmm(o)[0] = intToDouble(c.sseEnv(), v)
	return next
}

//go:noinline
func singleToGeneral(f sameWidth) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source32(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := f(e, s)
		if !c.settle(e) {
			return faulted
		}
		c.R[o.reg&7] = r
		return next
	})
}

//go:noinline
func doubleToGeneral(f narrowing) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source64(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := f(e, s)
		if !c.settle(e) {
			return faulted
		}
		c.R[o.reg&7] = r
		return next
	})
}

func cvtss2sd(c *CPU, o *op) status {
	s, ok := c.source32(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := e.Float32To64(s)
	if !c.settle(e) {
		return faulted
	}
	x[0] = r
	return next
}

func cvtsd2ss(c *CPU, o *op) status {
	s, ok := c.source64(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := e.Float64To32(s)
	if !c.settle(e) {
		return faulted
	}
	x[0] = low32(x[0], r)
	return next
}
