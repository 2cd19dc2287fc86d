// Package chunked keeps large files as chunks of their own, so that what serves files
// and no more can serve a part of one. A chunk is compressed (zstd, RFC 8878) and
// named for the content that it holds.
package chunked

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Size is how many bytes of a file a chunk has; the last one has fewer.
const Size = 256 << 10

// Large is Size for files that are read from their beginning to their end: what it costs
// to get a chunk depends little on how long it is.
const Large = 1 << 20

// maxFile bounds what a File may say of itself: 1 TiB.
const maxFile = 1 << 40

// File says what a file is made of.
type File struct {
	Size   int64    `json:"size"`           // bytes
	Part   int64    `json:"part,omitempty"` // bytes of a chunk, Large at most; 0: Size
	Chunks []string `json:"chunks"`
}

// part is how many bytes a chunk has.
func (f *File) part() int64 { return cmp.Or(f.Part, Size) }

// ErrChunk is the error of a chunk that is not what its name says.
var ErrChunk = errors.New("a part of a file is damaged")

// name is what a chunk of that content is called: half of its SHA-256.
func name(data []byte) string {
	sum := sha256.Sum256(data)
	return named(sum[:])
}

func named(sum []byte) string { return hex.EncodeToString(sum[:sha256.Size/2]) }

// Split takes r, of size bytes, apart. put gets each chunk, compressed, and its name; the
// same one may come more than once.
func Split(r io.ReaderAt, size int64, put func(name string, data []byte) error) (File, error) {
	return File{Size: size}.split(r, put)
}

// SplitLarge is Split for a file that is read from its beginning to its end.
func SplitLarge(r io.ReaderAt, size int64, put func(name string, data []byte) error) (File, error) {
	return File{Size: size, Part: Large}.split(r, put)
}

func (f File) split(r io.ReaderAt, put func(name string, data []byte) error) (File, error) {
	// What a chunk's name says of its content makes a checksum needless.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return File{}, err
	}
	defer enc.Close()
	f.Chunks = []string{}
	buf := make([]byte, f.part())
	for at := int64(0); at < f.Size; at += f.part() {
		data := buf[:min(f.part(), f.Size-at)]
		if n, err := r.ReadAt(data, at); n < len(data) {
			return File{}, err
		}
		f.Chunks = append(f.Chunks, name(data))
		if err := put(name(data), enc.EncodeAll(data, nil)); err != nil {
			return File{}, err
		}
	}
	return f, nil
}

// check says whether the file can be.
func (f *File) check() error {
	if f.Part < 0 || f.Part > Large {
		return fmt.Errorf("a file is said to have parts of %d bytes", f.Part)
	}
	if f.Size < 0 || f.Size > maxFile || int64(len(f.Chunks)) != (f.Size+f.part()-1)/f.part() {
		return fmt.Errorf("a file of %d bytes is said to have %d parts", f.Size, len(f.Chunks))
	}
	return nil
}

// Source gets chunks, compressed, by their names. It may be called from any goroutine. A
// Cache is done with what it got when it asks for the next one.
type Source func(name string) ([]byte, error)

// Reader reads a File. Its methods may be called from any goroutine. It implements
// io.ReaderAt.
type Reader struct {
	file  File
	store *Cache
}

// Cache keeps the chunks that were used last, of any number of files.
type Cache struct {
	// Digest, where it is not nil, gives the SHA-256 of a chunk's content faster than
	// this package does. It is set before the first chunk is read.
	Digest func(data []byte) ([]byte, error)
	// Again, where it is not nil, gets a chunk anew of which Source has given what is
	// damaged: past whatever keeps copies.
	Again Source

	source Source
	dec    *zstd.Decoder

	mu    sync.Mutex
	kept  []chunk // the one used last is the last
	bytes int     // of them
	max   int
}

type chunk struct {
	name string
	data []byte
}

// NewCache makes a Cache that keeps that many chunks of Size, or fewer larger ones, one at
// least.
func NewCache(source Source, chunks int) (*Cache, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(Large), zstd.IgnoreChecksum(true))
	if err != nil {
		return nil, err
	}
	return &Cache{source: source, dec: dec, max: chunks * Size}, nil
}

// Open gives a reader of a file.
func (c *Cache) Open(f File) (*Reader, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return &Reader{f, c}, nil
}

// read copies from the content of a chunk, which has n bytes, from off on.
func (c *Cache) read(want string, n, off int, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range c.kept {
		if k.name == want && len(k.data) == n {
			copy(c.kept[i:], c.kept[i+1:])
			c.kept[len(c.kept)-1] = k
			return copy(p, k.data[off:]), nil
		}
	}
	data, err := c.fetch(want, n, c.room(n))
	if err != nil {
		return 0, err
	}
	c.kept = append(c.kept, chunk{want, data})
	c.bytes += n
	return copy(p, data[off:]), nil
}

// Whole reads a file that is read once: straight to where it goes, past what is kept.
func (c *Cache) Whole(f File) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	data := make([]byte, f.Size)
	for i, want := range f.Chunks {
		at := int64(i) * f.part()
		to := min(at+f.part(), f.Size)
		part, err := c.fetch(want, int(to-at), data[at:at:to])
		if err != nil {
			return nil, err
		}
		copy(data[at:to], part) // which it is, unless there was no room for it on its way
	}
	return data, nil
}

// fetch gets a chunk's content, of n bytes, into room if it fits.
func (c *Cache) fetch(want string, n int, room []byte) ([]byte, error) {
	data, err := c.get(c.source, want, n, room)
	if errors.Is(err, ErrChunk) && c.Again != nil {
		data, err = c.get(c.Again, want, n, room)
	}
	return data, err
}

// get gets a chunk's content, of n bytes, which is what its name says.
func (c *Cache) get(from Source, want string, n int, room []byte) ([]byte, error) {
	packed, err := from(want)
	if err != nil {
		return nil, err
	}
	data, err := c.dec.DecodeAll(packed, room)
	if err != nil || len(data) != n {
		return nil, fmt.Errorf("%w: %.40q", ErrChunk, want)
	}
	is, err := c.name(data)
	if err != nil {
		return nil, err
	}
	if is != want {
		return nil, fmt.Errorf("%w: %.40q", ErrChunk, want)
	}
	return data, nil
}

// room drops what is to make room for n bytes, and gives where they go: memory that was
// used before is better than fresh memory, in a browser above all.
func (c *Cache) room(n int) []byte {
	var room []byte
	for len(c.kept) > 0 && c.bytes+n > c.max {
		old := c.kept[0].data
		copy(c.kept, c.kept[1:])
		c.kept = c.kept[:len(c.kept)-1]
		c.bytes -= len(old)
		if cap(old) >= n {
			room = old[:0]
		}
	}
	if room == nil {
		room = make([]byte, 0, n)
	}
	return room
}

// name is what a chunk of that content is called.
func (c *Cache) name(data []byte) (string, error) {
	if c.Digest == nil {
		return name(data), nil
	}
	sum, err := c.Digest(data)
	if err != nil || len(sum) != sha256.Size {
		return "", errors.Join(err, fmt.Errorf("a digest of %d bytes", len(sum)))
	}
	return named(sum), nil
}

// Size is the file's, in bytes.
func (r *Reader) Size() int64 { return r.file.Size }

// ReadAt is part of io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("a read before the beginning of the file")
	}
	for n < len(p) {
		at := off + int64(n)
		if at >= r.file.Size {
			return n, io.EOF
		}
		part := r.file.part()
		i := at / part
		m, err := r.store.read(r.file.Chunks[i], int(min(part, r.file.Size-i*part)), int(at-i*part), p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Checked is part of snapshot.Checked.
func (r *Reader) Checked() {}

// Bytes is SplitLarge for what is in memory.
func Bytes(data []byte, put func(name string, data []byte) error) (File, error) {
	return SplitLarge(bytes.NewReader(data), int64(len(data)), put)
}
