package cpu

// Mode is what decoding and the choice of handlers depend on. It is part of the
// key of a block.
type Mode uint8

// Bits of a Mode.
const (
	ModeCode32    Mode = 1 << iota // CS.D
	ModeStack32                    // SS.B
	ModeUser                       // CPL 3
	ModeFlat                       // DS, ES and SS: base 0, limit 4 GiB, writable
	ModeFlatCode                   // CS: base 0, limit 4 GiB
	ModeProtected                  // not real, not virtual-8086
	ModeSystem                     // CPL 0
)

// modeChanged derives what depends on the segment registers, CPL, CR0, DR7 and
// EFLAGS.VM and AC: the mode that keys blocks, and the half of the TLB.
func (c *CPU) modeChanged() {
	var m Mode
	if c.Seg[segCS].Attr&AttrDB != 0 {
		m |= ModeCode32
	}
	if c.Seg[segSS].Attr&AttrDB != 0 {
		m |= ModeStack32
	}
	switch c.CPL {
	case 0:
		m |= ModeSystem
	case 3:
		m |= ModeUser
	}
	if c.Seg[segDS].Fast&c.Seg[segES].Fast&c.Seg[segSS].Fast&(FastRead|FastWrite|FastFlat) == FastRead|FastWrite|FastFlat {
		m |= ModeFlat
	}
	if cs := &c.Seg[segCS]; cs.Limit == 0xffffffff && cs.Base == 0 {
		m |= ModeFlatCode
	}
	if c.protected() {
		m |= ModeProtected
	}
	c.Mode = m
	c.chooseTLB()
	c.stop()
}

// chooseTLB derives where accesses look for translations.
func (c *CPU) chooseTLB() {
	c.Half = c.halfOf(c.CPL)
	c.Data = c.Half
	if c.checking() {
		c.Data = NoTLB
	}
	c.code, c.tlb = &c.TLB[c.Half], &c.TLB[c.Data]
}

// halfOf is the half of the TLB that serves instructions at cpl.
func (c *CPU) halfOf(cpl uint8) uint8 {
	switch {
	case cpl == 3:
		return HalfUser
	case c.CR4&cr4SMAP != 0 && c.Flags&flagAC != 0:
		return HalfLifted
	}
	return HalfSystem
}

// checking says that data accesses need more than a translation: alignment
// checks or data breakpoints.
func (c *CPU) checking() bool { return c.alignmentChecks() || c.dataBreakpoints() }

// alignmentChecks says whether #AC is enabled (SDM vol. 3A 6.15, interrupt 17).
func (c *CPU) alignmentChecks() bool {
	return c.CPL == 3 && c.CR0&cr0AM != 0 && c.Flags&flagAC != 0
}

// protected says: protected mode proper, neither real nor virtual-8086.
func (c *CPU) protected() bool { return c.CR0&cr0PE != 0 && c.Flags&flagVM == 0 }
