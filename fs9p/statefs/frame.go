package statefs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// The form of a journal, numbers little-endian:
//
//	   0  header  magic, saltLen random bytes, a checksum of these
//	 512          the same once more
//	1024  mark    8 bytes: an end that was synced; 4: the checksum of the frame
//	              before it; 4: a checksum of these
//	1536          another one; the two are written in turn
//	4096  frames  4 bytes: the length of the records, not 0; 4: the checksum of
//	              the frame before (0 for the first); 4: the frame's own; 4: a
//	              checksum of this head; the records (package tree), one behind
//	              the other
//
// The checksums are CRC-32C. A frame's own is of the salt, of its place in the
// file, of what its head says of the frame before and of the records; that of
// the head is of the salt, the place and the head. So every frame can be told by
// itself from what it is not, wherever one looks, even if a guest chose the
// bytes, since it does not know the salt; and that two frames follow each other
// can be told too.
const (
	magicName = "alpinevm state "
	magic     = magicName + "2"
	saltLen   = 16
	headerLen = len(magic) + saltLen + 4
	headerAt  = 512  // the second header
	marksAt   = 1024 // the first mark; the second one follows at markStep
	markStep  = 512
	markLen   = 16
	framesAt  = int64(4096)
	frameHead = 16
	maxFrame  = 64 << 20 // far more than one change can be
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type salt [saltLen]byte

// sum is a checksum of the salt, a kind of thing, a place and what is there.
func (s *salt) sum(kind byte, at int64, parts ...[]byte) uint32 {
	var b [9]byte
	b[0] = kind
	binary.LittleEndian.PutUint64(b[1:], uint64(at))
	c := crc32.Update(crc32.Checksum(s[:], castagnoli), castagnoli, b[:])
	for _, p := range parts {
		c = crc32.Update(c, castagnoli, p)
	}
	return c
}

// appendHeader appends a header.
func (s *salt) appendHeader(b []byte) []byte {
	b = append(append(b, magic...), s[:]...)
	return binary.LittleEndian.AppendUint32(b, s.sum('s', 0, []byte(magic)))
}

// readHeader reads one; ok is false where there is none.
func readHeader(b []byte) (s salt, ok bool) {
	if len(b) < headerLen {
		return s, false
	}
	copy(s[:], b[len(magic):])
	return s, bytes.Equal(b[:headerLen], s.appendHeader(nil))
}

// A mark is a place in a journal up to which it was synced.
type mark struct {
	end int64
	sum uint32 // of the frame before
}

func (s *salt) appendMark(b []byte, m mark) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.end))
	b = binary.LittleEndian.AppendUint32(b, m.sum)
	return binary.LittleEndian.AppendUint32(b, s.sum('m', 0, b[at:]))
}

func (s *salt) readMark(b []byte) (m mark, ok bool) {
	m = mark{int64(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint32(b[8:])}
	return m, bytes.Equal(b[:markLen], s.appendMark(nil, m))
}

// A head is what stands before the records of a frame.
type head struct {
	n, prev, sum uint32
}

// appendFrame appends the frame of records that is to be at a place, and gives
// its checksum.
func (s *salt) appendFrame(b []byte, at int64, prev uint32, records []byte) ([]byte, uint32) {
	from := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(records)))
	b = binary.LittleEndian.AppendUint32(b, prev)
	sum := s.sum('f', at, b[from+4:], records)
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = binary.LittleEndian.AppendUint32(b, s.sum('h', at, b[from:]))
	return append(b, records...), sum
}

// readHead reads the head of a frame at a place; ok is false where there is none.
func (s *salt) readHead(b []byte, at int64) (h head, ok bool) {
	h = head{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}
	if h.n == 0 || h.n > maxFrame {
		return h, false
	}
	return h, binary.LittleEndian.Uint32(b[12:]) == s.sum('h', at, b[:12])
}

// whole tells whether records are those of the head.
func (s *salt) whole(h head, at int64, records []byte) bool {
	var prev [4]byte
	binary.LittleEndian.PutUint32(prev[:], h.prev)
	return h.sum == s.sum('f', at, prev[:], records)
}

// frames reads the frames of a file.
type frames struct {
	salt salt
	r    io.ReaderAt
	size int64
	buf  []byte
	from int64 // of buf in the file
}

// view gives n bytes at a place, valid until the next call; fewer only at the end.
func (f *frames) view(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), f.size-at))
	if n <= 0 {
		return nil, nil
	}
	if at < f.from || at+int64(n) > f.from+int64(len(f.buf)) {
		want := int(min(int64(max(n, 1<<20)), f.size-at))
		if cap(f.buf) < want {
			f.buf = make([]byte, want)
		}
		f.buf, f.from = f.buf[:want], at
		k, err := f.r.ReadAt(f.buf, at)
		if k < want {
			f.buf = f.buf[:0]
			return nil, err
		}
	}
	return f.buf[at-f.from:][:n], nil
}

// at gives the frame at a place, its records valid until the next call; ok is
// false where there is none, or one that is not whole.
func (f *frames) at(at int64) (h head, records []byte, ok bool, err error) {
	b, err := f.view(at, frameHead)
	if err != nil || len(b) < frameHead {
		return h, nil, false, err
	}
	if h, ok = f.salt.readHead(b, at); !ok {
		return h, nil, false, nil
	}
	b, err = f.view(at+frameHead, int(h.n))
	if err != nil || len(b) < int(h.n) {
		return h, nil, false, err
	}
	return h, b, f.salt.whole(h, at, b), nil
}

// next finds the first whole frame at a place or behind it.
func (f *frames) next(at int64) (int64, bool, error) {
	for ; at+frameHead < f.size; at++ {
		if b, err := f.view(at, frameHead); b == nil {
			return 0, false, err
		}
		b := f.buf[at-f.from:]
		// In room that is not used yet there is nothing to be read.
		if binary.LittleEndian.Uint32(b) == 0 {
			zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
			at += int64(zeros - 4)
			continue
		}
		if _, ok := f.salt.readHead(b, at); !ok {
			continue
		}
		if _, _, ok, err := f.at(at); ok || err != nil {
			return at, ok, err
		}
	}
	return 0, false, nil
}
