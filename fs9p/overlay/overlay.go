// Package overlay is an fs9p back end that makes a read-only file system
// writable: what changes is kept in a second one, the upper, and the lower is
// read in place. A guest cannot tell the two apart: inode numbers, link counts
// and open files stay what they are when a file is copied up.
//
// A lower inode that changes is copied up into the upper's index, a directory
// of the upper in which it is named for the lower's qid.path, and stays at its
// place in the lower tree: so a copy needs neither the path nor its parents,
// every hard link of a file shares it, and a fid has it however its file is
// called now. A lower directory that loses or gets entries has, in the same
// way, a directory in the index that holds the new entries and whiteouts,
// which are hard links of one file, for the lost ones. What is renamed moves
// from the index to its new place and remembers its origin.
//
// The data of a large file is borrowed, not copied, if the upper can
// (fs9p.Backer).
//
// What the upper's tree does not say by itself stands in attributes of its
// inodes, which guests do not see: of a copy the number of its origin, and of
// one in the index how many names it has in the lower. So an upper that
// outlives the process can be used again, with the same lower. Every change is
// one to an upper that can make one of several (fs9p.Transactor).
package overlay

import (
	"fmt"
	"strconv"

	"alpinevm/fs9p"
)

// Config names the two file systems. The overlay owns the upper, which is empty
// or has been the upper of the same lower before; in that case the lower must be
// fs9p.Numbered. The lower must not change.
type Config struct {
	Upper fs9p.Numbered
	Lower fs9p.FS
	// State is what an FS has saved that had this upper and this lower, together
	// with the upper; nil where there was none, or nobody held a file then.
	State *State
}

// FS is the union. It is used by one goroutine, as fs9p.FS says.
type FS struct {
	upper    fs9p.Numbered
	lower    fs9p.FS
	backer   fs9p.Backer     // upper, where it is one
	changes  fs9p.Transactor // upper, where it is one
	top      fs9p.Node       // root directory of the upper
	index    fs9p.Node
	whiteout fs9p.Node
	root     *node
	live     fs9p.Table[uint64, *node] // nodes that are held, by id
	records  records
	gone     map[uint64]uint64 // of a State, until Settle: what has no name any more, and where it was
}

// records is what the upper's tree does not say by itself.
type records struct {
	origin fs9p.Table[uint64, uint64]    // upper qid.path to lower qid.path, of what was copied up
	copies fs9p.Table[uint64, copied]    // the other way round
	moved  fs9p.Table[uint64, fs9p.Node] // by lower qid.path: lower directories that were renamed
	hidden fs9p.Table[uint64, hidden]    // by upper qid.path of the directory
}

// copied is the copy of a lower inode.
type copied struct {
	upper uint64 // its qid.path
	names uint64 // in the lower; 0 where it has left the index
}

// forget drops what is known of the copy of a lower inode.
func (r *records) forget(lower uint64) {
	r.origin.Delete(r.copies.At(lower).upper)
	r.copies.Delete(lower)
	r.moved.Delete(lower)
}

// Lower gives the lower file system.
func (fs *FS) Lower() fs9p.FS { return fs.lower }

// New makes the union of upper and lower.
func New(cfg Config) (*FS, error) {
	fs := &FS{upper: cfg.Upper, lower: cfg.Lower}
	fs.backer, _ = cfg.Upper.(fs9p.Backer)
	fs.changes, _ = cfg.Upper.(fs9p.Transactor)
	if err := fs.prepare(); err != nil {
		return nil, fmt.Errorf("overlay: upper: %w", err)
	}
	if err := fs.restore(cfg.State); err != nil {
		return nil, fmt.Errorf("overlay: upper: %w", err)
	}
	lower, err := cfg.Lower.Attach("")
	if err != nil {
		return nil, fmt.Errorf("overlay: lower: %w", err)
	}
	if fs.root, err = fs.fromLower(lower, nil); err != nil {
		return nil, fmt.Errorf("overlay: lower: %w", err)
	}
	fs.root.parent = fs.root
	return fs, nil
}

// Names in the upper's root directory and, for whiteouts to be, in the index.
const (
	indexName    = "index"
	whiteoutName = "whiteout"
	spareName    = "spare"
	tempName     = "temp"
)

// prepare makes the index and the file that whiteouts are links of, unless they
// are there: an upper that was used before need have no room.
func (fs *FS) prepare() (err error) {
	if fs.top, err = fs.upper.Attach(""); err != nil {
		return err
	}
	fs.index, err = fs.there(indexName, func() error {
		_, err := fs.top.Mkdir(indexName, 0o700, fs9p.Owner{})
		return err
	})
	if err == nil {
		fs.whiteout, err = fs.there(whiteoutName, func() error {
			_, err := fs.top.Mknod(whiteoutName, fs9p.ModeChar, 0, fs9p.Owner{})
			return err
		})
	}
	return err
}

// there gives an entry of the upper's root, made if it is missing.
func (fs *FS) there(name string, make func() error) (fs9p.Node, error) {
	n, err := fs.top.Walk(name)
	if fs9p.ErrnoOf(err) == fs9p.ENOENT {
		if err = fs.change(fs9p.ForChange, make); err == nil {
			n, err = fs.top.Walk(name)
		}
	}
	return n, err
}

// change makes one change of what f does to the upper, if the upper can.
func (fs *FS) change(p fs9p.Purpose, f func() error) error {
	if fs.changes == nil {
		return f()
	}
	if err := fs.changes.Begin(p); err != nil {
		return err
	}
	err := f()
	if e := fs.changes.Commit(); err == nil {
		err = e
	}
	return err
}

// Attach is part of fs9p.FS: aname may name a directory in the tree.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	return fs9p.Below(fs.root.hold(), aname)
}

// Statfs is part of fs9p.FS: what there is room for is the upper's affair.
func (fs *FS) Statfs() (fs9p.Statfs, error) { return fs.upper.Statfs() }

// Slow tells whether one of the two file systems is slow.
func (fs *FS) Slow() bool {
	for _, layer := range []fs9p.FS{fs.upper, fs.lower} {
		if s, ok := layer.(fs9p.Slow); ok && s.Slow() {
			return true
		}
	}
	return false
}

// Inode numbers: a lower inode's stays with its copy.
func lowerID(path uint64) uint64 { return path << 1 }
func upperID(path uint64) uint64 { return path<<1 | 1 }

// id gives the number of an inode of the upper.
func (fs *FS) id(upper uint64) uint64 {
	if origin, ok := fs.records.origin.Find(upper); ok {
		return lowerID(origin)
	}
	return upperID(upper)
}

// indexed is the name in the index of a lower inode.
func indexed(lower uint64) string { return strconv.FormatUint(lower, 16) }

func (fs *FS) isWhiteout(q fs9p.QID) bool { return q.Path == fs.whiteout.QID().Path }

// spare makes sure that there is a whiteout which a rename can put in place:
// that cannot fail for want of room.
func (fs *FS) spare() error {
	err := fs.index.Link(spareName, fs.whiteout)
	if fs9p.ErrnoOf(err) == fs9p.EEXIST {
		return nil
	}
	return err
}
