package jit

// found finds blocks by their key: a table of open addresses, so that what is
// looked for and is not there costs one line of memory. It grows with what is in it:
// most guests have translated a small part of what there is room for.
type found struct {
	entries []foundEntry // a power of two of them, of which at least half are free
	shift   uint
	taken   int
}

// foundEntry is free where block is 0.
type foundEntry struct{ key, block uint32 }

// foundBits is how many address bits the smallest table has.
const foundBits = 14

// newFound makes a table of 1<<bits entries.
func newFound(bits uint) found {
	return found{entries: make([]foundEntry, 1<<bits), shift: 32 - bits}
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

// put has a key lead to a block, and gives the one that it led to before, or 0.
func (f *found) put(key, block uint32) (before uint32) {
	e := f.at(key)
	if before = e.block; before == 0 {
		if f.taken++; f.taken > len(f.entries)/2 {
			f.grow()
			e = f.at(key)
		}
	}
	*e = foundEntry{key, block}
	return before
}

// grow makes the table twice as large.
func (f *found) grow() {
	larger := newFound(32 - f.shift + 1)
	for _, e := range f.entries {
		if e.block != 0 {
			*larger.at(e.key) = e
		}
	}
	larger.taken = f.taken
	*f = larger
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
	f.taken--
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
