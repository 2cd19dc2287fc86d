package jit

import "alpinevm/cpu"

// The form in which generated code saves the arithmetic flags: AH as LAHF loads
// it in bits 8 to 15 (SDM vol. 2A, LAHF), and OF in bit 0, as SETO AL gives it.

// packFlags gives the flags of s in that form.
func packFlags(s *cpu.State) uint64 {
	f := s.Arith()
	return uint64(f&0xd5|2)<<8 | uint64(f>>11&1)
}

// unpackFlags sets the flags of s.
func unpackFlags(s *cpu.State, f uint64) {
	s.SetArith(uint32(f>>8)&0xd5 | uint32(f)&1<<11)
}

// Bits that decide whether SSE, MMX and x87 instructions can raise exceptions
// (SDM vol. 3A tables 13-1 and 12-1, vol. 1 8.1.5).
const (
	cr0EMTS    = 1<<2 | 1<<3
	cr4OSFXSR  = 1 << 9
	mxcsrMasks = 0x1f80
	mxcsrFlags = 0x3f
	swES       = 1 << 7
	cwMasks    = 0x3f
)

// load gives generated code what it does not take from the state itself, store
// takes it back. resumes says that a block is entered in its middle, where code
// counts on holding what it held as it left.
func load(c *Context, s *cpu.State, resumes bool) {
	c.Flags = packFlags(s)
	c.MXCSR = s.FPU.MXCSR | mxcsrMasks
	c.NoMMX = s.CR0&cr0EMTS | uint32(s.FPU.SW)&swES
	c.NoX87 = c.NoMMX | uint32(^s.FPU.CW)&cwMasks
	c.NoSSE = s.CR0&cr0EMTS | ^s.CR4&cr4OSFXSR | ^s.FPU.MXCSR&mxcsrMasks
	if !resumes || c.NoSSE != 0 {
		c.HeldSSE = 0
	}
	if !resumes || c.NoX87 != 0 {
		c.HeldX87 = 0
	}
}

func store(c *Context, s *cpu.State) {
	unpackFlags(s, c.Flags)
	s.FPU.MXCSR |= c.MXCSR & mxcsrFlags
}
