package tree

import "alpinevm/fs9p"

// MaxDepth is how deep a directory can be made or moved. A path that a program
// can name is not half as deep.
const MaxDepth = 8192

// vacant says why name cannot be entered in n, at the cost of so many bytes.
func (n *Inode) vacant(name string, cost int64) error {
	t := n.tree
	switch _, err := n.dir.lookup(name); {
	case err == nil:
		return fs9p.EEXIST
	case err != fs9p.ENOENT:
		return err
	case n.nlink == 0:
		return fs9p.ENOENT
	case t.names >= t.cfg.Files-kept(t.cfg.Files, t.purpose):
		return fs9p.ENOSPC
	}
	return t.room(costName + cost)
}

// depth counts the directories above n, and whether d is one of them or n itself.
func (n *Inode) depth(d *Inode) (depth int, below bool) {
	for {
		below = below || n == d
		up := n.dir.parent
		if n == up || depth > MaxDepth {
			return depth, below
		}
		n = up
		depth++
	}
}

// Walk is part of fs9p.Node.
func (n *Inode) Walk(name string) (fs9p.Node, error) {
	if name == ".." && n.dir != nil {
		return n.dir.parent.hold(), nil
	}
	e, err := n.dir.lookup(name)
	if err != nil {
		return nil, err
	}
	return e.node.hold(), nil
}

// make makes and enters a file.
func (n *Inode) make(name string, mode uint32, rdev uint64, target string, owner fs9p.Owner) (*Inode, error) {
	cost := costInode + int64(len(target))
	if mode&fs9p.ModeType == fs9p.ModeDir {
		cost += costDirectory
	}
	if err := n.vacant(name, cost); err != nil {
		return nil, err
	}
	t := n.tree
	c := Change{
		op: opMake, id: t.last + 1, dir: n.id, name: name, rdev: rdev, value: target, when: t.now(),
		attrs: attrs{mode: mode, uid: owner.UID, gid: owner.GID},
	}
	if err := t.change(&c); err != nil {
		return nil, err
	}
	return t.inodes.At(c.id), nil
}

// Create is part of fs9p.Node.
func (n *Inode) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	child, err := n.make(name, mode&fs9p.ModePerm|fs9p.ModeRegular, 0, "", owner)
	if err != nil {
		return nil, nil, err
	}
	return child.hold(), &file{child.hold(), flags}, nil
}

// Mkdir is part of fs9p.Node.
func (n *Inode) Mkdir(name string, mode uint32, owner fs9p.Owner) (fs9p.QID, error) {
	if n.dir == nil {
		return fs9p.QID{}, fs9p.ENOTDIR
	}
	if depth, _ := n.depth(nil); depth >= MaxDepth {
		return fs9p.QID{}, fs9p.ENAMETOOLONG
	}
	return made(n.make(name, mode&fs9p.ModePerm|fs9p.ModeDir, 0, "", owner))
}

// Symlink is part of fs9p.Node.
func (n *Inode) Symlink(name, target string, owner fs9p.Owner) (fs9p.QID, error) {
	return made(n.make(name, fs9p.ModeSymlink|0o777, 0, target, owner))
}

// Mknod is part of fs9p.Node.
func (n *Inode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (fs9p.QID, error) {
	return made(n.make(name, mode&(fs9p.ModeType|fs9p.ModePerm), rdev, "", owner))
}

func made(n *Inode, err error) (fs9p.QID, error) {
	if err != nil {
		return fs9p.QID{}, err
	}
	return n.QID(), nil
}

// Link is part of fs9p.Node.
func (n *Inode) Link(name string, target fs9p.Node) error {
	t, ok := target.(*Inode)
	switch {
	case !ok || t.tree != n.tree:
		return fs9p.EXDEV
	case t.dir != nil:
		return fs9p.EPERM
	case t.nlink == 0:
		return fs9p.ENOENT
	}
	if err := n.vacant(name, 0); err != nil {
		return err
	}
	return n.tree.change(&Change{op: opLink, id: t.id, dir: n.id, name: name, when: n.tree.now()})
}

// Unlink is part of fs9p.Node.
func (n *Inode) Unlink(name string, dir bool) error {
	e, err := n.dir.lookup(name)
	if err != nil {
		return err
	}
	child := e.node
	switch {
	case dir && child.dir == nil:
		return fs9p.ENOTDIR
	case !dir && child.dir != nil:
		return fs9p.EISDIR
	case child.dir.len() > 0:
		return fs9p.ENOTEMPTY
	}
	return n.tree.change(&Change{op: opUnlink, dir: n.id, name: name, when: n.tree.now(), frees: true})
}

// Entries is part of fs9p.Counted.
func (n *Inode) Entries() int { return n.dir.len() }

// prunable says why Prune must not remove an entry.
func (n *Inode) prunable(name string) error {
	e, err := n.dir.lookup(name)
	switch {
	case err != nil:
		return err
	case e.node.dir == nil:
		return fs9p.ENOTDIR
	case e.node.nlink > 2:
		return fs9p.ENOTEMPTY
	}
	return nil
}

// Prune is part of fs9p.Pruner.
func (n *Inode) Prune(name string) error {
	if err := n.prunable(name); err != nil {
		return err
	}
	return n.tree.change(&Change{op: opPrune, dir: n.id, name: name, when: n.tree.now(), frees: true})
}

// Rename is part of fs9p.Node.
func (n *Inode) Rename(oldName string, newDir fs9p.Node, newName string) error {
	to, ok := newDir.(*Inode)
	if !ok || to.tree != n.tree {
		return fs9p.EXDEV
	}
	from, err := n.dir.lookup(oldName)
	if err != nil {
		return err
	}
	moved := from.node
	if moved.dir != nil && to.dir != nil && n != to {
		switch depth, below := to.depth(moved); {
		case below:
			return fs9p.EINVAL
		case depth >= MaxDepth:
			return fs9p.ENAMETOOLONG
		}
	}
	there, err := to.dir.lookup(newName)
	switch {
	case err == nil && there.node == moved:
		return nil
	case err == nil:
		if err := replaceable(there.node.dir, moved.dir); err != nil {
			return err
		}
	case err != fs9p.ENOENT:
		return err
	case to.nlink == 0:
		return fs9p.ENOENT
	}
	return n.tree.change(&Change{
		op: opRename, dir: n.id, name: oldName, to: to.id, newName: newName, when: n.tree.now(), frees: there != nil,
	})
}
