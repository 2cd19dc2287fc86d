package jit

import (
	"encoding/binary"
	"hash/maphash"
)

// Guests put the same code into other memory: a file that nobody has open goes
// from their cache and is read again for the next process. So what was translated
// of code that has gone rests, until its place is needed, and serves again where
// the same bytes are about to be executed at the same offset in a page, where they
// need not become hot again, unless it was a few bytes that changed: code that lies
// beside what is written often is the interpreter's for a while.

const (
	restBits = 16
	// restWays is how many resting blocks of one bucket are kept: those that
	// went last.
	restWays = 8
	// renewed is how many bytes of a page change at once where it gets another
	// content.
	renewed = 512
)

// resting is the table of resting blocks, by Block.key.
type resting struct {
	buckets []uint32 // the first of each, which Block.hash goes on from
	seed    maphash.Seed
}

func newResting() resting {
	return resting{make([]uint32, 1<<restBits), maphash.MakeSeed()}
}

// remove takes a block out.
func (r *resting) remove(blocks []Block, i uint32) {
	b := &blocks[i]
	p := &r.buckets[b.key]
	for *p != i {
		p = &blocks[*p].hash
	}
	*p = b.hash
	b.Rests = false
}

// add puts one in, and takes out what is too much.
func (r *resting) add(blocks []Block, i uint32) {
	b := &blocks[i]
	p := &r.buckets[b.key]
	b.hash, *p, b.Rests = *p, i, true
	for range restWays {
		if p = &blocks[*p].hash; *p == 0 {
			return
		}
	}
	r.remove(blocks, *p)
}

// restKey gives the bucket of blocks that begin at arena offset off, with the bytes
// there: a few more or less than a block may have.
func (t *Translator) restKey(off uint32, user bool) uint32 {
	var b [8]byte
	copy(b[:], t.cpu.CodeBytes(off, min(8, 0x1000-off&0xfff)))
	h := binary.LittleEndian.Uint64(b[:]) ^ uint64(off&0xfff)<<32
	if user {
		h = ^h
	}
	return uint32(h * 0x9e3779b97f4a7c15 >> (64 - restBits))
}

// digest tells apart the bytes of blocks.
func (t *Translator) digest(off uint32, size uint16) uint64 {
	return maphash.Bytes(t.resting.seed, t.cpu.CodeBytes(off, uint32(size)))
}

// lay lets a void block rest, n bytes around which change. One that reaches into
// another page does not rest: where that lies is in its code.
func (t *Translator) lay(i, n uint32) {
	s := t.store
	b := &s.Blocks[i]
	if b.Cross {
		return
	}
	for _, e := range b.Edges {
		if s.Edges[e].To != 0 {
			s.disconnect(e)
			t.target.Unlink(&s.Edges[e], e)
		}
	}
	b.cools = n < renewed
	t.resting.add(s.Blocks, i)
}

// wake makes a resting block the one whose first byte lies at arena offset off, if
// one serves there, and gives its index, or 0. hot says that the code there is.
func (t *Translator) wake(off uint32, user, hot bool) uint32 {
	s := t.store
	for i := t.resting.buckets[t.restKey(off, user)]; i != 0; i = s.Blocks[i].hash {
		b := &s.Blocks[i]
		if (b.Off^off)&0xfff != 0 || b.User != user || b.cools && !hot || t.digest(off, b.Size) != b.digest || !t.fits(i, off) {
			continue
		}
		t.resting.remove(s.Blocks, i)
		b.Off = off
		if b.fallsFrom != 0 {
			t.target.Mend(b)
		}
		t.admit(i)
		t.Stats.Woken++
		return i
	}
	return 0
}

// fits says whether a block may be at arena offset off, as far as the blocks go that
// it is laid out with: what falls through into the next one looks at no mapping, so
// that both are in one page.
func (t *Translator) fits(i, off uint32) bool {
	s := t.store
	elsewhere := func(b *Block) bool { return b.Valid && (b.Off^off)>>12 != 0 }
	b := &s.Blocks[i]
	if b.fallsFrom != 0 && elsewhere(&s.Blocks[s.Edges[b.fallsFrom].From]) {
		return false
	}
	if int(i)+1 == len(s.Blocks) {
		return true
	}
	next := &s.Blocks[i+1]
	return next.fallsFrom == 0 || next.fallsFrom != b.Edges[1] || !elsewhere(next)
}
