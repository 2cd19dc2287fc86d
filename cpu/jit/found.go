package jit

// found finds blocks by their key: a table of open addresses, so that what is
// looked for and is not there costs one line of memory.
type found struct {
	entries []foundEntry // a power of two of them, of which most are free
	shift   uint
}

// foundEntry is free where block is 0.
type foundEntry struct{ key, block uint32 }

// newFound makes a table for n blocks.
func newFound(n uint32) found {
	bits := uint(1)
	for 1<<bits < 2*n {
		bits++
	}
	return found{make([]foundEntry, 1<<bits), 32 - bits}
}

// home is the place that a key is looked for at first.
func (f *found) home(key uint32) uint32 { return key * 0x9e3779b1 >> f.shift }

func (f *found) next(i uint32) uint32 { return (i + 1) & uint32(len(f.entries)-1) }

// at gives the place of a key, or a free one.
func (f *found) at(key uint32) *foundEntry {
	i := f.home(key)
	for f.entries[i].block != 0 && f.entries[i].key != key {
		i = f.next(i)
	}
	return &f.entries[i]
}

// first gives the block of a key that was put there last, or 0.
func (f *found) first(key uint32) uint32 { return f.at(key).block }

// remove takes a key out, and moves what is behind it to where it is found.
func (f *found) remove(key uint32) {
	hole := f.home(key)
	for f.entries[hole].key != key || f.entries[hole].block == 0 {
		if f.entries[hole].block == 0 {
			return
		}
		hole = f.next(hole)
	}
	last := uint32(len(f.entries) - 1)
	for i := f.next(hole); f.entries[i].block != 0; i = f.next(i) {
		if home := f.home(f.entries[i].key); (i-home)&last >= (i-hole)&last {
			f.entries[hole] = f.entries[i]
			hole = i
		}
	}
	f.entries[hole] = foundEntry{}
}

// blockKey is what blocks are found by: their page, where they begin in it, and the
// privilege level.
func blockKey(page, at uint32, user bool) uint32 {
	key := page<<13 | at&0xfff<<1
	if user {
		key |= 1
	}
	return key
}

func (b *Block) key() uint32 { return blockKey(b.Page, uint32(b.At), b.User) }
