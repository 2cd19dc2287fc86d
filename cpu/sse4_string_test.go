package cpu

import (
	"math/rand/v2"
	"testing"
)

// refString is SDM vol. 2B, 4.1 in its own terms: BoolRes[j][i] compares element
// j of the second operand with element i of the first one, and is overridden as
// table 4-7 says.
type refString struct {
	a, b   []byte
	la, lb int
	imm    byte
}

func (s *refString) n() int { return 16 >> (s.imm & 1) }

func (s *refString) element(b []byte, i int) int64 {
	w := 1 + int(s.imm&1)
	if s.imm&2 != 0 {
		return lane(b, w, i)
	}
	return unsignedLane(b, w, i)
}

func (s *refString) boolRes(j, i int) bool {
	validA, validB := i < s.la, j < s.lb
	a, b := s.element(s.a, i), s.element(s.b, j)
	switch s.imm >> 2 & 3 {
	case 0:
		return validA && validB && a == b
	case 1:
		if i%2 == 0 {
			return validA && validB && b >= a
		}
		return validA && validB && b <= a
	case 2:
		return !validA && !validB || validA && validB && a == b
	}
	return !validA || validB && a == b
}

// result is IntRes2.
func (s *refString) result() (set uint32) {
	n := s.n()
	for j := range n {
		var bit bool
		switch s.imm >> 2 & 3 {
		case 0:
			for i := range n {
				bit = bit || s.boolRes(j, i)
			}
		case 1:
			for i := 0; i < n; i += 2 {
				bit = bit || s.boolRes(j, i) && s.boolRes(j, i+1)
			}
		case 2:
			bit = s.boolRes(j, j)
		case 3:
			bit = true
			for i, k := 0, j; k < n; i, k = i+1, k+1 {
				bit = bit && s.boolRes(k, i)
			}
		}
		if s.imm>>4&1 != 0 && (s.imm>>5&1 == 0 || j < s.lb) {
			bit = !bit
		}
		if bit {
			set |= 1 << j
		}
	}
	return set
}

func (s *refString) flags(set uint32) (f uint32) {
	for _, x := range []struct {
		on   bool
		flag uint32
	}{{set != 0, flagCF}, {s.lb < s.n(), flagZF}, {s.la < s.n(), flagSF}, {set&1 != 0, flagOF}} {
		if x.on {
			f |= x.flag
		}
	}
	return f
}

// TestStringComparisons goes through all immediates, with lengths around the
// ends.
func TestStringComparisons(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(19, 20))
	lengths := []int32{0, 1, 3, 7, 8, 9, 15, 16, 17, -1, -8, -16, -100, 100, -1 << 31, 1<<31 - 1}
	for k := range 256 * 60 {
		s := refString{imm: byte(k), a: make([]byte, 16), b: make([]byte, 16)}
		letters := [][]byte{{1, 2}, {0, 1, 2, 0x80, 0xff}, {0, 0x10, 0x7f, 0x80, 0xf0}}[r.IntN(3)]
		for i := range 16 {
			s.a[i], s.b[i] = letters[r.IntN(len(letters))], letters[r.IntN(len(letters))]
		}
		implicit, mask := r.IntN(2) == 0, r.IntN(2) == 0
		c.R[eax], c.R[edx] = uint32(lengths[r.IntN(len(lengths))]), uint32(lengths[r.IntN(len(lengths))])
		length := func(b []byte, reg uint32) int {
			if !implicit {
				v := int64(int32(reg))
				return int(min(max(v, -v), int64(s.n())))
			}
			for i := range s.n() {
				if s.element(b, i) == 0 {
					return i
				}
			}
			return s.n()
		}
		s.la, s.lb = length(s.a, c.R[eax]), length(s.b, c.R[edx])
		set := s.result()
		op := byte(0x60)
		if implicit {
			op += 2
		}
		if !mask {
			op++
		}
		c.FPU.XMM[1], c.FPU.XMM[2] = to128(s.a), to128(s.b)
		if st := c.execute1(t, 0x66, 0x0f, 0x3a, op, 0xca, s.imm); st != next {
			t.Fatalf("status %d", st)
		}
		if got := c.EFLAGS() & arithFlags; got != s.flags(set) {
			t.Fatalf("%+v: flags %x, want %x", s, got, s.flags(set))
		}
		s.checkRegister(t, c, set, mask)
	}
}

func (s *refString) checkRegister(t *testing.T, c *CPU, set uint32, mask bool) {
	t.Helper()
	if mask {
		want := make([]byte, 16)
		for i := range s.n() {
			if s.imm&0x40 == 0 {
				want[i/8] |= byte(set >> i & 1 << (i % 8))
			} else if w := 16 / s.n(); set>>i&1 != 0 {
				want[i*w], want[i*w+w-1] = 0xff, 0xff
			}
		}
		if c.FPU.XMM[0] != to128(want) {
			t.Fatalf("%+v: mask %x, want %x", s, c.FPU.XMM[0], want)
		}
		return
	}
	want := uint32(s.n())
	for i := range uint32(s.n()) {
		if set>>i&1 != 0 && (want == uint32(s.n()) || s.imm&0x40 != 0) {
			want = i
		}
	}
	if c.R[ecx] != want {
		t.Fatalf("%+v: index %d, want %d", s, c.R[ecx], want)
	}
}
