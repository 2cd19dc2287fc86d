package statefs

import "alpinevm/fs9p"

// vacant says why name cannot be entered.
func (n *inode) vacant(name string) error {
	switch _, err := n.dir.Lookup(name); {
	case err == nil:
		return fs9p.EEXIST
	case err != fs9p.ENOENT:
		return err
	case n.nlink == 0:
		return fs9p.ENOENT
	case n.fs.names >= n.fs.cfg.Files:
		return fs9p.ENOSPC
	}
	return nil
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

// make makes and enters a file.
func (n *inode) make(name string, mode uint32, rdev uint64, target string, owner fs9p.Owner) (*inode, error) {
	if err := n.vacant(name); err != nil {
		return nil, err
	}
	f := n.fs
	if f.meta+len(target) > maxMeta {
		return nil, fs9p.ENOSPC
	}
	r := record{
		op: opMake, id: f.last + 1, dir: n.id, name: name, rdev: rdev, value: target, when: f.now(),
		attrs: attrs{mode: mode, uid: owner.UID, gid: owner.GID},
	}
	if err := f.change(&r); err != nil {
		return nil, err
	}
	child := f.inodes[r.id]
	child.fresh = true
	return child, nil
}

// Create is part of fs9p.Node.
func (n *inode) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	child, err := n.make(name, mode&fs9p.ModePerm|fs9p.ModeRegular, 0, "", owner)
	if err != nil {
		return nil, nil, err
	}
	child.handles += 2
	return child, &file{child, flags}, nil
}

// Mkdir is part of fs9p.Node.
func (n *inode) Mkdir(name string, mode uint32, owner fs9p.Owner) (fs9p.QID, error) {
	child, err := n.make(name, mode&fs9p.ModePerm|fs9p.ModeDir, 0, "", owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	return child.QID(), nil
}

// Symlink is part of fs9p.Node.
func (n *inode) Symlink(name, target string, owner fs9p.Owner) (fs9p.QID, error) {
	child, err := n.make(name, fs9p.ModeSymlink|0o777, 0, target, owner)
	if err != nil {
		return fs9p.QID{}, err
	}
	return child.QID(), nil
}

// Mknod is part of fs9p.Node.
func (n *inode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (fs9p.QID, error) {
	child, err := n.make(name, mode, rdev, "", owner)
	if err != nil {
		return fs9p.QID{}, err
	}
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
	}
	if err := n.vacant(name); err != nil {
		return err
	}
	return n.fs.change(&record{op: opLink, id: t.id, dir: n.id, name: name, when: n.fs.now()})
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
	case !child.empty():
		return fs9p.ENOTEMPTY
	}
	return n.fs.change(&record{op: opUnlink, dir: n.id, name: name, when: n.fs.now()})
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
	return n.fs.change(&record{op: opRename, dir: n.id, name: oldName, to: to.id, newName: newName, when: n.fs.now()})
}
