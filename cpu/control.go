package cpu

import "alpinevm/cpu/x86"

// Control and debug registers, and what else the system programmer has to
// switch the processor with (SDM vol. 3A 2.5 to 2.8).

func controlFamily() family {
	return family{
		x86.MOVCR:  selectMovCR,
		x86.MOVDR:  selectMovDR,
		x86.LMSW:   always(lmsw),
		x86.SMSW:   always(smsw),
		x86.CLTS:   always(clts),
		x86.INVLPG: always(invlpg),
		x86.INVD:   always(nop), // there is no cache
		x86.WBINVD: always(nop),
		x86.HLT:    always(hlt),
	}
}

// The bits of CR4 that exist here (SDM vol. 3A 2.5). VME, PVI and MCE do not, as
// CPUID says.
const cr4Bits = cr4TSD | cr4DE | cr4PSE | cr4PAE | cr4PGE | cr4PCE | cr4OSFXSR | cr4OSXMMEXCPT |
	cr4UMIP | cr4SMEP | cr4SMAP

// The bits of CR0 that exist.
const cr0Bits = cr0PE | cr0MP | cr0EM | cr0TS | cr0ET | cr0NE | cr0WP | cr0AM | cr0NW | cr0CD | cr0PG

func selectMovCR(t *translation) handler {
	if t.args[0] == x86.Cd {
		return movToCR
	}
	return movFromCR
}

func movFromCR(c *CPU, o *op) status {
	c.R[o.rm&7] = [8]uint32{0: c.CR0, 2: c.CR2, 3: c.CR3, 4: c.CR4}[o.reg&7]
	return next
}

func movToCR(c *CPU, o *op) status {
	v := c.R[o.rm&7]
	ok := true
	switch o.reg {
	case 0:
		ok = c.writeCR0(v)
	case 2:
		c.CR2 = v
		return next
	case 3:
		ok = c.writeCR3(v)
	case 4:
		ok = c.writeCR4(v)
	}
	if !ok {
		return c.raiseCode(vecGP, 0)
	}
	return c.resume(o)
}

// writeCR0 is false for a combination that raises #GP(0). Reserved bits are
// ignored.
func (c *CPU) writeCR0(v uint32) bool {
	v = v&cr0Bits | cr0ET
	if v&(cr0PG|cr0PE) == cr0PG || v&(cr0NW|cr0CD) == cr0NW {
		return false
	}
	if v&cr0PG != 0 && c.CR0&cr0PG == 0 && c.CR4&cr4PAE != 0 && !c.loadPDPTEs(c.CR3) {
		return false
	}
	changed := c.CR0 ^ v
	c.CR0 = v
	if changed&(cr0PG|cr0WP|cr0PE) != 0 {
		c.flushTLB(true)
	}
	c.modeChanged()
	return true
}

func (c *CPU) writeCR3(v uint32) bool {
	if c.CR0&cr0PG != 0 && c.CR4&cr4PAE != 0 && !c.loadPDPTEs(v) {
		return false
	}
	c.CR3 = v
	c.flushTLB(false)
	return true
}

func (c *CPU) writeCR4(v uint32) bool {
	if v&^uint32(cr4Bits) != 0 {
		return false
	}
	changed := c.CR4 ^ v
	if changed&(cr4PAE|cr4PGE|cr4PSE|cr4SMEP|cr4SMAP) != 0 {
		if v&cr4PAE != 0 && c.CR0&cr0PG != 0 && !c.loadPDPTEs(c.CR3) {
			return false
		}
		c.flushTLB(true)
	}
	c.CR4 = v
	c.modeChanged()
	return true
}

func lmsw(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	// It can set PE but not clear it.
	const bits = cr0PE | cr0MP | cr0EM | cr0TS
	c.writeCR0(c.CR0&^(bits&^cr0PE) | v&bits)
	return c.resume(o)
}

func smsw(c *CPU, o *op) status {
	if !c.mayReveal() {
		return faulted
	}
	if o.flags&opMem != 0 {
		return c.rmStore(o, c.CR0, 2)
	}
	return c.rmStore(o, c.CR0, o.size)
}

func clts(c *CPU, o *op) status {
	c.CR0 &^= cr0TS
	return next
}

// invlpg checks neither limit nor rights of its operand.
func invlpg(c *CPU, o *op) status {
	c.flushPage(c.Seg[o.seg&7].Base + c.ea(o))
	return c.resume(o)
}

func hlt(c *CPU, o *op) status {
	c.Halted = true
	c.updateEvents()
	return next
}

func selectMovDR(t *translation) handler {
	if t.args[0] == x86.Dd {
		return movToDR
	}
	return movFromDR
}

// debugRegister checks an access to a debug register and gives its number.
func (c *CPU) debugRegister(r uint8) (uint8, bool) {
	if r&^1 == 4 {
		if c.CR4&cr4DE != 0 {
			c.raise(vecUD)
			return 0, false
		}
		r += 2
	}
	if c.CPL != 0 {
		c.raiseCode(vecGP, 0)
		return 0, false
	}
	if c.DR[7]&dr7GD != 0 {
		c.noteDebug(dr6BD)
		c.raise(vecDB)
		return 0, false
	}
	return r & 7, true
}

func movFromDR(c *CPU, o *op) status {
	r, ok := c.debugRegister(o.reg)
	if !ok {
		return faulted
	}
	c.R[o.rm&7] = c.DR[r]
	return next
}

func movToDR(c *CPU, o *op) status {
	r, ok := c.debugRegister(o.reg)
	if !ok {
		return faulted
	}
	v := c.R[o.rm&7]
	switch r {
	case 6:
		v = v&dr6Writable | dr6Fixed
	case 7:
		v = v&dr7Writable | dr7Fixed
	}
	c.DR[r] = v
	c.flagsChanged()
	return c.resume(o)
}
