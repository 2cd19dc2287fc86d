package tree

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"alpinevm/fs9p"
)

// An op is a kind of change. Its number stands in journals.
type op uint8

const (
	opMake    op = 1 + iota // an inode, with its first name
	opLink                  // another name
	opUnlink                // a name less
	opRename                // another name in place of one
	opAttr                  // attributes, all of them
	opXattr                 // an extended attribute
	opRmXattr               // one less
	opLast                  // the inode number given last
	opBirth                 // when an inode was made
	opOrphan                // an inode without a name, which somebody held
	opPrune                 // a directory less, with the files in it
	opNext                  // the cookie that a directory has given last
)

// A Change is one change of a tree. Which fields it has depends on the kind; see
// code.
type Change struct {
	op      op
	id      uint64 // of the inode
	dir, to uint64 // directories
	name    string
	newName string
	value   string // a target, or an attribute's value
	rdev    uint64
	attrs   // of opMake the mode and the owners
	when    fs9p.Timespec
	frees   bool // it gives back what the file or the name held; this is not coded
}

// For tells what a change by itself is for.
func (c *Change) For() fs9p.Purpose {
	if c.frees {
		return fs9p.ForRoom
	}
	return fs9p.ForChange
}

// Adds tells whether a change adds something, and so may be refused for want of
// room. Others have to be possible.
func (c *Change) Adds() bool { return c.op == opMake || c.op == opLink || c.op == opXattr }

// ErrChange is the error of a change that does not fit what is there.
var ErrChange = errors.New("its changes contradict each other")

// apply makes a change. It says what is wrong with one that does not fit.
func (t *Tree) apply(c *Change) error {
	bad := func() error { return fmt.Errorf("%w: change %d of inode %d", ErrChange, c.op, max(c.id, c.dir)) }
	n := t.inodes.At(c.id)
	switch c.op {
	case opLast:
		t.last = max(t.last, c.id)
		return nil
	case opMake, opOrphan:
		if n != nil || c.id == 0 || c.id > 1<<62 {
			return bad()
		}
	case opLink:
		if n == nil {
			return bad()
		}
	case opAttr, opBirth, opXattr, opRmXattr, opNext:
		if n == nil {
			return nil // of a file that had no name: it is no more, and nobody can ask
		}
	}
	ok := true
	switch c.op {
	case opMake:
		ok = t.applyMake(c)
	case opOrphan:
		t.orphans = append(t.orphans, t.make(c).hold())
	case opLink:
		d := t.folder(c.dir)
		if ok = d != nil && n.dir == nil && d.dir.names.At(c.name) == nil; ok {
			d.enter(c.name, n, c.when)
			n.ctime = c.when
		}
	case opUnlink:
		d := t.folder(c.dir)
		if ok = d != nil && d.dir.names.At(c.name) != nil && d.dir.names.At(c.name).node.dir.len() == 0; ok {
			d.leave(d.dir.names.At(c.name), c.when)
		}
	case opPrune:
		d := t.folder(c.dir)
		if ok = d != nil && d.prunable(c.name) == nil; ok {
			d.prune(c.name, c.when)
		}
	case opRename:
		ok = t.applyRename(c)
	case opAttr:
		n.mode = n.kind() | c.mode&fs9p.ModePerm
		n.uid, n.gid, n.atime, n.mtime, n.ctime = c.uid, c.gid, c.atime, c.mtime, c.ctime
		n.stale = false
	case opBirth:
		n.btime = c.when
	case opNext:
		if ok = n.dir != nil && c.to <= maxCookie; ok {
			n.dir.next = max(n.dir.next, c.to)
		}
	case opXattr:
		n.setXattr(xattr{c.name, c.value})
		n.ctime = c.when
	case opRmXattr:
		n.removeXattr(c.name)
		n.ctime = c.when
	}
	if !ok {
		return bad()
	}
	return nil
}

// maxCookie is more than a directory gives in a machine's life.
const maxCookie = 1 << 62

// folder gives the directory with that number, or nil.
func (t *Tree) folder(id uint64) *Inode {
	if n := t.inodes.At(id); n != nil && n.dir != nil {
		return n
	}
	return nil
}

// make makes the inode of a change.
func (t *Tree) make(c *Change) *Inode {
	a := c.attrs
	a.mode &= fs9p.ModeType | fs9p.ModePerm
	a.atime, a.mtime, a.ctime = c.when, c.when, c.when
	n := t.add(c.id, a)
	n.rdev, n.target = c.rdev, c.value
	t.used += int64(len(c.value))
	return n
}

func (t *Tree) applyMake(c *Change) bool {
	d := t.folder(c.dir)
	if d == nil || d.dir.names.At(c.name) != nil {
		return false
	}
	d.enter(c.name, t.make(c), c.when)
	return true
}

func (t *Tree) applyRename(c *Change) bool {
	from, to := t.folder(c.dir), t.folder(c.to)
	if from == nil || to == nil || from.dir.names.At(c.name) == nil {
		return false
	}
	e := from.dir.names.At(c.name)
	moved := e.node
	if moved.dir != nil && from != to && moved.above(to) {
		return false
	}
	if there := to.dir.names.At(c.newName); there != nil {
		if there == e {
			return true
		}
		if there.node != moved && replaceable(there.node.dir, moved.dir) != nil {
			return false
		}
		to.leave(there, c.when)
	}
	// The inode keeps its name until it has the new one.
	to.enter(c.newName, moved, c.when)
	from.leave(e, c.when)
	moved.ctime = c.when
	return true
}

// above tells whether d is n or below it. What was checked by depth is not far
// from the root, but what is met in a journal may be.
func (n *Inode) above(d *Inode) bool {
	for ; d != n; d = d.dir.parent {
		if d == d.dir.parent {
			return false
		}
	}
	return true
}

// add makes an inode without a name.
func (t *Tree) add(id uint64, a attrs) *Inode {
	n := &Inode{tree: t, id: id, attrs: a, btime: a.ctime}
	switch n.kind() {
	case fs9p.ModeDir:
		n.dir = newDirectory()
		n.dir.parent = n
	case fs9p.ModeRegular:
		n.data = t.cfg.Store.Content(id, !t.replaying)
	}
	t.inodes.Put(id, n)
	t.used += n.cost()
	t.last = max(t.last, id)
	return n
}

// enter gives child a name in the directory n.
func (n *Inode) enter(name string, child *Inode, when fs9p.Timespec) {
	n.dir.add(name, child)
	n.tree.names++
	n.tree.used += costName
	child.nlink++
	if child.dir != nil {
		child.nlink++
		n.nlink++
		child.dir.parent = n
	}
	n.mtime, n.ctime = when, when
}

// leave takes an entry out of the directory n.
func (n *Inode) leave(e *entry, when fs9p.Timespec) {
	child := e.node
	n.dir.remove(e)
	n.tree.names--
	n.tree.used -= costName
	child.nlink--
	if child.dir != nil {
		child.nlink--
		n.nlink--
		if child.nlink == 0 {
			child.dir.parent = child // it keeps nobody
		}
	}
	child.ctime = when
	n.mtime, n.ctime = when, when
	child.reclaim()
}

// prune takes a directory out of the directory n. The files in it lose their
// names in the course of the next changes.
func (n *Inode) prune(name string, when fs9p.Timespec) {
	e := n.dir.names.At(name)
	t := n.tree
	t.pruned = append(t.pruned, e.node.dir)
	e.node.dir = newDirectory()
	e.node.dir.parent = e.node
	n.leave(e, when)
	if t.replaying {
		t.reap(math.MaxInt)
	} else {
		t.reap(reapEach)
	}
}

// reapEach is how many names of pruned directories a change takes away.
const reapEach = 256

// reap takes away at most so many names of directories that were pruned.
func (t *Tree) reap(most int) {
	for len(t.pruned) > 0 && most > 0 {
		last := len(t.pruned) - 1
		d := t.pruned[last]
		if d.len() == 0 {
			t.pruned = t.pruned[:last]
			continue
		}
		r := d.runs[len(d.runs)-1]
		e := r[len(r)-1]
		d.remove(e)
		t.names--
		t.used -= costName
		e.node.nlink--
		e.node.reclaim()
		most--
	}
}

// setXattr sets an attribute and charges it.
func (n *Inode) setXattr(x xattr) {
	i, ok := n.find(x.name)
	n.tree.used += x.cost()
	if !ok {
		n.xattrs = slices.Insert(n.xattrs, i, x)
		return
	}
	n.tree.used -= n.xattrs[i].cost()
	n.xattrs[i] = x
}

// removeXattr removes one, if it is there.
func (n *Inode) removeXattr(name string) {
	i, ok := n.find(name)
	if !ok {
		return
	}
	n.tree.used -= n.xattrs[i].cost()
	n.xattrs = slices.Delete(n.xattrs, i, i+1)
	if cap(n.xattrs) > 4*len(n.xattrs) {
		n.xattrs = slices.Clip(slices.Clone(n.xattrs))
	}
}
