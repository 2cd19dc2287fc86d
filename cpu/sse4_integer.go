package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

// Packed integer arithmetic and comparison of SSE4.1 and SSE4.2.

func sse4IntegerFamily() family {
	return family{
		x86.PMINSB: vertical(lanes8.minSigned), x86.PMAXSB: vertical(lanes8.maxSigned),
		x86.PMINSD: vertical(lanes32.minSigned), x86.PMAXSD: vertical(lanes32.maxSigned),
		x86.PMINUW: vertical(lanes16.minUnsigned), x86.PMAXUW: vertical(lanes16.maxUnsigned),
		x86.PMINUD: vertical(lanes32.minUnsigned), x86.PMAXUD: vertical(lanes32.maxUnsigned),
		x86.PCMPEQQ: vertical(lanes64.equal), x86.PCMPGTQ: vertical(lanes64.greater),
		x86.PMULDQ: vertical(pmuldq), x86.PMULLD: vertical(pmulld),
		x86.PACKUSDW:   folding(packusdw),
		x86.PTEST:      always(ptest),
		x86.PHMINPOSUW: always(phminposuw), x86.MPSADBW: always(mpsadbw),
	}
}

func pmuldq(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b))) }

func pmulld(a, b uint64) uint64 {
	return pair(uint32(dword(a, 0)*dword(b, 0)), uint32(dword(a, 1)*dword(b, 1)))
}

func saturateU16(v int32) int32 { return min(max(v, 0), 0xffff) }

// packusdw makes four words of the dwords of a, then b.
func packusdw(a, b uint64) uint64 {
	return words(func(i int) int32 {
		if i < 2 {
			return saturateU16(dword(a, i))
		}
		return saturateU16(dword(b, i-2))
	})
}

// ptest sets ZF where no bit of the source is set in the destination, CF where
// all are (SDM vol. 2B, PTEST).
func ptest(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	var f uint32
	if lo&x[0]|hi&x[1] == 0 {
		f |= flagZF
	}
	if lo&^x[0]|hi&^x[1] == 0 {
		f |= flagCF
	}
	c.SetArith(f)
	return next
}

// phminposuw finds the first smallest of eight words: itself in the low word
// of the result, its number in the next one.
func phminposuw(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	s := [2]uint64{lo, hi}
	least := uint32(0xffffffff)
	for i := range uint32(8) {
		// With the number behind it, the first of equal words is the least.
		least = min(least, uint32(uint16(s[i/4]>>(i%4*16)))<<16|i)
	}
	*c.xmm(o) = [2]uint64{uint64(bits.RotateLeft32(least, 16)), 0}
	return next
}

// mpsadbw compares four bytes of the source with four bytes of the destination
// at each of eight places: the sums of their differences (SDM vol. 2B,
// MPSADBW). Bits 0 and 1 of the immediate choose the dword of the source, bit 2
// where in the destination it begins.
func mpsadbw(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	block := uint64(pick(lo, hi, o.imm))
	var r [2]uint64
	for i := range uint32(8) {
		at := uint64(uint32(align(x[:], o.imm&4+i)))
		r[i/4] |= psadbw(at, block) << (i % 4 * 16)
	}
	*x = r
	return next
}
