package cpu

import "alpinevm/cpu/x86"

//go:generate go run ./gen

// operands is the set of handlers of a two-operand instruction in one operand
// size, by destination and source: Reg is ModRM.reg, RM a register in
// ModRM.rm, Mem memory, whose address is Flat or goes through a Segment check.
type operands struct {
	regRM, rMReg, rMImm   handler
	regMemFlat, regMemSeg handler
	memRegFlat, memRegSeg handler
	memImmFlat, memImmSeg handler

	// The register forms that do not set flags.
	quietRegRM, quietRMReg, quietRMImm handler
}

func aluFamily() family {
	return family{
		x86.ADD:  selectBinary(&addHandlers),
		x86.OR:   selectBinary(&orHandlers),
		x86.ADC:  selectBinary(&adcHandlers),
		x86.SBB:  selectBinary(&sbbHandlers),
		x86.AND:  selectBinary(&andHandlers),
		x86.SUB:  selectBinary(&subHandlers),
		x86.XOR:  selectBinary(&xorHandlers),
		x86.CMP:  selectBinary(&cmpHandlers),
		x86.TEST: selectBinary(&testHandlers),
		x86.INC:  selectUnary(inc32, inc),
		x86.DEC:  selectUnary(dec32, dec),
		x86.NEG:  selectUnary(nil, neg),
		x86.NOT:  selectUnary(nil, not),
	}
}

// sizeIndex is 0, 1 or 2 for 1, 2 or 4 bytes.
func sizeIndex(size uint8) int { return int(size >> 1) }

// selectBinary chooses by operand form.
//
//go:noinline
func selectBinary(h *[3]operands) selector {
	return func(t *translation) handler {
		return h[sizeIndex(t.size)].choose(t)
	}
}

// choose gives the handler for the translation's operands.
func (b *operands) choose(t *translation) handler {
	flat := t.flat()
	dst, src := t.args[0], t.args[1]
	if dst == x86.AL || dst == x86.RAX {
		t.rm, t.rmSh, dst = eax, 0, x86.Ev
	}
	switch {
	case src == x86.Ib || src == x86.Ibs || src == x86.Iz:
		switch {
		case t.flags&opMem == 0:
			t.quiet = b.quietRMImm
			return b.rMImm
		case flat:
			return b.memImmFlat
		}
		return b.memImmSeg
	case dst == x86.Gb || dst == x86.Gv:
		switch {
		case t.flags&opMem == 0:
			t.quiet = b.quietRegRM
			return b.regRM
		case flat:
			return b.regMemFlat
		}
		return b.regMemSeg
	}
	switch {
	case t.flags&opMem == 0:
		t.quiet = b.quietRMReg
		return b.rMReg
	case flat:
		return b.memRegFlat
	}
	return b.memRegSeg
}

// selectUnary gives the fast handler to a 32-bit register and the general one
// to everything else. The operand is r/m or the opcode's register.
//
//go:noinline
func selectUnary(reg32, general handler) selector {
	return func(t *translation) handler {
		if t.args[0] == x86.Zv || t.args[0] == x86.Zb {
			t.rm, t.rmSh = t.reg, t.regSh
		}
		if reg32 != nil && t.flags&opMem == 0 && t.size == 4 {
			return reg32
		}
		return general
	}
}

func inc32(c *CPU, o *op) status {
	s := c.Core
	r := s.R[o.rm&15] + 1
	s.R[o.rm&15] = r
	s.flagsInc(r, r<<28 == 0, r == 1<<31, 4)
	return next
}

func dec32(c *CPU, o *op) status {
	s := c.Core
	r := s.R[o.rm&15] - 1
	s.R[o.rm&15] = r
	s.flagsInc(r, r&15 == 15, r == 1<<31-1, 4)
	return next
}

// flagsInc records the flags of INC and DEC, which leave CF alone.
func (s *State) flagsInc(r uint32, af, of bool, size uint8) {
	cf := s.Aux & AuxCF
	aux := cf | cf>>1 // CF in both bits: OF clear
	if af {
		aux |= AuxAF
	}
	if of {
		aux ^= AuxPO
	}
	s.Res, s.Aux = signExtend(r, size), aux
}

func inc(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	r := v + 1
	c.rmStoreBack(o, lin, r, o.size)
	c.flagsInc(r, r&15 == 0, r<<(32-8*o.size) == 1<<31, o.size)
	return next
}

func dec(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	r := v - 1
	c.rmStoreBack(o, lin, r, o.size)
	c.flagsInc(r, r&15 == 15, v<<(32-8*o.size) == 1<<31, o.size)
	return next
}

func neg(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	c.rmStoreBack(o, lin, -v, o.size)
	c.flagsSub(0, v, -v, o.size)
	return next
}

func not(c *CPU, o *op) status {
	v, lin, ok := c.rmLoadForWrite(o, o.size)
	if !ok {
		return faulted
	}
	c.rmStoreBack(o, lin, ^v, o.size)
	return next
}
