package cpu

import "alpinevm/cpu/x86"

// Instructions that raise interrupts and exceptions.

func intFamily() family {
	return family{
		x86.INT:   always(intN),
		x86.INT3:  always(int3),
		x86.INTO:  always(into),
		x86.INT1:  always(int1),
		x86.BOUND: always(bound),
		x86.UD0:   always(undefined),
		x86.UD1:   always(undefined),
		x86.UD2:   always(undefined),
		x86.RSM:   always(undefined), // SDM vol. 3C 31.3: outside SMM
	}
}

func intN(c *CPU, o *op) status {
	if c.Flags&flagVM != 0 && c.iopl() < 3 {
		return c.raiseCode(vecGP, 0)
	}
	return c.softwareInterrupt(o, uint8(o.imm), software)
}

func int3(c *CPU, o *op) status { return c.softwareInterrupt(o, vecBP, software) }
func int1(c *CPU, o *op) status { return c.softwareInterrupt(o, vecDB, icebp) }

func into(c *CPU, o *op) status {
	if !c.of() {
		return next
	}
	return c.softwareInterrupt(o, vecOF, software)
}

func bound(c *CPU, o *op) status {
	n := uint32(o.size)
	first, second, ok := c.twoParts(o, c.ea(o), n, n, read)
	if !ok {
		return faulted
	}
	low, ok := c.load(first, o.size)
	if !ok {
		return faulted
	}
	high, ok := c.load(second, o.size)
	if !ok {
		return faulted
	}
	i := int32(signExtend(c.regValue(o, o.size), o.size))
	if i < int32(signExtend(low, o.size)) || i > int32(signExtend(high, o.size)) {
		return c.raise(vecBR)
	}
	return next
}
