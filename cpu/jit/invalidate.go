package jit

import (
	"alpinevm/cpu"
	"alpinevm/cpu/mem"
)

// kill voids a block: nothing leads to it any more, and it leads nowhere.
func (t *Translator) kill(i uint32) {
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
	for _, e := range b.Edges {
		s.disconnect(e)
	}
}

// hide makes a block one that is not found any more.
func (t *Translator) hide(i uint32) {
	t.forgetCalls()
	t.hideJump(&t.store.Blocks[i])
	t.store.leave(i)
}

// pages gives the pages of code that a block occupies, one or two.
func (b *Block) pages() []uint32 {
	if b.Cross {
		return []uint32{b.Page, b.Page2}
	}
	return []uint32{b.Page}
}

// lines is the mask of lines that a block occupies in page k of its pages.
func (b *Block) lines(k int) uint64 {
	first := min(uint32(b.Size), mem.PageSize-uint32(b.At))
	if k == 1 {
		return mem.Lines(0, uint32(b.Size)-first)
	}
	return mem.Lines(uint32(b.At), first)
}

// sweep goes through list k of a page of code: it voids blocks that occupy lines of
// hit, takes those that are void out of the list, and gives the lines of those
// that stay.
func (t *Translator) sweep(k int, page uint32, hit uint64) (left uint64) {
	s := t.store
	pg := &s.pages.list[page]
	p := &pg.first[k]
	if k == 0 {
		pg.jumped = 0
	}
	for *p != 0 {
		b := &s.Blocks[*p]
		lines := b.lines(k)
		if b.Valid && lines&hit != 0 {
			t.kill(*p)
		}
		if b.Valid {
			left |= lines
			if k == 0 && b.found {
				b.jump, pg.jumped = pg.jumped, *p
			}
			p = &b.page[k]
			continue
		}
		b.listed[k] = false
		*p = b.page[k]
		if pg.blocks--; pg.blocks == 0 {
			s.pages.empty++
		}
	}
	pg.lines[k] = left
	return left
}

// CodeWritten lets rest or voids what was made of n bytes at arena offset off, which are
// about to change; they lie in one page. It gives the lines of that page that still
// hold translated code.
//
// Where a few bytes change for the first time since all of the page did, they may
// be the first of more, as of a frame that gets another use. Where they go on to, code lies
// beside what is written, and what is not written stays.
func (t *Translator) CodeWritten(off, n uint32) (left uint64) {
	p := &t.store.pages
	frame := off >> 12
	i, restless := p.of[frame], p.restless[frame]
	p.restless[frame] = n < cpu.Renewed
	if i == 0 {
		return 0
	}
	if n >= cpu.Renewed || !restless {
		t.lay(off)
		return 0
	}
	hit := mem.Lines(off, n)
	for k, lines := range p.list[i].lines {
		if lines&hit == 0 {
			left |= lines // a page may hold thousands of blocks
			continue
		}
		left |= t.sweep(k, i, hit)
	}
	if left == 0 && p.list[i].blocks == 0 {
		t.freePage(i)
	}
	return left
}

// Lines gives the lines of an arena page that hold translated code, and maybe some
// that have held it.
func (t *Translator) Lines(off uint32) uint64 {
	p := &t.store.pages
	lines := &p.list[p.of[off>>12]].lines
	return lines[0] | lines[1]
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
		if !b.Valid {
			continue
		}
		t.Stats.Evicted++
		if f := t.mem.Frames[b.Page]; f != NoFrame {
			t.cpu.Cool((f-1)<<12|uint32(b.At), b.User)
		}
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
		for k, page := range b.pages() {
			if !b.listed[k] {
				continue
			}
			if t.sweep(k, page, 0); s.pages.list[page].blocks == 0 {
				t.freePage(page)
			}
		}
	}
	for e := first.edge; e < end.edge; e++ {
		s.disconnect(e)
	}
}
