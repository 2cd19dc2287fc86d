package statefs

import (
	"fmt"

	"alpinevm/fs9p"
)

// apply makes a change in memory. It says what is wrong with one that does not
// fit what is there.
func (f *FS) apply(r *record) error {
	bad := func() error { return fmt.Errorf("%w: change %d of inode %d", errRecord, r.op, max(r.id, r.dir)) }
	n := f.inodes[r.id]
	switch r.op {
	case opLast:
		f.last = max(f.last, r.id)
		return nil
	case opMake:
		if n != nil || r.id == 0 || r.id == rootID || r.id > 1<<62 {
			return bad()
		}
	case opUnlink, opRename:
	default:
		if n == nil {
			return bad()
		}
	}
	ok := true
	switch r.op {
	case opMake:
		ok = f.applyMake(r)
	case opLink:
		d := f.folder(r.dir)
		if ok = d != nil && n.dir == nil && d.dir.Entry(r.name) == nil; ok {
			d.enter(r.name, n, r.when)
			n.ctime = r.when
		}
	case opUnlink:
		d := f.folder(r.dir)
		if ok = d != nil && d.dir.Entry(r.name) != nil && d.dir.Entry(r.name).Node.empty(); ok {
			d.leave(d.dir.Entry(r.name), r.when)
		}
	case opRename:
		ok = f.applyRename(r)
	case opAttr:
		n.mode = n.kind() | r.mode&fs9p.ModePerm
		n.uid, n.gid, n.atime, n.mtime, n.ctime = r.uid, r.gid, r.atime, r.mtime, r.ctime
		n.stale = false
	case opXattr:
		if n.xattrs == nil {
			n.xattrs = map[string]string{}
		}
		f.meta += len(r.value) - len(n.xattrs[r.name])
		n.xattrs[r.name] = r.value
		n.ctime = r.when
	case opRmXattr:
		f.meta -= len(n.xattrs[r.name])
		delete(n.xattrs, r.name)
		n.ctime = r.when
	}
	if !ok {
		return bad()
	}
	return nil
}

// folder gives the directory with that number, or nil.
func (f *FS) folder(id uint64) *inode {
	if n := f.inodes[id]; n != nil && n.dir != nil {
		return n
	}
	return nil
}

func (f *FS) applyMake(r *record) bool {
	d := f.folder(r.dir)
	if d == nil || d.dir.Entry(r.name) != nil {
		return false
	}
	r.mode &= fs9p.ModeType | fs9p.ModePerm
	r.atime, r.mtime, r.ctime = r.when, r.when, r.when
	n := f.add(r.id, r.attrs)
	n.rdev, n.target = r.rdev, r.value
	if !f.replaying {
		n.size = 0
	}
	f.meta += len(r.value)
	d.enter(r.name, n, r.when)
	return true
}

func (f *FS) applyRename(r *record) bool {
	from, to := f.folder(r.dir), f.folder(r.to)
	if from == nil || to == nil || from.dir.Entry(r.name) == nil {
		return false
	}
	e := from.dir.Entry(r.name)
	moved := e.Node
	if moved.dir != nil && moved.above(to) {
		return false
	}
	if there := to.dir.Entry(r.newName); there != nil {
		if there == e {
			return true
		}
		if there.Node != moved && fs9p.Replaceable(there.Node.dir, moved.dir) != nil {
			return false
		}
		to.leave(there, r.when)
	}
	// The inode keeps its name until it has the new one.
	to.enter(r.newName, moved, r.when)
	from.leave(e, r.when)
	if moved.dir != nil {
		moved.dir.Parent = to
	}
	moved.ctime = r.when
	return true
}

// add makes an inode without a name. Its content is looked for when it is asked
// for, unless the caller knows better.
func (f *FS) add(id uint64, a attrs) *inode {
	n := &inode{fs: f, id: id, attrs: a, size: unknown}
	if n.kind() == fs9p.ModeDir {
		n.dir = fs9p.NewDirectory[*inode]()
	}
	f.inodes[id] = n
	f.last = max(f.last, id)
	return n
}

type directory = fs9p.Directory[*inode]

// enter gives child a name in the directory n.
func (n *inode) enter(name string, child *inode, when fs9p.Timespec) {
	n.dir.Add(name, child)
	n.fs.names++
	child.nlink++
	if child.dir != nil {
		child.nlink++
		n.nlink++
		child.dir.Parent = n
	}
	n.mtime, n.ctime = when, when
}

// leave takes an entry out of the directory n.
func (n *inode) leave(e *fs9p.Entry[*inode], when fs9p.Timespec) {
	child := e.Node
	n.dir.Remove(e)
	n.fs.names--
	child.nlink--
	if child.dir != nil {
		child.nlink--
		n.nlink--
	}
	child.ctime = when
	n.mtime, n.ctime = when, when
	child.reclaim()
}

// empty tells whether n is no directory with something in it.
func (n *inode) empty() bool { return n.dir.Len() == 0 }

// above tells whether d is n or below it.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.dir.Parent {
		if d == d.dir.Parent {
			return false
		}
	}
	return true
}
