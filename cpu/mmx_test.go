package cpu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

// reference computes an integer instruction on a destination and a source of 8
// or 16 bytes, lane by lane.
type reference func(d, s []byte, imm int) []byte

// lane reads a lane of w bytes as a signed number.
func lane(b []byte, w, i int) int64 {
	var v [8]byte
	copy(v[:], b[i*w:(i+1)*w])
	return int64(binary.LittleEndian.Uint64(v[:])) << (64 - 8*w) >> (64 - 8*w)
}

func unsignedLane(b []byte, w, i int) int64 { return lane(b, w, i) & (1<<(8*w) - 1) }

func appendLane(b []byte, w int, v int64) []byte {
	var t [8]byte
	binary.LittleEndian.PutUint64(t[:], uint64(v))
	return append(b, t[:w]...)
}

func eachLane(w int, f func(a, b int64) int64) reference {
	return func(d, s []byte, _ int) (r []byte) {
		for i := range len(d) / w {
			r = appendLane(r, w, f(lane(d, w, i), lane(s, w, i)))
		}
		return r
	}
}

func eachUnsigned(w int, f func(a, b int64) int64) reference {
	return func(d, s []byte, _ int) (r []byte) {
		for i := range len(d) / w {
			r = appendLane(r, w, f(unsignedLane(d, w, i), unsignedLane(s, w, i)))
		}
		return r
	}
}

func clamp(v int64, w int) int64  { return min(max(v, -1<<(8*w-1)), 1<<(8*w-1)-1) }
func clampU(v int64, w int) int64 { return min(max(v, 0), 1<<(8*w)-1) }

func add(a, b int64) int64 { return a + b }
func sub(a, b int64) int64 { return a - b }

func signed(w int, f func(a, b int64) int64) reference {
	return eachLane(w, func(a, b int64) int64 { return clamp(f(a, b), w) })
}

func unsigned(w int, f func(a, b int64) int64) reference {
	return eachUnsigned(w, func(a, b int64) int64 { return clampU(f(a, b), w) })
}

func ones(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

func refEqual(w int) reference {
	return eachLane(w, func(a, b int64) int64 { return ones(a == b) })
}

func refGreater(w int) reference {
	return eachLane(w, func(a, b int64) int64 { return ones(a > b) })
}

func refSign(w int) reference {
	return eachLane(w, func(a, b int64) int64 {
		switch {
		case b < 0:
			return -a
		case b == 0:
			return 0
		}
		return a
	})
}

func refAbs(w int) reference { return eachLane(w, func(_, b int64) int64 { return max(b, -b) }) }

func refShift(w int, f func(v int64, n uint64) int64) reference {
	return func(d, s []byte, imm int) (r []byte) {
		n := le64(s)
		if imm >= 0 {
			n = uint64(imm)
		}
		for i := range len(d) / w {
			r = appendLane(r, w, f(lane(d, w, i), n))
		}
		return r
	}
}

func refSRL(w int) reference {
	return refShift(w, func(v int64, n uint64) int64 {
		return int64(uint64(v) << (64 - 8*w) >> (64 - 8*w) >> n)
	})
}

func refSRA(w int) reference {
	return refShift(w, func(v int64, n uint64) int64 { return v >> n })
}

func refSLL(w int) reference {
	return refShift(w, func(v int64, n uint64) int64 { return v << n })
}

func refPack(w int, f func(v int64, w int) int64) reference {
	return func(d, s []byte, _ int) (r []byte) {
		for _, b := range [][]byte{d, s} {
			for i := range len(b) / w {
				r = appendLane(r, w/2, f(lane(b, w, i), w/2))
			}
		}
		return r
	}
}

func refHorizontal(w int, f func(a, b int64) int64) reference {
	return func(d, s []byte, _ int) (r []byte) {
		for _, b := range [][]byte{d, s} {
			for i := 0; i < len(b)/w; i += 2 {
				r = appendLane(r, w, f(lane(b, w, i), lane(b, w, i+1)))
			}
		}
		return r
	}
}

func refUnpack(w int, high bool) reference {
	return func(d, s []byte, _ int) (r []byte) {
		n := len(d) / w
		from := 0
		if high {
			from = n / 2
		}
		for i := from; i < from+n/2; i++ {
			r = appendLane(r, w, lane(d, w, i))
			r = appendLane(r, w, lane(s, w, i))
		}
		return r
	}
}

func refShuffle(w, from int) reference {
	return func(_, s []byte, imm int) (r []byte) {
		r = append(r, s...)
		for i := range 4 {
			copy(r[from+i*w:], s[from+imm>>(2*i)&3*w:][:w])
		}
		return r
	}
}

// integerRows is every integer instruction of two operands of equal size.
var integerRows = []struct {
	op  x86.Op
	ref reference
}{
	{x86.PADDB, eachLane(1, add)}, {x86.PADDW, eachLane(2, add)}, {x86.PADDD, eachLane(4, add)}, {x86.PADDQ, eachLane(8, add)},
	{x86.PSUBB, eachLane(1, sub)}, {x86.PSUBW, eachLane(2, sub)}, {x86.PSUBD, eachLane(4, sub)}, {x86.PSUBQ, eachLane(8, sub)},
	{x86.PADDSB, signed(1, add)}, {x86.PADDSW, signed(2, add)}, {x86.PSUBSB, signed(1, sub)}, {x86.PSUBSW, signed(2, sub)},
	{x86.PADDUSB, unsigned(1, add)}, {x86.PADDUSW, unsigned(2, add)}, {x86.PSUBUSB, unsigned(1, sub)}, {x86.PSUBUSW, unsigned(2, sub)},
	{x86.PMINUB, eachUnsigned(1, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXUB, eachUnsigned(1, func(a, b int64) int64 { return max(a, b) })},
	{x86.PMINSW, eachLane(2, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXSW, eachLane(2, func(a, b int64) int64 { return max(a, b) })},
	{x86.PAVGB, eachUnsigned(1, func(a, b int64) int64 { return (a + b + 1) >> 1 })},
	{x86.PAVGW, eachUnsigned(2, func(a, b int64) int64 { return (a + b + 1) >> 1 })},
	{x86.PCMPEQB, refEqual(1)}, {x86.PCMPEQW, refEqual(2)}, {x86.PCMPEQD, refEqual(4)},
	{x86.PCMPGTB, refGreater(1)}, {x86.PCMPGTW, refGreater(2)}, {x86.PCMPGTD, refGreater(4)},
	{x86.PSIGNB, refSign(1)}, {x86.PSIGNW, refSign(2)}, {x86.PSIGND, refSign(4)},
	{x86.PABSB, refAbs(1)}, {x86.PABSW, refAbs(2)}, {x86.PABSD, refAbs(4)},
	{x86.PAND, eachLane(8, func(a, b int64) int64 { return a & b })}, {x86.ANDPS, eachLane(4, func(a, b int64) int64 { return a & b })},
	{x86.ANDPD, eachLane(8, func(a, b int64) int64 { return a & b })}, {x86.PANDN, eachLane(8, func(a, b int64) int64 { return ^a & b })},
	{x86.ANDNPS, eachLane(4, func(a, b int64) int64 { return ^a & b })}, {x86.ANDNPD, eachLane(8, func(a, b int64) int64 { return ^a & b })},
	{x86.POR, eachLane(8, func(a, b int64) int64 { return a | b })}, {x86.ORPS, eachLane(4, func(a, b int64) int64 { return a | b })},
	{x86.ORPD, eachLane(8, func(a, b int64) int64 { return a | b })}, {x86.PXOR, eachLane(8, func(a, b int64) int64 { return a ^ b })},
	{x86.XORPS, eachLane(4, func(a, b int64) int64 { return a ^ b })}, {x86.XORPD, eachLane(8, func(a, b int64) int64 { return a ^ b })},
	{x86.PMULLW, eachLane(2, func(a, b int64) int64 { return a * b })},
	{x86.PMULHW, eachLane(2, func(a, b int64) int64 { return a * b >> 16 })},
	{x86.PMULHUW, eachUnsigned(2, func(a, b int64) int64 { return a * b >> 16 })},
	{x86.PMULHRSW, eachLane(2, func(a, b int64) int64 { return (a*b + 0x4000) >> 15 })},
	{x86.PMULUDQ, eachUnsigned(8, func(a, b int64) int64 { return int64(uint64(uint32(a)) * uint64(uint32(b))) })},
	{x86.PMADDWD, func(d, s []byte, _ int) (r []byte) {
		for i := 0; i < len(d)/2; i += 2 {
			r = appendLane(r, 4, lane(d, 2, i)*lane(s, 2, i)+lane(d, 2, i+1)*lane(s, 2, i+1))
		}
		return r
	}},
	{x86.PMADDUBSW, func(d, s []byte, _ int) (r []byte) {
		for i := 0; i < len(d); i += 2 {
			r = appendLane(r, 2, clamp(unsignedLane(d, 1, i)*lane(s, 1, i)+unsignedLane(d, 1, i+1)*lane(s, 1, i+1), 2))
		}
		return r
	}},
	{x86.PSADBW, func(d, s []byte, _ int) (r []byte) {
		for i := 0; i < len(d); i += 8 {
			sum := int64(0)
			for k := i; k < i+8; k++ {
				diff := unsignedLane(d, 1, k) - unsignedLane(s, 1, k)
				sum += max(diff, -diff)
			}
			r = appendLane(r, 8, sum)
		}
		return r
	}},
	{x86.PACKSSWB, refPack(2, clamp)}, {x86.PACKUSWB, refPack(2, clampU)}, {x86.PACKSSDW, refPack(4, clamp)},
	{x86.PHADDW, refHorizontal(2, add)}, {x86.PHADDD, refHorizontal(4, add)},
	{x86.PHSUBW, refHorizontal(2, sub)}, {x86.PHSUBD, refHorizontal(4, sub)},
	{x86.PHADDSW, refHorizontal(2, func(a, b int64) int64 { return clamp(a+b, 2) })},
	{x86.PHSUBSW, refHorizontal(2, func(a, b int64) int64 { return clamp(a-b, 2) })},
	{x86.PSLLW, refSLL(2)}, {x86.PSLLD, refSLL(4)}, {x86.PSLLQ, refSLL(8)},
	{x86.PSRLW, refSRL(2)}, {x86.PSRLD, refSRL(4)}, {x86.PSRLQ, refSRL(8)},
	{x86.PSRAW, refSRA(2)}, {x86.PSRAD, refSRA(4)},
	{x86.PUNPCKLBW, refUnpack(1, false)}, {x86.PUNPCKLWD, refUnpack(2, false)}, {x86.PUNPCKLDQ, refUnpack(4, false)},
	{x86.PUNPCKHBW, refUnpack(1, true)}, {x86.PUNPCKHWD, refUnpack(2, true)}, {x86.PUNPCKHDQ, refUnpack(4, true)},
	{x86.PUNPCKLQDQ, refUnpack(8, false)}, {x86.PUNPCKHQDQ, refUnpack(8, true)},
	{x86.UNPCKLPS, refUnpack(4, false)}, {x86.UNPCKHPS, refUnpack(4, true)},
	{x86.UNPCKLPD, refUnpack(8, false)}, {x86.UNPCKHPD, refUnpack(8, true)},
	{x86.PSHUFW, refShuffle(2, 0)}, {x86.PSHUFLW, refShuffle(2, 0)}, {x86.PSHUFHW, refShuffle(2, 8)}, {x86.PSHUFD, refShuffle(4, 0)},
	{x86.SHUFPS, func(d, s []byte, imm int) (r []byte) {
		for i := range 4 {
			from := [][]byte{d, d, s, s}[i]
			r = appendLane(r, 4, lane(from, 4, imm>>(2*i)&3))
		}
		return r
	}},
	{x86.SHUFPD, func(d, s []byte, imm int) (r []byte) {
		return appendLane(appendLane(r, 8, lane(d, 8, imm&1)), 8, lane(s, 8, imm>>1&1))
	}},
	{x86.PSHUFB, func(d, s []byte, _ int) (r []byte) {
		for i := range s {
			if s[i]&0x80 != 0 {
				r = append(r, 0)
			} else {
				r = append(r, d[int(s[i])%len(d)])
			}
		}
		return r
	}},
	{x86.PALIGNR, func(d, s []byte, imm int) []byte {
		row := append(append(append([]byte(nil), s...), d...), make([]byte, 256)...)
		return row[imm:][:len(d)]
	}},
	{x86.PSRLDQ, func(d, _ []byte, imm int) []byte {
		return append(append([]byte(nil), d...), make([]byte, 256)...)[imm:][:16]
	}},
	{x86.PSLLDQ, func(d, _ []byte, imm int) []byte {
		return append(make([]byte, min(imm, 16)), d...)[:16]
	}},
}

var edgeBytes = []byte{0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x0f, 3}

// operand16 gives 16 bytes, often at the edges of the lanes.
func operand16(r *rand.Rand) []byte {
	b := make([]byte, 16)
	mode := r.IntN(4)
	for i := range b {
		switch {
		case mode == 0, mode == 1 && r.IntN(2) == 0:
			b[i] = byte(r.Uint32())
		case mode == 3 && i%8 != 0:
			b[i] = 0
		default:
			b[i] = edgeBytes[r.IntN(len(edgeBytes))]
		}
	}
	return b
}

// TestPackedIntegers holds every form of every row against its reference, with
// register and memory operands, and checks what else changes.
func TestPackedIntegers(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, row := range integerRows {
		forms := formsOf(row.op)
		if len(forms) == 0 {
			t.Errorf("%v: no forms", row.op)
		}
		for _, f := range forms {
			for _, mem := range []bool{false, true} {
				if !takes(f, mem) {
					continue
				}
				for range 60 {
					c.checkInteger(t, r, f, mem, row.ref)
				}
			}
		}
	}
}

// checkInteger runs form f on random operands.
func (c *CPU) checkInteger(t *testing.T, r *rand.Rand, f *x86.FormRow, mem bool, ref reference) {
	t.Helper()
	for i := range c.FPU.XMM {
		c.FPU.XMM[i] = to128(operand16(r))
		c.FPU.Mant[i] = le64(operand16(r))
		c.FPU.SE[i] = uint16(r.Uint32())
	}
	c.FPU.SW, c.FPU.Used = uint16(r.Uint32())&^fpuES, uint8(r.Uint32())
	reg, rm, imm := byte(r.IntN(8)), byte(r.IntN(8)), byte(r.IntN(24))
	if f.Args[0].XMM() && r.IntN(8) == 0 || r.IntN(16) == 0 {
		imm = byte(r.Uint32())
	}
	m := operand16(r)
	c.poke(t, m)
	before := c.FPU
	code := encode(f, reg, rm, mem, imm)
	dst, mmx := reg, f.Args[0].MMX()
	if f.Sel != 0 { // shifts by an immediate: the destination is r/m
		dst = rm
	}
	d, s := bytes128(c.FPU.XMM[dst]), bytes128(c.FPU.XMM[rm])
	if mmx {
		d = binary.LittleEndian.AppendUint64(nil, c.FPU.Mant[dst])
		s = binary.LittleEndian.AppendUint64(nil, c.FPU.Mant[rm])
	}
	if mem {
		s = m[:len(d)]
	}
	n := -1
	if f.Args[1] == x86.Ib || f.Args[2] == x86.Ib {
		n = int(imm)
	}
	want := before
	r16 := ref(append([]byte(nil), d...), s, n)
	if mmx {
		want.Mant[dst], want.SE[dst] = le64(r16), 0xffff
		want.SW, want.Used = want.SW&^fpuTOP, 0xff
	} else {
		want.XMM[dst] = to128(r16)
	}
	if st := c.execute1(t, code...); st != next {
		t.Fatalf("%v: status %d, fault %+v", f, st, c.Fault)
	}
	if c.FPU != want {
		t.Fatalf("%v (% x):\n d %x\n s %x\n got  %x\n want %x", f, code, d, s, c.FPU, want)
	}
}

// TestMaskedStores checks that MASKMOVQ and MASKMOVDQU store what the mask
// says, and change nothing when a byte to be stored cannot be.
func TestMaskedStores(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		old, data, mask := operand16(r), operand16(r), operand16(r)
		for _, mmx := range []bool{true, false} {
			n, code := 16, []byte{0x66, 0x0f, 0xf7, 0xca}
			if mmx {
				n, code = 8, code[1:]
			}
			c.poke(t, old)
			c.R[edi] = scratch
			c.FPU.XMM[1], c.FPU.XMM[2] = to128(data), to128(mask)
			c.FPU.Mant[1], c.FPU.Mant[2] = le64(data), le64(mask)
			want := append([]byte(nil), old...)
			for i := range n {
				if mask[i]&0x80 != 0 {
					want[i] = data[i]
				}
			}
			if st := c.execute1(t, code...); st != next {
				t.Fatalf("mmx %v: status %d", mmx, st)
			}
			if got := c.at(16); !bytes.Equal(got, want) {
				t.Fatalf("mmx %v: stored %x, want %x", mmx, got, want)
			}
		}
	}

	// A byte that is not selected faults as well.
	c.Seg[segDS].Limit = scratch + 14
	c.Seg[segDS].refresh()
	for _, mask := range []xmm{{}, {0x80}} {
		before := c.at(16)
		c.FPU.XMM[1], c.FPU.XMM[2] = xmm{0x1111111111111111, 0x1111111111111111}, mask
		if st := c.execute1(t, 0x66, 0x0f, 0xf7, 0xca); st != faulted || c.Fault != (Fault{Vector: vecGP, HasCode: true}) {
			t.Errorf("mask %x: status %d, fault %+v", mask, st, c.Fault)
		}
		if !bytes.Equal(before, c.at(16)) {
			t.Errorf("mask %x: memory changed", mask)
		}
	}
}

// TestMaskedStoreAlignment checks #AC: MASKMOVDQU needs 8 bytes of alignment, as
// silicon shows.
func TestMaskedStoreAlignment(t *testing.T) {
	c := newSSE(t)
	c.CPL, c.CR0, c.Flags = 3, c.CR0|cr0AM, c.Flags|flagAC
	c.Reload()
	for off, want := range map[uint32]status{0: next, 4: faulted, 8: next, 9: faulted} {
		c.R[edi] = scratch + off
		if st := c.execute1(t, 0x66, 0x0f, 0xf7, 0xca); st != want || st == faulted && c.Fault.Vector != vecAC {
			t.Errorf("offset %d: status %d, fault %+v", off, st, c.Fault)
		}
	}
}
