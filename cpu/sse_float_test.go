package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

// Bits of MXCSR.
const (
	mxIE  = 1 << 0
	mxDE  = 1 << 1
	mxZE  = 1 << 2
	mxOE  = 1 << 3
	mxUE  = 1 << 4
	mxPE  = 1 << 5
	mxDAZ = 1 << 6
	mxIM  = 1 << 7
	mxDM  = 1 << 8
	mxZM  = 1 << 9
	mxOM  = 1 << 10
	mxUM  = 1 << 11
	mxPM  = 1 << 12
	mxRC  = 3 << 13
	mxFTZ = 1 << 15

	mxDefault = mxIM | mxDM | mxZM | mxOM | mxUM | mxPM
)

// arithmeticRows computes with Go what each operation does to a lane, for
// operands that are no NaNs and with nothing unmasked.
var arithmeticRows = []struct {
	ps, pd, ss, sd x86.Op
	f              func(d, s float64) float64
}{
	{x86.ADDPS, x86.ADDPD, x86.ADDSS, x86.ADDSD, func(d, s float64) float64 { return d + s }},
	{x86.SUBPS, x86.SUBPD, x86.SUBSS, x86.SUBSD, func(d, s float64) float64 { return d - s }},
	{x86.MULPS, x86.MULPD, x86.MULSS, x86.MULSD, func(d, s float64) float64 { return d * s }},
	{x86.DIVPS, x86.DIVPD, x86.DIVSS, x86.DIVSD, func(d, s float64) float64 { return d / s }},
	{x86.SQRTPS, x86.SQRTPD, x86.SQRTSS, x86.SQRTSD, func(_, s float64) float64 { return math.Sqrt(s) }},
	{x86.MINPS, x86.MINPD, x86.MINSS, x86.MINSD, func(d, s float64) float64 {
		if d < s {
			return d
		}
		return s
	}},
	{x86.MAXPS, x86.MAXPD, x86.MAXSS, x86.MAXSD, func(d, s float64) float64 {
		if d > s {
			return d
		}
		return s
	}},
}

// number is a random number of moderate size.
func number(r *rand.Rand) float64 {
	return math.Ldexp(1+r.Float64(), r.IntN(60)-30)
}

func singles(v [4]float64) xmm {
	b := func(i int) uint32 { return math.Float32bits(float32(v[i])) }
	return xmm{pair(b(0), b(1)), pair(b(2), b(3))}
}

func doubles(a, b float64) xmm { return xmm{math.Float64bits(a), math.Float64bits(b)} }

// TestArithmeticLanes checks that every form applies its operation to the right
// lanes and leaves the others.
func TestArithmeticLanes(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(7, 8))
	for _, row := range arithmeticRows {
		for range 20 {
			var d, s, w [4]float64
			for i := range d {
				// Of binary64 operations on singles, one rounding
				// more does no harm.
				d[i], s[i] = float64(float32(number(r))), float64(float32(number(r)))
				w[i] = row.f(d[i], s[i])
			}
			c.checkLanes(t, row.ps, singles(d), singles(s), singles(w))
			c.checkLanes(t, row.ss, singles(d), singles(s), singles([4]float64{w[0], d[1], d[2], d[3]}))
			d[0], d[1], s[0], s[1] = number(r), number(r), number(r), number(r)
			w[0], w[1] = row.f(d[0], s[0]), row.f(d[1], s[1])
			c.checkLanes(t, row.pd, doubles(d[0], d[1]), doubles(s[0], s[1]), doubles(w[0], w[1]))
			c.checkLanes(t, row.sd, doubles(d[0], d[1]), doubles(s[0], s[1]), doubles(w[0], d[1]))
		}
	}
	d, s := [4]float64{1, 2, 4, 8}, [4]float64{16, 32, 64, 128}
	dd, ds := doubles(1, 2), doubles(16, 32)
	c.checkLanes(t, x86.ADDSUBPS, singles(d), singles(s), singles([4]float64{-15, 34, -60, 136}))
	c.checkLanes(t, x86.ADDSUBPD, dd, ds, doubles(-15, 34))
	c.checkLanes(t, x86.HADDPS, singles(d), singles(s), singles([4]float64{3, 12, 48, 192}))
	c.checkLanes(t, x86.HSUBPS, singles(d), singles(s), singles([4]float64{-1, -4, -16, -64}))
	c.checkLanes(t, x86.HADDPD, dd, ds, doubles(3, 48))
	c.checkLanes(t, x86.HSUBPD, dd, ds, doubles(-1, -16))
}

// checkLanes executes the register and the memory form of m.
func (c *CPU) checkLanes(t *testing.T, m x86.Op, d, s, want xmm) {
	t.Helper()
	for _, f := range formsOf(m) {
		for _, mem := range []bool{false, true} {
			c.FPU.MXCSR = mxDefault
			c.FPU.XMM[1], c.FPU.XMM[2] = d, s
			c.poke(t, bytes128(s))
			if st := c.execute1(t, encode(f, 1, 2, mem, 0)...); st != next || c.FPU.XMM[1] != want || c.FPU.XMM[2] != s {
				t.Fatalf("%v, memory %v: status %d\n d %x s %x\n got %x, want %x", f, mem, st, d, s, c.FPU.XMM[1], want)
			}
		}
	}
}

var (
	inf  = math.Inf(1)
	qnan = math.Float64frombits(0x7ff8000000000123)
	snan = math.Float64frombits(0x7ff0000000000123)
	tiny = math.Float64frombits(1)
	huge = math.MaxFloat64
)

// TestMXCSR checks rounding, DAZ, FTZ, the flags, and what is not masked: #XM,
// or #UD without CR4.OSXMMEXCPT, with the destination as it was (SDM vol. 1,
// 11.5).
func TestMXCSR(t *testing.T) {
	addpd := []byte{0x66, 0x0f, 0x58, 0xca}
	divpd := []byte{0x66, 0x0f, 0x5e, 0xca}
	mulpd := []byte{0x66, 0x0f, 0x59, 0xca}
	cvtpd2dq := []byte{0xf2, 0x0f, 0xe6, 0xca}
	for _, row := range []struct {
		name  string
		code  []byte
		mxcsr uint32
		d, s  xmm
		want  xmm
		flags uint32 // what MXCSR gains
		fault bool
	}{
		{"exact", addpd, mxDefault, doubles(1, 2), doubles(3, 4), doubles(4, 6), 0, false},
		{"nearest", divpd, mxDefault, doubles(1, -1), doubles(3, 3), xmm{0x3fd5555555555555, 0xbfd5555555555555}, mxPE, false},
		{"down", divpd, mxDefault | 1<<13, doubles(1, -1), doubles(3, 3), xmm{0x3fd5555555555555, 0xbfd5555555555556}, mxPE, false},
		{"up", divpd, mxDefault | 2<<13, doubles(1, -1), doubles(3, 3), xmm{0x3fd5555555555556, 0xbfd5555555555555}, mxPE, false},
		{"towards zero", divpd, mxDefault | 3<<13, doubles(2, -2), doubles(3, 3), xmm{0x3fe5555555555555, 0xbfe5555555555555}, mxPE, false},
		{"first NaN wins", addpd, mxDefault, doubles(qnan, 1), doubles(snan, snan), xmm{0x7ff8000000000123, 0x7ff8000000000123}, mxIE, false},
		{"indefinite", mulpd, mxDefault, doubles(inf, 1), doubles(0, 2), xmm{0xfff8000000000000, 0x4000000000000000}, mxIE, false},
		{"denormal operand", addpd, mxDefault, doubles(tiny, 0), doubles(0, 0), xmm{1, 0}, mxDE, false},
		{"DAZ", addpd, mxDefault | mxDAZ, doubles(tiny, 0), doubles(0, 0), xmm{0, 0}, 0, false},
		{"FTZ", mulpd, mxDefault | mxFTZ, doubles(0x1p-1000, 1), doubles(-0x1p-50, 1), xmm{1 << 63, 0x3ff0000000000000}, mxUE | mxPE, false},
		{"division by zero", divpd, mxDefault, doubles(1, 1), doubles(0, 1), doubles(inf, 1), mxZE, false},
		{"overflow", mulpd, mxDefault, doubles(huge, 1), doubles(2, 1), doubles(inf, 1), mxOE | mxPE, false},
		{"unmasked precision", divpd, mxDefault &^ mxPM, doubles(1, 1), doubles(3, 1), doubles(1, 1), mxPE, true},
		{"unmasked zero divide hides the other lane's precision", divpd, mxDefault &^ mxZM, doubles(1, 1), doubles(0, 3), doubles(1, 1), mxZE, true},
		{"but not its denormal", divpd, mxDefault &^ mxZM, doubles(1, tiny), doubles(0, 3), doubles(1, tiny), mxZE | mxDE, true},
		{"masked zero divide with unmasked precision", divpd, mxDefault &^ mxPM, doubles(1, 1), doubles(0, 3), doubles(1, 1), mxZE | mxPE, true},
		{"unmasked underflow of an exact result", mulpd, mxDefault &^ mxUM, doubles(0x1p-1022, 1), doubles(0.5, 1), doubles(0x1p-1022, 1), mxUE, true},
		{"integer indefinite", cvtpd2dq, mxDefault, xmm{}, doubles(0x1p31, -0x1p31), xmm{0x8000000080000000, 0}, mxIE, false},
		{"unmasked integer indefinite", cvtpd2dq, mxDefault &^ mxIM, xmm{5, 6}, doubles(0x1p31, 0.5), xmm{5, 6}, mxIE, true},
	} {
		for _, xmmexcpt := range []bool{true, false} {
			c := newSSE(t)
			vector := vecXM
			if !xmmexcpt {
				c.CR4 &^= cr4OSXMMEXCPT
				vector = vecUD
			}
			c.FPU.MXCSR = row.mxcsr
			c.FPU.XMM[1], c.FPU.XMM[2] = row.d, row.s
			st := c.execute1(t, row.code...)
			if (st == faulted) != row.fault || row.fault && c.Fault != (Fault{Vector: vector}) {
				t.Errorf("%s: status %d, fault %+v", row.name, st, c.Fault)
			}
			if c.FPU.XMM[1] != row.want || c.FPU.MXCSR != row.mxcsr|row.flags {
				t.Errorf("%s: %x, MXCSR %#x; want %x, %#x", row.name, c.FPU.XMM[1], c.FPU.MXCSR, row.want, row.mxcsr|row.flags)
			}
		}
	}
}

// TestFlagsAreSticky checks that flags of one instruction do not leak into the
// next and that LDMXCSR clears them.
func TestFlagsAreSticky(t *testing.T) {
	c := newSSE(t)
	div, load := []byte{0xf2, 0x0f, 0x5e, 0xca}, []byte{0x0f, 0xae, 0x15, 0, 0, 0x20, 0}
	c.FPU.XMM[1], c.FPU.XMM[2] = doubles(1, 0), doubles(3, 0)
	c.execute1(t, div...)
	c.poke(t, []byte{0x80, 0x1f, 0, 0})
	c.execute1(t, load...)
	if c.FPU.MXCSR != mxDefault {
		t.Fatalf("MXCSR %#x after LDMXCSR", c.FPU.MXCSR)
	}
	c.FPU.XMM[1], c.FPU.XMM[2] = doubles(4, 0), doubles(2, 0)
	c.execute1(t, div...)
	if c.FPU.MXCSR != mxDefault {
		t.Errorf("MXCSR %#x after an exact division", c.FPU.MXCSR)
	}
	c.FPU.XMM[1] = doubles(1, 0)
	c.FPU.XMM[2] = doubles(3, 0)
	c.execute1(t, div...)
	if c.FPU.MXCSR != mxDefault|mxPE {
		t.Errorf("MXCSR %#x after an inexact division", c.FPU.MXCSR)
	}
}

func TestComparisons(t *testing.T) {
	c := newSSE(t)
	type relation int
	const (
		lt relation = iota
		eq
		gt
		un
	)
	eflags := [4]uint32{flagCF, flagZF, 0, flagZF | flagPF | flagCF}
	holds := [8][]relation{{eq}, {lt}, {lt, eq}, {un}, {lt, gt, un}, {eq, gt, un}, {gt, un}, {lt, eq, gt}}
	signals := [8]bool{1: true, 2: true, 5: true, 6: true}
	for _, row := range []struct {
		a, b     float64
		r        relation
		snan     bool
		denormal bool
	}{
		{1, 2, lt, false, false}, {2, 1, gt, false, false}, {-1, -2, gt, false, false}, {3, 3, eq, false, false},
		{0, math.Copysign(0, -1), eq, false, false}, {-inf, inf, lt, false, false}, {inf, inf, eq, false, false},
		{qnan, 1, un, false, false}, {1, qnan, un, false, false}, {snan, 1, un, true, false}, {1, snan, un, true, false},
		{tiny, 1, lt, false, true}, {tiny, qnan, un, false, false},
	} {
		flags := func(signal bool) (f uint32) {
			if row.snan || row.r == un && signal {
				f |= mxIE
			}
			if row.denormal {
				f |= mxDE
			}
			return f
		}
		check := func(name string, signal bool) {
			if want := mxDefault | flags(signal); c.FPU.MXCSR != want {
				t.Errorf("%s %v, %v: MXCSR %#x, want %#x", name, row.a, row.b, c.FPU.MXCSR, want)
			}
		}
		set := func() {
			c.FPU.MXCSR = mxDefault
			c.FPU.XMM[1], c.FPU.XMM[2] = doubles(row.a, row.a), doubles(row.b, row.b)
		}
		for i, name := range []string{"UCOMISD", "COMISD"} {
			set()
			c.SetEFLAGS(0x8d5)
			c.execute1(t, 0x66, 0x0f, 0x2e+byte(i), 0xca)
			if got := c.EFLAGS() & arithFlags; got != eflags[row.r] {
				t.Errorf("%s %v, %v: flags %#x, want %#x", name, row.a, row.b, got, eflags[row.r])
			}
			check(name, i == 1)
		}
		for p := range byte(8) {
			want := uint64(0)
			for _, h := range holds[p] {
				if h == row.r {
					want = ^uint64(0)
				}
			}
			set()
			c.execute1(t, 0xf2, 0x0f, 0xc2, 0xca, p|0xf8)
			if got := c.FPU.XMM[1]; got != (xmm{want, math.Float64bits(row.a)}) {
				t.Errorf("CMPSD %v, %v, %d: %x, want %x", row.a, row.b, p, got, want)
			}
			check("CMPSD", signals[p])
			set()
			c.execute1(t, 0x66, 0x0f, 0xc2, 0xca, p)
			if got := c.FPU.XMM[1]; got != (xmm{want, want}) {
				t.Errorf("CMPPD %v, %v, %d: %x, want %x", row.a, row.b, p, got, want)
			}
		}
	}
}

// TestPackedCompareSingles checks the lanes of CMPPS and CMPSS and min and max of
// zeros and NaNs, whose second operand wins (SDM vol. 2B, MINPS).
func TestPackedCompareSingles(t *testing.T) {
	c := newSSE(t)
	zero := math.Copysign(0, -1)
	d, s := [4]float64{1, 5, 3, 0}, [4]float64{2, 4, 3, zero}
	for _, row := range []struct {
		code []byte
		want xmm
	}{
		{[]byte{0x0f, 0xc2, 0xca, 1}, xmm{0x00000000ffffffff, 0}},
		{[]byte{0x0f, 0xc2, 0xca, 2}, xmm{0x00000000ffffffff, 0xffffffffffffffff}},
		{[]byte{0xf3, 0x0f, 0xc2, 0xca, 1}, xmm{0x40a00000ffffffff, 0x40400000}},
		{[]byte{0x0f, 0x5d, 0xca}, singles([4]float64{1, 4, 3, zero})},
		{[]byte{0x0f, 0x5f, 0xca}, singles([4]float64{2, 5, 3, zero})},
	} {
		c.FPU.XMM[1], c.FPU.XMM[2] = singles(d), singles(s)
		c.execute1(t, row.code...)
		if c.FPU.XMM[1] != row.want {
			t.Errorf("% x: %x, want %x", row.code, c.FPU.XMM[1], row.want)
		}
	}
	for _, row := range []struct{ d, s xmm }{
		{doubles(qnan, 1), doubles(1, qnan)},
		{doubles(snan, 1), doubles(2, snan)},
	} {
		for _, op := range []byte{0x5d, 0x5f} {
			c.FPU.MXCSR = mxDefault
			c.FPU.XMM[1], c.FPU.XMM[2] = row.d, row.s
			c.execute1(t, 0x66, 0x0f, op, 0xca)
			if c.FPU.XMM[1] != row.s || c.FPU.MXCSR != mxDefault|mxIE {
				t.Errorf("%x: %x, MXCSR %#x; want %x", op, c.FPU.XMM[1], c.FPU.MXCSR, row.s)
			}
		}
	}
}

// TestApproximations holds RCPPS and RSQRTPS to a relative error of 1.5 * 2^-12
// and to the special cases of SDM vol. 2B.
func TestApproximations(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 20000 {
		s := uint32(1+r.IntN(252))<<23 | r.Uint32()>>9
		v := float64(math.Float32frombits(s))
		for name, got := range map[string]float64{
			"RCPPS":   float64(math.Float32frombits(reciprocal(s))) * v,
			"RSQRTPS": float64(math.Float32frombits(reciprocalSqrt(s))) * math.Sqrt(v),
		} {
			if e := math.Abs(got - 1); e > 1.5/4096 {
				t.Fatalf("%s of %v: relative error %v", name, v, e)
			}
		}
	}
	for _, row := range []struct{ s, rcp, rsqrt uint32 }{
		{0, inf32, inf32},
		{1 << 31, 1<<31 | inf32, 1<<31 | inf32},
		{1, inf32, inf32},
		{0x807fffff, 1<<31 | inf32, 1<<31 | inf32},
		{inf32, 0, 0},
		{1<<31 | inf32, 1 << 31, 0xffc00000},
		{0x7f800001, 0x7fc00001, 0x7fc00001},
		{0xff812345, 0xffc12345, 0xffc12345},
		{0x7e800000, 0, 0x20000000},
		{0xff7fffff, 1 << 31, 0xffc00000},
	} {
		if g, h := reciprocal(row.s), reciprocalSqrt(row.s); g != row.rcp || h != row.rsqrt {
			t.Errorf("%#x: %#x, %#x, want %#x, %#x", row.s, g, h, row.rcp, row.rsqrt)
		}
	}
	c := newSSE(t)
	d, s := [4]float64{9, 9, 9, 9}, [4]float64{0.25, 1, 4, 16}
	c.checkLanes(t, x86.RCPPS, singles(d), singles(s), singles([4]float64{4, 1, 0.25, 0.0625}))
	c.checkLanes(t, x86.RCPSS, singles(d), singles(s), singles([4]float64{4, 9, 9, 9}))
	c.checkLanes(t, x86.RSQRTPS, singles(d), singles(s), singles([4]float64{2, 1, 0.5, 0.25}))
	c.checkLanes(t, x86.RSQRTSS, singles(d), singles(s), singles([4]float64{2, 9, 9, 9}))
}
