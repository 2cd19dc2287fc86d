package softfloat

import (
	"math/big"
	"testing"
)

// check80 compares a result of an operation to the exact one.
func check80(t *testing.T, what string, a, b F80, e *Env, got F80, exact *big.Float, precision uint8, pre Flags) {
	t.Helper()
	want := refResult{exact, 0}
	if pre&^e.Masks != 0 {
		if e.Flags != pre {
			t.Errorf("%s(%x, %x) of %+v raises %x, want %x", what, a, b, *e, e.Flags, pre)
		}
		return
	}
	if exact.Sign() != 0 {
		want = refRound(exact, refFormat{uint(precision), -16382, 16383, true}, e)
	}
	if g := value80(got); !same(g, want.value) || e.Flags != want.flags|pre {
		t.Errorf("%s(%x, %x) of %+v = %x %g, want %g, flags %x", what, a, b, *e, got, g, want.value, want.flags|pre)
	}
	if c := got.Class(); c == ClassUnsupported || got.SE&exp80 == 0 && got.Mant>>63 != 0 {
		t.Errorf("%s(%x, %x) of %+v = %x, which is not canonical", what, a, b, *e, got)
	}
}

// denormal80 is DE if an operand is denormal.
func denormal80(a, b F80) Flags {
	if a.Class() == ClassDenormal || b.Class() == ClassDenormal {
		return DE
	}
	return 0
}

// pull limits the distance of two exponents to what the reference can hold,
// without change of the rounded sum.
func pull(a, b *big.Float) (*big.Float, *big.Float) {
	const far = 400
	ea, eb := a.MantExp(nil), b.MantExp(nil)
	switch {
	case a.Sign() == 0 || b.Sign() == 0:
	case ea-eb > far:
		b = float().SetMantExp(b, ea-eb-far)
	case eb-ea > far:
		a = float().SetMantExp(a, eb-ea-far)
	}
	return a, b
}

func TestSum80(t *testing.T) {
	s := newSource(1)
	for range 40000 {
		a, b, e := s.finite(), s.finite(), s.env()
		x, y := pull(value80(a), value80(b))
		for _, sub := range []bool{false, true} {
			e := e
			var got F80
			var exact *big.Float
			if sub {
				got = e.Sub80(a, b)
				exact = refSum(x, float().Neg(y), &e)
			} else {
				got = e.Add80(a, b)
				exact = refSum(x, y, &e)
			}
			check80(t, "sum", a, b, &e, got, exact, e.Precision, denormal80(a, b))
		}
	}
}

func TestMul80(t *testing.T) {
	s := newSource(2)
	for range 40000 {
		a, b, e := s.finite(), s.finite(), s.env()
		got := e.Mul80(a, b)
		check80(t, "mul", a, b, &e, got, float().Mul(value80(a), value80(b)), e.Precision, denormal80(a, b))
	}
}

func TestDiv80(t *testing.T) {
	s := newSource(3)
	for range 40000 {
		a, b, e := s.finite(), s.finite(), s.env()
		if b.Mant == 0 {
			continue
		}
		got := e.Div80(a, b)
		check80(t, "div", a, b, &e, got, sticky(float().Quo(value80(a), value80(b))), e.Precision, denormal80(a, b))
	}
}

func TestSqrt80(t *testing.T) {
	s := newSource(4)
	for range 40000 {
		a, e := s.finite().Abs(), s.env()
		if s.IntN(3) == 0 { // squares, and their neighbours
			v := s.Uint64() >> 32
			a = FromInt(int64(v*v>>1) + int64(s.IntN(3)))
		}
		if a.Mant == 0 {
			continue
		}
		got := e.Sqrt80(a)
		check80(t, "sqrt", a, a, &e, got, refSqrt(value80(a)), e.Precision, denormal80(a, a))
	}
}

func TestScale80(t *testing.T) {
	s := newSource(5)
	for range 20000 {
		a, e := s.finite(), s.env()
		b := s.near(7, 12)
		n, _ := value80(b).Int64()
		if a.Mant == 0 || n > 20000 || n < -20000 {
			continue
		}
		got := e.Scale80(a, b)
		check80(t, "scale", a, b, &e, got, float().SetMantExp(value80(a), int(n)), 64, denormal80(a, b))
	}
}

// TestScale80Massive covers what no exponent adjustment brings back (SDM vol.
// 1, 8.5.4: "massive" overflow).
func TestScale80Massive(t *testing.T) {
	for _, c := range []struct {
		masks Flags
		b     int64
		want  F80
		flags Flags
	}{
		{exceptions, 65536, infinity80(false), OE | PE | C1},
		{exceptions, -65536, F80{}, UE | PE},
		{exceptions &^ OE, 65536, infinity80(false), OE | PE | C1},
		{exceptions &^ UE, -65536, F80{}, UE | PE},
		{exceptions &^ OE, 1 << 62, infinity80(false), OE | PE | C1},
		{exceptions &^ OE, 24576 + 16383, F80{integerBit, 0x7ffe}, OE},
		{exceptions &^ UE, -24576 - 16382, F80{integerBit, 1}, UE},
	} {
		e := Env{Masks: c.masks, Precision: 64}
		if r := e.Scale80(One80, FromInt(c.b)); r != c.want || e.Flags != c.flags {
			t.Errorf("1 scaled by %d, masks %x = %x flags %x, want %x flags %x", c.b, c.masks, r, e.Flags, c.want, c.flags)
		}
	}
}

// remainder returns a mod b for positive integers scaled by powers of two, and
// the low bits of the quotient, by integer arithmetic.
func remainder(a, b F80, d int) (q, r *big.Int) {
	x := new(big.Int).Lsh(new(big.Int).SetUint64(a.number().hi), uint(max(d, 0)))
	y := new(big.Int).Lsh(new(big.Int).SetUint64(b.number().hi), uint(max(-d, 0)))
	return new(big.Int).QuoRem(x, y, new(big.Int))
}

func TestRem80(t *testing.T) {
	s := newSource(6)
	for range 40000 {
		a, e := s.finite(), s.env()
		b := s.near(int(a.SE&0x7fff)-16383, 40)
		e.Masks = exceptions
		if s.IntN(4) == 0 {
			b = s.finite()
		}
		if a.Mant == 0 || b.Mant == 0 {
			continue
		}
		x, y := a.number(), b.number()
		d := int(x.exp - y.exp)
		for _, nearest := range []bool{false, true} {
			e := e
			got := e.Rem80(a, b, nearest)
			if got.Partial != (d >= 64) {
				t.Fatalf("rem(%x, %x): partial is %v", a, b, got.Partial)
			}
			if e.Flags != denormal80(a, b) {
				t.Fatalf("rem(%x, %x) raises %x", a, b, e.Flags)
			}
			q, r := remainder(a, b, d)
			unit := min(int(x.exp), int(y.exp)) - 63
			if d > 64 {
				// The same remainder after a partial step, which has taken
				// 32 to 63 from the difference of exponents.
				w := got.Value.number()
				left := int(w.exp - y.exp)
				if !w.isZero() && (left > d-32 || w.neg != x.neg) {
					t.Fatalf("rem(%x, %x) = %x, no reduction", a, b, got.Value)
				}
				_, r2 := remainder(got.Value.Abs(), b, max(left, 0))
				if left >= 0 && !w.isZero() && r.Cmp(r2) != 0 {
					t.Fatalf("rem(%x, %x) = %x, another remainder", a, b, got.Value)
				}
				continue
			}
			if d == 64 {
				continue
			}
			exact := float().SetMantExp(float().SetInt(r), unit)
			if nearest {
				m := new(big.Int).Lsh(new(big.Int).SetUint64(y.hi), uint(max(-d, 0)))
				twice := new(big.Int).Lsh(r, 1)
				if c := twice.Cmp(m); c > 0 || c == 0 && q.Bit(0) == 1 {
					q.Add(q, big.NewInt(1))
					exact.SetMantExp(float().SetInt(r.Sub(r, m)), unit)
				}
			}
			if a.Negative() {
				exact.Neg(exact)
			}
			if low := uint8(new(big.Int).And(q, big.NewInt(7)).Uint64()); !same(value80(got.Value), exact) || got.Quotient != low {
				t.Fatalf("rem(%x, %x, %v) = %x quotient %d, want %g quotient %d", a, b, nearest, got.Value, got.Quotient, exact, low)
			}
		}
	}
}

func TestExtract80(t *testing.T) {
	s := newSource(7)
	for range 5000 {
		a, e := s.finite(), s.env()
		e.Masks = exceptions
		if a.Mant == 0 {
			continue
		}
		exponent, significand := e.Extract80(a)
		n, _ := value80(exponent).Int64()
		if back := float().SetMantExp(value80(significand), int(n)); !same(back, value80(a)) || significand.SE&0x7fff != 16383 {
			t.Errorf("extract(%x) = %x, %x", a, exponent, significand)
		}
		if e.Flags != denormal80(a, a) {
			t.Errorf("extract(%x) raises %x", a, e.Flags)
		}
	}
}

func TestCompare80(t *testing.T) {
	s := newSource(8)
	for range 20000 {
		a, b := s.finite(), s.finite()
		switch s.IntN(4) {
		case 0:
			b = a
		case 1:
			b = a
			b.Mant ^= 1 << s.IntN(63)
		}
		want := [...]Relation{Less, Equal, Greater}[value80(a).Cmp(value80(b))+1]
		e := FromControl(0x37f)
		if got := e.Compare80(a, b, false); got != want || e.Flags != denormal80(a, b) {
			t.Errorf("compare(%x, %x) = %d flags %x, want %d", a, b, got, e.Flags, want)
		}
	}
}
