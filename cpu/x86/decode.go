package x86

// fetch is the window that the decoder reads: zeros follow the code, so that no
// read needs a bound, and what was read too far is found at the end. The longest
// reach is 14 prefixes, three opcode bytes, ModRM, SIB, displacement and
// immediate.
type fetch [32]byte

func (f *fetch) u16(i uint) uint32 {
	return uint32(f[i&31]) | uint32(f[(i+1)&31])<<8
}

func (f *fetch) u32(i uint) uint32 {
	return uint32(f[i&31]) | uint32(f[(i+1)&31])<<8 | uint32(f[(i+2)&31])<<16 | uint32(f[(i+3)&31])<<24
}

// Decode decodes the instruction at the start of code as code of the given mode
// and fills in. It looks at no more than MaxLen bytes. in is meaningful for OK;
// for the other results only Len is: the bytes that silicon fetches before it
// raises the fault, or the bytes that were there for Truncated.
//
// Decode does not know privilege, features or the mode of the processor beyond
// the code size: a form that they forbid decodes, and its row says so.
func Decode(code []byte, mode Mode, in *Inst) Result {
	var f fetch
	if len(code) >= MaxLen {
		*(*[MaxLen]byte)(f[:]) = [MaxLen]byte(code)
	} else {
		copy(f[:], code)
	}
	t := tables
	*in = Inst{Base: NoReg, Index: NoReg, Seg: noSeg}

	pos := uint(0)
	b := f[0]
	n := t.nodes[b]
	for n.shape == shapePrefix {
		in.prefix(b)
		pos++
		if pos == MaxLen {
			return in.end(pos+1, len(code), OK)
		}
		b = f[pos&31]
		n = t.nodes[b]
	}
	pos++
	if n.shape == shapeEscape {
		b = f[pos&31]
		pos++
		n = t.nodes[map0F+int(b)]
		if n.shape == shapeEscape {
			m := map38
			if b == 0x3A {
				m = map3A
			}
			b = f[pos&31]
			pos++
			n = t.nodes[m+int(b)]
		}
	}

	in.OpSize, in.AddrSize = 2, 2
	if (mode == Mode32) != (in.Prefix&PrefixOpSize != 0) {
		in.OpSize = 4
	}
	if (mode == Mode32) != (in.Prefix&PrefixAddrSize != 0) {
		in.AddrSize = 4
	}

	row := n.base
	if n.modRM {
		in.ModRM = f[pos&31]
		pos++
	}
	if n.shape != shapeLeaf {
		row = t.groups[int(n.base)+slot(n.shape, in.Prefix, in.ModRM)]
	}
	if row == 0 {
		return in.end(pos, len(code), Undefined)
	}
	in.Form = Form(row - 1)
	a := &t.actions[in.Form]
	in.Op = a.op
	in.Cond = a.cond
	if a.isCC {
		in.Cond = b & 15
	}
	if a.size != 0 {
		in.OpSize = a.size
	}
	if n.modRM {
		in.Reg = in.ModRM >> 3 & 7
		in.RM = in.ModRM & 7
		if in.ModRM < 0xC0 && !a.noMem {
			in.Mem = true
			pos = in.address(&f, pos)
		}
	} else {
		switch a.from {
		case regOpcode:
			in.Reg = b & 7
		case regFixed:
			in.Reg = a.reg
		}
		if a.offset {
			in.Mem = true
			in.Disp = f.u16(pos)
			if in.AddrSize == 4 {
				in.Disp = f.u32(pos)
			}
			pos += uint(in.AddrSize)
		}
	}
	if in.Seg == noSeg {
		in.Seg = DS
	}
	if a.imm != immNone {
		pos = in.immediate(a.imm, &f, pos)
	}
	r := OK
	if in.Prefix&PrefixLock != 0 && !(a.lockOK && in.Mem) {
		r = Undefined
	}
	return in.end(pos, len(code), r)
}

// noSeg marks that no override was seen yet.
const noSeg = 0xFF

// prefix records one prefix byte. The last one of each group counts (SDM vol. 2A
// 2.1.1 leaves that open; this is what silicon does).
func (in *Inst) prefix(b byte) {
	switch b {
	case 0x26:
		in.Prefix |= PrefixSeg
		in.Seg = ES
	case 0x2E:
		in.Prefix |= PrefixSeg
		in.Seg = CS
	case 0x36:
		in.Prefix |= PrefixSeg
		in.Seg = SS
	case 0x3E:
		in.Prefix |= PrefixSeg
		in.Seg = DS
	case 0x64:
		in.Prefix |= PrefixSeg
		in.Seg = FS
	case 0x65:
		in.Prefix |= PrefixSeg
		in.Seg = GS
	case 0x66:
		in.Prefix |= PrefixOpSize
	case 0x67:
		in.Prefix |= PrefixAddrSize
	case 0xF0:
		in.Prefix |= PrefixLock
	case 0xF2:
		in.Prefix = in.Prefix&^PrefixRep | PrefixRepne
	case 0xF3:
		in.Prefix = in.Prefix&^PrefixRepne | PrefixRep
	}
}

// slot returns the index into a group's table.
func slot(shape uint8, p Prefix, modRM byte) int {
	switch shape {
	case shapeReg:
		return int(modRM >> 3 & 7)
	case shapeModReg:
		return modRegSlot(modRM)
	case shapeRM:
		return rmSlot(modRM)
	}
	pfx := 0
	switch {
	case p&PrefixRep != 0:
		pfx = 2
	case p&PrefixRepne != 0:
		pfx = 3
	case p&PrefixOpSize != 0:
		pfx = 1
	}
	switch shape {
	case shapePfxModReg:
		return pfx*16 + modRegSlot(modRM)
	case shapePfxRM:
		return pfx*rmSize + rmSlot(modRM)
	}
	return pfx
}

func modRegSlot(modRM byte) int {
	i := int(modRM >> 3 & 7)
	if modRM >= 0xC0 {
		i += 8
	}
	return i
}

func rmSlot(modRM byte) int {
	if modRM >= 0xC0 {
		return 8 + int(modRM&0x3F)
	}
	return int(modRM >> 3 & 7)
}

// address decodes the memory operand of in.ModRM: SIB and displacement are at
// pos. It returns the position behind them (SDM vol. 2A tables 2-1 to 2-3).
func (in *Inst) address(f *fetch, pos uint) uint {
	mod, rm := in.ModRM>>6, in.ModRM&7
	seg := uint8(DS)
	if in.AddrSize == 2 {
		a := &addr16[rm]
		in.Base, in.Index, seg = a.base, a.index, a.seg
		switch {
		case mod == 1:
			in.Disp = uint32(int8(f[pos&31]))
			pos++
		case mod == 2:
			in.Disp = uint32(int16(f.u16(pos)))
			pos += 2
		case rm == 6:
			in.Base, seg = NoReg, DS
			in.Disp = uint32(int16(f.u16(pos)))
			pos += 2
		}
		if in.Seg == noSeg {
			in.Seg = seg
		}
		return pos
	}
	in.Base = rm
	if rm == ESP {
		sib := f[pos&31]
		pos++
		in.Base = sib & 7
		if i := sib >> 3 & 7; i != ESP {
			in.Index, in.Scale = i, sib>>6
		}
	}
	switch {
	case mod == 1:
		in.Disp = uint32(int8(f[pos&31]))
		pos++
	case mod == 2:
		in.Disp = f.u32(pos)
		pos += 4
	case in.Base == EBP:
		in.Base = NoReg
		in.Disp = f.u32(pos)
		pos += 4
	}
	if in.Seg == noSeg {
		if in.Base == EBP || in.Base == ESP {
			seg = SS
		}
		in.Seg = seg
	}
	return pos
}

var addr16 = [8]struct{ base, index, seg uint8 }{
	{EBX, ESI, DS},
	{EBX, EDI, DS},
	{EBP, ESI, SS},
	{EBP, EDI, SS},
	{ESI, NoReg, DS},
	{EDI, NoReg, DS},
	{EBP, NoReg, SS},
	{EBX, NoReg, DS},
}

// immediate decodes the immediate of kind k at pos and returns the position
// behind it.
func (in *Inst) immediate(k immKind, f *fetch, pos uint) uint {
	switch k {
	case imm8:
		in.Imm = uint32(f[pos&31])
		return pos + 1
	case imm8s:
		in.Imm = uint32(int8(f[pos&31]))
		return pos + 1
	case imm16:
		in.Imm = f.u16(pos)
		return pos + 2
	case immEnter:
		in.Imm = f.u16(pos)
		in.Imm2 = uint16(f[(pos+2)&31])
		return pos + 3
	}
	// Forms with Eb,Iz do not exist, so OpSize is that of the immediate.
	if in.OpSize == 4 {
		in.Imm = f.u32(pos)
	} else {
		in.Imm = f.u16(pos)
		if k == immVs {
			in.Imm = uint32(int16(in.Imm))
		}
	}
	pos += uint(in.OpSize)
	if k == immFar {
		in.Imm2 = uint16(f.u16(pos))
		pos += 2
	}
	return pos
}

// end settles the result of an instruction that reaches to pos, of which have
// bytes were given.
func (in *Inst) end(pos uint, have int, r Result) Result {
	switch {
	case pos > MaxLen && have >= MaxLen:
		in.Len = MaxLen
		return TooLong
	case int(pos) > have:
		in.Len = uint8(have)
		return Truncated
	}
	in.Len = uint8(pos)
	return r
}
