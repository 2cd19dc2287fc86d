package jit

import "alpinevm/cpu/mem"

// kill voids a block, n bytes around which are about to change: nothing leads to it
// any more.
func (t *Translator) kill(i, n uint32) {
	s := t.store
	b := &s.Blocks[i]
	t.hide(i)
	for e := b.in; e != 0; e = b.in {
		s.disconnect(e)
		t.target.Unlink(&s.Edges[e], e)
	}
	if b.fallsFrom != 0 {
		e := &s.Edges[b.fallsFrom]
		t.target.Unlink(e, b.fallsFrom)
		t.target.Sever(b, e)
	}
	t.lay(i, n)
}

// hide makes a block one that is not found any more.
func (t *Translator) hide(i uint32) {
	b := &t.store.Blocks[i]
	b.Valid = false
	t.forgetCalls()
	t.store.unhash(i)
	t.hideJump(b)
}

// pages gives the arena pages that a block occupies, one or two.
func (b *Block) pages() []uint32 {
	if b.Cross {
		return []uint32{b.Off, b.Off2}
	}
	return []uint32{b.Off}
}

// lines is the mask of lines that a block occupies in page k of its pages.
func (b *Block) lines(k int) uint64 {
	first := min(uint32(b.Size), 0x1000-b.Off&0xfff)
	if k == 1 {
		return mem.Lines(b.Off2, uint32(b.Size)-first)
	}
	return mem.Lines(b.Off, first)
}

// sweep goes through list k of the arena page at off: it voids blocks that occupy
// lines of hit, where n bytes change, takes those that are void out of the list, and gives the lines of
// those that stay.
func (t *Translator) sweep(k int, off uint32, hit uint64, n uint32) (left uint64) {
	s := t.store
	p := &s.pages[k][off>>12]
	for *p != 0 {
		b := &s.Blocks[*p]
		lines := b.lines(k)
		if b.Valid && lines&hit != 0 {
			t.kill(*p, n)
		}
		if b.Valid {
			left |= lines
			p = &b.page[k]
			continue
		}
		b.listed[k] = false
		*p = b.page[k]
	}
	s.lines[k][off>>12] = left
	return left
}

// CodeWritten voids what was made of the lines of n bytes at arena offset off,
// which are about to change; they lie in one page. It gives the lines of that
// page that still hold translated code.
func (t *Translator) CodeWritten(off, n uint32) (left uint64) {
	hit := mem.Lines(off, n)
	for k := range t.store.pages {
		if lines := t.store.lines[k][off>>12]; lines&hit == 0 {
			left |= lines // a page may hold thousands of blocks
			continue
		}
		left |= t.sweep(k, off, hit, n)
	}
	return left
}

// Lines gives the lines of an arena page that hold translated code, and maybe some
// that have held it.
func (t *Translator) Lines(off uint32) uint64 {
	s := t.store
	return s.lines[0][off>>12] | s.lines[1][off>>12]
}

// advance makes room for translations: in the region behind the current one, whose
// blocks are the oldest.
func (t *Translator) advance() {
	r := (t.store.region + 1) % Regions
	t.evict(r)
	t.store.begin(r)
	t.target.Begin(r)
}

// evict forgets all blocks of a region. What others lead to them leaves again;
// among themselves nothing has to be unlinked.
func (t *Translator) evict(r int) {
	s := t.store
	first, end := s.first(r), s.used[r]
	for i := first.block; i < end.block; i++ {
		b := &s.Blocks[i]
		if b.Rests {
			t.resting.remove(s.Blocks, i)
		}
		if !b.Valid {
			continue
		}
		t.Stats.Evicted++
		t.cpu.Cool(b.Off, b.User)
		t.hide(i)
		for e := b.in; e != 0; e = b.in {
			s.disconnect(e)
			if e < first.edge || e >= end.edge {
				t.target.Unlink(&s.Edges[e], e)
			}
		}
	}
	for i := first.block; i < end.block; i++ {
		b := &s.Blocks[i]
		for k, off := range b.pages() {
			if b.listed[k] {
				t.sweep(k, off, 0, 0)
			}
		}
	}
	for e := first.edge; e < end.edge; e++ {
		s.disconnect(e)
	}
}
