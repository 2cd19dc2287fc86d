package cpu

import "alpinevm/cpu/x86"

// Instructions on EFLAGS as such.

func flagFamily() family {
	return family{
		x86.CLI:   always(cli),
		x86.STI:   always(sti),
		x86.PUSHF: always(pushf),
		x86.POPF:  always(popf),
		x86.LAHF:  always(lahf),
		x86.SAHF:  always(sahf),
		x86.CLC:   always(clc),
		x86.STC:   always(stc),
		x86.CMC:   always(cmc),
		x86.CLD:   always(cld),
		x86.STD:   always(std),
		x86.SALC:  always(salc),
	}
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
	c.Pending &^= pendIntr
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
	was := c.Mode
	sensitive := uint32(flagIF | flagTF | flagRF | flagAC)
	old := c.EFLAGS()
	v = old&^mask | v&mask
	c.SetEFLAGS(v)
	if (old^v)&sensitive == 0 {
		return next
	}
	c.flagsChanged()
	if c.Mode != was {
		return c.resume(o)
	}
	return next
}

func lahf(c *CPU, _ *op) status {
	c.writeReg(eax, 8, c.Arith()&0xff|2, 1)
	return next
}

func sahf(c *CPU, _ *op) status {
	c.SetArith(c.Arith()&flagOF | c.R[eax]>>8&(flagCF|flagPF|flagAF|flagZF|flagSF))
	return next
}

func clc(c *CPU, _ *op) status { c.setCF(false); return next }
func stc(c *CPU, _ *op) status { c.setCF(true); return next }
func cmc(c *CPU, _ *op) status { c.setCF(!c.cf()); return next }

func cld(c *CPU, _ *op) status { c.Flags &^= flagDF; return next }
func std(c *CPU, _ *op) status { c.Flags |= flagDF; return next }

// salc sets AL to FFh or 0 by CF; undocumented.
func salc(c *CPU, _ *op) status {
	c.writeReg(eax, 0, -c.carry(), 1)
	return next
}
