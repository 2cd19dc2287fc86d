package cpu

import "alpinevm/cpu/x86"

// translation is what a selector gets to know: it chooses the handler and may
// change the op's fields.
type translation struct {
	*op
	in   *x86.Inst
	args [3]x86.Arg
	mode Mode
	// quiet is a handler that leaves the arithmetic flags alone where nobody
	// will look at them.
	quiet handler
	// refused: it raises an exception whatever its operands are.
	refused bool
}

// flat says that the memory operand needs no segment check and no 16-bit wrap:
// its linear address is its effective address.
func (t *translation) flat() bool {
	return t.mode&ModeFlat != 0 && t.flags&opAddr16 == 0 && (t.seg == x86.DS || t.seg == x86.SS || t.seg == x86.ES)
}

// selector chooses the handler of one mnemonic, and may change the op's fields to
// what that wants. What the instruction is, the opcode table says: where blocks
// end, who may execute it, what it does to flags. What makes one is not inlined: each
// mnemonic would have a copy of its code, which a page loads and compiles.
type selector func(t *translation) handler

// always makes a selector of one handler that serves all forms.
//
//go:noinline
func always(h handler) selector { return func(*translation) handler { return h } }

// family is one family of instructions: which selector serves which mnemonic.
type family map[x86.Op]selector

// translate turns a decoded instruction into an op.
func (c *CPU) translate(in *x86.Inst, o *op, m Mode, start uint32) translation {
	*o = op{
		imm: in.Imm, disp: in.Disp, reg: in.Reg, rm: in.RM,
		base: in.Base, index: in.Index, scale: in.Scale, seg: in.Seg,
		start: uint16(start), len: in.Len, size: in.OpSize, cond: in.Cond, form: in.Form,
	}
	row := in.Row()
	for _, a := range row.Args {
		switch a {
		case x86.Gb, x86.Zb:
			o.reg, o.regSh = in.Reg&3, in.Reg&4*2
		case x86.Eb:
			o.rm, o.rmSh = in.RM&3, in.RM&4*2
		}
	}
	if in.Mem {
		o.flags |= opMem
	}
	if in.AddrSize == 2 {
		o.flags |= opAddr16
	}
	if in.Prefix&x86.PrefixRep != 0 {
		o.flags |= opRep
	}
	if in.Prefix&x86.PrefixRepne != 0 {
		o.flags |= opRepne
	}
	if in.Prefix&x86.PrefixLock != 0 {
		o.flags |= opLock
	}
	t := &c.blocks.translation
	*t = translation{op: o, in: in, args: row.Args, mode: m}
	if o.fn = c.refused(row, m); o.fn != nil {
		t.refused = true
	} else {
		o.fn = selectors[in.Op](t)
	}
	return *t
}

// refused gives the handler that raises the exception where the table says that
// the mode forbids the instruction, or CPUID does not show it; nil otherwise.
func (c *CPU) refused(row *x86.FormRow, m Mode) handler {
	switch {
	case row.Flags&x86.NoV86 != 0 && m&ModeProtected == 0, c.features>>row.Feat&1 == 0:
		return undefined
	case row.Flags&x86.Priv != 0 && m&ModeSystem == 0 && row.Op != x86.MOVDR: // it looks for #UD first
		return forbidden
	}
	return nil
}

// undefined raises #UD.
func undefined(c *CPU, o *op) status { return c.raise(vecUD) }

// forbidden raises #GP(0) for an instruction that needs CPL 0.
func forbidden(c *CPU, o *op) status { return c.raiseCode(vecGP, 0) }

// tooLong raises #GP(0) for an instruction of more than 15 bytes.
func tooLong(c *CPU, o *op) status { return c.raiseCode(vecGP, 0) }
