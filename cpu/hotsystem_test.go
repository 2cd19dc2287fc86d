package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Hot code of a kernel: segment registers that are loaded again and again,
// flags of the system, copies and fills.

// loadAll loads EBX's selector into ES, DS, FS and GS, by MOV and by POP, and
// reads them back.
var loadAll = cat(
	[]byte{0x8e, 0xc3, 0x8e, 0xdb, 0x8e, 0xe3, 0x8e, 0xeb},       // mov es, bx; ds; fs; gs
	[]byte{0x53, 0x07, 0x53, 0x1f, 0x53, 0x0f, 0xa1},             // push ebx; pop es; push ebx; pop ds; push ebx; pop fs
	[]byte{0x53, 0x0f, 0xa9},                                     // push ebx; pop gs
	[]byte{0x06, 0x5a, 0x01, 0xd0, 0x0f, 0xa0, 0x5a, 0x01, 0xd0}, // push es; pop edx; add eax, edx; push fs; pop edx; add eax, edx
	[]byte{0x8c, 0xda, 0x01, 0xd0, 0x66, 0x8c, 0xea},             // mov edx, ds; add eax, edx; mov dx, gs
	[]byte{0x65, 0x03, 0x05}, imm32(rigData),                     // add eax, gs:[rigData]
)

// TestChangedDescriptors: what a selector loads is what its descriptor says now,
// though it has been loaded many times before.
func TestChangedDescriptors(t *testing.T) {
	good := segment(0, 0xffffffff, attrData0|attrRing3|AttrAccessed)
	store := func(at uint32, d uint64) []byte { // mov dword [at], low; mov dword [at+4], high
		return cat([]byte{0xc7, 0x05}, imm32(at), imm32(uint32(d)), []byte{0xc7, 0x05}, imm32(at+4), imm32(uint32(d>>32)))
	}
	const other = 0x6000 // another GDT
	lgdt := func(at uint32) []byte { return cat([]byte{0x0f, 0x01, 0x15}, imm32(at)) }
	change := func(d uint64) [2][]byte { return [2][]byte{store(rigGDT+selTest, d), store(rigGDT+selTest, good)} }
	for _, row := range []struct {
		name  string
		way   [2][]byte // there and back
		fault bool
	}{
		{"base", change(segment(0x40, 0xffffffff, attrData0|attrRing3|AttrAccessed)), false},
		{"limit", change(segment(0, 0x7ffff, attrData0|attrRing3|AttrAccessed)), false},
		{"not accessed", change(segment(0, 0xffffffff, attrData0|attrRing3)), false},
		{"read-only", change(segment(0, 0xffffffff, attrData0&^AttrWritable|attrRing3|AttrAccessed)), false},
		{"not present", change(segment(0, 0xffffffff, attrData0&^AttrP|attrRing3|AttrAccessed)), true},
		{"of the kernel", change(segment(0, 0xffffffff, attrData0|AttrAccessed)), false},
		{"a TSS", change(segment(rigTSS2, 0x67, AttrP|typeTSS32)), true},
		{"another table", [2][]byte{lgdt(rigData + 0x100), lgdt(rigData + 0x108)}, false},
		{"a shorter table", [2][]byte{lgdt(rigData + 0x110), lgdt(rigData + 0x108)}, true},
		{"a null selector", [2][]byte{{0xbb, 0, 0, 0, 0}, cat([]byte{0xbb}, imm32(selTest))}, true},
		{"with an RPL", [2][]byte{{0x83, 0xcb, 3}, {0x83, 0xe3, 0xfc}}, false}, // or ebx, 3; and ebx, ~3
	} {
		for _, slice := range []int{1 << 30, 7} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					r.gdt(selTest, good)
					for sel := uint32(0); sel <= rigGDTLimit; sel += 8 {
						r.put64(other+sel, segment(0, 0xffffffff, attrData0|AttrAccessed))
					}
					r.put64(other+selTest, segment(0x80, 0xffffffff, attrData0|AttrAccessed))
					r.put64(other+selCode0, segment(0, 0xffffffff, attrCode0|AttrAccessed))
					for i, base := range []uint32{other, rigGDT, rigGDT} {
						limit := uint16(rigGDTLimit)
						if i == 2 {
							limit = selTest - 1
						}
						r.put16(rigData+0x100+8*uint32(i), limit)
						r.put32(rigData+0x102+8*uint32(i), base)
					}
					r.put(rigData, 1, 2, 3)
					r.put32(rigData+0x40, 0x77)
					// Any fault goes on behind what is changed back.
					b := cat([]byte{0xbb}, imm32(selTest), loadAll, loadAll, row.way[0], loadAll)
					back := uint32(len(b))
					b = cat(b, []byte{0xbc}, imm32(rigStack0), []byte{0xbb}, imm32(selData0), []byte{0x8e, 0xdb, 0x8e, 0xc3}) // mov esp; mov ds, es
					b = cat(b, row.way[1], []byte{0xbb}, imm32(selTest), []byte{0x41})
					b = cat(b, jumpTo(uint32(len(b)), 0))
					for _, v := range []uint8{vecGP, vecNP} {
						r.idt(v, gate(selCode0, rigCode+back, typeInt32, 0, 0))
					}
					r.put(rigCode, b...)
				})
				w.run(1500, slice)
				w.compareRAM()
				if row.fault != (w.tested.faults != nil) || w.tested.R[ecx] < 8 {
					t.Errorf("%d rounds, delivered %s", w.tested.R[ecx], w.tested.all())
				}
			})
		}
	}
}

// TestSegmentsOfRings: a selector that one ring has loaded is not another's to
// load.
func TestSegmentsOfRings(t *testing.T) {
	w := newTwins(t, func(r *rig) {
		r.ring(3)
		b := cat([]byte{0xbb}, imm32(selData3), loadAll, []byte{0xcd, 0x80, 0xbb}, imm32(selData0), []byte{0x8e, 0xe3}) // int 80h; mov fs, selData0
		r.put(rigCode, cat(b, []byte{0xcc})...)
		r.idt(0x80, gate(selCode0, rigTarget, typeInt32, 3, 0))
		r.idt(vecGP, gate(selCode0, rigTarget+0x200, typeInt32, 3, 0))
		k := cat([]byte{0x53, 0xbb}, imm32(selData0), loadAll, loadAll, []byte{0xbb}, imm32(selData3), loadAll, []byte{0x5b, 0xcf})
		r.put(rigTarget, k...)
		r.put(rigTarget+0x200, cat([]byte{0x41, 0xc7, 0x44, 0x24, 4}, imm32(rigCode), []byte{0x83, 0xc4, 4, 0xcf})...) // inc ecx; mov dword [esp+4], rigCode; add esp, 4; iret
	})
	w.run(2500, 1<<30)
	w.compareRAM()
	if w.tested.R[ecx] < 8 {
		t.Errorf("%d rounds, delivered %s", w.tested.R[ecx], w.tested.all())
	}
}

// TestSystemInRing1: what needs CPL 0, or IOPL, raises its exception in ring 1
// however hot it is.
func TestSystemInRing1(t *testing.T) {
	for name, code := range map[string][]byte{
		"CLI": {0xfa}, "STI": {0xfb}, "CLAC": {0x0f, 0x01, 0xca}, "STAC": {0x0f, 0x01, 0xcb}, "INVLPG": {0x0f, 0x01, 0x38}, "CLTS": {0x0f, 0x06},
	} {
		w := newTwins(t, func(r *rig) {
			r.ring(1)
			r.put(rigCode, cat([]byte{0x41}, code, jumpTo(uint32(1+len(code)), 0))...)
			for _, v := range []uint8{vecGP, vecUD} {
				r.idt(v, gate(selCode0, rigTarget, typeInt32, 3, 0))
			}
			// with or without an error code: add dword [esp+4*has], length; iret
			n := byte(len(code))
			if name != "CLAC" && name != "STAC" {
				r.put(rigTarget, 0x83, 0xc4, 4, 0x83, 0x04, 0x24, n, 0xcf)
			} else {
				r.put(rigTarget, 0x83, 0x04, 0x24, n, 0xcf)
			}
		})
		w.run(600, 1<<30)
		if len(w.tested.faults) < 60 {
			t.Errorf("%s: %d faults in %d rounds", name, len(w.tested.faults), w.tested.R[ecx])
		}
	}
}

// TestHotCopies: REP MOVS and REP STOS of all sizes, counts, overlaps and places
// in pages, over code and not, cut by the count of Run anywhere.
func TestHotCopies(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, code := range [][]byte{{0xf3, 0xa4}, {0xf3, 0xa5}, {0x66, 0xf3, 0xa5}, {0xf3, 0xaa}, {0xf3, 0xab}, {0x66, 0xf3, 0xab}, {0xf2, 0xa5}, {0x64, 0xf3, 0xa5}} {
		for range 12 {
			// A function that copies, called with many operands.
			var b []byte
			at := func() uint32 {
				page := uint32(rigData) + uint32(rnd.IntN(3))<<12
				switch rnd.IntN(4) {
				case 0:
					return page + 0xff0 + uint32(rnd.IntN(20))
				case 1:
					return rigTarget + 0x40 // in the page of the function
				}
				return page + uint32(rnd.IntN(0x1000))
			}
			for range 40 {
				count := uint32(rnd.IntN(30))
				switch rnd.IntN(8) {
				case 0:
					count = uint32(rnd.IntN(1100))
				case 1:
					count = 0
				}
				src := at()
				dst := at()
				if rnd.IntN(3) == 0 {
					dst = src + uint32(rnd.IntN(9)) - 4
				}
				b = cat(b, []byte{0xbe}, imm32(src), []byte{0xbf}, imm32(dst), []byte{0xb9}, imm32(count), []byte{0x05}, imm32(rnd.Uint32()))
				if rnd.IntN(8) == 0 {
					b = append(b, 0xfd) // std
				}
				b = cat(b, callTo(uint32(len(b)), rigTarget-rigCode), []byte{0xfc})
			}
			b = cat(b, jumpTo(uint32(len(b)), 0))
			slice := 1 + rnd.IntN(400)
			w := newTwins(t, func(r *rig) {
				r.put(rigCode, b...)
				r.put(rigTarget, cat([]byte{0x9f, 0x01, 0xc3}, code, []byte{0x11, 0xc3, 0xc3})...) // lahf; add ebx, eax; ...; adc ebx, eax; ret
				for i := range uint32(0x3000) {
					r.put(rigData+i, byte(i*7))
				}
				// Pages that follow each other do not in memory.
				p := r.apart(false, 3)
				p.put(rigData+0x1000, rigData+0x2003)
				p.put(rigData+0x2000, rigData+0x1003)
			})
			w.tested.CPU.Run(30000)
			for w.plain.Retired < w.tested.Retired {
				w.plain.CPU.Run(1)
			}
			w.compare()
			for range 60 {
				w.each(func(r *rig) { r.CPU.Run(slice) })
				w.compare()
			}
			w.compareRAM()
		}
	}
}

// TestHotFlags pops flags of all kinds, in code that is hot.
func TestHotFlags(t *testing.T) {
	for _, row := range []struct {
		name string
		cpl  uint8
		iopl uint32
		cr4  uint32
	}{{"kernel", 0, 0, 0}, {"kernel with SMAP", 0, 0, cr4SMAP}, {"user", 3, 0, 0}, {"user with IOPL", 3, flagIOPL, 0}} {
		for _, slice := range []int{1 << 30, 7} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					r.ring(row.cpl)
					r.flags(flagIOPL|flagIF, row.iopl)
					r.CR4 |= row.cr4
					var b []byte
					pop := func(v uint32) {
						v &^= flagTF
						b = cat(b, []byte{0x68}, imm32(v), []byte{0x9d, 0x9c, 0x5a, 0x11, 0xd3}) // push v; popf; pushf; pop edx; adc ebx, edx
					}
					x := rand.New(rand.NewPCG(7, 7))
					for bit := range 32 {
						pop(1<<bit | row.iopl)
						pop(x.Uint32()&(arithFlags|flagIF|flagDF) | row.iopl)
						pop(x.Uint32()&arithFlags | flagIF | row.iopl)
					}
					pop(^uint32(0))
					pop(row.iopl)
					r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
					r.Reload()
				})
				w.run(2000, slice)
			})
		}
	}
}

// TestHotLift: STAC and CLAC around accesses to a user's page, in a loop, see SMAP
// lifted and not, also where what is between them faults.
func TestHotLift(t *testing.T) {
	stac, clac := []byte{0x0f, 0x01, 0xcb}, []byte{0x0f, 0x01, 0xca}
	for _, smap := range []uint32{0, cr4SMAP} {
		w := newTwins(t, func(r *rig) {
			r.apart(false, 7)
			r.CR4 |= smap
			r.Reload()
			r.ring(0)
			read := accesses["read"]
			b := cat(read, stac, read, read, clac, read, []byte{0x9c, 0x58, 0x41}, stac, read, clac) // ...; pushf; pop eax; inc ecx; ...
			r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
			// add esp, 4; add dword [esp], length of read; iret
			r.idt(vecPF, gate(selCode0, rigTarget, typeInt32, 0, 0))
			r.put(rigTarget, 0x83, 0xc4, 4, 0x83, 0x04, 0x24, byte(len(read)), 0xcf)
		})
		w.run(900, 1<<30)
		if n := len(w.tested.faults); smap != 0 && n < 60 || smap == 0 && n != 0 {
			t.Errorf("CR4 %x: %d faults: %s", smap, n, w.tested.all())
		}
	}
}

// TestShadowAtEndOfPage: STI holds an interrupt off for one instruction, though it
// is the last one of its page, Run ends behind it, and the interrupt comes then.
func TestShadowAtEndOfPage(t *testing.T) {
	w := newTwins(t, func(r *rig) {
		r.ack = func() uint8 { r.SetINTR(false); return 0x40 }
		// imul esi, esi, 31; add esi, [esp]; iret
		r.idt(0x40, gate(selCode0, rigTarget, typeInt32, 0, 0))
		r.put(rigTarget, 0x6b, 0xf6, 31, 0x03, 0x34, 0x24, 0xcf)
		r.put(rigCode, jumpTo(0, 0xffc)...)
		r.put(rigCode+0xffc, cat([]byte{0xfa, 0x41, 0x40, 0xfb, 0x43, 0x42, 0x47}, jumpTo(0x1003, 0))...) // cli; inc ecx; inc eax; sti; inc ebx; inc edx; inc edi; jmp
	})
	for range 10 {
		w.run(5, 5)
		if eip := w.tested.EIP; eip != rigCode+0x1000 {
			t.Fatalf("at %x", eip)
		}
		w.each(func(r *rig) { r.SetINTR(true) })
		w.run(8, 8) // inc, delivery, three of the handler, and to the start
	}
	if w.tested.R[esi] == 0 {
		t.Error("no interrupt came")
	}
}

// TestHotShadow: an interrupt that waits while a kernel has interrupts masked
// comes behind the instruction that follows STI.
func TestHotShadow(t *testing.T) {
	for _, body := range [][]byte{
		{0xfa, 0xe6, 0x80, 0xfb, 0x43, 0x42},                   // cli; out 80h, al; sti; inc ebx; inc edx
		{0xfa, 0xe6, 0x80, 0x40, 0xfb, 0xfb, 0x42, 0x43},       // cli; out; inc eax; sti; sti; inc edx; inc ebx
		{0xfb, 0x43, 0xe6, 0x80, 0x42},                         // sti; inc ebx; out; inc edx
		{0xfa, 0xe6, 0x80, 0xfb, 0xeb, 0, 0x43, 0x42},          // cli; out; sti; jmp on; inc ebx; inc edx
		{0xfa, 0xe6, 0x80, 0x40, 0xfb, 0xfa, 0x43, 0xfb, 0x42}, // cli; out; inc eax; sti; cli; inc ebx; sti; inc edx
	} {
		for _, slice := range []int{1 << 30, 3, 1} {
			w := newTwins(t, func(r *rig) {
				r.ack = func() uint8 { r.SetINTR(false); return 0x40 }
				r.ports.onOut = func(uint32) { r.SetINTR(true) }
				// imul esi, esi, 31; add esi, [esp]; iret
				r.idt(0x40, gate(selCode0, rigTarget, typeInt32, 0, 0))
				r.put(rigTarget, 0x6b, 0xf6, 31, 0x03, 0x34, 0x24, 0xcf)
				b := cat([]byte{0x90, 0x41}, body)
				r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
			})
			for range 40 {
				w.run(17, slice)
			}
			if w.tested.R[esi] == 0 {
				t.Error("no interrupt came")
			}
		}
	}
}
