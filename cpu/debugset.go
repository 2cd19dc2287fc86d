package cpu

import "alpinevm/cpu/x86"

// What a debugger changes of the processor between two instructions is what an
// instruction could have changed: what that may not it cannot do either.

// SetControl gives CR0, CR3 or CR4 another value, as MOV to it does in ring 0. It is
// false, with nothing changed, where that raises #GP(0).
func (c *CPU) SetControl(n int, v uint32) bool {
	ok := false
	switch n {
	case 0:
		ok = c.writeCR0(v)
	case 3:
		ok = c.writeCR3(v)
	case 4:
		ok = c.writeCR4(v)
	}
	if ok {
		c.Reload()
	}
	return ok
}

// SetSegment loads a segment register (x86.ES to x86.GS) with a selector: in protected
// mode by its descriptor, as MOV does at the present privilege level, CS as a jump that
// stays there. It is false, with nothing changed, where that faults.
func (c *CPU) SetSegment(s uint8, sel uint16) bool {
	fault, cr2 := c.Fault, c.CR2
	ok := false
	if s == x86.CS && c.protected() {
		ok = c.setCS(sel)
	} else {
		ok = c.loadSeg(s, sel) != faulted
	}
	c.Fault, c.CR2 = fault, cr2
	if ok {
		c.Reload()
	}
	return ok
}

// setCS loads CS with the selector of a code segment of this privilege level.
func (c *CPU) setCS(sel uint16) bool {
	if null(sel) {
		return false
	}
	d, ok := c.descriptor(sel, vecGP, 0)
	if !ok || !d.code() || !d.present() {
		return false
	}
	if d.dpl() != c.CPL && !(d.conforming() && d.dpl() < c.CPL) {
		return false
	}
	if !c.access(&d) {
		return false
	}
	c.Seg[segCS].load(&d, sel&^3|uint16(c.CPL))
	return true
}
