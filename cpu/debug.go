package cpu

// Breakpoints, single step and alignment checks (SDM vol. 3B chapter 17; vol.
// 3A 6.15, interrupts 1 and 17).

// Bits of DR6 beyond B0 to B3.
const (
	dr6BD = 1 << 13 // access to a debug register under general detect
	dr6BS = 1 << 14 // single step
	dr6BT = 1 << 15 // task switch

	dr6Fixed    = 0xffff0ff0
	dr6Writable = 0x0000e00f
)

// Bits of DR7.
const (
	dr7Local = 0x155 // L0 to L3 and LE
	dr7GD    = 1 << 13

	dr7Fixed    = 0x00000400
	dr7Writable = 0xffff23ff
)

// Kinds of breakpoints: the R/W fields of DR7.
const (
	breakCode = iota
	breakWrite
	breakIO
	breakAccess
)

// breakpoint gives breakpoint i of DR7: whether it is enabled, its kind and the
// bytes that it covers.
func (c *CPU) breakpoint(i uint) (on bool, kind, base, n uint32) {
	dr7 := c.DR[7]
	n = [4]uint32{1, 2, 8, 4}[dr7>>(18+4*i)&3]
	return dr7>>(2*i)&3 != 0, dr7 >> (16 + 4*i) & 3, c.DR[i] &^ (n - 1), n
}

// noteDebug adds bits to DR6. What B0 to B3 said before is gone.
func (c *CPU) noteDebug(bits uint32) { c.DR[6] = c.DR[6]&^0xf | bits }

// armed says whether a breakpoint of one of the given kinds, a set of bits, is
// enabled.
func (c *CPU) armed(kinds uint32) bool {
	if c.DR[7]&0xff == 0 {
		return false
	}
	for i := range uint(4) {
		if on, kind, _, _ := c.breakpoint(i); on && kinds>>kind&1 != 0 {
			return true
		}
	}
	return false
}

// codeBreakpoints says whether instruction breakpoints are armed.
func (c *CPU) codeBreakpoints() bool { return c.armed(1 << breakCode) }

// dataBreakpoints says whether data breakpoints are armed.
func (c *CPU) dataBreakpoints() bool { return c.armed(1<<breakWrite | 1<<breakAccess) }

// codeBreakpoint says whether the instruction at CS:EIP has a breakpoint that
// fires now; #DB is recorded then.
func (c *CPU) codeBreakpoint() bool {
	if c.Flags&flagRF != 0 {
		return false
	}
	lin := c.Seg[segCS].Base + c.EIP
	var hits uint32
	for i := range uint(4) {
		if on, kind, _, _ := c.breakpoint(i); on && kind == breakCode && c.DR[i] == lin {
			hits |= 1 << i
		}
	}
	if hits == 0 {
		return false
	}
	c.noteDebug(hits)
	c.raise(vecDB)
	return true
}

// watch notes which data breakpoints n bytes at lin hit, and makes the block end
// so that the trap comes behind the current instruction.
func (c *CPU) watch(lin, n uint32, acc access) {
	for i := range uint(4) {
		on, kind, base, size := c.breakpoint(i)
		if on && (kind == breakAccess || kind == breakWrite && acc == write) && lin-base+n-1 < size+n-1 {
			c.hit(1 << i)
		}
	}
}

// watchPort is watch for an access to size bytes of I/O space.
func (c *CPU) watchPort(port uint16, size uint8) {
	if c.CR4&cr4DE == 0 || c.DR[7]&0xff == 0 {
		return
	}
	for i := range uint(4) {
		on, kind, base, n := c.breakpoint(i)
		if on && kind == breakIO && uint32(port)-base+uint32(size)-1 < n+uint32(size)-1 {
			c.hit(1 << i)
		}
	}
}

// hit makes a debug trap follow the current instruction.
func (c *CPU) hit(bits uint32) {
	c.DebugHits |= bits
	c.post(pendHit)
}

// checkAccess does, for n bytes at lin, what the TLB's hit path cannot: the
// alignment check (false with #AC recorded) and data breakpoints (noted in
// DebugHits, with the block made to end).
func (c *CPU) checkAccess(lin, n uint32, acc access) bool {
	if c.alignmentChecks() && !c.alignedUser(lin, n) {
		return false
	}
	if c.dataBreakpoints() {
		c.watch(lin, n, acc)
	}
	return true
}

// alignedUser checks the alignment of an access of n bytes at CPL 3 (SDM vol. 3A
// table 6-7) if such checks are enabled.
func (c *CPU) alignedUser(lin, n uint32) bool {
	if !c.alignmentChecks() {
		return true
	}
	var a uint32
	switch n {
	case 1:
		return true
	case 2, 14, 94: // the x87 images of 16-bit code are made of words
		a = 2
	case 8, 10:
		a = 8
	case 16, 512:
		a = 16
	default:
		a = 4
	}
	if lin&(a-1) != 0 {
		c.raiseCode(vecAC, 0)
		return false
	}
	return true
}
