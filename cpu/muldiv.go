package cpu

import "alpinevm/cpu/x86"

func mulFamily() family {
	return family{
		x86.MUL:  always(mul),
		x86.IMUL: selectImul,
		x86.DIV:  always(div),
		x86.IDIV: always(idiv),
	}
}

// setWide writes a double-width result: AX, DX:AX or EDX:EAX.
func (c *CPU) setWide(v uint64, size uint8) {
	if size == 1 {
		c.writeReg(eax, 0, uint32(v), 2)
		return
	}
	c.writeReg(eax, 0, uint32(v), size)
	c.writeReg(edx, 0, uint32(v>>(8*size)), size)
}

// wide reads AX, DX:AX or EDX:EAX.
func (c *CPU) wide(size uint8) uint64 {
	switch size {
	case 1:
		return uint64(c.R[eax] & 0xffff)
	case 2:
		return uint64(c.R[edx]&0xffff)<<16 | uint64(c.R[eax]&0xffff)
	}
	return uint64(c.R[edx])<<32 | uint64(c.R[eax])
}

// flagsMul sets CF and OF where the product does not fit; SF, ZF, AF and PF are
// undefined and follow the low half here.
func (s *State) flagsMul(low uint32, overflow bool, size uint8) {
	s.flagsLogic(low, size)
	if overflow {
		s.setCFOF(1, 1)
	}
}

func mul(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	a := uint64(c.R[eax]) & (1<<(8*o.size) - 1)
	r := a * uint64(v)
	c.setWide(r, o.size)
	c.flagsMul(uint32(r), r>>(8*o.size) != 0, o.size)
	return next
}

func selectImul(t *translation) handler {
	switch {
	case t.args[1] == x86.None:
		return imulWide
	case t.args[2] != x86.None:
		return imulImm
	}
	return imul
}

// imulWide multiplies the accumulator into a double-width result.
func imulWide(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	r := int64(int32(signExtend(c.R[eax], o.size))) * int64(int32(signExtend(v, o.size)))
	c.setWide(uint64(r), o.size)
	c.flagsMul(uint32(r), r != int64(int32(signExtend(uint32(r), o.size))), o.size)
	return next
}

func imul(c *CPU, o *op) status { return c.imulBy(o, c.R[o.reg&15]) }

func imulImm(c *CPU, o *op) status { return c.imulBy(o, o.imm) }

// imulBy multiplies the r/m operand with b into the register.
func (c *CPU) imulBy(o *op, b uint32) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	r := int64(int32(signExtend(v, o.size))) * int64(int32(signExtend(b, o.size)))
	c.writeReg(o.reg, 0, uint32(r), o.size)
	c.flagsMul(uint32(r), r != int64(int32(signExtend(uint32(r), o.size))), o.size)
	return next
}

// div leaves the flags, which are undefined, alone.
func div(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	if v == 0 {
		return c.raise(vecDE)
	}
	a := c.wide(o.size)
	q, r := a/uint64(v), a%uint64(v)
	if q>>(8*o.size) != 0 {
		return c.raise(vecDE)
	}
	c.setQuotient(uint32(q), uint32(r), o.size)
	return next
}

func (c *CPU) setQuotient(q, r uint32, size uint8) {
	if size == 1 {
		c.writeReg(eax, 0, q&0xff|r<<8, 2)
		return
	}
	c.writeReg(eax, 0, q, size)
	c.writeReg(edx, 0, r, size)
}

func idiv(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	d := int64(int32(signExtend(v, o.size)))
	if d == 0 {
		return c.raise(vecDE)
	}
	shift := 64 - 16*o.size
	a := int64(c.wide(o.size)<<shift) >> shift
	// The one case in which the host's division overflows: the quotient
	// wraps to a value that does not fit either.
	if a == -1<<63 && d == -1 {
		return c.raise(vecDE)
	}
	q, r := a/d, a%d
	if q != int64(int32(signExtend(uint32(q), o.size))) {
		return c.raise(vecDE)
	}
	c.setQuotient(uint32(q), uint32(r), o.size)
	return next
}
