package softfloat

// shape is the set of numbers that a result is rounded to.
type shape struct {
	precision  uint8 // bits of significand, integer bit included
	emin, emax int32 // exponents of the smallest and largest normal numbers
}

var (
	shape32 = shape{24, -126, 127}
	shape64 = shape{53, -1022, 1023}
	shape80 = shape{64, -16382, 16383}
)

// biasAdjust is the exponent adjustment of unmasked overflow and underflow in
// the 80-bit format (SDM vol. 1, 8.5.4). Other formats deliver no result then.
const biasAdjust = 24576

// rounded is a number that fits its shape: mant / 2^63 * 2^exp. The top bit of
// mant is clear where the number is denormal (exp is then emin) or zero.
// Infinity is mant = 0, exp = emax+1.
type rounded struct {
	mant uint64
	exp  int32
}

// split cuts hi:lo at the given precision: the bits that stay, and the
// fraction below them in units of 2^-64, its lowest bits jammed.
func split(hi, lo uint64, precision uint8) (kept, frac uint64) {
	drop := 64 - precision
	if drop == 0 {
		return hi, lo
	}
	return hi >> drop << drop, hi<<precision | nonzero(lo)
}

// up reports whether a magnitude whose last bit is odd or even grows when the
// fraction frac below that bit is rounded away.
func (e *Env) up(neg, odd bool, frac uint64) bool {
	switch e.Rounding {
	case Nearest:
		return frac > 1<<63 || frac == 1<<63 && odd
	case Down:
		return neg && frac != 0
	case Up:
		return !neg && frac != 0
	}
	return false
}

// step rounds the normal significand hi:lo with no regard to the range of the
// exponent.
func (e *Env) step(w wide, precision uint8) (r rounded, up, inexact bool) {
	kept, frac := split(w.hi, w.lo, precision)
	unit := uint64(1) << (64 - precision)
	up = e.up(w.neg, kept&unit != 0, frac)
	r = rounded{kept, w.exp}
	if up {
		r.mant += unit
		if r.mant < unit {
			r.mant = 1 << 63
			r.exp++
		}
	}
	return r, up, frac != 0
}

// round rounds the number w, which is normal and not zero, to the shape s and
// raises OE, UE, PE and C1.
func (e *Env) round(w wide, s *shape) rounded {
	r, up, inexact := e.step(w, s.precision)
	if r.exp < s.emin {
		return e.underflow(w, r, up, inexact, s)
	}
	if r.exp > s.emax {
		return e.overflow(w, r, up, inexact, s)
	}
	e.inexact(up, inexact)
	return r
}

func (e *Env) inexact(up, inexact bool) {
	if inexact {
		e.Flags |= PE
		if up {
			e.Flags |= C1
		}
	}
}

// overflow gives the result of an operation whose rounded result r is too
// large (SDM vol. 1, 4.9.1.4). What only FSCALE can reach, a number that stays
// too large when its exponent is adjusted, becomes infinity.
func (e *Env) overflow(w wide, r rounded, up, inexact bool, s *shape) rounded {
	e.Flags |= OE
	infinite := e.Rounding == Nearest || e.Rounding == Down && w.neg || e.Rounding == Up && !w.neg
	if e.Masks&OE == 0 {
		r.exp -= biasAdjust
		if r.exp <= s.emax {
			e.inexact(up, inexact)
			return r
		}
		infinite = true
	}
	e.Flags |= PE
	if infinite {
		e.Flags |= C1
		return rounded{0, s.emax + 1}
	}
	drop := 64 - s.precision
	return rounded{^uint64(0) >> drop << drop, s.emax}
}

// underflow gives the result of an operation whose result, rounded to r as if
// the exponent had no bound, is tiny (SDM vol. 1, 4.9.1.5). What stays tiny
// when its exponent is adjusted becomes zero.
func (e *Env) underflow(w wide, r rounded, up, inexact bool, s *shape) rounded {
	if e.Masks&UE == 0 {
		e.Flags |= UE
		r.exp += biasAdjust
		if r.exp >= s.emin {
			e.inexact(up, inexact)
			return r
		}
		e.Flags |= PE
		return rounded{0, s.emin}
	} else if e.FTZ {
		e.Flags |= UE | PE
		return rounded{0, s.emin}
	}
	hi, lo := shiftRightJam(w.hi, w.lo, uint32(s.emin-w.exp))
	kept, frac := split(hi, lo, s.precision)
	unit := uint64(1) << (64 - s.precision)
	up = e.up(w.neg, kept&unit != 0, frac)
	if up {
		kept += unit
	}
	if frac != 0 {
		e.Flags |= UE
	}
	e.inexact(up, frac != 0)
	return rounded{kept, s.emin}
}
