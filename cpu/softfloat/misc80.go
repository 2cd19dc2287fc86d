package softfloat

import "math/bits"

// Constant is a number that the x87 loads from its ROM.
type Constant uint8

// Constants, in the order of the opcodes D9 E9 to D9 ED.
const (
	Log2Ten Constant = iota // FLDL2T
	Log2E                   // FLDL2E
	Pi                      // FLDPI
	LogTwo                  // FLDLG2, to base 10
	LnTwo                   // FLDLN2
)

// constants holds the constants with 128 bits.
var constants = [...]wide{
	Log2Ten: {0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c, 1, false},
	Log2E:   {0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88, 0, false},
	Pi:      {0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, 1, false},
	LogTwo:  {0x9a209a84fbcff798, 0x8f8959ac0b7c9178, -2, false},
	LnTwo:   {0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, -1, false},
}

// Constant returns the constant c rounded to 64 bits by the mode of e. It
// raises nothing (SDM vol. 1, 8.3.8).
func (e *Env) Constant(c Constant) F80 {
	t := *e
	return t.round80(constants[c], 64)
}

// Scale80 returns a times two to the power of b, which is truncated to an
// integer first (FSCALE).
func (e *Env) Scale80(a, b F80) F80 {
	if r, ok := e.nan80(a, b); ok {
		return r
	}
	ca, cb := a.Class(), b.Class()
	if cb == ClassInfinity {
		if b.Negative() && ca == ClassInfinity || !b.Negative() && ca == ClassZero {
			return e.indefinite80()
		}
	}
	if e.denormals(a, b) {
		return Indefinite80
	}
	switch {
	case ca == ClassInfinity || ca == ClassZero:
		return a
	case cb == ClassInfinity && b.Negative():
		return F80{0, a.SE & sign80}
	case cb == ClassInfinity:
		return infinity80(a.Negative())
	}
	w := a.number()
	w.exp += scaleBy(b)
	return e.round80(w, 64)
}

// scaleBy returns the integer part of b, limited to a range beyond which every
// scaled number overflows or underflows.
func scaleBy(b F80) int32 {
	const limit = 1 << 17
	w := b.number()
	n := int32(limit)
	if w.isZero() || w.exp < 0 {
		return 0
	} else if w.exp < 17 {
		n = int32(w.hi >> (63 - w.exp))
	}
	if w.neg {
		return -n
	}
	return n
}

// Extract80 splits a into its exponent, as a number, and its significand with
// the exponent of one (FXTRACT).
func (e *Env) Extract80(a F80) (exponent, significand F80) {
	if r, ok := e.nan80of1(a); ok {
		return r, r
	}
	switch a.Class() {
	case ClassInfinity:
		return infinity80(false), a
	case ClassZero:
		e.Flags |= ZE
		return infinity80(true), a
	case ClassDenormal:
		if e.raise(DE) {
			return Indefinite80, Indefinite80
		}
	}
	w := a.number()
	return FromInt(int64(w.exp)), F80{w.hi, a.SE&sign80 | bias80}
}

// Remainder is the result of FPREM and FPREM1.
type Remainder struct {
	Value    F80
	Quotient uint8 // the low three bits of the quotient
	Partial  bool  // the reduction is incomplete: C2
}

// Rem80 returns the remainder of a/b by truncated division (FPREM) or, where
// nearest is set, by division rounded to nearest (FPREM1). A difference of
// exponents of 64 or more is reduced in steps: the result is then partial, and
// smaller in exponent than a by 32 to 63.
func (e *Env) Rem80(a, b F80, nearest bool) Remainder {
	if r, ok := e.nan80(a, b); ok {
		return Remainder{Value: r}
	}
	ca, cb := a.Class(), b.Class()
	if ca == ClassInfinity || cb == ClassZero {
		return Remainder{Value: e.indefinite80()}
	}
	if e.denormals(a, b) {
		return Remainder{Value: Indefinite80}
	}
	if ca == ClassZero {
		return Remainder{Value: a}
	}
	x := a.number()
	if cb == ClassInfinity {
		return Remainder{Value: e.round80(x, 64)}
	}
	y := b.number()
	d := x.exp - y.exp
	if d >= 64 {
		n := d&31 | 32
		x.hi = shiftMod(x.hi, y.hi, uint32(n))
		x.exp -= n
		return Remainder{Value: e.round80(x.normal(), 64), Partial: true}
	}
	q := uint64(0)
	switch {
	case d >= 0:
		q, x.hi = bits.Div64(x.hi>>1>>(63-d), x.hi<<d, y.hi)
		x.exp = y.exp
	case d == -1 && nearest:
		// x counts in halves of y's unit: compare 2*x to y below.
		return e.nearRemainder(x, y)
	}
	if nearest && d >= 0 {
		r := x.hi
		if rest(r, y.hi-r) > 1<<63 || r == y.hi-r && q&1 != 0 {
			q++
			x.hi = y.hi - r
			x.neg = !x.neg
		}
	}
	if x.hi == 0 {
		x.neg = a.Negative()
	}
	return Remainder{Value: e.round80(x.normal(), 64), Quotient: uint8(q & 7)}
}

// nearRemainder is FPREM1 where the exponent of x is one below that of y, so
// that x/y lies between 1/4 and 1: the quotient is 0 or 1.
func (e *Env) nearRemainder(x, y wide) Remainder {
	if x.hi <= y.hi {
		return Remainder{Value: e.round80(x, 64)}
	}
	y.neg = !x.neg
	return Remainder{Value: e.round80(x.add(y), 64), Quotient: 1}
}

// shiftMod returns v * 2^n mod m, n < 64.
func shiftMod(v, m uint64, n uint32) uint64 {
	_, r := bits.Div64(v>>1>>(63-n), v<<n, m)
	return r
}
