package hostfs

import (
	"os"
	"path/filepath"

	"alpinevm/fs9p"
)

// Walk is part of fs9p.Node.
func (n *inode) Walk(name string) (fs9p.Node, error) {
	if n.kind != fs9p.ModeDir {
		return nil, fs9p.ENOTDIR
	}
	if name == ".." {
		return n.parent.hold(), nil
	}
	c, _, err := n.lookup(name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// lookup finds and holds an entry, and tells what the host knows of it.
func (n *inode) lookup(name string) (*inode, fs9p.Attr, error) {
	root, err := n.dir()
	if err != nil {
		return nil, fs9p.Attr{}, err
	}
	if err := hostName(name); err != nil {
		return nil, fs9p.Attr{}, err
	}
	fi, err := root.Lstat(name)
	if err != nil {
		return nil, fs9p.Attr{}, toErrno(err)
	}
	c, err := n.fs.found(n, root, name, fi)
	return c, attrOf(fi), err
}

// hostName refuses what is one name for the guest but more for the host.
func hostName(name string) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fs9p.EINVAL
	}
	return nil
}

// place is where an entry is to be made.
func (n *inode) place(name string) (*os.Root, error) {
	root, err := n.dir()
	if err != nil {
		return nil, err
	}
	return root, hostName(name)
}

// Create is part of fs9p.Node.
func (n *inode) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	root, err := n.place(name)
	if err != nil {
		return nil, nil, err
	}
	how := access(flags) | os.O_CREATE | os.O_EXCL | openFlags
	if flags&fs9p.OAppend != 0 {
		how |= os.O_APPEND
	}
	f, err := root.OpenFile(name, how, os.FileMode(mode&0o777))
	if err != nil {
		return nil, nil, toErrno(err)
	}
	c, err := n.adopt(root, name, mode, owner)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return c, &openFile{f: f, append: flags&fs9p.OAppend != 0}, nil
}

// adopt gives a file that was just made its number, its owner and the bits of
// its mode that the host's umask or the way it was made left out. It holds it.
func (n *inode) adopt(root *os.Root, name string, mode uint32, owner fs9p.Owner) (*inode, error) {
	fi, err := root.Lstat(name)
	if err != nil {
		return nil, toErrno(err)
	}
	c, err := n.fs.found(n, root, name, fi)
	if err != nil {
		return nil, err
	}
	n.fs.forget(c.key)
	c.id = n.fs.renumber(c.key)
	a := attrOf(fi)
	if a.UID != owner.UID || a.GID != owner.GID {
		err = c.chown(owner)
	}
	if err == nil && c.kind != fs9p.ModeSymlink && a.Mode&fs9p.ModePerm != mode&fs9p.ModePerm {
		err = c.chmod(mode)
	}
	if err != nil {
		root.Remove(name)
		c.Release()
		return nil, err
	}
	return c, nil
}

// made ends what makes a file without opening it.
func (n *inode) made(root *os.Root, name string, mode uint32, owner fs9p.Owner, err error) (fs9p.QID, error) {
	if err != nil {
		return fs9p.QID{}, toErrno(err)
	}
	c, err := n.adopt(root, name, mode, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	defer c.Release()
	return c.QID(), nil
}

// Mkdir is part of fs9p.Node.
func (n *inode) Mkdir(name string, mode uint32, owner fs9p.Owner) (fs9p.QID, error) {
	root, err := n.place(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	return n.made(root, name, mode, owner, root.Mkdir(name, os.FileMode(mode&0o777)))
}

// Symlink is part of fs9p.Node.
func (n *inode) Symlink(name, target string, owner fs9p.Owner) (fs9p.QID, error) {
	root, err := n.place(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	return n.made(root, name, 0, owner, root.Symlink(target, name))
}

// Mknod is part of fs9p.Node. A device is an empty file on the host.
func (n *inode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (fs9p.QID, error) {
	root, err := n.place(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	switch kind := mode & fs9p.ModeType; kind {
	case fs9p.ModeRegular, fs9p.ModeChar, fs9p.ModeBlock:
		perm := os.FileMode(mode & 0o777)
		if kind != fs9p.ModeRegular {
			perm = 0o600
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|openFlags, perm)
		if err != nil {
			return fs9p.QID{}, toErrno(err)
		}
		f.Close()
		if kind == fs9p.ModeRegular {
			return n.made(root, name, mode, owner, nil)
		}
		q, err := n.made(root, name, 0o600, owner, nil)
		if err != nil {
			return q, err
		}
		c, _, err := n.lookup(name)
		if err != nil {
			return q, err
		}
		defer c.Release()
		as := n.fs.assumed[c.key]
		as.mode, as.rdev = mode, rdev
		n.fs.assumed[c.key] = as
		return q, nil
	}
	return n.made(root, name, mode, owner, mknod(root, name, mode))
}

// Link is part of fs9p.Node.
func (n *inode) Link(name string, target fs9p.Node) error {
	t, ok := target.(*inode)
	switch {
	case !ok || t.fs != n.fs:
		return fs9p.EXDEV
	case t.kind == fs9p.ModeDir:
		return fs9p.EPERM
	case t.parent == nil:
		return fs9p.ENOENT
	}
	root, err := n.place(name)
	if err != nil {
		return err
	}
	from, err := t.path()
	if err != nil {
		return err
	}
	to, err := n.path()
	if err != nil {
		return err
	}
	if err := n.fs.top.root.Link(from, filepath.Join(to, name)); err != nil {
		return toErrno(err)
	}
	// A path can have come to mean another file than the one that was checked.
	if _, err := t.check(root, name, root.Lstat); err != nil {
		root.Remove(name)
		return err
	}
	return nil
}

// path is where n is in the folder, checked.
func (n *inode) path() (string, error) {
	if n == n.fs.top {
		return ".", nil
	}
	if n.parent == nil || n.gone {
		return "", fs9p.ENOENT
	}
	var p string
	for c := n; c != n.fs.top; c = c.parent {
		if c.parent == nil {
			return "", fs9p.ENOENT
		}
		p = filepath.Join(c.name, p)
	}
	_, err := n.check(n.fs.top.root, p, n.fs.top.root.Lstat)
	return p, err
}

// Unlink is part of fs9p.Node.
func (n *inode) Unlink(name string, dir bool) error {
	c, a, err := n.lookup(name)
	if err != nil {
		return err
	}
	defer c.Release()
	switch isDir := c.kind == fs9p.ModeDir; {
	case dir && !isDir:
		return fs9p.ENOTDIR
	case !dir && isDir:
		return fs9p.EISDIR
	}
	c.keep(a)
	root, err := n.dir()
	if err == nil {
		err = toErrno(root.Remove(name))
	}
	if err == nil {
		c.lost()
	}
	return err
}

// keep prepares n for losing the name that is known of it: if anyone but the
// caller holds it, it must be there afterwards.
func (n *inode) keep(a fs9p.Attr) {
	n.last = n.assume(a)
	if n.refs == 1 || n.anchor != nil {
		return
	}
	switch n.kind {
	case fs9p.ModeRegular:
		f, _, err := n.file(os.O_RDWR)
		if err != nil {
			f, _, err = n.file(os.O_RDONLY)
		}
		if err == nil {
			n.anchor = f
		}
	case fs9p.ModeSymlink:
		n.target, _ = n.Readlink()
	}
}

// lost notes that the name is gone which keep was told of. A file that is no
// more makes room for another with its number on the host.
func (n *inode) lost() {
	n.last.Nlink--
	if n.kind == fs9p.ModeDir || n.anchor == nil && n.last.Nlink == 0 {
		n.gone, n.last.Nlink = true, 0
		delete(n.fs.live, n.key)
		n.fs.forget(n.key)
	}
	if n.recent != nil {
		n.fs.closeDir(n)
	}
	// The parent of a directory is still the answer to a walk to "..".
	if n.kind != fs9p.ModeDir {
		n.parent.Release()
		n.parent, n.name = nil, ""
	}
}

// Rename is part of fs9p.Node.
func (n *inode) Rename(oldName string, newDir fs9p.Node, newName string) error {
	to, ok := newDir.(*inode)
	if !ok || to.fs != n.fs {
		return fs9p.EXDEV
	}
	c, _, err := n.lookup(oldName)
	if err != nil {
		return err
	}
	defer c.Release()
	if c.kind == fs9p.ModeDir && c.above(to) {
		return fs9p.EINVAL
	}
	old, a, err := to.lookup(newName)
	switch fs9p.ErrnoOf(err) {
	case 0:
		defer old.Release()
		if old == c {
			return nil
		}
		if err := old.makeWay(to, newName, a, c); err != nil {
			return err
		}
	case fs9p.ENOENT:
		old = nil
	default:
		return err
	}
	if err := n.move(oldName, to, newName); err != nil {
		return err
	}
	if old != nil && !old.gone {
		old.lost()
	}
	c.named(to, newName)
	return nil
}

func (n *inode) move(oldName string, to *inode, newName string) error {
	from, err := n.path()
	if err != nil {
		return err
	}
	dest, err := to.path()
	if err != nil {
		return err
	}
	return toErrno(n.fs.top.root.Rename(filepath.Join(from, oldName), filepath.Join(dest, newName)))
}

// above tells whether d is n or below it.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.parent {
		if d == d.parent {
			return false
		}
	}
	return true
}

// makeWay says why c must not take the place of n, else gets n ready to lose its
// name. An empty directory is removed: os.Root does not rename over one.
func (n *inode) makeWay(dir *inode, name string, a fs9p.Attr, c *inode) error {
	isDir := n.kind == fs9p.ModeDir
	switch cIsDir := c.kind == fs9p.ModeDir; {
	case isDir && !cIsDir:
		return fs9p.EISDIR
	case !isDir && cIsDir:
		return fs9p.ENOTDIR
	}
	n.keep(a)
	if !isDir {
		return nil
	}
	root, err := dir.dir()
	if err == nil {
		err = toErrno(root.Remove(name))
	}
	if err == nil {
		n.lost()
	}
	return err
}
