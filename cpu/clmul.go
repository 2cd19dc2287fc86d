package cpu

import "alpinevm/cpu/x86"

func carrylessFamily() family {
	return family{x86.PCLMULQDQ: always(pclmulqdq)}
}

// pclmulqdq multiplies polynomials over GF(2): the half of the destination that
// bit 0 of the immediate names by the half of the source of bit 4 (SDM vol. 2B,
// PCLMULQDQ).
func pclmulqdq(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	if o.imm&0x10 != 0 {
		lo = hi
	}
	x := c.xmm(o)
	*x = carryless(x[o.imm&1], lo)
	return next
}

// carryless takes four bits of b at a time.
func carryless(a, b uint64) (r [2]uint64) {
	// The multiples of a, low and high half.
	var m [16][2]uint64
	m[1][0] = a
	for i := 2; i < 16; i += 2 {
		h := &m[i/2]
		m[i] = [2]uint64{h[0] << 1, h[1]<<1 | h[0]>>63}
		m[i+1] = [2]uint64{m[i][0] ^ a, m[i][1]}
	}
	for sh := 60; sh >= 0; sh -= 4 {
		p := &m[b>>sh&15]
		r = [2]uint64{r[0]<<4 ^ p[0], r[1]<<4 | r[0]>>60}
		r[1] ^= p[1]
	}
	return r
}
