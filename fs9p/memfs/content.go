package memfs

import (
	"math"

	"alpinevm/fs9p"
)

// chunkSize is the unit in which all of a file but its beginning is held.
const chunkSize = 64 << 10

type chunk [chunkSize]byte

// content is the data of a regular file: its first chunk as a slice that grows,
// the others whole, in a map, so that a hole costs nothing wherever it is and
// writing on never copies what is there. What no chunk holds is read from
// under, up to underSize, and is zero beyond.
type content struct {
	size      uint64
	first     []byte // at most chunkSize; what is behind its length is zero
	rest      map[uint64]*chunk
	under     fs9p.Source
	underSize uint64
}

func (c *content) blocks() uint64 {
	held := uint64(len(c.first)) + uint64(len(c.rest))*chunkSize
	return (max(held, c.underSize) + 511) / 512
}

func (c *content) readAt(p []byte, off uint64) (int, error) {
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

// readChunk fills p, which does not go past the chunk's end.
func (c *content) readChunk(p []byte, index uint64, within int) error {
	var n int
	switch held, ok := c.rest[index]; {
	case ok:
		n = copy(p, held[within:])
	case index == 0 && c.first != nil:
		if within < len(c.first) {
			n = copy(p, c.first[within:])
		}
	default:
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

func (c *content) writeAt(fs *FS, p []byte, off uint64) (int, error) {
	if off > math.MaxInt64-uint64(len(p)) {
		return 0, fs9p.EFBIG
	}
	done := 0
	for done < len(p) {
		at := off + uint64(done)
		within := int(at % chunkSize)
		part := p[done:min(len(p), done+chunkSize-within)]
		held, err := c.writable(fs, at/chunkSize, within, len(part))
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
func (c *content) writable(fs *FS, index uint64, within, n int) ([]byte, error) {
	if index == 0 {
		if err := c.growFirst(fs, within+n); err != nil {
			return nil, err
		}
		return c.first, nil
	}
	if held := c.rest[index]; held != nil {
		return held[:], nil
	}
	if err := fs.charge(chunkSize); err != nil {
		return nil, err
	}
	held := new(chunk)
	if n < chunkSize {
		if _, err := c.readUnder(held[:], index*chunkSize); err != nil {
			fs.charge(-chunkSize)
			return nil, err
		}
	}
	if c.rest == nil {
		c.rest = map[uint64]*chunk{}
	}
	c.rest[index] = held
	return held[:], nil
}

// growFirst makes the first chunk at least n bytes long.
func (c *content) growFirst(fs *FS, n int) error {
	fresh := c.first == nil
	if fresh {
		n = int(max(uint64(n), min(c.underSize, chunkSize)))
	}
	if n <= cap(c.first) {
		c.first = c.first[:max(n, len(c.first))]
		return nil
	}
	room := min(max(n, 2*cap(c.first)), chunkSize)
	if err := fs.charge(room - cap(c.first)); err != nil {
		return err
	}
	first := make([]byte, n, room)
	if fresh {
		if _, err := c.readUnder(first, 0); err != nil {
			fs.charge(-room)
			return err
		}
	}
	copy(first, c.first)
	c.first = first
	return nil
}

// truncate changes the size. What is cut off reads as zero if the file grows again.
func (c *content) truncate(fs *FS, size uint64) error {
	if size < c.size {
		keep := (size + chunkSize - 1) / chunkSize
		for i := range c.rest {
			if i >= keep {
				delete(c.rest, i)
				fs.charge(-chunkSize)
			}
		}
		if held := c.rest[size/chunkSize]; held != nil {
			clear(held[size%chunkSize:])
		}
		switch {
		case size == 0:
			fs.charge(-cap(c.first))
			c.first = nil
		case size < uint64(len(c.first)):
			clear(c.first[size:])
			c.first = c.first[:size]
		}
		c.underSize = min(c.underSize, size)
	}
	c.size = size
	if c.underSize == 0 && c.under != nil {
		c.under.Close()
		c.under = nil
	}
	return nil
}

// Back is part of fs9p.Backer.
func (fs *FS) Back(n fs9p.Node, src fs9p.Source, size uint64) error {
	f, ok := n.(*inode)
	if !ok || f.fs != fs || f.kind() != fs9p.ModeRegular || f.data.size != 0 {
		return fs9p.EINVAL
	}
	if size == 0 {
		return src.Close()
	}
	f.data = content{size: size, under: src, underSize: size}
	return nil
}
