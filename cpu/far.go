package cpu

import "alpinevm/cpu/x86"

// Far JMP and CALL (SDM vol. 2A, CALL and JMP).

func farFamily() family {
	return family{
		x86.JMPF:  far((*CPU).jmpFar),
		x86.CALLF: far((*CPU).callFar),
		x86.RETF:  selectRetFar,
		x86.IRET:  always(iret),
	}
}

// far makes the selector of a far transfer to a pointer in the instruction or
// in memory.
//
//go:noinline
func far(transfer func(c *CPU, o *op, sel uint16, off uint32) status) selector {
	direct := func(c *CPU, o *op) status { return transfer(c, o, uint16(o.disp), o.imm) }
	indirect := func(c *CPU, o *op) status {
		off, sel, ok := c.farPointer(o)
		if !ok {
			return faulted
		}
		return transfer(c, o, sel, off)
	}
	return func(t *translation) handler {
		if t.args[0] == x86.Ap {
			t.disp = uint32(t.in.Imm2)
			return direct
		}
		return indirect
	}
}

func (c *CPU) jmpFar(o *op, sel uint16, off uint32) status {
	if !c.protected() {
		return c.realJump(sel, off, nil)
	}
	d, ok := c.farDescriptor(sel)
	if !ok {
		return faulted
	}
	if d.code() {
		if !c.mayEnter(&d, sel, rpl(sel)) {
			return faulted
		}
		return c.enterCode(&d, sel, off, nil)
	}
	switch d.system() {
	case typeCall16, typeCall32:
		if !c.mayUse(&d, sel) {
			return faulted
		}
		target := d.target()
		code, ok := c.farDescriptor(target)
		if !ok {
			return faulted
		}
		if !code.code() {
			return c.raiseSel(vecGP, target, 0)
		}
		if !c.mayEnter(&code, target, 0) {
			return faulted
		}
		return c.enterCode(&code, target, d.entry(), nil)
	}
	return c.farSystem(o, &d, sel, false)
}

func (c *CPU) callFar(o *op, sel uint16, off uint32) status {
	f := frame{size: o.size, user: true}
	f.push(uint32(c.Seg[segCS].Sel), o.nextEIP(c))
	if !c.protected() {
		return c.realJump(sel, off, &f)
	}
	d, ok := c.farDescriptor(sel)
	if !ok {
		return faulted
	}
	if d.code() {
		if !c.mayEnter(&d, sel, rpl(sel)) {
			return faulted
		}
		return c.enterCode(&d, sel, off, &f)
	}
	switch d.system() {
	case typeCall16, typeCall32:
		if !c.mayUse(&d, sel) {
			return faulted
		}
		return c.callGate(o, &d)
	}
	return c.farSystem(o, &d, sel, true)
}

// realJump is a far transfer in real or virtual-8086 mode; f, if any, is pushed.
func (c *CPU) realJump(sel uint16, off uint32, f *frame) status {
	s := c.top()
	if f != nil && !c.fits(f, &s, 0) {
		return faulted
	}
	if off > c.Seg[segCS].Limit {
		return c.raiseCode(vecGP, 0)
	}
	if f != nil {
		sp, ok := c.writeFrame(f, &s)
		if !ok {
			return faulted
		}
		c.R[esp] = sp
	}
	c.loadReal(segCS, sel)
	c.EIP = off
	c.modeChanged()
	return elsewhere
}

// mayEnter checks a code segment as the target of a transfer that keeps CPL.
func (c *CPU) mayEnter(d *descriptor, sel uint16, rpl uint8) bool {
	if d.conforming() && d.dpl() > c.CPL || !d.conforming() && (rpl > c.CPL || d.dpl() != c.CPL) {
		c.raiseSel(vecGP, sel, 0)
		return false
	}
	if !d.present() {
		c.raiseSel(vecNP, sel, 0)
		return false
	}
	return true
}

// enterCode goes to off in code segment d at the same CPL; f, if any, is
// pushed.
func (c *CPU) enterCode(d *descriptor, sel uint16, off uint32, f *frame) status {
	s := c.top()
	if f != nil && !c.fits(f, &s, 0) {
		return faulted
	}
	if off > d.limit() {
		return c.raiseCode(vecGP, 0)
	}
	if !c.access(d) {
		return faulted
	}
	if f != nil {
		sp, ok := c.writeFrame(f, &s)
		if !ok {
			return faulted
		}
		c.R[esp] = sp
	}
	c.Seg[segCS].load(d, sel&^3|uint16(c.CPL))
	c.EIP = off
	c.modeChanged()
	return elsewhere
}

// mayUse checks the privilege to use a gate or TSS, and its presence.
func (c *CPU) mayUse(d *descriptor, sel uint16) bool {
	if d.dpl() < c.CPL || d.dpl() < rpl(sel) {
		c.raiseSel(vecGP, sel, 0)
		return false
	}
	if !d.present() {
		c.raiseSel(vecNP, sel, 0)
		return false
	}
	return true
}

// farSystem goes through a task gate or to a TSS.
func (c *CPU) farSystem(o *op, d *descriptor, sel uint16, nested bool) status {
	t := taskSwitch{sel: sel, tss: *d, eip: o.nextEIP(c), nested: nested}
	switch {
	case d.system() == typeTask:
		if !c.mayUse(d, sel) {
			return faulted
		}
		var ok bool
		if t.sel, t.tss, ok = c.gateTSS(d, 0); !ok {
			return faulted
		}
	case d.tss() && !local(sel):
		if d.dpl() < c.CPL || d.dpl() < rpl(sel) || !d.available() {
			return c.raiseSel(vecGP, sel, 0)
		}
		if !d.present() {
			return c.raiseSel(vecNP, sel, 0)
		}
	default:
		return c.raiseSel(vecGP, sel, 0)
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	return c.farTask(t)
}

// callGate is CALL through a call gate whose privilege is checked.
func (c *CPU) callGate(o *op, gate *descriptor) status {
	sel := gate.target()
	code, ok := c.farDescriptor(sel)
	if !ok {
		return faulted
	}
	if !code.code() || code.dpl() > c.CPL {
		return c.raiseSel(vecGP, sel, 0)
	}
	if !code.present() {
		return c.raiseSel(vecNP, sel, 0)
	}
	f := frame{size: 2}
	if gate.system()&type32 != 0 {
		f.size = 4
	}
	if code.conforming() || code.dpl() == c.CPL {
		f.push(uint32(c.Seg[segCS].Sel), o.nextEIP(c))
		return c.enterCode(&code, sel, gate.entry(), &f)
	}
	cpl := code.dpl()
	inner, sp, desc, ok := c.innerStack(cpl, 0)
	if !ok || !c.access(&desc) {
		return faulted
	}
	f.push(uint32(c.Seg[segSS].Sel), c.R[esp])
	for i := gate.count() - 1; i >= 0; i-- {
		v, ok := c.peek(uint32(i)*uint32(f.size), f.size)
		if !ok {
			return faulted
		}
		f.push(v)
	}
	f.push(uint32(c.Seg[segCS].Sel), o.nextEIP(c))
	var ss Seg
	ss.load(&desc, inner)
	s := stackTop{&ss, sp, c.halfOf(cpl)}
	if !c.fits(&f, &s, uint32(inner&^3)) {
		return faulted
	}
	if gate.entry() > code.limit() {
		return c.raiseCode(vecGP, 0)
	}
	if !c.access(&code) {
		return faulted
	}
	if sp, ok = c.writeFrame(&f, &s); !ok {
		return faulted
	}
	c.CPL = cpl
	c.Seg[segSS].load(&desc, inner)
	c.R[esp] = sp
	c.Seg[segCS].load(&code, sel&^3|uint16(cpl))
	c.EIP = gate.entry()
	c.modeChanged()
	return elsewhere
}

// farTask ends a far transfer or IRET that switches tasks.
func (c *CPU) farTask(t taskSwitch) status { return c.away(c.switchTask(t)) }

// away ends an instruction that goes elsewhere with the given outcome.
func (c *CPU) away(o outcome) status {
	switch o {
	case refused:
		return faulted
	case inNewTask:
		c.deliver()
	}
	c.stepLost = true
	return elsewhere
}
