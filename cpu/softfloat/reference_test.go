package softfloat

import (
	"math/big"
	"math/rand/v2"
)

// The reference knows nothing of the package's algorithms: it takes the exact
// result as a big.Float and applies the definitions of SDM vol. 1, 4.9.1.

// refPrecision is enough for the exact results of all basic operations on
// operands that near makes.
const refPrecision = 900

var modes = [...]big.RoundingMode{Nearest: big.ToNearestEven, Down: big.ToNegativeInf, Up: big.ToPositiveInf, Zero: big.ToZero}

func float() *big.Float { return new(big.Float).SetPrec(refPrecision).SetMode(big.ToZero) }

// power returns 2^n.
func power(n int) *big.Float { return float().SetMantExp(big.NewFloat(1), n) }

// sticky returns x, which was truncated, with a bit far below its last one if
// it was inexact.
func sticky(x *big.Float) *big.Float {
	if x.Acc() == big.Exact {
		return x
	}
	tail := power(x.MantExp(nil) - 600)
	if x.Signbit() {
		tail.Neg(tail)
	}
	return float().Add(x, tail)
}

// refFormat is what a reference result is rounded to.
type refFormat struct {
	precision  uint
	emin, emax int
	adjust     bool
}

// refResult is a rounded result: a value, or an infinity, and flags.
type refResult struct {
	value *big.Float
	flags Flags
}

// quantize rounds x to a multiple of 2^n.
func quantize(x *big.Float, n int, mode Rounding) *big.Float {
	scaled := float().SetMantExp(x, -n)
	i, acc := scaled.Int(nil)
	if acc != big.Exact {
		frac := float().Sub(scaled, float().SetInt(i))
		frac.Abs(frac)
		half := frac.Cmp(big.NewFloat(0.5))
		neg := x.Signbit()
		if mode == Nearest && (half > 0 || half == 0 && i.Bit(0) == 1) || mode == Up && !neg || mode == Down && neg {
			if neg {
				i.Sub(i, big.NewInt(1))
			} else {
				i.Add(i, big.NewInt(1))
			}
		}
	}
	r := float().SetMantExp(float().SetInt(i), n)
	if r.Sign() == 0 && x.Signbit() {
		r.Neg(r)
	}
	return r
}

// refRound rounds the exact number x, not zero.
func refRound(x *big.Float, f refFormat, e *Env) refResult {
	var flags Flags
	note := func(r *big.Float) {
		if r.Cmp(x) != 0 {
			flags |= PE
			if float().Abs(r).Cmp(float().Abs(x)) > 0 {
				flags |= C1
			}
		}
	}
	r := new(big.Float).SetPrec(f.precision).SetMode(modes[e.Rounding]).Set(x)
	exp := r.MantExp(nil) - 1
	switch {
	case exp < f.emin && e.Masks&UE == 0:
		flags |= UE
		note(r)
		if f.adjust {
			r.SetMantExp(r, biasAdjust)
		}
		return refResult{r, flags}
	case exp < f.emin && e.FTZ:
		zero := float()
		if x.Signbit() {
			zero.Neg(zero)
		}
		return refResult{zero, UE | PE}
	case exp < f.emin:
		r = quantize(x, f.emin-int(f.precision)+1, e.Rounding)
		note(r)
		if flags&PE != 0 {
			flags |= UE
		}
		return refResult{r, flags}
	case exp > f.emax && e.Masks&OE == 0:
		flags |= OE
		note(r)
		if f.adjust {
			r.SetMantExp(r, -biasAdjust)
		}
		return refResult{r, flags}
	case exp > f.emax:
		flags |= OE | PE
		neg := x.Signbit()
		if e.Rounding == Zero || e.Rounding == Up && neg || e.Rounding == Down && !neg {
			r = new(big.Float).SetPrec(f.precision).Sub(power(f.emax+1), power(f.emax+1-int(f.precision)))
			if neg {
				r.Neg(r)
			}
			return refResult{r, flags}
		}
		return refResult{new(big.Float).SetInf(neg), flags | C1}
	}
	note(r)
	return refResult{r, flags}
}

// value80 returns the value of a, which is not a NaN.
func value80(a F80) *big.Float {
	if a.Class() == ClassInfinity {
		return new(big.Float).SetInf(a.Negative())
	}
	r := float().SetMantExp(float().SetUint64(a.Mant), max(int(a.SE&0x7fff), 1)-16383-63)
	if a.Negative() {
		r.Neg(r)
	}
	return r
}

// valueOf returns the value of the binary32 or binary64 number v, which is not
// a NaN.
func valueOf(f *binary, v uint64) *big.Float {
	exp := int(v & f.infinity >> f.fraction)
	frac := v & (1<<f.fraction - 1)
	r := float()
	if v&f.infinity == f.infinity {
		r.SetInf(false)
	} else if exp == 0 {
		r.SetMantExp(float().SetUint64(frac), 1-int(f.bias)-int(f.fraction))
	} else {
		r.SetMantExp(float().SetUint64(frac|1<<f.fraction), exp-int(f.bias)-int(f.fraction))
	}
	if v&f.sign != 0 {
		r.Neg(r)
	}
	return r
}

// refSum returns a+b. Zeros of different sign and exact cancellation give -0
// just when rounding down (IEEE 754-2008, 6.3).
func refSum(a, b *big.Float, e *Env) *big.Float {
	r := float().Add(a, b)
	if r.Sign() != 0 || a.Signbit() == b.Signbit() {
		return r
	}
	r = float()
	if e.Rounding == Down {
		r.Neg(r)
	}
	return r
}

// refSqrt returns the square root of x with 200 bits and a sticky bit.
func refSqrt(x *big.Float) *big.Float {
	exp := x.MantExp(nil)
	exp -= exp & 1
	n, _ := float().SetMantExp(x, 400-exp).Int(nil)
	root := new(big.Int).Sqrt(n)
	exact := new(big.Int).Mul(root, root).Cmp(n) == 0
	root.Lsh(root, 1)
	if !exact {
		root.SetBit(root, 0, 1)
	}
	return float().SetMantExp(float().SetInt(root), exp/2-201)
}

func same(a, b *big.Float) bool { return a.Cmp(b) == 0 && a.Signbit() == b.Signbit() }

// source makes operands.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 80))} }

// mantissa returns a significand of 64 bits, often one at a boundary.
func (s source) mantissa() uint64 {
	switch s.IntN(7) {
	case 0:
		return 1 << 63
	case 1:
		return ^uint64(0) << s.IntN(64)
	case 2:
		return 1<<63 | uint64(s.IntN(4))
	case 3:
		return 1<<63 | s.Uint64()<<(s.IntN(63)+1)
	case 4:
		return 1<<63 | 1<<s.IntN(64) | 1<<s.IntN(64)
	}
	return 1<<63 | s.Uint64()
}

// near returns a finite number with an exponent within spread of center.
func (s source) near(center, spread int) F80 {
	exp := center + s.IntN(2*spread+1) - spread + 16383
	m := s.mantissa()
	if exp < 1 {
		m >>= s.IntN(64)
		exp = 0
	}
	return F80{m, uint16(min(exp, 0x7ffe)) | uint16(s.IntN(2))<<15}
}

// finite returns a finite number.
func (s source) finite() F80 {
	switch s.IntN(12) {
	case 0:
		return F80{0, uint16(s.IntN(2)) << 15}
	case 1:
		return F80{s.Uint64() >> s.IntN(64), uint16(s.IntN(2)) << 15}
	case 2:
		return s.near(-16382, 80)
	case 3:
		return s.near(16383, 80)
	case 4:
		return s.near(0, 16000)
	}
	return s.near(0, 70)
}

// env returns an Env with any modes.
func (s source) env() Env {
	e := FromControl(uint16(s.IntN(4))<<10 | []uint16{0, 2, 3, 3}[s.IntN(4)]<<8 | 0x3f)
	if s.IntN(4) == 0 {
		e.Masks = Flags(s.IntN(64))
	}
	return e
}

// envSSE returns an Env with any modes of MXCSR.
func (s source) envSSE() Env {
	v := uint32(s.IntN(4))<<13 | 0x1f80 | uint32(s.IntN(2))<<6 | uint32(s.IntN(2))<<15
	if s.IntN(4) == 0 {
		v = v&^0x1f80 | uint32(s.IntN(64))<<7
	}
	return FromMXCSR(v)
}

// bits returns a finite number of the format f.
func (s source) bits(f *binary) uint64 {
	v := s.mantissa() << 1 >> (64 - f.fraction)
	limit := int(f.infinity >> f.fraction)
	exp := 0
	switch s.IntN(9) {
	case 0:
		v = 0
	case 1:
		v >>= s.IntN(int(f.fraction))
	case 2:
		exp = 1 + s.IntN(2*int(f.fraction))
	case 3:
		exp = limit - 1 - s.IntN(2*int(f.fraction))
	case 4:
		exp = s.IntN(limit)
	default:
		exp = int(f.bias) - int(f.fraction) - 5 + s.IntN(2*int(f.fraction)+10)
	}
	return v | uint64(exp)<<f.fraction | f.signBit(s.IntN(2) == 1)
}
