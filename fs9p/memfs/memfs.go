// Package memfs is a file system in memory, a back end of fs9p. It has what a
// Linux root file system needs: hard links, device nodes, fifos, symbolic
// links, extended attributes, nanosecond times, sparse files, files that live
// on while open. It can be filled from a tar archive. Names and attributes are
// in a tree of package tree, content is here.
//
// It is bounded: Config.Limit for the memory that it takes, Config.Files for
// how many names there can be. All of it is a plain value (State), so that it
// outlives the process in a snapshot. It is not safe for concurrent use: one
// machine goroutine owns it.
package memfs

import (
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
)

// What Config's zero values stand for.
const (
	DefaultLimit = 4 << 30
	DefaultFiles = 1 << 21
)

// Config sizes a file system.
type Config struct {
	// Now gives the time that new and changed files get; time.Now if nil.
	Now func() time.Time
	// Limit is the most bytes of memory that files, names and attributes take,
	// Files the most names; zero means the defaults. Beyond either the guest
	// sees ENOSPC.
	Limit int64
	Files int
}

// FS is the file system.
type FS struct {
	cfg   Config
	tree  *tree.Tree
	depth int   // of Begin without Commit
	zeros int64 // bytes that Add has read and made holes of
}

// New makes a file system of an empty root directory, mode 0755, owned by root.
func New(cfg Config) *FS {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Limit == 0 {
		cfg.Limit = DefaultLimit
	}
	if cfg.Files == 0 {
		cfg.Files = DefaultFiles
	}
	fs := &FS{cfg: cfg}
	fs.tree = tree.New(tree.Config{Store: store{fs}, Now: cfg.Now, Files: cfg.Files, Memory: cfg.Limit})
	return fs
}

// A store is what the tree knows of its FS. Nobody but the tree need hear of
// changes: memory is as durable as it gets.
type store struct{ fs *FS }

// Content is part of tree.Store.
func (s store) Content(uint64, bool) tree.Content { return &content{fs: s.fs} }

// Change is part of tree.Store.
func (s store) Change(_ *tree.Change, apply func()) error {
	apply()
	return nil
}

// Sync is part of tree.Store.
func (s store) Sync() error { return nil }

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (fs *FS) Attach(aname string) (fs9p.Node, error) { return fs.tree.Attach(aname) }

// Inode is part of fs9p.Numbered.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) { return fs.tree.Inode(path) }

// Statfs tells the limits as sizes.
func (fs *FS) Statfs() (fs9p.Statfs, error) {
	const block = 4096
	s := fs.tree.Statfs()
	s.BlockSize = block
	s.Blocks = uint64(fs.cfg.Limit) / block
	s.BlocksFree = uint64(fs.tree.Room()) / block
	s.BlocksAvail = s.BlocksFree
	return s, nil
}

// Begin is part of fs9p.Transactor. What becomes of several changes when the
// process dies is of no importance here; what they are for is.
func (fs *FS) Begin(p fs9p.Purpose) error {
	if fs.depth++; fs.depth == 1 {
		fs.tree.For(p)
	}
	return nil
}

// Commit is part of fs9p.Transactor.
func (fs *FS) Commit() error {
	if fs.depth--; fs.depth == 0 {
		fs.tree.For(fs9p.ForChange)
	}
	return nil
}
