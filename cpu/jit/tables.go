package jit

import "alpinevm/cpu"

// The tables that generated code looks into. They hold translations that the
// processor's own translation cache has held, and lose them when it does or
// before: by a load of CR3, INVLPG, or a change of the physical map. That they
// hold more of them is what a larger translation cache may do (SDM vol. 3A
// 4.10.2).

// maxFilled bounds the list of pages with entries.
const maxFilled = 1 << 20

// half is which code and jumps serve a privilege level: cpu.HalfSystem or
// cpu.HalfUser. Data accesses have a third, cpu.HalfLifted.
func half(user bool) int {
	if user {
		return cpu.HalfUser
	}
	return cpu.HalfSystem
}

// fetching is the number of halves that serve instructions.
const fetching = 2

// setHalf says which tables the code that is about to be entered looks into, and
// which ones when it changes EFLAGS.AC.
func (t *Translator) setHalf() {
	m, c := t.mem, t.cpu
	m.Table = m.Tables[c.Data]
	m.System, m.Lifted = m.Tables[cpu.HalfSystem], m.Tables[cpu.HalfSystem]
	if c.CR4&cr4SMAP != 0 {
		m.Lifted = m.Tables[cpu.HalfLifted]
	}
}

const cr4SMAP = 1 << 21

// fetch gives the arena offset of a linear address as far as the translations
// for fetching that are cached know it.
func (t *Translator) fetch(lin uint32, user bool) (off uint32, ok bool) {
	h := half(user)
	if p := t.mem.Pages[h][lin>>12]; p != 0 {
		return (p-1)<<12 | lin&0xfff, true
	}
	off, large, ok := t.cpu.Translation(int(t.cpu.Half), lin).Fetch()
	if !ok {
		return 0, false
	}
	t.note(h, lin, large)
	t.mem.Pages[h][lin>>12] = off>>12 + 1
	return off | lin&0xfff, true
}

// fill enters what the processor knows of the page of lin.
func (t *Translator) fill(h int, lin uint32) {
	tr := t.cpu.Translation(h, lin)
	off, large, ok := tr.Read()
	if !ok {
		return
	}
	t.note(h, lin, large)
	page := lin &^ 0xfff
	less := uint64(page) - t.cpu.ArenaBase() - uint64(off&^0xfff)
	slot := lin >> 12 << t.mem.Shift
	t.mem.Read[h][slot] = less
	if tr.Write() {
		t.mem.Write[h][slot] = less
		t.writable[off>>12]++
	}
}

// note puts a page that is going to have entries on the list of those.
func (t *Translator) note(h int, lin uint32, large bool) {
	page := lin >> 12
	if large {
		t.large[h][page>>10/64] |= 1 << (page >> 10 & 63)
	}
	slot := page << t.mem.Shift
	if t.mem.Read[h][slot]|t.mem.Write[h][slot] != 0 || h < fetching && t.mem.Pages[h][page] != 0 {
		return
	}
	if len(t.filled[h]) == maxFilled {
		t.FlushTLB()
	}
	t.filled[h] = append(t.filled[h], page)
}

// drop empties the entries of a page.
func (t *Translator) drop(h int, page uint32) {
	slot := page << t.mem.Shift
	t.mem.Read[h][slot], t.mem.Write[h][slot] = 0, 0
	if h < fetching {
		t.mem.Pages[h][page] = 0
	}
}

// FlushTLB forgets all translations.
func (t *Translator) FlushTLB() {
	for h := range t.filled {
		for _, page := range t.filled[h] {
			t.drop(h, page)
		}
		t.filled[h] = t.filled[h][:0]
		t.large[h] = [len(t.large[h])]uint64{}
	}
	t.forgetJumps()
}

// FlushPage forgets the translation of the page of lin, and all parts of a large
// page around it. Indirect jumps lead only into pages whose translation for
// fetching is known.
func (t *Translator) FlushPage(lin uint32) {
	page := lin >> 12
	for h := range t.filled {
		if t.large[h][page>>10/64]>>(page>>10&63)&1 != 0 {
			for p := page &^ 1023; p <= page|1023; p++ {
				t.drop(h, p)
			}
			t.forgetJumps()
			continue
		}
		if h < fetching && t.mem.Pages[h][page] != 0 {
			t.forgetJumps()
		}
		t.drop(h, page)
	}
}

// jumpTo is the entry that indirect jumps to eip look at.
func (t *Translator) jumpTo(eip uint32, user bool) *Jump {
	return &t.mem.Jumps[half(user)][eip>>JumpShift&(JumpSize-1)]
}

// forgetJumps empties the table of indirect jumps.
func (t *Translator) forgetJumps() {
	t.mem.Gen += 1 << 32
	if t.mem.Gen == 0 { // all generations have been used: none may come back
		for h := range t.mem.Jumps {
			clear(t.mem.Jumps[h])
		}
		t.mem.Gen = 1 << 32
	}
}

// ProtectPage takes the right to write from all translations to an arena page,
// which now holds decoded code.
func (t *Translator) ProtectPage(off uint32) {
	if t.writable[off>>12] == 0 {
		return
	}
	t.writable[off>>12] = 0
	host := t.cpu.ArenaBase() + uint64(off&^0xfff)
	for h := range t.filled {
		for _, page := range t.filled[h] {
			if slot := page << t.mem.Shift; t.mem.Write[h][slot] == uint64(page)<<12-host {
				t.mem.Write[h][slot] = 0
			}
		}
	}
}
