package statefs

import (
	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
)

// The journal must not be on the disk before what it tells of is there: the
// data that a file was given as part of a change (overlay's copies, of files
// that nobody would expect to lose), and it must be there before data go that
// only the old journal had a use for. Both are done by barrier.
//
// What could not be brought to the disk is lost, and no second try would tell:
// on Linux the pages of a failed fsync are clean afterwards, and the next one
// succeeds. So the first failure is the last, whatever it was for.

// What may wait for a barrier before there is one.
const (
	maxCopied      = 256 // contents that are to be brought to the disk
	maxDoomed      = 256 // contents that are to be removed
	maxDoomedBytes = 64 << 20
)

// fail says that the disk has failed, unless that was said before.
func (f *FS) fail(err error) error {
	if f.failed == nil {
		f.failed = final(err)
		if f.cfg.Failed != nil && f.opened {
			f.cfg.Failed(f.failed)
		}
	}
	return fs9p.EIO
}

// roomy does something again that needs room on the disk, if there was none and
// some can be made. The error is what the guest is told.
func (f *FS) roomy(do func() error) error {
	err := do()
	if fs9p.IsFull(toErrno(err)) && f.makeRoom() {
		err = do()
	}
	if fs9p.IsFull(toErrno(err)) {
		f.tellFull()
	}
	return f.told(err)
}

// told gives what the guest is told for an error of the host in changing a
// content. One that it can do nothing about is a failure of the disk.
func (f *FS) told(err error) error {
	e := toErrno(err)
	if e == fs9p.EIO || e == fs9p.EROFS {
		return f.fail(err)
	}
	return e
}

// barrier brings all changes up to now to the disk.
func (f *FS) barrier() error {
	if f.failed != nil || f.journal.file == nil {
		return fs9p.EIO
	}
	for id := range f.copied {
		if err := f.syncContent(id); err != nil {
			return err
		}
		delete(f.copied, id)
	}
	if err := f.journal.sync(); err != nil {
		return f.fail(err)
	}
	for _, id := range f.doomed {
		f.hand(id)
		f.disk.remove(f.dataName(id)) // what cannot be removed is left for the next Open
	}
	f.doomed, f.doomedBytes, f.full = f.doomed[:0], 0, false
	return nil
}

// syncContent brings the content of an inode to the disk, unless it has no name.
func (f *FS) syncContent(id uint64) error {
	n, err := f.tree.Inode(id)
	if err != nil {
		return nil
	}
	defer n.Release()
	if n := n.(*tree.Inode); n.Named() && n.Content() != nil {
		return n.Content().Sync()
	}
	return nil
}

// ease does a barrier if much waits for it, or room that is needed.
func (f *FS) ease() {
	if f.full && len(f.doomed) > 0 || len(f.copied) > maxCopied || len(f.doomed) > maxDoomed || f.doomedBytes > maxDoomedBytes {
		f.barrier()
	}
}
