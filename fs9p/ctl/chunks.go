package ctl

import (
	"fmt"
	"io"
	"time"

	"alpinevm/fs9p"
)

// chunkMax bounds a chunk in bytes.
const chunkMax = sourceAhead * sourceChunk

// chunkLine is how the length of a chunk is told: a line of a fixed length.
const chunkLine = "%08d\n"

// Chunks adds two files that carry a stream in pieces of a known size, which
// Linux 6.8 and later need: they read no file, not even uncached, beyond the
// size that it had when it was opened, so that a Source seems empty to them. The
// first read of an opening of next waits for input or its end and makes what
// there is the current chunk; next then holds the length of that in 8 decimal
// digits and a line feed, zero at the end. Opened after that, data is the
// current chunk, until the next one is: the guest then has no use for the old
// one, which gives ESTALE. r is read as Source says.
func (fs *FS) Chunks(next, data string, mode uint32, r io.Reader) {
	c := &chunks{s: &source{post: fs.cfg.Post, r: r, wait: fs.cfg.Wait}, patience: fs.cfg.Patience}
	n := fs.add(next, mode)
	n.size = uint64(len(fmt.Sprintf(chunkLine, 0)))
	n.open = func(uint32) (fs9p.File, error) { return &nextFile{c: c}, nil }
	fs.remember(next, c)
	c.data = fs.add(data, mode)
	c.data.open = func(uint32) (fs9p.File, error) { return &chunkFile{c: c, number: c.number}, nil }
}

// chunks is a stream in pieces.
type chunks struct {
	s       *source
	data    *node
	current []byte
	number  uint64 // of the current chunk

	patience time.Duration // Config's
}

// advance makes what there is the current chunk and returns the line about it.
func (c *chunks) advance() (string, error) {
	there := 0
	for _, b := range c.s.ready {
		there += len(b)
	}
	b := make([]byte, min(there, chunkMax))
	n, err := c.s.take(b)
	if err != nil {
		return "", err
	}
	c.current, c.data.size = b[:n], uint64(n)
	c.number++
	return fmt.Sprintf(chunkLine, n), nil
}

// letsGo is part of waiter.
func (c *chunks) letsGo() bool { return c.s.released }

// release is part of waiter.
func (c *chunks) release(on bool) { c.s.release(on) }

// A nextFile is an opening of the first file.
type nextFile struct {
	inert
	c    *chunks
	line string // empty before the first read has ended
}

func (f *nextFile) StartRead(p []byte, off uint64, done func(n int, err error)) (int, func(), error) {
	s := f.c.s
	s.start()
	if f.line == "" && len(s.ready) == 0 && !s.ended {
		if s.released {
			return 0, nil, nil
		}
		// A read of nothing waits its turn and takes nothing.
		w := &sourceRead{}
		timer := late(f.c.patience, s.post, func() {
			if s.cancel(w) {
				done(0, nil)
			}
		})
		stop := func() {
			if timer != nil {
				timer.Stop()
			}
		}
		w.done = func(int, error) { stop(); done(f.read(p, off)) }
		w.nothing = func() { stop(); done(0, nil) }
		s.waiting = append(s.waiting, w)
		return 0, func() { stop(); s.cancel(w) }, nil
	}
	n, err := f.read(p, off)
	return n, nil, err
}

// read reads the line, which is made where it is not there yet.
func (f *nextFile) read(p []byte, off uint64) (int, error) {
	if f.line == "" {
		line, err := f.c.advance()
		if err != nil {
			return 0, err
		}
		f.line = line
	}
	return static(f.line).ReadAt(p, off)
}

func (f *nextFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}

// A chunkFile is an opening of the second file, which does not keep its chunk.
type chunkFile struct {
	inert
	c      *chunks
	number uint64
}

func (f *chunkFile) ReadAt(p []byte, off uint64) (int, error) {
	if f.number != f.c.number {
		return 0, fs9p.ESTALE
	}
	return static(f.c.current).ReadAt(p, off)
}
