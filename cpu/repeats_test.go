package cpu

import (
	"bytes"
	"fmt"
	"testing"

	"alpinevm/cpu/mem"
)

// TestRepeatedCompares: repeated scans and comparisons that end by an element, by the
// count, or by neither for a page or more, in code that is hot, with all of the count or
// a part of it left: registers, flags and the number of instructions are the
// interpreter's.
func TestRepeatedCompares(t *testing.T) {
	// Of each of these the second page is the third in memory, and what lies behind the
	// first there is something else.
	const from, to, page = 0x200000, 0x210000, mem.PageSize
	for _, row := range []struct {
		op   []byte
		size uint32
	}{
		{[]byte{0xf2, 0xae}, 1}, {[]byte{0xf3, 0xae}, 1}, {[]byte{0x66, 0xf2, 0xaf}, 2}, {[]byte{0xf2, 0xaf}, 4}, {[]byte{0xf3, 0xaf}, 4},
		{[]byte{0xf3, 0xa6}, 1}, {[]byte{0xf2, 0xa6}, 1}, {[]byte{0x66, 0xf3, 0xa7}, 2}, {[]byte{0xf3, 0xa7}, 4}, {[]byte{0xf2, 0xa7}, 4},
	} {
		t.Run(fmt.Sprintf("%x", row.op), func(t *testing.T) {
			others, last := byte(0x11), byte(0x22) // in what is scanned, or compared with 11h
			if bytes.Contains(row.op, []byte{0xf2}) {
				others, last = last, others
			}
			w := newTwins(t, func(r *rig) {
				p := r.paging32()
				for _, area := range []uint32{from, to} {
					p.put(area+page, uint64(area+2*page|3))
					p.put(area+2*page, uint64(area+page|3))
				}
			})
			fill := func(r *rig, area uint32, b, other byte) {
				r.put(area, bytes.Repeat([]byte{b}, page)...)
				r.put(area+page, bytes.Repeat([]byte{other}, page)...)
				r.put(area+2*page, bytes.Repeat([]byte{b}, page)...)
			}
			for _, count := range []uint32{0, 1, 3, 200, 1<<32 - 1} {
				for _, ends := range []uint32{0, 1, 2, 60} { // the element that ends it
					for _, place := range []struct {
						source, dest uint32 // in their pages
						slice        int
					}{{0, 0, 1 << 30}, {0xfc0, 4, 1 << 30}, {0x10, 0xff9, 23}, {0xffe, 0xffd, 1 << 30}, {0, 0x40, 5}} {
						w.each(func(r *rig) {
							fill(r, from, 0x11, 0x77)
							fill(r, to, others, last)
							for i := range row.size {
								at := to + place.dest + ends*row.size + i
								if at >= to+page {
									at += page
								}
								r.put(at, last)
							}
							b := cat([]byte{0x43, 0xbe}, imm32(from+place.source), []byte{0xbf}, imm32(to+place.dest), // inc ebx; mov esi; mov edi
								[]byte{0xb8}, imm32(0x11111111), []byte{0xb9}, imm32(count), row.op, []byte{0x11, 0xf2, 0x11, 0xfd}) // mov eax; mov ecx; the repeat; adc edx, esi; adc ebp, edi
							r.put(rigCode, cat(b, jumpTo(uint32(len(b)), 0))...)
							r.EIP = rigCode
							r.Reload()
						})
						w.run(int(min(count, ends+1))*5/2+40, place.slice)
					}
				}
			}
		})
	}
}

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
