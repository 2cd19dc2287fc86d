package statefs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A place is where a journal is: the file that counts, and beside it one that is
// made to count in its place.
type place interface {
	// exists tells whether there is a journal.
	exists() (bool, error)
	// open opens the one that counts.
	open() (diskFile, error)
	// create makes the other one, empty.
	create() (diskFile, error)
	// replace has the other one, which is on the disk and has that salt, count from
	// now on. It gives its file; that of the old one, nil if there is none, is closed.
	replace(old, next diskFile, s salt) (diskFile, error)
	// abandon undoes create; next may be nil.
	abandon(next diskFile)
}

// renamed is a place where the new file is given the old one's name.
type renamed struct {
	disk disk
	name string
}

func (r renamed) next() string { return r.name + ".new" }

func (r renamed) exists() (bool, error) {
	_, err := r.disk.stat(r.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (r renamed) open() (diskFile, error) { return r.disk.open(r.name, os.O_RDWR) }

func (r renamed) create() (diskFile, error) {
	return r.disk.open(r.next(), os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// replace closes both files: Windows renames no file that is open, or over one.
func (r renamed) replace(old, next diskFile, _ salt) (diskFile, error) {
	err := next.Close()
	if old != nil {
		old.Close()
	}
	if err == nil {
		err = r.disk.rename(r.next(), r.name)
	}
	if err == nil {
		err = r.disk.syncDir(filepath.Dir(r.name))
	}
	if err != nil {
		return nil, err
	}
	return r.open()
}

func (r renamed) abandon(next diskFile) {
	if next != nil {
		next.Close()
		r.disk.remove(r.next())
	}
}
