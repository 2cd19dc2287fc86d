package memfs

import "alpinevm/fs9p"

type directory = fs9p.Directory[*inode]

// vacant says why name cannot be entered.
func (n *inode) vacant(name string) error {
	switch _, err := n.dir.Lookup(name); {
	case err == nil:
		return fs9p.EEXIST
	case err != fs9p.ENOENT:
		return err
	case n.nlink == 0:
		return fs9p.ENOENT
	case n.fs.files >= n.fs.cfg.Files:
		return fs9p.ENOSPC
	}
	return nil
}

// changed is what every new, removed or moved entry does to the directory; but
// what the host puts there leaves it its time.
func (n *inode) changed() {
	if n.fs.loading {
		return
	}
	n.mtime = n.fs.now()
	n.ctime = n.mtime
}

// enter gives child its name in the directory n.
func (n *inode) enter(name string, child *inode) {
	n.fs.files++
	child.nlink++
	if child.dir != nil {
		child.nlink++
		child.dir.Parent = n
		n.nlink++
	}
	n.dir.Add(name, child)
	n.changed()
}

// unname is what losing its entry in the directory n does to child; the entry
// itself is the caller's affair.
func (n *inode) unname(child *inode) {
	n.fs.files--
	child.nlink--
	if child.dir != nil {
		child.nlink--
		n.nlink--
	}
	child.ctime = n.fs.now()
	child.reclaim()
}

// Walk is part of fs9p.Node.
func (n *inode) Walk(name string) (fs9p.Node, error) {
	if name == ".." && n.dir != nil {
		n.dir.Parent.handles++
		return n.dir.Parent, nil
	}
	e, err := n.dir.Lookup(name)
	if err != nil {
		return nil, err
	}
	e.Node.handles++
	return e.Node, nil
}

// Create is part of fs9p.Node.
func (n *inode) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	child, err := n.make(name, mode&fs9p.ModePerm|fs9p.ModeRegular, owner)
	if err != nil {
		return nil, nil, err
	}
	child.handles += 2
	return child, &file{child, flags}, nil
}

// make makes and enters a file.
func (n *inode) make(name string, mode uint32, owner fs9p.Owner) (*inode, error) {
	if err := n.vacant(name); err != nil {
		return nil, err
	}
	child := n.fs.inode(mode, owner)
	n.enter(name, child)
	return child, nil
}

// Mkdir is part of fs9p.Node.
func (n *inode) Mkdir(name string, mode uint32, owner fs9p.Owner) (fs9p.QID, error) {
	if n.nlink >= maxLinks {
		return fs9p.QID{}, fs9p.EMLINK
	}
	child, err := n.make(name, mode&fs9p.ModePerm|fs9p.ModeDir, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	return child.QID(), nil
}

// Symlink is part of fs9p.Node.
func (n *inode) Symlink(name, target string, owner fs9p.Owner) (fs9p.QID, error) {
	if err := n.vacant(name); err != nil {
		return fs9p.QID{}, err
	}
	if err := n.fs.charge(len(target)); err != nil {
		return fs9p.QID{}, err
	}
	child := n.fs.inode(fs9p.ModeSymlink|0o777, owner)
	child.target = target
	n.enter(name, child)
	return child.QID(), nil
}

// Mknod is part of fs9p.Node.
func (n *inode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (fs9p.QID, error) {
	child, err := n.make(name, mode, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	child.rdev = rdev
	return child.QID(), nil
}

// Link is part of fs9p.Node.
func (n *inode) Link(name string, target fs9p.Node) error {
	t, ok := target.(*inode)
	switch {
	case !ok || t.fs != n.fs:
		return fs9p.EXDEV
	case t.dir != nil:
		return fs9p.EPERM
	case t.nlink == 0:
		return fs9p.ENOENT
	case t.nlink >= maxLinks:
		return fs9p.EMLINK
	}
	if err := n.vacant(name); err != nil {
		return err
	}
	n.enter(name, t)
	t.ctime = n.mtime
	return nil
}

// Unlink is part of fs9p.Node.
func (n *inode) Unlink(name string, dir bool) error {
	e, err := n.dir.Lookup(name)
	if err != nil {
		return err
	}
	child := e.Node
	switch {
	case dir && child.dir == nil:
		return fs9p.ENOTDIR
	case !dir && child.dir != nil:
		return fs9p.EISDIR
	case child.dir.Len() > 0:
		return fs9p.ENOTEMPTY
	}
	n.dir.Remove(e)
	n.unname(child)
	n.changed()
	return nil
}

// Rename is part of fs9p.Node.
func (n *inode) Rename(oldName string, newDir fs9p.Node, newName string) error {
	to, ok := newDir.(*inode)
	if !ok || to.fs != n.fs {
		return fs9p.EXDEV
	}
	from, err := n.dir.Lookup(oldName)
	if err != nil {
		return err
	}
	moved := from.Node
	if moved.dir != nil && to.dir != nil && moved.above(to) {
		return fs9p.EINVAL
	}
	there, err := to.dir.Lookup(newName)
	switch {
	case err == nil && there.Node == moved:
		return nil
	case err == nil:
		if err := fs9p.Replaceable(there.Node.dir, moved.dir); err != nil {
			return err
		}
	case err != fs9p.ENOENT:
		return err
	case to.nlink == 0:
		return fs9p.ENOENT
	}
	n.dir.Remove(from)
	if there != nil {
		to.unname(there.Node)
		there.Node = moved
	} else {
		to.dir.Add(newName, moved)
	}
	if moved.dir != nil {
		n.nlink--
		to.nlink++
		moved.dir.Parent = to
	}
	n.changed()
	to.changed()
	moved.ctime = to.mtime
	return nil
}

// above tells whether d is n or below it.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.dir.Parent {
		if d == d.dir.Parent {
			return false
		}
	}
	return true
}
