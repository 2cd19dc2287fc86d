package apk

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// streams reads gzip streams that lie one after the other. It takes no byte
// more than belongs to a stream, and sums up those that it takes.
type streams struct {
	r        io.Reader
	buf      []byte
	pos, end int // what is left of the buffer
	summed   int // up to here in the buffer
	read     int // bytes of r in all
	sum      io.Writer
	z        gzip.Reader
}

func newStreams(r io.Reader) *streams { return &streams{r: r, buf: make([]byte, 64<<10)} }

// sumUp has w get what is taken from here on; nil: nothing does.
func (s *streams) sumUp(w io.Writer) {
	s.add()
	s.sum = w
}

// add sums up what was taken since the last time.
func (s *streams) add() {
	if s.sum != nil {
		s.sum.Write(s.buf[s.summed:s.pos])
	}
	s.summed = s.pos
}

// fill reads on if the buffer is empty.
func (s *streams) fill() error {
	if s.pos < s.end {
		return nil
	}
	s.add()
	s.pos, s.end, s.summed = 0, 0, 0
	for range 100 {
		n, err := s.r.Read(s.buf)
		if n > 0 {
			s.end, s.read = n, s.read+n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// taken is how many bytes of r were taken.
func (s *streams) taken() int { return s.read - (s.end - s.pos) }

// Read is part of io.Reader.
func (s *streams) Read(p []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(p, s.buf[s.pos:s.end])
	s.pos += n
	return n, nil
}

// ReadByte is part of io.ByteReader, by which the decompressor knows that it
// can stop at the end of a stream.
func (s *streams) ReadByte() (byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	s.pos++
	return s.buf[s.pos-1], nil
}

// next begins a stream, or all that are left; io.EOF says that there is none.
func (s *streams) next(all bool) (io.Reader, error) {
	if err := s.fill(); err != nil {
		return nil, err
	}
	if err := s.z.Reset(s); err != nil {
		return nil, damaged(err)
	}
	s.z.Multistream(all)
	return decompressed{&s.z}, nil
}

// decompressed names what is wrong with a stream.
type decompressed struct{ z *gzip.Reader }

func (d decompressed) Read(p []byte) (int, error) {
	n, err := d.z.Read(p)
	if err != nil && err != io.EOF {
		err = damaged(err)
	}
	return n, err
}

// damaged makes of the decompressor's errors one of ours. Those of the reader
// below it are passed on.
func damaged(err error) error {
	var corrupt flate.CorruptInputError
	var internal flate.InternalError
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt), errors.As(err, &internal):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// readStream reads a stream of at most maxControl bytes whole.
func (s *streams) readStream() ([]byte, error) {
	r, err := s.next(false)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(&limited{r, maxControl, "its head"})
	return b.Bytes(), err
}
