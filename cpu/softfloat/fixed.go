package softfloat

import "math/bits"

// fixed is an unsigned fixed-point number of 128 bits: (hi*2^64+lo) / 2^127.
type fixed struct{ hi, lo uint64 }

// one is 1 as a fixed.
var one = fixed{1 << 63, 0}

// mulHigh returns the upper 128 bits of the product of ah:al and bh:bl, up to
// 3 units too small.
func mulHigh(ah, al, bh, bl uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(ah, bh)
	m1, _ := bits.Mul64(ah, bl)
	m2, _ := bits.Mul64(al, bh)
	lo, c := bits.Add64(lo, m1, 0)
	hi += c
	lo, c = bits.Add64(lo, m2, 0)
	hi += c
	return hi, lo
}

// horner returns the sum of series[k]*z^k, or of series[k]*(-z)^k, of n terms.
// z is a fraction of 128 bits with the point above its top bit. The partial
// sums of an alternating series must not be negative.
func horner(series []fixed, n int, z fixed, alternating bool) fixed {
	sum := series[n-1]
	for k := n - 2; k >= 0; k-- {
		hi, lo := mulHigh(sum.hi, sum.lo, z.hi, z.lo)
		c := series[k]
		var carry uint64
		if alternating {
			sum.lo, carry = bits.Sub64(c.lo, lo, 0)
			sum.hi, _ = bits.Sub64(c.hi, hi, carry)
		} else {
			sum.lo, carry = bits.Add64(c.lo, lo, 0)
			sum.hi, _ = bits.Add64(c.hi, hi, carry)
		}
	}
	return sum
}

// minus returns f less n units of 2^-127.
func (f fixed) minus(n uint64) fixed {
	lo, borrow := bits.Sub64(f.lo, n, 0)
	return fixed{f.hi - borrow, lo}
}

// wide returns f as a wide.
func (f fixed) wide() wide { return wide{f.hi, f.lo, 0, false}.normal() }

// fraction returns the magnitude of w, which is below 1, as the fraction that
// horner takes. Bits below its last are lost.
func (w wide) fraction() fixed {
	hi, lo := shiftRightJam(w.hi, w.lo, uint32(-1-w.exp))
	return fixed{hi, lo}
}

// mul returns a*b with a relative error below 2^-125.
func (a wide) mul(b wide) wide {
	if a.isZero() || b.isZero() {
		return wide{neg: a.neg != b.neg}
	}
	if a.lo == 0 && b.lo == 0 {
		return a.mul64(b)
	}
	r := wide{exp: a.exp + b.exp + 1, neg: a.neg != b.neg}
	r.hi, r.lo = mulHigh(a.hi, a.lo, b.hi, b.lo)
	return r.normal()
}

// div returns a/b with a relative error below 2^-124. b is not zero.
func (a wide) div(b wide) wide {
	if a.isZero() {
		return wide{neg: a.neg != b.neg}
	}
	// Halve a so that each step's quotient is below 2^64.
	rh, rl := a.hi>>1, a.hi<<63|a.lo>>1
	qh, rh, rl := divStep(rh, rl, a.lo<<63, b.hi, b.lo)
	ql, _, _ := divStep(rh, rl, 0, b.hi, b.lo)
	return wide{qh, ql, a.exp - b.exp, a.neg != b.neg}.normal()
}

// divStep divides n2:n1:n0 by d1:d0, whose top bit is set; n2:n1 is less than
// d1:d0. It returns the quotient and the remainder (Knuth, TAOCP 4.3.1 D).
func divStep(n2, n1, n0, d1, d0 uint64) (q, r1, r0 uint64) {
	if n2 >= d1 {
		q = ^uint64(0)
	} else {
		q, _ = bits.Div64(n2, n1, d1)
	}
	// n - q*d as three words in two's complement; q is at most 2 too large.
	ph, pl := bits.Mul64(q, d0)
	mh, ml := bits.Mul64(q, d1)
	p1, c := bits.Add64(ph, ml, 0)
	p2 := mh + c
	r0, b := bits.Sub64(n0, pl, 0)
	r1, b = bits.Sub64(n1, p1, b)
	r2, _ := bits.Sub64(n2, p2, b)
	for r2>>63 != 0 {
		q--
		r0, c = bits.Add64(r0, d0, 0)
		r1, c = bits.Add64(r1, d1, c)
		r2 += c
	}
	return q, r1, r0
}
