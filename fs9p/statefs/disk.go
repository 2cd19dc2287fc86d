package statefs

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// A disk is the folder's files as the operating system has them. Tests have one
// that is full, or fails.
type disk interface {
	open(name string, flags int) (diskFile, error)
	stat(name string) (fs.FileInfo, error)
	mkdir(name string) error // with those above it
	rename(from, to string) error
	remove(name string) error
	// keep gives a file a second name, under which it stays when the first one
	// is another file's.
	keep(name, as string) error
	// share does so where a file tells how many names it has, and copies it where
	// it does not.
	share(name, as string) error
	// syncDir brings the names in a folder to the disk.
	syncDir(name string) error
}

type diskFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
	Close() error
}

type hostDisk struct{}

func (hostDisk) open(name string, flags int) (diskFile, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (hostDisk) stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (hostDisk) mkdir(name string) error               { return os.MkdirAll(name, 0o700) }
func (hostDisk) rename(from, to string) error          { return os.Rename(from, to) }
func (hostDisk) remove(name string) error              { return os.Remove(name) }
func (hostDisk) syncDir(name string) error             { return syncDir(name) }

func (hostDisk) keep(name, as string) error {
	if err := os.Link(name, as); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyFile(name, as)
}

func (d hostDisk) share(name, as string) error {
	if countsNames {
		return d.keep(name, as)
	}
	return copyFile(name, as)
}

// copyFile copies a file to a new one, but for its holes.
func copyFile(name, as string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(as, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = copyData(to, from)
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		os.Remove(as)
	}
	return err
}
