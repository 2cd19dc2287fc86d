// Package tree is the names and attributes of a file system, kept in memory: all
// that is the same in back ends of fs9p that keep nothing but the content of
// files elsewhere. It is the fs9p.Node of every file; a [Store] keeps contents,
// and hears of every change before it is made, so that it can write a journal.
//
// A change is a plain value that can be coded, and a tree can be told as
// changes: that is the form of journals and of snapshots. Every inode has a
// number that is never used again, and is found by it.
//
// Everything is charged at what it takes of memory, within a constant factor:
// inodes, names and attributes, and whatever the Store charges.
package tree

import (
	"time"

	"alpinevm/fs9p"
)

// Store is the back end that has a Tree. It is called by the goroutine that
// calls the Tree.
type Store interface {
	// Content makes the Content of the regular file with that number. fresh
	// tells that the file is new, and empty; others are met in a Replay.
	Content(id uint64, fresh bool) Content
	// Change is called for every change of the tree; apply makes it. If it
	// returns an error, which is what the guest is told, it has not called apply.
	Change(c *Change, apply func()) error
	// Sync makes all changes up to now durable.
	Sync() error
}

// Content is the data of a regular file.
type Content interface {
	// Stat tells the size in bytes, and how many blocks of 512 bytes it takes.
	Stat() (size, blocks uint64, err error)
	// ReadAt and WriteAt are as in fs9p.File; off+len(p) is an int64.
	ReadAt(p []byte, off uint64) (int, error)
	WriteAt(p []byte, off uint64) (int, error)
	// Truncate changes the size. What is cut off reads as zero if the file
	// grows again.
	Truncate(size uint64) error
	// Sync makes the data durable.
	Sync() error
	// Drop ends the life of the data: nobody will ask for them again.
	Drop()
}

// Config says how much there may be.
type Config struct {
	Store Store
	// Now gives the time that new and changed files get.
	Now func() time.Time
	// Files is the most names, Memory the most bytes that are charged. Beyond
	// either the guest sees ENOSPC.
	Files  int
	Memory int64
}

// Tree is the names and attributes of a file system.
type Tree struct {
	cfg     Config
	inodes  fs9p.Table[uint64, *Inode]
	root    *Inode
	last    uint64 // inode number given last
	names   int    // of cfg.Files
	used    int64  // of cfg.Memory
	purpose fs9p.Purpose

	replaying bool
	orphans   []*Inode     // of a Replay: without a name, and held until Settle
	pruned    []*directory // whose names are still to be taken away
}

// What is charged, in bytes of memory.
const (
	costInode     = 384 // an inode, a Content that is empty, its place in the table
	costDirectory = 256
	costName      = 256 // an entry; its name may be 1 byte or 255
	costXattr     = 80  // and the bytes of name and value
)

const rootID = 1

// New makes a tree of an empty root directory, mode 0755, owned by root.
func New(cfg Config) *Tree {
	t := &Tree{cfg: cfg}
	now := t.now()
	t.root = t.add(rootID, attrs{mode: fs9p.ModeDir | 0o755, atime: now, mtime: now, ctime: now})
	t.root.nlink = 2
	t.root.dir.parent = t.root
	return t
}

// Root gives the root directory; the caller releases it.
func (t *Tree) Root() *Inode { return t.root.hold() }

// Attach is part of fs9p.FS: aname may name a directory in the tree.
func (t *Tree) Attach(aname string) (fs9p.Node, error) { return fs9p.Below(t.Root(), aname) }

// Inode is part of fs9p.Numbered. A file that has lost its last name is found
// as long as somebody holds it.
func (t *Tree) Inode(path uint64) (fs9p.Node, error) {
	n, ok := t.inodes.Find(path)
	if !ok {
		return nil, fs9p.ENOENT
	}
	return n.hold(), nil
}

// Names tells how many names there are.
func (t *Tree) Names() int { return t.names }

// Used tells how many bytes are charged.
func (t *Tree) Used() int64 { return t.used }

// Inodes goes through all inodes, in no order. The tree must not change meanwhile.
func (t *Tree) Inodes() func(yield func(uint64, *Inode) bool) { return t.inodes.All() }

// For says what the changes from now on are for.
func (t *Tree) For(p fs9p.Purpose) { t.purpose = p }

// kept is the part of a limit that is kept back from changes of the purpose: a
// full file system must be one from which something can be removed.
func kept[N int | int64](limit N, p fs9p.Purpose) N {
	switch p {
	case fs9p.ForRoom:
		return 0
	case fs9p.ForRemoval:
		return limit / 128
	}
	return limit / 64
}

// room says ENOSPC where there is none for n more bytes.
func (t *Tree) room(n int64) error {
	if n > 0 && t.used+n > t.cfg.Memory-kept(t.cfg.Memory, t.purpose) {
		return fs9p.ENOSPC
	}
	return nil
}

// Charge accounts for n more bytes, or fewer, or says ENOSPC.
func (t *Tree) Charge(n int64) error {
	if err := t.room(n); err != nil {
		return err
	}
	t.used += n
	return nil
}

// Statfs tells the names.
func (t *Tree) Statfs() fs9p.Statfs {
	most := t.cfg.Files - kept(t.cfg.Files, fs9p.ForChange)
	return fs9p.Statfs{Files: uint64(t.cfg.Files), FilesFree: uint64(max(most-t.names, 0)), NameLen: fs9p.MaxName}
}

// Room tells how many bytes can still be charged.
func (t *Tree) Room() int64 { return max(t.cfg.Memory-kept(t.cfg.Memory, fs9p.ForChange)-t.used, 0) }

func (t *Tree) now() fs9p.Timespec { return fs9p.TimespecOf(t.cfg.Now()) }

// change has the Store hear of a change and makes it. Of a file without a name
// there is nothing to be heard: it ends with whoever holds it.
func (t *Tree) change(c *Change) error {
	t.reap(reapEach)
	apply := func() {
		if err := t.apply(c); err != nil {
			panic("BUG: tree: a change that was checked cannot be made: " + err.Error())
		}
	}
	if n := t.inodes.At(c.id); n != nil && n.nlink == 0 {
		apply()
		return nil
	}
	return t.cfg.Store.Change(c, apply)
}
