package cpu

import "alpinevm/cpu/x86"

func atomicFamily() family {
	return family{
		x86.XADD:      always(xadd),
		x86.CMPXCHG:   always(cmpxchg),
		x86.CMPXCHG8B: always(cmpxchg8b),
	}
}

func xadd(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	b := c.regValue(o, o.size)
	c.writeReg(o.reg, o.regSh, v, o.size)
	c.rmStoreBack(o, lin, v+b, o.size)
	c.flagsAdd(v, b, v+b, o.size)
	return next
}

// cmpxchg writes its destination in either case (SDM vol. 2A, CMPXCHG).
func cmpxchg(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	a := c.R[eax] & (1<<(8*o.size) - 1)
	c.flagsSub(a, v, a-v, o.size)
	if a == v {
		c.rmStoreBack(o, lin, c.regValue(o, o.size), o.size)
		return next
	}
	if o.flags&opMem != 0 {
		c.rmStoreBack(o, lin, v, o.size)
	}
	c.writeReg(eax, 0, v, o.size)
	return next
}

func cmpxchg8b(c *CPU, o *op) status {
	lin, ok := c.linWrite(o, 8)
	if !ok || !c.writable(lin, 8) {
		return faulted
	}
	v, ok := c.load64(lin)
	if !ok {
		return faulted
	}
	same := v == uint64(c.R[edx])<<32|uint64(c.R[eax])
	f := c.Arith() &^ flagZF
	if same {
		f |= flagZF
		v = uint64(c.R[ecx])<<32 | uint64(c.R[ebx])
	} else {
		c.R[eax], c.R[edx] = uint32(v), uint32(v>>32)
	}
	c.store64(lin, v)
	c.SetArith(f)
	return next
}
