package memfs

import (
	"slices"

	"alpinevm/fs9p"
)

// ChunkSize is that of a ChunkState, in bytes.
const ChunkSize = chunkSize

// chunkSize is the unit in which all of a file but its beginning is held.
const chunkSize = 64 << 10

// What is charged besides the bytes of chunks.
const (
	costChunk = 96  // its place in the table
	costUnder = 256 // a Source
)

// content is the data of a regular file: its first chunk as a slice that grows,
// the others whole, in a table, so that a hole costs nothing wherever it is and
// writing on never copies what is there. What no chunk holds is read from
// under, up to underSize, and is zero beyond. It is a tree.Content.
type content struct {
	fs        *FS
	size      uint64
	first     chunk // at most chunkSize; what is behind its length is zero
	rest      fs9p.Table[uint64, chunk]
	under     fs9p.Source // nil also in a State's file that Back was not called for yet
	underSize uint64
}

// A chunk is a part of a file. One that is shared belongs to a State too, and
// is copied before it is changed.
type chunk struct {
	b      []byte
	shared bool
}

// Stat is part of tree.Content.
func (c *content) Stat() (size, blocks uint64, err error) {
	held := uint64(len(c.first.b)) + uint64(c.rest.Len())*chunkSize
	return c.size, (max(held, c.underSize) + 511) / 512, nil
}

// Size is part of fs9p.Content.
func (c *content) Size() uint64 { return c.size }

// Sync is part of tree.Content.
func (c *content) Sync() error { return nil }

// Drop is part of tree.Content.
func (c *content) Drop() { c.Truncate(0) }

// ReadAt is part of tree.Content.
func (c *content) ReadAt(p []byte, off uint64) (int, error) {
	if off >= c.size {
		return 0, nil
	}
	p = p[:min(uint64(len(p)), c.size-off)]
	for done := 0; done < len(p); {
		at := off + uint64(done)
		within := int(at % chunkSize)
		part := p[done:min(len(p), done+chunkSize-within)]
		if err := c.readChunk(part, at/chunkSize, within); err != nil {
			return done, err
		}
		done += len(part)
	}
	return len(p), nil
}

// held gives the chunk with that index, if there is one.
func (c *content) held(index uint64) ([]byte, bool) {
	if index == 0 {
		return c.first.b, c.first.b != nil
	}
	x, ok := c.rest.Find(index)
	return x.b, ok
}

// readChunk fills p, which does not go past the chunk's end.
func (c *content) readChunk(p []byte, index uint64, within int) error {
	held, ok := c.held(index)
	n := 0
	if ok {
		n = copy(p, held[min(within, len(held)):])
	} else {
		var err error
		if n, err = c.readUnder(p, index*chunkSize+uint64(within)); err != nil {
			return err
		}
	}
	clear(p[n:])
	return nil
}

// readUnder reads what the Source has at off.
func (c *content) readUnder(p []byte, off uint64) (int, error) {
	if off >= c.underSize {
		return 0, nil
	}
	if c.under == nil {
		return 0, fs9p.EIO
	}
	p = p[:min(uint64(len(p)), c.underSize-off)]
	done := 0
	for done < len(p) {
		n, err := c.under.ReadAt(p[done:], off+uint64(done))
		if n == 0 && err == nil {
			break
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// WriteAt is part of tree.Content.
func (c *content) WriteAt(p []byte, off uint64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + uint64(done)
		within := int(at % chunkSize)
		part := p[done:min(len(p), done+chunkSize-within)]
		held, err := c.writable(at/chunkSize, within, len(part))
		if err != nil {
			return done, err
		}
		copy(held[within:], part)
		done += len(part)
		c.size = max(c.size, at+uint64(len(part)))
	}
	return done, nil
}

// writable gives the chunk with the given index, at least within+n bytes of
// it. n bytes at within are about to be written.
func (c *content) writable(index uint64, within, n int) ([]byte, error) {
	if index == 0 {
		err := c.growFirst(within + n)
		return c.first.b, err
	}
	x, ok := c.rest.Find(index)
	if ok && !x.shared {
		return x.b, nil
	}
	now := make([]byte, chunkSize)
	switch {
	case ok:
		copy(now, x.b)
	default:
		if err := c.fs.tree.Charge(chunkSize + costChunk); err != nil {
			return nil, err
		}
		if n == chunkSize {
			break
		}
		if _, err := c.readUnder(now, index*chunkSize); err != nil {
			c.fs.tree.Charge(-chunkSize - costChunk)
			return nil, err
		}
	}
	c.rest.Put(index, chunk{b: now})
	return now, nil
}

// growFirst makes the first chunk at least n bytes long, and ours.
func (c *content) growFirst(n int) error {
	old := c.first.b
	fresh := old == nil
	if fresh {
		n = int(max(uint64(n), min(c.underSize, chunkSize)))
	}
	n = max(n, len(old))
	if n <= cap(old) && !c.first.shared {
		c.first.b = old[:n]
		return nil
	}
	room := n
	if n > cap(old) {
		room = min(max(n, 2*cap(old)), chunkSize)
	}
	if err := c.fs.tree.Charge(int64(room - cap(old))); err != nil {
		return err
	}
	first := make([]byte, n, room)
	if fresh {
		if _, err := c.readUnder(first, 0); err != nil {
			c.fs.tree.Charge(int64(-room))
			return err
		}
	}
	copy(first, old)
	c.first = chunk{b: first}
	return nil
}

// Truncate is part of tree.Content.
func (c *content) Truncate(size uint64) error {
	if size < c.size {
		if err := c.cut(size); err != nil {
			return err
		}
	}
	c.size = size
	return nil
}

// cut drops what is behind size.
func (c *content) cut(size uint64) error {
	if within := int(size % chunkSize); within > 0 {
		index := size / chunkSize
		if _, ok := c.rest.Find(index); ok {
			held, err := c.writable(index, 0, 0)
			if err != nil {
				return err
			}
			clear(held[within:])
		}
	}
	if size < uint64(len(c.first.b)) {
		if c.first.shared {
			c.first = chunk{b: append(make([]byte, 0, cap(c.first.b)), c.first.b...)}
		}
		clear(c.first.b[size:])
		c.first.b = c.first.b[:size]
	}
	if size == 0 {
		c.fs.tree.Charge(int64(-cap(c.first.b)) - int64(c.rest.Len())*(chunkSize+costChunk))
		c.first, c.rest = chunk{}, fs9p.Table[uint64, chunk]{}
	}
	c.dropChunks((size+chunkSize-1)/chunkSize, (c.size+chunkSize-1)/chunkSize)
	c.underSize = min(c.underSize, size)
	if c.underSize == 0 && c.under != nil {
		c.under.Close()
		c.under = nil
		c.fs.tree.Charge(-costUnder)
	}
	return nil
}

// dropChunks drops those of the indices from and above, of which end is none.
func (c *content) dropChunks(from, end uint64) {
	var gone []uint64
	if end-from < uint64(c.rest.Len()) {
		for i := from; i < end; i++ {
			gone = append(gone, i)
		}
	} else {
		for i := range c.rest.All() {
			if i >= from {
				gone = append(gone, i)
			}
		}
	}
	for _, i := range gone {
		if _, ok := c.rest.Find(i); ok {
			c.rest.Delete(i)
			c.fs.tree.Charge(-chunkSize - costChunk)
		}
	}
}

// Ranges is part of fs9p.Sparse, which the tree's files pass on.
func (c *content) Ranges(yield func(off, n uint64) bool) error {
	if c.underSize > 0 {
		// What the Source has for holes is not asked.
		if !yield(0, min(c.underSize, c.size)) {
			return nil
		}
	} else if n := uint64(len(c.first.b)); n > 0 && !yield(0, min(n, c.size)) {
		return nil
	}
	var indices []uint64
	for i := range c.rest.All() {
		if i*chunkSize >= c.underSize {
			indices = append(indices, i)
		}
	}
	slices.Sort(indices)
	for _, i := range indices {
		if off := i * chunkSize; off < c.size && !yield(off, min(chunkSize, c.size-off)) {
			return nil
		}
	}
	return nil
}
