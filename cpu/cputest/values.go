package cputest

import (
	"math"
	"math/rand/v2"
)

// edges returns the values of size bytes at which flags change: around zero,
// the sign, the half carry and the carry.
func edges(size int) []uint32 {
	m := uint32(1<<(8*size) - 1)
	if size == 4 {
		m = math.MaxUint32
	}
	s := m ^ m>>1
	return []uint32{0, 1, 0x0F, 0x10, s - 1, s, s + 1, m, m - 1, m &^ 0x0F, m / 3, s >> 1}
}

// pairs is the number of cases of a form that go through all pairs of edges.
const pairs = 12 * 12

// word returns an edge or a random value of size bytes.
func word(r *rand.Rand, size int) uint32 {
	switch r.IntN(5) {
	case 0, 1:
		e := edges(size)
		return e[r.IntN(len(e))]
	case 2: // one bit
		return 1 << r.IntN(8*size)
	case 3: // a run of ones
		v := uint32(1)<<r.IntN(8*size) - 1
		return v << r.IntN(8*size) & edges(size)[7]
	}
	return r.Uint32() & edges(size)[7]
}

func word64(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return uint64(word(r, 4))<<32 | uint64(word(r, 4))
	case 1:
		var v uint64
		for i := range 8 {
			v |= uint64(word(r, 1)) << (8 * i)
		}
		return v
	case 2:
		var v uint64
		for i := range 4 {
			v |= uint64(word(r, 2)) << (16 * i)
		}
		return v
	}
	return r.Uint64()
}

var singles = []uint32{
	0, 0x80000000, 1, 0x007FFFFF, 0x00800000, 0x80000001, 0x807FFFFF, 0x80800000, // zeros, denormals, least normals
	0x3F800000, 0xBF800000, 0x3F7FFFFF, 0x3F800001, 0x3F000000, 0xBF000000, 0x40000000, 0x3FC00000, 0x40200000,
	0x4B000000, 0x4B7FFFFF, 0xCB000000, 0x4EFFFFFF, 0x4F000000, 0xCF000000, 0xCF000001, 0x4F7FFFFF, 0x4F800000, // integers
	0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, // most normals, infinities
	0x7FC00000, 0xFFC00000, 0x7FFFFFFF, 0x7FA00001, 0xFF800001, 0x7FBFFFFF, 0x7FC12345, // NaNs
	0x34000000, 0x33800000, 0x5F000000, 0x1F000000, 0x00FFFFFF, 0x01000000,
}

var doubles = []uint64{
	0, 1 << 63, 1, 1<<52 - 1, 1 << 52, 1<<63 | 1, 1<<63 | 1<<52,
	0x3FF0000000000000, 0xBFF0000000000000, 0x3FEFFFFFFFFFFFFF, 0x3FF0000000000001, 0x3FE0000000000000,
	0xBFE0000000000000, 0x4000000000000000, 0x3FF8000000000000, 0x4004000000000000,
	0x41DFFFFFFFC00000, 0x41E0000000000000, 0xC1E0000000000000, 0xC1E0000000200000, 0x41DFFFFFFFE00000, 0xC1E0000000100000,
	0x43E0000000000000, 0xC3E0000000000000, 0x4330000000000000, 0x4330000000000001, 0x432FFFFFFFFFFFFF,
	0x7FEFFFFFFFFFFFFF, 0xFFEFFFFFFFFFFFFF, 0x7FF0000000000000, 0xFFF0000000000000,
	0x7FF8000000000000, 0xFFF8000000000000, 0x7FFFFFFFFFFFFFFF, 0x7FF4000000000001, 0xFFF0000000000001, 0x7FF8000012345678,
	0x36A0000000000000, 0x380FFFFFFFFFFFFF, 0x3810000000000000, 0x47EFFFFFE0000000, 0x47EFFFFFF0000000, 0x47F0000000000000, // about singles
	0x3690000000000000, 0x3690000000000001, 0x0020000000000000, 0x001FFFFFFFFFFFFF,
}

func single(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0, 1:
		return singles[r.IntN(len(singles))]
	case 2: // near one
		return math.Float32bits(1) + uint32(r.IntN(1<<25)) - 1<<24 | uint32(r.IntN(2))<<31
	}
	return r.Uint32()
}

func double(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0, 1:
		return doubles[r.IntN(len(doubles))]
	case 2:
		return math.Float64bits(1) + r.Uint64N(1<<54) - 1<<53 | uint64(r.IntN(2))<<63
	}
	return r.Uint64()
}

// extended is a value of 80 bits: sign with exponent, and significand.
type extended struct {
	se   uint16
	mant uint64
}

const integerBit = 1 << 63

var extendeds = []extended{
	{0, 0}, {0x8000, 0}, // zeros
	{0, 1}, {0x8000, 1}, {0, integerBit - 1}, // denormals
	{0, integerBit}, {0x8000, integerBit}, {0, integerBit | 1}, // pseudo-denormals
	{1, integerBit}, {0x8001, integerBit}, {1, math.MaxUint64},
	{0x3FFF, integerBit}, {0xBFFF, integerBit}, {0x3FFF, integerBit | 1}, {0x3FFE, math.MaxUint64}, {0x3FFE, integerBit}, {0xBFFE, integerBit},
	{0x4000, integerBit}, {0x4000, 0xC90FDAA22168C235}, {0x3FFF, 0xC90FDAA22168C235}, {0x3FFF, 0xC000000000000000}, {0x4000, 0xA000000000000000},
	{0x403D, integerBit}, {0x403E, integerBit}, {0xC03E, integerBit}, {0x403E, math.MaxUint64}, {0x403D, math.MaxUint64}, // about 2^63
	{0x401D, 0xFFFFFFFE00000000}, {0x401E, integerBit}, {0xC01E, integerBit}, {0xC01E, 0x8000000100000000}, // about 2^31
	{0x400D, 0xFFFE000000000000}, {0xC00E, integerBit}, {0xC00E, 0x8000800000000000},
	{0x403A, 0xDE0B6B3A763FFFF0}, {0x403A, 0xDE0B6B3A76400000}, {0x4038, 0xB1A2BC2EC5000000}, // about 10^18
	{0x7FFE, math.MaxUint64}, {0xFFFE, math.MaxUint64}, {0x7FFE, integerBit},
	{0x7FFF, integerBit}, {0xFFFF, integerBit}, // infinities
	{0x7FFF, 0xC000000000000000}, {0xFFFF, 0xC000000000000000}, {0x7FFF, 0xFFFFFFFFFFFFFFFF}, {0xFFFF, 0xC000000000000001}, // quiet NaNs
	{0x7FFF, 0x8000000000000001}, {0xFFFF, 0xA000000000000000}, {0x7FFF, 0xBFFFFFFFFFFFFFFF}, // signalling NaNs
	{0x7FFF, 0}, {0xFFFF, 0}, {0x7FFF, 1}, {0x7FFF, 0x4000000000000000}, // pseudo-infinities, pseudo-NaNs
	{0x3FFF, 0}, {0x3FFF, 1}, {0xBFFF, 0x7FFFFFFFFFFFFFFF}, {0x0001, 0x4000000000000000}, {0x7FFE, 0x7FFFFFFFFFFFFFFF}, // unnormals
	{0x3F80, integerBit}, {0x3F81, integerBit}, {0x3F81, 0xFFFFFF8000000000}, {0x407E, 0xFFFFFF0000000000}, {0x407E, 0xFFFFFF8000000000}, // about singles
	{0x3C00, integerBit}, {0x3C01, integerBit}, {0x43FE, 0xFFFFFFFFFFFFF800}, {0x43FE, 0xFFFFFFFFFFFFFC00}, {0x3BCD, integerBit}, // about doubles
}

func extendedValue(r *rand.Rand) extended {
	switch r.IntN(6) {
	case 0, 1:
		return extendeds[r.IntN(len(extendeds))]
	case 2: // near one
		return extended{uint16(0x3FFF+r.IntN(9)-4) | uint16(r.IntN(2))<<15, r.Uint64() | integerBit}
	case 3: // short significand, an integer
		n := r.IntN(40)
		return extended{uint16(0x3FFF+n) | uint16(r.IntN(2))<<15, (r.Uint64() | integerBit) &^ (math.MaxUint64 >> r.IntN(24))}
	case 4: // any normal
		return extended{uint16(1+r.IntN(0x7FFE)) | uint16(r.IntN(2))<<15, r.Uint64() | integerBit}
	}
	return extended{uint16(0x3FFF+r.IntN(160)-80) | uint16(r.IntN(2))<<15, r.Uint64() | integerBit}
}
