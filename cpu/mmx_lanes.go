package cpu

// Integer arithmetic on the lanes of 64 bits: what an MMX instruction does to
// its register, and its XMM form to each half. Most of it works on all lanes at
// once.

// lanes is a division of 64 bits into lanes of equal width.
type lanes struct {
	bits uint   // of a lane
	ones uint64 // the lowest bit of each lane
}

// The divisions there are.
var (
	lanes8  = lanes{8, 0x0101010101010101}
	lanes16 = lanes{16, 0x0001000100010001}
	lanes32 = lanes{32, 0x0000000100000001}
	lanes64 = lanes{64, 1}
)

// top is the highest bit of each lane.
func (l lanes) top() uint64 { return l.ones << (l.bits - 1) }

// spread fills each lane whose highest bit is set in v with ones, the others
// with zeros.
func (l lanes) spread(v uint64) uint64 {
	low := v >> (l.bits - 1) & l.ones
	return low<<l.bits - low
}

func (l lanes) add(a, b uint64) uint64 {
	top := l.top()
	return (a&^top + b&^top) ^ (a^b)&top
}

func (l lanes) sub(a, b uint64) uint64 {
	top := l.top()
	return ((a | top) - b&^top) ^ (a^^b)&top
}

// below gives all ones where a < b, unsigned.
func (l lanes) below(a, b uint64) uint64 {
	return l.spread(^a&b | (^a|b)&l.sub(a, b))
}

// greater gives all ones where a > b, signed.
func (l lanes) greater(a, b uint64) uint64 {
	top := l.top()
	return l.below(b^top, a^top)
}

// equal gives all ones where a = b.
func (l lanes) equal(a, b uint64) uint64 {
	x, low := a^b, ^l.top()
	return l.spread(^((x&low + low) | x))
}

// addUnsigned adds with unsigned saturation.
func (l lanes) addUnsigned(a, b uint64) uint64 {
	sum := l.add(a, b)
	return sum | l.spread(a&b|(a|b)&^sum)
}

// subUnsigned subtracts with unsigned saturation.
func (l lanes) subUnsigned(a, b uint64) uint64 { return l.sub(a, b) &^ l.below(a, b) }

// addSigned adds with signed saturation.
func (l lanes) addSigned(a, b uint64) uint64 {
	sum := l.add(a, b)
	return l.saturate(sum, a, (sum^a)&(sum^b))
}

// subSigned subtracts with signed saturation.
func (l lanes) subSigned(a, b uint64) uint64 {
	diff := l.sub(a, b)
	return l.saturate(diff, a, (a^b)&(diff^a))
}

// saturate replaces the lanes of v that overflowed: by the largest number where
// sign is positive, by the smallest where it is negative.
func (l lanes) saturate(v, sign, overflow uint64) uint64 {
	limit := l.ones*(1<<(l.bits-1)-1) + sign>>(l.bits-1)&l.ones
	m := l.spread(overflow)
	return v&^m | limit&m
}

func choose(m, a, b uint64) uint64 { return a&m | b&^m }

func (l lanes) minUnsigned(a, b uint64) uint64 { return choose(l.below(a, b), a, b) }
func (l lanes) maxUnsigned(a, b uint64) uint64 { return choose(l.below(b, a), a, b) }
func (l lanes) minSigned(a, b uint64) uint64   { return choose(l.greater(b, a), a, b) }
func (l lanes) maxSigned(a, b uint64) uint64   { return choose(l.greater(a, b), a, b) }

// average gives (a+b+1)/2, unsigned.
func (l lanes) average(a, b uint64) uint64 { return (a | b) - (a^b)&^l.ones>>1 }

// sign gives a, its negation or zero as b is positive, negative or zero.
func (l lanes) sign(a, b uint64) uint64 {
	return choose(l.spread(b), l.sub(0, a), a) &^ l.equal(b, 0)
}

// abs gives the absolute value of b.
func (l lanes) abs(_, b uint64) uint64 {
	m := l.spread(b)
	return l.sub(b^m, m)
}

// The shifts take counts of any size (SDM vol. 2B, PSLLW).

func (l lanes) shiftLeft(v, n uint64) uint64 {
	if n >= uint64(l.bits) {
		return 0
	}
	return v << n &^ (l.ones*(1<<n) - l.ones)
}

func (l lanes) shiftRight(v, n uint64) uint64 {
	if n >= uint64(l.bits) {
		return 0
	}
	return v >> n & l.lowBits(uint64(l.bits)-n)
}

func (l lanes) shiftArithmetic(v, n uint64) uint64 {
	n = min(n, uint64(l.bits-1))
	keep := l.lowBits(uint64(l.bits) - n)
	return v>>n&keep | l.spread(v)&^keep
}

// lowBits is the lowest n bits of each lane, n at least 1.
func (l lanes) lowBits(n uint64) uint64 { return l.ones * (^uint64(0) >> (64 - n)) }

// word is lane i of v as a signed number.
func word(v uint64, i int) int32 { return int32(int16(v >> (16 * i))) }

// words makes 64 bits of the low halves of four numbers.
func words(f func(i int) int32) (r uint64) {
	for i := range 4 {
		r |= uint64(uint16(f(i))) << (16 * i)
	}
	return r
}

// Multiplication.

func pmullw(a, b uint64) uint64 {
	return words(func(i int) int32 { return word(a, i) * word(b, i) })
}

func pmulhw(a, b uint64) uint64 {
	return words(func(i int) int32 { return word(a, i) * word(b, i) >> 16 })
}

func pmulhuw(a, b uint64) uint64 {
	return words(func(i int) int32 {
		return int32(uint32(uint16(a>>(16*i))) * uint32(uint16(b>>(16*i))) >> 16)
	})
}

func pmulhrsw(a, b uint64) uint64 {
	return words(func(i int) int32 { return (word(a, i)*word(b, i)>>14 + 1) >> 1 })
}

func pmuludq(a, b uint64) uint64 { return (a & 0xffffffff) * (b & 0xffffffff) }

func pmaddwd(a, b uint64) uint64 {
	return pair(
		uint32(word(a, 0)*word(b, 0)+word(a, 1)*word(b, 1)),
		uint32(word(a, 2)*word(b, 2)+word(a, 3)*word(b, 3)))
}

// pmaddubsw multiplies unsigned bytes of a by signed bytes of b.
func pmaddubsw(a, b uint64) uint64 {
	product := func(i int) int32 { return int32(uint8(a>>(8*i))) * int32(int8(b>>(8*i))) }
	return words(func(i int) int32 { return saturate16(product(2*i) + product(2*i+1)) })
}

func psadbw(a, b uint64) uint64 {
	d := lanes8.subUnsigned(a, b) | lanes8.subUnsigned(b, a)
	const even = 0x00ff00ff00ff00ff
	return (d&even + d>>8&even) * lanes16.ones >> 48
}

func saturate16(v int32) int32    { return min(max(v, -0x8000), 0x7fff) }
func saturate8(v int32) int32     { return min(max(v, -0x80), 0x7f) }
func saturateU8(v int32) int32    { return min(max(v, 0), 0xff) }
func dword(v uint64, i int) int32 { return int32(v >> (32 * i)) }

// The following make 64 bits of a, then b: an MMX instruction applies them to
// its two operands, an XMM one to the halves of each.

func packsswb(a, b uint64) uint64 { return packBytes(a, b, saturate8) }
func packuswb(a, b uint64) uint64 { return packBytes(a, b, saturateU8) }

func packBytes(a, b uint64, saturate func(int32) int32) (r uint64) {
	for i := range 4 {
		r |= uint64(uint8(saturate(word(a, i))))<<(8*i) | uint64(uint8(saturate(word(b, i))))<<(8*i+32)
	}
	return r
}

func packssdw(a, b uint64) uint64 {
	return words(func(i int) int32 {
		if i < 2 {
			return saturate16(dword(a, i))
		}
		return saturate16(dword(b, i-2))
	})
}

// horizontal makes four words of the pairs of words in a, then b.
func horizontal(a, b uint64, f func(x, y int32) int32) uint64 {
	return words(func(i int) int32 {
		v := a
		if i >= 2 {
			v = b
		}
		i = i & 1 * 2
		return f(word(v, i), word(v, i+1))
	})
}

func phaddw(a, b uint64) uint64 {
	return horizontal(a, b, func(x, y int32) int32 { return x + y })
}

func phaddsw(a, b uint64) uint64 {
	return horizontal(a, b, func(x, y int32) int32 { return saturate16(x + y) })
}

func phsubw(a, b uint64) uint64 {
	return horizontal(a, b, func(x, y int32) int32 { return x - y })
}

func phsubsw(a, b uint64) uint64 {
	return horizontal(a, b, func(x, y int32) int32 { return saturate16(x - y) })
}

func phaddd(a, b uint64) uint64 {
	return pair(uint32(dword(a, 0)+dword(a, 1)), uint32(dword(b, 0)+dword(b, 1)))
}

func phsubd(a, b uint64) uint64 {
	return pair(uint32(dword(a, 0)-dword(a, 1)), uint32(dword(b, 0)-dword(b, 1)))
}

// interleave8 and its like interleave the lanes of the low halves of a and b.

func interleave8(a, b uint64) uint64 { return spaced8(a) | spaced8(b)<<8 }

func interleave16(a, b uint64) uint64 { return spaced16(a) | spaced16(b)<<16 }

func interleave32(a, b uint64) uint64 { return a&0xffffffff | b<<32 }

// spaced8 puts the four low bytes of v into the low bytes of four words.
func spaced8(v uint64) uint64 {
	v = spaced16(v & 0xffffffff)
	return (v | v<<8) & 0x00ff00ff00ff00ff
}

func spaced16(v uint64) uint64 {
	v &= 0xffffffff
	return (v | v<<16) & 0x0000ffff0000ffff
}
