package cpu

// mode is what decoding and the choice of handlers depend on. It is part of the
// key of a block.
type mode uint8

const (
	modeCode32    mode = 1 << iota // CS.D
	modeStack32                    // SS.B
	modeUser                       // CPL 3
	modeFlat                       // DS, ES and SS: base 0, limit 4 GiB, writable
	modeFlatCode                   // CS: base 0, limit 4 GiB
	modeProtected                  // not real, not virtual-8086
	modeSystem                     // CPL 0
)

// modeChanged derives what depends on the segment registers, CPL, CR0, DR7 and
// EFLAGS.VM and AC: the mode that keys blocks, and the half of the TLB.
func (c *CPU) modeChanged() {
	var m mode
	if c.Seg[segCS].Attr&AttrDB != 0 {
		m |= modeCode32
	}
	if c.Seg[segSS].Attr&AttrDB != 0 {
		m |= modeStack32
	}
	c.half = 0
	switch c.CPL {
	case 0:
		m |= modeSystem
	case 3:
		m |= modeUser
		c.half = 1
	}
	if c.Seg[segDS].Fast&c.Seg[segES].Fast&c.Seg[segSS].Fast&(fastRead|fastWrite|fastFlat) == fastRead|fastWrite|fastFlat {
		m |= modeFlat
	}
	if cs := &c.Seg[segCS]; cs.Limit == 0xffffffff && cs.Base == 0 {
		m |= modeFlatCode
	}
	if c.protected() {
		m |= modeProtected
	}
	c.mode = m
	c.code = &c.TLB[c.half]
	c.tlb = c.code
	if c.checking() {
		c.tlb = &c.noTLB
	}
	c.stop()
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
