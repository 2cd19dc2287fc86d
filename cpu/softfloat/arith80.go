package softfloat

import "math/bits"

// normal80 reports whether a and b are both normal numbers.
func normal80(a, b F80) bool {
	return a.SE&exp80-1 < exp80-1 && b.SE&exp80-1 < exp80-1 && (a.Mant&b.Mant)>>63 != 0
}

// finish80 rounds the normal significand hi:lo with biased exponent exp at the
// precision of the Env.
func (e *Env) finish80(neg uint16, exp int32, hi, lo uint64) F80 {
	if e.Precision == 64 && e.Rounding == Nearest && uint32(exp-1) < exp80-2 {
		if lo != 0 {
			e.Flags |= PE
			if lo > 1<<63 || lo == 1<<63 && hi&1 != 0 {
				e.Flags |= C1
				hi++
				if hi == 0 {
					hi = integerBit
					exp++
				}
			}
		}
		return F80{hi, neg | uint16(exp)}
	}
	return e.round80(wide{hi, lo, exp - bias80, neg != 0}, e.Precision)
}

// Add80 returns a+b.
func (e *Env) Add80(a, b F80) F80 {
	if !normal80(a, b) || (a.SE^b.SE)&sign80 != 0 {
		return e.sum80(a, b, 0)
	}
	ea, eb := a.SE&exp80, b.SE&exp80
	if ea < eb {
		a, b = b, a
		ea, eb = eb, ea
	}
	hi, lo := shiftRightJam64(b.Mant, uint32(ea-eb))
	exp := int32(ea)
	hi, carry := bits.Add64(hi, a.Mant, 0)
	if carry != 0 {
		lo = lo>>1 | hi<<63 | lo&1
		hi = hi>>1 | integerBit
		exp++
	}
	return e.finish80(a.SE&sign80, exp, hi, lo)
}

// Sub80 returns a-b.
func (e *Env) Sub80(a, b F80) F80 { return e.sum80(a, b, sign80) }

// shiftRightJam64 is shiftRightJam of v:0.
func shiftRightJam64(v uint64, n uint32) (hi, lo uint64) {
	switch {
	case n < 64:
		return v >> n, v << 1 << (63 - n)
	case n < 128:
		n -= 64
		return 0, v>>n | nonzero(v<<1<<(63-n))
	}
	return 0, nonzero(v)
}

// sum80 returns a+b, with the sign of b flipped where flip is sign80.
func (e *Env) sum80(a, b F80, flip uint16) F80 {
	if !normal80(a, b) {
		return e.specialSum80(a, b, flip)
	}
	sa, sb := a.SE&sign80, b.SE&sign80^flip
	if sa == sb {
		return e.Add80(a, F80{b.Mant, b.SE ^ flip})
	}
	ea, eb := a.SE&exp80, b.SE&exp80
	if ea < eb || ea == eb && a.Mant < b.Mant {
		a, b = b, a
		ea, eb = eb, ea
		sa = sb
	}
	bh, bl := shiftRightJam64(b.Mant, uint32(ea-eb))
	lo, borrow := bits.Sub64(0, bl, 0)
	hi, _ := bits.Sub64(a.Mant, bh, borrow)
	exp := int32(ea)
	if hi>>63 == 0 {
		if hi|lo == 0 {
			return F80{0, e.zeroSign()}
		}
		w := wide{hi, lo, exp, false}.normal()
		hi, lo, exp = w.hi, w.lo, w.exp
	}
	return e.finish80(sa, exp, hi, lo)
}

// zeroSign is the sign of an exact zero sum of numbers that are not zero.
func (e *Env) zeroSign() uint16 {
	if e.Rounding == Down {
		return sign80
	}
	return 0
}

func (e *Env) specialSum80(a, b F80, flip uint16) F80 {
	if r, ok := e.nan80(a, b); ok {
		return r
	}
	b.SE ^= flip
	ca, cb := a.Class(), b.Class()
	if ca == ClassInfinity && cb == ClassInfinity && a.SE != b.SE {
		return e.indefinite80()
	}
	if e.denormals(a, b) {
		return Indefinite80
	}
	switch {
	case ca == ClassInfinity:
		return a
	case cb == ClassInfinity:
		return b
	case ca == ClassZero && cb == ClassZero:
		if a.SE == b.SE {
			return a
		}
		return F80{0, e.zeroSign()}
	}
	w := a.number().add(b.number())
	if w.isZero() {
		return F80{0, e.zeroSign()}
	}
	return e.round80(w, e.Precision)
}

// Mul80 returns a*b.
func (e *Env) Mul80(a, b F80) F80 {
	if !normal80(a, b) {
		return e.specialMul80(a, b)
	}
	hi, lo := bits.Mul64(a.Mant, b.Mant)
	exp := int32(a.SE&exp80) + int32(b.SE&exp80) - bias80 + 1
	if hi>>63 == 0 {
		hi = hi<<1 | lo>>63
		lo <<= 1
		exp--
	}
	return e.finish80((a.SE^b.SE)&sign80, exp, hi, lo)
}

func (e *Env) specialMul80(a, b F80) F80 {
	if r, ok := e.nan80(a, b); ok {
		return r
	}
	ca, cb := a.Class(), b.Class()
	neg := a.Negative() != b.Negative()
	infinite := ca == ClassInfinity || cb == ClassInfinity
	zero := ca == ClassZero || cb == ClassZero
	if infinite && zero {
		return e.indefinite80()
	}
	if e.denormals(a, b) {
		return Indefinite80
	}
	switch {
	case infinite:
		return infinity80(neg)
	case zero:
		return F80{0, signOf(neg)}
	}
	return e.round80(a.number().mul64(b.number()), e.Precision)
}

// Div80 returns a/b.
func (e *Env) Div80(a, b F80) F80 {
	if !normal80(a, b) {
		return e.specialDiv80(a, b)
	}
	exp := int32(a.SE&exp80) - int32(b.SE&exp80) + bias80
	hi, lo := a.Mant, uint64(0)
	if hi >= b.Mant {
		lo = hi << 63
		hi >>= 1
	} else {
		exp--
	}
	q, r := bits.Div64(hi, lo, b.Mant)
	return e.finish80((a.SE^b.SE)&sign80, exp, q, rest(r, b.Mant-r))
}

func (e *Env) specialDiv80(a, b F80) F80 {
	if r, ok := e.nan80(a, b); ok {
		return r
	}
	ca, cb := a.Class(), b.Class()
	neg := a.Negative() != b.Negative()
	if ca == ClassInfinity && cb == ClassInfinity || ca == ClassZero && cb == ClassZero {
		return e.indefinite80()
	}
	if cb == ClassZero && ca != ClassInfinity {
		e.Flags |= ZE
		return infinity80(neg)
	}
	if e.denormals(a, b) {
		return Indefinite80
	}
	switch {
	case ca == ClassInfinity:
		return infinity80(neg)
	case ca == ClassZero || cb == ClassInfinity:
		return F80{0, signOf(neg)}
	}
	return e.round80(a.number().div64(b.number()), e.Precision)
}

// Sqrt80 returns the square root of a.
func (e *Env) Sqrt80(a F80) F80 {
	if r, ok := e.nan80of1(a); ok {
		return r
	}
	c := a.Class()
	if c == ClassZero {
		return a
	}
	if a.Negative() {
		return e.indefinite80()
	}
	if c == ClassInfinity {
		return a
	}
	if c == ClassDenormal && e.raise(DE) {
		return Indefinite80
	}
	return e.round80(a.number().sqrt64(), e.Precision)
}
