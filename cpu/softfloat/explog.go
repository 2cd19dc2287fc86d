package softfloat

// Exp80 returns 2^a - 1 for a from -1 to 1 (F2XM1).
//
// Deviation: outside that range the SDM leaves the result undefined; here it
// is a itself.
func (e *Env) Exp80(a F80) F80 {
	if r, ok := e.nan80of1(a); ok {
		return r
	}
	switch a.Class() {
	case ClassZero:
		return a
	case ClassInfinity:
		if a.Negative() {
			return F80{integerBit, sign80 | bias80}
		}
		return a
	case ClassDenormal:
		if e.raise(DE) {
			return Indefinite80
		}
	}
	x := a.number()
	if x.exp >= 0 {
		if x.exp == 0 && x.hi == integerBit && x.neg {
			return F80{integerBit, sign80 | bias80 - 1}
		}
		return a
	}
	// expm1(t) = t * (1 + t/2! + t^2/3! + ...), t = x*ln 2.
	t := x.mul(constants[LnTwo])
	p := horner(expSeries[:], len(expSeries), t.fraction(), t.neg)
	return e.round80(t.mul(p.wide()), 64)
}

// log2Ratio returns log2((1+s)/(1-s)) for a fraction s of magnitude below 0.18.
func log2Ratio(s wide) wide {
	if s.isZero() {
		return s
	}
	p := horner(oddSeries[:], len(oddSeries), s.mul(s).fraction(), false)
	r := s.mul(p.wide()).mul(constants[Log2E])
	r.exp++
	return r
}

// sqrtTwo is the square root of 2 with 64 bits, rounded down.
const sqrtTwo = 0xb504f333f9de6484

// log2 returns the logarithm of x, which is positive and may have 128 bits.
// Powers of two are exact.
func log2(x wide) wide {
	k := x.exp
	x.exp = 0
	if x.hi > sqrtTwo {
		x.exp--
		k++
	}
	minusOne := wide{integerBit, 0, 0, true}
	plusOne := wide{integerBit, 0, 0, false}
	r := log2Ratio(x.add(minusOne).div(x.add(plusOne)))
	return integerWide(k).add(r)
}

// integerWide returns k as a wide.
func integerWide(k int32) wide {
	if k < 0 {
		return wide{uint64(-int64(k)), 0, 63, true}.normal()
	}
	return wide{uint64(k), 0, 63, false}.normal()
}

// Log80 returns y*log2(x) (FYL2X).
func (e *Env) Log80(x, y F80) F80 {
	if r, ok := e.nan80(x, y); ok {
		return r
	}
	cx, cy := x.Class(), y.Class()
	if x.Negative() && cx != ClassZero {
		return e.indefinite80()
	}
	isOne := x == One80
	switch {
	case cx == ClassZero && cy == ClassZero,
		cx == ClassInfinity && cy == ClassZero,
		isOne && cy == ClassInfinity:
		return e.indefinite80()
	case cx == ClassZero && cy != ClassInfinity:
		e.Flags |= ZE
		return infinity80(!y.Negative())
	}
	if e.denormals(x, y) {
		return Indefinite80
	}
	below := x.SE&exp80 < bias80 // x < 1
	neg := y.Negative() != below
	switch {
	case cx == ClassZero || cx == ClassInfinity || cy == ClassInfinity:
		return infinity80(neg)
	case cy == ClassZero || isOne:
		return F80{0, signOf(neg)}
	}
	return e.logResult(log2(x.number()).mul(y.number()))
}

// logResult rounds a logarithm. Silicon reports it as inexact even where it is
// that of a power of two.
func (e *Env) logResult(w wide) F80 {
	r := e.round80(w, 64)
	e.Flags |= PE
	if r.Class() == ClassDenormal {
		e.Flags |= UE
	}
	return r
}

// Log1p80 returns y*log2(x+1) (FYL2XP1).
//
// Deviation: the SDM leaves the result undefined where the magnitude of x
// exceeds 1-sqrt(1/2). Here every x above -1 gives the logarithm, and others
// raise IE.
func (e *Env) Log1p80(x, y F80) F80 {
	if r, ok := e.nan80(x, y); ok {
		return r
	}
	cx, cy := x.Class(), y.Class()
	neg := x.Negative() != y.Negative()
	switch {
	case x.Negative() && x.SE&exp80 >= bias80,
		cx == ClassZero && cy == ClassInfinity,
		cx == ClassInfinity && cy == ClassZero:
		return e.indefinite80()
	}
	if e.denormals(x, y) {
		return Indefinite80
	}
	switch {
	case cx == ClassInfinity || cy == ClassInfinity:
		return infinity80(neg)
	case cx == ClassZero || cy == ClassZero:
		return F80{0, signOf(neg)}
	}
	w := x.number()
	var log wide
	if w.exp < -2 {
		// log2(1+x) = log2((1+s)/(1-s)) with s = x/(2+x).
		log = log2Ratio(w.div(w.add(wide{integerBit, 0, 1, false})))
	} else {
		log = log2(w.add(wide{integerBit, 0, 0, false}))
	}
	return e.logResult(log.mul(y.number()))
}
