package statefs

import (
	"encoding/binary"
	"io/fs"
	"time"

	"alpinevm/fs9p/storage"
)

// generations is a place of two files that have no other names: what counts is the one
// that says, behind the marks, that it is of the higher generation. It says so when
// all of it is on the disk, and then the other one is emptied; so where none says so
// there was no journal yet, or something is damaged.
type generations struct {
	files [2]diskFile
	now   int    // which one counts
	count uint64 // its generation
}

// generationAt is where a file says its generation: 8 bytes, and 4 of a checksum.
const (
	generationAt  = marksAt + 2*markStep
	generationLen = 12
)

func (s *salt) appendGeneration(b []byte, n uint64) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint64(b, n)
	return binary.LittleEndian.AppendUint32(b, s.sum('g', 0, b[at:]))
}

// generation reads what a file says; ok is false where it says nothing.
func generation(f diskFile) (n uint64, ok bool) {
	b := make([]byte, framesAt)
	if k, _ := f.ReadAt(b, 0); k < len(b) {
		return 0, false
	}
	for _, at := range []int{0, headerAt} {
		if s, ok := readHeader(b[at:]); ok {
			g := b[generationAt:][:generationLen]
			n := binary.LittleEndian.Uint64(g)
			return n, string(g) == string(s.appendGeneration(nil, n))
		}
	}
	return 0, false
}

func (g *generations) exists() (bool, error) {
	found := false
	for i, f := range g.files {
		if n, ok := generation(f); ok && (!found || n > g.count) {
			found, g.now, g.count = true, i, n
		}
	}
	return found, nil
}

func (g *generations) open() (diskFile, error) { return g.files[g.now], nil }

func (g *generations) create() (diskFile, error) {
	f := g.files[1-g.now]
	return f, f.Truncate(0)
}

func (g *generations) replace(old, next diskFile, s salt) (diskFile, error) {
	if _, err := next.WriteAt(s.appendGeneration(nil, g.count+1), generationAt); err != nil {
		return nil, err
	}
	if err := next.Sync(); err != nil {
		return nil, err
	}
	g.now, g.count = 1-g.now, g.count+1
	if old != nil {
		if err := old.Truncate(0); err != nil {
			return nil, err
		}
	}
	return next, nil
}

func (g *generations) abandon(next diskFile) {
	if next != nil {
		next.Truncate(0)
	}
}

// A storedFile is a file of a storage as a diskFile that stays open.
type storedFile struct {
	storage.File
	name string
}

func (f storedFile) Close() error { return nil }

// Stat is part of diskFile.
func (f storedFile) Stat() (fs.FileInfo, error) {
	size, err := f.Size()
	return fileInfo{name: f.name, size: size}, err
}

// A fileInfo tells of a file what is known without a host.
type fileInfo struct {
	name   string
	size   int64
	blocks uint64 // of 512 bytes
}

func (i fileInfo) Name() string     { return i.name }
func (i fileInfo) Size() int64      { return i.size }
func (i fileInfo) Blocks() uint64   { return i.blocks }
func (fileInfo) Mode() fs.FileMode  { return 0o600 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }
