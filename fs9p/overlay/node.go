package overlay

import (
	"slices"

	"alpinevm/fs9p"
)

// A node is an inode that is held by someone. A file has either an upper or a
// lower inode; a directory can have both, and is then the union of them.
type node struct {
	fs     *FS
	id     uint64
	typ    uint8 // of the QID
	upper  fs9p.Node
	lower  fs9p.Node
	pinned bool  // lower belongs to records.moved
	parent *node // of a directory; held
	refs   int
	gone   bool // a directory, or a file of the lower, that has no name any more
	// subdirs counts the directories in a union, or is -1 where that is not known.
	subdirs int
}

func (fs *FS) node(id uint64, q fs9p.QID, parent *node) *node {
	n := &node{fs: fs, id: id, typ: q.Type, refs: 1, subdirs: -1}
	if n.isDir() && parent != nil {
		n.parent = parent.hold()
	}
	fs.live[id] = n
	return n
}

// fromLower takes over the lower inode l, found in the directory parent.
func (fs *FS) fromLower(l fs9p.Node, parent *node) (*node, error) {
	q := l.QID()
	if n := fs.live[lowerID(q.Path)]; n != nil {
		l.Release()
		return n.hold(), nil
	}
	var upper fs9p.Node
	if _, ok := fs.records.copies[q.Path]; ok {
		var err error
		if upper, err = fs.index.Walk(indexed(q.Path)); err != nil {
			l.Release()
			return nil, err
		}
	}
	n := fs.node(lowerID(q.Path), q, parent)
	n.lower, n.upper = l, upper
	n.settle()
	return n, nil
}

// settle lets go of the lower inode of a file that has an upper one.
func (n *node) settle() {
	if n.upper != nil && n.lower != nil && !n.isDir() {
		n.lower.Release()
		n.lower = nil
	}
}

// fromUpper takes over the upper inode u, found in the directory parent.
func (fs *FS) fromUpper(u fs9p.Node, parent *node) *node {
	q := u.QID()
	id := fs.id(q.Path)
	if n := fs.live[id]; n != nil {
		u.Release()
		return n.hold()
	}
	n := fs.node(id, q, parent)
	n.upper = u
	if origin, ok := fs.records.origin[q.Path]; ok && n.isDir() {
		n.lower, n.pinned = fs.records.moved[origin], true
	}
	return n
}

func (n *node) isDir() bool { return n.typ&fs9p.QTDir != 0 }

// lowerPath is the qid.path of the lower inode that n is or comes from.
func (n *node) lowerPath() (uint64, bool) { return n.id >> 1, n.id&1 == 0 }

func (n *node) hold() *node {
	n.refs++
	return n
}

// Release is part of fs9p.Node.
func (n *node) Release() {
	if n.refs--; n.refs > 0 {
		return
	}
	if n.refs < 0 {
		panic("BUG: overlay: a node was released too often")
	}
	delete(n.fs.live, n.id)
	lower, fromLower := n.lowerPath()
	if n.upper != nil {
		if a, err := n.upper.Attr(); fromLower && (n.gone || err == nil && a.Nlink == 0) {
			delete(n.fs.records.origin, n.upper.QID().Path)
			delete(n.fs.records.moved, lower)
			n.pinned = false
		}
		n.upper.Release()
	}
	if n.lower != nil && !n.pinned {
		n.lower.Release()
	}
	if n.parent != nil && n.parent != n {
		n.parent.Release()
	}
}

// QID is part of fs9p.Node.
func (n *node) QID() fs9p.QID { return fs9p.QID{Type: n.typ, Version: 1, Path: n.id} }

// data is the inode that tells what n is and holds: the upper one if there is.
func (n *node) data() fs9p.Node {
	if n.upper != nil {
		return n.upper
	}
	return n.lower
}

// Attr is part of fs9p.Node.
func (n *node) Attr() (fs9p.Attr, error) {
	a, err := n.data().Attr()
	if err != nil {
		return a, err
	}
	lower, fromLower := n.lowerPath()
	switch {
	case n.gone:
		a.Nlink = 0
	case n.isDir() && n.upper != nil && n.lower != nil:
		if err := n.countSubdirs(); err != nil {
			return a, err
		}
		a.Nlink = uint64(2 + n.subdirs)
	case fromLower && n.upper != nil && !n.isDir():
		if names, ok := n.fs.records.copies[lower]; ok {
			a.Nlink = a.Nlink - 1 + names
		}
	}
	return a, nil
}

func (n *node) countSubdirs() error {
	if n.subdirs >= 0 {
		return nil
	}
	count := 0
	err := n.list(0, func(d fs9p.Dirent) bool {
		if d.QID.Type&fs9p.QTDir != 0 {
			count++
		}
		return true
	})
	if err == nil {
		n.subdirs = count
	}
	return err
}

// SetAttr is part of fs9p.Node.
func (n *node) SetAttr(a fs9p.SetAttr) error {
	return n.fs.change(func() error {
		if err := n.copyUp(a.Valid&fs9p.SetSize == 0 || a.Size > 0); err != nil {
			return err
		}
		return n.upper.SetAttr(a)
	})
}

// Readlink is part of fs9p.Node.
func (n *node) Readlink() (string, error) { return n.data().Readlink() }

// Xattr is part of fs9p.Node.
func (n *node) Xattr(name string) ([]byte, error) {
	if isPrivate(name) {
		return nil, fs9p.ENODATA
	}
	return n.data().Xattr(name)
}

// Xattrs is part of fs9p.Node.
func (n *node) Xattrs() ([]string, error) {
	names, err := n.data().Xattrs()
	return slices.DeleteFunc(names, isPrivate), err
}

// SetXattr is part of fs9p.Node.
func (n *node) SetXattr(name string, value []byte, flags uint32) error {
	if isPrivate(name) {
		return fs9p.EOPNOTSUPP
	}
	return n.fs.change(func() error {
		if err := n.copyUp(true); err != nil {
			return err
		}
		return n.upper.SetXattr(name, value, flags)
	})
}

// RemoveXattr is part of fs9p.Node.
func (n *node) RemoveXattr(name string) error {
	if _, err := n.Xattr(name); err != nil {
		return err
	}
	return n.fs.change(func() error {
		if err := n.copyUp(true); err != nil {
			return err
		}
		return n.upper.RemoveXattr(name)
	})
}

// Open is part of fs9p.Node.
func (n *node) Open(flags uint32) (fs9p.File, error) {
	if n.isDir() {
		return dirFile{n}, nil
	}
	if fs9p.CanWrite(flags) || flags&fs9p.OTrunc != 0 {
		if err := n.fs.change(func() error { return n.copyUp(flags&fs9p.OTrunc == 0) }); err != nil {
			return nil, err
		}
	}
	f, err := n.data().Open(flags)
	if err != nil {
		return nil, err
	}
	return &file{n: n, File: f, flags: flags, upper: n.upper != nil}, nil
}

// A file is an open node. One that was opened before its node was copied up
// reads the copy from then on.
type file struct {
	fs9p.File
	n     *node
	flags uint32
	upper bool
}

// follow goes over to the copy, if there is one now.
func (f *file) follow() error {
	if f.upper || f.n.upper == nil {
		return nil
	}
	now, err := f.n.upper.Open(f.flags)
	if err != nil {
		return err
	}
	f.File.Close()
	f.File, f.upper = now, true
	return nil
}

// ReadAt is part of fs9p.File.
func (f *file) ReadAt(p []byte, off uint64) (int, error) {
	if err := f.follow(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// Sync is part of fs9p.File. What others have written to the file is synced too,
// as fsync(2) says.
func (f *file) Sync(dataOnly bool) error {
	if err := f.follow(); err != nil {
		return err
	}
	return f.File.Sync(dataOnly)
}
