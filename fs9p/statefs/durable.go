package statefs

import (
	"os"

	"alpinevm/fs9p"
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
		if n := f.inodes[id]; n != nil && n.nlink > 0 {
			if err := f.sync(n); err != nil {
				return err
			}
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

// doom has the content of an inode removed by the next barrier.
func (f *FS) doom(n *inode) {
	f.files.drop(n.id)
	if info, err := os.Stat(f.dataName(n.id)); err == nil {
		f.doomed = append(f.doomed, n.id)
		f.doomedBytes += int64(blocksOf(info)) * 512
	}
}

// ease does a barrier if much waits for it. If it fails, that is for the next
// Sync to tell.
func (f *FS) ease() {
	if len(f.doomed) > maxDoomed || f.doomedBytes > maxDoomedBytes {
		f.barrier()
	}
}
