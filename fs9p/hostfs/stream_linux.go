package hostfs

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// A mark is a place in the listing of a directory: what getdents64(2) calls d_off.
type mark int64

const start mark = 0

// A stream reads a directory piece by piece.
type stream struct {
	dir  *os.File
	buf  [16 << 10]byte
	rest []byte // of buf, not yet told
}

// openStream opens a directory for listing from a place on.
func openStream(f *folder, at mark) (*stream, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	if at != start {
		if _, err := unix.Seek(int(d.Fd()), int64(at), io.SeekStart); err != nil {
			d.Close()
			return nil, err
		}
	}
	return &stream{dir: d}, nil
}

func (s *stream) close() { s.dir.Close() }

// The fields of struct linux_dirent64 (getdents64(2)): d_ino, d_off, d_reclen, d_type, d_name.
const (
	dOff    = 8
	dReclen = 16
	dName   = 19
)

// peek gives the next name and the place behind it; no name is the end.
func (s *stream) peek() (string, mark, error) {
	if len(s.rest) == 0 {
		n, err := unix.ReadDirent(int(s.dir.Fd()), s.buf[:])
		if err != nil || n == 0 {
			return "", 0, err
		}
		s.rest = s.buf[:n]
	}
	d := s.rest[:s.reclen()]
	name, _, _ := bytes.Cut(d[dName:], []byte{0})
	return string(name), mark(binary.NativeEndian.Uint64(d[dOff:])), nil
}

// skip goes on behind what peek gave.
func (s *stream) skip() { s.rest = s.rest[s.reclen():] }

func (s *stream) reclen() int { return int(binary.NativeEndian.Uint16(s.rest[dReclen:])) }
