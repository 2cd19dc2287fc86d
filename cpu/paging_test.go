package cpu

import (
	"fmt"
	"testing"
)

// pages is a set of paging structures that map the rig's RAM to itself in pages
// of 4 KiB, with all rights.
type pages struct {
	r   *rig
	pae bool
	pt  uint32 // first page table; the tables lie behind each other
}

// paging32 switches on 32-bit paging.
func (r *rig) paging32() *pages {
	p := &pages{r: r, pt: rigPages + 0x1000}
	for i := range uint32(rigRAM >> 12) {
		r.put32(p.pt+4*i, i<<12|7)
	}
	for i := range uint32(1024) {
		r.put32(rigPages+4*i, 0)
	}
	r.put32(rigPages, p.pt|7)
	r.CR3 = rigPages
	r.CR0 |= cr0PG
	r.Reload()
	return p
}

// pagingPAE switches on PAE paging with NX.
func (r *rig) pagingPAE() *pages {
	p := &pages{r: r, pae: true, pt: rigPages + 0x2000}
	for i := range uint32(rigRAM >> 12) {
		r.put64(p.pt+8*i, uint64(i<<12|7))
	}
	for i := range uint32(512) {
		r.put64(rigPages+0x1000+8*i, 0)
	}
	r.put64(rigPages, rigPages+0x1000|1)
	for i := range uint32(3) {
		r.put64(rigPages+8+8*i, 0)
	}
	r.put64(rigPages+0x1000, uint64(p.pt|7))
	r.put64(rigPages+0x1008, uint64(p.pt+0x1000|7))
	r.CR3, r.CR4, r.EFER = rigPages, r.CR4|cr4PAE, eferNXE
	if !r.loadPDPTEs(r.CR3) {
		r.t.Fatal("PDPTEs")
	}
	r.CR0 |= cr0PG
	r.Reload()
	return p
}

// pte gives the entry that maps lin; put replaces it and drops the TLB.
func (p *pages) pte(lin uint32) uint64 {
	if p.pae {
		return p.r.ram.Load64(p.pt + lin>>12*8)
	}
	return uint64(p.r.get32(p.pt + lin>>12*4))
}

func (p *pages) put(lin uint32, e uint64) {
	if p.pae {
		p.r.put64(p.pt+lin>>12*8, e)
	} else {
		p.r.put32(p.pt+lin>>12*4, uint32(e))
	}
	p.r.flushTLB(true)
}

func (p *pages) unmap(lin uint32) { p.put(lin, 0) }

// pde is put for the directory entry.
func (p *pages) pde(lin uint32, e uint64) {
	if p.pae {
		p.r.put64(rigPages+0x1000+lin>>21*8, e)
	} else {
		p.r.put32(rigPages+lin>>22*4, uint32(e))
	}
	p.r.flushTLB(true)
}

// TestPageRights: rights of a page against privilege, access, WP and NX, and the
// error code (SDM vol. 3A 4.6 and 4.7).
func TestPageRights(t *testing.T) {
	const page = 0x200000
	const nx = uint64(1) << 63
	for _, row := range []struct {
		name          string
		e             uint64 // rights in the page-table entry
		cpl           uint8
		wp            bool
		read, write   string
		exec, execPAE string
	}{
		{"absent, supervisor", 0, 0, false, "14(0)", "14(2)", "14(0)", "14(10)"},
		{"absent, user", 0, 3, false, "14(4)", "14(6)", "14(4)", "14(14)"},
		{"all rights, supervisor", 7, 0, true, "", "", "", ""},
		{"all rights, user", 7, 3, true, "", "", "", ""},
		{"supervisor page, user", 3, 3, false, "14(5)", "14(7)", "14(5)", "14(15)"},
		{"supervisor page, supervisor", 3, 0, true, "", "", "", ""},
		{"read-only, user", 5, 3, false, "", "14(7)", "", ""},
		{"read-only, supervisor", 5, 0, false, "", "", "", ""},
		{"read-only, supervisor, WP", 5, 0, true, "", "14(3)", "", ""},
		{"NX, supervisor", 7 | nx, 0, false, "", "", "", "14(11)"},
		{"NX, user", 7 | nx, 3, false, "", "", "", "14(15)"},
	} {
		for _, pae := range []bool{false, true} {
			if row.e&nx != 0 && !pae {
				continue
			}
			for acc, code := range map[string][]byte{
				"read":  cat([]byte{0xa1}, imm32(page+8)),
				"write": cat([]byte{0xa3}, imm32(page+8)),
				"exec":  {0xff, 0xe0}, // jmp eax
			} {
				t.Run(fmt.Sprintf("%s %s PAE=%v", row.name, acc, pae), func(t *testing.T) {
					r := newRig(t)
					var p *pages
					want := map[string]string{"read": row.read, "write": row.write, "exec": row.exec}[acc]
					if pae {
						p = r.pagingPAE()
						if acc == "exec" {
							want = row.execPAE
						}
					} else {
						p = r.paging32()
					}
					if row.wp {
						r.CR0 |= cr0WP
					}
					r.put(page+8, 0x90)
					r.ring(row.cpl)
					r.R[eax] = page + 8
					e := row.e
					if e != 0 {
						e |= page
					}
					p.put(page, e)
					// Twice: a miss and then a hit of the TLB.
					got := r.exec(code...)
					if acc == "exec" && got == "" {
						got = r.run(1)
					} else if got == "" {
						got = r.exec(code...)
					}
					if got != want {
						t.Fatalf("got %q, want %q", got, want)
					}
					if want != "" {
						r.wantf(r.CR2 == page+8, "CR2 %x", r.CR2)
						r.wantf(p.pte(page)&(pteA|pteD) == 0, "entry %x", p.pte(page))
						return
					}
					wantAD := uint64(pteA)
					if acc == "write" {
						wantAD |= pteD
					}
					r.wantf(p.pte(page)&(pteA|pteD) == wantAD, "entry %x", p.pte(page))
				})
			}
		}
	}
}

// TestDirectoryRights: the rights of both levels are combined.
func TestDirectoryRights(t *testing.T) {
	const page = 0x200000
	for _, row := range []struct {
		pde, pte uint64
		write    string
	}{
		{7, 7, ""}, {5, 7, "14(7)"}, {7, 5, "14(7)"}, {3, 7, "14(7)"}, {7, 3, "14(7)"}, {5, 5, "14(7)"},
	} {
		r := newRig(t)
		p := r.pagingPAE()
		r.ring(3)
		p.put(page, page|row.pte)
		p.pde(page, uint64(p.pt+0x1000)|row.pde)
		if got := r.exec(cat([]byte{0xa3}, imm32(page))...); got != row.write {
			t.Errorf("PDE %x, PTE %x: %q, want %q", row.pde, row.pte, got, row.write)
		}
	}
}

// TestDirtyBit: the first write to a page that was only read sets D.
func TestDirtyBit(t *testing.T) {
	const page = 0x200000
	r := newRig(t)
	p := r.paging32()
	r.exec(cat([]byte{0xa1}, imm32(page))...)
	r.wantf(p.pte(page)&0x60 == pteA, "after a read: %x", p.pte(page))
	r.exec(cat([]byte{0xa3}, imm32(page))...)
	r.wantf(p.pte(page)&0x60 == pteA|pteD, "after a write: %x", p.pte(page))
}

// TestReserved: reserved bits fault with RSVD.
func TestReserved(t *testing.T) {
	const page = 0x200000
	for _, row := range []struct {
		name string
		pae  bool
		set  func(r *rig, p *pages)
		want string
	}{
		{"PAE PTE bit 36", true, func(r *rig, p *pages) { p.put(page, page|7|1<<36) }, "14(9)"},
		{"PAE PTE bit 51", true, func(r *rig, p *pages) { p.put(page, page|7|1<<51) }, "14(9)"},
		{"PAE PTE bit 52 is free", true, func(r *rig, p *pages) { p.put(page, page|7|1<<52) }, ""},
		{"PAE PDE bit 40", true, func(r *rig, p *pages) { p.pde(page, uint64(p.pt+0x1000)|7|1<<40) }, "14(9)"},
		{"PAE PDE, 2 MiB, bit 13", true, func(r *rig, p *pages) { p.pde(page, page|1<<13|0x87) }, "14(9)"},
		{"PAE PDE, 2 MiB, PAT bit", true, func(r *rig, p *pages) { p.pde(page, page|1<<12|0x87) }, ""},
		{"NX without NXE", true, func(r *rig, p *pages) { p.put(page, page|7|1<<63); r.EFER = 0 }, "14(9)"},
		{"absent entry with reserved bits", true, func(r *rig, p *pages) { p.put(page, 1<<40) }, "14(0)"},
		{"4 MiB, bit 21", false, func(r *rig, p *pages) { r.CR4 |= cr4PSE; p.pde(page+0x200000, 1<<21|0x87) }, "14(9)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			var p *pages
			lin := uint32(page)
			if row.pae {
				p = r.pagingPAE()
			} else {
				p = r.paging32()
				lin += 0x200000
			}
			row.set(r, p)
			if got := r.exec(cat([]byte{0xa1}, imm32(lin))...); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestLargePages: PSE pages of 4 MiB and PAE pages of 2 MiB, and that PS means
// nothing without CR4.PSE.
func TestLargePages(t *testing.T) {
	r := newRig(t)
	p := r.paging32()
	r.put32(0x123456, 0xcafe)
	p.pde(0xc0000000, 0x87) // maps physical 0
	r.CR4 |= cr4PSE
	r.Reload()
	if got := r.exec(cat([]byte{0xa1}, imm32(0xc0123456))...); got != "" || r.R[eax] != 0xcafe {
		t.Errorf("4 MiB: %q, EAX %x", got, r.R[eax])
	}
	r.exec(cat([]byte{0xa3}, imm32(0xc0123456))...)
	r.wantf(r.get32(rigPages+0xc00) == 0xe7, "PDE %x, want accessed and dirty", r.get32(rigPages+0xc00))

	r = newRig(t)
	p = r.paging32()
	p.pde(0xc0000000, uint64(p.pt|0x87))
	r.put32(0x123456, 0xcafe)
	if got := r.exec(cat([]byte{0xa1}, imm32(0xc0123456))...); got != "" || r.R[eax] != 0xcafe {
		t.Errorf("PS without PSE: %q, EAX %x", got, r.R[eax])
	}

	r = newRig(t)
	p = r.pagingPAE()
	r.put32(0x323456, 0xbeef)
	p.pde(0x3fe00000, 0x200000|0x87)
	if got := r.exec(cat([]byte{0xa1}, imm32(0x3ff23456))...); got != "" || r.R[eax] != 0xbeef {
		t.Errorf("2 MiB: %q, EAX %x", got, r.R[eax])
	}
}

// TestTLB: what flushes which translations (SDM vol. 3A 4.10.4).
func TestTLB(t *testing.T) {
	const a, b = 0x200000, 0x201000
	movCR3 := []byte{0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8} // mov eax, cr3; mov cr3, eax
	toggle := func(cr byte, bit uint32) []byte {
		return cat([]byte{0x0f, 0x20, 0xc0 | cr<<3, 0x35}, imm32(bit), []byte{0x0f, 0x22, 0xc0 | cr<<3}) // mov eax, cr; xor eax, bit; mov cr, eax
	}
	for _, row := range []struct {
		name           string
		code           []byte
		n              int
		plain, globals bool // flushed
	}{
		{"nothing", []byte{0x90}, 1, false, false},
		{"MOV CR3", movCR3, 2, true, false},
		{"INVLPG of the page", cat([]byte{0x0f, 0x01, 0x3d}, imm32(a+123)), 1, true, false},
		{"INVLPG of the global page", cat([]byte{0x0f, 0x01, 0x3d}, imm32(b+123)), 1, false, true},
		{"CR4.PGE", toggle(4, cr4PGE), 3, true, true},
		{"CR4.PSE", toggle(4, cr4PSE), 3, true, true},
		{"CR0.WP", toggle(0, cr0WP), 3, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			p := r.paging32()
			r.CR4 |= cr4PGE
			p.put(b, b|7|pteG)
			load := func(lin uint32) uint32 {
				if got := r.exec(cat([]byte{0xa1}, imm32(lin))...); got != "" {
					t.Fatal(got)
				}
				return r.R[eax]
			}
			r.put32(a, 1)
			r.put32(b, 1)
			r.put32(0x300000, 2)
			load(a)
			load(b)
			// The entries change, the TLB does not know.
			r.put32(p.pt+a>>12*4, 0x300007)
			r.put32(p.pt+b>>12*4, 0x300007|pteG)
			r.put(r.EIP, row.code...)
			if got := r.run(row.n); got != "" {
				t.Fatal(got)
			}
			r.wantf(load(a) == 2 == row.plain, "page: flushed is %v", !row.plain)
			r.wantf(load(b) == 2 == row.globals, "global page: flushed is %v", !row.globals)
		})
	}
}

// TestINVLPGLarge: INVLPG drops every part of a large page.
func TestINVLPGLarge(t *testing.T) {
	r := newRig(t)
	p := r.paging32()
	r.CR4 |= cr4PSE | cr4PGE
	const lin = 0xc0000000
	p.pde(lin, 0x87|pteG)
	r.put32(0x5000, 1)
	r.put32(0x105000, 2)
	r.exec(cat([]byte{0xa1}, imm32(lin+0x5000))...)
	r.put32(rigPages+lin>>22*4, uint32(p.pt+0x100000)|7)
	for i := range uint32(1024) {
		r.put32(p.pt+0x100000+4*i, 0x100000+i<<12|7)
	}
	r.exec(cat([]byte{0x0f, 0x01, 0x3d}, imm32(lin+0x200000))...)
	r.exec(cat([]byte{0xa1}, imm32(lin+0x5000))...)
	r.wantf(r.R[eax] == 2, "EAX %x: a part of the large page survived", r.R[eax])
}

// TestA20: with the pin low, bit 20 of every physical address is 0.
func TestA20(t *testing.T) {
	r := newRig(t)
	r.put32(rigData, 0x11111111)
	r.put32(0x100000+rigData, 0x22222222)
	load := func() uint32 { r.exec(cat([]byte{0xa1}, imm32(0x100000+rigData))...); return r.R[eax] }
	r.wantf(load() == 0x22222222, "A20 on: %x", r.R[eax])
	r.SetA20(false)
	r.wantf(load() == 0x11111111, "A20 off: %x", r.R[eax])
	r.SetA20(true)
	r.wantf(load() == 0x22222222, "A20 on again: %x", r.R[eax])
}

// TestCrossPage: accesses that end in an absent page fault and change nothing,
// whatever instruction makes them.
func TestCrossPage(t *testing.T) {
	const end = 0x201000 // absent from here on
	for _, row := range []struct {
		name string
		code []byte
		back uint32 // bytes of the operand in the first page
		want string
	}{
		{"MOV load", []byte{0x8b, 0x03}, 3, "14(0)"},
		{"MOV store", []byte{0x89, 0x03}, 1, "14(2)"},
		{"MOV store 16", []byte{0x66, 0x89, 0x03}, 1, "14(2)"},
		{"ADD memory", []byte{0x01, 0x03}, 2, "14(2)"},
		{"XCHG", []byte{0x87, 0x03}, 2, "14(2)"},
		{"XADD", []byte{0x0f, 0xc1, 0x03}, 2, "14(2)"},
		{"CMPXCHG", []byte{0x0f, 0xb1, 0x0b}, 2, "14(2)"},
		{"CMPXCHG8B", []byte{0x0f, 0xc7, 0x0b}, 5, "14(2)"},
		{"LES", []byte{0xc4, 0x03}, 4, "14(0)"},
		{"LGDT", []byte{0x0f, 0x01, 0x13}, 2, "14(0)"},
		{"SIDT", []byte{0x0f, 0x01, 0x0b}, 2, "14(2)"},
		{"JMPF", []byte{0xff, 0x2b}, 4, "14(0)"},
		{"BOUND", []byte{0x62, 0x03}, 4, "14(0)"},
		{"MOV from DS", []byte{0x8c, 0x1b}, 1, "14(2)"},
		{"POP memory", []byte{0x8f, 0x03}, 2, "14(2)"},
		{"PUSH memory", []byte{0xff, 0x33}, 2, "14(0)"},
		{"INS", []byte{0x6d}, 2, "14(2)"},
		{"MOVS", []byte{0xa5}, 2, "14(2)"},
		{"OUTS", []byte{0x6f}, 2, "14(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			p := r.paging32()
			p.unmap(end)
			lin := uint32(end) - row.back
			for i := range row.back {
				r.put(lin+i, 0x5a)
			}
			r.R[ebx], r.R[edi], r.R[esi] = lin, lin, rigData
			if row.name == "OUTS" {
				r.R[esi] = lin
			}
			if got := r.exec(row.code...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			r.wantf(r.CR2 == end, "CR2 %x", r.CR2)
			for i := range row.back {
				r.wantf(r.ram.Load8(lin+i) == 0x5a, "byte %d was written", i)
			}
			r.wantf(len(r.ports.log) == 0, "port was accessed: %v", r.ports.log)
		})
	}
}

// TestAbsentOperand: system instructions whose operand or stack is not there,
// from its first byte on or from its last.
func TestAbsentOperand(t *testing.T) {
	const absent = 0x201000
	type kind int
	const (
		load kind = iota
		store
		pop
		push
	)
	for _, row := range []struct {
		name string
		code []byte
		n    uint32 // bytes accessed
		kind kind
	}{
		{"LLDT", []byte{0x0f, 0x00, 0x13}, 2, load},
		{"LTR", []byte{0x0f, 0x00, 0x1b}, 2, load},
		{"SLDT", []byte{0x0f, 0x00, 0x03}, 2, store},
		{"STR", []byte{0x0f, 0x00, 0x0b}, 2, store},
		{"VERR", []byte{0x0f, 0x00, 0x23}, 2, load},
		{"VERW", []byte{0x0f, 0x00, 0x2b}, 2, load},
		{"LAR", []byte{0x0f, 0x02, 0x03}, 2, load},
		{"LSL", []byte{0x0f, 0x03, 0x03}, 2, load},
		{"ARPL", []byte{0x63, 0x03}, 2, load},
		{"LMSW", []byte{0x0f, 0x01, 0x33}, 2, load},
		{"SMSW", []byte{0x0f, 0x01, 0x23}, 2, store},
		{"LGDT", []byte{0x0f, 0x01, 0x13}, 6, load},
		{"LIDT", []byte{0x0f, 0x01, 0x1b}, 6, load},
		{"SGDT", []byte{0x0f, 0x01, 0x03}, 6, store},
		{"SIDT", []byte{0x0f, 0x01, 0x0b}, 6, store},
		{"MOV DS", []byte{0x8e, 0x1b}, 2, load},
		{"MOV FS", []byte{0x8e, 0x23}, 2, load},
		{"MOV from DS", []byte{0x8c, 0x1b}, 2, store},
		{"LFS", []byte{0x0f, 0xb4, 0x03}, 6, load},
		{"LSS 16", []byte{0x66, 0x0f, 0xb2, 0x03}, 4, load},
		{"JMPF", []byte{0xff, 0x2b}, 6, load},
		{"CALLF", []byte{0xff, 0x1b}, 6, load},
		{"BOUND", []byte{0x62, 0x03}, 8, load},
		{"POPF", []byte{0x9d}, 4, pop},
		{"POP DS", []byte{0x1f}, 2, pop},
		{"POP GS", []byte{0x0f, 0xa9}, 2, pop},
		{"RETF", []byte{0xcb}, 8, pop},
		{"RETF 16", []byte{0x66, 0xcb}, 4, pop},
		{"IRET", []byte{0xcf}, 12, pop},
		{"PUSHF", []byte{0x9c}, 4, push},
		{"PUSH DS", []byte{0x1e}, 4, push},
		{"CALLF imm", callf(selCode0, rigTarget), 8, push},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s first=%v", row.name, first), func(t *testing.T) {
				r := newRig(t)
				p := r.paging32()
				p.unmap(absent)
				at := uint32(absent)
				if !first {
					at -= row.n - 1
				}
				r.R[ebx] = at
				cr2 := uint32(absent)
				switch row.kind {
				case pop:
					r.R[esp] = at
				case push:
					r.R[esp] = at + row.n
					if row.name == "PUSH DS" && !first {
						r.R[esp] += 2 // the upper half is not written
					}
					if row.name == "CALLF imm" && first {
						cr2 += 4 // CS is pushed first
					}
				}
				// What lies in the first page leads to a valid target.
				r.put(absent-row.n, make([]byte, row.n)...)
				if row.name == "RETF" || row.name == "IRET" || row.name == "JMPF" || row.name == "CALLF" {
					r.put32(at, rigTarget)
					if !first {
						r.put(at+4, selCode0)
					}
				}
				r.idt(vecPF, gate(selTSS2, 0, typeTask, 0, 0))
				r.task2()
				r.put32(rigTSS2+tssCR3, r.CR3)
				want := "14(0)"
				if row.kind == store || row.kind == push {
					want = "14(2)"
				}
				if got := r.exec(row.code...); got != want || r.CR2 != cr2 {
					t.Fatalf("got %q, want %q; CR2 %x", got, want, r.CR2)
				}
			})
		}
	}
}

// TestDeliveryFaults: page faults while an exception or a gate pushes.
func TestDeliveryFaults(t *testing.T) {
	t.Run("stack page absent", func(t *testing.T) {
		r := newRig(t)
		p := r.paging32()
		p.unmap(rigStack0 - 0x2000)
		r.idt(vecDF, gate(selTSS2, 0, typeTask, 0, 0))
		r.task2()
		r.put32(rigTSS2+tssCR3, r.CR3)
		r.ring(3)
		r.exec(0x0f, 0x0b)
		r.wantf(r.all() == "[6 14(2) 8(0)]", "delivered %s", r.all())
		r.wantf(r.get32(rigTSS+0x20) == rigCode && r.get16(rigTSS+0x48+4*segCS) == selCode3, "saved %x:%x", r.get16(rigTSS+0x4c), r.get32(rigTSS+0x20))
	})
	t.Run("stack page absent, INT n", func(t *testing.T) {
		r := newRig(t)
		p := r.paging32()
		r.R[esp] = 0x200004 // one word fits, two do not
		p.unmap(0x1ff000)
		r.put32(0x200000, 0x77)
		r.put(rigCode, intn(0x60)...)
		before := r.State
		d := delivery{vector: 0x60, src: software, eip: r.EIP}
		if out := r.dispatch(&d); out != refused || describe(r.Fault) != "14(2)" || r.CR2 != 0x1ffffc {
			t.Fatalf("outcome %d, fault %s, CR2 %x", out, describe(r.Fault), r.CR2)
		}
		r.unchanged(&before, &r.State)
		r.wantf(r.get32(0x200000) == 0x77, "the first word was pushed")
	})
	t.Run("IDT page absent", func(t *testing.T) {
		r := newRig(t)
		p := r.paging32()
		p.unmap(rigIDT)
		r.exec(intn(0x60)...)
		r.want(r.Shutdown, "no shutdown without an IDT")
	})
	t.Run("GDT page absent in ring 3", func(t *testing.T) {
		r := newRig(t)
		p := r.paging32()
		r.GDTR.Base = 0x300000 - 0x80
		for i := range uint32(0x80) {
			r.put(r.GDTR.Base+i, r.ram.Load8(rigGDT+i))
		}
		p.unmap(0x300000)
		r.ring(3)
		r.R[eax] = selTest
		// A system access is a supervisor access: no U bit.
		if got := r.exec(movSegAX(segDS)...); got != "14(0)" || r.CR2 != 0x300000 {
			t.Errorf("%q, CR2 %x", got, r.CR2)
		}
	})
}
