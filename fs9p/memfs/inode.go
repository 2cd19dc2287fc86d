package memfs

import (
	"maps"
	"slices"

	"alpinevm/fs9p"
)

// An inode is a file of any type. It is its own fs9p.Node.
type inode struct {
	fs                         *FS
	id                         uint64
	mode, uid, gid             uint32
	nlink                      uint32
	handles                    int // Nodes given out and not released
	rdev                       uint64
	atime, mtime, ctime, btime fs9p.Timespec
	dir                        *directory // of a directory only
	data                       content    // of a regular file only
	target                     string     // of a symbolic link only
	xattrs                     map[string][]byte
}

// maxLinks is the most names that one file may have.
const maxLinks = 65000

// inode makes a file that has no name yet. mode includes the type.
func (fs *FS) inode(mode uint32, owner fs9p.Owner) *inode {
	fs.last++
	now := fs.now()
	n := &inode{
		fs: fs, id: fs.last, mode: mode, uid: owner.UID, gid: owner.GID,
		atime: now, mtime: now, ctime: now, btime: now,
	}
	if mode&fs9p.ModeType == fs9p.ModeDir {
		n.dir = fs9p.NewDirectory[*inode]()
	}
	return n
}

func (n *inode) kind() uint32 { return n.mode & fs9p.ModeType }

// QID is part of fs9p.Node.
func (n *inode) QID() fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(n.mode), Version: 1, Path: n.id}
}

// Release is part of fs9p.Node.
func (n *inode) Release() {
	if n.handles--; n.handles < 0 {
		panic("BUG: memfs: an inode was released too often")
	}
	n.reclaim()
}

// reclaim gives back what an inode holds that has no name and no handle.
func (n *inode) reclaim() {
	if n.nlink > 0 || n.handles > 0 {
		return
	}
	n.data.truncate(n.fs, 0)
	n.fs.charge(-len(n.target))
	for name, v := range n.xattrs {
		n.fs.charge(-len(name) - len(v))
	}
	n.target, n.xattrs = "", nil
}

// Attr is part of fs9p.Node.
func (n *inode) Attr() (fs9p.Attr, error) {
	a := fs9p.Attr{
		Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: uint64(n.nlink), Rdev: n.rdev,
		BlockSize: 4096,
		Atime:     n.atime, Mtime: n.mtime, Ctime: n.ctime, Btime: n.btime,
	}
	switch n.kind() {
	case fs9p.ModeRegular:
		a.Size, a.Blocks = n.data.size, n.data.blocks()
	case fs9p.ModeSymlink:
		a.Size = uint64(len(n.target))
	case fs9p.ModeDir:
		a.Size = 4096
	}
	return a, nil
}

// SetAttr is part of fs9p.Node.
func (n *inode) SetAttr(a fs9p.SetAttr) error {
	if a.Valid&fs9p.SetSize != 0 {
		if n.kind() != fs9p.ModeRegular {
			return fs9p.EINVAL
		}
		if err := n.data.truncate(n.fs, a.Size); err != nil {
			return err
		}
	}
	to := fs9p.Attr{Mode: n.mode, UID: n.uid, GID: n.gid, Atime: n.atime, Mtime: n.mtime}
	a.Apply(&to, n.fs.now())
	n.mode, n.uid, n.gid, n.atime, n.mtime, n.ctime = to.Mode, to.UID, to.GID, to.Atime, to.Mtime, to.Ctime
	return nil
}

// Readlink is part of fs9p.Node.
func (n *inode) Readlink() (string, error) {
	if n.kind() != fs9p.ModeSymlink {
		return "", fs9p.EINVAL
	}
	return n.target, nil
}

// Xattr is part of fs9p.Node.
func (n *inode) Xattr(name string) ([]byte, error) {
	v, ok := n.xattrs[name]
	if !ok {
		return nil, fs9p.ENODATA
	}
	return v, nil
}

// Xattrs is part of fs9p.Node.
func (n *inode) Xattrs() ([]string, error) {
	return slices.Sorted(maps.Keys(n.xattrs)), nil
}

// SetXattr is part of fs9p.Node.
func (n *inode) SetXattr(name string, value []byte, flags uint32) error {
	if err := fs9p.Settable(n.xattrs, name, flags); err != nil {
		return err
	}
	old, exists := n.xattrs[name]
	grow := len(value) - len(old)
	if !exists {
		grow += len(name)
	}
	if err := n.fs.charge(grow); err != nil {
		return err
	}
	if n.xattrs == nil {
		n.xattrs = map[string][]byte{}
	}
	n.xattrs[name] = value
	n.ctime = n.fs.now()
	return nil
}

// RemoveXattr is part of fs9p.Node.
func (n *inode) RemoveXattr(name string) error {
	v, ok := n.xattrs[name]
	if !ok {
		return fs9p.ENODATA
	}
	delete(n.xattrs, name)
	n.fs.charge(-len(name) - len(v))
	n.ctime = n.fs.now()
	return nil
}

// Open is part of fs9p.Node. Devices, fifos and sockets are opened by the
// guest's kernel, which never asks for them.
func (n *inode) Open(flags uint32) (fs9p.File, error) {
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
	n.handles++
	return &file{n, flags}, nil
}

// A file is an open inode.
type file struct {
	n     *inode
	flags uint32
}

// ReadAt is part of fs9p.File.
func (f *file) ReadAt(p []byte, off uint64) (int, error) {
	if f.n.dir != nil {
		return 0, fs9p.EISDIR
	}
	if f.flags&fs9p.ONoatime == 0 {
		f.n.touch()
	}
	return f.n.data.readAt(p, off)
}

// touch sets the access time where a read does.
func (n *inode) touch() {
	if now := n.fs.now(); fs9p.Relatime(n.atime, n.mtime, n.ctime, now) {
		n.atime = now
	}
}

// WriteAt is part of fs9p.File.
func (f *file) WriteAt(p []byte, off uint64) (int, error) {
	n := f.n
	if f.flags&fs9p.OAppend != 0 {
		off = n.data.size
	}
	done, err := n.data.writeAt(n.fs, p, off)
	if done > 0 {
		n.mtime = n.fs.now()
		n.ctime = n.mtime
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

// Sync is part of fs9p.File: memory is as durable as it gets.
func (f *file) Sync(bool) error { return nil }

// Close is part of fs9p.File.
func (f *file) Close() error {
	f.n.Release()
	return nil
}
