package cpu

// MMX registers are the significands of the x87 registers in physical order
// (SDM vol. 3A 12.2).

// mmx says whether MMX instructions can be executed; if not, the exception is
// recorded: #UD, #NM, then #MF for an x87 exception that waits (SDM vol. 3A
// 12.1 and 12.5).
func (c *CPU) mmx() bool {
	return c.CR0&(cr0EM|cr0TS) == 0 && c.FPU.SW&fpuES == 0 || c.noMMX()
}

func (c *CPU) noMMX() bool {
	switch {
	case c.CR0&cr0EM != 0:
		c.raise(vecUD)
	case c.CR0&cr0TS != 0:
		c.raise(vecNM)
	default:
		return !c.pendingMF()
	}
	return false
}

// enterMMX does what every MMX instruction but EMMS does to the x87 state, once
// it can no longer fault: TOP is 0 and all registers are valid.
func (c *CPU) enterMMX() {
	c.FPU.SW &^= fpuTOP
	c.FPU.Used = 0xff
}

// mm is the MMX register of ModRM.reg.
func (c *CPU) mm(o *op) uint64 { return c.FPU.Mant[o.reg&7] }

// setMM writes it. Sign and exponent become ones.
func (c *CPU) setMM(o *op, v uint64) {
	c.FPU.Mant[o.reg&7] = v
	c.FPU.SE[o.reg&7] = 0xffff
}

// peekMM reads the r/m operand of 8 bytes.
func (c *CPU) peekMM(o *op) (v uint64, ok bool) {
	if o.flags&opMem == 0 {
		return c.FPU.Mant[o.rm&7], true
	}
	lin, ok := c.linRead(o, 8)
	if !ok {
		return 0, false
	}
	return c.load64(lin)
}

// sourceMM checks that MMX can be executed, reads the r/m operand of 8 bytes and
// enters the MMX state: nothing may fault behind it.
func (c *CPU) sourceMM(o *op) (v uint64, ok bool) {
	if !c.mmx() {
		return 0, false
	}
	if v, ok = c.peekMM(o); ok {
		c.enterMMX()
	}
	return v, ok
}

func emms(c *CPU, o *op) status {
	if !c.mmx() {
		return faulted
	}
	c.FPU.SW &^= fpuTOP
	c.FPU.Used = 0
	return next
}
