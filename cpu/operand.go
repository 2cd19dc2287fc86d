package cpu

// The r/m operand, register or memory, of 1, 2 or 4 bytes (o.size).

// rmLoad reads it.
func (c *CPU) rmLoad(o *op, size uint8) (uint32, bool) {
	if o.flags&opMem == 0 {
		return c.rmReg(o, size), true
	}
	lin, ok := c.linRead(o, uint32(size))
	if !ok {
		return 0, false
	}
	return c.load(lin, size)
}

// rmLoadForWrite reads it with the right to write established, so that
// rmStoreBack cannot fail.
func (c *CPU) rmLoadForWrite(o *op, size uint8) (v, lin uint32, ok bool) {
	if o.flags&opMem == 0 {
		return c.rmReg(o, size), 0, true
	}
	if lin, ok = c.linWrite(o, uint32(size)); !ok {
		return 0, 0, false
	}
	v, ok = c.loadForWrite(lin, size)
	return v, lin, ok
}

// rmStoreBack stores to what rmLoadForWrite read.
func (c *CPU) rmStoreBack(o *op, lin, v uint32, size uint8) {
	if o.flags&opMem == 0 {
		c.writeReg(o.rm, o.rmSh, v, size)
		return
	}
	c.store(lin, v, size)
}

// rmStore writes it.
func (c *CPU) rmStore(o *op, v uint32, size uint8) status {
	if o.flags&opMem == 0 {
		c.writeReg(o.rm, o.rmSh, v, size)
		return next
	}
	lin, ok := c.linWrite(o, uint32(size))
	if !ok {
		return faulted
	}
	return c.store(lin, v, size)
}

func (c *CPU) rmReg(o *op, size uint8) uint32 {
	v := c.R[o.rm&15] >> (o.rmSh & 31)
	switch size {
	case 1:
		return v & 0xff
	case 2:
		return v & 0xffff
	}
	return v
}

// regValue reads ModRM.reg (or the opcode's register) in size bytes.
func (c *CPU) regValue(o *op, size uint8) uint32 {
	v := c.R[o.reg&15] >> (o.regSh & 31)
	switch size {
	case 1:
		return v & 0xff
	case 2:
		return v & 0xffff
	}
	return v
}

// writeReg writes the low size bytes of v to register r; sh is 8 for the high
// byte registers.
func (c *CPU) writeReg(r, sh uint8, v uint32, size uint8) {
	p := &c.R[r&15]
	switch size {
	case 1:
		*p = *p&^(0xff<<(sh&31)) | v&0xff<<(sh&31)
	case 2:
		*p = *p&0xffff0000 | v&0xffff
	default:
		*p = v
	}
}
