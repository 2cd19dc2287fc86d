package store

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Locks between processes, which the host drops when a process dies. A lock is
// on an empty file that is never removed. There are these, taken in this order:
//
//	use      shared while files are made that index.json does not name yet, and
//	         while those of an image are opened; exclusive to remove files
//	XX       exclusive while the file whose digest begins so is made
//	index    exclusive while index.json is changed
const (
	lockUse   = "use"
	lockIndex = "index"
)

// poll is how often a lock that is taken is asked for.
const poll = 20 * time.Millisecond

// lock takes a lock, waiting for it.
func (s *Store) lock(ctx context.Context, name string) (unlock func(), err error) {
	l := flock.New(s.path(locksDir, name))
	_, err = l.TryLockContext(ctx, poll)
	return s.locked(l, err)
}

// share takes a lock beside others that share it.
func (s *Store) share(ctx context.Context, name string) (unlock func(), err error) {
	l := flock.New(s.path(locksDir, name))
	_, err = l.TryRLockContext(ctx, poll)
	return s.locked(l, err)
}

// tryLock takes a lock if it is free.
func (s *Store) tryLock(name string) (unlock func(), ok bool, err error) {
	l := flock.New(s.path(locksDir, name))
	ok, err = l.TryLock()
	if err == nil && !ok {
		return nil, false, nil
	}
	unlock, err = s.locked(l, err)
	return unlock, err == nil, err
}

// locked makes the unlock of a lock. A host without locks has none.
func (s *Store) locked(l *flock.Flock, err error) (func(), error) {
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return func() { l.Close() }, nil
}

// shareUse takes the lock that reading needs. Where the store cannot be written
// there is nobody who could remove files, so that it is not needed.
func (s *Store) shareUse(ctx context.Context) (unlock func(), err error) {
	unlock, err = s.share(ctx, lockUse)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	return unlock, err
}
