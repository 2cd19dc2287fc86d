package cpu

import "alpinevm/cpu/x86"

func bcdFamily() family {
	return family{
		x86.DAA: always(func(c *CPU, _ *op) status { return c.decimalAdjust(false) }),
		x86.DAS: always(func(c *CPU, _ *op) status { return c.decimalAdjust(true) }),
		x86.AAA: always(func(c *CPU, _ *op) status { return c.asciiAdjust(0x106) }),
		x86.AAS: always(func(c *CPU, _ *op) status { return c.asciiAdjust(-0x106 & 0xffffffff) }),
		x86.AAM: always(aam),
		x86.AAD: always(aad),
	}
}

// decimalAdjust is DAA or, with sub, DAS (SDM vol. 2A).
func (c *CPU) decimalAdjust(sub bool) status {
	old := c.R[eax] & 0xff
	al, cf, af := old, c.cf(), c.af()
	var by uint32
	if old&15 > 9 || af {
		by, af = 6, true
		if sub && old < 6 {
			cf = true
		}
	}
	if old > 0x99 || c.cf() {
		by += 0x60
		cf = true
	}
	if sub {
		al -= by
	} else {
		al += by
	}
	c.writeReg(eax, 0, al, 1)
	c.flagsLogic(al, 1)
	f := c.Arith() &^ (flagCF | flagAF)
	if cf {
		f |= flagCF
	}
	if af {
		f |= flagAF
	}
	c.SetArith(f)
	return next
}

// asciiAdjust is AAA or AAS: by is what is added to AX. OF, SF, ZF and PF are
// undefined; here they follow AL.
func (c *CPU) asciiAdjust(by uint32) status {
	adjust := c.R[eax]&15 > 9 || c.af()
	ax := c.R[eax]
	if adjust {
		ax += by
	}
	c.writeReg(eax, 0, ax&0xff0f, 2)
	c.flagsLogic(ax&15, 1)
	if adjust {
		c.SetArith(c.Arith() | flagCF | flagAF)
	}
	return next
}

func aam(c *CPU, o *op) status {
	base := o.imm & 0xff
	if base == 0 {
		return c.raise(vecDE)
	}
	al := c.R[eax] & 0xff
	c.writeReg(eax, 0, al/base<<8|al%base, 2)
	c.flagsLogic(al%base, 1)
	return next
}

func aad(c *CPU, o *op) status {
	al := (c.R[eax]&0xff + c.R[eax]>>8&0xff*(o.imm&0xff)) & 0xff
	c.writeReg(eax, 0, al, 2)
	c.flagsLogic(al, 1)
	return next
}
