package cpu

import "alpinevm/cpu/x86"

// Loads and stores of the descriptor-table registers and the task register.

func tableFamily() family {
	return family{
		x86.LGDT: always(lgdt),
		x86.LIDT: always(lidt),
		x86.SGDT: always(sgdt),
		x86.SIDT: always(sidt),
		x86.LLDT: always(lldt),
		x86.LTR:  always(ltr),
		x86.SLDT: always(sldt),
		x86.STR:  always(str),
	}
}

func lgdt(c *CPU, o *op) status { return c.loadTable(o, &c.GDTR) }
func lidt(c *CPU, o *op) status { return c.loadTable(o, &c.IDTR) }
func sgdt(c *CPU, o *op) status { return c.storeTable(o, &c.GDTR) }
func sidt(c *CPU, o *op) status { return c.storeTable(o, &c.IDTR) }

// loadTable loads GDTR or IDTR; with 16-bit operands the base has 24 bits.
func (c *CPU) loadTable(o *op, t *TableReg) status {
	first, second, ok := c.twoParts(o, c.ea(o), 2, 4, read)
	if !ok {
		return faulted
	}
	limit, ok := c.load16(first)
	if !ok {
		return faulted
	}
	base, ok := c.load32(second)
	if !ok {
		return faulted
	}
	if o.size == 2 {
		base &= 0xffffff
	}
	t.Base, t.Limit = base, uint16(limit)
	return next
}

// storeTable stores all 32 bits of the base whatever the operand size is, as
// every processor since the 386 does (SDM vol. 2B, SGDT).
func (c *CPU) storeTable(o *op, t *TableReg) status {
	if !c.mayReveal() {
		return faulted
	}
	first, second, ok := c.twoParts(o, c.ea(o), 2, 4, write)
	if !ok || !c.writable(first, 2) || !c.writable(second, 4) || c.store16(first, uint32(t.Limit)) == faulted {
		return faulted
	}
	return c.store32(second, t.Base)
}

func sldt(c *CPU, o *op) status { return c.storeSelector(o, segLDTR) }
func str(c *CPU, o *op) status  { return c.storeSelector(o, segTR) }

func (c *CPU) storeSelector(o *op, s int) status {
	if !c.mayReveal() {
		return faulted
	}
	size := o.size
	if o.flags&opMem != 0 {
		size = 2
	}
	return c.rmStore(o, uint32(c.Seg[s].Sel), size)
}

func lldt(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	sel := uint16(v)
	if null(sel) {
		c.Seg[segLDTR] = Seg{Sel: sel}
		return next
	}
	if local(sel) {
		return c.raiseSel(vecGP, sel, 0)
	}
	d, ok := c.descriptor(sel, vecGP, 0)
	if !ok {
		return faulted
	}
	if d.system() != typeLDT {
		return c.raiseSel(vecGP, sel, 0)
	}
	if !d.present() {
		return c.raiseSel(vecNP, sel, 0)
	}
	c.Seg[segLDTR].load(&d, sel)
	return next
}

func ltr(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	sel := uint16(v)
	if null(sel) {
		return c.raiseCode(vecGP, 0)
	}
	if local(sel) {
		return c.raiseSel(vecGP, sel, 0)
	}
	d, ok := c.descriptor(sel, vecGP, 0)
	if !ok {
		return faulted
	}
	if !d.tss() || !d.available() {
		return c.raiseSel(vecGP, sel, 0)
	}
	if !d.present() {
		return c.raiseSel(vecNP, sel, 0)
	}
	d.hi |= typeBusy << 8
	if !c.sysStore(d.lin+5, 1, d.hi>>8) {
		return faulted
	}
	c.Seg[segTR].load(&d, sel)
	return next
}
