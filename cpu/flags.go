package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

const (
	arithFlags = x86.FlagsArith
	// reservedFlags are the bits of EFLAGS that State.Flags never has: reserved
	// ones and those that Res and Aux keep.
	reservedFlags = arithFlags | 0xffc08028
)

func (s *State) cf() bool { return int32(s.Aux) < 0 }
func (s *State) zf() bool { return s.Res == 0 }
func (s *State) of() bool { return int32(s.Aux^s.Aux<<1) < 0 }
func (s *State) sf() bool { return int32(s.Res^s.Aux<<31) < 0 }
func (s *State) pf() bool { return bits.OnesCount8(uint8(s.Res)^uint8(s.Aux>>8))&1 == 0 }
func (s *State) af() bool { return s.Aux&AuxAF != 0 }

// carry is CF as a number.
func (s *State) carry() uint32 { return s.Aux >> 31 }

// Arith gives the six arithmetic flags as EFLAGS bits.
func (s *State) Arith() uint32 {
	f := s.Aux >> 31 // CF is bit 0
	if s.pf() {
		f |= x86.FlagPF
	}
	if s.af() {
		f |= x86.FlagAF
	}
	if s.zf() {
		f |= x86.FlagZF
	}
	if s.sf() {
		f |= x86.FlagSF
	}
	if s.of() {
		f |= x86.FlagOF
	}
	return f
}

// SetArith sets the six arithmetic flags from EFLAGS bits.
func (s *State) SetArith(f uint32) {
	var aux uint32
	if f&x86.FlagCF != 0 {
		aux = AuxCF | AuxPO
	}
	if f&x86.FlagOF != 0 {
		aux ^= AuxPO
	}
	if f&x86.FlagAF != 0 {
		aux |= AuxAF
	}
	if f&x86.FlagSF != 0 {
		aux |= AuxSF
	}
	if f&x86.FlagZF != 0 {
		s.Res = 0
		if f&x86.FlagPF == 0 {
			aux |= 1 << 8 // odd
		}
	} else {
		s.Res = 1
		if f&x86.FlagPF != 0 {
			aux |= 1 << 8 // odd
		}
	}
	s.Aux = aux
}

// setCF changes CF alone.
func (s *State) setCF(on bool) {
	of := s.of()
	s.Aux &^= AuxCF | AuxPO
	if on {
		s.Aux |= AuxCF
	}
	if of != on {
		s.Aux |= AuxPO
	}
}

// setZF changes ZF alone.
func (s *State) setZF(on bool) {
	f := s.Arith() &^ x86.FlagZF
	if on {
		f |= x86.FlagZF
	}
	s.SetArith(f)
}

// setCFOF changes CF and OF alone.
func (s *State) setCFOF(cf, of uint32) {
	s.Aux = s.Aux&^(AuxCF|AuxPO) | cf<<31 | (cf^of)<<30
}

// EFLAGS gives the whole register.
func (s *State) EFLAGS() uint32 { return s.Flags | s.Arith() | 2 }

// SetEFLAGS sets the whole register, with no check of privilege. The caller
// updates what hangs on IF, TF, VM and AC: see CPU.flagsChanged.
func (s *State) SetEFLAGS(f uint32) {
	s.Flags = f&^reservedFlags | 2
	s.SetArith(f)
}

// cond evaluates condition code cc (SDM vol. 1 appendix B).
func (s *State) cond(cc uint8) bool {
	var r bool
	switch cc >> 1 {
	case 0:
		r = s.of()
	case 1:
		r = s.cf()
	case 2:
		r = s.zf()
	case 3:
		r = s.cf() || s.zf()
	case 4:
		r = s.sf()
	case 5:
		r = s.pf()
	case 6:
		r = s.sf() != s.of()
	case 7:
		r = s.zf() || s.sf() != s.of()
	}
	return r != (cc&1 != 0)
}

// signExtend extends the low size bytes of v.
func signExtend(v uint32, size uint8) uint32 {
	switch size {
	case 1:
		return uint32(int32(int8(v)))
	case 2:
		return uint32(int32(int16(v)))
	}
	return v
}

// flagsAdd, flagsSub and flagsLogic record the flags of an operation on size
// bytes; a, b and r need only be right in their low size bytes.
func (s *State) flagsAdd(a, b, r uint32, size uint8) {
	cy := a&b | (a|b)&^r
	s.setCarries(cy, r, size)
}

func (s *State) flagsSub(a, b, r uint32, size uint8) {
	cy := ^a&b | (^a|b)&r
	s.setCarries(cy, r, size)
}

func (s *State) setCarries(cy, r uint32, size uint8) {
	s.Res = signExtend(r, size)
	s.Aux = cy<<((4-size)*8)&(AuxCF|AuxPO) | cy&AuxAF
}

func (s *State) flagsLogic(r uint32, size uint8) {
	s.Res, s.Aux = signExtend(r, size), 0
}
