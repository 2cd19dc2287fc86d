package cpu

import (
	"math"
	"slices"
	"testing"

	"alpinevm/cpu/x86"
)

// TestConversions checks the lanes, the rounding and the indefinite value of
// every conversion. The source is XMM2, MM2 or EDX, the destination XMM1, MM1
// or ECX.
func TestConversions(t *testing.T) {
	const indefinite = 0x80000000
	dst := xmm{0x1111111122222222, 0x3333333344444444}
	f4 := singles([4]float64{1.5, -2.5, 3e9, 0.75})
	d2 := doubles(-1.5, 1e10)
	ints := xmm{pair(16777217, 0xffffffff), pair(0x80000000, 7)}
	f32 := func(v float32) uint32 { return math.Float32bits(v) }
	c := newSSE(t)
	fresh := c.State
	for _, row := range []struct {
		op    x86.Op
		s     xmm // of XMM2, MM2 (low half) and EDX (low quarter)
		x     xmm // XMM1, or
		mm    uint64
		gpr   uint32
		flags uint32
	}{
		{op: x86.CVTDQ2PS, s: ints, x: singles([4]float64{16777216, -1, -0x1p31, 7}), flags: mxPE},
		{op: x86.CVTDQ2PD, s: ints, x: doubles(16777217, -1)},
		{op: x86.CVTPS2PD, s: f4, x: doubles(1.5, -2.5)},
		{op: x86.CVTPD2PS, s: d2, x: xmm{pair(f32(-1.5), f32(1e10)), 0}},
		{op: x86.CVTPS2DQ, s: f4, x: xmm{pair(2, 0xfffffffe), pair(indefinite, 1)}, flags: mxIE | mxPE},
		{op: x86.CVTTPS2DQ, s: f4, x: xmm{pair(1, 0xfffffffe), pair(indefinite, 0)}, flags: mxIE | mxPE},
		{op: x86.CVTPD2DQ, s: d2, x: xmm{pair(0xfffffffe, indefinite), 0}, flags: mxIE | mxPE},
		{op: x86.CVTTPD2DQ, s: d2, x: xmm{pair(0xffffffff, indefinite), 0}, flags: mxIE | mxPE},
		{op: x86.CVTPI2PS, s: ints, x: xmm{pair(f32(16777216), f32(-1)), dst[1]}, flags: mxPE},
		{op: x86.CVTPI2PD, s: ints, x: doubles(16777217, -1)},
		{op: x86.CVTPS2PI, s: f4, mm: pair(2, 0xfffffffe), flags: mxPE},
		{op: x86.CVTTPS2PI, s: f4, mm: pair(1, 0xfffffffe), flags: mxPE},
		{op: x86.CVTPD2PI, s: d2, mm: pair(0xfffffffe, indefinite), flags: mxIE | mxPE},
		{op: x86.CVTTPD2PI, s: d2, mm: pair(0xffffffff, indefinite), flags: mxIE | mxPE},
		{op: x86.CVTSI2SS, s: xmm{0xfefffffd}, x: xmm{dst[0]>>32<<32 | uint64(f32(-16777220)), dst[1]}, flags: mxPE},
		{op: x86.CVTSI2SD, s: xmm{0xfefffffd}, x: xmm{math.Float64bits(-16777219), dst[1]}},
		{op: x86.CVTSS2SI, s: f4, gpr: 2, flags: mxPE},
		{op: x86.CVTTSS2SI, s: f4, gpr: 1, flags: mxPE},
		{op: x86.CVTSD2SI, s: d2, gpr: 0xfffffffe, flags: mxPE},
		{op: x86.CVTTSD2SI, s: d2, gpr: 0xffffffff, flags: mxPE},
		{op: x86.CVTTSD2SI, s: doubles(-0x1p31, 0), gpr: 0x80000000},
		{op: x86.CVTTSD2SI, s: doubles(0x1p31, 0), gpr: indefinite, flags: mxIE},
		{op: x86.CVTTSD2SI, s: doubles(qnan, 0), gpr: indefinite, flags: mxIE},
		{op: x86.CVTSS2SD, s: f4, x: xmm{math.Float64bits(1.5), dst[1]}},
		{op: x86.CVTSD2SS, s: doubles(1.1, 0), x: xmm{dst[0]>>32<<32 | uint64(f32(1.1)), dst[1]}, flags: mxPE},
		{op: x86.CVTSD2SS, s: doubles(snan, 0), x: xmm{dst[0]>>32<<32 | 0x7fc00000, dst[1]}, flags: mxIE},
		{op: x86.CVTSS2SD, s: xmm{0xff800001}, x: xmm{0xfff8000020000000, dst[1]}, flags: mxIE},
	} {
		for _, f := range formsOf(row.op) {
			for _, mem := range []bool{false, true} {
				c.State = fresh
				c.FPU.SW = 2 << 11
				c.FPU.XMM[1], c.FPU.XMM[2] = dst, row.s
				c.FPU.Mant[2], c.R[edx] = row.s[0], uint32(row.s[0])
				c.poke(t, bytes128(row.s))
				want, r := c.FPU, c.R
				want.MXCSR |= row.flags
				switch {
				case f.Args[0].XMM():
					want.XMM[1] = row.x
					if f.Args[1].MMX() && !mem {
						want.entered()
					}
				case f.Args[0].MMX():
					want.mmx(1, row.mm)
				default:
					r[ecx] = row.gpr
				}
				if st := c.execute1(t, encode(f, 1, 2, mem, 0)...); st != next || c.FPU != want || c.R != r {
					t.Errorf("%v of %x, memory %v: status %d\n got  %x %x\n want %x %x", f, row.s, mem, st, c.FPU, c.R[:8], want, r[:8])
				}
			}
		}
	}
}

// TestUnmasked checks, for every form of floating point, that nothing but MXCSR
// changes where it raises #XM.
func TestUnmasked(t *testing.T) {
	// A signaling NaN as single and as double, and inexact as an integer.
	const s = 0x7ff000017f800001
	exact := []x86.Op{x86.CVTDQ2PD, x86.CVTPI2PD, x86.CVTSI2SD, x86.RCPPS, x86.RCPSS, x86.RSQRTPS, x86.RSQRTSS}
	n := 0
	c := newSSE(t)
	fresh := c.State
	for _, family := range []family{sseFloatFamily(), sseConvertFamily()} {
		for m := range family {
			if slices.Contains(exact, m) {
				continue
			}
			for _, f := range formsOf(m) {
				c.State = fresh
				c.FPU.MXCSR, c.FPU.Used = 0, 0xff
				c.FPU.XMM[2], c.FPU.Mant[2], c.R[edx] = xmm{s, s}, s, 0x7f800001
				c.SetEFLAGS(arithFlags)
				want, r := c.FPU, c.R
				want.MXCSR = mxIE
				if m == x86.CVTDQ2PS || m == x86.CVTPI2PS || m == x86.CVTSI2SS {
					want.MXCSR = mxPE
				}
				st := c.execute1(t, encode(f, 1, 2, false, 0)...)
				if st != faulted || c.Fault != (Fault{Vector: vecXM}) || c.FPU != want || c.R != r || c.EFLAGS()&arithFlags != arithFlags {
					t.Errorf("%v: status %d, fault %+v\n got  %x\n want %x", f, st, c.Fault, c.FPU, want)
				}
				n++
			}
		}
	}
	if n < 60 {
		t.Errorf("%d forms ran", n)
	}
}
