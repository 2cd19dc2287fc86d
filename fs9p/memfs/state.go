package memfs

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"alpinevm/fs9p"
)

// Back is part of fs9p.Backer. It also gives its Source to a file of a State
// that had one.
func (fs *FS) Back(n fs9p.Node, src fs9p.Source, size uint64) error {
	c := fs.contentOf(n)
	if c == nil || c.under != nil || c.underSize != size && (c.size != 0 || c.underSize != 0) {
		return fs9p.EINVAL
	}
	if size == 0 {
		return src.Close()
	}
	if c.underSize == 0 {
		if err := fs.tree.Charge(costUnder); err != nil {
			return err
		}
		c.size = size
	}
	c.under, c.underSize = src, size
	return nil
}

// Borrowed is part of fs9p.Backer.
func (fs *FS) Borrowed(n fs9p.Node) uint64 {
	if c := fs.contentOf(n); c != nil {
		return c.underSize
	}
	return 0
}

// State is all that is in a file system, as plain data.
type State struct {
	Tree  []byte      // names and attributes (package tree), also of files without a name that are held
	Files []FileState // contents that are not empty, by number
}

// FileState is the content of a file.
type FileState struct {
	ID, Size uint64 // Size in bytes
	Borrowed uint64 // bytes from the beginning that are read from what Back was given, where no chunk is
	First    []byte // the beginning; nil if nothing is held of it
	Chunks   []ChunkState
}

// ChunkState is a part of a file, of 64 KiB, its place in the file counted in these.
type ChunkState struct {
	Index uint64
	Data  []byte
}

// Save gives the State. It shares the memory of contents, which both sides can
// go on to use: whoever changes a file copies what it changes.
func (fs *FS) Save() State {
	var s State
	keep := func(changes []byte) error {
		s.Tree = append(s.Tree, changes...)
		return nil
	}
	fs.tree.Save(keep)
	fs.tree.SaveNameless(keep)
	for id, n := range fs.tree.Inodes() {
		if c, ok := n.Content().(*content); ok && (c.size > 0 || c.first.b != nil) {
			s.Files = append(s.Files, c.save(id))
		}
	}
	slices.SortFunc(s.Files, func(a, b FileState) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

// Contents gives the contents of all regular files that are not empty, by number.
// The file system must not change meanwhile.
func (fs *FS) Contents() iter.Seq2[uint64, fs9p.Content] {
	return func(yield func(uint64, fs9p.Content) bool) {
		for id, n := range fs.tree.Inodes() {
			if c, ok := n.Content().(*content); ok && c.size > 0 && !yield(id, c) {
				return
			}
		}
	}
}

func (c *content) save(id uint64) FileState {
	f := FileState{ID: id, Size: c.size, Borrowed: c.underSize, First: slices.Clip(c.first.b)}
	c.first.shared = true
	for i, x := range c.rest.All() {
		f.Chunks = append(f.Chunks, ChunkState{i, x.b})
	}
	for _, x := range f.Chunks {
		c.rest.Put(x.Index, chunk{x.Data, true})
	}
	slices.SortFunc(f.Chunks, func(a, b ChunkState) int { return cmp.Compare(a.Index, b.Index) })
	return f
}

// ErrState is the error of a State that is none.
var ErrState = errors.New("memfs: not the state of a file system")

// Restore makes a file system of a State, which other file systems may share.
// Files that borrow read as fs9p.EIO until Back is called for them. Files
// without a name are there until Settle is called: by then whoever held them has
// found them by number.
func Restore(cfg Config, s State) (*FS, error) {
	fs := New(cfg)
	if err := fs.tree.Replay(s.Tree); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	fs.tree.For(fs9p.ForRoom)
	defer fs.tree.For(fs9p.ForChange)
	for _, f := range s.Files {
		if err := fs.restore(f); err != nil {
			return nil, fmt.Errorf("%w: file %d: %w", ErrState, f.ID, err)
		}
	}
	return fs, nil
}

func (fs *FS) restore(f FileState) error {
	n, err := fs.tree.Inode(f.ID)
	if err != nil {
		return err
	}
	defer n.Release()
	c := fs.contentOf(n)
	if c == nil || c.size > 0 || c.first.b != nil || f.Size > 1<<63-1 || f.Borrowed > f.Size || uint64(len(f.First)) > min(f.Size, chunkSize) {
		return fs9p.EINVAL
	}
	charge := int64(len(f.First)) + int64(len(f.Chunks))*(chunkSize+costChunk)
	if f.Borrowed > 0 {
		charge += costUnder
	}
	if err := fs.tree.Charge(charge); err != nil {
		return err
	}
	c.size, c.underSize = f.Size, f.Borrowed
	if f.First != nil {
		c.first = chunk{slices.Clip(f.First), true}
	}
	for _, x := range f.Chunks {
		if x.Index == 0 || x.Index >= (f.Size+chunkSize-1)/chunkSize || len(x.Data) != chunkSize {
			return fs9p.EINVAL
		}
		c.rest.Put(x.Index, chunk{x.Data, true})
	}
	return nil
}

// Settle ends a restore.
func (fs *FS) Settle() { fs.tree.Settle() }
