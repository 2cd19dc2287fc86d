package softfloat

import "math"

// normal64 reports whether v is a normal number.
func normal64(v uint64) bool { return (v>>52+1)&0x7ff > 1 }

// plain64 reports whether v is a normal number or zero.
func plain64(v uint64) bool { return normal64(v) || v<<1 == 0 }

// safe64 reports whether a result of the host rounded v to nearest as an
// operation on numbers without bound on the exponent would: v is normal and
// not the smallest normal number, to which a tiny result may have been rounded.
func safe64(v uint64) bool { return (v>>52-2)&0x7ff < 0x7fd }

func normal32(v uint32) bool { return (v>>23+1)&0xff > 1 }
func plain32(v uint32) bool  { return normal32(v) || v<<1 == 0 }
func safe32(v uint32) bool   { return (v>>23-2)&0xff < 0xfd }

// Add64 returns a+b.
func (e *Env) Add64(a, b uint64) uint64 {
	if e.Host && plain64(a) && plain64(b) {
		r := math.Float64bits(math.Float64frombits(a) + math.Float64frombits(b))
		if safe64(r) || r<<1 == 0 {
			return r
		}
	}
	return e.add(&binary64, a, b)
}

// Sub64 returns a-b.
func (e *Env) Sub64(a, b uint64) uint64 {
	if e.Host && plain64(a) && plain64(b) {
		r := math.Float64bits(math.Float64frombits(a) - math.Float64frombits(b))
		if safe64(r) || r<<1 == 0 {
			return r
		}
	}
	return e.sub(&binary64, a, b)
}

// Mul64 returns a*b.
func (e *Env) Mul64(a, b uint64) uint64 {
	if e.Host && plain64(a) && plain64(b) {
		r := math.Float64bits(math.Float64frombits(a) * math.Float64frombits(b))
		if safe64(r) {
			return r
		}
	}
	return e.mul(&binary64, a, b)
}

// Div64 returns a/b.
func (e *Env) Div64(a, b uint64) uint64 {
	if e.Host && plain64(a) && normal64(b) {
		r := math.Float64bits(math.Float64frombits(a) / math.Float64frombits(b))
		if safe64(r) {
			return r
		}
	}
	return e.div(&binary64, a, b)
}

// Sqrt64 returns the square root of a.
func (e *Env) Sqrt64(a uint64) uint64 {
	if e.Host && normal64(a) && a>>63 == 0 {
		return math.Float64bits(math.Sqrt(math.Float64frombits(a)))
	}
	return e.sqrt(&binary64, a)
}

// Add32 returns a+b.
func (e *Env) Add32(a, b uint32) uint32 {
	if e.Host && plain32(a) && plain32(b) {
		r := math.Float32bits(math.Float32frombits(a) + math.Float32frombits(b))
		if safe32(r) || r<<1 == 0 {
			return r
		}
	}
	return uint32(e.add(&binary32, uint64(a), uint64(b)))
}

// Sub32 returns a-b.
func (e *Env) Sub32(a, b uint32) uint32 {
	if e.Host && plain32(a) && plain32(b) {
		r := math.Float32bits(math.Float32frombits(a) - math.Float32frombits(b))
		if safe32(r) || r<<1 == 0 {
			return r
		}
	}
	return uint32(e.sub(&binary32, uint64(a), uint64(b)))
}

// Mul32 returns a*b.
func (e *Env) Mul32(a, b uint32) uint32 {
	if e.Host && plain32(a) && plain32(b) {
		r := math.Float32bits(math.Float32frombits(a) * math.Float32frombits(b))
		if safe32(r) {
			return r
		}
	}
	return uint32(e.mul(&binary32, uint64(a), uint64(b)))
}

// Div32 returns a/b.
func (e *Env) Div32(a, b uint32) uint32 {
	if e.Host && plain32(a) && normal32(b) {
		r := math.Float32bits(math.Float32frombits(a) / math.Float32frombits(b))
		if safe32(r) {
			return r
		}
	}
	return uint32(e.div(&binary32, uint64(a), uint64(b)))
}

// Sqrt32 returns the square root of a. The host's square root of binary64,
// rounded to binary32, is correctly rounded: 53 bits are more than 2*24+2.
func (e *Env) Sqrt32(a uint32) uint32 {
	if e.Host && normal32(a) && a>>31 == 0 {
		return math.Float32bits(float32(math.Sqrt(float64(math.Float32frombits(a)))))
	}
	return uint32(e.sqrt(&binary32, uint64(a)))
}

// Min64 returns the smaller of a and b, or b if either is a NaN or both are
// zeros.
func (e *Env) Min64(a, b uint64) uint64 { return e.minmax(&binary64, a, b, Less) }

// Max64 returns the larger of a and b, or b if either is a NaN or both are
// zeros.
func (e *Env) Max64(a, b uint64) uint64 { return e.minmax(&binary64, a, b, Greater) }

// Min32 is Min64 for binary32.
func (e *Env) Min32(a, b uint32) uint32 {
	return uint32(e.minmax(&binary32, uint64(a), uint64(b), Less))
}

// Max32 is Max64 for binary32.
func (e *Env) Max32(a, b uint32) uint32 {
	return uint32(e.minmax(&binary32, uint64(a), uint64(b), Greater))
}

// Compare64 compares a and b. Any NaN raises IE (COMISD), unless quiet is set:
// then only a signaling one does (UCOMISD, CMPSD with predicates EQ, NEQ, ORD,
// UNORD).
func (e *Env) Compare64(a, b uint64, quiet bool) Relation {
	return e.compare(&binary64, a, b, quiet)
}

// Compare32 is Compare64 for binary32.
func (e *Env) Compare32(a, b uint32, quiet bool) Relation {
	return e.compare(&binary32, uint64(a), uint64(b), quiet)
}

// ToInt64 converts a to a signed integer of n bits (32 or 64) by the given
// rounding mode: e.Rounding for CVTSD2SI and its kin, Zero for CVTTSD2SI. NaNs,
// infinities and numbers out of range raise IE and give the integer
// indefinite, the most negative integer.
func (e *Env) ToInt64(a uint64, n uint, rounding Rounding) int64 {
	return e.toInt(&binary64, a, n, rounding)
}

// ToInt32 is ToInt64 for binary32.
func (e *Env) ToInt32(a uint32, n uint, rounding Rounding) int64 {
	return e.toInt(&binary32, uint64(a), n, rounding)
}

// FromInt64 converts v to binary64 (CVTSI2SD).
func (e *Env) FromInt64(v int64) uint64 {
	if int64(int32(v)) == v {
		return math.Float64bits(float64(v))
	}
	return e.fromInt(&binary64, v)
}

// FromInt32 converts v to binary32 (CVTSI2SS).
func (e *Env) FromInt32(v int64) uint32 { return uint32(e.fromInt(&binary32, v)) }

// RoundInt64 rounds a to an integer by the given mode (ROUNDSD). PE is raised
// unless exact is set.
func (e *Env) RoundInt64(a uint64, rounding Rounding, exact bool) uint64 {
	return e.roundInt(&binary64, a, rounding, exact)
}

// RoundInt32 is RoundInt64 for binary32.
func (e *Env) RoundInt32(a uint32, rounding Rounding, exact bool) uint32 {
	return uint32(e.roundInt(&binary32, uint64(a), rounding, exact))
}

// Float32To64 converts a to binary64 (CVTSS2SD).
func (e *Env) Float32To64(a uint32) uint64 {
	if normal32(a) {
		return math.Float64bits(float64(math.Float32frombits(a)))
	}
	v := e.daz(&binary32, uint64(a))
	if r, ok := e.nan(&binary32, v, v); ok {
		return r&binary32.sign<<32 | binary64.infinity | r&0x7fffff<<29
	}
	sign := v & binary32.sign << 32
	switch {
	case binary32.isInf(v):
		return sign | binary64.infinity
	case binary32.isZero(v):
		return sign
	case e.raise(DE):
		return 0
	}
	return e.roundTo(&binary64, binary32.number(v))
}

// Float64To32 converts a to binary32 (CVTSD2SS).
func (e *Env) Float64To32(a uint64) uint32 {
	if e.Host && normal64(a) {
		if r := math.Float32bits(float32(math.Float64frombits(a))); safe32(r) {
			return r
		}
	}
	a = e.daz(&binary64, a)
	if r, ok := e.nan(&binary64, a, a); ok {
		return uint32(r>>32)&0x80000000 | 0x7f800000 | uint32(r>>29)&0x7fffff
	}
	sign := uint32(a>>32) & 0x80000000
	switch {
	case binary64.isInf(a):
		return sign | uint32(binary32.infinity)
	case binary64.isZero(a):
		return sign
	case e.denormal(&binary64, a, a):
		return 0
	}
	return uint32(e.roundTo(&binary32, binary64.number(a)))
}
