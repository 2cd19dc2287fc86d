package oci

import (
	"bytes"
	"sort"

	"alpinevm/fs9p"
)

// A node is a handle on an inode. What it says cannot change.
type node struct {
	fs9p.ReadOnly
	fs *FS
	id uint32
	record
}

func (fs *FS) node(id uint32) (*node, error) {
	r, err := fs.tree.record(id)
	if err != nil {
		return nil, err
	}
	return &node{fs: fs, id: id, record: r}, nil
}

func (n *node) isDir() bool { return n.mode&fs9p.ModeType == fs9p.ModeDir }

// QID is part of fs9p.Node.
func (n *node) QID() fs9p.QID { return qid(n.id, n.mode) }

func qid(id, mode uint32) fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(mode), Version: 1, Path: uint64(id)}
}

// Release is part of fs9p.Node.
func (n *node) Release() {}

// Attr is part of fs9p.Node.
func (n *node) Attr() (fs9p.Attr, error) {
	a := fs9p.Attr{
		Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: uint64(n.nlink), Rdev: uint64(n.rdev),
		BlockSize: blockSize,
		Atime:     fs9p.Timespec{Sec: n.atime, Nsec: n.atimeNsec},
		Mtime:     fs9p.Timespec{Sec: n.mtime, Nsec: n.mtimeNsec},
		Ctime:     fs9p.Timespec{Sec: n.ctime, Nsec: n.ctimeNsec},
		Btime:     fs9p.Timespec{Sec: n.ctime, Nsec: n.ctimeNsec},
	}
	switch n.mode & fs9p.ModeType {
	case fs9p.ModeRegular:
		a.Size = n.size
		a.Blocks = (n.stored + blockSize - 1) / blockSize * (blockSize / 512)
	case fs9p.ModeSymlink:
		a.Size = uint64(n.count)
	case fs9p.ModeDir:
		a.Size = blockSize
	}
	return a, nil
}

// Readlink is part of fs9p.Node.
func (n *node) Readlink() (string, error) {
	if n.mode&fs9p.ModeType != fs9p.ModeSymlink {
		return "", fs9p.EINVAL
	}
	b, err := n.fs.tree.string(n.off, uint64(n.count))
	return string(b), err
}

// Walk is part of fs9p.Node.
func (n *node) Walk(name string) (fs9p.Node, error) {
	c, err := n.walk(name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *node) walk(name string) (*node, error) {
	switch {
	case !n.isDir():
		return nil, fs9p.ENOTDIR
	case name == "..":
		return n.fs.node(n.parent)
	case len(name) > fs9p.MaxName:
		return nil, fs9p.ENAMETOOLONG
	}
	var found dirent
	var failed error
	want := []byte(name)
	i := sort.Search(int(n.count), func(i int) bool {
		d, got, err := n.fs.tree.dirent(n.off + uint64(i))
		if err != nil {
			failed = err
			return true
		}
		c := bytes.Compare(got, want)
		if c == 0 {
			found = d
		}
		return c >= 0
	})
	switch {
	case failed != nil:
		return nil, failed
	case i == int(n.count) || found.id == 0:
		return nil, fs9p.ENOENT
	}
	return n.fs.node(found.id)
}

// Entries is part of fs9p.Counted.
func (n *node) Entries() int {
	if !n.isDir() {
		return 0
	}
	return int(n.count)
}

// Open is part of fs9p.Node. Devices, fifos and sockets are opened by the
// guest's kernel, which never asks for them.
func (n *node) Open(flags uint32) (fs9p.File, error) {
	switch n.mode & fs9p.ModeType {
	case fs9p.ModeDir:
	case fs9p.ModeRegular:
		if fs9p.CanWrite(flags) || flags&fs9p.OTrunc != 0 {
			return nil, fs9p.EROFS
		}
		if int(n.layer) >= len(n.fs.layers) {
			return nil, fs9p.EIO
		}
	case fs9p.ModeSymlink:
		return nil, fs9p.ELOOP
	default:
		return nil, fs9p.ENXIO
	}
	return &file{n: n}, nil
}

// A file is an open node.
type file struct {
	n    *node
	last int // the extent that was read last
}

// ReadAt is part of fs9p.File.
func (f *file) ReadAt(p []byte, off uint64) (int, error) {
	n := f.n
	if n.isDir() {
		return 0, fs9p.EISDIR
	}
	if off >= n.size {
		return 0, nil
	}
	p = p[:min(uint64(len(p)), n.size-off)]
	if n.count == 0 && n.stored > 0 {
		return len(p), f.read(p, n.off, off)
	}
	clear(p)
	for i, err := f.seek(off); ; i++ {
		var x extent
		if err == nil && i < int(n.count) {
			x, err = n.fs.tree.extent(n.off, i)
		}
		end := off + uint64(len(p))
		if err != nil || i >= int(n.count) || x.logical >= end {
			return len(p), err
		}
		f.last = i
		from, to := max(off, x.logical), min(end, x.logical+x.length)
		if from < to {
			err = f.read(p[from-off:to-off], x.physical, from-x.logical)
		}
	}
}

// seek finds the first extent that ends behind off.
func (f *file) seek(off uint64) (int, error) {
	count := int(f.n.count)
	if x, err := f.n.fs.tree.extent(f.n.off, f.last); f.last < count && err == nil && x.logical <= off && off < x.logical+x.length {
		return f.last, nil
	}
	var failed error
	i := sort.Search(count, func(i int) bool {
		x, err := f.n.fs.tree.extent(f.n.off, i)
		if err != nil {
			failed = err
		}
		return err != nil || x.logical+x.length > off
	})
	return i, failed
}

// read reads the layer, at off behind base.
func (f *file) read(p []byte, base, off uint64) error {
	l := &f.n.fs.layers[f.n.layer]
	if size := uint64(l.Size); base > size || off > size-base || uint64(len(p)) > size-base-off {
		return fs9p.EIO
	}
	if n, _ := l.Data.ReadAt(p, int64(base+off)); n < len(p) {
		return fs9p.EIO
	}
	return nil
}

// ReadDir is part of fs9p.File. A cookie is the number of the entry, from 1.
func (f *file) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	n := f.n
	if !n.isDir() {
		return fs9p.ENOTDIR
	}
	cookie = max(cookie, fs9p.DirStart)
	for i := cookie - fs9p.DirStart; i < uint64(n.count); i++ {
		d, name, err := n.fs.tree.dirent(n.off + i)
		if err != nil {
			return err
		}
		if !emit(fs9p.Dirent{
			QID: qid(d.id, d.kind), Cookie: fs9p.DirStart + i + 1, Type: fs9p.DirentType(d.kind), Name: string(name),
		}) {
			return nil
		}
	}
	return nil
}

// WriteAt is part of fs9p.File.
func (f *file) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EBADF }

// Sync is part of fs9p.File.
func (f *file) Sync(bool) error { return nil }

// Close is part of fs9p.File.
func (f *file) Close() error { return nil }
