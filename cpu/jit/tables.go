package jit

import "alpinevm/cpu"

// The tables that generated code looks into. They hold translations that the
// processor's own translation cache has held, and lose them when it does or
// before: by a load of CR3, INVLPG, or a change of the physical map. That they
// hold more of them is what a larger translation cache may do (SDM vol. 3A
// 4.10.2).

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
	m.System, m.Lifted, m.User = m.Tables[cpu.HalfSystem], m.Tables[cpu.HalfSystem], m.Tables[cpu.HalfUser]
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
	tr := t.cpu.Translation(int(t.cpu.Half), lin)
	off, large, ok := tr.Fetch()
	if !ok {
		return 0, false
	}
	t.note(h, lin, large, tr.Global())
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
	t.note(h, lin, large, tr.Global())
	page := lin &^ 0xfff
	less := uint64(page) - t.cpu.ArenaBase() - uint64(off&^0xfff)
	slot := lin >> 12 << t.mem.Shift
	t.mem.Read[h][slot] = less
	if tr.Write() {
		t.mem.Write[h][slot] = less
		t.writable[off>>12].add(h, lin>>12)
	}
}

// pageList is a list of linear pages, each once.
type pageList struct {
	pages  []uint32
	listed [PageCount / 64]uint64
}

func (l *pageList) add(page uint32) {
	if bit := uint64(1) << (page & 63); l.listed[page/64]&bit == 0 {
		l.listed[page/64] |= bit
		l.pages = append(l.pages, page)
	}
}

func (l *pageList) clear() {
	for _, page := range l.pages {
		l.listed[page/64] = 0
	}
	l.pages = l.pages[:0]
}

// note puts a page that is going to have entries on the list of those. One that
// was global and is no more stands on both.
func (t *Translator) note(h int, lin uint32, large, global bool) {
	page := lin >> 12
	if large {
		t.large[h][page>>10/64] |= 1 << (page >> 10 & 63)
	}
	if global {
		t.filled[h].global.add(page)
	} else {
		t.filled[h].local.add(page)
	}
}

// drop empties the entries of a page. It says whether there may be jumps to it.
func (t *Translator) drop(h int, page uint32) (jumps bool) {
	slot := page << t.mem.Shift
	t.mem.Read[h][slot], t.mem.Write[h][slot] = 0, 0
	if h < fetching {
		jumps = t.mem.Pages[h][page] != 0
		t.mem.Pages[h][page] = 0
	}
	return jumps
}

// dropAll empties the entries of the pages of a list, and the list.
func (t *Translator) dropAll(h int, l *pageList) {
	jumps := false
	for _, page := range l.pages {
		if t.drop(h, page) {
			jumps = true
		}
	}
	if jumps {
		t.forgetJumps(h == cpu.HalfUser)
	}
	l.clear()
}

// FlushTLB forgets all translations, or all but global ones.
func (t *Translator) FlushTLB(global bool) {
	for h := range t.filled {
		t.dropAll(h, &t.filled[h].local)
		if global {
			t.dropAll(h, &t.filled[h].global)
			t.large[h] = [len(t.large[h])]uint64{}
		}
	}
}

// FlushPage forgets the translation of the page of lin, and all parts of a large
// page around it. Indirect jumps lead only into pages whose translation for
// fetching is known.
func (t *Translator) FlushPage(lin uint32) {
	page := lin >> 12
	for h := range t.filled {
		first, last := page, page
		if t.large[h][page>>10/64]>>(page>>10&63)&1 != 0 {
			first, last = page&^1023, page|1023
		}
		jumps := false
		for p := first; p <= last; p++ {
			if t.drop(h, p) {
				jumps = true
			}
		}
		if jumps {
			t.forgetJumps(h == cpu.HalfUser)
		}
	}
}

// jumpTo is the entry that indirect jumps to eip look at.
func (t *Translator) jumpTo(eip uint32, user bool) *Jump {
	return &t.mem.Jumps[half(user)][eip>>JumpShift&(JumpSize-1)]
}

// spare is the entry that they look at where the first one leads elsewhere.
func (t *Translator) spare(eip uint32, user bool) *Jump {
	return &t.mem.Spare[half(user)][eip*SpareHash>>(32-SpareBits)]
}

// noteJump lets indirect jumps to eip lead to a block, and to no other address of
// it. What had the place is kept behind it: two targets whose addresses differ in the
// upper bits alone may take turns for long.
func (t *Translator) noteJump(eip, i uint32) {
	b := &t.store.Blocks[i]
	if !b.found {
		pg := &t.store.pages.list[b.Page]
		b.jump, pg.jumped = pg.jumped, i
		b.found, b.jumped = true, eip
	}
	if b.jumped != eip {
		t.hideJump(b)
		b.jumped = eip
	}
	user, code := b.User, t.target.Address(b.Code)
	gen := t.mem.Gen[half(user)]
	j := t.jumpTo(eip, user)
	if old := uint32(j.Tag); j.Tag&^(1<<32-1) == gen && old != eip {
		*t.spare(old, user) = *j
	}
	*j = Jump{gen | uint64(eip), code}
}

// hideJump makes them not lead to a block any more.
func (t *Translator) hideJump(b *Block) {
	eip, code := b.jumped, t.target.Address(b.Code)
	for _, j := range []*Jump{t.jumpTo(eip, b.User), t.spare(eip, b.User)} {
		if uint32(j.Tag) == eip && j.Code == code {
			*j = Jump{}
		}
	}
}

// forgetJumps empties the tables of indirect jumps of a privilege level.
func (t *Translator) forgetJumps(user bool) {
	t.forgetCalls()
	h := half(user)
	t.mem.Gen[h] += 1 << 32
	if t.mem.Gen[h] == 0 { // all generations have been used: none may come back
		clear(t.mem.Jumps[h])
		clear(t.mem.Spare[h])
		t.mem.Gen[h] = 1 << 32
	}
}

// forgetCalls empties the stack of calls: what lies behind them may not be there, or
// may not be that any more.
func (t *Translator) forgetCalls() { t.mem.Calls = t.mem.Bottom }

// ProtectPage takes the right to write from all translations to an arena page,
// which now holds decoded code.
func (t *Translator) ProtectPage(off uint32) {
	if t.writable[off>>12] == 0 {
		return
	}
	host := t.cpu.ArenaBase() + uint64(off&^0xfff)
	drop := func(h int, page uint32) {
		if slot := page << t.mem.Shift; t.mem.Write[h][slot] == uint64(page)<<12-host {
			t.mem.Write[h][slot] = 0
		}
	}
	w := t.writable[off>>12]
	t.writable[off>>12] = 0
	if w&manyWriters == 0 {
		for ; w != 0; w >>= writerBits {
			drop(int(w>>20&3), uint32(w&(PageCount-1)))
		}
		return
	}
	for h := range t.filled {
		for _, l := range []*pageList{&t.filled[h].local, &t.filled[h].global} {
			for _, page := range l.pages {
				drop(h, page)
			}
		}
	}
}

// writers is through which entries of Write an arena page may be written to: two of
// them, each as the linear page, its table above, and a bit that says that there is
// one; manyWriters says that there may be any.
type writers uint64

const (
	writerBits          = 23
	manyWriters writers = 1 << 63
)

// add adds entry page of table h.
func (w *writers) add(h int, page uint32) {
	n := writers(1<<22 | h<<20 | int(page))
	const mask = 1<<writerBits - 1
	switch one, other := *w&mask, *w>>writerBits&mask; {
	case one == n, other == n:
	case one == 0:
		*w |= n
	case other == 0:
		*w |= n << writerBits
	default:
		*w |= manyWriters
	}
}
