package cpu

import "alpinevm/cpu/x86"

// FXSAVE and FXRSTOR (SDM vol. 1, 10.5; vol. 2A). Neither looks at pending x87
// exceptions.

func fxsaveFamily() family {
	return family{x86.FXSAVE: always(fxsave), x86.FXRSTOR: always(fxrstor)}
}

// The area has 512 bytes, of which these are used. The last one is probed first:
// a page of the rest that is absent faults, as on silicon.
const (
	fxArea  = 512
	fxUsed  = 288
	fxPart  = 16 // it is accessed in parts of so many
	fxRegs  = 32
	fxXMM   = 160
	fxMXCSR = 24
)

// fxOperand checks the segment and the alignment of the area and gives the linear
// address of its last byte.
func (c *CPU) fxOperand(o *op, acc access) (last uint32, ok bool) {
	if !c.x87NoWait() {
		return 0, false
	}
	ea, n := c.ea(o), uint32(fxArea)
	if o.wraps(ea, n) {
		n = 4 // the parts are looked at later
	}
	lin, ok := c.segFor(acc, o.seg, ea, n)
	if !ok || !c.aligned(lin) {
		return 0, false
	}
	return c.segFor(acc, o.seg, o.within(ea+fxArea-1), 1)
}

// fxsave leaves XMM registers and MXCSR out while CR4.OSFXSR is clear; the SDM
// allows both.
func fxsave(c *CPU, o *op) status {
	last, ok := c.fxOperand(o, write)
	if !ok || !c.writable(last, 1) {
		return faulted
	}
	f := &c.FPU
	var b [fxUsed]byte
	putLE64(b[0:], uint64(f.CW)|uint64(f.SW)<<16|uint64(f.Used)<<32|uint64(f.FOP)<<48)
	putLE64(b[8:], uint64(f.FIP)|uint64(f.FCS)<<32)
	putLE64(b[16:], uint64(f.FDP)|uint64(f.FDS)<<32)
	n := fxXMM
	for i := range uint8(8) {
		putF80(b[fxRegs+16*int(i):], f.reg(f.st(i)))
	}
	if c.CR4&cr4OSFXSR != 0 {
		putLE64(b[fxMXCSR:], uint64(f.MXCSR)|mxcsrMask<<32)
		for i, x := range f.XMM {
			putLE64(b[fxXMM+16*i:], x[0])
			putLE64(b[fxXMM+16*i+8:], x[1])
		}
		n = fxUsed
	}
	return c.storeParts(o, fxParts[:n/fxPart], b[:n])
}

func fxrstor(c *CPU, o *op) status {
	last, ok := c.fxOperand(o, read)
	if !ok {
		return faulted
	}
	var b [fxUsed]byte
	if !c.readable(last, 1) || !c.loadParts(o, fxParts[:], b[:]) {
		return faulted
	}
	f := &c.FPU
	mxcsr := uint32(le64(b[fxMXCSR:]))
	sse := c.CR4&cr4OSFXSR != 0
	if sse && mxcsr&^mxcsrMask != 0 {
		return c.raiseCode(vecGP, 0)
	}
	w := le64(b[0:])
	f.CW, f.SW = uint16(w)&cwBits|cwFixed, uint16(w>>16)
	f.Used, f.FOP = uint8(w>>32), uint16(w>>48)&0x7ff
	f.summarize()
	w = le64(b[8:])
	f.FIP, f.FCS = uint32(w), uint16(w>>32)
	w = le64(b[16:])
	f.FDP, f.FDS = uint32(w), uint16(w>>32)
	for i := range uint8(8) {
		p, at := f.st(i), b[fxRegs+16*int(i):]
		f.Mant[p], f.SE[p] = le64(at), uint16(at[8])|uint16(at[9])<<8
	}
	if sse {
		f.MXCSR = mxcsr
		for i := range f.XMM {
			f.XMM[i] = [2]uint64{le64(b[fxXMM+16*i:]), le64(b[fxXMM+16*i+8:])}
		}
	}
	return next
}
