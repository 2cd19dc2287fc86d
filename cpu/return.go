package cpu

import "alpinevm/cpu/x86"

// Far RET and IRET (SDM vol. 2A, IRET; vol. 2B, RET).

func selectRetFar(t *translation) handler {
	if t.args[0] == x86.None {
		t.imm = 0
	}
	return retFar
}

// retFar is RETF; o.imm bytes of parameters are dropped.
func retFar(c *CPU, o *op) status {
	n := uint32(o.size)
	eip, ok := c.peek(0, o.size)
	if !ok {
		return faulted
	}
	v, ok := c.peek(n, o.size)
	if !ok {
		return faulted
	}
	sel := uint16(v)
	if !c.protected() {
		if eip > c.Seg[segCS].Limit {
			return c.raiseCode(vecGP, 0)
		}
		c.addESP(2*n + o.imm)
		c.loadReal(segCS, sel)
		c.EIP = eip
		c.modeChanged()
		return elsewhere
	}
	d, ok := c.returnCode(sel)
	if !ok {
		return faulted
	}
	if rpl(sel) == c.CPL {
		if eip > d.limit() {
			return c.raiseCode(vecGP, 0)
		}
		if !c.access(&d) {
			return faulted
		}
		c.addESP(2*n + o.imm)
		c.Seg[segCS].load(&d, sel)
		c.EIP = eip
		c.modeChanged()
		return elsewhere
	}
	if !c.returnOut(&d, sel, eip, 2*n+o.imm, o.size, o.imm) {
		return faulted
	}
	c.modeChanged()
	return elsewhere
}

// returnCode checks the code segment of a far return.
func (c *CPU) returnCode(sel uint16) (d descriptor, ok bool) {
	if d, ok = c.farDescriptor(sel); !ok {
		return d, false
	}
	if !d.code() || rpl(sel) < c.CPL ||
		d.conforming() && d.dpl() > rpl(sel) || !d.conforming() && d.dpl() != rpl(sel) {
		c.raiseSel(vecGP, sel, 0)
		return d, false
	}
	if !d.present() {
		c.raiseSel(vecNP, sel, 0)
		return d, false
	}
	return d, true
}

// returnOut does the part of a return to an outer privilege level that RETF and
// IRET share: ESP and SS lie off bytes above the top of the stack. drop is added
// to the new ESP.
func (c *CPU) returnOut(d *descriptor, sel uint16, eip, off uint32, size uint8, drop uint32) bool {
	sp, ok := c.peek(off, size)
	if !ok {
		return false
	}
	v, ok := c.peek(off+uint32(size), size)
	if !ok {
		return false
	}
	ss, ok := c.stackDescriptor(uint16(v), rpl(sel), vecGP, 0)
	if !ok {
		return false
	}
	if eip > d.limit() {
		c.raiseCode(vecGP, 0)
		return false
	}
	if !c.access(d) || !c.access(&ss) {
		return false
	}
	c.CPL = rpl(sel)
	c.Seg[segCS].load(d, sel)
	c.Seg[segSS].load(&ss, uint16(v))
	c.setESP(sp + drop)
	c.EIP = eip
	for _, r := range [...]uint8{segES, segDS, x86.FS, x86.GS} {
		s := &c.Seg[r]
		conforming := s.Attr&(AttrCode|AttrExpandDown) == AttrCode|AttrExpandDown
		if s.Attr&AttrS != 0 && !conforming && s.DPL() < c.CPL {
			*s = Seg{}
		}
	}
	return true
}

// The bits that IRET and POPF may change at any privilege level.
const (
	flagIOPL = x86.FlagIOPL

	flags16 = arithFlags | flagTF | flagDF | flagNT
	flags32 = flagRF | flagAC | x86.FlagID
)

// iopl is the I/O privilege level.
func (c *CPU) iopl() uint8 { return uint8(c.Flags >> 12 & 3) }

// returnFlags is the part of EFLAGS that IRET at level cpl may change.
func (c *CPU) returnFlags(cpl, size uint8) uint32 {
	mask := uint32(flags16)
	if size == 4 {
		mask |= flags32
	}
	if cpl <= c.iopl() {
		mask |= flagIF
	}
	if cpl == 0 {
		mask |= flagIOPL
	}
	return mask
}

// mixFlags sets the bits of EFLAGS that are in mask.
func (c *CPU) mixFlags(v, mask uint32) {
	c.SetEFLAGS(c.EFLAGS()&^mask | v&mask)
	c.flagsChanged()
}

// iret is IRET in its every form. It ends the blocking of NMIs even where it
// faults (SDM vol. 3A 6.7.1).
func iret(c *CPU, o *op) status {
	if c.NMIMask {
		if st, ok := c.exact(); !ok {
			return st
		}
		c.NMIMask = false
		c.updateEvents()
	}
	v86 := c.Flags&flagVM != 0
	if v86 && c.iopl() < 3 {
		return c.raiseCode(vecGP, 0)
	}
	if c.protected() && c.Flags&flagNT != 0 {
		return c.iretTask(o)
	}
	n := uint32(o.size)
	var w [3]uint32
	for i := range w {
		var ok bool
		if w[i], ok = c.peek(uint32(i)*n, o.size); !ok {
			return faulted
		}
	}
	eip, sel, flags := w[0], uint16(w[1]), w[2]
	if !c.protected() {
		if eip > c.Seg[segCS].Limit {
			return c.raiseCode(vecGP, 0)
		}
		mask := c.returnFlags(c.CPL, o.size)
		c.addESP(3 * n)
		c.loadReal(segCS, sel)
		c.EIP = eip
		c.mixFlags(flags, mask)
		return elsewhere
	}
	if flags&flagVM != 0 && c.CPL == 0 && o.size == 4 {
		return c.iretV86(eip, sel, flags)
	}
	d, ok := c.returnCode(sel)
	if !ok {
		return faulted
	}
	mask := c.returnFlags(c.CPL, o.size)
	if rpl(sel) != c.CPL {
		if !c.returnOut(&d, sel, eip, 3*n, o.size, 0) {
			return faulted
		}
		c.mixFlags(flags, mask)
		return elsewhere
	}
	if eip > d.limit() {
		return c.raiseCode(vecGP, 0)
	}
	if !c.access(&d) {
		return faulted
	}
	c.addESP(3 * n)
	c.Seg[segCS].load(&d, sel)
	c.EIP = eip
	c.mixFlags(flags, mask)
	return elsewhere
}

// iretV86 enters virtual-8086 mode.
func (c *CPU) iretV86(eip uint32, cs uint16, flags uint32) status {
	// ESP, SS, ES, DS, FS, GS
	var w [6]uint32
	for i := range w {
		var ok bool
		if w[i], ok = c.peek(12+4*uint32(i), 4); !ok {
			return faulted
		}
	}
	if eip > 0xffff {
		return c.raiseCode(vecGP, 0)
	}
	c.SetEFLAGS(flags &^ (x86.FlagVIF | x86.FlagVIP))
	c.CPL = 3
	c.loadReal(segCS, cs)
	for i, s := range [...]uint8{segSS, segES, segDS, x86.FS, x86.GS} {
		c.loadReal(s, uint16(w[1+i]))
	}
	c.R[esp] = w[0]
	c.EIP = eip
	c.flagsChanged()
	return elsewhere
}

// iretTask returns from a nested task (SDM vol. 3A 7.4).
func (c *CPU) iretTask(o *op) status {
	if st, ok := c.exact(); !ok {
		return st
	}
	v, ok := c.sysLoad(c.Seg[segTR].Base, 2)
	if !ok {
		return faulted
	}
	sel := uint16(v)
	if null(sel) || local(sel) {
		return c.raiseSel(vecTS, sel, 0)
	}
	d, ok := c.descriptor(sel, vecTS, 0)
	if !ok {
		return faulted
	}
	if !d.tss() || d.available() {
		return c.raiseSel(vecTS, sel, 0)
	}
	if !d.present() {
		return c.raiseSel(vecNP, sel, 0)
	}
	return c.farTask(taskSwitch{sel: sel, tss: d, eip: o.nextEIP(c), back: true})
}
