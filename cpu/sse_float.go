package cpu

import (
	"math"

	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// Floating-point arithmetic and comparison of SSE, SSE2 and SSE3.

func sseFloatFamily() family {
	m := family{
		x86.ADDSUBPS: packedSingles(alternate32), x86.ADDSUBPD: packedDoubles(alternate64),
		x86.HADDPS: horizontalSingles((*softfloat.Env).Add32), x86.HADDPD: horizontalDoubles((*softfloat.Env).Add64),
		x86.HSUBPS: horizontalSingles((*softfloat.Env).Sub32), x86.HSUBPD: horizontalDoubles((*softfloat.Env).Sub64),
		x86.CMPPS: always(cmpps), x86.CMPPD: always(cmppd), x86.CMPSS: always(cmpss), x86.CMPSD: always(cmpsd),
		x86.UCOMISS: comiss(true), x86.UCOMISD: comisd(true), x86.COMISS: comiss(false), x86.COMISD: comisd(false),
		x86.RCPPS: approximatePacked(reciprocal), x86.RCPSS: approximateScalar(reciprocal),
		x86.RSQRTPS: approximatePacked(reciprocalSqrt), x86.RSQRTSS: approximateScalar(reciprocalSqrt),
	}
	m.arithmetic(x86.ADDPS, x86.ADDPD, x86.ADDSS, x86.ADDSD, (*softfloat.Env).Add32, (*softfloat.Env).Add64)
	m.arithmetic(x86.SUBPS, x86.SUBPD, x86.SUBSS, x86.SUBSD, (*softfloat.Env).Sub32, (*softfloat.Env).Sub64)
	m.arithmetic(x86.MULPS, x86.MULPD, x86.MULSS, x86.MULSD, (*softfloat.Env).Mul32, (*softfloat.Env).Mul64)
	m.arithmetic(x86.DIVPS, x86.DIVPD, x86.DIVSS, x86.DIVSD, (*softfloat.Env).Div32, (*softfloat.Env).Div64)
	m.arithmetic(x86.MINPS, x86.MINPD, x86.MINSS, x86.MINSD, (*softfloat.Env).Min32, (*softfloat.Env).Min64)
	m.arithmetic(x86.MAXPS, x86.MAXPD, x86.MAXSS, x86.MAXSD, (*softfloat.Env).Max32, (*softfloat.Env).Max64)
	m.arithmetic(x86.SQRTPS, x86.SQRTPD, x86.SQRTSS, x86.SQRTSD,
		func(e *softfloat.Env, _, s uint32) uint32 { return e.Sqrt32(s) },
		func(e *softfloat.Env, _, s uint64) uint64 { return e.Sqrt64(s) })
	return m
}

// float32Op and float64Op compute one lane from destination and source.
type (
	float32Op func(e *softfloat.Env, d, s uint32) uint32
	float64Op func(e *softfloat.Env, d, s uint64) uint64
)

// arithmetic enters the four forms of an operation.
func (m family) arithmetic(ps, pd, ss, sd x86.Op, f32 float32Op, f64 float64Op) {
	lane := func(e *softfloat.Env, d, s uint32, _ int) uint32 { return f32(e, d, s) }
	lane64 := func(e *softfloat.Env, d, s uint64, _ int) uint64 { return f64(e, d, s) }
	m[ps], m[pd] = packedSingles(lane), packedDoubles(lane64)
	m[ss], m[sd] = scalarSingle(f32), scalarDouble(f64)
}

// packedSingles selects four operations; f gets the lane's number as well.
//
//go:noinline
func packedSingles(f func(e *softfloat.Env, d, s uint32, lane int) uint32) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		r := [2]uint64{
			pair(f(e, uint32(x[0]), uint32(lo), 0), f(e, uint32(x[0]>>32), uint32(lo>>32), 1)),
			pair(f(e, uint32(x[1]), uint32(hi), 2), f(e, uint32(x[1]>>32), uint32(hi>>32), 3)),
		}
		if !c.settle(e) {
			return faulted
		}
		*x = r
		return next
	})
}

// packedDoubles is packedSingles for two doubles.
//
//go:noinline
func packedDoubles(f func(e *softfloat.Env, d, s uint64, lane int) uint64) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		r := [2]uint64{f(e, x[0], lo, 0), f(e, x[1], hi, 1)}
		if !c.settle(e) {
			return faulted
		}
		*x = r
		return next
	})
}

// Inlined into its caller, the closure would have nothing inlined into itself.
//
//go:noinline
//go:noinline
func scalarSingle(f float32Op) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source32(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		r := f(e, uint32(x[0]), s)
		if !c.settle(e) {
			return faulted
		}
		x[0] = low32(x[0], r)
		return next
	})
}

//
//go:noinline
//go:noinline
func scalarDouble(f float64Op) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source64(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		r := f(e, x[0], s)
		if !c.settle(e) {
			return faulted
		}
		x[0] = r
		return next
	})
}

// alternate32 subtracts in even lanes and adds in odd ones.
func alternate32(e *softfloat.Env, d, s uint32, lane int) uint32 {
	if lane&1 == 0 {
		return e.Sub32(d, s)
	}
	return e.Add32(d, s)
}

func alternate64(e *softfloat.Env, d, s uint64, lane int) uint64 {
	if lane == 0 {
		return e.Sub64(d, s)
	}
	return e.Add64(d, s)
}

// horizontalSingles selects an operation on neighbours: one half of the result
// is of the destination, the other of the source.
//
//go:noinline
func horizontalSingles(f float32Op) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		half := func(v uint64) uint32 { return f(e, uint32(v), uint32(v>>32)) }
		r := [2]uint64{pair(half(x[0]), half(x[1])), pair(half(lo), half(hi))}
		if !c.settle(e) {
			return faulted
		}
		*x = r
		return next
	})
}

//go:noinline
func horizontalDoubles(f float64Op) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		e, x := c.sseEnv(), c.xmm(o)
		r := [2]uint64{f(e, x[0], x[1]), f(e, lo, hi)}
		if !c.settle(e) {
			return faulted
		}
		*x = r
		return next
	})
}

// predicate is one of the eight relations that CMPPS and its like test (SDM
// vol. 2A, table 3-1).
type predicate struct {
	holds uint8 // bit r: it holds for relation r
	quiet bool  // a quiet NaN is no invalid operand
}

const (
	less      = 1 << softfloat.Less
	equal     = 1 << softfloat.Equal
	greater   = 1 << softfloat.Greater
	unordered = 1 << softfloat.Unordered
)

var predicates = [8]predicate{
	{equal, true},                        // EQ
	{less, false},                        // LT
	{less | equal, false},                // LE
	{unordered, true},                    // UNORD
	{less | greater | unordered, true},   // NEQ
	{equal | greater | unordered, false}, // NLT
	{greater | unordered, false},         // NLE
	{less | equal | greater, true},       // ORD
}

// test32 gives all ones where predicate o.imm holds. Its bits 3 to 7 do not
// count.
func (o *op) test32(e *softfloat.Env, a, b uint32) uint32 {
	p := &predicates[o.imm&7]
	return -uint32(p.holds >> e.Compare32(a, b, p.quiet) & 1)
}

func (o *op) test64(e *softfloat.Env, a, b uint64) uint64 {
	p := &predicates[o.imm&7]
	return -uint64(p.holds >> e.Compare64(a, b, p.quiet) & 1)
}

func cmpps(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := [2]uint64{
		pair(o.test32(e, uint32(x[0]), uint32(lo)), o.test32(e, uint32(x[0]>>32), uint32(lo>>32))),
		pair(o.test32(e, uint32(x[1]), uint32(hi)), o.test32(e, uint32(x[1]>>32), uint32(hi>>32))),
	}
	if !c.settle(e) {
		return faulted
	}
	*x = r
	return next
}

func cmppd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := [2]uint64{o.test64(e, x[0], lo), o.test64(e, x[1], hi)}
	if !c.settle(e) {
		return faulted
	}
	*x = r
	return next
}

func cmpss(c *CPU, o *op) status {
	s, ok := c.source32(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := o.test32(e, uint32(x[0]), s)
	if !c.settle(e) {
		return faulted
	}
	x[0] = low32(x[0], r)
	return next
}

func cmpsd(c *CPU, o *op) status {
	s, ok := c.source64(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := o.test64(e, x[0], s)
	if !c.settle(e) {
		return faulted
	}
	x[0] = r
	return next
}

// comparison is EFLAGS after COMISS by relation: OF, SF and AF are clear (SDM
// vol. 2A, COMISD).
var comparison = [4]uint32{
	softfloat.Less:      flagCF,
	softfloat.Equal:     flagZF,
	softfloat.Greater:   0,
	softfloat.Unordered: flagZF | flagPF | flagCF,
}

//go:noinline
func comiss(quiet bool) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source32(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := e.Compare32(uint32(c.xmm(o)[0]), s, quiet)
		if !c.settle(e) {
			return faulted
		}
		c.SetArith(comparison[r])
		return next
	})
}

//go:noinline
func comisd(quiet bool) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source64(o)
		if !ok {
			return faulted
		}
		e := c.sseEnv()
		r := e.Compare64(c.xmm(o)[0], s, quiet)
		if !c.settle(e) {
			return faulted
		}
		c.SetArith(comparison[r])
		return next
	})
}

// Approximations. They raise nothing and MXCSR does not concern them.
//
// Deviation: RCPPS and RSQRTPS give the result rounded to 24 bits, not the 12
// that silicon has, which differ between vendors: only a program that compares
// results with those of a certain processor can tell.

//go:noinline
func approximatePacked(f func(s uint32) uint32) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		*c.xmm(o) = [2]uint64{
			pair(f(uint32(lo)), f(uint32(lo>>32))),
			pair(f(uint32(hi)), f(uint32(hi>>32))),
		}
		return next
	})
}

//go:noinline
func approximateScalar(f func(s uint32) uint32) selector {
	return always(func(c *CPU, o *op) status {
		s, ok := c.source32(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		x[0] = low32(x[0], f(s))
		return next
	})
}

// Parts of a single.
const (
	sign32  = 1 << 31
	inf32   = 0xff << 23
	quiet32 = 1 << 22
)

// flush32 gives v, or a zero of its sign for a denormal.
func flush32(v uint32) uint32 {
	if v&inf32 == 0 {
		return v & sign32
	}
	return v
}

// reciprocal is one lane of RCPPS (SDM vol. 2B): denormals count as zeros and
// give infinity, tiny results are flushed to zero, and so is 2^-126.
func reciprocal(s uint32) uint32 {
	s = flush32(s)
	switch m := s &^ sign32; {
	case m > inf32:
		return s | quiet32
	case m == 0:
		return s | inf32
	case m >= (127+126)<<23:
		return s & sign32
	}
	return math.Float32bits(1 / math.Float32frombits(s))
}

// reciprocalSqrt is one lane of RSQRTPS.
func reciprocalSqrt(s uint32) uint32 {
	s = flush32(s)
	switch {
	case s&^sign32 > inf32:
		return s | quiet32
	case s&^sign32 == 0:
		return s | inf32
	case s&sign32 != 0:
		return sign32 | inf32 | quiet32
	}
	return math.Float32bits(float32(1 / math.Sqrt(float64(math.Float32frombits(s)))))
}
