package jit

import "alpinevm/cpu/mem"

// kill voids a block: nothing leads to it any more.
func (t *Translator) kill(i uint32) {
	s := t.store
	b := &s.Blocks[i]
	b.Valid = false
	s.unhash(i)
	if j := t.jumpTo(b.EIP, b.User); uint32(j.Tag) == b.EIP {
		*j = Jump{}
	}
	for e := b.in; e != 0; e = s.Edges[e].next {
		s.Edges[e].To = 0
		t.target.Unlink(&s.Edges[e], e)
	}
	b.in = 0
	if b.fallsFrom != 0 {
		e := &s.Edges[b.fallsFrom]
		t.target.Unlink(e, b.fallsFrom)
		t.target.Sever(b, e)
	}
}

// lines is the mask of lines of the arena page that a block occupies.
func (b *Block) lines(second bool) uint64 {
	first := min(uint32(b.Size), 0x1000-b.Off&0xfff)
	if second {
		return mem.Lines(b.Off2, uint32(b.Size)-first)
	}
	return mem.Lines(b.Off, first)
}

// CodeWritten voids what was made of the lines of n bytes at arena offset off,
// which are about to change; they lie in one page. It gives the lines of that
// page that still hold translated code.
func (t *Translator) CodeWritten(off, n uint32) (left uint64) {
	s := t.store
	hit := mem.Lines(off, n)
	p := &s.pages[off>>12]
	for *p != 0 {
		b := &s.Blocks[*p]
		lines := b.lines(false)
		switch {
		case !b.Valid:
			*p = b.page
			continue
		case lines&hit != 0:
			t.kill(*p)
			*p = b.page
			continue
		}
		left |= lines
		p = &b.page
	}
	p = &s.pages2[off>>12]
	for *p != 0 {
		b := &s.Blocks[*p]
		lines := b.lines(true)
		switch {
		case !b.Valid:
			*p = b.page2
			continue
		case lines&hit != 0:
			t.kill(*p)
			*p = b.page2
			continue
		}
		left |= lines
		p = &b.page2
	}
	return left
}

// Lines gives the lines of an arena page that hold translated code.
func (t *Translator) Lines(off uint32) (lines uint64) {
	s := t.store
	for i := s.pages[off>>12]; i != 0; i = s.Blocks[i].page {
		if b := &s.Blocks[i]; b.Valid {
			lines |= b.lines(false)
		}
	}
	for i := s.pages2[off>>12]; i != 0; i = s.Blocks[i].page2 {
		if b := &s.Blocks[i]; b.Valid {
			lines |= b.lines(true)
		}
	}
	return lines
}

// clear forgets everything that was translated.
func (t *Translator) clear() {
	t.Stats.Clears++
	t.store.clear()
	t.target.Clear()
	t.forgetJumps(true)
	t.forgetJumps(false)
}
