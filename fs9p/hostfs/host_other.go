//go:build !linux && !darwin && !freebsd

package hostfs

import (
	"path/filepath"
	"time"

	"alpinevm/fs9p"
)

// What the portable library does not offer is done without.

const renamesOver = false

// rename moves an entry from one directory to another.
func rename(from *inode, oldName string, to *inode, newName string) error {
	a, err := from.path()
	if err != nil {
		return err
	}
	b, err := to.path()
	if err != nil {
		return err
	}
	return from.fs.top.folder.root.Rename(filepath.Join(a, oldName), filepath.Join(b, newName))
}

// link enters what is at oldName in one directory in another.
func link(from *inode, oldName string, to *inode, newName string) error {
	a, err := from.path()
	if err != nil {
		return err
	}
	b, err := to.path()
	if err != nil {
		return err
	}
	return from.fs.top.folder.root.Link(filepath.Join(a, oldName), filepath.Join(b, newName))
}

// path is where the directory n is in the folder, checked.
func (n *inode) path() (string, error) {
	p := "."
	for at := n; at != n.fs.top; at = at.parent {
		p = filepath.Join(at.name, p)
	}
	_, err := n.check(n.fs.top.folder, p)
	return p, err
}

// chtimes sets times of what is at name, unless it is a symbolic link.
func (f *folder) chtimes(name string, link bool, t times) error {
	if link {
		return fs9p.EOPNOTSUPP
	}
	access, modified, err := t.portable()
	if err != nil {
		return err
	}
	return f.root.Chtimes(name, access, modified)
}

// portable gives t as os.Chtimes takes it, which counts nanoseconds in 64 bits.
func (t times) portable() (access, modified time.Time, err error) {
	for _, s := range []struct {
		from *fs9p.Timespec
		to   *time.Time
	}{{t.access, &access}, {t.modified, &modified}} {
		if s.from == nil {
			continue
		}
		*s.to = s.from.Time()
		if !time.Unix(0, s.to.UnixNano()).Equal(*s.to) {
			return access, modified, fs9p.EOVERFLOW
		}
	}
	return access, modified, nil
}
