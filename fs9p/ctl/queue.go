package ctl

import (
	"bytes"
	"slices"

	"alpinevm/fs9p"
)

// queueRoom bounds what a Queue holds in bytes.
const queueRoom = 64 << 10

// Queue adds a file of records that are size bytes each. The first read of an
// opening waits until there is a record and takes it; the opening then is that
// record. What a flushed read would have got, the next one gets.
func (fs *FS) Queue(name string, mode uint32, size int) *Queue {
	q := &Queue{size: size, waits: fs.waits()}
	fs.remember(name, q)
	n := fs.add(name, mode)
	n.size = uint64(size)
	n.open = func(uint32) (fs9p.File, error) { return &queueFile{q: q}, nil }
	return q
}

// Queue is what the host has for the guest, in order. Its methods are called on
// the machine goroutine.
type Queue struct {
	waits
	// Taken, where not nil, is called on the machine goroutine with each record
	// that the guest has got.
	Taken func(record []byte)

	size  int
	ready [][]byte
}

// Put adds a record. It reports false if there is no room.
func (q *Queue) Put(record []byte) bool {
	if len(record) != q.size {
		panic("BUG: ctl: a record of another size")
	}
	if (len(q.ready)+1)*q.size > queueRoom {
		return false
	}
	q.ready = append(q.ready, record)
	if q.Awaited() {
		f := q.list[0].opening.(*queueFile)
		f.record = q.take()
		for _, w := range slices.Clone(q.list) {
			if w.opening == f {
				q.end(w, string(f.record))
			}
		}
	}
	return true
}

// Withdraw takes back a record that the guest has not got. It reports false if
// the guest has.
func (q *Queue) Withdraw(record []byte) bool {
	i := slices.IndexFunc(q.ready, func(r []byte) bool { return bytes.Equal(r, record) })
	if i < 0 {
		return false
	}
	q.ready = slices.Delete(q.ready, i, i+1)
	return true
}

// take takes the next record.
func (q *Queue) take() []byte {
	r := q.ready[0]
	q.ready = q.ready[1:]
	if q.Taken != nil {
		q.Taken(r)
	}
	return r
}

func (q *Queue) save(s *FileState) { s.Ahead = bytes.Join(q.ready, nil) }

func (q *Queue) check(s *FileState) bool {
	return len(s.Ahead)%q.size == 0 && len(s.Ahead) <= queueRoom
}

func (q *Queue) restore(s *FileState) { q.ready = slices.Collect(slices.Chunk(s.Ahead, q.size)) }

// A queueFile is an opening of a queue.
type queueFile struct {
	inert
	q      *Queue
	record []byte // nil before the first read has ended
}

func (f *queueFile) StartRead(p []byte, off uint64, done func(n int, err error)) (int, func(), error) {
	q := f.q
	if f.record == nil && len(q.ready) > 0 {
		f.record = q.take()
	}
	if f.record != nil {
		n, err := static(f.record).ReadAt(p, off)
		return n, nil, err
	}
	if q.released {
		return 0, nil, nil
	}
	w := q.add(func(text string) { done(static(text).ReadAt(p, off)) })
	w.opening = f
	return 0, func() { q.forget(w) }, nil
}

func (f *queueFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}

// Saved is part of fs9p.Resumable.
func (f *queueFile) Saved() []byte { return f.record }

// Resume is part of fs9p.Resumable.
func (f *queueFile) Resume(saved []byte) error {
	if len(saved) != 0 && len(saved) != f.q.size {
		return fs9p.EINVAL
	}
	if len(saved) != 0 {
		f.record = saved
	}
	return nil
}
