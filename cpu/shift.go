package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

func shiftFamily() family {
	return family{
		x86.ROL:  selectShift(rol, nil),
		x86.ROR:  selectShift(ror, nil),
		x86.RCL:  selectShift(rcl, nil),
		x86.RCR:  selectShift(rcr, nil),
		x86.SHL:  selectShift(shl, shl32Imm),
		x86.SHR:  selectShift(shr, shr32Imm),
		x86.SAR:  selectShift(sar, sar32Imm),
		x86.SHLD: selectDoubleShift(shld),
		x86.SHRD: selectDoubleShift(shrd),
	}
}

// shiftFunc shifts v, size bytes wide, by n, which is 1 to 31, and sets the
// flags.
type shiftFunc func(c *CPU, v, n uint32, size uint8) uint32

// selectShift chooses by the source of the count; fast serves a 32-bit register
// by a constant.
//
//go:noinline
func selectShift(f shiftFunc, fast handler) selector {
	byImm := func(c *CPU, o *op) status { return c.shift(o, o.imm&31, f) }
	byCL := func(c *CPU, o *op) status { return c.shift(o, c.R[ecx]&31, f) }
	return func(t *translation) handler {
		switch t.args[1] {
		case x86.CL:
			return byCL
		case x86.One:
			t.imm = 1
		}
		if n := t.imm & 31; fast != nil && n != 0 && t.size == 4 && t.flags&opMem == 0 {
			t.imm = n
			return fast
		}
		return byImm
	}
}

// shift does a shift whose count is already masked. A count of 0 changes
// nothing but, for memory, still needs the right to write.
func (c *CPU) shift(o *op, n uint32, f shiftFunc) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	if n != 0 {
		c.rmStoreBack(o, lin, f(c, v, n, o.size), o.size)
	}
	return next
}

func shl32Imm(c *CPU, o *op) status {
	s := c.Core
	v, n := s.R[o.rm&15], o.imm&31
	r := v << n
	s.R[o.rm&15] = r
	// CF is the last bit out; OF is it xor the new top bit.
	s.Res, s.Aux = r, v<<(n-1)&AuxCF|r>>1&AuxPO
	return next
}

func shr32Imm(c *CPU, o *op) status {
	s := c.Core
	v, n := s.R[o.rm&15], o.imm&31
	r := v >> n
	s.R[o.rm&15] = r
	cf := v >> (n - 1) << 31
	// The top bit of r is clear: OF is the one below it.
	s.Res, s.Aux = r, cf|(cf>>1^r&AuxPO)
	return next
}

func sar32Imm(c *CPU, o *op) status {
	s := c.Core
	v, n := s.R[o.rm&15], o.imm&31
	r := uint32(int32(v) >> n)
	s.R[o.rm&15] = r
	cf := uint32(int32(v)>>(n-1)) << 31
	s.Res, s.Aux = r, cf|cf>>1
	return next
}

// flagsShift records a result with its CF and OF, which are 0 or 1. AF is
// undefined and cleared.
func (s *State) flagsShift(r, cf, of uint32, size uint8) {
	s.Res, s.Aux = signExtend(r, size), cf<<31|(cf^of)<<30
}

func top(v uint32, size uint8) uint32 { return v >> (8*size - 1) & 1 }

// The carry of a count beyond the operand's width is the last bit shifted out
// of a value extended with zeros (SHL, SHR) or the sign (SAR).

func shl(c *CPU, v, n uint32, size uint8) uint32 {
	w := uint64(v) << n
	r := uint32(w)
	cf := uint32(w>>(8*size)) & 1
	c.flagsShift(r, cf, cf^top(r, size), size)
	return r
}

func shr(c *CPU, v, n uint32, size uint8) uint32 {
	r := v >> n
	cf := v >> (n - 1) & 1
	// OF is the old top bit for a count of 1; processors give the two top
	// bits of the result xored for the others, which agrees.
	c.flagsShift(r, cf, top(r, size)^top(r<<1, size), size)
	return r
}

func sar(c *CPU, v, n uint32, size uint8) uint32 {
	w := int32(signExtend(v, size))
	r := uint32(w >> n)
	c.flagsShift(r, uint32(w>>(n-1))&1, 0, size)
	return r
}

func rol(c *CPU, v, n uint32, size uint8) uint32 {
	width := 8 * uint32(size)
	n %= width
	r := v<<n | v>>(width-n)
	c.setCFOF(r&1, r&1^top(r, size))
	return r
}

func ror(c *CPU, v, n uint32, size uint8) uint32 {
	width := 8 * uint32(size)
	n %= width
	r := v>>n | v<<(width-n)
	c.setCFOF(top(r, size), top(r, size)^top(r<<1, size))
	return r
}

func rcl(c *CPU, v, n uint32, size uint8) uint32 {
	width := 8 * uint32(size)
	if n %= width + 1; n == 0 {
		cf := c.carry()
		c.setCFOF(cf, cf^top(v, size))
		return v
	}
	w := uint64(v) | uint64(c.carry())<<width
	w = w<<n | w>>(width+1-n)
	r, cf := uint32(w), uint32(w>>width)&1
	c.setCFOF(cf, cf^top(r, size))
	return r
}

func rcr(c *CPU, v, n uint32, size uint8) uint32 {
	width := 8 * uint32(size)
	if n %= width + 1; n == 0 {
		c.setCFOF(c.carry(), top(v, size)^top(v<<1, size))
		return v
	}
	w := uint64(v) | uint64(c.carry())<<width
	w = w>>n | w<<(width+1-n)
	r, cf := uint32(w), uint32(w>>width)&1
	c.setCFOF(cf, top(r, size)^top(r<<1, size))
	return r
}

// doubleFunc shifts v and fills with bits of fill; n is 1 to 31.
type doubleFunc func(c *CPU, v, fill, n uint32, size uint8) uint32

//go:noinline
func selectDoubleShift(f doubleFunc) selector {
	by := func(c *CPU, o *op, n uint32) status {
		v, lin, ok := c.rmLoadForWrite(o, o.size)
		if !ok {
			return faulted
		}
		if n &= 31; n != 0 {
			c.rmStoreBack(o, lin, f(c, v, c.regValue(o, o.size), n, o.size), o.size)
		}
		return next
	}
	byImm := func(c *CPU, o *op) status { return by(c, o, o.imm) }
	byCL := func(c *CPU, o *op) status { return by(c, o, c.R[ecx]) }
	return func(t *translation) handler {
		if t.args[2] == x86.CL {
			return byCL
		}
		return byImm
	}
}

// shld. With 16 bits and a count beyond 16, which the manual leaves undefined,
// processors rotate through the 48 bits of v, fill and v again.
func shld(c *CPU, v, fill, n uint32, size uint8) uint32 {
	var r, cf uint32
	if size == 2 {
		w := uint64(v)<<32 | uint64(fill)<<16 | uint64(v)
		r = uint32(w << n >> 32 & 0xffff)
		cf = uint32(w<<(n-1)>>47) & 1
	} else {
		r = v<<n | fill>>(32-n)
		cf = v >> (32 - n) & 1
	}
	c.flagsShift(r, cf, cf^top(r, size), size)
	return r
}

func shrd(c *CPU, v, fill, n uint32, size uint8) uint32 {
	var r, cf uint32
	if size == 2 {
		w := uint64(v)<<32 | uint64(fill)<<16 | uint64(v)
		r = uint32(w >> n & 0xffff)
		cf = uint32(w>>(n-1)) & 1
	} else {
		r = v>>n | fill<<(32-n)
		cf = v >> (n - 1) & 1
	}
	c.flagsShift(r, cf, top(r, size)^top(r<<1, size), size)
	return r
}

// bitScanLow and bitScanHigh are the numbers of the lowest and the highest set
// bit of v, which is not 0.
func bitScanLow(v uint32) uint32  { return uint32(bits.TrailingZeros32(v)) }
func bitScanHigh(v uint32) uint32 { return uint32(31 - bits.LeadingZeros32(v)) }
