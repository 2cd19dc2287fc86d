package cpu

// SSE to SSE4.2: the state they need, their 16-byte operands, and what all their
// files share. An XMM register is two halves, low and high.

// sse says whether instructions on XMM registers are enabled; if not, the
// exception is recorded (SDM vol. 3A 2.5 and 14.1: #UD goes before #NM).
func (c *CPU) sse() bool { return c.sseEnabled() || c.noSSE() }

func (c *CPU) sseEnabled() bool {
	return c.CR0&(cr0EM|cr0TS) == 0 && c.CR4&cr4OSFXSR != 0
}

func (c *CPU) noSSE() bool {
	if c.CR0&cr0EM != 0 || c.CR4&cr4OSFXSR == 0 {
		c.raise(vecUD)
	} else {
		c.raise(vecNM)
	}
	return false
}

// load128 loads 16 bytes at any alignment.
func (c *CPU) load128(lin uint32) (lo, hi uint64, ok bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.R == (lin+15)&^0xfff {
		off := e.Off + lin
		return c.ram.Load64(off), c.ram.Load64(off + 8), true
	}
	var b [16]byte
	if !c.loadBytes(lin, b[:]) {
		return 0, 0, false
	}
	return le64(b[:]), le64(b[8:]), true
}

// store128 stores 16 bytes at any alignment.
func (c *CPU) store128(lin uint32, lo, hi uint64) status {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == (lin+15)&^0xfff {
		off := e.Off + lin
		c.ram.Store64(off, lo)
		c.ram.Store64(off+8, hi)
		return next
	}
	var b [16]byte
	putLE64(b[:], lo)
	putLE64(b[8:], hi)
	return c.storeBytes(lin, b[:])
}

// aligned says whether lin may hold a 16-byte operand; if not, #GP(0) is
// recorded, whatever the segment and the setting of alignment checks (SDM vol.
// 2A 2.4.1, vol. 3A 6.15 interrupt 17).
func (c *CPU) aligned(lin uint32) bool {
	if lin&15 == 0 {
		return true
	}
	c.raiseCode(vecGP, 0)
	return false
}

// source128 checks that SSE is enabled and reads the r/m operand of 16 bytes,
// aligned where it is memory.
func (c *CPU) source128(o *op) (lo, hi uint64, ok bool) {
	if !c.sse() {
		return 0, 0, false
	}
	if o.flags&opMem == 0 {
		x := &c.FPU.XMM[o.rm&7]
		return x[0], x[1], true
	}
	lin, ok := c.linRead(o, 16)
	if !ok || !c.aligned(lin) {
		return 0, 0, false
	}
	return c.load128(lin)
}

// source64 is source128 for an operand of 8 bytes at any alignment.
func (c *CPU) source64(o *op) (v uint64, ok bool) {
	if !c.sse() {
		return 0, false
	}
	if o.flags&opMem == 0 {
		return c.FPU.XMM[o.rm&7][0], true
	}
	lin, ok := c.linRead(o, 8)
	if !ok {
		return 0, false
	}
	return c.load64(lin)
}

// source32 is source64 for 4 bytes.
func (c *CPU) source32(o *op) (v uint32, ok bool) {
	if !c.sse() {
		return 0, false
	}
	if o.flags&opMem == 0 {
		return uint32(c.FPU.XMM[o.rm&7][0]), true
	}
	lin, ok := c.linRead(o, 4)
	if !ok {
		return 0, false
	}
	return c.load32(lin)
}

// xmm is the XMM register of ModRM.reg.
func (c *CPU) xmm(o *op) *[2]uint64 { return &c.FPU.XMM[o.reg&7] }

// byFile makes a selector that tells the MMX form of a mnemonic from its XMM
// form.
//
//go:noinline
func byFile(mmx, xmm handler) selector {
	return func(t *translation) handler {
		for _, a := range t.args {
			if a.MMX() {
				return mmx
			}
		}
		return xmm
	}
}

// isStore says whether the r/m operand is the destination.
func (t *translation) isStore() bool { return t.args[0].Memory() }

// swapRegs exchanges reg and rm, so that a store to a register is a load.
func (t *translation) swapRegs() { t.reg, t.rm = t.rm, t.reg }

// low32 replaces the low half of v.
func low32(v uint64, lo uint32) uint64 { return v&^0xffffffff | uint64(lo) }

// pair makes 64 bits of two halves.
func pair(lo, hi uint32) uint64 { return uint64(lo) | uint64(hi)<<32 }

// Bits of MXCSR (SDM vol. 1, 10.2.3). The flags and masks of the exceptions
// are those of softfloat.Flags.
const mxcsrMask = 0xffff
