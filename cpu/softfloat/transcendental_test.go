package softfloat

import (
	"math/big"
	"testing"
)

// The reference functions work at 320 bits by textbook series, with argument
// reductions other than those of the package.

const bigPrecision = 320

func bigFloat() *big.Float { return new(big.Float).SetPrec(bigPrecision) }

func bigInt(n int64) *big.Float { return bigFloat().SetInt64(n) }

// bigSeries returns the sum of first*(step/(k's divisor))..., until terms
// vanish: term k+1 is term k times factor divided by divisor(k).
func bigSeries(first, factor *big.Float, divisor func(k int64) int64) *big.Float {
	sum, term := bigFloat().Set(first), bigFloat().Set(first)
	for k := int64(1); term.Sign() != 0 && term.MantExp(nil) > first.MantExp(nil)-bigPrecision; k++ {
		term.Mul(term, factor)
		term.Quo(term, bigInt(divisor(k)))
		sum.Add(sum, term)
	}
	return sum
}

// bigSin and bigCos are for small angles.
func bigSin(x *big.Float) *big.Float {
	return bigSeries(x, bigFloat().Neg(bigFloat().Mul(x, x)), func(k int64) int64 { return 2 * k * (2*k + 1) })
}

func bigCos(x *big.Float) *big.Float {
	return bigSeries(bigInt(1), bigFloat().Neg(bigFloat().Mul(x, x)), func(k int64) int64 { return (2*k - 1) * 2 * k })
}

// bigAtan halves its argument's angle until it is small.
func bigAtan(x *big.Float) *big.Float {
	x = bigFloat().Set(x)
	if x.MantExp(nil) < -140 { // x less a cube that only tells on which side of x the result lies
		return x.Sub(x, bigFloat().SetMantExp(x, 1-bigPrecision))
	}
	n := 0
	for x.MantExp(nil) > -8 {
		// atan x = 2 atan(x / (1+sqrt(1+x*x)))
		root := bigFloat().Add(bigInt(1), bigFloat().Mul(x, x))
		x.Quo(x, root.Add(root.Sqrt(root), bigInt(1)))
		n++
	}
	square := bigFloat().Neg(bigFloat().Mul(x, x))
	sum, p := bigFloat().Set(x), bigFloat().Set(x)
	for k := int64(1); p.Sign() != 0 && p.MantExp(nil) > x.MantExp(nil)-bigPrecision; k++ {
		p.Mul(p, square)
		sum.Add(sum, bigFloat().Quo(p, bigInt(2*k+1)))
	}
	return sum.SetMantExp(sum, n)
}

func bigPi() *big.Float {
	return bigFloat().SetMantExp(bigAtan(bigInt(1)), 2)
}

// bigLog1p returns ln(1+x) by inverting the exponential with Newton's method.
func bigLog1p(x *big.Float) *big.Float {
	if x.MantExp(nil) < -160 {
		// x - x*x/2 has all the bits that are wanted.
		half := bigFloat().Mul(x, x)
		return bigFloat().Sub(x, half.SetMantExp(half, -1))
	}
	y := bigFloat()
	start, _ := x.Float64()
	y.SetFloat64(logGuess(start))
	for range 100 {
		// y += (1+x - e^y) / e^y, with 1+x-e^y = x - expm1(y)
		m := bigExpm1(y)
		step := bigFloat().Sub(x, m)
		step.Quo(step, m.Add(m, bigInt(1)))
		y.Add(y, step)
		if step.Sign() == 0 || step.MantExp(nil) < y.MantExp(nil)-160 {
			return y
		}
	}
	panic("no convergence")
}

// logGuess is a rough ln(1+x).
func logGuess(x float64) float64 {
	n := 0.0
	v := max(1+x, 1e-18)
	for ; v > 1.5; v /= 2 {
		n += 0.6931
	}
	for ; v < 0.75; v *= 2 {
		n -= 0.6931
	}
	if n == 0 {
		return x / (1 + x/2)
	}
	return n + (v-1)/(1+(v-1)/2)
}

func bigExpm1(x *big.Float) *big.Float {
	n := 0
	y := bigFloat().Set(x)
	for ; y.MantExp(nil) > 0; n++ {
		y.SetMantExp(y, -1)
	}
	r := bigFloat().Mul(y, bigSeries(bigInt(1), y, func(k int64) int64 { return k + 1 }))
	for ; n > 0; n-- { // expm1(2y) = r*(r+2)
		r.Mul(r, bigFloat().Add(r, bigInt(2)))
	}
	return r
}

// within1ULP reports a result that is 1 ulp or more away from the exact value.
func within1ULP(t *testing.T, what string, a, b, got F80, exact *big.Float, e *Env) {
	t.Helper()
	if exact.Sign() == 0 {
		t.Fatalf("%s(%x, %x): the reference is zero", what, a, b)
	}
	exp := max(exact.MantExp(nil)-1, -16382)
	if exp > 16383 {
		if got.Class() != ClassInfinity && got.SE&exp80 != exp80-1 {
			t.Errorf("%s(%x, %x) = %x, want overflow", what, a, b, got)
		}
		return
	}
	diff := bigFloat().Sub(value80(got), exact)
	if ulp := bigFloat().SetMantExp(bigInt(1), exp-63); diff.Abs(diff).Cmp(ulp) >= 0 {
		t.Errorf("%s(%x, %x) in mode %d = %x %g, want %.25g", what, a, b, e.Rounding, got, value80(got), exact)
	}
	if e.Flags&PE == 0 && diff.Sign() != 0 {
		t.Errorf("%s(%x, %x) = %x raises %x", what, a, b, got, e.Flags)
	}
}

// angleCase returns an argument for a trigonometric function: any, or close to
// a multiple of a quarter turn of the 66-bit pi.
func (s source) angleCase() F80 {
	if s.IntN(2) == 0 {
		return s.near(s.IntN(80)-20, 2)
	}
	n := float().SetUint64(s.Uint64() >> (2 + s.IntN(61)))
	return nearest80(n.Mul(n, pi66(-1)), int64(s.IntN(5))-2)
}

// nearest80 returns x, positive, rounded to 64 bits and moved by some ulps.
func nearest80(x *big.Float, ulps int64) F80 {
	m := new(big.Float).SetPrec(64).Set(x)
	exp := m.MantExp(m)
	u, _ := m.SetMantExp(m, 64).Uint64()
	if u == 0 {
		return One80
	}
	if v := u + uint64(ulps); v>>63 == 1 {
		u = v
	}
	return F80{u, uint16(exp - 1 + 16383)}
}

// pi66 is the pi of SDM vol. 1, 8.3.8, times 2^n.
func pi66(n int) *big.Float {
	p, _ := new(big.Int).SetString("3243f6a8885a308d3", 16)
	return float().SetMantExp(float().SetInt(p), n-64)
}

func TestTrigonometric(t *testing.T) {
	s := newSource(60)
	for range 4000 {
		a := s.angleCase()
		if a.SE&exp80 >= 0x3fff+63 {
			continue
		}
		x := value80(a)
		// x = n * pi/2 + rest
		n := quantize(float().Quo(x, pi66(-1)), 0, Nearest)
		rest := bigFloat().Sub(x, float().Mul(n, pi66(-1)))
		i, _ := n.Int(nil)
		sin, cos := bigSin(rest), bigCos(rest)
		for q := new(big.Int).And(i, big.NewInt(3)).Int64(); q > 0; q-- {
			sin, cos = cos, bigFloat().Neg(sin)
		}
		e := Env{Masks: exceptions, Precision: 24, Rounding: Rounding(s.IntN(4))}
		check := func(what string, got F80, ok bool, exact *big.Float) {
			t.Helper()
			if !ok {
				t.Fatalf("%s(%x) is out of range", what, a)
			}
			within1ULP(t, what, a, a, got, exact, &e)
			e.Flags = 0
		}
		r, ok := e.Sin80(a)
		check("sin", r, ok, sin)
		r, ok = e.Cos80(a)
		check("cos", r, ok, cos)
		r, ok = e.Tan80(a)
		check("tan", r, ok, bigFloat().Quo(sin, cos))
		r1, r2, ok := e.SinCos80(a)
		flags := e.Flags
		check("sin", r1, ok, sin)
		e.Flags = flags
		check("cos", r2, ok, cos)
	}
}

// TestTrigonometricRange has the boundary of C2: 2^63 in magnitude.
func TestTrigonometricRange(t *testing.T) {
	for _, r := range []struct {
		a  F80
		ok bool
	}{
		{F80{^uint64(0), 0x3fff + 62}, true}, {F80{^uint64(0), 0xbfff + 62}, true},
		{F80{1 << 63, 0x3fff + 63}, false}, {F80{1 << 63, 0xbfff + 63}, false}, {F80{^uint64(0), 0x7ffe}, false},
	} {
		e := FromControl(0x37f)
		if got, ok := e.Sin80(r.a); ok != r.ok || !ok && (got != r.a || e.Flags != 0) {
			t.Errorf("sin(%x) = %x, in range %v", r.a, got, ok)
		}
		if _, ok := e.Cos80(r.a); ok != r.ok {
			t.Errorf("cos(%x): in range %v", r.a, ok)
		}
		if _, ok := e.Tan80(r.a); ok != r.ok {
			t.Errorf("tan(%x): in range %v", r.a, ok)
		}
		if _, _, ok := e.SinCos80(r.a); ok != r.ok {
			t.Errorf("sincos(%x): in range %v", r.a, ok)
		}
	}
}

// TestTinyArguments: results that differ from the argument by less than an ulp
// are rounded from the right side.
func TestTinyArguments(t *testing.T) {
	a := F80{0x8000000000000001, 0x3fff - 100}
	below, above := F80{0x8000000000000000, 0x3fff - 100}, F80{0x8000000000000002, 0x3fff - 100}
	last := F80{^uint64(0), 0x3ffe}
	for mode, want := range [4]struct{ sin, tan, cos F80 }{
		Nearest: {a, a, One80}, Down: {below, a, last}, Up: {a, above, One80}, Zero: {below, a, last},
	} {
		e := Env{Masks: exceptions, Precision: 64, Rounding: Rounding(mode)}
		sin, _ := e.Sin80(a)
		tan, _ := e.Tan80(a)
		cos, _ := e.Cos80(a)
		atan := e.Atan80(a, One80)
		if sin != want.sin || tan != want.tan || cos != want.cos || atan != want.sin {
			t.Errorf("mode %d: sin %x tan %x cos %x atan %x", mode, sin, tan, cos, atan)
		}
	}
	// A denormal stays what it is and underflows.
	e := Env{Masks: exceptions, Precision: 64}
	if r, _ := e.Sin80(F80{1, 0}); r != (F80{1, 0}) || e.Flags&^C1 != DE|UE|PE {
		t.Errorf("sin of the smallest denormal = %x flags %x", r, e.Flags)
	}
}

func TestAtan80(t *testing.T) {
	s := newSource(61)
	pi := bigPi()
	for range 3000 {
		y := s.near(s.IntN(40)-20, 3)
		x := s.near(int(y.SE&exp80)-0x3fff, []int{1, 10, 70, 12000}[s.IntN(4)])
		if x.Mant>>63 == 0 {
			continue
		}
		ratio := bigFloat().Quo(value80(y.Abs()), value80(x.Abs()))
		exact := bigAtan(ratio)
		if x.Negative() {
			exact.Sub(pi, exact)
		}
		if y.Negative() {
			exact.Neg(exact)
		}
		e := Env{Masks: exceptions, Precision: 64, Rounding: Rounding(s.IntN(4))}
		within1ULP(t, "atan", y, x, e.Atan80(y, x), exact, &e)
	}
}

func TestExp80(t *testing.T) {
	s := newSource(62)
	ln2 := bigLog1p(bigInt(1))
	for range 3000 {
		a := s.near(-1, 1)
		if s.IntN(2) == 0 {
			a = s.near(-40, 39)
		}
		if a.SE&exp80 > 0x3ffe {
			continue
		}
		e := Env{Masks: exceptions, Precision: 64, Rounding: Rounding(s.IntN(4))}
		within1ULP(t, "exp", a, a, e.Exp80(a), bigExpm1(bigFloat().Mul(value80(a), ln2)), &e)
	}
}

func TestLog80(t *testing.T) {
	s := newSource(63)
	ln2 := bigLog1p(bigInt(1))
	minusOne := bigInt(-1)
	for range 1500 {
		x := s.near(0, 1).Abs()
		switch s.IntN(4) {
		case 0:
			x = s.near(0, 16300).Abs()
		case 1:
			x = One80
			x.Mant += uint64(s.IntN(9))
		case 2:
			x = F80{-uint64(s.IntN(9) + 1), 0x3ffe}
		}
		y := s.near(0, 40)
		if x == One80 || x.Mant == 0 {
			continue
		}
		m := bigFloat().Set(value80(x))
		k := m.MantExp(m)
		if k == 0 || k == 1 {
			m.SetMantExp(m, k)
			k = 0
		}
		log := bigFloat().Quo(bigLog1p(m.Add(m, minusOne)), ln2)
		log.Add(log, bigInt(int64(k)))
		e := Env{Masks: exceptions, Precision: 64, Rounding: Rounding(s.IntN(4))}
		within1ULP(t, "log", x, y, e.Log80(x, y), log.Mul(log, value80(y)), &e)
	}
}

func TestLog1p80(t *testing.T) {
	s := newSource(64)
	ln2 := bigLog1p(bigInt(1))
	for range 1500 {
		x := s.near(-30, 30)
		if s.IntN(3) == 0 {
			x = s.near(-2, 1)
		}
		y := s.near(0, 40)
		if x.Negative() && x.SE&exp80 >= 0x3fff {
			continue
		}
		log := bigFloat().Quo(bigLog1p(value80(x)), ln2)
		e := Env{Masks: exceptions, Precision: 64, Rounding: Rounding(s.IntN(4))}
		within1ULP(t, "log1p", x, y, e.Log1p80(x, y), log.Mul(log, value80(y)), &e)
	}
}

// TestTables compares the tables to their definition.
func TestTables(t *testing.T) {
	check := func(name string, table []fixed, value func(k int) *big.Float) {
		for k, got := range table {
			want, _ := quantize(float().SetMantExp(value(k), 127), 0, Nearest).Int(nil)
			g := new(big.Int).SetUint64(got.hi)
			g.Lsh(g, 64).Or(g, new(big.Int).SetUint64(got.lo))
			if g.Cmp(want) != 0 {
				t.Errorf("%s[%d] = %x, want %x", name, k, g, want)
			}
		}
	}
	reciprocal := func(n *big.Int) *big.Float { return bigFloat().Quo(bigInt(1), bigFloat().SetInt(n)) }
	factorial := func(n int) *big.Int { return new(big.Int).MulRange(1, int64(n)) }
	check("sineSeries", sineSeries[:], func(k int) *big.Float { return reciprocal(factorial(2*k + 1)) })
	check("cosineSeries", cosineSeries[:], func(k int) *big.Float { return reciprocal(factorial(2 * k)) })
	check("expSeries", expSeries[:], func(k int) *big.Float { return reciprocal(factorial(k + 1)) })
	check("oddSeries", oddSeries[:], func(k int) *big.Float { return reciprocal(big.NewInt(int64(2*k + 1))) })
	check("arctangents", arctangents[:], func(k int) *big.Float {
		if k == 0 {
			return bigFloat()
		}
		return bigAtan(bigFloat().Quo(bigInt(int64(k)), bigInt(16)))
	})
}
