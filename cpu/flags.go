package cpu

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

// The six arithmetic flags are kept as the result of the last operation and its
// carries, and computed when asked for:
//
//	Res      the result, sign-extended from the operand size: ZF, SF and PF
//	Aux      bit 31 CF, bits 31 and 30 differ: OF, bit 3 AF,
//	         bit 0 flips SF, bits 8 to 15 are xored into the byte PF counts
//
// The flips exist because POPF, SAHF and rotates may set combinations that no
// result has (ZF with SF).
const (
	auxCF = 1 << 31
	auxPO = 1 << 30
	auxAF = 1 << 3
	auxSF = 1 << 0
)

const arithFlags = x86.FlagCF | x86.FlagPF | x86.FlagAF | x86.FlagZF | x86.FlagSF | x86.FlagOF

func (s *State) cf() bool { return int32(s.Aux) < 0 }
func (s *State) zf() bool { return s.Res == 0 }
func (s *State) of() bool { return int32(s.Aux^s.Aux<<1) < 0 }
func (s *State) sf() bool { return int32(s.Res^s.Aux<<31) < 0 }
func (s *State) pf() bool { return bits.OnesCount8(uint8(s.Res)^uint8(s.Aux>>8))&1 == 0 }
func (s *State) af() bool { return s.Aux&auxAF != 0 }

// carry is CF as a number.
func (s *State) carry() uint32 { return s.Aux >> 31 }

// arith gives the six arithmetic flags as EFLAGS bits.
func (s *State) arith() uint32 {
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

// setArith sets the six arithmetic flags from EFLAGS bits.
func (s *State) setArith(f uint32) {
	var aux uint32
	if f&x86.FlagCF != 0 {
		aux = auxCF | auxPO
	}
	if f&x86.FlagOF != 0 {
		aux ^= auxPO
	}
	if f&x86.FlagAF != 0 {
		aux |= auxAF
	}
	if f&x86.FlagSF != 0 {
		aux |= auxSF
	}
	if f&x86.FlagZF != 0 {
		s.Res = 0
		if f&x86.FlagPF == 0 {
			aux |= 1 << 8
		}
	} else {
		s.Res = 1
		if f&x86.FlagPF != 0 {
			aux |= 1 << 8
		}
	}
	s.Aux = aux
}

// setCF changes CF alone.
func (s *State) setCF(on bool) {
	of := s.of()
	s.Aux &^= auxCF | auxPO
	if on {
		s.Aux |= auxCF
	}
	if of != on {
		s.Aux |= auxPO
	}
}

// setZF changes ZF alone.
func (s *State) setZF(on bool) {
	f := s.arith() &^ x86.FlagZF
	if on {
		f |= x86.FlagZF
	}
	s.setArith(f)
}

// setCFOF changes CF and OF alone.
func (s *State) setCFOF(cf, of uint32) {
	s.Aux = s.Aux&^(auxCF|auxPO) | cf<<31 | (cf^of)<<30
}

// EFLAGS gives the whole register.
func (s *State) EFLAGS() uint32 { return s.Flags | s.arith() | 2 }

// SetEFLAGS sets the whole register, with no check of privilege. The caller
// updates what hangs on IF, TF, VM and AC: see CPU.flagsChanged.
func (s *State) SetEFLAGS(f uint32) {
	s.Flags = f&^(arithFlags|0xffc08028) | 2
	s.setArith(f)
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
	s.Aux = cy<<((4-size)*8)&(auxCF|auxPO) | cy&auxAF
}

func (s *State) flagsLogic(r uint32, size uint8) {
	s.Res, s.Aux = signExtend(r, size), 0
}
