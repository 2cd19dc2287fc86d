package overlay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"alpinevm/fs9p"
)

// The attributes in which records are kept. Linux lets no guest program use
// names that begin so, and a guest that does not ask Linux is refused.
const (
	private    = "alpinevm.overlay."
	originAttr = private + "origin" // the lower's qid.path, in hexadecimal
	namesAttr  = private + "names"  // how many names it has in the lower; 1 where there is none
)

func isPrivate(name string) bool { return strings.HasPrefix(name, private) }

// setNumber keeps a number in an attribute.
func setNumber(n fs9p.Node, name string, v uint64) error {
	return n.SetXattr(name, []byte(strconv.FormatUint(v, 16)), 0)
}

// number reads what setNumber wrote; ok is false where there is nothing.
func number(n fs9p.Node, name string) (v uint64, ok bool, err error) {
	b, err := n.Xattr(name)
	if fs9p.ErrnoOf(err) == fs9p.ENODATA {
		return 0, false, nil
	}
	if err == nil {
		v, err = strconv.ParseUint(string(b), 16, 64)
	}
	return v, err == nil, err
}

// setNames records how many names in the lower the copy u of lower has.
func (fs *FS) setNames(u fs9p.Node, lower, names uint64) error {
	if names > 1 || fs.records.copies.At(lower).names > 1 {
		if err := setNumber(u, namesAttr, names); err != nil {
			return err
		}
	}
	fs.records.copies.Put(lower, copied{u.QID().Path, names})
	return nil
}

// errNumbered is the error of a lower whose directories cannot be found again.
var errNumbered = errors.New("it was used before, and the lower cannot find inodes by number")

// restore makes the records of an upper that was used before.
func (fs *FS) restore(state *State) error {
	type folder struct{ upper, lower fs9p.Node } // whose entries are still to be looked at; lower may be nil
	var todo []folder
	defer func() {
		for _, d := range todo {
			d.upper.Release()
		}
	}()
	later := func(u fs9p.Node, lower uint64, union bool) error {
		d := folder{upper: u}
		var err error
		if union {
			d.lower, err = fs.lowerInode(lower)
		}
		todo = append(todo, d)
		return err
	}
	err := eachEntry(fs.index, func(name string, u fs9p.Node) error {
		lower, err := strconv.ParseUint(name, 16, 64)
		if err != nil || indexed(lower) != name {
			u.Release() // a whiteout to be
			return nil
		}
		if err := fs.restoreIndexed(lower, u); err != nil || !isDir(u) {
			u.Release()
			return err
		}
		return later(u, lower, true)
	})
	for err == nil && len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var h hidden
		err = eachEntry(d.upper, func(name string, u fs9p.Node) error {
			if err := h.count(fs, d.lower, name, u); err != nil {
				u.Release()
				return err
			}
			lower, copied, err := fs.restoreEntry(name, u)
			if err != nil || !isDir(u) {
				u.Release()
				return err
			}
			return later(u, lower, copied)
		})
		if h != (hidden{}) {
			fs.records.hidden.Put(d.upper.QID().Path, h)
		}
		if d.lower != nil {
			d.lower.Release()
		}
		d.upper.Release()
	}
	if err == nil && state != nil {
		err = fs.restoreState(state)
	}
	if err == nil {
		err = fs.borrow()
	}
	return err
}

func isDir(n fs9p.Node) bool { return n.QID().Type&fs9p.QTDir != 0 }

// lowerInode finds an inode of the lower.
func (fs *FS) lowerInode(path uint64) (fs9p.Node, error) {
	numbered, can := fs.lower.(fs9p.Numbered)
	if !can {
		return nil, errNumbered
	}
	l, err := numbered.Inode(path)
	if err != nil {
		return nil, fmt.Errorf("the lower's inode %x: %w", path, err)
	}
	return l, nil
}

// restoreIndexed makes the records of what is in the index.
func (fs *FS) restoreIndexed(lower uint64, u fs9p.Node) error {
	names, ok, err := number(u, namesAttr)
	if err != nil {
		return fmt.Errorf("inode %x of the index: %w", lower, err)
	}
	if !ok {
		names = 1
	}
	fs.records.origin.Put(u.QID().Path, lower)
	fs.records.copies.Put(lower, copied{u.QID().Path, names})
	return nil
}

// count counts the entry u of the upper directory of a union.
func (h *hidden) count(fs *FS, lower fs9p.Node, name string, u fs9p.Node) error {
	if lower == nil {
		return nil
	}
	if fs.isWhiteout(u.QID()) {
		h.whiteouts++
	}
	l, err := lower.Walk(name)
	switch fs9p.ErrnoOf(err) {
	case 0:
		h.names++
		if isDir(l) {
			h.dirs++
		}
		l.Release()
		return nil
	case fs9p.ENOENT:
		return nil
	}
	return err
}

// restoreEntry makes the records of what is in a directory of the upper that is
// not the index. It tells whether that is a copy, and of what.
func (fs *FS) restoreEntry(name string, u fs9p.Node) (lower uint64, isCopy bool, err error) {
	lower, isCopy, err = number(u, originAttr)
	if err != nil {
		return 0, false, fmt.Errorf("%q: %w", name, err)
	}
	if !isCopy {
		return 0, false, nil
	}
	q := u.QID()
	fs.records.origin.Put(q.Path, lower)
	if _, ok := fs.records.copies.Find(lower); !ok {
		fs.records.copies.Put(lower, copied{upper: q.Path})
	}
	if !isDir(u) || fs.records.moved.At(lower) != nil {
		return lower, true, nil
	}
	l, err := fs.lowerInode(lower)
	if err != nil {
		return 0, false, fmt.Errorf("%q: %w", name, err)
	}
	fs.records.moved.Put(lower, l)
	return lower, true, nil
}

// borrow gives copies their data again that they have borrowed.
func (fs *FS) borrow() error {
	if fs.backer == nil {
		return nil
	}
	for lower, c := range fs.records.copies.All() {
		if err := fs.borrowOne(lower, c.upper); err != nil {
			return err
		}
	}
	return nil
}

func (fs *FS) borrowOne(lower, upper uint64) error {
	u, err := fs.upper.Inode(upper)
	if err != nil {
		return err
	}
	defer u.Release()
	size := fs.backer.Borrowed(u)
	if size == 0 {
		return nil
	}
	l, err := fs.lowerInode(lower)
	if err != nil {
		return err
	}
	defer l.Release()
	from, err := l.Open(fs9p.ORdonly | fs9p.ONoatime)
	if err != nil {
		return err
	}
	if err := fs.backer.Back(u, from, size); err != nil {
		from.Close()
		return err
	}
	return nil
}

// eachEntry calls f for the entries of a directory of the upper; f releases them.
func eachEntry(dir fs9p.Node, f func(name string, u fs9p.Node) error) error {
	d, err := dir.Open(fs9p.ORdonly | fs9p.ODirectory)
	if err != nil {
		return err
	}
	defer d.Close()
	var names []string
	if err := d.ReadDir(fs9p.DirStart, func(e fs9p.Dirent) bool {
		names = append(names, e.Name)
		return true
	}); err != nil {
		return err
	}
	for _, name := range names {
		u, err := dir.Walk(name)
		if err != nil {
			return err
		}
		if err := f(name, u); err != nil {
			return err
		}
	}
	return nil
}
