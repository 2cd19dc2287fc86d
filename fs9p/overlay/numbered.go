package overlay

import (
	"cmp"
	"fmt"
	"slices"

	"alpinevm/fs9p"
)

// Inode is part of fs9p.Numbered. The lower must be that too. A file of the
// lower that was removed, and that nobody holds, may be found all the same.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) {
	n, err := fs.inode(path)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (fs *FS) inode(id uint64) (*node, error) {
	if n := fs.live.At(id); n != nil {
		return n.hold(), nil
	}
	if id&1 == 0 {
		return fs.inodeOfLower(id >> 1)
	}
	upper := id >> 1
	if _, isCopy := fs.records.origin.Find(upper); isCopy || fs.isOurs(upper) {
		return nil, fs9p.ENOENT
	}
	u, err := fs.upper.Inode(upper)
	if err != nil {
		return nil, err
	}
	parent, err := fs.parentOf(id, u, nil)
	if err != nil {
		u.Release()
		return nil, err
	}
	n := fs.fromUpper(u, parent)
	parent.Release()
	return n, nil
}

// inodeOfLower finds the inode that is, or comes from, an inode of the lower.
func (fs *FS) inodeOfLower(lower uint64) (*node, error) {
	numbered, can := fs.lower.(fs9p.Numbered)
	if !can {
		return nil, fs9p.EOPNOTSUPP
	}
	l, err := numbered.Inode(lower)
	if err != nil {
		return nil, err
	}
	var u fs9p.Node
	if c, ok := fs.records.copies.Find(lower); ok {
		if u, err = fs.upper.Inode(c.upper); err != nil {
			l.Release()
			return nil, err
		}
	}
	parent, err := fs.parentOf(lowerID(lower), u, l)
	if u != nil {
		u.Release()
	}
	if err != nil {
		l.Release()
		return nil, err
	}
	defer parent.Release()
	if moved := fs.records.moved.At(lower); moved != nil {
		l.Release()
		n := fs.node(lowerID(lower), moved.QID(), parent)
		n.lower, n.pinned = moved, true
		if n.upper, err = fs.upper.Inode(fs.records.copies.At(lower).upper); err != nil {
			n.Release()
			return nil, err
		}
		return n, nil
	}
	return fs.fromLower(l, parent)
}

// isOurs tells whether an inode of the upper is none of the guest's.
func (fs *FS) isOurs(upper uint64) bool {
	for _, n := range []fs9p.Node{fs.top, fs.index, fs.whiteout} {
		if n.QID().Path == upper {
			return true
		}
	}
	return false
}

// parentOf gives the directory that the directory is in whose inodes in the
// layers are u and l, one of which may be nil. For another file, and for one
// that has no name, it is the root. The caller releases it.
func (fs *FS) parentOf(id uint64, u, l fs9p.Node) (*node, error) {
	parent, gone := fs.gone[id]
	switch {
	case gone && parent == 0:
		return fs.root.hold(), nil
	case gone:
		fs.gone[id] = 0 // so that none is above itself
		n, err := fs.inode(parent)
		fs.gone[id] = parent
		return n, err
	case u != nil && isDir(u):
		up, err := u.Walk("..")
		if err != nil {
			return nil, err
		}
		defer up.Release()
		switch path := up.QID().Path; {
		case path == u.QID().Path:
			return fs.root.hold(), nil
		case path != fs.index.QID().Path:
			return fs.inode(fs.id(path))
		}
		// What is in the index is where its origin is.
		fallthrough
	case l != nil && isDir(l):
		up, err := l.Walk("..")
		if err != nil {
			return nil, err
		}
		defer up.Release()
		if up.QID().Path == l.QID().Path {
			return fs.root.hold(), nil
		}
		return fs.inode(lowerID(up.QID().Path))
	}
	return fs.root.hold(), nil
}

// State is what an FS knows of files that have no name and are held by
// somebody: all that neither of its layers says. It is plain data.
type State struct {
	Files []NamelessFile // by ID
}

// NamelessFile is one of them.
type NamelessFile struct {
	ID     uint64 // its QID's path
	Upper  uint64 // qid.path of its copy in the upper, 0 where there is none
	Parent uint64 // QID's path of the directory that it was in, if it is one
}

// Save gives the State. What is in the upper is saved apart from it.
func (fs *FS) Save() *State {
	s := &State{}
	for id, n := range fs.live.All() {
		f := NamelessFile{ID: id}
		if n.upper != nil {
			f.Upper = n.upper.QID().Path
		}
		if n.isDir() {
			f.Parent = n.parent.id
		}
		if a, err := n.Attr(); err == nil && a.Nlink == 0 {
			s.Files = append(s.Files, f)
		}
	}
	slices.SortFunc(s.Files, func(a, b NamelessFile) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func (fs *FS) restoreState(s *State) error {
	fs.gone = map[uint64]uint64{}
	for _, f := range s.Files {
		fs.gone[f.ID] = f.Parent
		if f.ID&1 != 0 || f.Upper == 0 {
			continue
		}
		if _, ok := fs.records.copies.Find(f.ID >> 1); ok {
			return fmt.Errorf("the state's file %x has a name", f.ID)
		}
		fs.records.origin.Put(f.Upper, f.ID>>1)
		fs.records.copies.Put(f.ID>>1, copied{upper: f.Upper})
	}
	return nil
}

// Settle ends a restore: files without a name that nobody has asked for are no
// more.
func (fs *FS) Settle() {
	for id := range fs.gone {
		if id&1 == 0 && fs.live.At(id) == nil {
			fs.records.forget(id >> 1)
		}
	}
	fs.gone = nil
	if s, ok := fs.upper.(interface{ Settle() }); ok {
		s.Settle()
	}
}
