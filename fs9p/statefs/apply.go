package statefs

import (
	"fmt"
	"sort"

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
		if ok = d != nil && n.dir == nil && d.dir.names[r.name] == nil; ok {
			d.enter(r.name, n, r.when)
			n.ctime = r.when
		}
	case opUnlink:
		d := f.folder(r.dir)
		if ok = d != nil && d.dir.names[r.name] != nil && d.dir.names[r.name].node.empty(); ok {
			d.leave(d.dir.names[r.name], r.when)
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
	if d == nil || d.dir.names[r.name] != nil {
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
	if from == nil || to == nil || from.dir.names[r.name] == nil {
		return false
	}
	e := from.dir.names[r.name]
	moved := e.node
	if moved.dir != nil && moved.above(to) {
		return false
	}
	if there := to.dir.names[r.newName]; there != nil {
		if there == e {
			return true
		}
		if there.node != moved && replaceable(there.node, moved) != nil {
			return false
		}
		to.leave(there, r.when)
	}
	// The inode keeps its name until it has the new one.
	to.enter(r.newName, moved, r.when)
	from.leave(e, r.when)
	if moved.dir != nil {
		moved.dir.parent = to
	}
	moved.ctime = r.when
	return true
}

// add makes an inode without a name. Its content is looked for when it is asked
// for, unless the caller knows better.
func (f *FS) add(id uint64, a attrs) *inode {
	n := &inode{fs: f, id: id, attrs: a, size: unknown}
	if n.kind() == fs9p.ModeDir {
		n.dir = &directory{names: map[string]*dirent{}, next: fs9p.DirStart}
	}
	f.inodes[id] = n
	f.last = max(f.last, id)
	return n
}

// directory is what an inode is besides, if it is one.
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

// enter gives child a name in the directory n.
func (n *inode) enter(name string, child *inode, when fs9p.Timespec) {
	d := n.dir
	d.next++
	e := &dirent{name, child, d.next}
	d.names[name] = e
	d.order = append(d.order, e)
	n.fs.names++
	child.nlink++
	if child.dir != nil {
		child.nlink++
		n.nlink++
		child.dir.parent = n
	}
	n.mtime, n.ctime = when, when
}

// leave takes an entry out of the directory n.
func (n *inode) leave(e *dirent, when fs9p.Timespec) {
	d, child := n.dir, e.node
	delete(d.names, e.name)
	e.node = nil
	if d.dead++; d.dead >= 32 && d.dead >= len(d.order)/2 {
		live := d.order[:0]
		for _, e := range d.order {
			if e.node != nil {
				live = append(live, e)
			}
		}
		clear(d.order[len(live):])
		d.order, d.dead = live, 0
	}
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

// list tells the entries behind a cookie.
func (d *directory) list(cookie uint64, emit func(fs9p.Dirent) bool) {
	i := sort.Search(len(d.order), func(i int) bool { return d.order[i].cookie > cookie })
	for _, e := range d.order[i:] {
		if e.node == nil {
			continue
		}
		if !emit(fs9p.Dirent{QID: e.node.QID(), Cookie: e.cookie, Type: fs9p.DirentType(e.node.mode), Name: e.name}) {
			return
		}
	}
}

// empty tells whether n is no directory with something in it.
func (n *inode) empty() bool { return n.dir == nil || len(n.dir.names) == 0 }

// above tells whether d is n or below it.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.dir.parent {
		if d == d.dir.parent {
			return false
		}
	}
	return true
}
