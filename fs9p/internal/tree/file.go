package tree

import (
	"math"

	"alpinevm/fs9p"
)

// A file is an open inode.
type file struct {
	n     *Inode
	flags uint32
}

// Open is part of fs9p.Node. Devices, fifos and sockets are opened by the
// guest's kernel, which never asks for them.
func (n *Inode) Open(flags uint32) (fs9p.File, error) {
	switch n.kind() {
	case fs9p.ModeDir:
	case fs9p.ModeRegular:
		if flags&fs9p.OTrunc != 0 {
			if err := n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize}); err != nil {
				return nil, err
			}
		}
	case fs9p.ModeSymlink:
		return nil, fs9p.ELOOP
	default:
		return nil, fs9p.ENXIO
	}
	return &file{n.hold(), flags}, nil
}

// ReadAt is part of fs9p.File.
func (f *file) ReadAt(p []byte, off uint64) (int, error) {
	if f.n.dir != nil {
		return 0, fs9p.EISDIR
	}
	if f.flags&fs9p.ONoatime == 0 {
		f.n.touch()
	}
	if off > math.MaxInt64 {
		return 0, nil
	}
	return f.n.data.ReadAt(p[:min(uint64(len(p)), math.MaxInt64-off)], off)
}

// touch sets the access time where a read does. The Store hears of it with the
// next change of the attributes, if there is one.
func (n *Inode) touch() {
	if now := n.tree.now(); fs9p.Relatime(n.atime, n.mtime, n.ctime, now) {
		n.atime = now
	}
}

// Ranges is part of fs9p.Sparse. A Content that does not know its holes has none.
func (f *file) Ranges(yield func(off, n uint64) bool) error {
	if f.n.data == nil {
		return fs9p.EISDIR
	}
	if s, ok := f.n.data.(interface {
		Ranges(yield func(off, n uint64) bool) error
	}); ok {
		return s.Ranges(yield)
	}
	size, _, err := f.n.data.Stat()
	if err == nil && size > 0 {
		yield(0, size)
	}
	return err
}

// WriteAt is part of fs9p.File.
func (f *file) WriteAt(p []byte, off uint64) (int, error) {
	n := f.n
	if f.flags&fs9p.OAppend != 0 {
		size, _, err := n.data.Stat()
		if err != nil {
			return 0, err
		}
		off = size
	}
	if off > math.MaxInt64-uint64(len(p)) {
		return 0, fs9p.EFBIG
	}
	done, err := n.data.WriteAt(p, off)
	if done > 0 {
		n.mtime = n.tree.now()
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
	for e := range f.n.dir.after(cookie) {
		if !emit(fs9p.Dirent{QID: e.node.QID(), Cookie: e.cookie, Type: fs9p.DirentType(e.node.mode), Name: e.name}) {
			break
		}
	}
	return nil
}

// Sync is part of fs9p.File. All changes up to now become durable, and the
// content of this file.
func (f *file) Sync(bool) error {
	n := f.n
	if n.data != nil && n.nlink > 0 {
		if err := n.data.Sync(); err != nil {
			return err
		}
	}
	if err := n.Settle(); err != nil {
		return err
	}
	return n.tree.cfg.Store.Sync()
}

// Close is part of fs9p.File.
func (f *file) Close() error {
	err := f.n.Settle()
	if err == fs9p.ENOSPC || err == fs9p.EDQUOT {
		err = nil // the times stay to be told
	}
	f.n.Release()
	return err
}
