package cpu

import "alpinevm/cpu/x86"

// Port I/O (SDM vol. 1 chapter 19).

func ioFamily() family {
	return family{
		x86.IN:   selectIn,
		x86.OUT:  selectOut,
		x86.INS:  always(ins),
		x86.OUTS: always(outs),
	}
}

// portOperand makes o.imm the port number, or o.base EDX where that holds it.
func portOperand(t *translation, a x86.Arg) {
	t.base = x86.NoReg
	if a == x86.DX {
		t.base, t.imm = edx, 0
	}
}

func selectIn(t *translation) handler {
	portOperand(t, t.args[1])
	return in
}

func selectOut(t *translation) handler {
	portOperand(t, t.args[0])
	return out
}

// port checks the right to access size bytes at port (SDM vol. 1 19.5).
func (c *CPU) portAllowed(port uint16, size uint8) bool {
	if c.CR0&cr0PE == 0 || c.Flags&flagVM == 0 && c.CPL <= c.iopl() {
		return true
	}
	const ioMap = 0x66
	tr := &c.Seg[segTR]
	if tr.Attr&AttrP != 0 && tr.Attr&type32 != 0 && tr.Limit >= ioMap+1 {
		base, ok := c.sysLoad(tr.Base+ioMap, 2)
		if !ok {
			return false
		}
		// Two bytes are read always, so both must lie within the limit.
		if off := base + uint32(port>>3); off+1 <= tr.Limit {
			bits, ok := c.sysLoad(tr.Base+off, 2)
			if !ok {
				return false
			}
			if bits>>(port&7)&(1<<size-1) == 0 {
				return true
			}
		}
	}
	c.raiseCode(vecGP, 0)
	return false
}

func in(c *CPU, o *op) status {
	port := uint16(c.R[o.base&15] + o.imm)
	if !c.portAllowed(port, o.size) {
		return faulted
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	c.writeReg(eax, 0, c.ports.In(port, int(o.size)), o.size)
	c.watchPort(port, o.size)
	return next
}

func out(c *CPU, o *op) status {
	port := uint16(c.R[o.base&15] + o.imm)
	if !c.portAllowed(port, o.size) {
		return faulted
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	c.ports.Out(port, int(o.size), low(c.R[eax], o.size))
	c.watchPort(port, o.size)
	return next
}

// low is the low size bytes of v.
func low(v uint32, size uint8) uint32 { return v & (1<<(8*size) - 1) }

// ins and outs do one iteration; with REP the instruction is executed again
// until ECX is 0, so that events can come in between. The right to access the port
// is looked at first, as silicon does, even if there is nothing to do.
func ins(c *CPU, o *op) status {
	port := uint16(c.R[edx])
	if !c.portAllowed(port, o.size) {
		return faulted
	}
	if o.flags&(opRep|opRepne) != 0 && c.index(ecx, o) == 0 {
		return next
	}
	// The memory must take what the port gives before the port is read.
	lin, ok := c.destWrite(o)
	if !ok || !c.writable(lin, uint32(o.size)) {
		return faulted
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	v := c.ports.In(port, int(o.size))
	if c.store(lin, v, o.size) != next {
		return faulted
	}
	c.step16(edi, o, c.stride(o))
	c.watchPort(port, o.size)
	return c.again(o)
}

func outs(c *CPU, o *op) status {
	port := uint16(c.R[edx])
	if !c.portAllowed(port, o.size) {
		return faulted
	}
	if o.flags&(opRep|opRepne) != 0 && c.index(ecx, o) == 0 {
		return next
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	src, ok := c.source(o)
	if !ok {
		return faulted
	}
	v, ok := c.load(src, o.size)
	if !ok {
		return faulted
	}
	c.ports.Out(port, int(o.size), v)
	c.step16(esi, o, c.stride(o))
	c.watchPort(port, o.size)
	return c.again(o)
}

// again ends an iteration of a repeated instruction: EIP stays as long as ECX is
// not 0.
func (c *CPU) again(o *op) status {
	if o.flags&(opRep|opRepne) == 0 {
		return next
	}
	c.step16(ecx, o, ^uint32(0))
	if c.index(ecx, o) == 0 {
		return next
	}
	c.EIP = o.eip(c)
	c.Paused = c.Retired + 1
	return elsewhere
}
