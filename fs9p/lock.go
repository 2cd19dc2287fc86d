package fs9p

import (
	"math"
	"slices"
)

// Kinds of lock, flags and outcomes (P9_LOCK_*).
const (
	LockRead   = 0
	LockWrite  = 1
	LockUnlock = 2

	LockFlagBlock = 1

	LockSuccess = 0
	LockBlocked = 1
	LockError   = 2
)

// A lock is a range of bytes, both ends included, that an owner has locked.
//
// v9fs takes a lock in the guest's own table first and then here, and sends
// flock(2) and POSIX locks alike with the process that asks. A flock may be
// given up by another process that shares the open file, so the fid is as good
// an owner as the process: locks conflict if they differ in both.
type lock struct {
	start, end uint64
	fid        *fid
	client     string
	proc       uint32
	kind       uint8
}

func (l *lock) sameOwner(o *lock) bool {
	return l.fid == o.fid || l.proc == o.proc && l.client == o.client
}

func (l *lock) overlaps(o *lock) bool { return l.start <= o.end && o.start <= l.end }

func (l *lock) conflicts(o *lock) bool {
	return l.overlaps(o) && (l.kind == LockWrite || o.kind == LockWrite) && !l.sameOwner(o)
}

// span turns a start and a length, 0 meaning all that follows, into a range.
func (l *lock) span(start, length uint64) error {
	l.start, l.end = start, math.MaxUint64
	if length > 0 {
		if l.end = start + length - 1; l.end < start {
			return EINVAL
		}
	}
	return nil
}

// Bounds of what a guest can make the lock table hold.
const (
	maxLocks    = 1 << 16
	maxClientID = 256
)

// lock never waits: v9fs asks again where it is told LockBlocked.
func (s *Server) lock(c *call) error {
	var m Tlock
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	l := lock{kind: m.Kind, fid: f, proc: m.ProcID, client: m.ClientID}
	if f.file == nil {
		return EBADF
	}
	if m.Kind > LockUnlock || len(m.ClientID) > maxClientID {
		return EINVAL
	}
	if err := l.span(m.Start, m.Length); err != nil {
		return err
	}
	r := Rlock{Status: s.session.locks.set(f.inode.node.QID().Path, l)}
	f.locks = f.locks || l.kind != LockUnlock && r.Status == LockSuccess
	r.code(&c.out)
	return nil
}

// getlock tells of a lock that stands in the way, or LockUnlock.
func (s *Server) getlock(c *call) error {
	var m Tgetlock
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	l := lock{kind: m.Kind, fid: f, proc: m.ProcID, client: m.ClientID}
	if m.Kind > LockUnlock {
		return EINVAL
	}
	if err := l.span(m.Start, m.Length); err != nil {
		return err
	}
	r := Rgetlock{Kind: LockUnlock, Start: m.Start, Length: m.Length, ProcID: m.ProcID, ClientID: m.ClientID}
	// v9fs sends LockUnlock for whatever fcntl asked: it stands for a write lock.
	if l.kind == LockUnlock {
		l.kind = LockWrite
	}
	if b := blocker(s.session.locks.files[f.inode.node.QID().Path], &l); b != nil {
		r = Rgetlock{Kind: b.kind, Start: b.start, ProcID: b.proc, ClientID: b.client}
		if b.end != math.MaxUint64 {
			r.Length = b.end - b.start + 1
		}
	}
	r.code(&c.out)
	return nil
}

func blocker(held []lock, l *lock) *lock {
	for i := range held {
		if held[i].conflicts(l) {
			return &held[i]
		}
	}
	return nil
}

// A lockTable has the locks of a session's files. A message goes once through
// those of one file.
type lockTable struct {
	files map[uint64][]lock // by QID path, in no order
	count int
}

// set locks or unlocks a range in place of what its owner has there, and gives
// the outcome.
func (t *lockTable) set(path uint64, l lock) uint8 {
	held := t.files[path]
	var own []int // places of those that yield, wholly or in part
	more := 0
	if l.kind != LockUnlock {
		more = 1
	}
	for i := range held {
		switch h := &held[i]; {
		case !h.overlaps(&l):
		case h.sameOwner(&l):
			own = append(own, i)
			more += h.pieces(&l) - 1
		case l.kind != LockUnlock && h.conflicts(&l):
			return LockBlocked
		}
	}
	if more > 0 && t.count+more > maxLocks {
		return LockError
	}
	t.count += more
	for _, i := range slices.Backward(own) {
		held = yield(held, i, &l)
	}
	if l.kind != LockUnlock {
		held = append(held, l)
	}
	t.store(path, held)
	return LockSuccess
}

// pieces is how many parts of h are left, 0 to 2, when it yields to l.
func (h *lock) pieces(l *lock) int {
	n := 0
	if h.start < l.start {
		n++
	}
	if h.end > l.end {
		n++
	}
	return n
}

// yield takes the range of l away from the lock at i. Those before it stay where
// they are.
func yield(held []lock, i int, l *lock) []lock {
	before, behind := held[i], held[i]
	before.end, behind.start = l.start-1, l.end+1
	switch h := held[i]; {
	case h.start < l.start && h.end > l.end:
		held[i] = before
		return append(held, behind)
	case h.start < l.start:
		held[i] = before
	case h.end > l.end:
		held[i] = behind
	default:
		return remove(held, i)
	}
	return held
}

// remove puts the last lock in the place of the one at i.
func remove(held []lock, i int) []lock {
	last := len(held) - 1
	held[i], held[last] = held[last], lock{}
	return held[:last]
}

// unlock gives up what was locked through f.
func (t *lockTable) unlock(f *fid) {
	path := f.inode.node.QID().Path
	held := t.files[path]
	for i := len(held) - 1; i >= 0; i-- {
		if held[i].fid == f {
			held = remove(held, i)
			t.count--
		}
	}
	t.store(path, held)
}

// store keeps the locks of a file. Memory of which most is free is given back.
func (t *lockTable) store(path uint64, held []lock) {
	switch {
	case len(held) == 0:
		delete(t.files, path)
	case cap(held) > 4*len(held)+16:
		t.files[path] = slices.Clone(held)
	default:
		t.files[path] = held
	}
}
