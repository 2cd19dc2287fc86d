package virtq

import (
	"io"
	"math"
)

// Chain is one buffer of the driver's: a device-readable part and, after it, a
// device-writable one, each in pieces. A Chain is made by its user and filled
// by Queue.Next; it may be filled again and again.
type Chain struct {
	Head uint16 // the index that Push wants

	mem               Memory
	segs              []segment
	readable          int // the first so many of segs are device-readable
	readLen, writeLen uint64
}

// segment is a piece of guest memory; neighbours that touch are one segment.
type segment struct {
	addr uint64
	size int
}

// add appends the buffer of one descriptor. One of zero length adds nothing:
// virtio 1.2 does not forbid it.
func (c *Chain) add(addr uint64, size uint32, write bool) error {
	switch {
	case write:
		c.writeLen += uint64(size)
	case c.readable != len(c.segs):
		return FaultOrder // virtio 1.2, 2.7.4.2
	default:
		c.readLen += uint64(size)
	}
	if size == 0 {
		return nil
	}
	if uint64(size) > math.MaxInt || addr+uint64(size) < addr {
		return FaultAddress
	}
	first := 0 // first segment of the same direction
	if write {
		first = c.readable
	}
	if n := len(c.segs); n > first {
		last := &c.segs[n-1]
		if last.addr+uint64(last.size) == addr && uint64(last.size)+uint64(size) <= math.MaxInt32 {
			last.size += int(size)
			return nil
		}
	}
	c.segs = append(c.segs, segment{addr, int(size)})
	if !write {
		c.readable = len(c.segs)
	}
	return nil
}

// check makes sure that the whole chain is RAM, so that a device finds out
// before it acts on a part of it.
func (c *Chain) check() error {
	if c.readLen+c.writeLen > maxChain {
		return FaultLength
	}
	for _, s := range c.segs {
		if _, ok := c.mem.View(s.addr, s.size, false); !ok {
			return FaultAddress
		}
	}
	return nil
}

// ReadLen is the length of the device-readable part in bytes.
func (c *Chain) ReadLen() int { return int(c.readLen) }

// WriteLen is the length of the device-writable part in bytes.
func (c *Chain) WriteLen() int { return int(c.writeLen) }

// Reader returns a cursor at the start of the device-readable part.
func (c *Chain) Reader() Cursor {
	return Cursor{mem: c.mem, segs: c.segs[:c.readable], left: int(c.readLen)}
}

// Writer returns a cursor at the start of the device-writable part.
func (c *Chain) Writer() Cursor {
	return Cursor{mem: c.mem, segs: c.segs[c.readable:], left: int(c.writeLen), write: true}
}

// Cursor walks one part of a Chain. It is valid as long as the chain is; the
// views that it returns are valid until the device returns to its caller.
type Cursor struct {
	mem   Memory
	segs  []segment
	off   int // into segs[0]
	left  int
	write bool
}

// Len is the number of bytes that are left.
func (c *Cursor) Len() int { return c.left }

// Next returns a view of the next bytes that lie together, at most max of
// them, and moves past them. At the end it returns io.EOF.
func (c *Cursor) Next(max int) ([]byte, error) {
	if c.left == 0 {
		return nil, io.EOF
	}
	s := &c.segs[0]
	n := min(s.size-c.off, max)
	b, ok := c.mem.View(s.addr+uint64(c.off), n, c.write)
	if !ok {
		return nil, FaultAddress
	}
	c.Skip(n)
	return b, nil
}

// Skip moves past n bytes, or to the end if fewer are left.
func (c *Cursor) Skip(n int) {
	n = min(n, c.left)
	c.left -= n
	for n > 0 {
		k := min(n, c.segs[0].size-c.off)
		c.off += k
		n -= k
		if c.off == c.segs[0].size {
			c.segs, c.off = c.segs[1:], 0
		}
	}
}

// Read fills p from the device-readable part (io.Reader).
func (c *Cursor) Read(p []byte) (int, error) {
	if c.write {
		panic("BUG: virtq: Read on a writer")
	}
	n := 0
	for n < len(p) {
		b, err := c.Next(len(p) - n)
		if err == io.EOF && n > 0 {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b)
	}
	return n, nil
}

// Write stores p into the device-writable part (io.Writer). It returns
// io.ErrShortBuffer, with what fits stored, if p is longer than what is left.
func (c *Cursor) Write(p []byte) (int, error) {
	if !c.write {
		panic("BUG: virtq: Write on a reader")
	}
	n := 0
	for n < len(p) {
		b, err := c.Next(len(p) - n)
		if err == io.EOF {
			return n, io.ErrShortBuffer
		}
		if err != nil {
			return n, err
		}
		n += copy(b, p[n:])
	}
	return n, nil
}

// Bytes returns the next n bytes of the device-readable part, n being at most
// Len: a view if they lie together, else a copy in *scratch, which grows.
func (c *Cursor) Bytes(n int, scratch *[]byte) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	if len(c.segs) > 0 && c.segs[0].size-c.off >= n {
		return c.Next(n)
	}
	if cap(*scratch) < n {
		*scratch = make([]byte, n)
	}
	b := (*scratch)[:n]
	k, err := c.Read(b)
	if err == nil && k < n {
		err = io.ErrUnexpectedEOF
	}
	return b[:k], err
}
