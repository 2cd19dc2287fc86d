package softfloat

import (
	"math"
	"math/bits"
)

// wide is a finite number with a significand of 128 bits: it is
// (hi*2^64+lo) / 2^127 * 2^exp, negative where neg is set. The top bit of hi
// is set, except in zero, which is hi = lo = 0 and any exp. Operands that come
// from a register have lo = 0; results keep in lo what rounding needs to know.
type wide struct {
	hi, lo uint64
	exp    int32
	neg    bool
}

func (w wide) isZero() bool { return w.hi|w.lo == 0 }

// normal shifts the significand up until its top bit is set.
func (w wide) normal() wide {
	if w.hi == 0 {
		if w.lo == 0 {
			return w
		}
		w.hi, w.lo = w.lo, 0
		w.exp -= 64
	}
	n := bits.LeadingZeros64(w.hi)
	w.hi = w.hi<<n | w.lo>>1>>(63-n)
	w.lo <<= n
	w.exp -= int32(n)
	return w
}

// shiftRightJam shifts hi:lo right by n bits and keeps the lowest bit set if
// any bit that was shifted out was set.
func shiftRightJam(hi, lo uint64, n uint32) (uint64, uint64) {
	switch {
	case n == 0:
		return hi, lo
	case n < 64:
		out := lo << (64 - n)
		lo = lo>>n | hi<<(64-n)
		return hi >> n, lo | nonzero(out)
	case n < 128:
		n -= 64
		out := lo | hi<<1<<(63-n)
		return 0, hi>>n | nonzero(out)
	}
	return 0, nonzero(hi | lo)
}

// nonzero returns 1 if v is not 0.
func nonzero(v uint64) uint64 { return (v | -v) >> 63 }

// add returns a+b. The sum is exact, or the bits below the last one are
// jammed into it, which is enough for one rounding to 64 bits or fewer if
// both operands have at most 64. An exact zero has neg clear.
func (a wide) add(b wide) wide {
	if a.isZero() {
		return b
	}
	if b.isZero() {
		return a
	}
	if a.exp < b.exp || a.exp == b.exp && (a.hi < b.hi || a.hi == b.hi && a.lo < b.lo) {
		a, b = b, a
	}
	bh, bl := shiftRightJam(b.hi, b.lo, uint32(a.exp-b.exp))
	if a.neg == b.neg {
		lo, carry := bits.Add64(a.lo, bl, 0)
		hi, carry := bits.Add64(a.hi, bh, carry)
		if carry != 0 {
			lo = lo>>1 | hi<<63 | lo&1
			hi = hi>>1 | 1<<63
			a.exp++
		}
		a.hi, a.lo = hi, lo
		return a
	}
	lo, borrow := bits.Sub64(a.lo, bl, 0)
	hi, _ := bits.Sub64(a.hi, bh, borrow)
	if hi|lo == 0 {
		return wide{}
	}
	a.hi, a.lo = hi, lo
	return a.normal()
}

// mul64 returns a*b of operands that have at most 64 bits, exactly.
func (a wide) mul64(b wide) wide {
	hi, lo := bits.Mul64(a.hi, b.hi)
	exp := a.exp + b.exp + 1
	if hi>>63 == 0 {
		hi = hi<<1 | lo>>63
		lo <<= 1
		exp--
	}
	return wide{hi, lo, exp, a.neg != b.neg}
}

// div64 returns a/b of non-zero operands that have at most 64 bits: 64 bits of
// the quotient and below them a rest that is zero, below, at or above a half
// just as the true rest is.
func (a wide) div64(b wide) wide {
	exp := a.exp - b.exp
	hi, lo := a.hi, uint64(0)
	if hi >= b.hi {
		lo = hi << 63
		hi >>= 1
	} else {
		exp--
	}
	q, r := bits.Div64(hi, lo, b.hi)
	return wide{q, rest(r, b.hi-r), exp, a.neg != b.neg}
}

// rest returns a fraction of 64 bits that compares to zero and to a half as
// r/(r+s) does.
func rest(r, s uint64) uint64 {
	switch {
	case r == 0:
		return 0
	case r < s:
		return 1 << 62
	case r == s:
		return 1 << 63
	}
	return 3 << 62
}

// sqrt64 returns the square root of a positive operand that has at most 64
// bits, with a rest as div64 makes it.
func (a wide) sqrt64() wide {
	// n = hi:lo is the significand scaled so that the exponent is even and
	// its root has 64 bits.
	hi, lo := a.hi, uint64(0)
	if a.exp&1 == 0 {
		lo = hi << 63
		hi >>= 1
	}
	s := root128(hi, lo)
	// The rest n-s*s is at most 2*s; (s+1/2)^2 is no integer, so that it lies
	// above the middle just if it exceeds s.
	ph, pl := bits.Mul64(s, s)
	rl, borrow := bits.Sub64(lo, pl, 0)
	rh, _ := bits.Sub64(hi, ph, borrow)
	low := uint64(0)
	switch {
	case rh != 0 || rl > s:
		low = 3 << 62
	case rl != 0:
		low = 1 << 62
	}
	return wide{s, low, a.exp >> 1, false}
}

// root128 returns the integer square root of hi:lo, whose top two bits are not
// both zero. The host's square root is only a first guess: the result does not
// depend on it.
func root128(hi, lo uint64) uint64 {
	s := ^uint64(0)
	if g := math.Sqrt(float64(hi)) * (1 << 32); g < 1<<64 {
		s = uint64(g)
	}
	if hi < s {
		q, _ := bits.Div64(hi, lo, s)
		sum, carry := bits.Add64(s, q, 0)
		s = sum>>1 | carry<<63
	} else {
		s = ^uint64(0)
	}
	for {
		ph, pl := bits.Mul64(s, s)
		if ph > hi || ph == hi && pl > lo {
			s--
			continue
		}
		rl, borrow := bits.Sub64(lo, pl, 0)
		rh, _ := bits.Sub64(hi, ph, borrow)
		// (s+1)^2 - s^2 = 2*s+1
		if th, tl := s>>63, s<<1; rh > th || rh == th && rl > tl {
			s++
			continue
		}
		return s
	}
}
