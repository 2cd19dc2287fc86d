// Package hostfs is an fs9p back end of a folder of the host. It works through
// os.Root: whatever a guest asks for, and whatever else happens in the folder
// meanwhile, nothing outside it is read, written or made. Symbolic links are
// text for the guest and are never followed by the server.
//
// It needs no privilege. What the host does not let the process do about
// owners, and device nodes, which it does not make at all (one made by a
// server that runs as root would be a door to the host's hardware), is kept in
// memory: the guest sees what it asked for as long as the server lives, and
// finds the host's owner and an empty file afterwards. Files that the guest
// did nothing to show their real owners.
//
// Extended attributes are passed on in the user namespace only, on Linux.
//
// Deviation: a file that is replaced by the host's programs with one of the
// same inode number keeps its qid; a directory that they move is lost to the
// guest (ESTALE) once its handle has been closed to save descriptors.
package hostfs

import (
	"container/list"
	"fmt"
	"os"

	"alpinevm/fs9p"
)

// maxOpenDirs bounds the directories that are kept open between requests.
const maxOpenDirs = 256

// FS is a folder. It is used by one goroutine at a time.
type FS struct {
	top  *inode
	live map[key]*inode // inodes that are held
	dirs list.List      // *inode with an open root, the one used last in front

	// numbers holds the inode numbers that are not the host's: those of files
	// made here, since the host uses its numbers again, and of what does not
	// fit (number).
	numbers map[key]uint64
	last    uint64
	// assumed holds what the guest was told of files and the host was not.
	assumed map[key]assumed
}

// key identifies a file on the host.
type key struct{ dev, ino uint64 }

// assumed is what stands in for attributes that the host refused.
type assumed struct {
	owner    bool // uid and gid count
	uid, gid uint32
	mode     uint32 // with the type, of a device; else 0
	rdev     uint64
}

// New serves the folder at dir.
func New(dir string) (*FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("hostfs: %w", err)
	}
	fs := &FS{live: map[key]*inode{}, numbers: map[key]uint64{}, assumed: map[key]assumed{}}
	fi, err := root.Stat(".")
	if err == nil {
		fs.top = &inode{fs: fs, root: root, refs: 1, kind: fs9p.ModeDir}
		fs.top.key, err = keyOf(root, ".", fi)
		fs.top.id = fs.number(fs.top.key)
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("hostfs: %w", err)
	}
	fs.top.parent = fs.top
	fs.live[fs.top.key] = fs.top
	return fs, nil
}

// Close closes the folder. No Node may be in use.
func (fs *FS) Close() error {
	for fs.dirs.Len() > 0 {
		fs.closeDir(fs.dirs.Back().Value.(*inode))
	}
	return fs.top.root.Close()
}

// Slow is part of fs9p.Slow.
func (fs *FS) Slow() bool { return true }

// Attach is part of fs9p.FS: aname may name a directory in the folder.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	return fs9p.Below(fs.top.hold(), aname)
}

// Statfs is part of fs9p.FS.
func (fs *FS) Statfs() (fs9p.Statfs, error) { return statfs(fs.top.root) }

// The numbers of the host's own files are below this.
const ownNumbers = 1 << 62

// number gives the qid.path of a file. Those on the folder's own file system
// have the host's inode number, which takes no memory.
func (fs *FS) number(k key) uint64 {
	if n, ok := fs.numbers[k]; ok {
		return n
	}
	if k.dev == fs.top.key.dev && k.ino < ownNumbers {
		return k.ino
	}
	return fs.renumber(k)
}

// renumber gives a file a number that none ever had.
func (fs *FS) renumber(k key) uint64 {
	fs.last++
	fs.numbers[k] = ownNumbers | fs.last
	return fs.numbers[k]
}

// forget drops what is known of a file that is no more.
func (fs *FS) forget(k key) {
	delete(fs.numbers, k)
	delete(fs.assumed, k)
}

// openDir notes that n.root is in use, and closes what was not for long.
func (fs *FS) openDir(n *inode) {
	if n.recent != nil {
		fs.dirs.MoveToFront(n.recent)
		return
	}
	n.recent = fs.dirs.PushFront(n)
	if fs.dirs.Len() > maxOpenDirs {
		fs.closeDir(fs.dirs.Back().Value.(*inode))
	}
}

func (fs *FS) closeDir(n *inode) {
	fs.dirs.Remove(n.recent)
	n.root.Close()
	n.root, n.recent = nil, nil
}
