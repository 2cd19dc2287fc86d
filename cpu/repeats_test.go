package cpu

import (
	"fmt"
	"testing"
)

// TestRepeats: repeated copies and fills, of none, few and more elements than a
// page has, inside pages and across them, in code that is hot, with all of the
// count or a part of it left: memory, registers and the number of instructions
// are the interpreter's.
func TestRepeats(t *testing.T) {
	const from, to = 0x200000, 0x210000
	for _, row := range []struct {
		op   []byte
		page uint32 // elements of one
	}{
		{[]byte{0xf3, 0xa4}, 0x1000}, {[]byte{0xf3, 0xa5}, 0x400}, {[]byte{0xf3, 0xaa}, 0x1000}, {[]byte{0x66, 0xf3, 0xab}, 0x800},
	} {
		t.Run(fmt.Sprintf("%x", row.op), func(t *testing.T) {
			w := newTwins(t, func(r *rig) {
				for i := uint32(0); i < 0x4000; i += 4 {
					r.put32(from+i, i*0x9e3779b1)
				}
			})
			for _, count := range []uint32{0, 1, 3, row.page, row.page + 1} {
				for _, place := range []struct {
					offset uint32
					slice  int
				}{{0, 1 << 30}, {0xffe, 101}} {
					w.each(func(r *rig) {
						b := cat([]byte{0x43, 0xbe}, imm32(from+place.offset), []byte{0xbf}, imm32(to+place.offset/2), // inc ebx; mov esi; mov edi
							[]byte{0xb9}, imm32(count), row.op, []byte{0x01, 0xf8, 0x11, 0xf2}) // mov ecx; the repeat; add eax, edi; adc edx, esi
						r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
						r.EIP = rigCode
						r.Reload()
					})
					w.run(int(count)*3/2+30, place.slice)
					w.compareRAM(to, to+0x1000, to+0x2000)
				}
			}
		})
	}
}
