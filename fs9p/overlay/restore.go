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
	if old, ok := fs.records.copies[lower]; names > 1 || ok && old > 1 {
		if err := setNumber(u, namesAttr, names); err != nil {
			return err
		}
	}
	fs.records.copies[lower] = names
	return nil
}

// errNumbered is the error of a lower whose directories cannot be found again.
var errNumbered = errors.New("it was used before, and the lower cannot find inodes by number")

// restore makes the records of an upper that was used before.
func (fs *FS) restore() error {
	var dirs []fs9p.Node // whose entries are still to be looked at
	defer func() {
		for _, d := range dirs {
			d.Release()
		}
	}()
	later := func(u fs9p.Node) {
		if u.QID().Type&fs9p.QTDir == 0 {
			u.Release()
		} else {
			dirs = append(dirs, u)
		}
	}
	err := eachEntry(fs.index, func(name string, u fs9p.Node) error {
		defer later(u)
		lower, err := strconv.ParseUint(name, 16, 64)
		if err != nil || indexed(lower) != name {
			return nil // a whiteout to be
		}
		names, ok, err := number(u, namesAttr)
		if err != nil {
			return fmt.Errorf("inode %s of the index: %w", name, err)
		}
		if !ok {
			names = 1
		}
		fs.records.origin[u.QID().Path], fs.records.copies[lower] = lower, names
		return nil
	})
	for err == nil && len(dirs) > 0 {
		d := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		err = eachEntry(d, func(name string, u fs9p.Node) error {
			defer later(u)
			return fs.restoreEntry(name, u)
		})
		d.Release()
	}
	return err
}

// restoreEntry makes the records of what is in a directory of the upper that is
// not the index.
func (fs *FS) restoreEntry(name string, u fs9p.Node) error {
	lower, ok, err := number(u, originAttr)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if !ok {
		return nil
	}
	q := u.QID()
	fs.records.origin[q.Path] = lower
	if q.Type&fs9p.QTDir == 0 || fs.records.moved[lower] != nil {
		return nil
	}
	numbered, can := fs.lower.(fs9p.Numbered)
	if !can {
		return errNumbered
	}
	l, err := numbered.Inode(lower)
	if err != nil {
		return fmt.Errorf("%q: its origin %x: %w", name, lower, err)
	}
	fs.records.moved[lower] = l
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
