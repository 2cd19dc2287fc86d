package cpu

import (
	"fmt"
	"testing"
)

// everyKind is a program with something of most that an interrupt could come
// between: calls, loops, strings, flags kept and overwritten, shadows, the x87
// and SSE. It ends at a HLT.
var everyKind = func() []byte {
	b := cat(
		[]byte{0xbe}, imm32(rigData), []byte{0xbf}, imm32(rigData+0x100), []byte{0xb9, 5, 0, 0, 0, 0xf3, 0xa4}, // rep movsb
		[]byte{0xb9, 3, 0, 0, 0}, // mov ecx, 3
	)
	loop := uint32(len(b))
	b = cat(b,
		[]byte{0x83, 0xc0, 0x7f, 0x11, 0xc3, 0x89, 0x05}, imm32(rigData+0x40), // add eax, 7fh; adc ebx, eax; mov [], eax
		[]byte{0xc1, 0xe3, 3, 0x9c, 0x5a, 0x01, 0xd0},                                                // shl ebx, 3; pushf; pop edx; add eax, edx
		[]byte{0xfa, 0x43, 0xfb, 0x43, 0x01, 0xd8, 0x31, 0xc2},                                       // cli; inc ebx; sti; inc ebx; add eax, ebx; xor edx, eax
		[]byte{0x9c, 0xfa, 0x43, 0x9d, 0x11, 0xd8},                                                   // pushf; cli; inc ebx; popf; adc eax, ebx
		[]byte{0xd9, 0xe8, 0xdc, 0x05}, imm32(rigData+0x80), []byte{0xdd, 0x1d}, imm32(rigData+0x80), // fld1; fadd; fstp
		[]byte{0x66, 0x0f, 0x6e, 0xc0, 0x66, 0x0f, 0xfe, 0x05}, imm32(rigData+0x100), []byte{0x66, 0x0f, 0xd6, 0x05}, imm32(rigData+0x110), // movd; paddd; movq
		[]byte{0x0f, 0x6e, 0xc9, 0x0f, 0x77},       // movd mm1, ecx; emms
		[]byte{0x60, 0x61, 0xf7, 0xe3, 0x29, 0xd3}, // pusha; popa; mul ebx; sub ebx, edx
		[]byte{0x8e, 0xd5, 0x40},                   // mov ss, ebp; inc eax
	)
	b = append(b, 0x51) // push ecx
	b = cat(b, callTo(uint32(len(b)), 0x100), []byte{0x59})
	b = cat(b, []byte{0xe2, byte(loop - uint32(len(b)) - 2), 0xf4}) // loop; hlt
	b = append(b, make([]byte, 0x100-len(b))...)
	return cat(b, []byte{0x55, 0x8b, 0x2c, 0x24, 0x0f, 0xb6, 0xc8, 0x0f, 0x42, 0xc8, 0x5d, 0xc2, 0, 0}) // push ebp; mov ebp, [esp]; movzx ecx, al; cmovb ecx, eax; pop ebp; ret 0
}()

// setBoundary makes a rig that runs everyKind with a handler of interrupts that
// counts, notes where and with which flags it was called, and changes flags.
func (r *rig) setBoundary(cpl uint8) {
	// push eax; mov eax, [esp+4]; mov [rigData+204h], eax; mov eax, [esp+12]; mov [rigData+208h], eax; pop eax
	// add dword [rigData+200h], 1; iret
	r.idt(0x40, gate(selCode0, rigTarget, typeInt32, 0, 0))
	r.put(rigTarget, cat([]byte{0x50, 0x8b, 0x44, 0x24, 4, 0xa3}, imm32(rigData+0x204), []byte{0x8b, 0x44, 0x24, 12, 0xa3}, imm32(rigData+0x208),
		[]byte{0x58, 0x83, 0x05}, imm32(rigData+0x200), []byte{1, 0xcf})...)
	r.put(rigData, 1, 2, 3, 4, 5)
	r.put(rigCode, everyKind...)
	r.ack = func() uint8 { r.SetINTR(false); return 0x40 }
	r.CR4 |= cr4OSFXSR
	r.FPU.CW, r.FPU.Used = 0x37f, 0
	r.ring(cpl)
	r.R[ebp] = uint32(r.Seg[segSS].Sel)
	r.flags(flagIF|flagIOPL, 0)
}

// TestInterruptAtEveryBoundary: an interrupt that is raised behind the k-th
// instruction, for each k, is delivered where the interpreter delivers it, and
// the program ends as without it.
func TestInterruptAtEveryBoundary(t *testing.T) {
	for _, cpl := range []uint8{0, 3} {
		t.Run(fmt.Sprint("ring ", cpl), func(t *testing.T) { interruptEverywhere(t, cpl) })
	}
}

func interruptEverywhere(t *testing.T, cpl uint8) {
	calm := newTwins(t, func(r *rig) { r.setBoundary(cpl) })
	const enough = 1000
	calm.run(enough, enough)
	total := int(calm.plain.Retired)
	if cpl == 3 {
		total -= 2 // HLT faults, and its handler has interrupts masked
	}
	if total < 50 || total >= enough-10 || !calm.plain.Halted {
		t.Fatalf("the program takes %d instructions, delivered %s", total, calm.plain.all())
	}
	for k := range total {
		w := newTwins(t, func(r *rig) { r.setBoundary(cpl) })
		w.tested.CPU.Run(k)
		w.plain.slowly(k)
		w.each(func(r *rig) { r.SetINTR(true) })
		w.compare()
		w.run(enough, enough)
		w.compareRAM(rigData, rigStack0-1, rigStack3-1)
		if n := w.tested.get32(rigData + 0x200); n != 1 {
			t.Fatalf("raised after %d of %d: %d interrupts", k, total, n)
		}
		if w.tested.R[eax] != calm.tested.R[eax] || w.tested.R[ebx] != calm.tested.R[ebx] || w.tested.R[edx] != calm.tested.R[edx] {
			t.Fatalf("raised after %d of %d: ends with %x, without an interrupt %x", k, total, w.tested.R[:8], calm.tested.R[:8])
		}
	}
	t.Logf("%d boundaries", total)
}

// TestInterruptFromDevice: an interrupt that a device raises while it is written
// to, in the middle of a block, comes before the next instruction.
func TestInterruptFromDevice(t *testing.T) {
	w := newTwins(t, func(r *rig) {
		r.setBoundary(0)
		r.ports.onOut = func(uint32) { r.SetINTR(true) }
		// again: inc eax; out 80h, al; mov ebx, [count]; cmp eax, ebx; jz again; hlt
		b := cat([]byte{0x40, 0xe6, 0x80, 0x8b, 0x1d}, imm32(rigData+0x200), []byte{0x39, 0xd8, 0x74, 0xf3, 0xf4})
		r.put(rigCode, b...)
		r.R[eax] = 0
	})
	w.run(3000, 3000)
	if w.tested.R[eax] < 200 || w.tested.Halted {
		t.Errorf("interrupt %d came late", w.tested.R[eax])
	}
}
