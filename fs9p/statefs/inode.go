package statefs

import (
	"maps"
	"slices"

	"alpinevm/fs9p"
)

// An inode is a file of any type. It is its own fs9p.Node.
type inode struct {
	fs *FS
	id uint64
	attrs
	rdev    uint64
	nlink   uint32
	handles int // Nodes and Files given out and not released
	target  string
	xattrs  map[string]string
	dir     *directory // of a directory only

	size  int64 // of the content; or unknown
	fresh bool  // the content's file may not be on the disk by its name
	stale bool  // the journal does not have the times yet
}

// unknown is the size of a content that nobody has asked for.
const unknown = -1

func (n *inode) kind() uint32 { return n.mode & fs9p.ModeType }

// QID is part of fs9p.Node.
func (n *inode) QID() fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(n.mode), Version: 1, Path: n.id}
}

// Release is part of fs9p.Node.
func (n *inode) Release() {
	if n.handles--; n.handles < 0 {
		panic("BUG: statefs: an inode was released too often")
	}
	n.reclaim()
}

// reclaim forgets an inode that has no name and no handle.
func (n *inode) reclaim() {
	f := n.fs
	if n.nlink > 0 || n.handles > 0 || f.inodes[n.id] != n {
		return
	}
	delete(f.inodes, n.id)
	f.meta -= len(n.target)
	for _, v := range n.xattrs {
		f.meta -= len(v)
	}
	if n.kind() == fs9p.ModeRegular && !f.replaying {
		f.doom(n)
	}
}

// Attr is part of fs9p.Node.
func (n *inode) Attr() (fs9p.Attr, error) {
	a := fs9p.Attr{
		Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: uint64(n.nlink), Rdev: n.rdev,
		BlockSize: 4096,
		Atime:     n.atime, Mtime: n.mtime, Ctime: n.ctime, Btime: n.ctime,
	}
	switch n.kind() {
	case fs9p.ModeRegular:
		size, blocks, err := n.fs.stat(n)
		if err != nil {
			return a, err
		}
		a.Size, a.Blocks = size, blocks
	case fs9p.ModeSymlink:
		a.Size = uint64(len(n.target))
	case fs9p.ModeDir:
		a.Size = 4096
	}
	return a, nil
}

// SetAttr is part of fs9p.Node.
func (n *inode) SetAttr(a fs9p.SetAttr) error {
	now := n.fs.now()
	if a.Valid&fs9p.SetSize != 0 {
		if n.kind() != fs9p.ModeRegular {
			return fs9p.EINVAL
		}
		if n.fs.failed != nil {
			return fs9p.EIO
		}
		if err := n.fs.truncate(n, a.Size); err != nil {
			return err
		}
	}
	to := fs9p.Attr{Mode: n.mode, UID: n.uid, GID: n.gid, Atime: n.atime, Mtime: n.mtime}
	a.Apply(&to, now)
	r := record{op: opAttr, id: n.id, attrs: attrs{to.Mode, to.UID, to.GID, to.Atime, to.Mtime, to.Ctime}}
	return n.fs.change(&r)
}

// settle puts times into the journal that it does not have.
func (n *inode) settle() error {
	if !n.stale || n.nlink == 0 {
		return nil
	}
	return n.fs.change(&record{op: opAttr, id: n.id, attrs: n.attrs})
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
	return []byte(v), nil
}

// Xattrs is part of fs9p.Node.
func (n *inode) Xattrs() ([]string, error) { return slices.Sorted(maps.Keys(n.xattrs)), nil }

// SetXattr is part of fs9p.Node.
func (n *inode) SetXattr(name string, value []byte, flags uint32) error {
	if err := fs9p.Settable(n.xattrs, name, flags); err != nil {
		return err
	}
	if n.fs.meta+len(value)-len(n.xattrs[name]) > maxMeta {
		return fs9p.ENOSPC
	}
	return n.fs.change(&record{op: opXattr, id: n.id, name: name, value: string(value), when: n.fs.now()})
}

// RemoveXattr is part of fs9p.Node.
func (n *inode) RemoveXattr(name string) error {
	if _, ok := n.xattrs[name]; !ok {
		return fs9p.ENODATA
	}
	return n.fs.change(&record{op: opRmXattr, id: n.id, name: name, when: n.fs.now()})
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
