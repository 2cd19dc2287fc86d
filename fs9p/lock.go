package fs9p

import "math"

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
	kind       uint8
	start, end uint64
	fid        *fid
	proc       uint32
	client     string
}

func (l *lock) sameOwner(o *lock) bool {
	return l.fid == o.fid || l.proc == o.proc && l.client == o.client
}

func (l *lock) conflicts(o *lock) bool {
	return l.start <= o.end && o.start <= l.end && !l.sameOwner(o) &&
		(l.kind == LockWrite || o.kind == LockWrite)
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
	path := f.inode.node.QID().Path
	held := s.session.locks[path]
	r := Rlock{Status: LockSuccess}
	if l.kind != LockUnlock && blocker(held, &l) != nil {
		r.Status = LockBlocked
		r.code(&c.out)
		return nil
	}
	after := cut(held, &l)
	if l.kind != LockUnlock {
		after = append(after, l)
	}
	if len(after) > len(held) && s.session.lockCount+len(after)-len(held) > maxLocks {
		r.Status = LockError
	} else {
		f.locks = f.locks || l.kind != LockUnlock
		s.store(path, after)
	}
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
	if b := blocker(s.session.locks[f.inode.node.QID().Path], &l); b != nil {
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

// cut takes the range of l away from the locks of its owner.
func cut(held []lock, l *lock) []lock {
	var kept []lock
	for _, h := range held {
		if !h.sameOwner(l) || h.end < l.start || l.end < h.start {
			kept = append(kept, h)
			continue
		}
		if h.start < l.start {
			left := h
			left.end = l.start - 1
			kept = append(kept, left)
		}
		if h.end > l.end {
			right := h
			right.start = l.end + 1
			kept = append(kept, right)
		}
	}
	return kept
}

func (s *Server) store(path uint64, held []lock) {
	s.session.lockCount += len(held) - len(s.session.locks[path])
	if len(held) == 0 {
		delete(s.session.locks, path)
		return
	}
	s.session.locks[path] = held
}

// unlockFid gives up what was locked through f.
func (s *Server) unlockFid(f *fid) {
	path := f.inode.node.QID().Path
	var kept []lock
	for _, h := range s.session.locks[path] {
		if h.fid != f {
			kept = append(kept, h)
		}
	}
	s.store(path, kept)
}
