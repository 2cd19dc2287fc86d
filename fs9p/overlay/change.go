package overlay

import "alpinevm/fs9p"

// add makes an entry in the directory n by what make does in the upper directory.
func (n *node) add(name string, make func(dir fs9p.Node) error) error {
	return n.fs.change(fs9p.ForChange, func() error { return n.addOne(name, make) })
}

func (n *node) addOne(name string, make func(dir fs9p.Node) error) error {
	if !n.isDir() {
		return fs9p.ENOTDIR
	}
	c, _, err := n.child(name)
	switch {
	case err == nil:
		c.Release()
		return fs9p.EEXIST
	case fs9p.ErrnoOf(err) != fs9p.ENOENT:
		return err
	case n.gone:
		return fs9p.ENOENT
	}
	if err := n.copyUp(true); err != nil {
		return err
	}
	covered := n.covered(name) // by a whiteout
	if covered {
		if err := n.fs.spare(); err != nil {
			return err
		}
		if err := n.upper.Unlink(name, false); err != nil {
			return err
		}
	}
	err = make(n.upper)
	switch {
	case err != nil && covered:
		n.fs.index.Rename(spareName, n.upper, name)
	case covered:
		n.hide(hidden{whiteouts: -1})
	}
	return err
}

// Create is part of fs9p.Node.
func (n *node) Create(name string, flags, mode uint32, owner fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	var u fs9p.Node
	var f fs9p.File
	err := n.add(name, func(dir fs9p.Node) (err error) {
		u, f, err = dir.Create(name, flags, mode, owner)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	c := n.fs.fromUpper(u, n)
	return c, &file{n: c, File: f, flags: flags, upper: true}, nil
}

// made gives the QID of what add made.
func (n *node) made(q fs9p.QID, err error) (fs9p.QID, error) {
	q.Path, q.Version = upperID(q.Path), 1
	return q, err
}

// Mkdir is part of fs9p.Node.
func (n *node) Mkdir(name string, mode uint32, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.add(name, func(dir fs9p.Node) (err error) {
		q, err = dir.Mkdir(name, mode, owner)
		return err
	})
	return n.made(q, err)
}

// Symlink is part of fs9p.Node.
func (n *node) Symlink(name, target string, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.add(name, func(dir fs9p.Node) (err error) {
		q, err = dir.Symlink(name, target, owner)
		return err
	})
	return n.made(q, err)
}

// Mknod is part of fs9p.Node.
func (n *node) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.add(name, func(dir fs9p.Node) (err error) {
		q, err = dir.Mknod(name, mode, rdev, owner)
		return err
	})
	return n.made(q, err)
}

// Link is part of fs9p.Node.
func (n *node) Link(name string, target fs9p.Node) error {
	t, ok := target.(*node)
	if !ok || t.fs != n.fs {
		return fs9p.EXDEV
	}
	if t.isDir() {
		return fs9p.EPERM
	}
	if a, err := t.Attr(); err != nil {
		return err
	} else if a.Nlink == 0 {
		return fs9p.ENOENT
	}
	return n.add(name, func(dir fs9p.Node) error {
		if err := t.copyUp(true); err != nil {
			return err
		}
		return dir.Link(name, t.upper)
	})
}

// Unlink is part of fs9p.Node.
func (n *node) Unlink(name string, dir bool) error {
	if !n.isDir() {
		return fs9p.ENOTDIR
	}
	c, inUpper, err := n.child(name)
	if err != nil {
		return err
	}
	defer c.Release()
	switch {
	case dir && !c.isDir():
		return fs9p.ENOTDIR
	case !dir && c.isDir():
		return fs9p.EISDIR
	case dir:
		if empty, err := c.empty(); err != nil {
			return err
		} else if !empty {
			return fs9p.ENOTEMPTY
		}
	}
	return n.fs.change(c.purpose(), func() error { return n.unlink(name, c, inUpper) })
}

// purpose tells what the removal of a name of c is for: to make room, where
// there are data of ours behind it.
func (c *node) purpose() fs9p.Purpose {
	if c.upper == nil || c.isDir() {
		return fs9p.ForRemoval
	}
	if a, err := c.Attr(); err == nil && a.Blocks > 0 && a.Nlink == 1 {
		return fs9p.ForRoom
	}
	return fs9p.ForRemoval
}

// unlink removes the entry name, c, of the directory n.
func (n *node) unlink(name string, c *node, inUpper bool) error {
	hide, err := n.inLower(name)
	if err != nil {
		return err
	}
	if err := n.copyUp(true); err != nil {
		return err
	}
	if hide {
		if err := n.fs.spare(); err != nil {
			return err
		}
	}
	if err := c.loseName(n, name, inUpper); err != nil {
		return err
	}
	return n.white(name, c, inUpper, hide)
}

// white puts the spare whiteout where the entry c was, if something is to be
// hidden there.
func (n *node) white(name string, c *node, inUpper, hide bool) error {
	if !hide {
		return nil
	}
	if err := n.fs.index.Rename(spareName, n.upper, name); err != nil {
		return err
	}
	n.hide(hidden{whiteouts: 1})
	if !inUpper {
		n.hide(hides(c))
	}
	return nil
}

// loseName takes away the entry name of c in the directory dir, but for the
// whiteout that may have to take its place.
func (c *node) loseName(dir *node, name string, inUpper bool) error {
	if !inUpper {
		if err := c.loseLowerName(); err != nil {
			return err
		}
	} else if err := c.removeUpper(dir.upper, name); err != nil {
		return err
	}
	c.gone = c.gone || c.isDir()
	return nil
}

// loseLowerName counts one name of c in the lower less. With the last one its
// copy leaves the index. A file of several names is copied up, so that there
// is a count.
func (c *node) loseLowerName() error {
	if c.upper == nil {
		a, err := c.lower.Attr()
		if err != nil {
			return err
		}
		if c.isDir() || a.Nlink <= 1 {
			c.gone = true
			return nil
		}
		if err := c.copyUp(true); err != nil {
			return err
		}
	}
	lower, _ := c.lowerPath()
	names := c.fs.records.copies.At(lower).names
	if names > 1 {
		return c.fs.setNames(c.upper, lower, names-1)
	}
	if err := c.removeUpper(c.fs.index, indexed(lower)); err != nil {
		return err
	}
	c.fs.records.copies.Put(lower, copied{upper: c.upper.QID().Path})
	return nil
}

// Rename is part of fs9p.Node.
func (n *node) Rename(oldName string, newDir fs9p.Node, newName string) error {
	to, ok := newDir.(*node)
	if !ok || to.fs != n.fs {
		return fs9p.EXDEV
	}
	if !n.isDir() || !to.isDir() {
		return fs9p.ENOTDIR
	}
	c, inUpper, err := n.child(oldName)
	if err != nil {
		return err
	}
	defer c.Release()
	if c.isDir() && n != to {
		switch depth, below := to.depth(c); {
		case below:
			return fs9p.EINVAL
		case depth >= maxDepth:
			return fs9p.ENAMETOOLONG
		}
	}
	old, oldInUpper, err := to.child(newName)
	p := fs9p.ForChange
	switch {
	case err == nil:
		defer old.Release()
		if old == c {
			return nil
		}
		if err := replaceable(old, c); err != nil {
			return err
		}
		p = old.purpose()
	case fs9p.ErrnoOf(err) != fs9p.ENOENT:
		return err
	case to.gone:
		return fs9p.ENOENT
	}
	return n.fs.change(p, func() error { return n.rename(oldName, c, inUpper, to, newName, old, oldInUpper) })
}

// rename moves c, the entry oldName of n, to another directory and puts it in
// the place of old, if that is not nil.
func (n *node) rename(oldName string, c *node, inUpper bool, to *node, newName string, old *node, oldInUpper bool) error {
	hide, err := n.inLower(oldName)
	if err != nil {
		return err
	}
	if hide {
		if err := n.fs.spare(); err != nil {
			return err
		}
	}
	for _, up := range []*node{n, to, c} {
		if err := up.copyUp(true); err != nil {
			return err
		}
	}
	covered := old == nil && to.covered(newName) // by a whiteout
	if err := c.move(n, oldName, inUpper, to, newName, old, oldInUpper); err != nil {
		return err
	}
	switch {
	case covered:
		to.hide(hidden{whiteouts: -1})
	case old != nil && !oldInUpper:
		to.hide(hides(old))
	}
	return n.white(oldName, c, inUpper, hide)
}

// replaceable says why rename must not put c in the place of old.
func replaceable(old, c *node) error {
	switch {
	case !c.isDir() && old.isDir():
		return fs9p.EISDIR
	case c.isDir() && !old.isDir():
		return fs9p.ENOTDIR
	case c.isDir():
		if empty, err := old.empty(); err != nil {
			return err
		} else if !empty {
			return fs9p.ENOTEMPTY
		}
	}
	return nil
}

// move takes c, all copied up, from one directory to another, where old may be.
func (c *node) move(from *node, oldName string, inUpper bool, to *node, newName string, old *node, oldInUpper bool) error {
	switch {
	case old != nil && (old.isDir() || !oldInUpper):
		// What is left there is at most a whiteout, for this cannot fail half way.
		if err := old.loseName(to, newName, oldInUpper); err != nil {
			return err
		}
	case old == nil && c.isDir() && to.covered(newName):
		if err := to.upper.Unlink(newName, false); err != nil {
			return err
		}
	}
	var err error
	if inUpper {
		err = from.upper.Rename(oldName, to.upper, newName)
	} else {
		err = c.leaveIndex(to.upper, newName)
	}
	if err != nil || !c.isDir() || from == to {
		return err
	}
	c.parent.Release()
	c.parent = to.hold()
	return nil
}

// leaveIndex gives c, which is copied up, a name in an upper directory for one
// that it has in the lower.
func (c *node) leaveIndex(dir fs9p.Node, name string) error {
	lower, _ := c.lowerPath()
	records := &c.fs.records
	if names := records.copies.At(lower).names; names > 1 {
		if err := c.fs.index.Link(tempName, c.upper); err != nil {
			return err
		}
		if err := c.fs.index.Rename(tempName, dir, name); err != nil {
			c.fs.index.Unlink(tempName, false)
			return err
		}
		return c.fs.setNames(c.upper, lower, names-1)
	}
	if err := c.fs.index.Rename(indexed(lower), dir, name); err != nil {
		return err
	}
	records.copies.Put(lower, copied{upper: c.upper.QID().Path})
	if c.isDir() {
		records.moved.Put(lower, c.lower)
		c.pinned = true
	}
	return nil
}
