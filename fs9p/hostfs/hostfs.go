// Package hostfs is an fs9p back end of a folder of the host. It works through
// os.Root: whatever a guest asks for, and whatever else happens in the folder
// meanwhile, nothing outside it is read, written or made. Symbolic links are
// text for the guest and are never followed by the server.
//
// On the host it makes regular files, folders, symbolic links and further names
// of files, and nothing else: no set-id bit, device, fifo, socket or attribute
// that means something there, since run by root each would be a door to the
// host. Those, the owners that the host refuses to change, access control lists
// and attributes of the trusted and security namespaces are kept in memory
// (kept.go): the guest sees what it asked for as long as the server lives, and
// finds the host's owner and an empty file afterwards. Files that the guest did
// nothing to show what the host knows of them.
//
// It needs no privilege. All that a guest can make it hold is bounded, and no
// request takes more than some milliseconds of the processor, on Linux: inodes,
// open files and folders, what is kept in memory, what a listing knows, and how
// deep a folder may be (the limits below).
//
// Deviation: a directory that the host's programs move is lost to the guest
// (ESTALE) once its handle has been closed to save descriptors; on systems
// other than Linux, and on file systems whose files have no generation, a file
// that they replace by one of the same inode number keeps its qid; and there a
// listing is read whole.
package hostfs

import (
	"container/list"
	"fmt"
	iofs "io/fs"
	"os"

	"alpinevm/fs9p"
)

// What one folder may cost the host, beside files that are open (maxFiles).
const (
	maxInodes   = 1 << 20  // that are held, as many as a server has fids
	maxFolders  = 256      // that are kept open between requests
	maxListings = 64       // that have a place in their folder
	maxMarks    = 1 << 20  // places that listings can go back to
	maxOwners   = 1 << 20  // that are kept
	maxExtras   = 32 << 20 // bytes of what else is kept
	maxDepth    = 512      // of a folder below the top; one is opened again through all that are above it
)

// FS is a folder. It is used by one goroutine at a time.
type FS struct {
	top      *inode
	live     fs9p.Table[key, *inode]    // inodes that are held and still there
	gone     fs9p.Table[uint64, *inode] // those that are held only, by number
	restored map[uint64]InodeState      // of a State, until it has settled
	dying    []*inode                   // those that nobody holds, to be let go of
	folders  list.List                  // *inode with an open folder, the one used last in front
	listings listings
	numbers  numbers
	kept     keeper
	files    int   // of the host that are open
	held     int64 // bytes that files take, where there is a limit of them
	limit    limits
}

// limits are those that depend on the host, or that a test makes smaller, and bytes,
// which is SetLimit's.
type limits struct {
	files, inodes int
	bytes         int64
}

// New serves the folder at dir.
func New(dir string) (*FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("hostfs: %w", err)
	}
	fs := &FS{kept: newKeeper(), limit: limits{files: maxFiles(), inodes: maxInodes}}
	f := &folder{root: root}
	fs.top = &inode{fs: fs, folder: f, refs: 1, kind: fs9p.ModeDir}
	fi, err := root.Stat(".")
	if err == nil {
		fs.top.key, err = f.identify(".", fi)
	}
	if err != nil {
		f.close()
		return nil, fmt.Errorf("hostfs: %w", err)
	}
	fs.top.parent = fs.top
	fs.numbers = newNumbers(fs.top.key.dev)
	fs.top.id = fs.number(fs.top.key)
	fs.live.Put(fs.top.key, fs.top)
	return fs, nil
}

// IOFS is the folder as the host's own programs see it, for reading; nothing
// outside of it can be reached. It is good until Close.
func (fs *FS) IOFS() iofs.FS { return fs.top.folder.root.FS() }

// Close closes the folder. No Node may be in use.
func (fs *FS) Close() error {
	for len(fs.dying) > 0 {
		fs.reap()
	}
	for fs.folders.Len() > 0 {
		fs.closeFolder(fs.folders.Back().Value.(*inode))
	}
	return fs.top.folder.close()
}

// Slow is part of fs9p.Slow.
func (fs *FS) Slow() bool { return true }

// Attach is part of fs9p.FS: aname may name a directory in the folder.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	return fs9p.Below(fs.top.hold(), aname)
}

// Statfs is part of fs9p.FS.
func (fs *FS) Statfs() (fs9p.Statfs, error) {
	disk, err := statfs(fs.top.folder)
	fs.bound(&disk)
	return disk, err
}
