package hostfs

import (
	"maps"

	"alpinevm/fs9p"
)

// A keeper holds what guests were told of files and the host was not, by the
// file's mark. What it holds is bounded: when there is no room the change is
// refused with ENOSPC, and nothing that was told is forgotten.
type keeper struct {
	owners fs9p.Table[uint64, fs9p.Owner]
	extras fs9p.Table[uint64, *extra]
	bytes  int // that extras are charged

	maxOwners, maxBytes int
}

// extra is what few files have.
type extra struct {
	special uint32        // the mode, with the type, of a device, fifo or socket, which is an empty file on the host; else 0
	rdev    uint64        // of a device
	setID   uint32        // set-id bits
	ctime   fs9p.Timespec // of a change that the host has not seen
	xattrs  map[string][]byte
}

// What is charged, in bytes: what the struct, a map and its slots take at most.
// A name or value takes up to an eighth more than it is long.
const (
	extraCost = 512
	xattrCost = 192 // beside name and value
)

func newKeeper() keeper {
	return keeper{maxOwners: maxOwners, maxBytes: maxExtras}
}

// forget drops what is kept of a file.
func (k *keeper) forget(mark uint64) {
	k.owners.Delete(mark)
	k.bytes -= k.extras.At(mark).cost()
	k.extras.Delete(mark)
}

// own keeps the owner of a file.
func (k *keeper) own(mark uint64, o fs9p.Owner) error {
	if _, ok := k.owners.Find(mark); !ok && k.owners.Len() >= k.maxOwners {
		return fs9p.ENOSPC
	}
	k.owners.Put(mark, o)
	return nil
}

// extra gives what is kept of a file beside its owner; it must not be changed.
func (k *keeper) extra(mark uint64) extra {
	if e := k.extras.At(mark); e != nil {
		return *e
	}
	return extra{}
}

// change makes a change to what is kept of a file. It is refused where it
// wants more room and there is none.
func (k *keeper) change(mark uint64, f func(*extra)) error {
	old := k.extras.At(mark)
	e := &extra{}
	if old != nil {
		*e = *old
		e.xattrs = maps.Clone(old.xattrs)
	}
	f(e)
	grow := e.cost() - old.cost()
	if grow > 0 && k.bytes+grow > k.maxBytes {
		return fs9p.ENOSPC
	}
	k.bytes += grow
	if e.cost() == 0 {
		k.extras.Delete(mark)
	} else {
		k.extras.Put(mark, e)
	}
	return nil
}

// cost is what e is charged: nothing if it says nothing.
func (e *extra) cost() int {
	if e == nil || e.special == 0 && e.setID == 0 && e.ctime == (fs9p.Timespec{}) && len(e.xattrs) == 0 {
		return 0
	}
	n := extraCost
	for name, v := range e.xattrs {
		n += xattrCost + (len(name)+len(v))*9/8
	}
	return n
}

// maxXattrList is XATTR_LIST_MAX of Linux: the names of one file, each with its NUL.
const maxXattrList = 65536

// settable says why setxattr(2) must not give e an attribute: EEXIST or ENODATA
// by the flags, or ENOSPC.
func (e *extra) settable(name string, flags uint32) error {
	_, exists := e.xattrs[name]
	switch {
	case exists && flags&fs9p.XattrCreate != 0:
		return fs9p.EEXIST
	case !exists && flags&fs9p.XattrReplace != 0:
		return fs9p.ENODATA
	case !exists:
		list := len(name) + 1
		for other := range e.xattrs {
			list += len(other) + 1
		}
		if list > maxXattrList {
			return fs9p.ENOSPC
		}
	}
	return nil
}

// assume puts what the guest was told in the place of what the host says.
func (k *keeper) assume(mark uint64, a fs9p.Attr) fs9p.Attr {
	if o, ok := k.owners.Find(mark); ok {
		a.UID, a.GID = o.UID, o.GID
	}
	e := k.extras.At(mark)
	if e == nil {
		return a
	}
	if e.special != 0 {
		a.Mode, a.Rdev, a.Size, a.Blocks = e.special, e.rdev, 0, 0
	}
	a.Mode |= e.setID
	if a.Ctime.Before(e.ctime) {
		a.Ctime = e.ctime
	}
	return a
}
