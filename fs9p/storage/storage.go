// Package storage is a few named files of which one user writes any part at any time:
// a folder of the host, the files of a browser's tab (OPFS), or memory.
//
// All calls are synchronous, and opening a file may be dear: who uses a Storage opens
// few files, once. A write is there after the death of the process; what Sync was
// called for is there after a failure of the host too.
package storage

import (
	"errors"
	"io"
)

// Storage is the files. It is used by one goroutine.
type Storage interface {
	// Open gives a file, an empty one if there was none. One that is open already is
	// ErrInUse.
	Open(name string) (File, error)
	// Free is how many bytes more there is room for; ok is false where that is not known.
	Free() (n int64, ok bool)
	// Close ends the use of all of it.
	Close() error
}

// File is one of the files. What is written behind its end makes it longer, with zeros
// in between.
type File interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	Truncate(size int64) error
	// Sync brings what was written to the disk.
	Sync() error
	Close() error
}

var (
	// ErrInUse is the error of what somebody else uses.
	ErrInUse = errors.New("in use by somebody else")
	// ErrFull is the error of a write for which there is no room.
	ErrFull = errors.New("there is no room")
)
