// Package chunked keeps large files as chunks of their own, so that what serves files
// and no more can serve a part of one. A chunk is compressed (zstd, RFC 8878) and
// named for the content that it holds.
package chunked

import (
	"bytes"
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

// maxFile bounds what a File may say of itself: 1 TiB.
const maxFile = 1 << 40

// File says what a file is made of.
type File struct {
	Size   int64    `json:"size"` // bytes
	Chunks []string `json:"chunks"`
}

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
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return File{}, err
	}
	defer enc.Close()
	f := File{Size: size, Chunks: []string{}}
	buf := make([]byte, Size)
	for at := int64(0); at < size; at += Size {
		data := buf[:min(Size, size-at)]
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
	if f.Size < 0 || f.Size > maxFile || int64(len(f.Chunks)) != (f.Size+Size-1)/Size {
		return fmt.Errorf("a file of %d bytes is said to have %d parts", f.Size, len(f.Chunks))
	}
	return nil
}

// Source gets chunks, compressed, by their names. It may be called from any goroutine.
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

	source Source
	dec    *zstd.Decoder

	mu   sync.Mutex
	kept []chunk // the one used last is the last
	max  int
}

type chunk struct {
	name string
	data []byte
}

// NewCache makes a Cache that keeps that many chunks.
func NewCache(source Source, chunks int) (*Cache, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(Size))
	if err != nil {
		return nil, err
	}
	return &Cache{source: source, dec: dec, max: chunks}, nil
}

// Open gives a reader of a file.
func (c *Cache) Open(f File) (*Reader, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	return &Reader{f, c}, nil
}

// chunk gives the content of a chunk, which has n bytes.
func (c *Cache) chunk(want string, n int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range c.kept {
		if k.name == want && len(k.data) == n {
			copy(c.kept[i:], c.kept[i+1:])
			c.kept[len(c.kept)-1] = k
			return k.data, nil
		}
	}
	packed, err := c.source(want)
	if err != nil {
		return nil, err
	}
	data, err := c.dec.DecodeAll(packed, make([]byte, 0, n))
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
	if len(c.kept) == c.max {
		copy(c.kept, c.kept[1:])
		c.kept = c.kept[:c.max-1]
	}
	c.kept = append(c.kept, chunk{want, data})
	return data, nil
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
		i := at / Size
		data, err := r.store.chunk(r.file.Chunks[i], int(min(Size, r.file.Size-i*Size)))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at-i*Size:])
	}
	return n, nil
}

// Bytes is Split for what is in memory.
func Bytes(data []byte, put func(name string, data []byte) error) (File, error) {
	return Split(bytes.NewReader(data), int64(len(data)), put)
}
