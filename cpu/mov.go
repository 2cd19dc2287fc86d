package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

func movFamily() family {
	return family{
		x86.MOV:    selectMov,
		x86.LEA:    selectLea,
		x86.XCHG:   selectXchg,
		x86.XLAT:   always(xlat),
		x86.BSWAP:  always(bswap),
		x86.CMOVCC: selectCmov,
		x86.SETCC:  always(setcc),
		x86.NOP:    always(nop),
		x86.PAUSE:  always(nop),
	}
}

// selectMov serves all but moves of segment registers, which segment.go does.
func selectMov(t *translation) handler {
	h := &movHandlers[sizeIndex(t.size)]
	switch t.args[0] {
	case x86.Zb, x86.Zv:
		t.rm, t.rmSh = t.reg, t.regSh
		return h.rMImm
	case x86.AL, x86.RAX:
		t.reg, t.regSh = eax, 0
		if t.flat() {
			return h.regMemFlat
		}
		return h.regMemSeg
	case x86.Ob, x86.Ov:
		t.reg, t.regSh = eax, 0
		if t.flat() {
			return h.memRegFlat
		}
		return h.memRegSeg
	case x86.Sw:
		return selectMovToSegment(t)
	}
	if t.args[1] == x86.Sw {
		return selectMovFromSegment(t)
	}
	return h.choose(t)
}

func selectLea(t *translation) handler {
	if t.size == 4 && t.flags&opAddr16 == 0 {
		return lea32
	}
	return lea
}

func lea32(c *CPU, o *op) status {
	s := c.Core
	s.R[o.reg&15] = s.R[o.base&15] + s.R[o.index&15]<<(o.scale&31) + o.disp
	return next
}

func lea(c *CPU, o *op) status {
	c.writeReg(o.reg, 0, c.ea(o), o.size)
	return next
}

func selectXchg(t *translation) handler {
	if t.args[0] == x86.Zv || t.args[1] == x86.Zv {
		t.rm = eax
	}
	return xchg
}

func xchg(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	c.rmStoreBack(o, lin, c.regValue(o, o.size), o.size)
	c.writeReg(o.reg, o.regSh, v, o.size)
	return next
}

func xlat(c *CPU, o *op) status {
	off := c.R[ebx] + c.R[eax]&0xff
	if o.flags&opAddr16 != 0 {
		off &= 0xffff
	}
	lin, ok := c.segRead(o.seg, off, 1)
	if !ok {
		return faulted
	}
	v, ok := c.load8(lin)
	if !ok {
		return faulted
	}
	c.writeReg(eax, 0, v, 1)
	return next
}

// bswap of a 16-bit register is undefined; processors clear it.
func bswap(c *CPU, o *op) status {
	if o.size == 2 {
		c.writeReg(o.reg, 0, 0, 2)
		return next
	}
	c.R[o.reg&15] = bits.ReverseBytes32(c.R[o.reg&15])
	return next
}

func selectCmov(t *translation) handler {
	if t.size == 4 && t.flags&opMem == 0 {
		return cmov32Reg
	}
	return cmov
}

func cmov32Reg(c *CPU, o *op) status {
	if c.cond(o.cond) {
		c.R[o.reg&15] = c.R[o.rm&15]
	}
	return next
}

// cmov reads its source whatever the condition (SDM vol. 2A, CMOVcc).
func cmov(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	if c.cond(o.cond) {
		c.writeReg(o.reg, 0, v, o.size)
	}
	return next
}

func setcc(c *CPU, o *op) status {
	var v uint32
	if c.cond(o.cond) {
		v = 1
	}
	return c.rmStore(o, v, 1)
}

func nop(*CPU, *op) status { return next }
