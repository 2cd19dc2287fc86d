package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// beginning is how the name of a file ends that is being written, where a file
// needs one by then: the next one who writes the same file takes its place.
const beginning = ".part"

// errWritten is of a file that somebody else is writing.
var errWritten = errors.New("another process is writing it")

// replaceFile makes a file of what write writes. One that has its name stays until
// the new one is whole and on the disk, and where anything fails.
func replaceFile(name string, write func(f *os.File) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: it is no file", name)
	}
	f, publish, err := newFile(name)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return publish(err)
}

// newNamedFile begins a file under a name of its own.
func newNamedFile(name string) (f *os.File, publish func(err error) error, err error) {
	part := name + beginning
	lock := flock.New(part, flock.SetFlag(os.O_RDWR|os.O_CREATE), flock.SetPermissions(0o600))
	switch ok, err := lock.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		return nil, nil, err
	case !ok:
		lock.Close()
		return nil, nil, errWritten
	}
	f, err = os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		lock.Close()
		return nil, nil, err
	}
	return f, func(err error) error {
		err = errors.Join(err, f.Close())
		if err == nil {
			lock.Close() // Windows renames no file that is open
			err = os.Rename(part, name)
		}
		if err != nil {
			os.Remove(part)
		}
		return errors.Join(err, lock.Close(), syncFolder(filepath.Dir(name)))
	}, nil
}
