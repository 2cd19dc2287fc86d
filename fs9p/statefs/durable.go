package statefs

import (
	"os"

	"alpinevm/fs9p"
	"alpinevm/fs9p/tree"
)

// The journal must not be on the disk before what it tells of is there: the
// data that a file was given as part of a change (overlay's copies, of files
// that nobody would expect to lose), and it must be there before data go that
// only the old journal had a use for. Both are done by barrier.

// What may wait for a barrier before there is one.
const (
	maxDoomed      = 256 // contents
	maxDoomedBytes = 64 << 20
)

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
	if err := f.journal.file.Sync(); err != nil {
		return toErrno(err)
	}
	for _, id := range f.doomed {
		os.Remove(f.dataName(id)) // what cannot be removed is left for the next Open
	}
	f.doomed, f.doomedBytes = f.doomed[:0], 0
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

// ease does a barrier if much waits for it. If it fails, that is for the next
// Sync to tell.
func (f *FS) ease() {
	if len(f.doomed) > maxDoomed || f.doomedBytes > maxDoomedBytes {
		f.barrier()
	}
}
