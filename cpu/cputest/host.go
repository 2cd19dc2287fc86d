package cputest

import (
	"encoding/binary"
	"errors"

	"alpinevm/cpu/x86"
)

// ErrNoSilicon says that the host cannot be asked: it is no 64-bit x86 processor under a
// Linux that runs 32-bit programs.
var ErrNoSilicon = errors.New("cputest: this host runs no 32-bit programs of Linux for x86")

// ask runs one instruction on an engine, until it retires as it should.
func ask(e Engine, c Case, done func(*Outcome) bool) (Outcome, error) {
	var out [1]Outcome
	for range attempts {
		if err := e.Run([]Case{c}, out[:]); err != nil {
			return out[0], err
		}
		if out[0].Vector == noVector && done(&out[0]) {
			break
		}
	}
	return out[0], nil
}

// oneCase is an instruction in a plain state, for a slot of a batch.
func oneCase(slot int, code ...byte) Case {
	c := Case{Mode: x86.Mode32, Addr: CodeBase + uint32(slot)*CodeSlot + CodeAt, EFLAGS: 2}
	c.Len = uint8(copy(c.Code[:], code))
	c.R[x86.ESP] = pageStack + 0x800
	binary.LittleEndian.PutUint16(c.FX[fxCW:], 0x037F)
	binary.LittleEndian.PutUint32(c.FX[fxMXCSR:], 0x1F80)
	return c
}

// identify executes CPUID.
func identify(e Engine, leaf, sub uint32) ([8]uint32, error) {
	c := oneCase(0, 0x0F, 0xA2)
	c.R[x86.EAX], c.R[x86.ECX] = leaf, sub
	out, err := ask(e, c, func(*Outcome) bool { return true })
	return out.R, err
}

// hasFeature says whether CPUID shows a feature. One that it does not show may be there
// all the same, under a hypervisor that hides it.
func hasFeature(e Engine, f x86.Feature) (bool, error) {
	at := f.Bit()
	if at.Leaf == 0 {
		return true, nil
	}
	top, err := identify(e, at.Leaf&0x80000000, 0)
	if err != nil || top[x86.EAX] < at.Leaf {
		return false, err
	}
	r, err := identify(e, at.Leaf, 0)
	reg := [4]int{x86.EAX, x86.EBX, x86.ECX, x86.EDX}[at.Reg]
	return r[reg]>>at.Bit&1 != 0, err
}

// keeps finds out what a processor keeps of the last x87 instruction. A context switch
// may lose it, so one answer in many is enough.
func keeps(e Engine) (Keeps, error) {
	const at = pageTwo + 0x100
	var k Keeps
	load := oneCase(0, 0xD9, 0x05, at&0xFF, at>>8&0xFF, at>>16&0xFF, at>>24) // FLD single
	out, err := ask(e, load, func(o *Outcome) bool {
		return binary.LittleEndian.Uint16(o.FX[fxFOP:]) != 0 && binary.LittleEndian.Uint32(o.FX[fxFDP:]) != 0
	})
	k.NoFOP = binary.LittleEndian.Uint16(out.FX[fxFOP:]) == 0
	k.NoFDP = binary.LittleEndian.Uint32(out.FX[fxFDP:]) == 0
	if err != nil {
		return k, err
	}
	nop := oneCase(0, 0x90)
	binary.LittleEndian.PutUint32(nop.FX[fxFIP:], at)
	loaded := func(o *Outcome) bool { return binary.LittleEndian.Uint32(o.FX[fxFIP:]) == at }
	out, err = ask(e, nop, loaded)
	k.Stale = !loaded(&out)
	return k, err
}
