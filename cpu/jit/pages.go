package jit

import (
	"hash/maphash"

	"alpinevm/cpu/mem"
)

// Guests put the same code into other memory: a file that nobody has open goes
// from their cache and is read again for the next process. So what is translated
// belongs to a page of code and not to where that lies: where the page is written, all
// of it rests, linked as it is, until its room is needed, and serves again, at whatever
// frame of memory, when something is about to be executed in a page with the same bytes.

// MaxPages is how many pages of code there are at most, and one; no more than blocks.
const MaxPages = 1 << 16

// NoFrame stands in Memory.Frames for a page that rests. It is in no entry of
// Memory.Pages.
const NoFrame = 1<<32 - 1

const restBits = 14

// page is what has been translated of 4 KiB of code. Where it lies says
// Memory.Frames.
type page struct {
	first      [2]uint32 // blocks that begin in it, and that reach into it from the page before
	lines      [2]uint64 // that those occupy, or have occupied
	jumped     uint32    // first of those that indirect jumps lead to
	digest     uint64    // of its bytes, while it rests
	next, prev uint32    // of those that rest in a bucket; next is that of the free ones as well
	blocks     uint32    // how many there are, of both kinds
}

// pages are all of them, named by index; 0 is none.
type pages struct {
	most  int      // of list
	list  []page   // those that have ever been used
	free  uint32   // first of those that are
	spare int      // how many of these
	hand  uint32   // goes round in search of one without blocks
	empty int      // how many of those there are
	of    []uint32 // by arena page: which one lies there
	// restless are arena pages of which a few bytes have changed since all of
	// them did: code beside data, or that is being made.
	restless []bool
	resting  []uint32 // first of each bucket
	seed     maphash.Seed
}

func newPages(arenaPages, blocks int) pages {
	return pages{
		most: min(MaxPages, blocks),
		list: make([]page, 1), of: make([]uint32, arenaPages), restless: make([]bool, arenaPages),
		resting: make([]uint32, 1<<restBits), seed: maphash.MakeSeed(),
	}
}

// reach is how many pages are looked at for one without blocks.
const reach = 256

// reserve makes sure that n pages can be made, of those without blocks, and says
// whether it has found enough. Where blocks have gone it does so in the end.
func (t *Translator) reserve(n int) bool {
	p := &t.store.pages
	for range reach {
		if p.spare+p.most-len(p.list) >= n {
			return true
		}
		if p.empty == 0 {
			return false
		}
		if p.hand++; int(p.hand) >= len(p.list) {
			p.hand = 1
		}
		if t.mem.Frames[p.hand] != 0 && p.list[p.hand].blocks == 0 {
			t.freePage(p.hand)
		}
	}
	return false
}

// freePage gives up a page without blocks.
func (t *Translator) freePage(i uint32) {
	p := &t.store.pages
	switch f := t.mem.Frames[i]; f {
	case 0:
		panic("BUG: a page of code is freed twice")
	case NoFrame:
		p.wake(i)
	default:
		p.of[f-1] = 0
	}
	p.list[i] = page{next: p.free}
	p.free = i
	p.spare++
	p.empty--
	t.mem.Frames[i] = 0
}

// pageAt gives the page of code at linear address lin and arena offset off: the one that
// lies there, else one that rests and has the same bytes, else a new one. It gives 0
// where there is no room for it, which reserve has made else.
func (t *Translator) pageAt(lin, off uint32, user bool) uint32 {
	p := &t.store.pages
	i := p.of[off>>12]
	if i != 0 {
		return i
	}
	if i = p.find(t.digest(off)); i != 0 {
		p.wake(i)
		t.Stats.Woken += uint64(p.list[i].blocks)
	} else if i = t.newPage(); i == 0 {
		return 0
	}
	p.of[off>>12], t.mem.Frames[i] = i, off>>12+1
	t.noteJumps(i, lin, user)
	// That it is about to be executed is enough to be told of its changes.
	p.list[i].lines[0] |= mem.Lines(off, 1)
	t.markLines(off&^0xfff, p.list[i].lines[0]|p.list[i].lines[1])
	return i
}

// digest tells apart the bytes of arena pages.
func (t *Translator) digest(off uint32) uint64 {
	return maphash.Bytes(t.store.pages.seed, t.cpu.CodeBytes(off&^0xfff, mem.PageSize))
}

// noteJumps lets indirect jumps lead to what they have led to in a page, which is
// mapped where lin lies.
func (t *Translator) noteJumps(i, lin uint32, user bool) {
	s := t.store
	for k := s.pages.list[i].jumped; k != 0; k = s.Blocks[k].jump {
		if b := &s.Blocks[k]; b.Valid && (b.jumped^lin)>>12 == 0 && b.User == user {
			t.noteJump(b.jumped, k)
		}
	}
}

// newPage gives a free one, or 0.
func (t *Translator) newPage() uint32 {
	p := &t.store.pages
	i := p.free
	switch {
	case i != 0:
		p.free = p.list[i].next
		p.spare--
	case len(p.list) < p.most:
		i = uint32(len(p.list))
		p.list = append(p.list, page{})
	default:
		return 0
	}
	p.list[i] = page{}
	p.empty++
	return i
}

// markLines marks lines of the arena page at off as code.
func (t *Translator) markLines(off uint32, lines uint64) {
	for line := uint32(0); lines != 0; line++ {
		if lines&1 != 0 {
			t.cpu.MarkCode(off+line*mem.LineSize, 1)
		}
		lines >>= 1
	}
}

// lay lets the page that lies at arena offset off rest: its bytes are about to change.
func (t *Translator) lay(off uint32) {
	s := t.store
	p := &s.pages
	i := p.of[off>>12]
	pg := &p.list[i]
	if pg.blocks == 0 {
		t.freePage(i)
		return
	}
	for b := pg.jumped; b != 0; b = s.Blocks[b].jump {
		t.hideJump(&s.Blocks[b])
	}
	t.forgetCalls()
	p.of[off>>12], t.mem.Frames[i] = 0, NoFrame
	p.rest(i, t.digest(off))
}

// rest puts a page into the table of those that rest, wake takes it out.
func (p *pages) rest(i uint32, digest uint64) {
	pg, first := &p.list[i], &p.resting[digest>>(64-restBits)]
	pg.digest, pg.next, pg.prev = digest, *first, 0
	if *first != 0 {
		p.list[*first].prev = i
	}
	*first = i
}

func (p *pages) wake(i uint32) {
	pg := &p.list[i]
	if pg.prev != 0 {
		p.list[pg.prev].next = pg.next
	} else {
		p.resting[pg.digest>>(64-restBits)] = pg.next
	}
	if pg.next != 0 {
		p.list[pg.next].prev = pg.prev
	}
	pg.next, pg.prev = 0, 0
}

// find gives the page that rests with the digest and went last, or 0.
func (p *pages) find(digest uint64) uint32 {
	i := p.resting[digest>>(64-restBits)]
	for i != 0 && p.list[i].digest != digest {
		i = p.list[i].next
	}
	return i
}

// lies says whether a block is there to be executed: it is valid, and its page does
// not rest.
func (t *Translator) lies(b *Block) bool { return b.Valid && t.mem.Frames[b.Page] != NoFrame }
