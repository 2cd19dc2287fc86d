package cpu

import (
	"fmt"
	"testing"
)

// Hot code under modes that change: it is executed in the common one first, so
// that an engine has made something of it, then the mode changes in its middle
// and back, in a loop.

// hotBody reads and writes through DS, ES, SS, FS and GS, and does arithmetic on
// what it finds.
var hotBody = cat(
	[]byte{0x8b, 0x15}, imm32(rigData), // mov edx, [rigData]
	[]byte{0x01, 0xd0, 0x83, 0xd0, 3},    // add eax, edx; adc eax, 3
	[]byte{0x89, 0x05}, imm32(rigData+4), // mov [rigData+4], eax
	[]byte{0xbe}, imm32(rigData), []byte{0xbf}, imm32(rigData+0x80), []byte{0xa5, 0xab, 0xad}, // movsd; stosd; lodsd
	[]byte{0x51, 0xff, 0x34, 0x24, 0x5b, 0x5b}, // push ecx; push dword [esp]; pop ebx; pop ebx
	[]byte{0x64, 0x03, 0x05}, imm32(rigData+8), // add eax, fs:[rigData+8]
	[]byte{0x65, 0xff, 0x05}, imm32(rigData+12), // inc dword gs:[rigData+12]
	[]byte{0x36, 0x00, 0x0d}, imm32(rigData+16), // add ss:[rigData+16], cl
	[]byte{0x74, 1, 0x43, 0xd1, 0xc8}, // jz over; inc ebx; ror eax, 1
)

// loadSeg is MOV EBX, sel; MOV sreg, BX.
func loadSeg(seg uint8, sel uint16) []byte {
	return cat([]byte{0xbb}, imm32(uint32(sel)), []byte{0x8e, 0xc3 | seg<<3})
}

// hotLoop is the body twice as it is, once under a change, and again.
func hotLoop(change, back []byte) []byte {
	b := cat(hotBody, hotBody, change, hotBody, back, hotBody, []byte{0x41})
	return cat(b, jumpTo(uint32(len(b)), 0))
}

// TestChangedSegments: a segment that is loaded in the middle of hot code is what
// the next access goes through, and a flat one again.
func TestChangedSegments(t *testing.T) {
	kinds := []struct {
		name string
		desc uint64
	}{
		{"base", segment(0x1000, 0xffffffff, attrData0|attrRing3)},
		{"limit beyond all accesses", segment(0, 0x7ffff, attrData0|attrRing3)},
		{"limit below them", segment(0, 0x1fff, attrData0|attrRing3)},
		{"limit in their middle", segment(0, rigData+9, attrData0&^AttrG|attrRing3)},
		{"read-only", segment(0, 0xffffffff, attrData0&^AttrWritable|attrRing3)},
		{"expand-down", segment(0, 0x1fff, attrData0|AttrExpandDown|attrRing3)},
		{"expand-down, above them", segment(0, rigStack0+0xfff, attrData0|AttrExpandDown|attrRing3)},
		{"code", segment(0, 0xffffffff, attrCode0|attrRing3)},
		{"base and 16-bit", segment(0x1000, 0xffffffff, attrData0&^AttrDB|attrRing3)},
		{"null", 0},
	}
	for _, name := range []string{"DS", "ES", "SS", "FS", "GS"} {
		for _, kind := range kinds {
			for _, cpl := range []uint8{0, 3} {
				t.Run(fmt.Sprintf("%s/%s/%d", name, kind.name, cpl), func(t *testing.T) {
					flat := uint16(selData0)
					if cpl == 3 {
						flat = selData3
					}
					sel := uint16(selTest | 3)
					if kind.desc == 0 {
						sel = 0
					}
					w := newTwins(t, func(r *rig) {
						desc := kind.desc
						if name == "SS" && cpl == 0 {
							desc &^= 3 << 45 // DPL
							sel = selTest
						}
						r.gdt(selTest, desc)
						r.ring(cpl)
						for i := range uint32(32) { // what lies at rigData depends on the segment
							r.put32(rigData+4*i, i)
							r.put32(rigData+0x1000+4*i, 100*i+7)
						}
						r.put(rigCode, hotLoop(loadSeg(segs[name], sel), loadSeg(segs[name], flat))...)
					})
					w.run(1200, 1<<30)
					w.compareRAM()
				})
			}
		}
	}
}

// bothSizes are bytes that are 16-bit code and 32-bit code: INC, ADD, PUSH, POP,
// MOV by DI or EDI, RCL and STOS with prefixes and without.
var bothSizes = []byte{0x40, 0x66, 0x40, 0x01, 0xc3, 0x66, 0x01, 0xc3, 0x50, 0x66, 0x50, 0x5a, 0x66, 0x5a, 0x8b, 0x05, 0x67, 0x66, 0x8b, 0x05, 0xd1, 0xd3, 0xab, 0x66, 0xab}

// TestOtherCode: hot code goes to code of another size, base or limit and comes
// back, and the same bytes are executed as both.
func TestOtherCode(t *testing.T) {
	const (
		same = rigTarget - 0x100 // the bytes as 32-bit code
		on   = rigCode + 0x100   // where the other code comes back to
	)
	for _, row := range []struct {
		name string
		base uint32
		attr uint16
		back []byte // the opcode of the far jump back
	}{
		{"16-bit", rigTarget - 0x100, AttrP | AttrS | AttrCode | AttrWritable, []byte{0x66, 0xea}},
		{"16-bit, no base", 0, AttrP | AttrS | AttrCode | AttrWritable | AttrG, []byte{0x66, 0xea}},
		{"32-bit with a base", 0x1000, attrCode0, []byte{0xea}},
		{"32-bit with a limit", 0, attrCode0 &^ AttrG, []byte{0xea}},
	} {
		for _, slice := range []int{1 << 30, 9} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					limit := uint32(0x1ffff)
					if row.attr&AttrG != 0 {
						limit = 0xffffffff
					}
					r.gdt(selTest, segment(row.base, limit, row.attr))
					r.put(same, cat(bothSizes, []byte{0xc3})...)
					r.put(rigTarget, cat(bothSizes, row.back, imm32(on), imm16(selCode0))...)
					b := cat(hotBody, []byte{0xbf}, imm32(rigData+0x200)) // mov edi, ...
					b = cat(b, callTo(rigCode+uint32(len(b)), same), jmpf(selTest, rigTarget-row.base))
					r.put(rigCode, b...)
					r.put(on, cat(hotBody, jumpTo(on+uint32(len(hotBody)), rigCode))...)
				})
				w.run(1500, slice)
				w.compareRAM()
				if w.tested.faults != nil {
					t.Errorf("delivered %s", w.tested.all())
				}
			})
		}
	}
}

// TestHotTraps: traps and breakpoints that are switched on in the middle of hot
// code are met at once, and no more once they are off.
func TestHotTraps(t *testing.T) {
	orFlags := func(set uint32) []byte { // pushf; or dword [esp], set; popf
		return cat([]byte{0x9c, 0x81, 0x0c, 0x24}, imm32(set), []byte{0x9d})
	}
	andFlags := func(keep uint32) []byte { return cat([]byte{0x9c, 0x81, 0x24, 0x24}, imm32(keep), []byte{0x9d}) }
	setDR7 := func(v uint32) []byte { return cat([]byte{0xbb}, imm32(v), []byte{0x0f, 0x23, 0xfb}) } // mov ebx, v; mov dr7, ebx
	for _, row := range []struct {
		name    string
		on, off []byte
		address uint32 // of DR0
		inBody  bool   // the address counts from the body in the middle
		cpl     uint8
		vector  uint8
	}{
		{name: "TF", on: orFlags(flagTF), off: andFlags(^uint32(flagTF)), vector: 1},
		{name: "TF in ring 3", on: orFlags(flagTF), off: andFlags(^uint32(flagTF)), vector: 1, cpl: 3},
		{name: "code breakpoint", on: setDR7(0x400 | 2), off: setDR7(0x400), inBody: true, address: 6, vector: 1},
		{name: "code breakpoint at a block", on: setDR7(0x400 | 2), off: setDR7(0x400), inBody: true, address: 0, vector: 1},
		{name: "breakpoint on writes", on: setDR7(0x400 | 2 | breakWrite<<16 | 3<<18), off: setDR7(0x400), address: rigData + 4, vector: 1},
		{name: "breakpoint on accesses", on: setDR7(0x400 | 2 | breakAccess<<16 | 3<<18), off: setDR7(0x400), address: rigData, vector: 1},
		{name: "INT3", on: []byte{0xcc}, off: []byte{0x90}, vector: 3},
		{name: "INT3 in ring 3", on: []byte{0xcc}, off: []byte{0x90}, vector: 3, cpl: 3},
		{name: "ICEBP", on: []byte{0xf1}, off: []byte{0x90}, vector: 1},
		{name: "INTO", on: []byte{0xb0, 0x7f, 0x04, 0x7f, 0xce}, off: []byte{0xce}, vector: 4}, // mov al, 7fh; add al, 7fh; into
		{name: "UD2", on: []byte{0x0f, 0x0b}, off: []byte{0x90}, vector: 6},
		{name: "divide error, signed", on: []byte{0x31, 0xdb, 0x99, 0xf7, 0xfb}, off: []byte{0x90}, vector: 0},                               // xor ebx, ebx; cdq; idiv ebx
		{name: "divide overflow, signed", on: []byte{0xb8, 0, 0, 0, 0x80, 0x99, 0x83, 0xcb, 0xff, 0xf7, 0xfb}, off: []byte{0x90}, vector: 0}, // mov eax, 80000000h; cdq; or ebx, -1; idiv ebx
		{name: "divide error", on: []byte{0x31, 0xdb, 0xf7, 0xf3}, off: []byte{0x90}, vector: 0},                                             // xor ebx, ebx; div ebx
	} {
		for _, slice := range []int{1 << 30, 11} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					handler := cat([]byte{0xff, 0x05}, imm32(rigData+0x100)) // inc dword [rigData+100h]
					switch row.vector {
					case vecUD, vecDE: // add dword [esp], 2: go on behind it
						handler = cat(handler, []byte{0x83, 0x04, 0x24, 2})
					default: // or dword [esp+8], RF
						handler = cat(handler, []byte{0x81, 0x4c, 0x24, 8}, imm32(flagRF))
					}
					r.idt(row.vector, gate(selCode0, rigTarget, typeInt32, 3, 0))
					r.put(rigTarget, cat(handler, []byte{0xcf})...)
					r.DR[0] = row.address
					if row.inBody {
						r.DR[0] += rigCode + uint32(2*len(hotBody)+len(row.on))
					}
					r.ring(row.cpl)
					r.put(rigCode, hotLoop(row.on, row.off)...)
				})
				w.run(1500, slice)
				w.compareRAM()
				if n := w.tested.get32(rigData + 0x100); n < 8 {
					t.Errorf("%d traps", n)
				}
				for _, f := range w.tested.faults {
					if f.Vector != row.vector {
						t.Fatalf("delivered %s", w.tested.all())
					}
				}
			})
		}
	}
}
