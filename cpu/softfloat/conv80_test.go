package softfloat

import (
	"fmt"
	"math/big"
	"testing"
)

func TestStore(t *testing.T) {
	s := newSource(20)
	for range 30000 {
		for _, f := range []*binary{&binary32, &binary64} {
			a, e := s.finite(), s.env()
			switch s.IntN(3) {
			case 0:
				a = s.near(int(f.emin), 60)
			case 1:
				a = s.near(int(f.emax), 4)
			}
			var got uint64
			if f == &binary32 {
				got = uint64(e.Store32(a))
			} else {
				got = e.Store64(a)
			}
			want := refResult{value80(a), 0}
			if a.Mant != 0 {
				want = refRound(value80(a), refFormat{uint(f.precision), int(f.emin), int(f.emax), false}, &e)
			}
			if fault := want.flags & (OE | UE) &^ e.Masks; fault != 0 {
				if e.Flags != fault {
					t.Errorf("store of %x in %+v raises %x, want %x", a, e, e.Flags, fault)
				}
				continue
			}
			if !same(valueOf(f, got), want.value) || e.Flags != want.flags {
				t.Errorf("store of %x in %+v = %x, want %g flags %x", a, e, got, want.value, want.flags)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	s := newSource(21)
	for range 20000 {
		for _, f := range []*binary{&binary32, &binary64} {
			v := s.bits(f)
			e := FromControl(0x37f)
			var got F80
			if f == &binary32 {
				got = e.Load32(uint32(v))
			} else {
				got = e.Load64(v)
			}
			want := Flags(0)
			if f.isDenormal(v) {
				want = DE
			}
			if !same(value80(got), valueOf(f, v)) || e.Flags != want || got.SE&exp80 != 0 && got.Mant>>63 == 0 {
				t.Errorf("load of %x = %x flags %x", v, got, e.Flags)
			}
		}
	}
}

// TestNarrowNaN covers NaNs and infinities that change format.
func TestNarrowNaN(t *testing.T) {
	const nan = 0x7fff
	for _, c := range []struct {
		a     F80
		f32   uint32
		f64   uint64
		flags Flags
	}{
		{F80{0xc000000000000000, nan}, 0x7fc00000, 0x7ff8000000000000, 0},
		{F80{0xffffffffffffffff, 0xffff}, 0xffffffff, 0xffffffffffffffff, 0},
		{F80{0x8000000000000001, nan}, 0x7fc00000, 0x7ff8000000000000, IE},
		{F80{0xbfffffffffffffff, 0xffff}, 0xffffffff, 0xffffffffffffffff, IE},
		{F80{0x8000000000000000, nan}, 0x7f800000, 0x7ff0000000000000, 0},
		{F80{0x8000000000000000, 0xffff}, 0xff800000, 0xfff0000000000000, 0},
		{F80{0x0000000000000000, nan}, 0xffc00000, 0xfff8000000000000, IE},
		{F80{0x4000000000000000, 0x3fff}, 0xffc00000, 0xfff8000000000000, IE},
		{F80{0, 0x8000}, 0x80000000, 0x8000000000000000, 0},
	} {
		e := FromControl(0x37f)
		if got := e.Store32(c.a); got != c.f32 || e.Flags != c.flags {
			t.Errorf("%x to binary32 = %x flags %x", c.a, got, e.Flags)
		}
		e.Flags = 0
		if got := e.Store64(c.a); got != c.f64 || e.Flags != c.flags {
			t.Errorf("%x to binary64 = %x flags %x", c.a, got, e.Flags)
		}
	}
	for _, c := range []struct {
		v     uint32
		want  F80
		flags Flags
	}{
		{0x7f800001, F80{0xc000010000000000, nan}, IE},
		{0xffc00001, F80{0xc000010000000000, 0xffff}, 0},
		{0xff800000, F80{0x8000000000000000, 0xffff}, 0},
		{0x80000000, F80{0, 0x8000}, 0},
		{0x80000001, F80{0x8000000000000000, 0x8000 | 16383 - 149}, DE},
	} {
		e := FromControl(0x37f)
		if got := e.Load32(c.v); got != c.want || e.Flags != c.flags {
			t.Errorf("%x loads as %x flags %x", c.v, got, e.Flags)
		}
		wide, _ := Widen32(c.v)
		if quiet := wide.Mant | 1<<62; c.flags == IE && (wide.signaling() != true || quiet != c.want.Mant) {
			t.Errorf("%x widens to %x", c.v, wide)
		}
	}
}

// refInt is a float rounded to an integer of n bits.
func refInt(x *big.Float, n uint, rounding Rounding) (int64, Flags) {
	if x.MantExp(nil) > 70 {
		return -1 << (n - 1), IE
	}
	r := quantize(x, 0, rounding)
	i, _ := r.Int(nil)
	v := i.Int64()
	if !i.IsInt64() || v<<(64-n)>>(64-n) != v {
		return -1 << (n - 1), IE
	}
	var flags Flags
	if r.Cmp(x) != 0 {
		flags = PE
		if float().Abs(r).Cmp(float().Abs(x)) > 0 {
			flags |= C1
		}
	}
	return v, flags
}

// edge returns a number near an integer boundary, or any.
func (s source) edge() F80 {
	if s.IntN(2) == 0 {
		return s.finite()
	}
	a := FromInt(int64(s.Uint64()) >> s.IntN(64))
	switch s.IntN(4) {
	case 0:
		a = FromInt(1 << s.IntN(63))
		a.Mant += uint64(s.IntN(5)) << s.IntN(40)
	case 1:
		a.Mant--
		if a.Mant>>63 == 0 {
			a = s.near(62, 2)
		}
	case 2:
		a = s.near(-1, 1)
	}
	a.SE |= uint16(s.IntN(2)) << 15
	return a
}

func TestToInt80(t *testing.T) {
	s := newSource(22)
	for range 30000 {
		a, e := s.edge(), s.env()
		for _, n := range []uint{16, 32, 64} {
			for _, truncate := range []bool{false, true} {
				e := e
				rounding := e.Rounding
				var got int64
				if truncate {
					rounding = Zero
					got = e.Truncate80(a, n)
				} else {
					got = e.ToInt80(a, n)
				}
				if want, flags := refInt(value80(a), n, rounding); got != want || e.Flags != flags {
					t.Errorf("%x to int%d in %+v = %d, want %d flags %x", a, n, e, got, want, flags)
				}
			}
		}
	}
	for _, a := range []F80{Indefinite80, infinity80(false), infinity80(true), {1 << 62, 0x3fff}, {0, 0x7fff}} {
		e := FromControl(0x37f)
		if got := e.ToInt80(a, 32); got != -1<<31 || e.Flags != IE {
			t.Errorf("%x to int32 = %d flags %x", a, got, e.Flags)
		}
	}
}

func TestFromInt(t *testing.T) {
	s := newSource(23)
	for range 5000 {
		v := int64(s.Uint64()) >> s.IntN(64)
		if got := FromInt(v); !same(value80(got), float().SetInt64(v)) || v != 0 && got.Mant>>63 == 0 {
			t.Errorf("%d = %x", v, got)
		}
	}
}

func TestRoundInt80(t *testing.T) {
	s := newSource(24)
	for range 30000 {
		a, e := s.edge(), s.env()
		e.Masks |= DE
		got := e.RoundInt80(a)
		want, flags := value80(a), denormal80(a, a)
		if want.MantExp(nil) < 70 {
			want = quantize(want, 0, e.Rounding)
			if want.Cmp(value80(a)) != 0 {
				flags |= PE
				if float().Abs(want).Cmp(value80(a.Abs())) > 0 {
					flags |= C1
				}
			}
		}
		if !same(value80(got), want) || e.Flags != flags {
			t.Errorf("%x rounds in %+v to %x, want %g flags %x", a, e, got, want, flags)
		}
	}
}

func TestBCD(t *testing.T) {
	s := newSource(25)
	for range 20000 {
		a, e := s.edge(), s.env()
		got := e.ToBCD(a)
		want, flags := refInt(value80(a), 64, e.Rounding)
		if flags == IE || want > 999999999999999999 || want < -999999999999999999 {
			if got != (BCD{7: 0xc0, 8: 0xff, 9: 0xff}) || e.Flags != IE {
				t.Errorf("%x to BCD = %x flags %x", a, got, e.Flags)
			}
			continue
		}
		digits := fmt.Sprintf("%018d", max(want, -want))
		text := ""
		for i := 8; i >= 0; i-- {
			text += fmt.Sprintf("%02x", got[i])
		}
		if text != digits || got[9] != byte(a.SE>>8&0x80) || e.Flags != flags {
			t.Errorf("%x to BCD in %+v = %x, want %s flags %x", a, e, got, digits, flags)
		}
		if back := FromBCD(got); !same(value80(back), quantize(value80(a), 0, e.Rounding)) {
			t.Errorf("BCD %x = %x", got, back)
		}
	}
}

// TestConstants compares to the 66 bits of SDM vol. 1, 8.3.8, and to the
// tables of what each rounding makes of them.
func TestConstants(t *testing.T) {
	for c, want := range map[Constant][4]F80{
		Log2Ten: {{0xd49a784bcd1b8afe, 0x4000}, {0xd49a784bcd1b8afe, 0x4000}, {0xd49a784bcd1b8aff, 0x4000}, {0xd49a784bcd1b8afe, 0x4000}},
		Log2E:   {{0xb8aa3b295c17f0bc, 0x3fff}, {0xb8aa3b295c17f0bb, 0x3fff}, {0xb8aa3b295c17f0bc, 0x3fff}, {0xb8aa3b295c17f0bb, 0x3fff}},
		Pi:      {{0xc90fdaa22168c235, 0x4000}, {0xc90fdaa22168c234, 0x4000}, {0xc90fdaa22168c235, 0x4000}, {0xc90fdaa22168c234, 0x4000}},
		LogTwo:  {{0x9a209a84fbcff799, 0x3ffd}, {0x9a209a84fbcff798, 0x3ffd}, {0x9a209a84fbcff799, 0x3ffd}, {0x9a209a84fbcff798, 0x3ffd}},
		LnTwo:   {{0xb17217f7d1cf79ac, 0x3ffe}, {0xb17217f7d1cf79ab, 0x3ffe}, {0xb17217f7d1cf79ac, 0x3ffe}, {0xb17217f7d1cf79ab, 0x3ffe}},
	} {
		for mode, w := range want {
			e := Env{Masks: exceptions, Precision: 24, Rounding: Rounding(mode)}
			if got := e.Constant(c); got != w || e.Flags != 0 {
				t.Errorf("constant %d in mode %d = %x flags %x, want %x", c, mode, got, e.Flags, w)
			}
		}
	}
}
