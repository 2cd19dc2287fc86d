package cpu

import "alpinevm/cpu/x86"

// Instructions that ask about descriptors without loading them (SDM vol. 3A
// 5.10).

func verifyFamily() family {
	return family{
		x86.LAR:  always(lar),
		x86.LSL:  always(lsl),
		x86.VERR: always(verr),
		x86.VERW: always(verw),
		x86.ARPL: always(arpl),
	}
}

// inspect reads the descriptor that the operand of LAR, LSL, VERR or VERW refers
// to. visible is false where privilege or type hides it: types is the set of
// system types that may be seen.
func (c *CPU) inspect(o *op, types uint16) (d descriptor, visible, ok bool) {
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return d, false, false
	}
	sel := uint16(v)
	if null(sel) {
		return d, false, true
	}
	d, visible, ok = c.lookup(sel)
	if !visible {
		return d, false, ok
	}
	if d.attr()&AttrS == 0 && types>>d.system()&1 == 0 {
		return d, false, true
	}
	if !(d.code() && d.conforming()) && (c.CPL > d.dpl() || rpl(sel) > d.dpl()) {
		return d, false, true
	}
	return d, true, true
}

// The system types that LAR and LSL see.
const (
	typesLSL = 1<<typeTSS16 | 1<<typeLDT | 1<<typeTSS16Busy | 1<<typeTSS32 | 1<<typeTSS32Busy
	typesLAR = typesLSL | 1<<typeCall16 | 1<<typeTask | 1<<typeCall32
)

func lar(c *CPU, o *op) status {
	d, visible, ok := c.inspect(o, typesLAR)
	if !ok {
		return faulted
	}
	if visible {
		c.writeReg(o.reg, 0, d.hi&0x00f0ff00, o.size)
	}
	c.setZF(visible)
	return next
}

func lsl(c *CPU, o *op) status {
	d, visible, ok := c.inspect(o, typesLSL)
	if !ok {
		return faulted
	}
	if visible {
		c.writeReg(o.reg, 0, d.limit(), o.size)
	}
	c.setZF(visible)
	return next
}

func verr(c *CPU, o *op) status {
	d, visible, ok := c.inspect(o, 0)
	if !ok {
		return faulted
	}
	c.setZF(visible && d.readable())
	return next
}

func verw(c *CPU, o *op) status {
	d, visible, ok := c.inspect(o, 0)
	if !ok {
		return faulted
	}
	c.setZF(visible && d.dataWritable())
	return next
}

func arpl(c *CPU, o *op) status {
	dst, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	low := c.R[o.reg&7] & 3
	adjust := dst&3 < low
	if adjust && c.rmStore(o, dst&^3|low, 2) == faulted {
		return faulted
	}
	c.setZF(adjust)
	return next
}
