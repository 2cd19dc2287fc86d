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
}

func (fs *FS) node(id uint64, q fs9p.QID, parent *node) *node {
	n := &node{fs: fs, id: id, typ: q.Type, refs: 1}
	_, n.gone = fs.gone[id]
	if n.isDir() && parent != nil {
		n.parent = parent.hold()
	}
	fs.live.Put(id, n)
	return n
}

// fromLower takes over the lower inode l, found in the directory parent.
func (fs *FS) fromLower(l fs9p.Node, parent *node) (*node, error) {
	q := l.QID()
	if n := fs.live.At(lowerID(q.Path)); n != nil {
		l.Release()
		return n.hold(), nil
	}
	var upper fs9p.Node
	if c, ok := fs.records.copies.Find(q.Path); ok {
		var err error
		if upper, err = fs.upper.Inode(c.upper); err != nil {
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
	if n := fs.live.At(id); n != nil {
		u.Release()
		return n.hold()
	}
	n := fs.node(id, q, parent)
	n.upper = u
	if origin, ok := fs.records.origin.Find(q.Path); ok && n.isDir() {
		n.lower, n.pinned = fs.records.moved.At(origin), true
	}
	return n
}

func (n *node) isDir() bool { return n.typ&fs9p.QTDir != 0 }

// lowerPath is the qid.path of the lower inode that n is or comes from.
func (n *node) lowerPath() (uint64, bool) { return n.id >> 1, n.id&1 == 0 }

// Still tells whether n is an inode of the lower, as it was; what is in a folder may
// have changed all the same.
func (n *node) Still(lower fs9p.Node) bool {
	id, fromLower := n.lowerPath()
	return fromLower && n.upper == nil && id == lower.QID().Path
}

func (n *node) hold() *node {
	n.refs++
	return n
}

// Release is part of fs9p.Node. With the last handle on a directory may go the
// last one on the directory above, and so on.
func (n *node) Release() {
	for n != nil {
		if n.refs--; n.refs > 0 {
			return
		}
		if n.refs < 0 {
			panic("BUG: overlay: a node was released too often")
		}
		n = n.free()
	}
}

// free lets go of what n holds, but for its parent, which it gives.
func (n *node) free() (parent *node) {
	n.fs.live.Delete(n.id)
	lower, fromLower := n.lowerPath()
	if n.upper != nil {
		a, err := n.upper.Attr()
		nameless := n.gone || err == nil && a.Nlink == 0
		if _, restoring := n.fs.gone[n.id]; fromLower && nameless && !restoring {
			n.fs.records.forget(lower)
			n.pinned = false
		}
		n.upper.Release()
	}
	if n.lower != nil && !n.pinned {
		n.lower.Release()
	}
	if n.parent == n {
		return nil
	}
	return n.parent
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
	case n.isUnion():
		return a, n.countLinks(&a)
	case fromLower && n.upper != nil && !n.isDir():
		if names := n.fs.records.copies.At(lower).names; names > 0 {
			a.Nlink = a.Nlink - 1 + names
		}
	}
	return a, nil
}

// SetAttr is part of fs9p.Node.
func (n *node) SetAttr(a fs9p.SetAttr) error {
	p := fs9p.ForChange
	if a.Valid&fs9p.SetSize != 0 {
		p = n.cutting(a.Size)
	}
	return n.fs.change(p, func() error {
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
	return n.fs.change(fs9p.ForChange, func() error {
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
	return n.fs.change(fs9p.ForRemoval, func() error {
		if err := n.copyUp(true); err != nil {
			return err
		}
		return n.upper.RemoveXattr(name)
	})
}

// cutting tells what a change of the size is for.
func (n *node) cutting(size uint64) fs9p.Purpose {
	if n.upper != nil && !n.isDir() {
		if a, err := n.upper.Attr(); err == nil && size < a.Size && a.Blocks > 0 {
			return fs9p.ForRoom
		}
	}
	return fs9p.ForChange
}

// copyForOpen gives n an upper inode before it is opened with flags, and cuts
// off its data if they say so.
func (n *node) copyForOpen(flags uint32) error {
	if n.upper != nil && flags&fs9p.OTrunc == 0 {
		return nil
	}
	if a, err := n.data().Attr(); err != nil || a.Mode&fs9p.ModeType != fs9p.ModeRegular {
		return err // the layer says why it cannot be opened
	}
	p := fs9p.ForChange
	if flags&fs9p.OTrunc != 0 {
		p = n.cutting(0)
	}
	return n.fs.change(p, func() error {
		if err := n.copyUp(flags&fs9p.OTrunc == 0); err != nil || flags&fs9p.OTrunc == 0 {
			return err
		}
		return n.upper.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize})
	})
}

// Open is part of fs9p.Node.
func (n *node) Open(flags uint32) (fs9p.File, error) {
	if n.isDir() {
		return &dirFile{n: n}, nil
	}
	if fs9p.CanWrite(flags) || flags&fs9p.OTrunc != 0 {
		if err := n.copyForOpen(flags); err != nil {
			return nil, err
		}
	}
	f, err := n.data().Open(flags &^ fs9p.OTrunc)
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
