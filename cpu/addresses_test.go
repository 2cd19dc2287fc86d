package cpu

import (
	"fmt"
	"testing"
)

// TestAddresses: two pages of code, mapped at several linear addresses, do at each what
// they do there: what calls push, where they return to, what computed jumps find, the
// EIP of a fault, and the way to the second page, which is mapped anew in some.
func TestAddresses(t *testing.T) {
	const (
		windows, apart = 4, 0x12000
		other          = 0x1a0000 // what the second page is in turns
		absent         = rigRAM + 0x1000
	)
	for _, slice := range []int{1 << 30, 11, 1} {
		t.Run(fmt.Sprint(slice), func(t *testing.T) {
			w := newTwins(t, func(r *rig) {
				p := r.paging32()
				first := cat([]byte{0xe8, 0, 0, 0, 0, 0x5a, 0x01, 0xd0, 0xa8, 4, 0x74, 2, 0xd1, 0xc0}) // call the next; pop edx; add eax, edx; test al, 4; jz over; rol eax, 1
				first = cat(first, callTo(uint32(len(first)), 0x200), []byte{0x0f, 0xa2})              // call the function; cpuid
				first = cat(first, callTo(uint32(len(first)), 0x1080), []byte{0x31, 0xd0})             // call the second page; xor eax, edx
				first = cat(first, jumpTo(uint32(len(first)), 0x1000))
				r.put(mapOne, first...)
				r.put(mapOne+0x200, 0x03, 0x04, 0x24, 0xc3)                      // add eax, [esp]; ret
				r.put(mapOne+0x300, cat([]byte{0x40}, jumpTo(0x301, 0x1100))...) // inc eax; jmp to the second page
				for i, frame := range []uint32{mapOne + 0x1000, other} {
					second := cat([]byte{0x83, 0xc0, byte(3 + i), 0xa1}, imm32(absent)) // add eax, n; mov eax, [absent]
					second = cat(second, callTo(0x1000+uint32(len(second)), 0x200), callTo(0x1005+uint32(len(second)), 0x1080), []byte{0xc3})
					r.put(frame, second...)
					r.put(frame+0x100, 0x83, 0xd0, byte(5+i), 0xc3)                // adc eax, n; ret
					r.put(frame+0x80, 0x03, 0x04, 0x24, 0x83, 0xd0, byte(i), 0xc3) // add eax, [esp]; adc eax, i; ret
				}
				r.idt(vecPF, gate(selCode0, rigTarget, typeInt32, 0, 0))
				r.put(rigTarget, 0x03, 0x44, 0x24, 4, 0x83, 0x44, 0x24, 4, 5, 0x83, 0xc4, 4, 0xcf) // add eax, [esp+4]; add dword [esp+4], 5; add esp, 4; iret
				b := []byte{0x46}                                                                  // inc esi
				for k := range uint32(windows) {
					at := mapX + k*apart
					r.put32(p.entry(at), mapOne|7)
					r.put32(p.entry(at+0x1000), mapOne+0x1000|7)
					b = cat(b, []byte{0xbf}, imm32(at), []byte{0xff, 0xd7}, []byte{0xbf}, imm32(at+0x300), []byte{0xff, 0xd7, 0xff, 0xd7}) // mov edi, window; call edi; ...; call edi; call edi
					if k%2 == 1 {
						// xor dword [pte], ...; invlpg
						b = cat(b, []byte{0x81, 0x35}, imm32(p.entry(at+0x1000)), imm32((mapOne+0x1000)^other), []byte{0x0f, 0x01, 0x3d}, imm32(at+0x1000))
					}
				}
				r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
				r.Reload()
			})
			w.run(8000, slice)
			w.compareRAM()
			if got := w.tested.R[esi]; got < 25 {
				t.Errorf("%d rounds, delivered %.200s", got, w.tested.all())
			}
		})
	}
}
