package memfs

import (
	"sort"

	"alpinevm/fs9p"
)

// A directory maps names to inodes and remembers the order in which they were
// entered: a cookie is an entry's place in that order and is never used again,
// so that a listing goes on where it was, whatever is deleted meanwhile.
type directory struct {
	parent *inode
	names  map[string]*dirent
	order  []*dirent // by cookie; a deleted one has no node
	next   uint64    // the cookie given last
	dead   int       // deleted ones in order
}

type dirent struct {
	name   string
	node   *inode
	cookie uint64
}

func (d *directory) add(name string, n *inode) {
	d.next++
	e := &dirent{name, n, d.next}
	d.names[name] = e
	d.order = append(d.order, e)
}

func (d *directory) remove(e *dirent) {
	delete(d.names, e.name)
	e.node = nil
	d.dead++
	if d.dead < 32 || d.dead < len(d.order)/2 {
		return
	}
	live := d.order[:0]
	for _, e := range d.order {
		if e.node != nil {
			live = append(live, e)
		}
	}
	clear(d.order[len(live):])
	d.order, d.dead = live, 0
}

func (d *directory) list(cookie uint64, emit func(fs9p.Dirent) bool) {
	i := sort.Search(len(d.order), func(i int) bool { return d.order[i].cookie > cookie })
	for _, e := range d.order[i:] {
		if e.node == nil {
			continue
		}
		if !emit(fs9p.Dirent{
			QID: e.node.QID(), Cookie: e.cookie, Type: fs9p.DirentType(e.node.mode), Name: e.name,
		}) {
			return
		}
	}
}

// lookup finds an entry of a directory.
func (n *inode) lookup(name string) (*dirent, error) {
	if n.dir == nil {
		return nil, fs9p.ENOTDIR
	}
	if len(name) > fs9p.MaxName {
		return nil, fs9p.ENAMETOOLONG
	}
	e := n.dir.names[name]
	if e == nil {
		return nil, fs9p.ENOENT
	}
	return e, nil
}

// vacant says why name cannot be entered.
func (n *inode) vacant(name string) error {
	switch _, err := n.lookup(name); {
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
		child.dir.parent = n
		n.nlink++
	}
	n.dir.add(name, child)
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
		n.dir.parent.handles++
		return n.dir.parent, nil
	}
	e, err := n.lookup(name)
	if err != nil {
		return nil, err
	}
	e.node.handles++
	return e.node, nil
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
	e, err := n.lookup(name)
	if err != nil {
		return err
	}
	child := e.node
	switch {
	case dir && child.dir == nil:
		return fs9p.ENOTDIR
	case !dir && child.dir != nil:
		return fs9p.EISDIR
	case dir && len(child.dir.names) > 0:
		return fs9p.ENOTEMPTY
	}
	n.dir.remove(e)
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
	from, err := n.lookup(oldName)
	if err != nil {
		return err
	}
	moved := from.node
	if moved.dir != nil && moved.above(to) {
		return fs9p.EINVAL
	}
	there, err := to.lookup(newName)
	switch {
	case err == nil && there.node == moved:
		return nil
	case err == nil:
		if err := replaceable(there.node, moved); err != nil {
			return err
		}
	case err != fs9p.ENOENT:
		return err
	case to.nlink == 0:
		return fs9p.ENOENT
	}
	n.dir.remove(from)
	if there != nil {
		to.unname(there.node)
		there.node = moved
	} else {
		to.dir.add(newName, moved)
	}
	if moved.dir != nil {
		n.nlink--
		to.nlink++
		moved.dir.parent = to
	}
	n.changed()
	to.changed()
	moved.ctime = to.mtime
	return nil
}

// above tells whether d is n or below it.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.dir.parent {
		if d == d.dir.parent {
			return false
		}
	}
	return true
}

// replaceable says why rename must not put moved in the place of old.
func replaceable(old, moved *inode) error {
	switch {
	case moved.dir == nil && old.dir != nil:
		return fs9p.EISDIR
	case moved.dir != nil && old.dir == nil:
		return fs9p.ENOTDIR
	case old.dir != nil && len(old.dir.names) > 0:
		return fs9p.ENOTEMPTY
	}
	return nil
}
