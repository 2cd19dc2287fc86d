package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

// The AES instructions (SDM vol. 2A, AESENC; FIPS 197, whose names are used
// here). Byte 4c+r of an XMM register is row r of column c of the state, so that
// a dword is a column.

func aesFamily() family {
	return family{
		x86.AESENC: aesRound(&aesTables.encrypt), x86.AESENCLAST: aesRound(&aesTables.encryptLast),
		x86.AESDEC: aesRound(&aesTables.decrypt), x86.AESDECLAST: aesRound(&aesTables.decryptLast),
		x86.AESIMC: always(aesimc), x86.AESKEYGENASSIST: always(aeskeygenassist),
	}
}

// aesStep is one round of the cipher or its inverse: what a byte of row 0
// contributes to the column that it comes to, and how many columns to the left
// ShiftRows, a row at a time, or its inverse takes it.
type aesStep struct {
	column [256]uint32
	shift  int
}

// aesTables holds the tables, which are derived from the definition of the S-box.
var aesTables = makeAESTables()

// makeAESTables stays out of init: see families.
//
//go:noinline
func makeAESTables() (t struct {
	sbox, inverse                              [256]uint8
	encrypt, encryptLast, decrypt, decryptLast aesStep
	mixed                                      [256]uint32 // InvMixColumns of a byte of row 0
}) {
	for i := range 256 {
		// The inverse in GF(2^8) is the power of 254, with 0 for 0: that of 2, of 4 and so
		// on to 128, multiplied.
		v := uint8(i)
		inv, power := uint8(1), v
		for range 7 {
			power = times(power, power)
			inv = times(inv, power)
		}
		rot := func(n int) uint8 { return bits.RotateLeft8(inv, n) }
		s := inv ^ rot(1) ^ rot(2) ^ rot(3) ^ rot(4) ^ 0x63
		t.sbox[i], t.inverse[s] = s, v
	}
	t.encrypt.shift, t.encryptLast.shift = 1, 1
	t.decrypt.shift, t.decryptLast.shift = -1, -1
	for i := range 256 {
		s, v := t.sbox[i], t.inverse[i]
		t.encrypt.column[i] = mixed(s, 2, 1, 1, 3)
		t.encryptLast.column[i] = uint32(s)
		t.decrypt.column[i] = mixed(v, 14, 9, 13, 11)
		t.decryptLast.column[i] = uint32(v)
		t.mixed[i] = mixed(uint8(i), 14, 9, 13, 11)
	}
	return t
}

// mixed is the column that v in row 0 gives under a MixColumns whose matrix has
// the given first column.
func mixed(v, a, b, c, d uint8) uint32 {
	return uint32(times(v, a)) | uint32(times(v, b))<<8 | uint32(times(v, c))<<16 | uint32(times(v, d))<<24
}

// times multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
func times(a, b uint8) (r uint8) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			r ^= a
		}
		high := a >> 7
		a = a<<1 ^ high*0x1b
	}
	return r
}

// aesRound selects a round: bytes are substituted, rows shifted and columns
// mixed, and the round key, the source, is added.
//
//go:noinline
func aesRound(s *aesStep) selector {
	return always(func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		r := s.apply(x)
		*x = [2]uint64{r[0] ^ lo, r[1] ^ hi}
		return next
	})
}

func (s *aesStep) apply(x *[2]uint64) [2]uint64 {
	var r [4]uint32
	for col := range r {
		for row := range 4 {
			from := pick(x[0], x[1], uint32(col+row*s.shift))
			r[col] ^= bits.RotateLeft32(s.column[uint8(from>>(8*row))], 8*row)
		}
	}
	return [2]uint64{pair(r[0], r[1]), pair(r[2], r[3])}
}

// aesimc is InvMixColumns, which makes round keys of the equivalent inverse
// cipher.
func aesimc(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	var r [4]uint32
	for col := range r {
		from := pick(lo, hi, uint32(col))
		for row := range 4 {
			r[col] ^= bits.RotateLeft32(aesTables.mixed[uint8(from>>(8*row))], 8*row)
		}
	}
	*c.xmm(o) = [2]uint64{pair(r[0], r[1]), pair(r[2], r[3])}
	return next
}

// aeskeygenassist substitutes dwords 1 and 3 of the source, and rotates each
// and adds the immediate, the round constant, to make dwords 1 and 3 of the
// result.
func aeskeygenassist(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	half := func(v uint64) uint64 {
		w := uint32(v >> 32)
		w = uint32(aesTables.sbox[uint8(w)]) | uint32(aesTables.sbox[uint8(w>>8)])<<8 |
			uint32(aesTables.sbox[uint8(w>>16)])<<16 | uint32(aesTables.sbox[w>>24])<<24
		return pair(w, bits.RotateLeft32(w, -8)^o.imm)
	}
	*c.xmm(o) = [2]uint64{half(lo), half(hi)}
	return next
}
