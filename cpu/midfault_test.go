package cpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

// Where the operands of TestFaultsInTheMiddle lie.
const (
	midRW     = 0x201000 // to be read and written
	midAbsent = 0x202000 // behind it
	midRO     = 0x204000 // read-only
	midRW2    = 0x205000 // behind it
	midSystem = 0x207000 // the supervisor's
	midRW3    = 0x208000
)

// midPlaces are addresses of operands: what an access meets there.
var midPlaces = []uint32{
	midRW + 0x30, midRW + 0x40, midRW + 0x43, midRW + 0xfff - 1, midRW + 0xffc, midRW + 0xff4, midRW + 0xff0,
	midAbsent + 0x30, midAbsent + 0x40, midAbsent, midRO + 0x40, midRO + 0xffe, midRO + 0xff9,
	midSystem + 0x80, midSystem + 0xffd, midRW3 - 1, midRW3 + 0x10,
	rigCode + 0x800, // code that is executed is near
}

// midFlags are instructions that leave flags behind, each in another way that an
// engine may keep them: computed, with an undefined AF, some kept from before,
// loaded, and from a compare that is overwritten at once.
var midFlags = [][]byte{
	{0x39, 0xec},                // cmp esp, ebp
	{0xc1, 0xed, 3},             // shr ebp, 3
	{0x39, 0xec, 0x45},          // cmp; inc ebp
	{0x39, 0xec, 0xf9},          // cmp; stc
	{0x39, 0xec, 0xd3, 0xe5},    // cmp; shl ebp, cl
	{0xc1, 0xed, 3, 0xd2, 0xe1}, // shr; shl cl, cl
	{0xd1, 0xcd},                // ror ebp, 1
	{0x9c, 0x9d},                // pushf; popf
	{0x0f, 0xaf, 0xed},          // imul ebp, ebp
	{0x0f, 0xa4, 0xed, 0x05},    // shld ebp, ebp, 5
	{},
}

// TestFaultsInTheMiddle: each form that accesses memory or the stack, in the
// middle of a block that is executed for the first time and again: what it
// changes, and what a fault of it pushes, is what the interpreter says, flags
// that nobody reads any more included.
func TestFaultsInTheMiddle(t *testing.T) {
	places := len(midPlaces)
	if testing.Short() {
		places = 4
	}
	w := newTwins(t, func(r *rig) {
		p := r.paging32()
		p.unmap(midAbsent)
		p.put(midRO, midRO|5)
		p.put(midSystem, midSystem|3)
		r.CR4 |= cr4OSFXSR | cr4OSXMMEXCPT
		r.CR0 |= cr0WP
		r.FPU.CW, r.FPU.Used = 0x37f, 0
		r.put(rigTarget, 0xf4)
		r.ring(3)
	})
	full := bytes.Repeat(imm32(rigTarget), 0x400)
	start := w.plain.Save()
	rnd := rand.New(rand.NewPCG(1, 2))
	faults, ok := 0, 0
	encodings(ModeCode32, func(code []byte, in *x86.Inst) {
		if !in.Mem && in.Row().Flags&x86.String == 0 && !usesStack[in.Op] || in.AddrSize != 4 || in.Op == x86.HLT {
			return
		}
		if in.Row().HasModRM() && code[in.Len-1] == 0x84 { // by one form of address
			return
		}
		program := cat([]byte{0xa0}, imm32(midRW), []byte{0xa2}, imm32(midRW), []byte{0xa0}, imm32(midRO), []byte{0xa0}, imm32(midRW2), []byte{0xa2}, imm32(midRW2),
			[]byte{0xa2}, imm32(rigStack3-4), // so that PUSH finds its page
			[]byte{0x0f, 0x77}, // emms
			midFlags[rnd.IntN(len(midFlags))], code[:in.Len], []byte{0x39, 0xe4, 0xcc})
		w.each(func(r *rig) {
			r.put(rigCode, program...)
			// Anew, as some forms jump there: what holds code is not written to
			// in the same way as what does not.
			for page := uint32(midRW); page <= midRW3; page += 0x1000 {
				r.put(page, full...)
			}
		})
		first := rnd.IntN(len(midPlaces))
		for i := range places {
			place := midPlaces[(first+i)%len(midPlaces)]
			if in.Mem && !in.Row().HasModRM() { // the address stands in the instruction
				at := uint32(len(program) - 3 - 4)
				w.each(func(r *rig) { r.put32(rigCode+at, place) })
			}
			s := start
			for i := range s.R[:8] {
				s.R[i] = place - in.Disp
			}
			if in.Index != x86.NoReg && in.Index != in.Base {
				s.R[in.Index] = rnd.Uint32N(2)
			}
			s.R[esp], s.R[ebp] = rigStack3, rnd.Uint32()
			switch in.Op {
			case x86.BT, x86.BTS, x86.BTR, x86.BTC:
				if in.Reg != in.Base {
					s.R[in.Reg] = rnd.Uint32N(64)
				}
			}
			if usesStack[in.Op] && rnd.IntN(2) == 0 {
				s.R[esp] = place
			}
			if in.Row().Flags&x86.String != 0 {
				s.R[esi], s.R[edi], s.R[ecx] = place, midRW+0x800, rnd.Uint32N(6)
				if rnd.IntN(2) == 0 {
					s.R[esi], s.R[edi] = s.R[edi], s.R[esi]
				}
			}
			s.SetEFLAGS(2 | rnd.Uint32()&(arithFlags|flagDF))
			w.each(func(r *rig) {
				r.faults = nil
				if err := r.Restore(s); err != nil {
					t.Fatal(err)
				}
				r.CPU.Run(40)
			})
			if f := w.tested.faults; len(f) > 0 && f[0].Vector != vecBP {
				faults++
			} else {
				ok++
			}
			w.compare()
			w.compareRAM(midRW, midRO, midRW2, midSystem, midRW3, rigCode, rigStack3-1, w.tested.get32(rigTSS+4)-1)
			if t.Failed() {
				return
			}
		}
	})
	if faults < 100 || ok < 100 {
		t.Errorf("%d faults and %d that ended well: too few of either to tell anything", faults, ok)
	}
	t.Logf("%d faults, %d ended well", faults, ok)
}

// usesStack are the mnemonics that push or pop.
var usesStack = map[x86.Op]bool{
	x86.PUSH: true, x86.POP: true, x86.PUSHA: true, x86.POPA: true, x86.PUSHF: true, x86.POPF: true,
	x86.CALL: true, x86.RET: true, x86.ENTER: true, x86.LEAVE: true, x86.CALLF: true, x86.RETF: true, x86.IRET: true,
}
