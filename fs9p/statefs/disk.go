package statefs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"alpinevm/fs9p"
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
	// lock gives what Close is called of when the folder is used no longer; ErrInUse
	// if another one uses it.
	lock(name string) (io.Closer, error)
	// removeAll removes a folder with all that is in it, if it is there.
	removeAll(name string) error
	// walk calls visit for all files in and below a folder, which may remove them.
	walk(name string, visit func(name string, info fs.FileInfo) error) error
	// space tells how full the disk of a folder is.
	space(name string) (fs9p.Statfs, error)
}

type diskFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
	Close() error
}

// Of a file's info some disks tell more.
type (
	// blocksInfo tells how many blocks of 512 bytes a file takes.
	blocksInfo interface{ Blocks() uint64 }
	// sparseFile tells where a file may hold something else than zeros, as nextData has it.
	sparseFile interface {
		nextData(off, size int64) (from, to int64)
	}
)

// blocksOf tells how many blocks of 512 bytes a file takes.
func blocksOf(info fs.FileInfo) uint64 {
	if b, ok := info.(blocksInfo); ok {
		return b.Blocks()
	}
	return hostBlocks(info)
}

// nextData gives the first range at off or behind it that may hold something else
// than zeros; from is size where there is none.
func nextData(f diskFile, off, size int64) (from, to int64) {
	if s, ok := f.(sparseFile); ok {
		return s.nextData(off, size)
	}
	return hostData(f, off, size)
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

func (hostDisk) removeAll(name string) error            { return os.RemoveAll(name) }
func (hostDisk) space(name string) (fs9p.Statfs, error) { return diskSpace(name) }

func (hostDisk) lock(name string) (io.Closer, error) {
	l := flock.New(name)
	switch ok, err := l.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
		return io.NopCloser(nil), nil
	case err != nil:
		return nil, err
	case !ok:
		l.Close()
		return nil, ErrInUse
	}
	return l, nil
}

func (hostDisk) walk(name string, visit func(name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(name, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(name, info)
	})
}

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
