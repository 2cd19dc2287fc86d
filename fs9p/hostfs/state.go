package hostfs

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"alpinevm/fs9p"
)

// State is what a snapshot needs of a folder as plain data: who is who, and what
// the host was not told. The files themselves are the host's. What it has moved
// or replaced when the State is restored is stale (ESTALE), as is what was open
// and had no name.
type State struct {
	Base, Next uint64       // of the counter behind numbers
	Lives      []LifeState  // by mark
	Inodes     []InodeState // that are held, by number
	Owners     []OwnerState // by mark
	Extras     []ExtraState // by mark
}

// LifeState is what is added to the number of a file that had predecessors.
type LifeState struct{ Mark, Life uint64 }

// InodeState is a file that is held.
type InodeState struct {
	ID, Mark uint64
	Kind     uint32 // the file's type in a mode
	Parent   uint64 // the number of a folder that it was seen in; 0 if it has no name
	Name     string
	Gone     bool // it is no more; these are its remains:
	Attr     fs9p.Attr
	Target   string
}

// OwnerState is an owner that the host was not told.
type OwnerState struct {
	Mark     uint64
	UID, GID uint32
}

// ExtraState is what else it was not told of a file.
type ExtraState struct {
	Mark, Rdev     uint64
	Special, SetID uint32
	Ctime          fs9p.Timespec
	Xattrs         []XattrState // by name
}

// XattrState is an extended attribute.
type XattrState struct {
	Name  string
	Value []byte
}

// ErrState is the error of a State that is none.
var ErrState = errors.New("hostfs: not the state of a folder")

// Save gives the State.
func (fs *FS) Save() State {
	s := State{Base: fs.numbers.base, Next: fs.numbers.next}
	for mark, life := range fs.numbers.lives {
		s.Lives = append(s.Lives, LifeState{mark, life})
	}
	for _, n := range fs.live.All() {
		s.Inodes = append(s.Inodes, n.save())
	}
	for _, n := range fs.gone.All() {
		s.Inodes = append(s.Inodes, n.save())
	}
	for mark, o := range fs.kept.owners.All() {
		s.Owners = append(s.Owners, OwnerState{mark, o.UID, o.GID})
	}
	for mark, e := range fs.kept.extras.All() {
		x := ExtraState{Mark: mark, Rdev: e.rdev, Special: e.special, SetID: e.setID, Ctime: e.ctime}
		for _, name := range slices.Sorted(maps.Keys(e.xattrs)) {
			x.Xattrs = append(x.Xattrs, XattrState{name, slices.Clone(e.xattrs[name])})
		}
		s.Extras = append(s.Extras, x)
	}
	slices.SortFunc(s.Lives, func(a, b LifeState) int { return cmp.Compare(a.Mark, b.Mark) })
	slices.SortFunc(s.Inodes, func(a, b InodeState) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Owners, func(a, b OwnerState) int { return cmp.Compare(a.Mark, b.Mark) })
	slices.SortFunc(s.Extras, func(a, b ExtraState) int { return cmp.Compare(a.Mark, b.Mark) })
	return s
}

func (n *inode) save() InodeState {
	s := InodeState{ID: n.id, Mark: n.mark(), Kind: n.kind, Name: n.name}
	if n.parent != nil {
		s.Parent = n.parent.id
	}
	if n.gone != nil {
		s.Gone, s.Attr, s.Target = true, n.gone.attr, n.gone.target
	}
	return s
}

// Restore puts back a State before the folder is served. Whoever held a file
// finds it by number until Settle is called.
func (fs *FS) Restore(s State) error {
	if fs.inodes() > 0 || len(s.Inodes) > fs.limit.inodes || len(s.Lives) > maxLives {
		return ErrState
	}
	numbers := newNumbers(fs.numbers.dev)
	numbers.base, numbers.next = s.Base, s.Next
	for _, l := range s.Lives {
		numbers.lives[l.Mark] = l.Life
	}
	restored := make(map[uint64]InodeState, len(s.Inodes))
	for _, n := range s.Inodes {
		restored[n.ID] = n
	}
	kept := keeper{maxOwners: fs.kept.maxOwners, maxBytes: fs.kept.maxBytes}
	for _, o := range s.Owners {
		if err := kept.own(o.Mark, fs9p.Owner{UID: o.UID, GID: o.GID}); err != nil {
			return ErrState
		}
	}
	for _, x := range s.Extras {
		if err := kept.change(x.Mark, x.restore); err != nil {
			return ErrState
		}
	}
	fs.numbers, fs.kept, fs.restored = numbers, kept, restored
	fs.top.id = fs.numbers.of(fs.top.mark())
	return nil
}

func (x *ExtraState) restore(e *extra) {
	*e = extra{rdev: x.Rdev, special: x.Special, setID: x.SetID & setIDs, ctime: x.Ctime}
	for _, v := range x.Xattrs {
		if e.xattrs == nil {
			e.xattrs = map[string][]byte{}
		}
		e.xattrs[v.Name] = slices.Clone(v.Value)
	}
}

// Settle ends a restore.
func (fs *FS) Settle() { fs.restored = nil }

// find holds what a State has under a number, so many folders below the top at
// most. It is where it was, or stale.
func (fs *FS) find(id uint64, depth int) (*inode, error) {
	row, ok := fs.restored[id]
	switch {
	case !ok || depth == 0:
		return nil, fs9p.ESTALE
	case row.Mark == fs.top.mark():
		fs.top.id = id
		return fs.top.hold(), nil
	case fs.gone.At(id) != nil:
		return fs.gone.At(id).hold(), nil
	case row.Name == "" && (!row.Gone || row.Kind == fs9p.ModeDir):
		return nil, fs9p.ESTALE
	}
	var up *inode
	if row.Name != "" {
		var err error
		if up, err = fs.find(row.Parent, depth-1); err != nil {
			return nil, err
		}
	}
	if row.Gone {
		n := &inode{fs: fs, id: id, kind: row.Kind, refs: 1, parent: up, name: row.Name, gone: &remains{row.Attr, row.Target}}
		fs.gone.Put(id, n)
		return n, nil
	}
	defer up.Release()
	n, _, err := up.lookup(row.Name)
	if err != nil {
		return nil, err
	}
	if n.mark() != row.Mark || n.kind != row.Kind {
		n.Release()
		return nil, fs9p.ESTALE
	}
	n.id = id
	return n, nil
}
