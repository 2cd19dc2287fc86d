package cpu

import "alpinevm/cpu/x86"

// Instructions on EFLAGS that depend on privilege. CLC, CMC and their like stand
// elsewhere.

var flagFamily = family{
	x86.CLI:   always(cli),
	x86.STI:   ending(sti),
	x86.PUSHF: always(pushf),
	x86.POPF:  ending(popf),
}

// mayMask says whether IF may be changed, else #GP(0) is recorded (SDM vol. 2A,
// CLI; without VME).
func (c *CPU) mayMask() bool {
	if c.CR0&cr0PE == 0 || c.iopl() >= c.CPL {
		return true
	}
	c.raiseCode(vecGP, 0)
	return false
}

func cli(c *CPU, o *op) status {
	if !c.mayMask() {
		return faulted
	}
	c.Flags &^= flagIF
	c.pending &^= pendIntr
	return next
}

// sti holds off interrupts for one more instruction.
func sti(c *CPU, o *op) status {
	if !c.mayMask() {
		return faulted
	}
	if c.Flags&flagIF == 0 {
		c.Flags |= flagIF
		c.Shadow = true
		c.updateEvents()
	}
	return next
}

func pushf(c *CPU, o *op) status {
	if c.Flags&flagVM != 0 && c.iopl() < 3 {
		return c.raiseCode(vecGP, 0)
	}
	return c.push(c.EFLAGS()&^(flagVM|flagRF), o.size)
}

func popf(c *CPU, o *op) status {
	if c.Flags&flagVM != 0 && c.iopl() < 3 {
		return c.raiseCode(vecGP, 0)
	}
	v, ok := c.pop(o.size)
	if !ok {
		return faulted
	}
	mask := c.returnFlags(c.CPL, o.size)
	if o.size == 4 {
		// SDM vol. 2B, POPF: RF is cleared whatever was popped.
		v &^= flagRF
	}
	was := c.mode
	sensitive := uint32(flagIF | flagTF | flagRF | flagAC)
	old := c.EFLAGS()
	v = old&^mask | v&mask
	c.SetEFLAGS(v)
	if (old^v)&sensitive == 0 {
		return next
	}
	c.flagsChanged()
	if c.mode != was {
		return c.resume(o)
	}
	return next
}
