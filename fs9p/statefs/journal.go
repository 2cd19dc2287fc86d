package statefs

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A journal is a file of a header and frames, numbers little-endian:
//
//	header  magic, and saltLen random bytes
//	frame   4 bytes: the length of its records, not 0; 4 bytes: a checksum;
//	        the records, one behind the other (record.go)
//
// The checksum is CRC-32C of the salt, of the checksum of the frame before (0
// for the first) and of the records. It is the end of the journal where there
// is no whole frame: behind it are zeros, or what a process that died has not
// finished, or what is left of an older frame. Neither of these can pass for a
// frame, even if the guest chose the bytes, since it does not know the salt.
//
// Frames are written into room that has been filled with zeros before, so that
// a full disk is found out before a change is made, not in the middle.
type journal struct {
	name string
	file *os.File
	salt [saltLen]byte
	sum  uint32 // of the last frame
	end  int64  // of the last frame
	size int64  // of the file
	base int64  // end as the last rewrite left it
	buf  []byte
}

const (
	magic     = "alpinevm state 1"
	saltLen   = 16
	headLen   = int64(len(magic) + saltLen)
	frameHead = 8
	maxFrame  = 64 << 20 // far more than one change can be

	// slack is how much room there must be for a change that begins, grow how
	// much is added where there is less.
	slack = 128 << 10
	grow  = 64 << 10

	// A journal is made anew when it has grown by this and is twice as long as
	// the last time.
	bloat = 4 << 20
)

// errMagic is the error of a file that is no journal.
var errMagic = errors.New("not a journal of this version")

// open reads the journal and gives each frame to replay, or makes one of what
// snapshot writes.
func (j *journal) open(name string, replay func(records []byte) error, snapshot func(write func(records []byte) error) error) error {
	j.name = name
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return j.rewrite(snapshot)
	}
	if err != nil {
		return err
	}
	j.file = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	j.size = info.Size()
	head := make([]byte, headLen)
	if _, err := f.ReadAt(head, 0); err != nil || string(head[:len(magic)]) != magic {
		return fmt.Errorf("%s: %w", name, errMagic)
	}
	copy(j.salt[:], head[len(magic):])
	if err := j.replay(replay); err != nil {
		return err
	}
	// Nothing behind the end may ever be taken for a frame.
	if err := f.Truncate(j.end); err != nil {
		return err
	}
	j.size, j.base = j.end, j.end
	return nil
}

// replay reads frames up to the first that is not one.
func (j *journal) replay(replay func(records []byte) error) error {
	j.end = headLen
	in := io.NewSectionReader(j.file, headLen, j.size-headLen)
	r := &lookAhead{r: in, buf: make([]byte, 0, 1<<20)}
	for {
		head, err := r.take(frameHead)
		if err != nil || head == nil {
			return err
		}
		n, sum := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
		if n == 0 || n > maxFrame {
			return nil
		}
		records, err := r.take(int(n))
		if err != nil || records == nil || sum != j.checksum(records) {
			return err
		}
		if err := replay(records); err != nil {
			return fmt.Errorf("%w, in the frame at %d", err, j.end)
		}
		j.sum = sum
		j.end += frameHead + int64(n)
	}
}

// lookAhead reads through a buffer that grows.
type lookAhead struct {
	r   io.Reader
	buf []byte // what was read and not taken
}

// take gives n bytes, valid until the next call, or nil where there are fewer.
func (l *lookAhead) take(n int) ([]byte, error) {
	for len(l.buf) < n {
		if cap(l.buf)-len(l.buf) == 0 || cap(l.buf) < n {
			l.buf = append(make([]byte, 0, max(2*n, 1<<20)), l.buf...)
		}
		k, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+k]
		if err == io.EOF && len(l.buf) < n {
			return nil, nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
	}
	p := l.buf[:n]
	l.buf = l.buf[n:]
	return p, nil
}

func (j *journal) checksum(records []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var last [4]byte
	binary.LittleEndian.PutUint32(last[:], j.sum)
	return crc32.Update(crc32.Update(crc32.Checksum(j.salt[:], table), table, last[:]), table, records)
}

// reserve makes sure that there is room for a frame of n bytes.
func (j *journal) reserve(n int64) error {
	if j.size-j.end >= n+frameHead {
		return nil
	}
	more := j.end + n + frameHead + grow - j.size
	if _, err := j.file.WriteAt(make([]byte, more), j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += more
	return nil
}

// append writes a frame. If that fails it is as if there were none.
func (j *journal) append(records []byte) error {
	if len(records) == 0 {
		return nil
	}
	if len(records) > maxFrame {
		return errors.New("a change that is too large")
	}
	if err := j.reserve(int64(len(records))); err != nil {
		return err
	}
	sum := j.checksum(records)
	j.buf = binary.LittleEndian.AppendUint32(j.buf[:0], uint32(len(records)))
	j.buf = binary.LittleEndian.AppendUint32(j.buf, sum)
	j.buf = append(j.buf, records...)
	if _, err := j.file.WriteAt(j.buf, j.end); err != nil {
		return err
	}
	j.sum = sum
	j.end += int64(len(j.buf))
	if cap(j.buf) > 1<<20 {
		j.buf = nil
	}
	return nil
}

// bloated tells whether it is time for rewrite.
func (j *journal) bloated() bool {
	return j.file != nil && j.end > bloat && j.end > 2*j.base
}

// rewrite makes a journal of what snapshot writes and puts it in the place of
// the old one. After an error file is nil if the old one is lost too.
func (j *journal) rewrite(snapshot func(write func(records []byte) error) error) error {
	next := journal{name: j.name + ".new"}
	if _, err := rand.Read(next.salt[:]); err != nil {
		return err
	}
	var err error
	if next.file, err = os.OpenFile(next.name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	err = func() error {
		if _, err := next.file.Write(append([]byte(magic), next.salt[:]...)); err != nil {
			return err
		}
		next.end, next.size = headLen, headLen
		if err := snapshot(next.append); err != nil {
			return err
		}
		return next.file.Sync()
	}()
	err = errors.Join(err, next.file.Close())
	if err != nil {
		os.Remove(next.name)
		return err
	}
	// Windows renames no file that is open, or over one.
	if j.file != nil {
		j.file.Close()
	}
	err = os.Rename(next.name, j.name)
	if err == nil {
		err = syncDir(filepath.Dir(j.name))
		next.base = next.end
		j.salt, j.sum, j.end, j.size, j.base = next.salt, next.sum, next.end, next.size, next.base
	}
	j.file = nil
	f, openErr := os.OpenFile(j.name, os.O_RDWR, 0)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	j.file = f
	return err
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
