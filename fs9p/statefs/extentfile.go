package statefs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"

	"alpinevm/fs9p/storage"
)

// An extentFile is a file of extents. What its blocks have behind size is of no meaning.
type extentFile struct {
	number uint64
	name   string
	size   int64
	runs   []run // by their place in the file
	opens  int
	gone   bool // it has no name
}

func (f *extentFile) info() fs.FileInfo {
	n := int64(0)
	for _, r := range f.runs {
		n += r.n
	}
	return fileInfo{path.Base(f.name), f.size, uint64(n) * (blockSize / 512)}
}

// find gives the index of the run that has a block, or of the first one behind it.
func (f *extentFile) find(block int64) (i int, in bool) {
	i, _ = slices.BinarySearchFunc(f.runs, block, func(r run, block int64) int { return cmp.Compare(r.at+r.n-1, block) })
	return i, i < len(f.runs) && f.runs[i].at <= block
}

// has adds blocks that are the file's.
func (f *extentFile) has(r run) {
	i, _ := f.find(r.at)
	if i > 0 {
		if p := &f.runs[i-1]; p.at+p.n == r.at && p.block+p.n == r.block {
			p.n += r.n
			return
		}
	}
	f.runs = slices.Insert(f.runs, i, r)
}

// parts calls do for the parts of a range of the file, each in blocks that follow each
// other; where is -1 where there are none.
func (f *extentFile) parts(off, n int64, do func(where, n int64) error) error {
	for end := off + n; off < end; {
		i, in := f.find(off / blockSize)
		where, stop := int64(-1), end
		switch {
		case in:
			r := f.runs[i]
			where, stop = (r.block-r.at)*blockSize+off, (r.at+r.n)*blockSize
		case i < len(f.runs):
			stop = f.runs[i].at * blockSize
		}
		stop = min(stop, end)
		if err := do(where, stop-off); err != nil {
			return err
		}
		off = stop
	}
	return nil
}

// readAt reads what is before the file's end.
func (e *extents) readAt(f *extentFile, p []byte, off int64) error {
	return f.parts(off, int64(len(p)), func(where, n int64) error {
		part := p[:n]
		p = p[n:]
		if where < 0 {
			clear(part)
			return nil
		}
		k, err := e.content.ReadAt(part, where)
		if err == io.EOF { // nothing was written there
			clear(part[k:])
			err = nil
		}
		return err
	})
}

// put writes to blocks that the file has.
func (e *extents) put(f *extentFile, p []byte, off int64) error {
	return f.parts(off, int64(len(p)), func(where, n int64) error {
		k, err := e.content.WriteAt(p[:n], where)
		if err == nil && k < int(n) {
			err = io.ErrShortWrite
		}
		p = p[n:]
		return err
	})
}

// zero writes zeros to the blocks that a part of the file has.
func (e *extents) zero(f *extentFile, from, to int64) error {
	return f.parts(from, to-from, func(where, n int64) error {
		if where < 0 {
			return nil
		}
		_, err := e.content.WriteAt(make([]byte, n), where)
		return err
	})
}

// grow gives a file blocks for a range where it has none, which hold anything.
func (e *extents) grow(f *extentFile, off, n int64) (fresh []run, err error) {
	for at, last := off/blockSize, (off+n-1)/blockSize; at <= last; {
		i, in := f.find(at)
		if in {
			at = f.runs[i].at + f.runs[i].n
			continue
		}
		want, near := last+1-at, int64(-1)
		if i < len(f.runs) {
			want = min(want, f.runs[i].at-at)
		}
		if i > 0 && f.runs[i-1].at+f.runs[i-1].n == at {
			near = f.runs[i-1].block + f.runs[i-1].n
		}
		block, got := e.blocks.find(near, want)
		if got == 0 {
			return fresh, storage.ErrFull
		}
		r := run{at, block, got}
		f.has(r)
		fresh = append(fresh, r)
		at += got
	}
	return fresh, nil
}

func (e *extents) write(f *extentFile, p []byte, off int64) error {
	if e.failed != nil {
		return e.failed
	}
	return e.roomy(func() error { return e.tryWrite(f, p, off) })
}

func (e *extents) tryWrite(f *extentFile, p []byte, off int64) error {
	size := max(f.size, off+int64(len(p)))
	if size/blockSize >= maxBlocks {
		return storage.ErrFull
	}
	before := slices.Clone(f.runs)
	fresh, err := e.grow(f, off, int64(len(p)))
	if err == nil {
		err = e.blank(f, fresh, off, int64(len(p)), size)
	}
	if err == nil {
		err = e.put(f, p, off)
	}
	if err == nil && (len(fresh) > 0 || size > f.size) && !f.gone {
		err = e.tell(appendRuns(nil, f.number, size, fresh), true)
	}
	if err != nil {
		f.runs = before
		for _, r := range fresh {
			e.blocks.release(r)
		}
		return err
	}
	f.size, e.dirty = size, true
	e.compact()
	return nil
}

// blank writes zeros to what must be such when n bytes will have been written at off:
// between the end and them, and in new blocks around them.
func (e *extents) blank(f *extentFile, fresh []run, off, n, size int64) error {
	if f.size < off {
		if err := e.zero(f, f.size, min(off, (f.size+blockSize-1)/blockSize*blockSize)); err != nil {
			return err
		}
	}
	for _, r := range fresh {
		from, to := r.at*blockSize, min((r.at+r.n)*blockSize, size)
		if err := e.zero(f, from, min(max(off, from), to)); err != nil {
			return err
		}
		if err := e.zero(f, min(max(off+n, from), to), to); err != nil {
			return err
		}
	}
	return nil
}

func (e *extents) truncate(f *extentFile, size int64) error {
	if size == f.size {
		return nil
	}
	if size > f.size {
		if size/blockSize >= maxBlocks {
			return storage.ErrFull
		}
		if err := e.zero(f, f.size, min(size, (f.size+blockSize-1)/blockSize*blockSize)); err != nil {
			return err
		}
	}
	if !f.gone {
		if err := e.tell(appendRuns(nil, f.number, size, nil), size > f.size); err != nil {
			return err
		}
	}
	e.limbo = append(e.limbo, f.cut(size)...)
	e.dirty = true
	e.compact()
	return nil
}

// cut sets a file's size, and gives the blocks that it has no use for.
func (f *extentFile) cut(size int64) (gone []run) {
	f.size = size
	end := (size + blockSize - 1) / blockSize
	for i := len(f.runs) - 1; i >= 0 && f.runs[i].at+f.runs[i].n > end; i-- {
		r := &f.runs[i]
		keep := max(end-r.at, 0)
		gone = append(gone, run{block: r.block + keep, n: r.n - keep})
		if r.n = keep; keep == 0 {
			f.runs = f.runs[:i]
		}
	}
	return gone
}

// The records of the journal: a kind, and numbers as varints.
const (
	recordCreate = 1 + iota // number, name
	recordRename            // number, name
	recordRemove            // number
	recordRuns              // number, size, count of runs, and of each at, block and n
)

func appendNumber(b []byte, kind byte, f *extentFile) []byte {
	return binary.AppendUvarint(append(b, kind), f.number)
}

func appendName(b []byte, kind byte, f *extentFile) []byte {
	b = binary.AppendUvarint(appendNumber(b, kind, f), uint64(len(f.name)))
	return append(b, f.name...)
}

func appendRuns(b []byte, number uint64, size int64, runs []run) []byte {
	b = binary.AppendUvarint(append(b, recordRuns), number)
	b = binary.AppendUvarint(b, uint64(size))
	b = binary.AppendUvarint(b, uint64(len(runs)))
	for _, r := range runs {
		for _, v := range []int64{r.at, r.block, r.n} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return b
}

// snapshot writes the records that make all files.
func (e *extents) snapshot(write func(records []byte) error) error {
	var b []byte
	flush := func(least int) error {
		if len(b) < least {
			return nil
		}
		err := write(b)
		b = b[:0]
		return err
	}
	for _, f := range e.files {
		b = appendName(b, recordCreate, f)
		for runs := range slices.Chunk(f.runs, 1000) {
			b = appendRuns(b, f.number, f.size, runs)
			if err := flush(1 << 16); err != nil {
				return err
			}
		}
		b = appendRuns(b, f.number, f.size, nil)
		if err := flush(1 << 16); err != nil {
			return err
		}
	}
	return flush(1)
}

// errRecord is the error of a record that cannot be.
var errRecord = errors.New("a record of files that makes no sense")

// replay does what records tell.
func (e *extents) replay(b []byte) error {
	ok := true
	number := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return int64(v)
	}
	for len(b) > 0 && ok {
		kind := b[0]
		b = b[1:]
		id := uint64(number())
		f := e.numbers[id]
		if !ok || id == 0 || (f == nil) != (kind == recordCreate) {
			return errRecord
		}
		switch kind {
		case recordCreate, recordRename:
			n := number()
			if !ok || n > int64(len(b)) {
				return errRecord
			}
			name := string(b[:n])
			b = b[n:]
			if kind == recordRename {
				e.move(f, name)
				break
			}
			if e.files[name] != nil {
				return errRecord
			}
			e.add(&extentFile{number: id, name: name})
		case recordRemove:
			e.unlink(f)
		case recordRuns:
			size, n := number(), number()
			if n > int64(len(b)) {
				return errRecord
			}
			runs := make([]run, n)
			for i := range runs {
				runs[i] = run{number(), number(), number()}
			}
			if !ok {
				return errRecord
			}
			if err := e.replayRuns(f, size, runs); err != nil {
				return err
			}
		default:
			return errRecord
		}
		e.settle()
	}
	if !ok {
		return errRecord
	}
	return nil
}

// settle frees at once what nobody has, since what is read is on the disk.
func (e *extents) settle() {
	for _, r := range e.limbo {
		e.blocks.release(r)
	}
	e.limbo = e.limbo[:0]
}

func (e *extents) replayRuns(f *extentFile, size int64, runs []run) error {
	if size/blockSize >= maxBlocks {
		return errRecord
	}
	e.limbo = append(e.limbo, f.cut(size)...)
	for _, r := range runs {
		if r.n < 1 || r.at > (size-1)/blockSize || r.n > (size-1)/blockSize+1-r.at {
			return errRecord
		}
		if i, in := f.find(r.at); in || i < len(f.runs) && f.runs[i].at < r.at+r.n {
			return errRecord
		}
		if err := e.blocks.take(r); err != nil {
			return err
		}
		f.has(r)
	}
	return nil
}

// An extentHandle is an extentFile that is open.
type extentHandle struct {
	e      *extents
	f      *extentFile
	closed bool
}

func (h *extentHandle) ReadAt(p []byte, off int64) (int, error) {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	n := min(int64(len(p)), max(h.f.size-off, 0))
	if err := h.e.readAt(h.f, p[:n], off); err != nil {
		return 0, err
	}
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func (h *extentHandle) WriteAt(p []byte, off int64) (int, error) {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if err := h.e.write(h.f, p, off); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *extentHandle) Truncate(size int64) error {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	return h.e.truncate(h.f, size)
}

func (h *extentHandle) Sync() error {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	return h.e.sync()
}

func (h *extentHandle) Stat() (fs.FileInfo, error) {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	return h.f.info(), nil
}

func (h *extentHandle) Close() error {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	if !h.closed {
		h.closed = true
		h.f.opens--
		h.e.discard(h.f)
	}
	return nil
}

// nextData is part of sparseFile.
func (h *extentHandle) nextData(off, size int64) (from, to int64) {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	i, in := h.f.find(off / blockSize)
	switch {
	case i == len(h.f.runs):
		return size, size
	case !in:
		off = h.f.runs[i].at * blockSize
	}
	r := h.f.runs[i]
	return min(off, size), min((r.at+r.n)*blockSize, size)
}
