package cpu

import (
	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// x87 control instructions and the saving of its state.

func x87ControlFamily() family {
	return family{
		x86.FNINIT: x87Form(nil, fninit, 0), x86.FNCLEX: x87Form(nil, fnclex, 0),
		x86.FNENI: x87Form(nil, x87Nothing, 0), x86.FNDISI: x87Form(nil, x87Nothing, 0), x86.FNSETPM: x87Form(nil, x87Nothing, 0),
		x86.FLDCW: x87Form(fldcw, nil, 0), x86.FNSTCW: x87Form(fnstcw, nil, 0), x86.FNSTSW: x87Form(fnstsw, fnstswAX, 0),
		x86.FNSTENV: x87Form(fnstenv, nil, 0), x86.FLDENV: x87Form(fldenv, nil, 0),
		x86.FNSAVE: x87Form(fnsave, nil, 0), x86.FRSTOR: x87Form(frstor, nil, 0),
		x86.FNOP: x87Form(nil, fnop, 0), x86.FFREE: x87Form(nil, ffree, 0), x86.FFREEP: x87Form(nil, ffree, x87Pop1),
		x86.FINCSTP: x87Form(nil, fincstp, 0), x86.FDECSTP: x87Form(nil, fdecstp, 0),
		x86.FWAIT: always(fwait),
	}
}

// cwBits are the bits of the control word that hold what is written to them;
// bit 6 reads as 1.
const (
	cwBits  = 0x1f3f
	cwFixed = 0x40
)

// initialize is FNINIT (SDM vol. 2A).
func (f *FPU) initialize() {
	f.CW, f.SW, f.Used = 0x37f, 0, 0
	f.FIP, f.FCS, f.FDP, f.FDS, f.FOP = 0, 0, 0, 0, 0
}

func fninit(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	c.FPU.initialize()
	return next
}

func fnclex(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	c.FPU.SW &^= fpuExceptions | fpuSF | fpuES | fpuB
	return next
}

// x87Nothing is FNENI, FNDISI and FNSETPM, which only the 8087 and the 80287
// knew (SDM vol. 1, 8.3.12).
func x87Nothing(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	return next
}

func fnop(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	return c.note(o)
}

// fwait looks at TS only where MP is set, and never at EM (SDM vol. 3A 2.5).
func fwait(c *CPU, o *op) status {
	if c.CR0&(cr0MP|cr0TS) == cr0MP|cr0TS {
		return c.raise(vecNM)
	}
	if c.pendingMF() {
		return faulted
	}
	return next
}

func ffree(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	c.FPU.Used &^= 1 << c.FPU.st(o.reg)
	if o.regSh&x87Pop1 != 0 {
		c.FPU.pop()
	}
	return c.retire(o, 0)
}

func fincstp(c *CPU, o *op) status { return c.rotateStack(o, 1<<11) }
func fdecstp(c *CPU, o *op) status { return c.rotateStack(o, 7<<11) }

func (c *CPU) rotateStack(o *op, by uint16) status {
	if !c.x87() {
		return faulted
	}
	c.FPU.SW = c.FPU.SW&^fpuTOP | (c.FPU.SW+by)&fpuTOP
	return c.retire(o, 0)
}

func fldcw(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	v, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	c.FPU.CW = uint16(v)&cwBits | cwFixed
	c.FPU.summarize()
	return next
}

func fnstcw(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	return c.rmStore(o, uint32(c.FPU.CW), 2)
}

func fnstsw(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	return c.rmStore(o, uint32(c.FPU.SW), 2)
}

func fnstswAX(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	c.R[eax] = c.R[eax]&^0xffff | uint32(c.FPU.SW)
	return next
}

// Tags is the tag word (SDM vol. 1, 8.1.7).
func (f *FPU) Tags() (w uint16) {
	for p := range uint8(8) {
		tag := uint16(2) // special
		switch c := f.reg(p).Class(); {
		case f.empty(p):
			tag = 3
		case c == softfloat.ClassZero:
			tag = 1
		case c == softfloat.ClassNormal:
			tag = 0
		}
		w |= tag << (2 * p)
	}
	return w
}

// setTags takes from a tag word which registers are empty.
func (f *FPU) setTags(w uint16) {
	f.Used = 0
	for p := range 8 {
		if w>>(2*p)&3 != 3 {
			f.Used |= 1 << p
		}
	}
}

// The environment is seven fields of 2 or 4 bytes, by operand size. In real and
// virtual-8086 mode the pointers are linear addresses, whose upper part shares a
// field with the opcode (SDM vol. 1, figures 8-9 to 8-12).

// environment gives the seven fields, with 4 bytes each.
func (c *CPU) environment() (w [7]uint32) {
	f := &c.FPU
	const ones = 0xffff0000
	w[0], w[1], w[2] = ones|uint32(f.CW), ones|uint32(f.SW), ones|uint32(f.Tags())
	if c.protected() {
		w[3], w[4] = f.FIP, uint32(f.FOP)<<16|uint32(f.FCS)
		w[5], w[6] = f.FDP, ones|uint32(f.FDS)
		return w
	}
	ip := f.FIP + uint32(f.FCS)<<4
	dp := f.FDP + uint32(f.FDS)<<4
	w[3], w[4] = ones|ip&0xffff, ip>>16<<12|uint32(f.FOP)
	w[5], w[6] = ones|dp&0xffff, dp>>16<<12
	return w
}

// setEnvironment is the reverse.
func (c *CPU) setEnvironment(w *[7]uint32, size uint8) {
	f := &c.FPU
	f.CW = uint16(w[0])&cwBits | cwFixed
	f.SW = uint16(w[1])
	f.setTags(uint16(w[2]))
	f.summarize()
	if c.protected() {
		f.FIP, f.FCS = w[3], uint16(w[4])
		f.FDP, f.FDS = w[5], uint16(w[6])
		f.FOP = 0
		if size == 4 {
			f.FOP = uint16(w[4]>>16) & 0x7ff
		}
		return
	}
	f.FIP, f.FCS = w[3]&0xffff|w[4]>>12<<16, 0
	f.FDP, f.FDS = w[5]&0xffff|w[6]>>12<<16, 0
	f.FOP = uint16(w[4]) & 0x7ff
}

// putEnvironment writes the environment to b, and gives its size.
func (c *CPU) putEnvironment(b *[108]byte, size uint8) int {
	w := c.environment()
	for i, v := range w {
		at := b[i*int(size):]
		at[0], at[1] = byte(v), byte(v>>8)
		if size == 4 {
			at[2], at[3] = byte(v>>16), byte(v>>24)
		}
	}
	return 7 * int(size)
}

// takeEnvironment is the reverse of putEnvironment.
func (c *CPU) takeEnvironment(b *[108]byte, size uint8) int {
	var w [7]uint32
	for i := range w {
		at := b[i*int(size):]
		w[i] = uint32(at[0]) | uint32(at[1])<<8
		if size == 4 {
			w[i] |= uint32(at[2])<<16 | uint32(at[3])<<24
		}
	}
	c.setEnvironment(&w, size)
	return 7 * int(size)
}

// fnstenv masks all exceptions once they are saved.
func fnstenv(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	var b [108]byte
	n := c.putEnvironment(&b, o.size)
	if c.storeParts(o, x87Parts[o.size&7][:7], b[:n]) == faulted {
		return faulted
	}
	c.FPU.CW |= fpuExceptions
	c.FPU.summarize()
	return next
}

func fldenv(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	var b [108]byte
	if !c.loadParts(o, x87Parts[o.size&7][:7], b[:7*o.size]) {
		return faulted
	}
	c.takeEnvironment(&b, o.size)
	return next
}

// fnsave saves the environment and the registers in stack order, then
// initializes.
func fnsave(c *CPU, o *op) status {
	if !c.x87NoWait() {
		return faulted
	}
	var b [108]byte
	n := c.putEnvironment(&b, o.size)
	for i := range uint8(8) {
		putF80(b[n:], c.FPU.reg(c.FPU.st(i)))
		n += 10
	}
	if c.storeParts(o, x87Parts[o.size&7][:], b[:n]) == faulted {
		return faulted
	}
	c.FPU.initialize()
	return next
}

func frstor(c *CPU, o *op) status {
	if !c.x87() {
		return faulted
	}
	var b [108]byte
	if !c.loadParts(o, x87Parts[o.size&7][:], b[:7*o.size+80]) {
		return faulted
	}
	n := c.takeEnvironment(&b, o.size)
	for i := range uint8(8) {
		p := c.FPU.st(i)
		c.FPU.Mant[p], c.FPU.SE[p] = le64(b[n:]), uint16(b[n+8])|uint16(b[n+9])<<8
		n += 10
	}
	return next
}

func putF80(b []byte, v softfloat.F80) {
	putLE64(b, v.Mant)
	b[8], b[9] = byte(v.SE), byte(v.SE>>8)
}
