package cpu

import "alpinevm/cpu/x86"

// Loads and stores of segment registers.

func segmentFamily() family {
	return family{
		x86.LDS: loadsFar(segDS),
		x86.LES: loadsFar(segES),
		x86.LSS: loadsFar(segSS),
		x86.LFS: loadsFar(x86.FS),
		x86.LGS: loadsFar(x86.GS),
	}
}

// loadSeg loads one of ES, SS, DS, FS and GS as MOV does (SDM vol. 2B, MOV).
// Nothing has changed where it gives faulted. The caller returns what loaded
// gives.
func (c *CPU) loadSeg(s uint8, sel uint16) status {
	if !c.protected() {
		c.loadReal(s, sel)
		return next
	}
	if s == segSS {
		return c.loadSS(sel)
	}
	if null(sel) {
		c.Seg[s] = Seg{Sel: sel}
		return next
	}
	d, ok := c.descriptor(sel, vecGP, 0)
	if !ok {
		return faulted
	}
	if !d.readable() {
		return c.raiseSel(vecGP, sel, 0)
	}
	if !(d.code() && d.conforming()) && (rpl(sel) > d.dpl() || c.CPL > d.dpl()) {
		return c.raiseSel(vecGP, sel, 0)
	}
	if !d.present() {
		return c.raiseSel(vecNP, sel, 0)
	}
	if !c.access(&d) {
		return faulted
	}
	c.Seg[s].load(&d, sel)
	return next
}

func (c *CPU) loadSS(sel uint16) status {
	d, ok := c.stackDescriptor(sel, c.CPL, vecGP, 0)
	if !ok {
		return faulted
	}
	if !c.access(&d) {
		return faulted
	}
	c.Seg[segSS].load(&d, sel)
	return next
}

// stackDescriptor reads the descriptor of a stack segment for the given
// privilege level with the checks that all loads of SS share. vector is #GP or,
// for stacks taken from a TSS, #TS.
func (c *CPU) stackDescriptor(sel uint16, cpl, vector uint8, ext uint32) (d descriptor, ok bool) {
	if null(sel) {
		c.raiseCode(vector, ext)
		return d, false
	}
	if d, ok = c.descriptor(sel, vector, ext); !ok {
		return d, false
	}
	if rpl(sel) != cpl || !d.dataWritable() || d.dpl() != cpl {
		c.raiseSel(vector, sel, ext)
		return d, false
	}
	if !d.present() {
		c.raiseSel(vecSS, sel, ext)
		return d, false
	}
	return d, true
}

// loadReal loads a segment register in real or virtual-8086 mode. Real mode
// keeps limit and rights, unless the segment was unusable (SDM vol. 3A 9.9.2 and 20.1.1).
func (c *CPU) loadReal(s uint8, sel uint16) {
	g := &c.Seg[s]
	if g.Attr == 0 {
		*g = Seg{Limit: 0xffff, Attr: AttrP | AttrS | AttrWritable | AttrAccessed}
	}
	g.Sel, g.Base = sel, uint32(sel)<<4
	if c.Flags&flagVM != 0 {
		g.Limit, g.Attr = 0xffff, attrV86
	}
	g.refresh()
}

// attrV86 are the rights of every segment in virtual-8086 mode: present,
// writable data of privilege level 3.
const attrV86 = AttrP | AttrDPL | AttrS | AttrWritable | AttrAccessed

// loaded ends an instruction that has loaded segment register s.
func (c *CPU) loaded(o *op, s uint8) status {
	if s >= x86.FS {
		return next
	}
	was := c.Mode
	if c.modeChanged(); c.Mode == was {
		return next
	}
	return c.resume(o)
}

// resume ends an instruction behind which execution goes on under a changed
// mode.
func (c *CPU) resume(o *op) status {
	c.EIP = o.nextEIP(c)
	return elsewhere
}

// movToSeg is MOV Sw,Ew.
func movToSeg(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	if st := c.loadSeg(o.reg, uint16(v)); st != next {
		return st
	}
	if o.reg == segSS {
		c.shadowStack()
	}
	return c.loaded(o, o.reg)
}

// shadowStack holds off interrupts and debug traps until the next instruction
// has retired (SDM vol. 3A 6.8.3).
func (c *CPU) shadowStack() {
	c.Shadow, c.ShadowSS = true, true
	c.updateEvents()
}

// movFromSeg is MOV Ev,Sw: all of a 32-bit register, but only 16 bits of memory.
func movFromSeg(c *CPU, o *op) status {
	v := uint32(c.Seg[o.reg].Sel)
	if o.flags&opMem != 0 {
		return c.rmStore(o, v, 2)
	}
	return c.rmStore(o, v, o.size)
}

// The selectors of the MOV forms with a segment register.
func selectMovToSegment(*translation) handler { return movToSeg }

func selectMovFromSegment(*translation) handler { return movFromSeg }

// loadsFar makes the selector of LDS and its kin for segment register s.
//
//go:noinline
func loadsFar(s uint8) selector {
	return always(func(c *CPU, o *op) status { return c.loadFar(o, s) })
}

func (c *CPU) loadFar(o *op, s uint8) status {
	off, sel, ok := c.farPointer(o)
	if !ok {
		return faulted
	}
	if st := c.loadSeg(s, sel); st != next {
		return st
	}
	c.writeReg(o.reg, 0, off, o.size)
	return c.loaded(o, s)
}

// farPointer reads the memory operand Mp.
func (c *CPU) farPointer(o *op) (off uint32, sel uint16, ok bool) {
	n := uint32(o.size)
	first, second, ok := c.twoParts(o, c.ea(o), n, 2, read)
	if !ok {
		return 0, 0, false
	}
	if off, ok = c.load(first, o.size); !ok {
		return 0, 0, false
	}
	v, ok := c.load16(second)
	return off, uint16(v), ok
}
