package hostfs

import "alpinevm/fs9p"

// singleFile is the file of a Single: each time what has its name then.
type singleFile struct{ s *Single }

// QID is part of fs9p.Node.
func (f singleFile) QID() fs9p.QID { return f.s.qid() }

// Release is part of fs9p.Node.
func (singleFile) Release() {}

// with calls do with the file.
func (f singleFile) with(do func(*inode) error) error {
	n, err := f.s.file()
	if err != nil {
		return err
	}
	defer n.Release()
	return do(n)
}

// Attr is part of fs9p.Node.
func (f singleFile) Attr() (a fs9p.Attr, err error) {
	err = f.with(func(n *inode) (err error) { a, err = n.Attr(); return err })
	return a, err
}

// SetAttr is part of fs9p.Node.
func (f singleFile) SetAttr(a fs9p.SetAttr) error {
	return f.with(func(n *inode) error { return n.SetAttr(a) })
}

// Xattr is part of fs9p.Node.
func (f singleFile) Xattr(name string) (value []byte, err error) {
	err = f.with(func(n *inode) (err error) { value, err = n.Xattr(name); return err })
	return value, err
}

// Xattrs is part of fs9p.Node.
func (f singleFile) Xattrs() (names []string, err error) {
	err = f.with(func(n *inode) (err error) { names, err = n.Xattrs(); return err })
	return names, err
}

// SetXattr is part of fs9p.Node.
func (f singleFile) SetXattr(name string, value []byte, flags uint32) error {
	return f.with(func(n *inode) error { return n.SetXattr(name, value, flags) })
}

// RemoveXattr is part of fs9p.Node.
func (f singleFile) RemoveXattr(name string) error {
	return f.with(func(n *inode) error { return n.RemoveXattr(name) })
}

// Open is part of fs9p.Node. The file that is open stays the same.
func (f singleFile) Open(flags uint32) (fs9p.File, error) {
	n, err := f.s.file()
	if err != nil {
		return nil, err
	}
	o, err := n.Open(flags)
	if err != nil {
		n.Release()
		return nil, err
	}
	return boundFile{o, n}, nil
}

// The parts of fs9p.Node that are about directories.

func (singleFile) Readlink() (string, error)              { return "", fs9p.EINVAL }
func (singleFile) Walk(string) (fs9p.Node, error)         { return nil, fs9p.ENOTDIR }
func (singleFile) Unlink(string, bool) error              { return fs9p.ENOTDIR }
func (singleFile) Link(string, fs9p.Node) error           { return fs9p.ENOTDIR }
func (singleFile) Rename(string, fs9p.Node, string) error { return fs9p.ENOTDIR }
func (singleFile) Mkdir(string, uint32, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.ENOTDIR
}
func (singleFile) Symlink(string, string, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.ENOTDIR
}
func (singleFile) Mknod(string, uint32, uint64, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.ENOTDIR
}
func (singleFile) Create(string, uint32, uint32, fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	return nil, nil, fs9p.ENOTDIR
}

// A boundFile is a file that is open, and its own inode.
type boundFile struct {
	fs9p.File
	n *inode
}

// Bound is part of fs9p.Bound.
func (b boundFile) Bound() fs9p.Node { return b.n }

// Close is part of fs9p.File.
func (b boundFile) Close() error {
	defer b.n.Release()
	return b.File.Close()
}
