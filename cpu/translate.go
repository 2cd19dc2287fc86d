package cpu

import "alpinevm/cpu/x86"

// translation is what a selector gets to know: it chooses the handler and may
// change the op's fields.
type translation struct {
	*op
	in   *x86.Inst
	args [3]x86.Arg
	mode mode
	// ends: the block ends behind this instruction, as it branches or
	// changes what translation or event recognition depends on.
	ends bool
	// alone: the instruction needs exact counts or is interruptible: it
	// stands in a block of its own (REP, I/O, RDTSC).
	alone bool
	// flagUse is what the instruction does to the arithmetic flags, and quiet
	// a handler that leaves them alone where nobody will look.
	flagUse flagUse
	quiet   handler
}

// flat says that the memory operand needs no segment check and no 16-bit wrap:
// its linear address is its effective address.
func (t *translation) flat() bool {
	return t.mode&modeFlat != 0 && t.flags&opAddr16 == 0 && (t.seg == x86.DS || t.seg == x86.SS || t.seg == x86.ES)
}

// selector chooses the handler of one mnemonic. nil means #UD.
type selector func(t *translation) handler

// always makes a selector of one handler that serves all forms.
func always(h handler) selector { return func(*translation) handler { return h } }

// ending makes a selector of one handler behind which the block ends.
func ending(h handler) selector {
	return func(t *translation) handler { t.ends = true; return h }
}

// alone makes a selector of one handler in a block of its own.
func alone(h handler) selector {
	return func(t *translation) handler { t.ends, t.alone = true, true; return h }
}

// family is one family of instructions: which selector serves which mnemonic.
type family map[x86.Op]selector

// translate turns a decoded instruction into an op.
func (c *CPU) translate(in *x86.Inst, o *op, m mode, start uint32) translation {
	*o = op{
		imm: in.Imm, disp: in.Disp, reg: in.Reg, rm: in.RM,
		base: in.Base, index: in.Index, scale: in.Scale, seg: in.Seg,
		start: uint16(start), len: in.Len, size: in.OpSize, cond: in.Cond, form: in.Form,
	}
	args := x86.Forms[in.Form].Args
	for _, a := range args {
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
	t := translation{op: o, in: in, args: args, mode: m}
	if s := selectors[in.Op]; s != nil {
		o.fn = s(&t)
	}
	if o.fn == nil {
		o.fn = undefined
		t.ends, t.alone = true, false
	}
	return t
}

// undefined raises #UD.
func undefined(c *CPU, o *op) status { return c.raise(vecUD) }

// tooLong raises #GP(0) for an instruction of more than 15 bytes.
func tooLong(c *CPU, o *op) status { return c.raiseCode(vecGP, 0) }
