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
	f, err := n.entries(name)
	if err != nil {
		return nil, fs9p.Attr{}, err
	}
	fi, err := f.root.Lstat(name)
	if err != nil {
		return nil, fs9p.Attr{}, toErrno(err)
	}
	c, err := n.fs.found(n, f, name, fi)
	return c, attrOf(fi), err
}

// entries opens the directory n, in which an entry of that name is to be found or made.
func (n *inode) entries(name string) (*folder, error) {
	if n.depth() >= maxDepth {
		return nil, fs9p.ENAMETOOLONG
	}
	f, err := n.dir()
	if err != nil {
		return nil, err
	}
	return f, hostName(name)
}

// hostName refuses what is one name for the guest but more for the host.
func hostName(name string) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fs9p.EINVAL
	}
	return nil
}

// Create is part of fs9p.Node.
func (n *inode) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	f, err := n.entries(name)
	if err != nil {
		return nil, nil, err
	}
	if n.fs.files >= n.fs.limit.files {
		return nil, nil, fs9p.ENFILE
	}
	how := access(flags)
	if flags&fs9p.OAppend != 0 {
		how |= os.O_APPEND
	}
	file, err := f.root.OpenFile(name, how|os.O_CREATE|os.O_EXCL|openFlags, os.FileMode(mode&0o777))
	if err != nil {
		return nil, nil, toErrno(err)
	}
	c, err := n.adopt(f, name, mode, owner)
	if err == nil {
		if err = c.isOpen(file); err != nil {
			c.Release()
		}
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return c, &openFile{h: c.opened(file, how), append: flags&fs9p.OAppend != 0}, nil
}

// adopt gives a file that was just made its owner and the bits of its mode that
// the host's umask or the way it was made left out. It holds it.
func (n *inode) adopt(f *folder, name string, mode uint32, owner fs9p.Owner) (*inode, error) {
	c, p, err := n.take(f, name)
	if err != nil {
		return nil, err
	}
	if a := attrOf(p.info); a.UID != owner.UID || a.GID != owner.GID {
		_, err = c.setOwner(p, owner)
	}
	if err == nil && c.kind != fs9p.ModeSymlink && modeOf(p.info)&fs9p.ModePerm != mode&fs9p.ModePerm {
		err = c.setMode(p, mode, modeOf(p.info)&setIDs)
	}
	if err != nil {
		f.root.Remove(name)
		c.Release()
		return nil, err
	}
	return c, nil
}

// take finds a file that was just made: whatever was known of one of its kind
// is about another one.
func (n *inode) take(f *folder, name string) (*inode, place, error) {
	fi, err := f.root.Lstat(name)
	if err != nil {
		return nil, place{}, toErrno(err)
	}
	k, err := f.identify(name, fi)
	if err != nil {
		return nil, place{}, toErrno(err)
	}
	if old := n.fs.live.At(k); old != nil {
		n.fs.replaced(old)
	} else if k.gen == 0 {
		n.fs.forget(k)
	}
	c, err := n.fs.found(n, f, name, fi)
	return c, place{dir: f, name: name, info: fi}, err
}

// made ends what makes a file without opening it.
func (n *inode) made(f *folder, name string, mode uint32, owner fs9p.Owner, err error) (fs9p.QID, error) {
	if err != nil {
		return fs9p.QID{}, toErrno(err)
	}
	c, err := n.adopt(f, name, mode, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	defer c.Release()
	return c.QID(), nil
}

// Mkdir is part of fs9p.Node.
func (n *inode) Mkdir(name string, mode uint32, owner fs9p.Owner) (fs9p.QID, error) {
	f, err := n.entries(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	return n.made(f, name, mode, owner, f.root.Mkdir(name, os.FileMode(mode&0o777)))
}

// Symlink is part of fs9p.Node.
func (n *inode) Symlink(name, target string, owner fs9p.Owner) (fs9p.QID, error) {
	f, err := n.entries(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	return n.made(f, name, 0, owner, f.root.Symlink(target, name))
}

// Mknod is part of fs9p.Node. What is not a regular file is an empty one on the
// host: a device would be a door to its hardware, and a fifo stop its programs.
func (n *inode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (fs9p.QID, error) {
	f, err := n.entries(name)
	if err != nil {
		return fs9p.QID{}, err
	}
	special := mode&fs9p.ModeType != fs9p.ModeRegular
	onHost := mode
	if special {
		onHost = 0o600
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|openFlags, os.FileMode(onHost&0o777))
	if err != nil {
		return fs9p.QID{}, toErrno(err)
	}
	file.Close()
	c, err := n.adopt(f, name, onHost, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	defer c.Release()
	if special {
		err = n.fs.kept.change(c.mark(), func(e *extra) { e.special, e.rdev = mode, rdev })
	}
	if err != nil {
		f.root.Remove(name)
		return fs9p.QID{}, err
	}
	return c.QID(), nil
}

// Link is part of fs9p.Node.
func (n *inode) Link(name string, target fs9p.Node) error {
	t, ok := target.(*inode)
	switch {
	case !ok || t.fs != n.fs:
		return fs9p.EXDEV
	case t.kind == fs9p.ModeDir:
		return fs9p.EPERM
	}
	p, err := t.place()
	if err != nil {
		return err
	}
	if p.dir == nil {
		return fs9p.ENOENT
	}
	f, err := n.entries(name)
	if err != nil {
		return err
	}
	if err := link(t.parent, t.name, n, name); err != nil {
		return toErrno(err)
	}
	// The name can have come to mean another file than the one that was checked.
	if _, err := t.check(f, name); err != nil {
		f.root.Remove(name)
		return err
	}
	return nil
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
	was := c.keep(a)
	f, err := n.dir()
	if err == nil {
		err = toErrno(f.root.Remove(name))
	}
	if err == nil {
		c.lost(was)
	}
	return err
}

// keep prepares n for losing the name that is known of it: if anyone but the
// caller holds it, it must be there afterwards.
func (n *inode) keep(a fs9p.Attr) *remains {
	was := &remains{attr: n.fs.kept.assume(n.mark(), a)}
	if n.refs == 1 || n.anchor != nil {
		return was
	}
	switch n.kind {
	case fs9p.ModeRegular:
		for _, flags := range []int{os.O_RDWR, os.O_RDONLY} {
			if len(n.handles) > 0 {
				break
			}
			if h, err := n.open(flags); err == nil {
				n.keepOpen()
				h.release()
			}
		}
		n.keepOpen()
	case fs9p.ModeSymlink:
		was.target, _ = n.Readlink()
	}
	return was
}

// lost notes that the name is gone which keep was told of. A file that is no
// more makes room for another with its number on the host.
func (n *inode) lost(was *remains) {
	was.attr.Nlink--
	if n.kind == fs9p.ModeDir || n.anchor == nil && was.attr.Nlink == 0 {
		n.fs.freed(was.attr)
		was.attr.Nlink = 0
		n.vanish(was)
	}
	if n.recent != nil {
		n.fs.closeFolder(n)
	}
	// The parent of a directory is still the answer to a walk to "..".
	if n.kind != fs9p.ModeDir {
		n.unnamed()
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
	if to.depth() >= maxDepth {
		return fs9p.ENAMETOOLONG
	}
	if c.kind == fs9p.ModeDir && c.above(to) {
		return fs9p.EINVAL
	}
	old, a, err := to.lookup(newName)
	var was *remains
	switch fs9p.ErrnoOf(err) {
	case 0:
		defer old.Release()
		if old == c {
			return nil
		}
		if was, err = old.makeWay(to, newName, a, c); err != nil {
			return err
		}
	case fs9p.ENOENT:
		old = nil
	default:
		return err
	}
	if err := rename(n, oldName, to, newName); err != nil {
		return toErrno(err)
	}
	if old != nil && old.gone == nil {
		old.lost(was)
	}
	c.named(to, newName)
	return nil
}

// makeWay says why c must not take the place of n, else gets n ready to lose its
// name.
func (n *inode) makeWay(dir *inode, name string, a fs9p.Attr, c *inode) (*remains, error) {
	isDir := n.kind == fs9p.ModeDir
	switch cIsDir := c.kind == fs9p.ModeDir; {
	case isDir && !cIsDir:
		return nil, fs9p.EISDIR
	case !isDir && cIsDir:
		return nil, fs9p.ENOTDIR
	}
	was := n.keep(a)
	if !isDir || renamesOver {
		return was, nil
	}
	// os.Root does not rename over a directory.
	f, err := dir.dir()
	if err == nil {
		err = toErrno(f.root.Remove(name))
	}
	if err == nil {
		n.lost(was)
	}
	return was, err
}
