// Package statefs is a file system in a folder of the host that outlives the
// process, a back end of fs9p that is meant to be the upper of fs9p/overlay. It
// keeps what a host folder cannot: owners, devices, attributes and any name,
// without being root.
//
// The folder holds a journal of all changes to names and attributes, and a
// sparse file for the content of each regular file:
//
//	journal    see journal.go
//	data/XX/N  the content of the inode N, in hexadecimal, XX being its last
//	           two digits; missing where the file is empty
//	clean      says that the last use was ended by Close
//	lock       is locked while the folder is in use
//
// Names and attributes are in memory, content is not. Every change is one frame
// of the journal, written before anybody is told of it, and content is written
// when the guest writes it. So after the death of the process everything is
// there that it had acknowledged, each change wholly or not at all; after a
// failure of the host so is everything up to the last Sync of any file, and
// the content of files that were synced, or copied by a change of several
// parts. The times of a file that is open for
// writing may then be some writes old.
package statefs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"alpinevm/fs9p"
	"alpinevm/fs9p/tree"
)

// Config says where the files are.
type Config struct {
	// Dir is the folder; it is made if need be.
	Dir string
	// Now gives the time that new and changed files get; time.Now if nil.
	Now func() time.Time
	// Files is the most names; zero means DefaultFiles.
	Files int
}

// DefaultFiles is what a zero Config.Files stands for.
const DefaultFiles = 1 << 21

// maxMemory bounds what names and attributes take, in bytes of memory.
const maxMemory = 1 << 30

// FS is the file system. Like every back end it is used by one goroutine.
type FS struct {
	cfg     Config
	lock    *flock.Flock
	tree    *tree.Tree
	journal journal
	files   fileCache

	depth   int    // of Begin without Commit
	pending []byte // records that Commit will write
	failed  error  // what the disk cannot be brought up to

	copied      map[uint64]bool // inodes that were written to between Begin and Commit, since the last barrier
	doomed      []uint64        // inodes that are gone and whose content is to go with the next barrier
	doomedBytes int64
}

// ErrInUse is the error of a folder that another process uses.
var ErrInUse = errors.New("in use by another process")

// The names in the folder.
const (
	journalFile = "journal"
	dataDir     = "data"
	cleanFile   = "clean"
	lockFile    = "lock"
)

// Open opens the file system in a folder, or makes an empty one.
func Open(cfg Config) (_ *FS, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Files == 0 {
		cfg.Files = DefaultFiles
	}
	f := &FS{cfg: cfg, files: newFileCache(), copied: map[uint64]bool{}}
	defer func() {
		if err != nil {
			f.shut()
			err = fmt.Errorf("state folder %s: %w", cfg.Dir, err)
		}
	}()
	if err := os.MkdirAll(f.path(dataDir), 0o700); err != nil {
		return nil, err
	}
	l := flock.New(f.path(lockFile))
	switch ok, err := l.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		return nil, err
	case !ok:
		l.Close()
		return nil, ErrInUse
	}
	f.lock = l
	f.tree = tree.New(tree.Config{Store: store{f}, Now: cfg.Now, Files: cfg.Files, Memory: maxMemory})
	if err := f.journal.open(f.path(journalFile), f.tree.Replay, f.snapshot); err != nil {
		return nil, err
	}
	if err := f.recover(); err != nil {
		return nil, err
	}
	f.compact()
	return f, f.failed
}

// recover removes what inodes without a name have left behind, unless the last
// use was ended in order.
func (f *FS) recover() error {
	if err := os.Remove(f.path(cleanFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The journal may not be on the disk as far as it was read.
	if err := f.barrier(); err != nil {
		return err
	}
	return filepath.WalkDir(f.path(dataDir), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if id, ok := parseID(d.Name()); ok {
			if n, err := f.tree.Inode(id); err == nil {
				n.Release()
				return nil
			}
		}
		return os.Remove(name)
	})
}

// Close ends the use of the folder, in order.
func (f *FS) Close() error {
	err := f.failed
	for _, n := range f.tree.Inodes() {
		err = errors.Join(err, n.Settle())
	}
	if err == nil {
		err = f.barrier()
	}
	if err == nil {
		err = os.WriteFile(f.path(cleanFile), nil, 0o600)
	}
	f.shut()
	return err
}

func (f *FS) shut() {
	f.files.close()
	f.journal.close()
	if f.lock != nil {
		f.lock.Close()
	}
	f.failed = fs9p.EIO
}

func (f *FS) path(elem ...string) string {
	return filepath.Join(append([]string{f.cfg.Dir}, elem...)...)
}

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (f *FS) Attach(aname string) (fs9p.Node, error) { return f.tree.Attach(aname) }

// Inode is part of fs9p.Numbered.
func (f *FS) Inode(path uint64) (fs9p.Node, error) { return f.tree.Inode(path) }

// Statfs tells what the host's disk has.
func (f *FS) Statfs() (fs9p.Statfs, error) {
	s := f.tree.Statfs()
	disk, err := diskSpace(f.cfg.Dir)
	s.BlockSize, s.Blocks, s.BlocksFree, s.BlocksAvail = disk.BlockSize, disk.Blocks, disk.BlocksFree, disk.BlocksAvail
	return s, toErrno(err)
}

// Slow tells that calls wait for a disk.
func (f *FS) Slow() bool { return true }

// ready says why nothing can be changed. Otherwise the journal has room for a
// change.
func (f *FS) ready() error {
	if f.failed != nil {
		return fs9p.EIO
	}
	return toErrno(f.journal.reserve(slack))
}

// Begin is part of fs9p.Transactor.
func (f *FS) Begin(p fs9p.Purpose) error {
	if f.depth == 0 {
		if err := f.ready(); err != nil {
			return err
		}
	}
	f.depth++
	return nil
}

// Commit is part of fs9p.Transactor. If it fails, the disk has the state before
// Begin and memory one behind it; nothing can be changed from then on.
func (f *FS) Commit() error {
	if f.depth--; f.depth > 0 {
		return nil
	}
	err := f.journal.append(f.pending)
	f.pending = f.pending[:0]
	if err != nil {
		f.failed = err
		return toErrno(err)
	}
	f.ease()
	f.compact()
	return nil
}

// A store is what the tree knows of its FS.
type store struct{ f *FS }

// Content is part of tree.Store.
func (s store) Content(id uint64, fresh bool) tree.Content {
	c := &content{fs: s.f, id: id, size: unknown, fresh: fresh}
	if fresh {
		c.size = 0
	}
	return c
}

// Change is part of tree.Store. A change is written to the journal and then
// made in memory; between Begin and Commit it is in memory first.
func (s store) Change(c *tree.Change, apply func()) error {
	f := s.f
	if f.depth > 0 {
		f.pending = c.AppendTo(f.pending)
		apply()
		return nil
	}
	if err := f.ready(); err != nil {
		return err
	}
	if err := f.journal.append(c.AppendTo(nil)); err != nil {
		return toErrno(err)
	}
	apply()
	f.ease()
	f.compact()
	return nil
}

// Sync is part of tree.Store.
func (s store) Sync() error { return s.f.barrier() }

// compact makes the journal anew when it holds much that is no longer so. If
// that cannot be done, the old one will do.
func (f *FS) compact() {
	if !f.journal.bloated() || f.barrier() != nil {
		return
	}
	if err := f.journal.rewrite(f.snapshot); err != nil && f.journal.file == nil {
		f.failed = err
	}
}

// snapshot writes the records that make all that is there.
func (f *FS) snapshot(write func(records []byte) error) error { return f.tree.Save(false, write) }
