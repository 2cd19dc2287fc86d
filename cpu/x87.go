package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// The x87 (SDM vol. 1 chapter 8): its stack, the exceptions that are recorded
// now and delivered by the next waiting instruction, and what all its files
// share. Where the SDM leaves something undefined, and in the few places that
// say so, handlers do what an AMD family 19h processor was seen to do.
//
// Deviation: with CR0.NE clear a pending exception is not reported (FERR# and
// IRQ 13 do not exist), as if IGNNE# were asserted. DOS programs that unmask
// x87 exceptions would notice.

// Bits of the x87 status word (SDM vol. 1, 8.1.3). Those below fpuSF are
// softfloat.Flags.
const (
	fpuSF  = 1 << 6
	fpuES  = 1 << 7
	fpuC0  = 1 << 8
	fpuC1  = 1 << 9
	fpuC2  = 1 << 10
	fpuTOP = 7 << 11
	fpuC3  = 1 << 14
	fpuB   = 1 << 15

	fpuExceptions = 0x3f
)

// Stack faults as flags: C1 tells overflow from underflow (SDM vol. 1,
// 8.5.1.1).
const (
	stackUnderflow = softfloat.IE | fpuSF
	stackOverflow  = softfloat.IE | fpuSF | softfloat.C1
)

// x87 says whether a waiting x87 instruction can be executed; if not, the
// exception is recorded: #NM, then #MF for one that is pending.
func (c *CPU) x87() bool {
	return c.CR0&(cr0EM|cr0TS) == 0 && c.FPU.SW&fpuES == 0 || c.noX87()
}

func (c *CPU) noX87() bool {
	if !c.x87NoWait() {
		return false
	}
	return !c.pendingMF()
}

// pendingMF records #MF if an x87 exception waits to be reported.
func (c *CPU) pendingMF() bool {
	if c.FPU.SW&fpuES == 0 || c.CR0&cr0NE == 0 {
		return false
	}
	c.raise(vecMF)
	return true
}

// x87NoWait is x87 for an instruction that does not look at pending
// exceptions.
func (c *CPU) x87NoWait() bool {
	if c.CR0&(cr0EM|cr0TS) == 0 {
		return true
	}
	c.raise(vecNM)
	return false
}

// st is the physical number of stack register i.
func (f *FPU) st(i uint8) uint8 { return (uint8(f.SW>>11) + i) & 7 }

// empty says whether physical register p is empty.
func (f *FPU) empty(p uint8) bool { return f.Used>>(p&7)&1 == 0 }

func (f *FPU) reg(p uint8) softfloat.F80 { return softfloat.F80{Mant: f.Mant[p&7], SE: f.SE[p&7]} }

func (f *FPU) setReg(p uint8, v softfloat.F80) {
	f.Mant[p&7], f.SE[p&7] = v.Mant, v.SE
	f.Used |= 1 << (p & 7)
}

// pop empties the top of the stack and removes it.
func (f *FPU) pop() {
	f.Used &^= 1 << f.st(0)
	f.SW = f.SW&^fpuTOP | (f.SW+1<<11)&fpuTOP
}

// push puts v on the stack, whose next register is known to be free or to be
// overwritten.
func (f *FPU) push(v softfloat.F80) {
	f.SW = f.SW&^fpuTOP | (f.SW-1<<11)&fpuTOP
	f.setReg(f.st(0), v)
}

// unmasked says whether an exception among fl is not masked.
func (f *FPU) unmasked(fl softfloat.Flags) bool { return uint16(fl)&fpuExceptions&^f.CW != 0 }

// stops says whether fl has an unmasked exception that is found before the
// computation, so that operands and stack stay as they are (SDM vol. 1, 8.5).
func (f *FPU) stops(fl softfloat.Flags) bool {
	return fl&(softfloat.IE|softfloat.DE|softfloat.ZE)&^softfloat.Flags(f.CW) != 0
}

// summarize sets ES and B as the other bits of the status and control words ask
// for.
func (f *FPU) summarize() {
	f.SW &^= fpuES | fpuB
	if f.SW&^f.CW&fpuExceptions != 0 {
		f.SW |= fpuES | fpuB
	}
}

// retire ends a non-control instruction that raised fl: it merges them into the
// status word, C1 included, and notes where the instruction was.
func (c *CPU) retire(o *op, fl softfloat.Flags) status {
	f := &c.FPU
	f.SW = f.SW&^fpuC1 | uint16(fl)
	if f.SW&^f.CW&fpuExceptions != 0 {
		f.SW |= fpuES | fpuB
	}
	return c.note(o)
}

// note records the last instruction's address and opcode (SDM vol. 1, 8.1.8 and
// 8.1.9). selectX87 has left the opcode in imm.
func (c *CPU) note(o *op) status {
	f := &c.FPU
	f.FIP, f.FCS, f.FOP = o.eip(c), c.Seg[segCS].Sel, uint16(o.imm)
	return next
}

// noteData records the operand at offset off of the op's segment.
func (c *CPU) noteData(o *op, off uint32) {
	c.FPU.FDP, c.FPU.FDS = off, c.Seg[o.seg&7].Sel
}

// x87Env is the environment of an operation under the control word.
func (c *CPU) x87Env() softfloat.Env { return softfloat.FromControl(c.FPU.CW) }

// x87Operand is a number from memory. denormal is set if it was so there; it
// no longer shows in the value.
type x87Operand struct {
	v        softfloat.F80
	denormal bool
}

// x87Load checks that the waiting instruction o can be executed and reads its
// memory operand, which lies at offset off.
func (c *CPU) x87Load(o *op) (x x87Operand, off uint32, ok bool) {
	if !c.x87() {
		return x, 0, false
	}
	off = c.ea(o)
	x, ok = c.x87LoadAt(o, off)
	return x, off, ok
}

// x87LoadAt reads the memory operand of kind o.cond, at offset off.
func (c *CPU) x87LoadAt(o *op, off uint32) (x x87Operand, ok bool) {
	if o.cond&7 >= x87F80 {
		return c.x87Load80(o, off)
	}
	lin, ok := c.segRead(o.seg, off, uint32(x87Sizes[o.cond&7]))
	if !ok {
		return x, false
	}
	switch o.cond & 7 {
	case x87F32:
		v, ok := c.load32(lin)
		x.v, x.denormal = softfloat.Widen32(v)
		return x, ok
	case x87F64:
		v, ok := c.load64(lin)
		x.v, x.denormal = softfloat.Widen64(v)
		return x, ok
	case x87I16:
		v, ok := c.load16(lin)
		x.v = softfloat.FromInt(int64(int16(v)))
		return x, ok
	case x87I32:
		v, ok := c.load32(lin)
		x.v = softfloat.FromInt(int64(int32(v)))
		return x, ok
	}
	v, ok := c.load64(lin)
	x.v = softfloat.FromInt(int64(v))
	return x, ok
}

// x87Load80 is x87LoadAt for an operand of 10 bytes, which are loaded as 8 and 2.
func (c *CPU) x87Load80(o *op, off uint32) (x x87Operand, ok bool) {
	first, second, ok := c.twoParts(o, off, 8, 2, read)
	if !ok {
		return x, false
	}
	mant, ok := c.load64(first)
	if !ok {
		return x, false
	}
	se, ok := c.load16(second)
	if !ok {
		return x, false
	}
	x.v = softfloat.F80{Mant: mant, SE: uint16(se)}
	if o.cond&7 == x87BCD {
		var b softfloat.BCD
		putF80(b[:], x.v)
		x.v = softfloat.FromBCD(b)
	}
	return x, true
}

// Kinds of memory operands, in o.cond. The last two have 10 bytes.
const (
	x87F32 = iota
	x87F64
	x87I16
	x87I32
	x87I64
	x87F80
	x87BCD
)

var x87Sizes = [8]uint8{x87F32: 4, x87F64: 8, x87I16: 2, x87I32: 4, x87I64: 8, x87F80: 10, x87BCD: 10}

// x87Kind is the kind of a form's memory operand.
func x87Kind(t *translation) uint8 {
	for _, a := range t.args {
		switch a {
		case x86.Mf32:
			return x87F32
		case x86.Mf64:
			return x87F64
		case x86.Mi16:
			return x87I16
		case x86.Mi32:
			return x87I32
		case x86.Mi64:
			return x87I64
		case x86.Mf80:
			return x87F80
		case x86.Mbcd:
			return x87BCD
		}
	}
	return 0
}

// x87Form makes a selector that leaves the opcode of FOP in imm and the kind
// of the memory operand in cond. mem serves the forms with a memory operand,
// reg the others. regSh is free for the selector's parameter: which operation of
// several the handler is to do.
//
//go:noinline
func x87Form(mem, reg handler, parameter uint8) selector {
	return func(t *translation) handler {
		t.imm = uint32(x86.Forms[t.form].Code&7)<<8 | uint32(t.in.ModRM)
		t.regSh = parameter
		if t.flags&opMem != 0 {
			t.cond = x87Kind(t)
			return mem
		}
		t.reg = 0
		if t.args[0] == x86.STi {
			// The destination is in reg, the source in rm.
			t.reg, t.rm = t.rm, 0
		}
		return reg
	}
}
