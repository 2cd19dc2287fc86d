package cputest

import (
	"encoding/binary"
	"math"
)

// nearExtended says that two values of 80 bits are at most ulps apart.
func nearExtended(a, b []byte, ulps uint64) bool {
	x, y := order80(a), order80(b)
	d := [2]uint64{x[0] - y[0], x[1] - y[1]}
	if x[1] < y[1] {
		d[0]--
	}
	return a[9]&0x80 == b[9]&0x80 && (d[0] == 0 && d[1] <= ulps || d[0] == math.MaxUint64 && -d[1] <= ulps)
}

// order80 is the rank of a magnitude among normal numbers, in two halves.
func order80(b []byte) [2]uint64 {
	e := uint64(binary.LittleEndian.Uint16(b[8:]) & 0x7FFF)
	return [2]uint64{e >> 1, e<<63 | binary.LittleEndian.Uint64(b)&^integerBit}
}

// nearSingles says that each of four singles is within 2^-11 of the other one:
// both are within 1.5 * 2^-12 of the truth (SDM vol. 2, RCPPS).
func nearSingles(a, b []byte) bool {
	for i := 0; i < 16; i += 4 {
		x := binary.LittleEndian.Uint32(a[i:])
		y := binary.LittleEndian.Uint32(b[i:])
		if x == y {
			continue
		}
		f, g := float64(math.Float32frombits(x)), float64(math.Float32frombits(y))
		if !(math.Abs(f-g) <= math.Abs(f)/2048) {
			return false
		}
	}
	return true
}

// sameNaNs says that each lane of size bytes is equal in a and b, or a NaN in
// both (SDM vol. 2A, DPPS).
func sameNaNs(a, b []byte, size int) bool {
	for i := 0; size > 0 && i < 16; i += size {
		x, y := a[i:i+size], b[i:i+size]
		if string(x) != string(y) && !(isNaN(x) && isNaN(y)) {
			return false
		}
	}
	return size > 0
}

func isNaN(b []byte) bool {
	if len(b) == 4 {
		return math.IsNaN(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	return math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(b)))
}
