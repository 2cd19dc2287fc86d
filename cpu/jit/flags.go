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
