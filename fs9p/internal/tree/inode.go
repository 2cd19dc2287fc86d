package tree

import (
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// An Inode is a file of any type. It is its own fs9p.Node.
type Inode struct {
	tree *Tree
	id   uint64
	attrs
	btime   fs9p.Timespec
	rdev    uint64
	nlink   uint32
	stale   bool // the Store has not been told the times yet
	handles int  // Nodes and Files given out and not released
	target  string
	xattrs  []xattr    // by name
	dir     *directory // of a directory only
	data    Content    // of a regular file only
}

// attrs are the attributes that guests set.
type attrs struct {
	mode, uid, gid      uint32
	atime, mtime, ctime fs9p.Timespec
}

type xattr struct{ name, value string }

func (n *Inode) kind() uint32 { return n.mode & fs9p.ModeType }

func (n *Inode) hold() *Inode {
	n.handles++
	return n
}

// Content gives the data of a regular file, nil for any other.
func (n *Inode) Content() Content { return n.data }

// Named tells whether the file has a name.
func (n *Inode) Named() bool { return n.nlink > 0 }

// QID is part of fs9p.Node.
func (n *Inode) QID() fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(n.mode), Version: 1, Path: n.id}
}

// Release is part of fs9p.Node.
func (n *Inode) Release() {
	if n.handles--; n.handles < 0 {
		panic("BUG: tree: an inode was released too often")
	}
	n.reclaim()
}

// cost is what n takes of memory, but for names and for what its Content charges.
func (n *Inode) cost() int64 {
	c := costInode + int64(len(n.target))
	if n.dir != nil {
		c += costDirectory
	}
	for _, x := range n.xattrs {
		c += x.cost()
	}
	return c
}

func (x xattr) cost() int64 { return costXattr + int64(len(x.name)+len(x.value)) }

// reclaim forgets an inode that has no name and no handle.
func (n *Inode) reclaim() {
	t := n.tree
	if n.nlink > 0 || n.handles > 0 || t.inodes.At(n.id) != n {
		return
	}
	t.inodes.Delete(n.id)
	t.used -= n.cost()
	if n.data != nil && !t.replaying {
		n.data.Drop()
	}
}

// Attr is part of fs9p.Node.
func (n *Inode) Attr() (fs9p.Attr, error) {
	a := fs9p.Attr{
		Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: uint64(n.nlink), Rdev: n.rdev,
		BlockSize: 4096,
		Atime:     n.atime, Mtime: n.mtime, Ctime: n.ctime, Btime: n.btime,
	}
	var err error
	switch n.kind() {
	case fs9p.ModeRegular:
		a.Size, a.Blocks, err = n.data.Stat()
	case fs9p.ModeSymlink:
		a.Size = uint64(len(n.target))
	case fs9p.ModeDir:
		a.Size = 4096
	}
	return a, err
}

// SetAttr is part of fs9p.Node.
func (n *Inode) SetAttr(a fs9p.SetAttr) error {
	c := Change{op: opAttr, id: n.id}
	now := n.tree.now()
	if a.Valid&fs9p.SetSize != 0 {
		if n.kind() != fs9p.ModeRegular {
			return fs9p.EINVAL
		}
		size, _, err := n.data.Stat()
		if err != nil {
			return err
		}
		c.frees = a.Size < size
		if err := n.data.Truncate(a.Size); err != nil {
			return err
		}
	}
	to := fs9p.Attr{Mode: n.mode, UID: n.uid, GID: n.gid, Atime: n.atime, Mtime: n.mtime}
	a.Apply(&to, now)
	c.attrs = attrs{to.Mode, to.UID, to.GID, to.Atime, to.Mtime, to.Ctime}
	return n.tree.change(&c)
}

// Settle tells the Store times that it has not been told.
func (n *Inode) Settle() error {
	if !n.stale || n.nlink == 0 {
		return nil
	}
	return n.tree.change(&Change{op: opAttr, id: n.id, attrs: n.attrs})
}

// Readlink is part of fs9p.Node.
func (n *Inode) Readlink() (string, error) {
	if n.kind() != fs9p.ModeSymlink {
		return "", fs9p.EINVAL
	}
	return n.target, nil
}

// find gives the place of an attribute, or the one where it would be.
func (n *Inode) find(name string) (i int, ok bool) {
	return slices.BinarySearchFunc(n.xattrs, name, func(x xattr, name string) int { return strings.Compare(x.name, name) })
}

// Xattr is part of fs9p.Node.
func (n *Inode) Xattr(name string) ([]byte, error) {
	i, ok := n.find(name)
	if !ok {
		return nil, fs9p.ENODATA
	}
	return []byte(n.xattrs[i].value), nil
}

// Xattrs is part of fs9p.Node.
func (n *Inode) Xattrs() ([]string, error) {
	names := make([]string, len(n.xattrs))
	for i, x := range n.xattrs {
		names[i] = x.name
	}
	return names, nil
}

// maxXattrList is XATTR_LIST_MAX of Linux: the names of one file, each with its NUL.
const maxXattrList = 65536

// SetXattr is part of fs9p.Node.
func (n *Inode) SetXattr(name string, value []byte, flags uint32) error {
	i, exists := n.find(name)
	new := xattr{name, string(value)}
	grow := new.cost()
	switch {
	case exists && flags&fs9p.XattrCreate != 0:
		return fs9p.EEXIST
	case !exists && flags&fs9p.XattrReplace != 0:
		return fs9p.ENODATA
	case exists:
		grow -= n.xattrs[i].cost()
	default:
		list := len(name) + 1
		for _, x := range n.xattrs {
			list += len(x.name) + 1
		}
		if list > maxXattrList {
			return fs9p.ENOSPC
		}
	}
	if err := n.tree.room(grow); err != nil {
		return err
	}
	return n.tree.change(&Change{op: opXattr, id: n.id, name: name, value: new.value, when: n.tree.now()})
}

// RemoveXattr is part of fs9p.Node.
func (n *Inode) RemoveXattr(name string) error {
	if _, ok := n.find(name); !ok {
		return fs9p.ENODATA
	}
	return n.tree.change(&Change{op: opRmXattr, id: n.id, name: name, when: n.tree.now(), frees: true})
}
