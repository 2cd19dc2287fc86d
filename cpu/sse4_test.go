package cpu

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

func refBlend(w int) reference {
	return func(d, s []byte, imm int) (r []byte) {
		for i := range len(d) / w {
			from := d
			if imm>>i&1 != 0 {
				from = s
			}
			r = append(r, from[i*w:(i+1)*w]...)
		}
		return r
	}
}

func refExtend(from, to int, f func(b []byte, w, i int) int64) reference {
	return func(_, s []byte, _ int) (r []byte) {
		for i := range 16 / to {
			r = appendLane(r, to, f(s, from, i))
		}
		return r
	}
}

// sse4Rows is every integer instruction of SSE4 with two XMM operands of which
// the result depends on nothing else.
var sse4Rows = []struct {
	op  x86.Op
	ref reference
}{
	{x86.PMINSB, eachLane(1, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXSB, eachLane(1, func(a, b int64) int64 { return max(a, b) })},
	{x86.PMINSD, eachLane(4, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXSD, eachLane(4, func(a, b int64) int64 { return max(a, b) })},
	{x86.PMINUW, eachUnsigned(2, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXUW, eachUnsigned(2, func(a, b int64) int64 { return max(a, b) })},
	{x86.PMINUD, eachUnsigned(4, func(a, b int64) int64 { return min(a, b) })},
	{x86.PMAXUD, eachUnsigned(4, func(a, b int64) int64 { return max(a, b) })},
	{x86.PCMPEQQ, refEqual(8)}, {x86.PCMPGTQ, refGreater(8)},
	{x86.PMULLD, eachLane(4, func(a, b int64) int64 { return a * b })},
	{x86.PMULDQ, eachLane(8, func(a, b int64) int64 { return int64(int32(a)) * int64(int32(b)) })},
	{x86.PACKUSDW, refPack(4, clampU)},
	{x86.BLENDPS, refBlend(4)}, {x86.BLENDPD, refBlend(8)}, {x86.PBLENDW, refBlend(2)},
	{x86.PMOVSXBW, refExtend(1, 2, lane)}, {x86.PMOVSXBD, refExtend(1, 4, lane)}, {x86.PMOVSXBQ, refExtend(1, 8, lane)},
	{x86.PMOVSXWD, refExtend(2, 4, lane)}, {x86.PMOVSXWQ, refExtend(2, 8, lane)}, {x86.PMOVSXDQ, refExtend(4, 8, lane)},
	{x86.PMOVZXBW, refExtend(1, 2, unsignedLane)}, {x86.PMOVZXBD, refExtend(1, 4, unsignedLane)},
	{x86.PMOVZXBQ, refExtend(1, 8, unsignedLane)}, {x86.PMOVZXWD, refExtend(2, 4, unsignedLane)},
	{x86.PMOVZXWQ, refExtend(2, 8, unsignedLane)}, {x86.PMOVZXDQ, refExtend(4, 8, unsignedLane)},
	{x86.PHMINPOSUW, func(_, s []byte, _ int) []byte {
		least, at := int64(math.MaxInt64), int64(0)
		for i := range 8 {
			if v := unsignedLane(s, 2, i); v < least {
				least, at = v, int64(i)
			}
		}
		return appendLane(appendLane(nil, 8, at<<16|least), 8, 0)
	}},
	{x86.MPSADBW, func(d, s []byte, imm int) (r []byte) {
		for i := range 8 {
			sum := int64(0)
			for k := range 4 {
				diff := unsignedLane(d, 1, imm>>2&1*4+i+k) - unsignedLane(s, 1, imm&3*4+k)
				sum += max(diff, -diff)
			}
			r = appendLane(r, 2, sum)
		}
		return r
	}},
	{x86.PCLMULQDQ, func(d, s []byte, imm int) (r []byte) {
		a, b := le64(d[imm&1*8:]), le64(s[imm>>4&1*8:])
		var lo, hi uint64
		for i := range 64 {
			if b>>i&1 != 0 {
				lo ^= a << i
				hi ^= a >> (64 - i)
			}
		}
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(r, lo), hi)
	}},
}

func TestSSE4Integers(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(11, 12))
	for _, row := range sse4Rows {
		for _, f := range formsOf(row.op) {
			for _, mem := range []bool{false, true} {
				for range 60 {
					c.checkInteger(t, r, f, mem, row.ref)
				}
			}
		}
	}
}

// TestBlendByMask: XMM0 is the mask, and may be an operand as well.
func TestBlendByMask(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(13, 14))
	for op, w := range map[x86.Op]int{x86.PBLENDVB: 1, x86.BLENDVPS: 4, x86.BLENDVPD: 8} {
		for range 100 {
			reg, rm := byte(r.IntN(3)), byte(r.IntN(3))
			for i := range c.FPU.XMM {
				c.FPU.XMM[i] = to128(operand16(r))
			}
			d, s, m := bytes128(c.FPU.XMM[reg]), bytes128(c.FPU.XMM[rm]), bytes128(c.FPU.XMM[0])
			set := 0
			for i := range 16 / w {
				if lane(m, w, i) < 0 {
					set |= 1 << i
				}
			}
			want := refBlend(w)(d, s, set)
			if st := c.execute1(t, encode(formsOf(op)[0], reg, rm, false, 0)...); st != next || c.FPU.XMM[reg] != to128(want) {
				t.Fatalf("%v: mask %x: %x, want %x", op, m, c.FPU.XMM[reg], want)
			}
		}
	}
}

// TestExtracts: in memory an element takes its own size, in a register there are
// zeros above it.
func TestExtracts(t *testing.T) {
	c := newSSE(t)
	v := xmm{0x8706050403020180, 0x9f0e0d0c0b0a0988}
	for _, row := range []struct {
		op   x86.Op
		imm  byte
		want uint32
		size uint32
	}{
		{x86.PEXTRB, 0, 0x80, 1}, {x86.PEXTRB, 7, 0x87, 1}, {x86.PEXTRB, 15, 0x9f, 1}, {x86.PEXTRB, 0x18, 0x88, 1},
		{x86.PEXTRW, 0, 0x0180, 2}, {x86.PEXTRW, 7, 0x9f0e, 2}, {x86.PEXTRW, 0xfb, 0x8706, 2},
		{x86.PEXTRD, 0, 0x03020180, 4}, {x86.PEXTRD, 3, 0x9f0e0d0c, 4}, {x86.EXTRACTPS, 2, 0x0b0a0988, 4}, {x86.EXTRACTPS, 5, 0x87060504, 4},
	} {
		forms := formsOf(row.op)
		f := forms[len(forms)-1]
		c.FPU.XMM[1], c.R[2] = v, 0xffffffff
		if st := c.execute1(t, encode(f, 1, 2, false, row.imm)...); st != next || c.R[2] != row.want {
			t.Errorf("%v %d: %x, want %x", row.op, row.imm, c.R[2], row.want)
		}
		c.poke(t, []byte{0xee, 0xee, 0xee, 0xee, 0xee})
		want := binary.LittleEndian.AppendUint32(nil, row.want)[:row.size]
		if st := c.execute1(t, encode(f, 1, 0, true, row.imm)...); st != next || string(c.at(row.size+1)) != string(append(want, 0xee)) {
			t.Errorf("%v %d: stored % x, want % x", row.op, row.imm, c.at(row.size+1), want)
		}
	}
}

func TestInserts(t *testing.T) {
	c := newSSE(t)
	d, s := xmm{0x1111111100000000, 0x3333333322222222}, xmm{0x5555555544444444, 0x7777777766666666}
	for _, row := range []struct {
		name string
		op   x86.Op
		imm  byte
		mem  bool
		want xmm
	}{
		{"byte 0", x86.PINSRB, 0, false, xmm{0x11111111000000cd, 0x3333333322222222}},
		{"byte 15", x86.PINSRB, 0x1f, false, xmm{0x1111111100000000, 0xcd33333322222222}},
		{"byte of memory", x86.PINSRB, 9, true, xmm{0x1111111100000000, 0x333333332222ef22}},
		{"dword 1", x86.PINSRD, 1, false, xmm{0x89abcdcd00000000, 0x3333333322222222}},
		{"dword of memory", x86.PINSRD, 0xfe, true, xmm{0x1111111100000000, 0x3333333301abcdef}},
		{"single 3 to 0", x86.INSERTPS, 0xc0, false, xmm{0x1111111177777777, 0x3333333322222222}},
		{"single 1 to 2, clearing 0 and 2", x86.INSERTPS, 0x65, false, xmm{0x1111111100000000, 0x3333333300000000}},
		{"single 0 to 3, clearing 1", x86.INSERTPS, 0x32, false, xmm{0, 0x4444444422222222}},
		{"memory has one single", x86.INSERTPS, 0xd8, true, xmm{0x01abcdef00000000, 0x0000000022222222}},
	} {
		c.FPU.XMM[1], c.FPU.XMM[2], c.R[2] = d, s, 0x89abcdcd
		c.poke(t, []byte{0xef, 0xcd, 0xab, 0x01})
		if st := c.execute1(t, encode(formsOf(row.op)[0], 1, 2, row.mem, row.imm)...); st != next || c.FPU.XMM[1] != row.want {
			t.Errorf("%s: %x, want %x", row.name, c.FPU.XMM[1], row.want)
		}
	}
}

func TestPTEST(t *testing.T) {
	c := newSSE(t)
	for _, row := range []struct {
		d, s xmm
		want uint32
	}{
		{xmm{0, 0}, xmm{0, 0}, flagZF | flagCF},
		{xmm{5, 1 << 63}, xmm{4, 1 << 63}, flagCF},
		{xmm{5, 6}, xmm{2, 1}, flagZF},
		{xmm{5, 6}, xmm{4, 8}, 0},
		{xmm{5, 6}, xmm{0, 4}, flagCF},
	} {
		c.FPU.XMM[1], c.FPU.XMM[2] = row.d, row.s
		c.SetEFLAGS(0x8d5)
		if c.execute1(t, 0x66, 0x0f, 0x38, 0x17, 0xca); c.EFLAGS()&arithFlags != row.want {
			t.Errorf("%x, %x: flags %x, want %x", row.d, row.s, c.EFLAGS()&arithFlags, row.want)
		}
	}
}

// TestGeneralSSE4 holds POPCNT, MOVBE and CRC32 against Go's own.
func TestGeneralSSE4(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(15, 16))
	for range 200 {
		v, old := r.Uint32()>>r.IntN(33), r.Uint32()
		run := func(code ...byte) uint32 {
			c.R[eax], c.R[ecx] = old, v
			c.SetEFLAGS(0x8d5)
			if st := c.execute1(t, code...); st != next {
				t.Fatalf("% x: status %d", code, st)
			}
			return c.R[eax]
		}
		if got := run(0xf3, 0x0f, 0xb8, 0xc1); got != uint32(bits.OnesCount32(v)) || c.EFLAGS()&arithFlags&^flagZF != 0 || c.zf() != (v == 0) {
			t.Errorf("POPCNT %x: %d, flags %x", v, got, c.EFLAGS())
		}
		if got := run(0x66, 0xf3, 0x0f, 0xb8, 0xc1); got != old&0xffff0000|uint32(bits.OnesCount16(uint16(v))) {
			t.Errorf("16-bit POPCNT %x: %x", v, got)
		}
		b := binary.LittleEndian.AppendUint32(nil, v)
		for n, code := range map[int][]byte{1: {0xf2, 0x0f, 0x38, 0xf0, 0xc1}, 2: {0x66, 0xf2, 0x0f, 0x38, 0xf1, 0xc1}, 4: {0xf2, 0x0f, 0x38, 0xf1, 0xc1}} {
			want := ^crc32.Update(^old, crc32.MakeTable(crc32.Castagnoli), b[:n])
			if got := run(code...); got != want || c.EFLAGS()&arithFlags != 0x8d5 {
				t.Errorf("CRC32 of %d bytes of %x: %x, want %x", n, v, got, want)
			}
		}
		c.poke(t, b)
		if got := run(0x0f, 0x38, 0xf0, 0x05, 0, 0, 0x20, 0); got != bits.ReverseBytes32(v) {
			t.Errorf("MOVBE of %x: %x", v, got)
		}
		if got := run(0x66, 0x0f, 0x38, 0xf0, 0x05, 0, 0, 0x20, 0); got != old&0xffff0000|uint32(bits.ReverseBytes16(uint16(v))) {
			t.Errorf("16-bit MOVBE of %x: %x", v, got)
		}
		if run(0x66, 0x0f, 0x38, 0xf1, 0x05, 0, 0, 0x20, 0); le32(c.at(4)) != bits.ReverseBytes32(old)>>16|v&0xffff0000 {
			t.Errorf("16-bit MOVBE of %x over %x: stored %x", old, v, c.at(4))
		}
		if run(0x0f, 0x38, 0xf1, 0x05, 0, 0, 0x20, 0); le32(c.at(4)) != bits.ReverseBytes32(old) {
			t.Errorf("MOVBE of %x: stored %x", old, c.at(4))
		}
	}
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// TestSSE4Alignment: 16 bytes of memory must be aligned but for the comparisons
// of strings (SDM vol. 2, exception classes).
func TestSSE4Alignment(t *testing.T) {
	c := newSSE(t)
	for i := range x86.Forms {
		f := &x86.Forms[i]
		if f.Feat < x86.FeaturePOPCNT || f.MemArg() < 0 {
			continue
		}
		text := f.Op == x86.PCMPESTRM || f.Op == x86.PCMPESTRI || f.Op == x86.PCMPISTRM || f.Op == x86.PCMPISTRI
		want := next
		if f.Args[f.MemArg()].Size(4) == 16 && !text {
			want = faulted
		}
		code := encode(f, 1, 0, true, 0)
		for k := range len(code) - 3 {
			if le32(code[k:]) == scratch {
				code[k]++
			}
		}
		if st := c.execute1(t, code...); st != want || st == faulted && c.Fault != (Fault{Vector: vecGP, HasCode: true}) {
			t.Errorf("%v: status %d, fault %+v", f, st, c.Fault)
		}
	}
}

// TestRounding: ROUNDSD with each mode, and what it raises.
func TestRounding(t *testing.T) {
	c := newSSE(t)
	for _, row := range []struct {
		v     float64
		imm   byte
		mxcsr uint32
		want  float64
		flags uint32
	}{
		{2.5, 0, mxDefault, 2, mxPE}, {-2.5, 1, mxDefault, -3, mxPE}, {2.5, 2, mxDefault, 3, mxPE}, {-2.5, 3, mxDefault, -2, mxPE},
		{2.5, 8, mxDefault, 2, 0}, {3.5, 4, mxDefault, 4, mxPE}, {3.5, 4 | 3, mxDefault | 1<<13, 3, mxPE}, {3.5, 0xf0, mxDefault, 4, mxPE},
		{-0.25, 2, mxDefault, math.Copysign(0, -1), mxPE}, {4, 0, mxDefault, 4, 0}, {inf, 0, mxDefault, inf, 0},
		{tiny, 2, mxDefault, 1, mxPE}, {tiny, 2, mxDefault | mxDAZ, 0, 0}, {huge, 0, mxDefault, huge, 0},
	} {
		c.FPU.MXCSR = row.mxcsr
		c.FPU.XMM[1], c.FPU.XMM[2] = doubles(7, 8), doubles(row.v, 9)
		if st := c.execute1(t, 0x66, 0x0f, 0x3a, 0x0b, 0xca, row.imm); st != next || c.FPU.XMM[1] != doubles(row.want, 8) || c.FPU.MXCSR != row.mxcsr|row.flags {
			t.Errorf("%v by %x: %x, MXCSR %#x", row.v, row.imm, c.FPU.XMM[1], c.FPU.MXCSR)
		}
	}
}

// TestDotProducts: which products count, and where the sum goes.
func TestDotProducts(t *testing.T) {
	c := newSSE(t)
	for _, row := range []struct {
		imm  byte
		want [4]float64
	}{{0xff, [4]float64{70, 70, 70, 70}}, {0x31, [4]float64{17, 0, 0, 0}}, {0xca, [4]float64{0, 53, 0, 53}}, {0x0f, [4]float64{}}} {
		c.FPU.XMM[1], c.FPU.XMM[2] = singles([4]float64{1, 2, 3, 4}), singles([4]float64{5, 6, 7, 8})
		c.execute1(t, 0x66, 0x0f, 0x3a, 0x40, 0xca, row.imm)
		if c.FPU.XMM[1] != singles(row.want) {
			t.Errorf("DPPS %x: %x, want %v", row.imm, c.FPU.XMM[1], row.want)
		}
	}
	c.FPU.XMM[1], c.FPU.XMM[2] = doubles(1, 2), doubles(5, 6)
	if c.execute1(t, 0x66, 0x0f, 0x3a, 0x41, 0xca, 0x32); c.FPU.XMM[1] != doubles(0, 17) {
		t.Errorf("DPPD: %x", c.FPU.XMM[1])
	}
}

// TestDotProductStages: an exception that is not masked ends DPPS and DPPD behind the
// products, and DPPS behind the first sums, before the sum of infinities is invalid.
func TestDotProductStages(t *testing.T) {
	c := newSSE(t)
	const most, over = math.MaxFloat32, mxOE | mxPE
	for _, row := range []struct {
		name string
		code byte // 0F 3A, and this
		d, s xmm
	}{
		{"DPPS, product", 0x40, singles([4]float64{most, inf, 0, 0}), singles([4]float64{most, -1, 0, 0})},
		{"DPPS, upper product", 0x40, singles([4]float64{0, 0, -inf, most}), singles([4]float64{0, 0, 1, most})},
		{"DPPS, product for the last sum", 0x40, singles([4]float64{most, 0, inf, 0}), singles([4]float64{most, 0, -1, 0})},
		{"DPPS, sum", 0x40, singles([4]float64{most, 0x1p127, -inf, 0}), singles([4]float64{1, 1, 1, 0})},
		{"DPPS, upper sum", 0x40, singles([4]float64{inf, 0, most, 0x1p127}), singles([4]float64{1, 0, -1, -1})},
		{"DPPD, product", 0x41, doubles(huge, inf), doubles(huge, -1)},
	} {
		for _, masks := range []struct{ mxcsr, flags uint32 }{
			{mxDefault, over | mxIE}, {mxDefault &^ mxOM, over}, {mxDefault &^ mxPM, over}, {mxDefault &^ mxIM, over | mxIE},
		} {
			c.FPU.MXCSR = masks.mxcsr
			c.FPU.XMM[1], c.FPU.XMM[2] = row.d, row.s
			st := c.execute1(t, 0x66, 0x0f, 0x3a, row.code, 0xca, 0xff)
			if (st == faulted) != (masks.mxcsr != mxDefault) || c.FPU.MXCSR != masks.mxcsr|masks.flags || st == faulted && c.FPU.XMM[1] != row.d {
				t.Errorf("%s, MXCSR %#x: status %d, %x, MXCSR %#x", row.name, masks.mxcsr, st, c.FPU.XMM[1], c.FPU.MXCSR)
			}
		}
	}
}
