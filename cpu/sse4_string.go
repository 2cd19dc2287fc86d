package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

// Comparison of strings of up to 16 bytes or 8 words, SSE4.2 (SDM vol. 1, 12.10;
// vol. 2B chapter 4.1, whose names are used here).

func sse4StringFamily() family {
	return family{
		x86.PCMPESTRI: compareStrings(explicit, toIndex), x86.PCMPESTRM: compareStrings(explicit, toMask),
		x86.PCMPISTRI: compareStrings(implicit, toIndex), x86.PCMPISTRM: compareStrings(implicit, toMask),
	}
}

// Fields of the immediate.
const (
	strWords     = 1 << 0
	strSigned    = 1 << 1
	strNegative  = 1 << 4
	strMasked    = 1 << 5 // the negation is of valid elements only
	strLast      = 1 << 6 // the index is of the last one
	strWholeMask = 1 << 6 // the mask has bytes or words, not bits
)

// Aggregations: bits 2 and 3 of the immediate.
const (
	strEqualAny = iota
	strRanges
	strEqualEach
	strEqualOrdered
)

// text is one operand: its elements as signed numbers, of which the first n are
// valid.
type text struct {
	at [16]int32
	n  int
}

// elements is how many an operand holds.
func (o *op) elements() int {
	if o.imm&strWords != 0 {
		return 8
	}
	return 16
}

// text makes the elements of an operand; all of them are valid.
func (o *op) text(lo, hi uint64) (t text) {
	t.n = o.elements()
	x := [2]uint64{lo, hi}
	for i := range t.n {
		var v int32
		switch bit := i * 128 / t.n; o.imm & (strWords | strSigned) {
		case 0:
			v = int32(uint8(x[bit/64] >> (bit % 64)))
		case strSigned:
			v = int32(int8(x[bit/64] >> (bit % 64)))
		case strWords:
			v = int32(uint16(x[bit/64] >> (bit % 64)))
		default:
			v = int32(int16(x[bit/64] >> (bit % 64)))
		}
		t.at[i] = v
	}
	return t
}

// The two ways of telling the length of t: by a register, whose sign does not
// count, and by the first null.

func explicit(t *text, reg uint32) {
	n := int64(int32(reg))
	t.n = int(min(max(n, -n), int64(t.n)))
}

func implicit(t *text, _ uint32) {
	for i := range t.n {
		if t.at[i] == 0 {
			t.n = i
			return
		}
	}
}

// compareStrings selects a comparison: length makes the lengths, result turns
// the bits of the result into the register that the mnemonic writes.
//
//go:noinline
func compareStrings(length func(t *text, reg uint32), result func(c *CPU, o *op, set uint32)) selector {
	return always(func(c *CPU, o *op) status {
		if !c.sse() {
			return faulted
		}
		lo, hi, ok := c.unaligned128(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		a, b := o.text(x[0], x[1]), o.text(lo, hi)
		length(&a, c.R[eax])
		length(&b, c.R[edx])
		set := o.aggregate(&a, &b)
		result(c, o, set)
		var f uint32
		if set != 0 {
			f |= flagCF
		}
		if b.n < o.elements() {
			f |= flagZF
		}
		if a.n < o.elements() {
			f |= flagSF
		}
		if set&1 != 0 {
			f |= flagOF
		}
		c.SetArith(f)
		return next
	})
}

// unaligned128 reads the r/m operand of 16 bytes at any alignment.
func (c *CPU) unaligned128(o *op) (lo, hi uint64, ok bool) {
	if o.flags&opMem == 0 {
		x := &c.FPU.XMM[o.rm&7]
		return x[0], x[1], true
	}
	lin, ok := c.linRead(o, 16)
	if !ok {
		return 0, 0, false
	}
	return c.load128(lin)
}

// aggregate gives IntRes2, a bit an element of b.
func (o *op) aggregate(a, b *text) (set uint32) {
	all := uint32(1)<<o.elements() - 1
	switch o.imm >> 2 & 3 {
	case strEqualAny:
		set = equalAny(a, b)
	case strRanges:
		set = inRanges(a, b)
	case strEqualEach:
		set = equalEach(a, b, o.elements())
	case strEqualOrdered:
		set = equalOrdered(a, b, o.elements())
	}
	switch o.imm & (strNegative | strMasked) {
	case strNegative:
		set ^= all
	case strNegative | strMasked:
		set ^= 1<<b.n - 1
	}
	return set
}

// equalAny: the element of b is among those of a.
func equalAny(a, b *text) (set uint32) {
	for j, v := range b.at[:b.n] {
		for _, w := range a.at[:a.n] {
			if v == w {
				set |= 1 << j
			}
		}
	}
	return set
}

// inRanges: the element of b is within one of the pairs of bounds of which a is
// made.
func inRanges(a, b *text) (set uint32) {
	for j, v := range b.at[:b.n] {
		for i := 0; i+1 < a.n; i += 2 {
			if a.at[i] <= v && v <= a.at[i+1] {
				set |= 1 << j
			}
		}
	}
	return set
}

// equalEach: the elements of the same number are equal, or both are behind the
// ends.
func equalEach(a, b *text, n int) (set uint32) {
	for i := range n {
		if i >= a.n && i >= b.n || i < a.n && i < b.n && a.at[i] == b.at[i] {
			set |= 1 << i
		}
	}
	return set
}

// equalOrdered: a begins in b here, as far as b can tell.
func equalOrdered(a, b *text, n int) (set uint32) {
	for j := range n {
		found := true
		for i := 0; i < a.n && j+i < n; i++ {
			found = found && j+i < b.n && a.at[i] == b.at[j+i]
		}
		if found {
			set |= 1 << j
		}
	}
	return set
}

// toIndex puts the number of the first or last bit of the result into ECX.
func toIndex(c *CPU, o *op, set uint32) {
	switch {
	case set == 0:
		c.R[ecx] = uint32(o.elements())
	case o.imm&strLast != 0:
		c.R[ecx] = uint32(bits.Len32(set) - 1)
	default:
		c.R[ecx] = uint32(bits.TrailingZeros32(set))
	}
}

// toMask puts the result into XMM0, bit by bit or as whole elements of ones.
func toMask(c *CPU, o *op, set uint32) {
	x := &c.FPU.XMM[0]
	l := lanes8
	if o.imm&strWords != 0 {
		l = lanes16
	}
	if o.imm&strWholeMask != 0 {
		*x = [2]uint64{l.numbered(set), l.numbered(set >> (64 / l.bits))}
	} else {
		*x = [2]uint64{uint64(set), 0}
	}
}
