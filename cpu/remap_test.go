package cpu

import (
	"fmt"
	"testing"
)

// Where the programs of TestRemappedCode find what they change.
const (
	mapX     = 0x200000 // the linear page that is mapped anew each round
	mapOne   = 0x180000 // frame whose function gives 1
	mapTwo   = 0x190000 // and 2
	mapCount = rigData
)

// remapping is a program of rounds that changes translations and then calls
// mapX, which gives 1 or 2 in EDX, and adds that to EAX. EBX holds the page table
// entry and is turned from one frame to the other in each round.
type remapping struct {
	name string
	pae  bool
	code func(r *rig, p *pages) []byte
}

// turned is a round: EBX changes, then come the flush and, three times, so that
// the engine has something to forget, the way to the function.
func turned(p *pages, flush []byte, call func(at uint32) []byte) []byte {
	b := cat([]byte{0x81, 0xf3}, imm32(mapOne^mapTwo), // xor ebx, ...
		[]byte{0x89, 0x1d}, imm32(p.entry(mapX)), flush) // mov [pte], ebx
	for range 3 {
		b = cat(b, call(rigCode+uint32(len(b))), []byte{0x01, 0xd0}) // add eax, edx
	}
	return cat(b, jumpTo(uint32(len(b)), 0))
}

// entry is where the table entry of lin lies.
func (p *pages) entry(lin uint32) uint32 {
	if p.pae {
		return p.pt + lin>>12*8
	}
	return p.pt + lin>>12*4
}

func callX(at uint32) []byte { return callTo(at, mapX) }

var (
	invlpgX   = cat([]byte{0x0f, 0x01, 0x3d}, imm32(mapX))
	reloadCR3 = []byte{0x0f, 0x20, 0xde, 0x0f, 0x22, 0xde} // mov esi, cr3; mov cr3, esi
)

// gives is a function that loads EDX.
func gives(n uint32) []byte { return cat(loadEDX(n), []byte{0xc3}) }

var remappings = []remapping{
	{"INVLPG", false, func(_ *rig, p *pages) []byte { return turned(p, invlpgX, callX) }},
	{"CR3", false, func(_ *rig, p *pages) []byte { return turned(p, reloadCR3, callX) }},
	{"INVLPG, PAE", true, func(_ *rig, p *pages) []byte { return turned(p, invlpgX, callX) }},
	{"CR3, PAE", true, func(_ *rig, p *pages) []byte { return turned(p, reloadCR3, callX) }},
	{"global page, INVLPG", false, func(r *rig, p *pages) []byte {
		r.CR4 |= cr4PGE
		r.R[ebx] |= uint32(pteG)
		return turned(p, invlpgX, callX)
	}},
	{"global page, CR4.PGE", false, func(r *rig, p *pages) []byte {
		r.CR4 |= cr4PGE
		r.R[ebx] |= uint32(pteG)
		// mov esi, cr4; xor esi, 80h; mov cr4, esi; xor esi, 80h; mov cr4, esi
		return turned(p, []byte{0x0f, 0x20, 0xe6, 0x81, 0xf6, 0x80, 0, 0, 0, 0x0f, 0x22, 0xe6}, callX)
	}},
	{"CR0.PG off and on", false, func(_ *rig, p *pages) []byte {
		// mov esi, cr0; btr esi, 31; mov cr0, esi; nop; bts esi, 31; mov cr0, esi
		return turned(p, []byte{0x0f, 0x20, 0xc6, 0x0f, 0xba, 0xf6, 31, 0x0f, 0x22, 0xc6, 0x90, 0x0f, 0xba, 0xee, 31, 0x0f, 0x22, 0xc6}, callX)
	}},
	{"called through a register", false, func(_ *rig, p *pages) []byte {
		return turned(p, invlpgX, func(uint32) []byte { return cat([]byte{0xbf}, imm32(mapX), []byte{0xff, 0xd7}) }) // mov edi, mapX; call edi
	}},
	{"called in turns with what shares an entry of a table", false, func(r *rig, p *pages) []byte {
		const other = mapX + 1<<20
		r.put(other, 0xc3)
		// mov edi, mapX; call edi; mov edi, other; call edi
		return turned(p, invlpgX, func(uint32) []byte {
			return cat([]byte{0xbf}, imm32(mapX), []byte{0xff, 0xd7, 0xbf}, imm32(other), []byte{0xff, 0xd7})
		})
	}},
	{"returned to", false, func(r *rig, p *pages) []byte {
		// push where to go on; push mapX; ret
		return turned(p, invlpgX, func(at uint32) []byte {
			return cat([]byte{0x68}, imm32(at+11), []byte{0x68}, imm32(mapX), []byte{0xc3})
		})
	}},
	{"run into from the page before", false, func(r *rig, p *pages) []byte {
		r.put(mapX-1, 0x90) // the frame of that page is mapped to itself
		return turned(p, invlpgX, func(at uint32) []byte { return callTo(at, mapX-1) })
	}},
	{"jumped to from the page before", false, func(r *rig, p *pages) []byte {
		r.put(mapX-0x20, jumpTo(mapX-0x20, mapX)...)
		return turned(p, invlpgX, func(at uint32) []byte { return callTo(at, mapX-0x20) })
	}},
	{"second half of an instruction across pages", false, func(r *rig, p *pages) []byte {
		r.put(mapX-1, 0xba) // mov edx, imm32
		r.put(mapOne, 1, 0, 0, 0, 0xc3)
		r.put(mapTwo, 2, 0, 0, 0, 0xc3)
		return turned(p, invlpgX, func(at uint32) []byte { return callTo(at, mapX-1) })
	}},
	{"first half of one", false, func(r *rig, p *pages) []byte {
		r.put(mapX+0x1000, 0, 0, 0, 0xc3)
		r.put(mapOne+0xffe, 0xba, 1)
		r.put(mapTwo+0xffe, 0xba, 2)
		return turned(p, invlpgX, func(at uint32) []byte { return callTo(at, mapX+0xffe) })
	}},
	{"absent, mapped by the handler of the fault", false, func(r *rig, p *pages) []byte {
		// The entry is cleared each round; the handler fills it in.
		r.idt(vecPF, gate(selCode0, rigTarget, typeInt32, 0, 0))
		// mov [pte], ebx; add esp, 4; iret
		r.put(rigTarget, cat([]byte{0x89, 0x1d}, imm32(p.entry(mapX)), []byte{0x83, 0xc4, 4, 0xcf})...)
		clear := cat([]byte{0x83, 0x25}, imm32(p.entry(mapX)), []byte{0}) // and dword [pte], 0
		return turned(p, cat(clear, invlpgX, []byte{0x90, 0x90}), callX)
	}},
	{"large page, INVLPG of another part", true, func(r *rig, p *pages) []byte { return largePage(r, mapX+0x1000) }},
	{"large page, INVLPG of the part", true, func(r *rig, p *pages) []byte { return largePage(r, mapX+0x181000) }},
}

// largePage turns a 2 MB page between the lower and the upper half of RAM.
func largePage(r *rig, flush uint32) []byte {
	const f = mapX + 0x181000
	r.put(f-mapX, gives(1)...)
	r.put(f, gives(2)...)
	r.R[ebx] = mapX | 7 | 1<<7
	b := cat([]byte{0x81, 0xf3}, imm32(mapX), // xor ebx, 200000h
		[]byte{0x89, 0x1d}, imm32(rigPages+0x1008), // mov [pde], ebx
		[]byte{0x0f, 0x01, 0x3d}, imm32(flush)) // invlpg
	for range 3 {
		b = cat(b, callTo(rigCode+uint32(len(b)), f), []byte{0x01, 0xd0})
	}
	return cat(b, jumpTo(uint32(len(b)), 0))
}

// TestRemappedCode: code is what the page is mapped to, whatever was executed at
// that address before.
func TestRemappedCode(t *testing.T) {
	const rounds = 100
	for _, row := range remappings {
		for _, slice := range []int{1 << 30, 5, 1} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, func(r *rig) { r.setRemapping(row) })
				w.run(3000, slice)
				w.compareRAM()
				if got := w.tested.R[eax]; got < rounds*3*3/2 {
					t.Errorf("EAX is %d: less than %d rounds, three times 1 or 2 each", got, rounds)
				}
				if len(w.tested.faults) > 0 && w.tested.faults[0].Vector != vecPF {
					t.Errorf("delivered %s", w.tested.all())
				}
			})
		}
	}
}

func (r *rig) setRemapping(row remapping) {
	var p *pages
	if row.pae {
		p = r.pagingPAE()
	} else {
		p = r.paging32()
	}
	r.CR4 |= cr4PSE
	r.put(mapOne, gives(1)...)
	r.put(mapTwo, gives(2)...)
	r.R[ebx] = mapTwo | 7
	r.put(rigCode, row.code(r, p)...)
	r.Reload()
}

// constant is a device that reads as a constant.
type constant uint32

func (d constant) Read(_ uint32, size int) uint32 { return uint32(d) & uint32(1<<(8*size)-1) }
func (constant) Write(uint32, int, uint32)        {}

// TestDeviceMoves: a device that appears over RAM, and goes again, in the middle
// of a block is what the next access meets.
func TestDeviceMoves(t *testing.T) {
	const at = 0x200000
	for _, paged := range []bool{false, true} {
		for _, slice := range []int{1 << 30, 3} {
			w := newTwins(t, func(r *rig) {
				if paged {
					r.paging32()
				}
				mapped := false
				r.ports.onOut = func(uint32) {
					if mapped {
						r.mem.Unmap(at)
					} else if err := r.mem.Map(at, 0x1000, constant(2)); err != nil {
						r.t.Fatal(err)
					}
					mapped = !mapped
				}
				r.put(at, 1)
				b := cat([]byte{0xe6, 0x80, 0x8b, 0x15}, imm32(at), []byte{0x01, 0xd0, 0x89, 0x0d}, imm32(at+8)) // out; mov edx, [at]; add eax, edx; mov [at+8], ecx
				r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
			})
			w.run(40*5, slice)
			w.compareRAM()
			if got := w.tested.R[eax]; got != 20*3 {
				t.Errorf("paging %v, slice %d: EAX is %d, want 60", paged, slice, got)
			}
		}
	}
}
