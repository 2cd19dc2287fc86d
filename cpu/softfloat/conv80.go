package softfloat

import "math/bits"

// Widen32 returns the binary32 number v as the 80-bit operand that FADD m32fp
// and its kin see: it raises nothing, a signaling NaN stays signaling.
// denormal reports that v is denormal, which the encoding returned no longer
// shows: see OperandDenormal.
func Widen32(v uint32) (r F80, denormal bool) {
	se, frac := uint16(v>>16)&sign80, uint64(v&0x7fffff)<<40
	switch exp := v >> 23 & 0xff; {
	case exp == 0 && frac == 0:
		return F80{0, se}, false
	case exp == 0:
		n := bits.LeadingZeros64(frac)
		return F80{frac << n, se | uint16(bias80-126-n)}, true
	case exp == 0xff:
		return F80{frac | integerBit, se | exp80}, false
	default:
		return F80{frac | integerBit, se | uint16(exp+bias80-127)}, false
	}
}

// Widen64 is Widen32 for binary64.
func Widen64(v uint64) (r F80, denormal bool) {
	se, frac := uint16(v>>48)&sign80, v<<11&^integerBit
	switch exp := v >> 52 & 0x7ff; {
	case exp == 0 && frac == 0:
		return F80{0, se}, false
	case exp == 0:
		n := bits.LeadingZeros64(frac)
		return F80{frac << n, se | uint16(bias80-1022-n)}, true
	case exp == 0x7ff:
		return F80{frac | integerBit, se | exp80}, false
	default:
		return F80{frac | integerBit, se | uint16(exp+bias80-1023)}, false
	}
}

// Load32 converts the binary32 number v as FLD m32fp does: DE for a denormal,
// IE for a signaling NaN, which becomes quiet.
func (e *Env) Load32(v uint32) F80 { return e.load(Widen32(v)) }

// Load64 is Load32 for binary64.
func (e *Env) Load64(v uint64) F80 { return e.load(Widen64(v)) }

func (e *Env) load(r F80, denormal bool) F80 {
	if denormal {
		e.Flags |= DE
	} else if r.Class() == ClassNaN {
		r, _ = e.nan80of1(r)
	}
	return r
}

// narrow converts a to a format of the given shape and number of fraction
// bits, sign in bit 63.
func (e *Env) narrow(a F80, s *shape, fraction uint8) (sign uint64, exp int32, frac uint64) {
	if a.Class() >= ClassNaN {
		a, _ = e.nan80of1(a)
		return uint64(a.SE) << 48, s.emax + 1, a.Mant << 1 >> (64 - fraction)
	}
	sign = uint64(a.SE) << 48
	switch a.Class() {
	case ClassZero:
		return sign, s.emin - 1, 0
	case ClassInfinity:
		return sign, s.emax + 1, 0
	}
	before := e.Flags
	r := e.round(a.number(), s)
	if fault := e.Flags & (OE | UE) &^ e.Masks; fault != 0 {
		// Nothing is stored, and so nothing was rounded.
		e.Flags = before | fault
	}
	if r.mant&integerBit == 0 && r.exp == s.emin {
		r.exp--
	}
	return sign, r.exp, r.mant << 1 >> (64 - fraction)
}

// Store32 converts a to binary32 as FST m32fp does. Where an unmasked OE or UE
// is raised the value has no meaning and nothing is to be stored.
func (e *Env) Store32(a F80) uint32 {
	if exp := uint32(a.SE&exp80) - (bias80 - 127); a.Mant>>63 != 0 && exp-1 < 0xfd && e.Rounding == Nearest {
		return uint32(a.SE)<<16&0x80000000 | (exp-1)<<23 + uint32(e.nearest(a.Mant, 40))
	}
	sign, exp, frac := e.narrow(a, &shape32, 23)
	return uint32(sign>>32)&0x80000000 | uint32(exp+127)<<23 | uint32(frac)
}

// Store64 is Store32 for binary64.
func (e *Env) Store64(a F80) uint64 {
	if exp := uint64(a.SE&exp80) - (bias80 - 1023); a.Mant>>63 != 0 && exp-1 < 0x7fd && e.Rounding == Nearest {
		return uint64(a.SE)<<48&integerBit | (exp-1)<<52 + e.nearest(a.Mant, 11)
	}
	sign, exp, frac := e.narrow(a, &shape64, 52)
	return sign&integerBit | uint64(exp+1023)<<52 | frac
}

// nearest drops the last n bits of a significand, rounding to nearest. A carry
// out of it is left to the exponent above.
func (e *Env) nearest(mant uint64, n uint8) uint64 {
	kept, frac := mant>>n, mant<<(64-n)
	if frac != 0 {
		e.Flags |= PE
		if frac > 1<<63 || frac == 1<<63 && kept&1 != 0 {
			e.Flags |= C1
			kept++
		}
	}
	return kept
}

// FromInt returns v, exactly.
func FromInt(v int64) F80 {
	if v == 0 {
		return F80{}
	}
	se, mag := uint16(0), uint64(v)
	if v < 0 {
		se, mag = sign80, -mag
	}
	n := bits.LeadingZeros64(mag)
	return F80{mag << n, se | uint16(bias80+63-n)}
}

// integer rounds the magnitude of w to an integer by the mode of e. It returns
// whether that was inexact and whether it went up. ok is false if the integer
// has more than 64 bits.
func (e *Env) integer(w wide) (mag uint64, up, inexact, ok bool) {
	if w.isZero() {
		return 0, false, false, true
	}
	if w.exp > 63 {
		return 0, false, false, false
	}
	hi, lo := shiftRightJam(w.hi, w.lo, uint32(63-w.exp))
	up = e.up(w.neg, hi&1 != 0, lo)
	if up {
		hi++
		if hi == 0 {
			return 0, false, false, false
		}
	}
	return hi, up, lo != 0, true
}

// signedInteger rounds w to a signed integer of n bits. The masked response to
// IE is the integer indefinite, the most negative integer.
func (e *Env) signedInteger(w wide, n uint) int64 {
	mag, up, inexact, ok := e.integer(w)
	limit := uint64(1) << (n - 1)
	if !w.neg {
		limit--
	}
	if !ok || mag > limit {
		e.Flags |= IE
		return -1 << (n - 1)
	}
	e.inexact(up, inexact)
	if w.neg {
		return -int64(mag)
	}
	return int64(mag)
}

// ToInt80 converts a to a signed integer of n bits (16, 32 or 64), rounding by
// the mode of e, as FIST does. NaNs, infinities and numbers out of range raise
// IE and give the integer indefinite.
func (e *Env) ToInt80(a F80, n uint) int64 {
	switch a.Class() {
	case ClassInfinity, ClassNaN, ClassUnsupported:
		e.Flags |= IE
		return -1 << (n - 1)
	}
	return e.signedInteger(a.number(), n)
}

// Truncate80 is ToInt80 with rounding towards zero (FISTTP).
func (e *Env) Truncate80(a F80, n uint) int64 {
	t := *e
	t.Rounding = Zero
	v := t.ToInt80(a, n)
	e.Flags = t.Flags
	return v
}

// RoundInt80 rounds a to an integer by the mode of e (FRNDINT).
func (e *Env) RoundInt80(a F80) F80 {
	if r, ok := e.nan80of1(a); ok {
		return r
	}
	switch a.Class() {
	case ClassZero, ClassInfinity:
		return a
	case ClassDenormal:
		if e.raise(DE) {
			return Indefinite80
		}
	}
	w := a.number()
	if w.exp >= 63 {
		return a
	}
	mag, up, inexact, _ := e.integer(w)
	e.inexact(up, inexact)
	r := FromInt(int64(mag))
	if mag>>63 != 0 {
		r = F80{mag, bias80 + 63}
	}
	r.SE |= a.SE & sign80
	return r
}

// BCD is a packed decimal integer in memory order: 18 digits, the lowest byte
// first, and the sign in bit 7 of the last byte (SDM vol. 1, 4.7).
type BCD [10]byte

// FromBCD returns the integer v, exactly (FBLD). Nibbles above 9, whose meaning
// is undefined, count as their value.
func FromBCD(v BCD) F80 {
	n := int64(0)
	for i := 8; i >= 0; i-- {
		n = n*100 + int64(v[i]>>4)*10 + int64(v[i]&15)
	}
	r := FromInt(n)
	r.SE |= uint16(v[9]) << 8 & sign80
	return r
}

// ToBCD rounds a to a packed decimal integer by the mode of e (FBSTP). What
// has more than 18 digits raises IE and gives the packed BCD indefinite.
func (e *Env) ToBCD(a F80) BCD {
	indefinite := BCD{7: 0xc0, 8: 0xff, 9: 0xff}
	if a.Class() >= ClassInfinity {
		e.Flags |= IE
		return indefinite
	}
	mag, up, inexact, ok := e.integer(a.number())
	if !ok || mag > 999_999_999_999_999_999 {
		e.Flags |= IE
		return indefinite
	}
	e.inexact(up, inexact)
	r := BCD{9: byte(a.SE >> 8 & 0x80)}
	for i := range 9 {
		r[i] = byte(mag/10%10<<4 | mag%10)
		mag /= 100
	}
	return r
}
