package softfloat

import "math/bits"

// The transcendental functions are computed to about 120 bits and rounded
// once, so that they are within 1 ulp in every rounding mode, and all but
// always correctly rounded. C1 tells of that rounding.

// angle is an argument reduced to at most a quarter of pi in magnitude: it
// stands for rest + quadrant*pi/2.
type angle struct {
	rest     wide
	quadrant uint64
}

// The quarter turn that silicon reduces by: pi with 66 bits of significand
// (SDM vol. 1, 8.3.8), as quarterHigh:quarterLow * 2^-65 = pi/2.
const (
	quarterHigh = 0x3
	quarterLow  = 0x243f6a8885a308d3
)

// reduce reduces a, which is not zero and below 2^63 in magnitude. The result
// is exact.
func reduce(a wide) angle {
	// Below 2^-1 nothing is to be reduced. From there on a is a multiple of
	// 2^-64, and so h:l is a in units of 2^-65.
	if a.exp < -1 {
		return angle{a, 0}
	}
	h, l := a.hi>>(62-a.exp), a.hi<<(a.exp+2)
	// The quotient by a divisor that is too large by less than 2^-63 of it is
	// at most a few units too small.
	const divisor = quarterHigh<<62 | quarterLow>>2 + 1
	n, _ := bits.Div64(h>>2, h<<62|l>>2, divisor)
	ph, pl := bits.Mul64(n, quarterLow)
	ph += n * quarterHigh
	l, borrow := bits.Sub64(l, pl, 0)
	h, _ = bits.Sub64(h, ph, borrow)
	for h > quarterHigh || h == quarterHigh && l >= quarterLow {
		l, borrow = bits.Sub64(l, quarterLow, 0)
		h, _ = bits.Sub64(h, quarterHigh, borrow)
		n++
	}
	neg := a.neg
	// Above an eighth turn take the next quarter.
	dl, borrow := bits.Sub64(quarterLow, l, 0)
	dh, _ := bits.Sub64(quarterHigh, h, borrow)
	if dh < h || dh == h && dl < l {
		h, l = dh, dl
		n++
		neg = !neg
	}
	if a.neg {
		n = -n
	}
	return angle{wide{h, l, 62, neg}.normal(), n & 3}
}

// sine returns sin(r), |r| < 0.8.
func sine(r wide) wide {
	z := r.mul(r).fraction()
	p := horner(sineSeries[:], len(sineSeries), z, true)
	if p == one {
		p = one.minus(1)
	}
	return p.wide().mul(r)
}

// cosine returns cos(r), |r| < 0.8. However small r is, it is less than 1, and
// less than sine(r)/r by more than the errors of both.
func cosine(r wide) wide {
	z := r.mul(r).fraction()
	p := horner(cosineSeries[:], len(cosineSeries), z, true)
	if limit := one.minus(16); p.hi == one.hi || p.lo > limit.lo && p.hi == limit.hi {
		p = limit
	}
	return p.wide()
}

// sin returns the sine of the angle.
func (a angle) sin() wide {
	var r wide
	if a.quadrant&1 == 0 {
		r = sine(a.rest)
	} else {
		r = cosine(a.rest)
	}
	r.neg = r.neg != (a.quadrant&2 != 0)
	return r
}

// cos returns the cosine of the angle.
func (a angle) cos() wide {
	a.quadrant++
	return a.sin()
}

// trigArgument classifies the argument of a trigonometric instruction. done
// means that r is the result already; outside that |a| is 2^63 or more, which
// sets C2 and changes nothing.
func (e *Env) trigArgument(a F80) (r F80, done, outside bool) {
	if r, ok := e.nan80of1(a); ok {
		return r, true, false
	}
	switch a.Class() {
	case ClassInfinity:
		return e.indefinite80(), true, false
	case ClassZero:
		return a, true, false
	case ClassDenormal:
		if e.raise(DE) {
			return Indefinite80, true, false
		}
	}
	return a, false, a.SE&exp80 >= bias80+63
}

// Sin80 returns the sine of a (FSIN). ok is false if a is out of range: C2 is
// to be set and a kept.
func (e *Env) Sin80(a F80) (r F80, ok bool) {
	r, done, outside := e.trigArgument(a)
	if done || outside {
		return r, !outside
	}
	return e.round80(reduce(a.number()).sin(), 64), true
}

// Cos80 returns the cosine of a (FCOS). ok is as for Sin80.
func (e *Env) Cos80(a F80) (r F80, ok bool) {
	r, done, outside := e.trigArgument(a)
	if done && a.Class() == ClassZero {
		return One80, true
	}
	if done || outside {
		return r, !outside
	}
	return e.round80(reduce(a.number()).cos(), 64), true
}

// SinCos80 returns the sine and the cosine of a (FSINCOS). ok is as for Sin80.
func (e *Env) SinCos80(a F80) (sin, cos F80, ok bool) {
	r, done, outside := e.trigArgument(a)
	if done && a.Class() == ClassZero {
		return a, One80, true
	}
	if done || outside {
		return r, r, !outside
	}
	t := reduce(a.number())
	cos = e.round80(t.cos(), 64)
	return e.round80(t.sin(), 64), cos, true
}

// Tan80 returns the tangent of a (FPTAN). ok is as for Sin80.
func (e *Env) Tan80(a F80) (r F80, ok bool) {
	r, done, outside := e.trigArgument(a)
	if done || outside {
		return r, !outside
	}
	t := reduce(a.number())
	return e.round80(t.sin().div(t.cos()), 64), true
}

// arctangent returns atan(n/d) for 0 < n <= d, both of at most 64 bits.
func arctangent(n, d wide) wide {
	shift := d.exp - n.exp
	var t, base wide
	if shift > 6 {
		t = n.div(d)
	} else {
		// With n and d scaled down by 2^8, atan(n/d) is
		// atan(i/16) + atan((16n-id)/(16d+in)), with i near 16*n/d.
		dh, dl := d.hi>>8, d.hi<<56
		nh, nl := shiftRightJam(n.hi>>8, n.hi<<56, uint32(shift))
		i := (nh<<4 + dh>>1) / dh
		base = arctangents[i].wide()
		ih, il := times(i, nh, nl)
		den, c := bits.Add64(dl<<4, il, 0)
		denHigh, _ := bits.Add64(dh<<4|dl>>60, ih, c)
		ih, il = times(i, dh, dl)
		num, b := bits.Sub64(nl<<4, il, 0)
		numHigh, _ := bits.Sub64(nh<<4|nl>>60, ih, b)
		neg := numHigh>>63 != 0
		if neg {
			num, b = bits.Sub64(0, num, 0)
			numHigh, _ = bits.Sub64(0, numHigh, b)
		}
		w := wide{numHigh, num, 0, neg}.normal()
		if w.isZero() {
			return base
		}
		t = w.div(wide{denHigh, den, 0, false}.normal())
	}
	const terms = 15 // t*t is below 2^-9
	p := horner(oddSeries[:], terms, t.mul(t).fraction(), true)
	if p == one {
		p = one.minus(1)
	}
	return base.add(p.wide().mul(t))
}

// times returns i*h:l.
func times(i, h, l uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(i, l)
	return hi + i*h, lo
}

// halfPi is pi/2 with 128 bits.
var halfPi = wide{0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, 0, false}

// Atan80 returns the angle of the point (x, y), from -pi to pi (FPATAN).
func (e *Env) Atan80(y, x F80) F80 {
	if r, ok := e.nan80(x, y); ok {
		return r
	}
	if e.denormals(y, x) {
		return Indefinite80
	}
	cy, cx := y.Class(), x.Class()
	var r wide
	turn := int32(0) // the angle in quarters of pi, where no ratio is needed
	switch {
	case cy == ClassZero || cx == ClassInfinity && cy != ClassInfinity:
		if !x.Negative() {
			return F80{0, y.SE & sign80}
		}
		turn = 4
	case cy == ClassInfinity && cx == ClassInfinity:
		turn = 1
		if x.Negative() {
			turn = 3
		}
	case cy == ClassInfinity || cx == ClassZero:
		turn = 2
	}
	if turn != 0 {
		r = halfPi
		r.exp--
		if turn == 3 {
			r = r.mul(wide{3 << 62, 0, 1, false})
		} else {
			r.exp += turn >> 1
		}
	} else {
		r = arc(y.number(), x.number())
	}
	r.neg = y.Negative()
	return e.round80(r, 64)
}

// arc returns the magnitude of the angle of the point (x, y), neither zero.
func arc(y, x wide) wide {
	left := x.neg
	y.neg, x.neg = false, false
	var r wide
	if y.exp > x.exp || y.exp == x.exp && y.hi > x.hi {
		r = arctangent(x, y)
		r.neg = !left
		return halfPi.add(r)
	}
	r = arctangent(y, x)
	if !left {
		return r
	}
	r.neg = true
	p := halfPi
	p.exp++
	return p.add(r)
}
