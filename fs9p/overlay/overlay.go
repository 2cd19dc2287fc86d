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
	Upper, Lower fs9p.FS
}

// FS is the union. It is used by one goroutine, as fs9p.FS says.
type FS struct {
	upper    fs9p.FS
	lower    fs9p.FS
	backer   fs9p.Backer     // upper, where it is one
	changes  fs9p.Transactor // upper, where it is one
	top      fs9p.Node       // root directory of the upper
	index    fs9p.Node
	whiteout fs9p.Node
	root     *node
	live     map[uint64]*node // nodes that are held, by id
	records  records
}

// records is what the upper's tree does not say by itself.
type records struct {
	origin map[uint64]uint64    // upper qid.path to lower qid.path, of what was copied up
	copies map[uint64]uint64    // by lower qid.path, of what is in the index: names in the lower
	moved  map[uint64]fs9p.Node // by lower qid.path: lower directories that were renamed
}

// New makes the union of upper and lower.
func New(cfg Config) (*FS, error) {
	fs := &FS{
		upper: cfg.Upper,
		lower: cfg.Lower,
		live:  map[uint64]*node{},
		records: records{
			origin: map[uint64]uint64{}, copies: map[uint64]uint64{}, moved: map[uint64]fs9p.Node{},
		},
	}
	fs.backer, _ = cfg.Upper.(fs9p.Backer)
	fs.changes, _ = cfg.Upper.(fs9p.Transactor)
	if err := fs.change(fs.prepare); err != nil {
		return nil, fmt.Errorf("overlay: upper: %w", err)
	}
	if err := fs.restore(); err != nil {
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
// are there.
func (fs *FS) prepare() error {
	var err error
	if fs.top, err = fs.upper.Attach(""); err != nil {
		return err
	}
	if fs.index, err = fs.top.Walk(indexName); fs9p.ErrnoOf(err) == fs9p.ENOENT {
		if _, err = fs.top.Mkdir(indexName, 0o700, fs9p.Owner{}); err == nil {
			fs.index, err = fs.top.Walk(indexName)
		}
	}
	if err != nil {
		return err
	}
	if fs.whiteout, err = fs.top.Walk(whiteoutName); fs9p.ErrnoOf(err) == fs9p.ENOENT {
		if _, err = fs.top.Mknod(whiteoutName, fs9p.ModeChar, 0, fs9p.Owner{}); err == nil {
			fs.whiteout, err = fs.top.Walk(whiteoutName)
		}
	}
	return err
}

// change makes one change of what f does to the upper, if the upper can.
func (fs *FS) change(f func() error) error {
	if fs.changes == nil {
		return f()
	}
	if err := fs.changes.Begin(fs9p.ForChange); err != nil {
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
	if origin, ok := fs.records.origin[upper]; ok {
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
