package storage

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Dir is a folder of the host. It implements Storage.
type Dir struct {
	name string
	lock *flock.Flock // nil where the host has no locks
	open map[string]bool
}

// dirLock is the name of a folder's file that is locked while it is in use.
const dirLock = "lock"

// OpenDir opens a folder, which is made if need be; ErrInUse: another one has it.
func OpenDir(name string) (*Dir, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(name, dirLock))
	switch ok, err := l.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
		l = nil
	case err != nil:
		return nil, err
	case !ok:
		l.Close()
		return nil, ErrInUse
	}
	return &Dir{name, l, map[string]bool{}}, nil
}

// Open is part of Storage.
func (d *Dir) Open(name string) (File, error) {
	if d.open[name] {
		return nil, ErrInUse
	}
	f, err := os.OpenFile(filepath.Join(d.name, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncDir(d.name); err != nil {
		f.Close()
		return nil, err
	}
	d.open[name] = true
	return &dirFile{f, d, name}, nil
}

// Free is part of Storage.
func (d *Dir) Free() (n int64, ok bool) { return 0, false }

// Close is part of Storage.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

type dirFile struct {
	*os.File
	dir  *Dir
	name string
}

// Size is part of File.
func (f *dirFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Close is part of File.
func (f *dirFile) Close() error {
	delete(f.dir.open, f.name)
	return f.File.Close()
}
