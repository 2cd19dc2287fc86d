package hostfs

import (
	"maps"
	"slices"

	"alpinevm/fs9p"
)

// A keeper holds what guests were told of files and the host was not, by the
// file's mark. What it holds is bounded: when there is no room the change is
// refused with ENOSPC, and nothing that was told is forgotten.
type keeper struct {
	owners map[uint64]fs9p.Owner
	extras map[uint64]*extra
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
	return keeper{owners: map[uint64]fs9p.Owner{}, extras: map[uint64]*extra{}, maxOwners: maxOwners, maxBytes: maxExtras}
}

// forget drops what is kept of a file.
func (k *keeper) forget(mark uint64) {
	delete(k.owners, mark)
	if e := k.extras[mark]; e != nil {
		k.bytes -= e.cost()
		delete(k.extras, mark)
	}
}

// own keeps the owner of a file.
func (k *keeper) own(mark uint64, o fs9p.Owner) error {
	if _, ok := k.owners[mark]; !ok && len(k.owners) >= k.maxOwners {
		return fs9p.ENOSPC
	}
	k.owners[mark] = o
	return nil
}

// extra gives what is kept of a file beside its owner; it must not be changed.
func (k *keeper) extra(mark uint64) extra {
	if e := k.extras[mark]; e != nil {
		return *e
	}
	return extra{}
}

// change makes a change to what is kept of a file. It is refused where it
// wants more room and there is none.
func (k *keeper) change(mark uint64, f func(*extra)) error {
	old := k.extras[mark]
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
		delete(k.extras, mark)
	} else {
		k.extras[mark] = e
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

// names lists the attributes that are kept.
func (e *extra) names() []string { return slices.Sorted(maps.Keys(e.xattrs)) }

// assume puts what the guest was told in the place of what the host says.
func (k *keeper) assume(mark uint64, a fs9p.Attr) fs9p.Attr {
	if o, ok := k.owners[mark]; ok {
		a.UID, a.GID = o.UID, o.GID
	}
	e := k.extras[mark]
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
