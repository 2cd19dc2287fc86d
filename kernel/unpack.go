package kernel

import (
	"bytes"
	"compress/bzip2"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// format is a compression format that kernels and modules come in.
type format int

const (
	formatUnknown format = iota
	formatGzip
	formatXZ
	formatLZMA
	formatZstd
	formatLZ4
	formatBzip2
	formatLZO
)

// formats lists what a compressed stream starts with (Linux lib/decompress.c has the same table).
var formats = [...]struct {
	format format
	name   string
	magic  string
}{
	{formatGzip, "gzip", "\x1F\x8B"},
	{formatXZ, "xz", "\xFD7zXZ\x00"},
	{formatLZMA, "lzma", "\x5D\x00\x00"},
	{formatZstd, "zstd", "\x28\xB5\x2F\xFD"},
	{formatLZ4, "lz4", "\x02\x21\x4C\x18"},
	{formatBzip2, "bzip2", "BZh"},
	{formatLZO, "lzo", "\x89LZO\x00"},
}

func (f format) String() string {
	for _, row := range formats {
		if row.format == f {
			return row.name
		}
	}
	return "unknown"
}

// detectFormat looks at the first bytes of a stream.
func detectFormat(data []byte) format {
	for _, row := range formats {
		if bytes.HasPrefix(data, []byte(row.magic)) {
			return row.format
		}
	}
	return formatUnknown
}

// Bounds on what compressed data may ask of the host.
const (
	maxKernel  = 256 << 20 // bytes of an unpacked kernel
	maxModule  = 64 << 20  // bytes of an unpacked module
	maxXZDict  = 128 << 20 // bytes of dictionary, what Linux's build uses at most
	lzmaHeader = 13
)

var (
	errNotCompressed = errors.New("compression format is not known")
	errTooLarge      = errors.New("unpacked data is larger than allowed")
)

// unpack decompresses a stream of any known format. exact is the uncompressed size where it is known (bytes after it are ignored), else
// -1. More than limit bytes are an error.
func unpack(data []byte, exact, limit int64) ([]byte, error) {
	f := detectFormat(data)
	r, err := decompressor(f, data)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	var out bytes.Buffer
	if exact > 0 && exact <= limit {
		out.Grow(int(min(exact, int64(len(data))*32)))
		limit = exact
	}
	n, err := io.Copy(&out, io.LimitReader(r, limit))
	if exact > 0 && n == exact {
		return out.Bytes(), nil // what follows the kernel in the stream's container is not ours to judge
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", f, err)
	}
	if exact > 0 {
		return nil, fmt.Errorf("%v: %d bytes unpacked, %d expected", f, n, exact)
	}
	if k, _ := r.Read(make([]byte, 1)); k > 0 {
		return nil, fmt.Errorf("%v: %w", f, errTooLarge)
	}
	return out.Bytes(), nil
}

// decompressor makes a reader of the uncompressed stream.
func decompressor(f format, data []byte) (io.Reader, error) {
	src := bytes.NewReader(data)
	switch f {
	case formatGzip:
		r, err := gzip.NewReader(src)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return r, nil
	case formatXZ:
		r, err := xz.NewReader(src, maxXZDict)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return r, nil
	case formatLZMA:
		if len(data) < lzmaHeader || binary.LittleEndian.Uint32(data[1:]) > maxXZDict {
			return nil, errTooLarge
		}
		return lzma.NewReader(src)
	case formatZstd:
		r, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxXZDict), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return &oneFrame{r}, nil
	case formatLZ4:
		return lz4.NewReader(src), nil
	case formatBzip2:
		return bzip2.NewReader(src), nil
	}
	return nil, errNotCompressed
}

// oneFrame ends a zstd stream quietly where the bytes after its last frame are no frame.
type oneFrame struct{ *zstd.Decoder }

func (r *oneFrame) Read(p []byte) (int, error) {
	n, err := r.Decoder.Read(p)
	if errors.Is(err, zstd.ErrMagicMismatch) {
		err = io.EOF
	}
	return n, err
}

// unpackPayload returns a bzImage's vmlinux, from the cache where it is there. The payload is a compressed ELF file, followed by
// its uncompressed length (in gzip the last field of the format itself). An error means that only the kernel can unpack it.
func (h *setupHeader) unpackPayload(cache Cache) ([]byte, error) {
	if len(h.payload) < 5 {
		return nil, errNotCompressed
	}
	var key string
	if cache != nil {
		sum := sha256.Sum256(h.payload)
		key = "vmlinux-" + hex.EncodeToString(sum[:])
		if data, ok := cache.Load(key); ok {
			return data, nil
		}
	}
	size := int64(binary.LittleEndian.Uint32(h.payload[len(h.payload)-4:]))
	if size == 0 || size > maxKernel {
		return nil, errTooLarge
	}
	data, err := unpack(h.payload, size, maxKernel)
	if err != nil {
		return nil, err
	}
	if cache != nil {
		cache.Store(key, data)
	}
	return data, nil
}
