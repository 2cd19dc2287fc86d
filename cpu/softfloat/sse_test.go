package softfloat

import (
	"math"
	"math/big"
	"testing"
)

// pair is the operations on one format, so that one test serves both.
type pair struct {
	f                  *binary
	add, sub, mul, div func(e *Env, a, b uint64) uint64
	min, max           func(e *Env, a, b uint64) uint64
	sqrt               func(e *Env, a uint64) uint64
	compare            func(e *Env, a, b uint64, quiet bool) Relation
	toInt              func(e *Env, a uint64, n uint, rounding Rounding) int64
	fromInt            func(e *Env, v int64) uint64
	round              func(e *Env, a uint64, rounding Rounding, exact bool) uint64
}

// lift makes an operation on binary32 one on uint64.
func lift(f func(*Env, uint32, uint32) uint32) func(*Env, uint64, uint64) uint64 {
	return func(e *Env, a, b uint64) uint64 { return uint64(f(e, uint32(a), uint32(b))) }
}

var pairs = []pair{
	{
		&binary32,
		lift((*Env).Add32), lift((*Env).Sub32), lift((*Env).Mul32), lift((*Env).Div32), lift((*Env).Min32), lift((*Env).Max32),
		func(e *Env, a uint64) uint64 { return uint64(e.Sqrt32(uint32(a))) },
		func(e *Env, a, b uint64, quiet bool) Relation { return e.Compare32(uint32(a), uint32(b), quiet) },
		func(e *Env, a uint64, n uint, r Rounding) int64 { return e.ToInt32(uint32(a), n, r) },
		func(e *Env, v int64) uint64 { return uint64(e.FromInt32(v)) },
		func(e *Env, a uint64, r Rounding, exact bool) uint64 {
			return uint64(e.RoundInt32(uint32(a), r, exact))
		},
	},
	{
		&binary64,
		(*Env).Add64, (*Env).Sub64, (*Env).Mul64, (*Env).Div64, (*Env).Min64, (*Env).Max64,
		(*Env).Sqrt64, (*Env).Compare64, (*Env).ToInt64, (*Env).FromInt64, (*Env).RoundInt64,
	},
}

// checkSSE compares a result to the exact one. Operands are those after DAZ.
func checkSSE(t *testing.T, what string, f *binary, a, b uint64, e *Env, got uint64, exact *big.Float) {
	t.Helper()
	pre := Flags(0)
	if f.isDenormal(a) || f.isDenormal(b) {
		pre = DE
	}
	want := refResult{exact, 0}
	if pre&^e.Masks == 0 && exact.Sign() != 0 {
		want = refRound(exact, refFormat{uint(f.precision), int(f.emin), int(f.emax), false}, e)
	}
	flags := want.flags&^C1 | pre
	if e.Host {
		flags &^= PE
		e.Flags &^= PE
	}
	if e.Flags&^C1 != flags {
		t.Errorf("%s(%x, %x) in %+v raises %x, want %x", what, a, b, *e, e.Flags, flags)
	} else if !e.Unmasked() && !same(valueOf(f, got), want.value) {
		t.Errorf("%s(%x, %x) in %+v = %x %g, want %g", what, a, b, *e, got, valueOf(f, got), want.value)
	}
}

// testArith runs the arithmetic of a format in the modes that env gives.
func testArith(t *testing.T, p pair, s source, env func() Env) {
	f := p.f
	a, b := s.bits(f), s.bits(f)
	if s.IntN(8) == 0 {
		b = a ^ uint64(s.IntN(3)) // cancellation
	}
	e := env()
	da, db := e.daz(f, a), e.daz(f, b)
	x, y := valueOf(f, da), valueOf(f, db)
	run := func(what string, op func(*Env, uint64, uint64) uint64, exact *big.Float) {
		t.Helper()
		e := e
		got := op(&e, a, b)
		checkSSE(t, what, f, da, db, &e, got, exact)
	}
	px, py := pull(x, y)
	run("add", p.add, refSum(px, py, &e))
	run("sub", p.sub, refSum(px, float().Neg(py), &e))
	run("mul", p.mul, float().Mul(x, y))
	if y.Sign() != 0 {
		run("div", p.div, sticky(float().Quo(x, y)))
	}
	if x.Sign() != 0 {
		e := e
		got := p.sqrt(&e, a&^f.sign)
		checkSSE(t, "sqrt", f, da&^f.sign, da&^f.sign, &e, got, refSqrt(float().Abs(x)))
	}
}

func TestArithSSE(t *testing.T) {
	for _, p := range pairs {
		s := newSource(40)
		for range 15000 {
			testArith(t, p, s, s.envSSE)
		}
	}
}

// TestArithHost takes the path through the host's arithmetic.
func TestArithHost(t *testing.T) {
	for _, p := range pairs {
		s := newSource(41)
		for range 15000 {
			testArith(t, p, s, func() Env {
				e := FromMXCSR(0x1fa0 | uint32(s.IntN(2))<<6 | uint32(s.IntN(2))<<15)
				if !e.Host {
					t.Fatal("MXCSR 1fa0 does not take the host's arithmetic")
				}
				return e
			})
		}
	}
}

// TestAgainstHost compares rounding to nearest with the arithmetic of the
// host, which does IEEE 754 wherever Go runs.
func TestAgainstHost(t *testing.T) {
	s := newSource(42)
	for range 100000 {
		e := FromMXCSR(0x1f80)
		a, b := s.bits(&binary64), s.bits(&binary64)
		x, y := math.Float64frombits(a), math.Float64frombits(b)
		for _, c := range []struct {
			got  uint64
			want float64
		}{
			{e.Add64(a, b), x + y}, {e.Sub64(a, b), x - y}, {e.Mul64(a, b), x * y}, {e.Div64(a, b), x / y}, {e.Sqrt64(a), math.Sqrt(x)},
		} {
			if w := math.Float64bits(c.want); c.got != w && !math.IsNaN(c.want) {
				t.Fatalf("of %x and %x: %x, host %x", a, b, c.got, w)
			}
		}
		a32, b32 := uint32(s.bits(&binary32)), uint32(s.bits(&binary32))
		x32, y32 := math.Float32frombits(a32), math.Float32frombits(b32)
		for _, c := range []struct {
			got  uint32
			want float32
		}{
			{e.Add32(a32, b32), x32 + y32}, {e.Sub32(a32, b32), x32 - y32}, {e.Mul32(a32, b32), x32 * y32}, {e.Div32(a32, b32), x32 / y32},
		} {
			if w := math.Float32bits(c.want); c.got != w && c.want == c.want {
				t.Fatalf("of %x and %x: %x, host %x", a32, b32, c.got, w)
			}
		}
	}
}

func TestConvertSSE(t *testing.T) {
	s := newSource(43)
	for range 30000 {
		e := s.envSSE()
		a := s.bits(&binary64)
		if s.IntN(2) == 0 {
			a = a&^(0x7ff<<52) | uint64(1023-160+s.IntN(300))<<52
		}
		a = e.daz(&binary64, a)
		narrow := e
		got := uint64(narrow.Float64To32(a))
		pre := Flags(0)
		if binary64.isDenormal(a) {
			pre = DE
		}
		want := refResult{valueOf(&binary64, a), 0}
		if want.value.Sign() != 0 && pre&^e.Masks == 0 {
			want = refRound(want.value, refFormat{24, -126, 127, false}, &e)
		}
		if narrow.Flags&^C1 != want.flags&^C1|pre || !narrow.Unmasked() && !same(valueOf(&binary32, got), want.value) {
			t.Errorf("%x to binary32 in %+v = %x flags %x, want %g flags %x", a, e, got, narrow.Flags, want.value, want.flags)
		}
		b := uint32(s.bits(&binary32))
		wide := e
		r := wide.Float32To64(b)
		flags := Flags(0)
		if binary32.isDenormal(uint64(b)) && !e.DAZ {
			flags = DE
		}
		if wide.Flags != flags || !wide.Unmasked() && !same(valueOf(&binary64, r), valueOf(&binary32, e.daz(&binary32, uint64(b)))) {
			t.Errorf("%x to binary64 in %+v = %x flags %x", b, e, r, wide.Flags)
		}
	}
}

func TestIntegersSSE(t *testing.T) {
	s := newSource(44)
	for _, p := range pairs {
		for range 20000 {
			e := s.envSSE()
			a := s.bits(p.f)
			if s.IntN(2) == 0 {
				a = p.fromInt(&Env{Masks: exceptions}, int64(s.Uint64())>>s.IntN(64)) + uint64(s.IntN(3))
			}
			x := valueOf(p.f, e.daz(p.f, a))
			if x.IsInf() {
				continue
			}
			for _, n := range []uint{32, 64} {
				for _, rounding := range []Rounding{e.Rounding, Zero} {
					e := e
					got := p.toInt(&e, a, n, rounding)
					if want, flags := refInt(x, n, rounding); got != want || e.Flags&^C1 != flags&^C1 {
						t.Errorf("%x to int%d in %+v = %d, want %d flags %x", a, n, e, got, want, flags)
					}
				}
			}
			v := int64(s.Uint64()) >> s.IntN(64)
			back := e
			got := p.fromInt(&back, v)
			want := refResult{float(), 0}
			if v != 0 {
				want = refRound(float().SetInt64(v), refFormat{uint(p.f.precision), int(p.f.emin), int(p.f.emax), false}, &e)
			}
			if !same(valueOf(p.f, got), want.value) || back.Flags&^C1 != want.flags&^C1 {
				t.Errorf("%d in %+v = %x flags %x, want %g", v, e, got, back.Flags, want.value)
			}
			for _, exact := range []bool{false, true} {
				e := e
				got := p.round(&e, a, e.Rounding, exact)
				want := x
				if x.MantExp(nil) < 70 {
					want = quantize(x, 0, e.Rounding)
				}
				flags := Flags(0)
				if !exact && want.Cmp(x) != 0 {
					flags = PE
				}
				if !same(valueOf(p.f, got), want) || e.Flags != flags {
					t.Errorf("%x rounds in %+v to %x, want %g flags %x", a, e, got, want, flags)
				}
			}
		}
	}
}

func TestCompareSSE(t *testing.T) {
	s := newSource(45)
	for _, p := range pairs {
		for range 20000 {
			a, b := s.bits(p.f), s.bits(p.f)
			switch s.IntN(4) {
			case 0:
				b = a ^ uint64(s.IntN(3))
			case 1:
				b = a ^ p.f.sign
			}
			e := s.envSSE()
			da, db := e.daz(p.f, a), e.daz(p.f, b)
			want := [...]Relation{Less, Equal, Greater}[valueOf(p.f, da).Cmp(valueOf(p.f, db))+1]
			flags := Flags(0)
			if p.f.isDenormal(da) || p.f.isDenormal(db) {
				flags = DE
			}
			for _, quiet := range []bool{false, true} {
				e := e
				if got := p.compare(&e, a, b, quiet); got != want || e.Flags != flags {
					t.Errorf("compare(%x, %x) in %+v = %d, want %d flags %x", a, b, e, got, want, flags)
				}
			}
			smaller, larger := db, db
			switch want {
			case Less:
				smaller = da
			case Greater:
				larger = da
			}
			if got := p.min(&e, a, b); got != smaller || e.Flags != flags {
				t.Errorf("min(%x, %x) in %+v = %x, want %x", a, b, e, got, smaller)
			}
			if got := p.max(&e, a, b); got != larger || e.Flags != flags {
				t.Errorf("max(%x, %x) in %+v = %x, want %x", a, b, e, got, larger)
			}
		}
	}
}

// TestSpecialSSE has the rows of SDM vol. 1, table 4-7 and appendix E.
func TestSpecialSSE(t *testing.T) {
	const (
		zero, nzero = 0, 1 << 63
		oneD, noneD = 0x3ff0000000000000, 0xbff0000000000000
		inf, ninf   = 0x7ff0000000000000, 0xfff0000000000000
		q1, q2      = 0x7ff8000000000001, 0xfff8000000000002
		s1, s2      = 0x7ff0000000000001, 0x7ff0000000000002
		den         = 1
		def         = 0xfff8000000000000
	)
	for _, r := range []struct {
		op         string
		a, b, want uint64
		flags      Flags
	}{
		{"add", q1, q2, q1, 0}, {"add", q2, q1, q2, 0}, {"add", s1, q2, q1, IE}, {"add", q2, s1, q2, IE},
		{"add", oneD, q2, q2, 0}, {"add", oneD, s2, 0x7ff8000000000002, IE}, {"add", den, q1, q1, 0},
		{"sub", oneD, q2, q2, 0}, {"sub", inf, inf, def, IE}, {"sub", inf, ninf, inf, 0},
		{"add", inf, ninf, def, IE}, {"add", ninf, den, ninf, DE}, {"add", zero, nzero, zero, 0}, {"add", nzero, nzero, nzero, 0},
		{"mul", inf, zero, def, IE}, {"mul", nzero, inf, def, IE}, {"mul", inf, noneD, ninf, 0}, {"mul", den, inf, inf, DE},
		{"mul", noneD, zero, nzero, 0}, {"mul", den, den, zero, DE | UE | PE},
		{"div", zero, zero, def, IE}, {"div", inf, ninf, def, IE}, {"div", oneD, nzero, ninf, ZE}, {"div", den, zero, inf, ZE},
		{"div", inf, zero, inf, 0}, {"div", oneD, ninf, nzero, 0}, {"div", den, inf, zero, DE},
		{"min", q1, oneD, oneD, IE}, {"min", oneD, q1, q1, IE}, {"max", oneD, s1, s1, IE}, {"min", zero, nzero, nzero, 0},
		{"max", nzero, zero, zero, 0}, {"max", den, q1, q1, IE},
		{"sqrt", noneD, 0, def, IE}, {"sqrt", nzero, 0, nzero, 0}, {"sqrt", inf, 0, inf, 0}, {"sqrt", ninf, 0, def, IE},
		{"sqrt", 1<<63 | 1, 0, def, IE}, {"sqrt", s1, 0, q1, IE},
	} {
		for _, mxcsr := range []uint32{0x1f80, 0x1fa0} {
			e := FromMXCSR(mxcsr)
			p := pairs[1]
			var got uint64
			switch r.op {
			case "add":
				got = p.add(&e, r.a, r.b)
			case "sub":
				got = p.sub(&e, r.a, r.b)
			case "mul":
				got = p.mul(&e, r.a, r.b)
			case "div":
				got = p.div(&e, r.a, r.b)
			case "min":
				got = p.min(&e, r.a, r.b)
			case "max":
				got = p.max(&e, r.a, r.b)
			case "sqrt":
				got = p.sqrt(&e, r.a)
			}
			if got != r.want || e.Flags != r.flags {
				t.Errorf("%s(%x, %x) = %x flags %x, want %x flags %x", r.op, r.a, r.b, got, e.Flags, r.want, r.flags)
			}
		}
	}
}

func TestConvertSpecialSSE(t *testing.T) {
	e := FromMXCSR(0x1f80)
	for _, r := range []struct {
		a     uint64
		want  uint32
		flags Flags
	}{
		{0x7ff0000000000001, 0x7fc00000, IE}, {0xfff8000020000000, 0xffc00001, 0}, {0xfff0000000000000, 0xff800000, 0}, {1 << 63, 1 << 31, 0},
	} {
		e.Flags = 0
		if got := e.Float64To32(r.a); got != r.want || e.Flags != r.flags {
			t.Errorf("%x to binary32 = %x flags %x", r.a, got, e.Flags)
		}
	}
	for _, r := range []struct {
		a     uint32
		want  uint64
		flags Flags
	}{
		{0x7f800001, 0x7ff8000020000000, IE}, {0xffc00001, 0xfff8000020000000, 0}, {0xff800000, 0xfff0000000000000, 0}, {1 << 31, 1 << 63, 0},
	} {
		e.Flags = 0
		if got := e.Float32To64(r.a); got != r.want || e.Flags != r.flags {
			t.Errorf("%x to binary64 = %x flags %x", r.a, got, e.Flags)
		}
	}
	for _, a := range []uint64{0x7ff8000000000000, 0x7ff0000000000000, 0xfff0000000000000} {
		e.Flags = 0
		if got := e.ToInt64(a, 64, Nearest); got != math.MinInt64 || e.Flags != IE {
			t.Errorf("%x to int64 = %d flags %x", a, got, e.Flags)
		}
	}
}
