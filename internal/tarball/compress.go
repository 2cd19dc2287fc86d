package tarball

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"
)

// maxWindow bounds the memory that a compressed stream may ask for, in bytes.
const maxWindow = 128 << 20

// headLen is how many of a stream's first bytes tell what it is.
const headLen = 16

// A form is a form of data by its first bytes. One without open is known by
// name only.
type form struct {
	name  string
	magic string
	mask  byte // of the first byte; 0: all of it counts
	open  func(*bufio.Reader) (io.ReadCloser, error)
}

// forms are RFC 1952 2.3.1, RFC 8878 3.1.1 and 3.1.2 (a skippable frame in
// front), the .xz file format 1.2.1 2.1.1.1, the LZ4 frame format 1.6.4, and
// for the others file(1)'s magic.
var forms = []form{
	{"gzip", "\x1F\x8B", 0, openGzip},
	{"zstd", "\x28\xB5\x2F\xFD", 0, openZstd},
	{"zstd", "\x50\x2A\x4D\x18", 0xF0, openZstd},
	{"xz", "\xFD7zXZ\x00", 0, openXZ},
	{"bzip2", "BZh", 0, openBzip2},
	{"lzma", "\x5D\x00\x00", 0, openLZMA},
	{"lz4", "\x04\x22\x4D\x18", 0, openLZ4},
	{"compress", "\x1F\x9D", 0, nil},
	{"lzip", "LZIP", 0, nil},
	{"lzop", "\x89LZO\x00", 0, nil},
	{"zip", "PK\x03\x04", 0, nil},
	{"7z", "7z\xBC\xAF\x27\x1C", 0, nil},
	{"rar", "Rar!\x1A\x07", 0, nil},
	{"cpio", "07070", 0, nil},
	{"squashfs", "hsqs", 0, nil},
	{"qcow2", "QFI\xFB", 0, nil},
	{"vmdk", "KDMV", 0, nil},
	{"ar or deb", "!<arch>\n", 0, nil},
	{"rpm", "\xED\xAB\xEE\xDB", 0, nil},
}

func formOf(head []byte) *form {
	for i := range forms {
		f := &forms[i]
		if len(head) < len(f.magic) || f.mask != 0 && head[0]&f.mask != f.magic[0] || f.mask == 0 && head[0] != f.magic[0] {
			continue
		}
		if bytes.Equal(head[1:len(f.magic)], []byte(f.magic[1:])) {
			return f
		}
	}
	return nil
}

// Forms are the names of the forms that Decompress reads, for messages.
const Forms = "gzip, zstd, xz, bzip2, lzma or lz4"

// A FormError is the error of data in a form that is known and not read.
type FormError struct{ Form string }

func (e *FormError) Error() string {
	return "it is in the form of " + e.Form + ", which is not read here"
}

// Packed tells whether data that begin so are compressed in a form that
// Decompress reads. 16 bytes are enough; fewer are there only if the data are
// as short. The error is a FormError.
func Packed(head []byte) (bool, error) {
	f := formOf(head)
	if f != nil && f.open == nil {
		return false, &FormError{f.name}
	}
	return f != nil, nil
}

// Decompress gives what compressed data hold; data that are not compressed are
// given as they are. Closing it does not close r.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	head, err := br.Peek(headLen)
	if err != nil && err != io.EOF {
		return nil, err
	}
	f := formOf(head)
	switch {
	case f == nil:
		return io.NopCloser(br), nil
	case f.open == nil:
		return nil, &FormError{f.name}
	}
	z, err := f.open(br)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return z, nil
}

func openGzip(r *bufio.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

func openZstd(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

func openXZ(r *bufio.Reader) (io.ReadCloser, error) {
	z, err := xz.NewReader(r, maxWindow)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(z), nil
}

func openBzip2(r *bufio.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil }

func openLZ4(r *bufio.Reader) (io.ReadCloser, error) { return io.NopCloser(lz4.NewReader(r)), nil }

// openLZMA looks at the size of the dictionary first, which the header has
// behind a byte of properties.
func openLZMA(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(lzma.HeaderLen)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if n := binary.LittleEndian.Uint32(head[1:]); n > maxWindow {
		return nil, fmt.Errorf("a dictionary of %d MiB is too large", n>>20)
	}
	z, err := lzma.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(z), nil
}
