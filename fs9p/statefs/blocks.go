package statefs

import (
	"errors"
	"math/bits"
)

// blockSize is what content of extents is given out in, in bytes.
const blockSize = 4096

// maxBlocks bounds the content: 256 GiB.
const maxBlocks = 1 << 26

// A run is blocks of a file that follow each other on the disk too.
type run struct {
	at    int64 // in the file, in blocks
	block int64 // on the disk
	n     int64
}

// errBlocks is the error of blocks that are taken already.
var errBlocks = errors.New("blocks of two files")

// blocks knows which blocks of a disk are taken. It grows as it is asked for more.
type blocks struct {
	used  []uint64 // a bit a block
	count int64    // of those that are taken
	last  int64    // behind the last one that was ever taken
	from  int64    // where to look next
}

func (b *blocks) taken() int64 { return b.count }
func (b *blocks) free() int64  { return b.last - b.count }

func (b *blocks) has(i int64) bool {
	return i/64 < int64(len(b.used)) && b.used[i/64]>>(i%64)&1 != 0
}

// take takes blocks, all or none.
func (b *blocks) take(r run) error {
	if r.block < 0 || r.n <= 0 || r.block > maxBlocks || r.n > maxBlocks-r.block {
		return errBlocks
	}
	for i := r.block; i < r.block+r.n; i++ {
		if b.has(i) {
			return errBlocks
		}
	}
	if more := (r.block+r.n+63)/64 - int64(len(b.used)); more > 0 {
		b.used = append(b.used, make([]uint64, more)...)
	}
	for i := r.block; i < r.block+r.n; i++ {
		b.used[i/64] |= 1 << (i % 64)
	}
	b.count += r.n
	b.last = max(b.last, r.block+r.n)
	return nil
}

func (b *blocks) release(r run) {
	for i := r.block; i < r.block+r.n; i++ {
		b.used[i/64] &^= 1 << (i % 64)
	}
	b.count -= r.n
}

// trim forgets the free blocks at the end, and tells what that is and how many.
func (b *blocks) trim() (last, n int64) {
	before := b.last
	for b.last > 0 && !b.has(b.last-1) {
		b.last--
	}
	b.from = min(b.from, b.last)
	return b.last, before - b.last
}

// find gives the first free block of a run of at most n that it takes: behind near if
// that is free, else the next one that is, else behind the last.
func (b *blocks) find(near, n int64) (block, got int64) {
	at := near
	if near < 0 || b.has(near) {
		at = b.search()
	}
	for got < n && at+got < maxBlocks && !b.has(at+got) {
		got++
	}
	if got == 0 || b.take(run{block: at, n: got}) != nil {
		return 0, 0
	}
	b.from = at + got
	return at, got
}

// search finds a free block from the place of the last search on.
func (b *blocks) search() int64 {
	if b.free() == 0 {
		return b.last
	}
	for range 2 {
		for i := b.from; i < b.last; {
			if word := ^b.used[i/64] >> (i % 64); word != 0 {
				if i += int64(bits.TrailingZeros64(word)); i < b.last {
					return i
				}
				break
			}
			i = (i/64 + 1) * 64
		}
		b.from = 0
	}
	return b.last
}
