package oci

import (
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// An object is an inode in the making. There can be a million of them, so what
// few files have is in rare.
type object struct {
	mode, uid, gid uint32
	mtimeNsec      uint32
	mtime          int64
	off, size      int64   // of the content
	layer          int32   // of the content
	id, nlink      uint32  // given by the writer
	dir            *folder // of a directory only
	rare           *rare   // may be nil
}

// rare is what an inode has beside what every inode has.
type rare struct {
	rdev         uint32
	atime, ctime fs9p.Timespec
	xattrs       []xattr
	target       string // of a symbolic link
	sparse       bool   // extents and stored count, and not size alone
	stored       int64
	extents      []extent
}

// newObject makes what an entry describes.
func newObject(e *entry) *object {
	o := &object{}
	if e.kind == fs9p.ModeRegular {
		o.layer, o.off, o.size = e.layer, e.off, e.size
	}
	if sparse := e.stored != e.size || len(e.extents) > 0; sparse || e.kind == fs9p.ModeSymlink {
		o.rare = &rare{sparse: sparse, stored: e.stored, extents: e.extents}
		if e.kind == fs9p.ModeSymlink {
			o.rare.target = strings.Clone(e.target)
		}
	}
	o.describe(&e.attrs)
	return o
}

// describe gives o the attributes.
func (o *object) describe(a *attrs) {
	o.mode, o.uid, o.gid = a.mode, a.uid, a.gid
	o.mtime, o.mtimeNsec = a.mtime.Sec, a.mtime.Nsec
	plain := a.rdev == 0 && a.atime == a.mtime && a.ctime == a.mtime && len(a.xattrs) == 0
	if o.rare == nil {
		if plain {
			return
		}
		o.rare = &rare{}
	}
	o.rare.rdev, o.rare.atime, o.rare.ctime, o.rare.xattrs = a.rdev, a.atime, a.ctime, a.xattrs
}

func (o *object) kind() uint32 { return o.mode & fs9p.ModeType }

// target is that of a symbolic link.
func (o *object) target() string {
	if o.rare == nil {
		return ""
	}
	return o.rare.target
}

// stored is how many bytes of the content are no hole.
func (o *object) stored() int64 {
	if o.rare != nil && o.rare.sparse {
		return o.rare.stored
	}
	return o.size
}

func (o *object) extents() []extent {
	if o.rare == nil {
		return nil
	}
	return o.rare.extents
}

func (o *object) xattrs() []xattr {
	if o.rare == nil {
		return nil
	}
	return o.rare.xattrs
}

// A folder holds the names in a directory, in the order in which they came.
type folder struct {
	parent *object
	names  []name
	index  map[string]int32 // where a name is in names; nil while they are few
}

// A name is a name in a folder. layer is the one that last made it.
type name struct {
	text string
	*object
	layer int32
}

// fewNames is how many names are looked through.
const fewNames = 8

// find gives a name, nil if it is not there. It is valid until names are added
// or removed.
func (f *folder) find(text string) *name {
	if f.index != nil {
		if i, ok := f.index[text]; ok {
			return &f.names[i]
		}
		return nil
	}
	for i := range f.names {
		if f.names[i].text == text {
			return &f.names[i]
		}
	}
	return nil
}

// add adds a name that is not there.
func (f *folder) add(n name) {
	f.names = append(f.names, n)
	switch {
	case f.index != nil:
		f.index[n.text] = int32(len(f.names) - 1)
	case len(f.names) > fewNames:
		f.reindex()
	}
}

func (f *folder) reindex() {
	if f.index = nil; len(f.names) <= fewNames {
		return
	}
	f.index = make(map[string]int32, len(f.names))
	for i, n := range f.names {
		f.index[n.text] = int32(i)
	}
}

// remove takes out the name that n, from find, is. The last one takes its place.
func (f *folder) remove(n *name) {
	last := &f.names[len(f.names)-1]
	if f.index != nil {
		f.index[last.text] = f.index[n.text]
		delete(f.index, n.text)
	}
	*n = *last
	*last = name{}
	f.names = f.names[:len(f.names)-1]
}

// removeIf takes out the names of which drop says so, and tells how many.
func (f *folder) removeIf(drop func(*name) bool) int {
	before := len(f.names)
	f.names = slices.DeleteFunc(f.names, func(n name) bool { return drop(&n) })
	if len(f.names) < before {
		f.reindex()
	}
	return before - len(f.names)
}

// sort puts the names into their order; they are not looked for any more.
func (f *folder) sort() {
	f.index = nil
	slices.SortFunc(f.names, func(a, b name) int { return strings.Compare(a.text, b.text) })
}

// directory makes one as it is made where a layer needs it but has no entry for
// it: 0755 and root's.
func (b *builder) directory(parent *object) *object {
	o := &object{dir: &folder{parent: parent}}
	b.plain(o)
	if parent == nil {
		o.dir.parent = o
	}
	return o
}

// plain gives a directory the attributes of one that no layer describes.
func (b *builder) plain(o *object) {
	o.describe(&attrs{mode: fs9p.ModeDir | 0o755, atime: b.at, mtime: b.at, ctime: b.at})
}

// folders lists o and the directories below it, each behind its parent; none
// where o is no directory.
func (o *object) folders() []*object {
	if o.dir == nil {
		return nil
	}
	list := []*object{o}
	for i := 0; i < len(list); i++ {
		for _, n := range list[i].dir.names {
			if n.dir != nil {
				list = append(list, n.object)
			}
		}
	}
	return list
}
