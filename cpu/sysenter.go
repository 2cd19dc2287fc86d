package cpu

import "alpinevm/cpu/x86"

// Fast system calls (SDM vol. 3A 5.8.7).

func sysenterFamily() family {
	return family{
		x86.SYSENTER: always(sysenter),
		x86.SYSEXIT:  always(sysexit),
	}
}

// flatSeg is the flat 4 GiB segment that SYSENTER and SYSEXIT load without
// looking at a descriptor.
func flatSeg(sel uint16, cpl uint8, code bool) Seg {
	s := Seg{
		Limit: 0xffffffff, Sel: sel,
		Attr: AttrP | AttrS | AttrDB | AttrG | AttrWritable | AttrAccessed | uint16(cpl)<<5,
	}
	if code {
		s.Attr |= AttrCode
	}
	s.refresh()
	return s
}

func sysenter(c *CPU, o *op) status {
	if c.CR0&cr0PE == 0 || c.SysenterCS&^3&0xffff == 0 {
		return c.raiseCode(vecGP, 0)
	}
	sel := uint16(c.SysenterCS) &^ 3
	c.Flags &^= flagVM | flagIF | flagRF
	c.CPL = 0
	c.Seg[segCS] = flatSeg(sel, 0, true)
	c.Seg[segSS] = flatSeg(sel+8, 0, false)
	c.R[esp], c.EIP = c.SysenterESP, c.SysenterEIP
	c.flagsChanged()
	return elsewhere
}

func sysexit(c *CPU, o *op) status {
	if c.CR0&cr0PE == 0 || c.SysenterCS&^3&0xffff == 0 || c.CPL != 0 {
		return c.raiseCode(vecGP, 0)
	}
	sel := uint16(c.SysenterCS) | 3
	c.CPL = 3
	c.Seg[segCS] = flatSeg(sel+16, 3, true)
	c.Seg[segSS] = flatSeg(sel+24, 3, false)
	c.R[esp], c.EIP = c.R[ecx], c.R[edx]
	c.modeChanged()
	return elsewhere
}
