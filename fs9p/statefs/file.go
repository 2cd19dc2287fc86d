package statefs

import (
	"math"

	"alpinevm/fs9p"
)

// A file is an open inode.
type file struct {
	n     *inode
	flags uint32
}

// ReadAt is part of fs9p.File.
func (f *file) ReadAt(p []byte, off uint64) (int, error) {
	n := f.n
	if n.dir != nil {
		return 0, fs9p.EISDIR
	}
	if f.flags&fs9p.ONoatime == 0 {
		n.touch()
	}
	return n.fs.read(n, p, off)
}

// touch sets the access time where a read does. The journal gets it with the
// next change of the attributes, if there is one.
func (n *inode) touch() {
	if now := n.fs.now(); fs9p.Relatime(n.atime, n.mtime, n.ctime, now) {
		n.atime = now
	}
}

// WriteAt is part of fs9p.File.
func (f *file) WriteAt(p []byte, off uint64) (int, error) {
	n := f.n
	if n.fs.failed != nil {
		return 0, fs9p.EIO
	}
	if f.flags&fs9p.OAppend != 0 {
		size, _, err := n.fs.stat(n)
		if err != nil {
			return 0, err
		}
		off = size
	}
	if off > math.MaxInt64-uint64(len(p)) {
		return 0, fs9p.EFBIG
	}
	done, err := n.fs.write(n, p, int64(off))
	if done > 0 {
		n.mtime = n.fs.now()
		n.ctime = n.mtime
		n.stale = true
	}
	return done, err
}

// ReadDir is part of fs9p.File.
func (f *file) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	if f.n.dir == nil {
		return fs9p.ENOTDIR
	}
	for e := range f.n.dir.After(cookie) {
		if !emit(fs9p.Dirent{QID: e.Node.QID(), Cookie: e.Cookie(), Type: fs9p.DirentType(e.Node.mode), Name: e.Name}) {
			break
		}
	}
	return nil
}

// Sync is part of fs9p.File. All changes up to now go to the disk, and the
// content of this file.
func (f *file) Sync(bool) error {
	n := f.n
	if n.kind() == fs9p.ModeRegular && n.nlink > 0 {
		if err := n.fs.sync(n); err != nil {
			return err
		}
	}
	if err := n.settle(); err != nil {
		return err
	}
	return n.fs.barrier()
}

// Close is part of fs9p.File.
func (f *file) Close() error {
	err := f.n.settle()
	f.n.Release()
	return err
}
