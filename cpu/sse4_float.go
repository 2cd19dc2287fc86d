package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// Rounding and dot products of SSE4.1.

func sse4FloatFamily() family {
	return family{
		x86.ROUNDPS: always(roundps), x86.ROUNDPD: always(roundpd), x86.ROUNDSS: always(roundss), x86.ROUNDSD: always(roundsd),
		x86.DPPS: always(dpps), x86.DPPD: always(dppd),
	}
}

// round32 rounds one lane as the immediate says: bits 0 and 1 are the mode, bit 2
// takes that of MXCSR instead, bit 3 keeps PE from being raised (SDM vol. 2B,
// ROUNDPD).
func (o *op) round32(e *softfloat.Env, v uint32) uint32 {
	return e.RoundInt32(v, o.rounding(e), o.imm&8 != 0)
}

func (o *op) round64(e *softfloat.Env, v uint64) uint64 {
	return e.RoundInt64(v, o.rounding(e), o.imm&8 != 0)
}

func (o *op) rounding(e *softfloat.Env) softfloat.Rounding {
	if o.imm&4 != 0 {
		return e.Rounding
	}
	return softfloat.Rounding(o.imm & 3)
}

func roundps(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e := c.sseEnv()
	r := [2]uint64{
		pair(o.round32(e, uint32(lo)), o.round32(e, uint32(lo>>32))),
		pair(o.round32(e, uint32(hi)), o.round32(e, uint32(hi>>32))),
	}
	if !c.settle(e) {
		return faulted
	}
	*c.xmm(o) = r
	return next
}

func roundpd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e := c.sseEnv()
	r := [2]uint64{o.round64(e, lo), o.round64(e, hi)}
	if !c.settle(e) {
		return faulted
	}
	*c.xmm(o) = r
	return next
}

func roundss(c *CPU, o *op) status {
	s, ok := c.source32(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	r := o.round32(e, s)
	if !c.settle(e) {
		return faulted
	}
	x[0] = low32(x[0], r)
	return next
}

func roundsd(c *CPU, o *op) status {
	s, ok := c.source64(o)
	if !ok {
		return faulted
	}
	e := c.sseEnv()
	r := o.round64(e, s)
	if !c.settle(e) {
		return faulted
	}
	c.xmm(o)[0] = r
	return next
}

// dpps multiplies the lanes that bits 4 to 7 of the immediate name, adds the
// products in pairs, and puts the sum into the lanes of bits 0 to 3, zeros into
// the others (SDM vol. 2A, DPPS). An exception of the products that is not
// masked comes before any sum.
func dpps(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	var p [4]uint32
	for i := range uint32(4) {
		if o.imm>>(4+i)&1 != 0 {
			p[i] = e.Mul32(pick(x[0], x[1], i), pick(lo, hi, i))
		}
	}
	if !c.settle(e) {
		return faulted
	}
	low, high := e.Add32(p[0], p[1]), e.Add32(p[2], p[3])
	if !c.settle(e) {
		return faulted
	}
	sum := e.Add32(low, high)
	if !c.settle(e) {
		return faulted
	}
	all := pair(sum, sum)
	*x = [2]uint64{all & lanes32.numbered(o.imm), all & lanes32.numbered(o.imm>>2)}
	return next
}

// dppd is dpps for two doubles, named by bits 4 and 5 and by bits 0 and 1.
func dppd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	e, x := c.sseEnv(), c.xmm(o)
	var p [2]uint64
	for i, s := range [...]uint64{lo, hi} {
		if o.imm>>(4+i)&1 != 0 {
			p[i] = e.Mul64(x[i], s)
		}
	}
	if !c.settle(e) {
		return faulted
	}
	sum := e.Add64(p[0], p[1])
	if !c.settle(e) {
		return faulted
	}
	*x = [2]uint64{sum & lanes64.numbered(o.imm), sum & lanes64.numbered(o.imm>>1)}
	return next
}
