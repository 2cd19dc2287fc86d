package softfloat

// binary is a binary interchange format of IEEE 754, its encodings held in the
// low bits of a uint64.
type binary struct {
	shape
	fraction uint8 // bits of the fraction field
	bias     int32
	sign     uint64
	infinity uint64 // also the mask of the exponent field
	quiet    uint64 // the bit that tells a quiet NaN
}

var (
	binary32 = binary{shape32, 23, 127, 1 << 31, 0xff << 23, 1 << 22}
	binary64 = binary{shape64, 52, 1023, 1 << 63, 0x7ff << 52, 1 << 51}
)

func (f *binary) isNaN(v uint64) bool { return v&^f.sign > f.infinity }

func (f *binary) isSignaling(v uint64) bool { return f.isNaN(v) && v&f.quiet == 0 }

func (f *binary) isInf(v uint64) bool { return v&^f.sign == f.infinity }

func (f *binary) isZero(v uint64) bool { return v&^f.sign == 0 }

func (f *binary) isDenormal(v uint64) bool { return v&f.infinity == 0 && v&^f.sign != 0 }

// indefinite is the QNaN floating-point indefinite.
func (f *binary) indefinite() uint64 { return f.sign | f.infinity | f.quiet }

// number returns v, which is zero, denormal or normal.
func (f *binary) number(v uint64) wide {
	exp := int32(v & f.infinity >> f.fraction)
	hi := v &^ (f.sign | f.infinity) << (63 - f.fraction)
	if exp == 0 {
		return wide{hi, 0, 1 - f.bias, v&f.sign != 0}.normal()
	}
	return wide{hi | 1<<63, 0, exp - f.bias, v&f.sign != 0}
}

// signBit returns the sign as f encodes it.
func (f *binary) signBit(neg bool) uint64 {
	if neg {
		return f.sign
	}
	return 0
}

// roundTo rounds w to the format f.
func (e *Env) roundTo(f *binary, w wide) uint64 {
	if w.isZero() {
		return f.signBit(w.neg)
	}
	r := e.round(w, &f.shape)
	if r.mant>>63 == 0 && r.exp == f.emin {
		r.exp--
	}
	return f.signBit(w.neg) | uint64(r.exp+f.bias)<<f.fraction | r.mant<<1>>(64-f.fraction)
}

// invalid raises IE and returns the masked response to it.
func (e *Env) invalid(f *binary) uint64 {
	e.Flags |= IE
	return f.indefinite()
}

// nan gives the result of an operation of which an operand is a NaN: the first
// operand that is one, made quiet (SDM vol. 1, table 4-7).
func (e *Env) nan(f *binary, a, b uint64) (r uint64, ok bool) {
	if !f.isNaN(a) && !f.isNaN(b) {
		return 0, false
	}
	if f.isSignaling(a) || f.isSignaling(b) {
		e.Flags |= IE
	}
	if f.isNaN(a) {
		return a | f.quiet, true
	}
	return b | f.quiet, true
}

// daz returns v, or under DAZ a zero for a denormal.
func (e *Env) daz(f *binary, v uint64) uint64 {
	if e.DAZ && f.isDenormal(v) {
		return v & f.sign
	}
	return v
}

// denormal raises DE if an operand is denormal, and reports whether the
// computation must stop.
func (e *Env) denormal(f *binary, a, b uint64) (stop bool) {
	if f.isDenormal(a) || f.isDenormal(b) {
		return e.raise(DE)
	}
	return false
}

func (e *Env) add(f *binary, a, b uint64) uint64 {
	a, b = e.daz(f, a), e.daz(f, b)
	if r, ok := e.nan(f, a, b); ok {
		return r
	}
	if f.isInf(a) && f.isInf(b) && a != b {
		return e.invalid(f)
	}
	if e.denormal(f, a, b) {
		return 0
	}
	switch {
	case f.isInf(a) || f.isZero(b) && a == b:
		return a
	case f.isInf(b):
		return b
	}
	w := f.number(a).add(f.number(b))
	if w.isZero() {
		w.neg = e.Rounding == Down
	}
	return e.roundTo(f, w)
}

// sub returns a-b. A NaN b keeps its sign.
func (e *Env) sub(f *binary, a, b uint64) uint64 {
	if f.isNaN(b) {
		return e.add(f, a, b)
	}
	return e.add(f, a, b^f.sign)
}

func (e *Env) mul(f *binary, a, b uint64) uint64 {
	a, b = e.daz(f, a), e.daz(f, b)
	if r, ok := e.nan(f, a, b); ok {
		return r
	}
	sign := (a ^ b) & f.sign
	infinite, zero := f.isInf(a) || f.isInf(b), f.isZero(a) || f.isZero(b)
	if infinite && zero {
		return e.invalid(f)
	}
	if e.denormal(f, a, b) {
		return 0
	}
	switch {
	case infinite:
		return sign | f.infinity
	case zero:
		return sign
	}
	return e.roundTo(f, f.number(a).mul64(f.number(b)))
}

func (e *Env) div(f *binary, a, b uint64) uint64 {
	a, b = e.daz(f, a), e.daz(f, b)
	if r, ok := e.nan(f, a, b); ok {
		return r
	}
	sign := (a ^ b) & f.sign
	if f.isInf(a) && f.isInf(b) || f.isZero(a) && f.isZero(b) {
		return e.invalid(f)
	}
	if f.isZero(b) && !f.isInf(a) {
		e.Flags |= ZE
		return sign | f.infinity
	}
	if e.denormal(f, a, b) {
		return 0
	}
	switch {
	case f.isInf(a):
		return sign | f.infinity
	case f.isInf(b) || f.isZero(a):
		return sign
	}
	return e.roundTo(f, f.number(a).div64(f.number(b)))
}

func (e *Env) sqrt(f *binary, a uint64) uint64 {
	a = e.daz(f, a)
	if r, ok := e.nan(f, a, a); ok {
		return r
	}
	switch {
	case f.isZero(a):
		return a
	case a&f.sign != 0:
		return e.invalid(f)
	case f.isInf(a):
		return a
	case e.denormal(f, a, a):
		return 0
	}
	return e.roundTo(f, f.number(a).sqrt64())
}

// compare compares a and b. Any NaN raises IE, unless quiet is set: then only
// a signaling one does.
func (e *Env) compare(f *binary, a, b uint64, quiet bool) Relation {
	a, b = e.daz(f, a), e.daz(f, b)
	if f.isNaN(a) || f.isNaN(b) {
		if !quiet || f.isSignaling(a) || f.isSignaling(b) {
			e.Flags |= IE
		}
		return Unordered
	}
	e.denormal(f, a, b)
	return f.relation(a, b)
}

// relation compares a and b, which are not NaNs.
func (f *binary) relation(a, b uint64) Relation {
	if f.isZero(a) && f.isZero(b) {
		return Equal
	}
	// Sign and magnitude become a two's complement order.
	x, y := int64(a&^f.sign), int64(b&^f.sign)
	if a&f.sign != 0 {
		x = -x
	}
	if b&f.sign != 0 {
		y = -y
	}
	switch {
	case x < y:
		return Less
	case x == y:
		return Equal
	}
	return Greater
}

// minmax returns a if it relates to b as wanted, else b: also if both are
// zeros or one is a NaN, which raises IE (SDM vol. 2B, MAXPD, MINPD).
func (e *Env) minmax(f *binary, a, b uint64, wanted Relation) uint64 {
	a, b = e.daz(f, a), e.daz(f, b)
	if f.isNaN(a) || f.isNaN(b) {
		e.Flags |= IE
		return b
	}
	e.denormal(f, a, b)
	if f.relation(a, b) == wanted {
		return a
	}
	return b
}

// toInt converts a to a signed integer of n bits by the given rounding mode.
func (e *Env) toInt(f *binary, a uint64, n uint, rounding Rounding) int64 {
	a = e.daz(f, a)
	if f.isNaN(a) || f.isInf(a) {
		e.Flags |= IE
		return -1 << (n - 1)
	}
	t := Env{Rounding: rounding}
	v := t.signedInteger(f.number(a), n)
	e.Flags |= t.Flags
	return v
}

// fromInt converts v to the format f.
func (e *Env) fromInt(f *binary, v int64) uint64 {
	w := wide{uint64(v), 0, 63, v < 0}
	if v < 0 {
		w.hi = -w.hi
	}
	return e.roundTo(f, w.normal())
}

// roundInt rounds a to an integer in its own format by the given mode. PE is
// raised unless exact is set.
func (e *Env) roundInt(f *binary, a uint64, rounding Rounding, exact bool) uint64 {
	a = e.daz(f, a)
	if r, ok := e.nan(f, a, a); ok {
		return r
	}
	if f.isInf(a) || f.isZero(a) {
		return a
	}
	w := f.number(a)
	if w.exp >= int32(f.fraction) {
		return a
	}
	t := Env{Rounding: rounding}
	mag, _, inexact, _ := t.integer(w)
	if inexact && !exact {
		e.Flags |= PE
	}
	return e.roundTo(f, wide{mag, 0, 63, w.neg}.normal())
}
