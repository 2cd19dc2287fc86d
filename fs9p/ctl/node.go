package ctl

import "alpinevm/fs9p"

// A node is a file or a directory of the tree.
type node struct {
	fs9p.ReadOnly
	fs      *FS
	parent  *node
	id      uint64
	mode    uint32
	size    uint64
	accepts bool                                  // changes of attributes, which do nothing
	open    func(flags uint32) (fs9p.File, error) // of a file
	entries []entry                               // of a directory
}

type entry struct {
	name string
	node *node
}

func (n *node) entry(name string) *node {
	for _, e := range n.entries {
		if e.name == name {
			return e.node
		}
	}
	return nil
}

// QID is part of fs9p.Node.
func (n *node) QID() fs9p.QID { return fs9p.QID{Type: fs9p.QIDType(n.mode), Path: n.id} }

// Release is part of fs9p.Node: the tree lives as long as its FS.
func (n *node) Release() {}

// Attr is part of fs9p.Node.
func (n *node) Attr() (fs9p.Attr, error) {
	a := fs9p.Attr{
		Mode: n.mode, Nlink: 1, Size: n.size, BlockSize: 4096,
		Atime: n.fs.time, Mtime: n.fs.time, Ctime: n.fs.time, Btime: n.fs.time,
	}
	if n.mode&fs9p.ModeDir != 0 {
		a.Nlink = 2
		for _, e := range n.entries {
			if e.node.mode&fs9p.ModeDir != 0 {
				a.Nlink++
			}
		}
	}
	return a, nil
}

// SetAttr is part of fs9p.Node. A shell truncates what it redirects to.
func (n *node) SetAttr(fs9p.SetAttr) error {
	if !n.accepts {
		return fs9p.EPERM
	}
	return nil
}

// Readlink is part of fs9p.Node.
func (n *node) Readlink() (string, error) { return "", fs9p.EINVAL }

// Walk is part of fs9p.Node.
func (n *node) Walk(name string) (fs9p.Node, error) {
	if n.mode&fs9p.ModeDir == 0 {
		return nil, fs9p.ENOTDIR
	}
	if name == ".." {
		return n.parent, nil
	}
	if next := n.entry(name); next != nil {
		return next, nil
	}
	return nil, fs9p.ENOENT
}

// Create is part of fs9p.Node. That it knows of names that are taken is what
// lets a shell's redirection open them.
func (n *node) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	if n.entry(name) != nil {
		return nil, nil, fs9p.EEXIST
	}
	return nil, nil, fs9p.EROFS
}

// Open is part of fs9p.Node.
func (n *node) Open(flags uint32) (fs9p.File, error) {
	if n.mode&fs9p.ModeDir != 0 {
		return dirFile{n: n}, nil
	}
	f, err := n.open(flags)
	if err != nil {
		return nil, err
	}
	if _, writable := f.(interface{ writable() }); fs9p.CanWrite(flags) && !writable {
		return nil, fs9p.EACCES
	} else if fs9p.CanRead(flags) && writable {
		return nil, fs9p.EACCES
	}
	return f, nil
}

// inert has what most files do nothing about.
type inert struct{}

func (inert) ReadAt([]byte, uint64) (int, error)           { return 0, fs9p.EBADF }
func (inert) WriteAt([]byte, uint64) (int, error)          { return 0, fs9p.EBADF }
func (inert) ReadDir(uint64, func(fs9p.Dirent) bool) error { return fs9p.ENOTDIR }
func (inert) Sync(bool) error                              { return nil }
func (inert) Close() error                                 { return nil }

type dirFile struct {
	inert
	n *node
}

func (f dirFile) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	for _, e := range f.n.entries {
		// The number of an entry is its place, which stays when others go.
		at := fs9p.DirStart + e.node.id
		if at <= cookie {
			continue
		}
		if !emit(fs9p.Dirent{QID: e.node.QID(), Cookie: at, Type: fs9p.DirentType(e.node.mode), Name: e.name}) {
			break
		}
	}
	return nil
}

// static is an open file of fixed content.
type static []byte

func (f static) ReadAt(p []byte, off uint64) (int, error) {
	return copy(p, f[min(off, uint64(len(f))):]), nil
}
func (static) WriteAt([]byte, uint64) (int, error)          { return 0, fs9p.EBADF }
func (static) ReadDir(uint64, func(fs9p.Dirent) bool) error { return fs9p.ENOTDIR }
func (static) Sync(bool) error                              { return nil }
func (static) Close() error                                 { return nil }

// sink is an open file that calls a function.
type sink struct {
	inert
	f     func(p []byte) error
	ended func() // nil: nobody asks
}

func (s sink) Close() error {
	if s.ended != nil {
		s.ended()
	}
	return nil
}

func (sink) writable() {}

func (f sink) WriteAt(p []byte, _ uint64) (int, error) {
	if err := f.f(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
