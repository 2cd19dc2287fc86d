package fs9p

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ErrTooLarge is the error of a file that is larger than the host reads.
var ErrTooLarge = errors.New("the file is too large")

// What the host reads of a tree that a guest or an image has made, at most.
const (
	maxFile    = 64 << 20 // bytes of a file, where the reader names no limit
	maxPath    = 4095     // bytes of a path: PATH_MAX of Linux less its NUL
	maxEntries = 1 << 20  // of a folder
)

// ReadFile reads a whole file of a tree that a guest or an image has made. It
// is how the host does that: whatever such a file says of its size, no more
// than limit bytes are read and held, and for a larger one the error is
// ErrTooLarge, with the file's name and the limit.
func ReadFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Size() > limit {
		return nil, tooLarge(name, limit)
	}
	var b bytes.Buffer
	b.Grow(int(min(max(info.Size(), 0), limit)) + bytes.MinRead)
	if n, err := b.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	} else if n > limit {
		return nil, tooLarge(name, limit)
	}
	return b.Bytes(), nil
}

func tooLarge(name string, limit int64) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)}
}

// ReadFile implements fs.ReadFileFS, for packages that know no tree but an
// fs.FS. It has a limit too, which no file that the host has a use for reaches.
func (v ioFS) ReadFile(name string) ([]byte, error) { return ReadFile(v, name, maxFile) }
