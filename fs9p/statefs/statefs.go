// Package statefs is a file system in a folder of the host that outlives the
// process, a back end of fs9p that is meant to be the upper of fs9p/overlay. It
// keeps what a host folder cannot: owners, devices, attributes and any name,
// without being root.
//
// The folder holds a journal of all changes to names and attributes, and a
// sparse file for the content of each regular file:
//
//	journal    see frame.go; journal.damaged-N are those that a salvage has kept
//	data/XX/N  the content of the inode N, in hexadecimal, XX being its last
//	           two digits; missing where the file is empty
//	frozen/K   a folder as this one was when it was frozen, as long as it is used
//	lost/N     contents of which a salvage knew no inode
//	clean      says that the last use was ended by Close
//	lock       is locked while the folder is in use
//
// Where opening a file is dear, as in a browser, all these are in the blocks of one
// file (extents.go).
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
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
	"alpinevm/fs9p/storage"
)

// Config says where the files are.
type Config struct {
	// Dir is the folder; it is made if need be.
	Dir string
	// Storage, if not nil, has the files in the place of Dir: a few large ones, in
	// which those of a folder are (extents.go).
	Storage storage.Storage
	// Now gives the time that new and changed files get; time.Now if nil.
	Now func() time.Time
	// Files is the most names; zero means DefaultFiles.
	Files int
	// Limit is the most bytes that the content of files has, holes included, each
	// rounded up to 4 KiB; zero is no limit. Beyond it the guest sees ENOSPC.
	Limit int64
	// Salvage goes on with what can be read of a journal that is damaged. The
	// damaged one is kept.
	Salvage bool
	// State is what was saved of the file system of which the folder is a copy;
	// nil where nobody held a file then.
	State *State
	// Tell, if not nil, is told what the user should know, in a sentence.
	Tell func(text string)
	// Failed, if not nil, is called once, with the error after which nothing
	// can be changed any more: from then on every change and every Sync is
	// refused. Like Tell it is called where the file system is used.
	Failed func(err error)

	disk disk // nil for the host's
}

// DefaultFiles is what a zero Config.Files stands for.
const DefaultFiles = 1 << 21

// maxMemory bounds what names and attributes take, in bytes of memory.
const maxMemory = 1 << 30

// FS is the file system. Like every back end it is used by one goroutine.
type FS struct {
	cfg     Config
	disk    disk
	lock    io.Closer
	tree    *tree.Tree
	journal journal
	files   fileCache

	depth    int    // of Begin without Commit
	pending  []byte // records that Commit will write
	opened   bool   // by Open, which tells by itself what went wrong before
	failed   error  // after which nothing can be changed
	full     bool   // there was no room on the disk, and none was made since
	toldFull bool
	salvaged bool

	frozen  []*Frozen // whose contents are in part still the file system's
	freezes int       // how many there were

	held        int64           // bytes that contents take, where there is a Limit
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
	lostDir     = "lost"
	frozenDir   = "frozen"
)

// Open opens the file system in a folder, or makes an empty one.
func Open(cfg Config) (_ *FS, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Files == 0 {
		cfg.Files = DefaultFiles
	}
	if cfg.disk == nil {
		cfg.disk = hostDisk{}
	}
	where := "state folder " + cfg.Dir
	if cfg.Storage != nil {
		where = "what is kept of the machine"
		e, err := openExtents(cfg.Storage)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		cfg.disk = e
	}
	f := &FS{cfg: cfg, disk: cfg.disk, copied: map[uint64]bool{}}
	f.files, f.journal = newFileCache(f.fail), journal{place: renamed{f.disk, f.path(journalFile)}, loose: cfg.Storage != nil}
	defer func() {
		if err != nil {
			f.shut()
			err = fmt.Errorf("%s: %w", where, err)
		}
	}()
	if err := f.disk.mkdir(f.path(dataDir)); err != nil {
		return nil, err
	}
	if f.lock, err = f.disk.lock(f.path(lockFile)); err != nil {
		return nil, err
	}
	if err := f.disk.removeAll(f.path(frozenDir)); err != nil {
		return nil, err
	}
	if err := f.load(); err != nil {
		return nil, err
	}
	if cfg.State != nil {
		if err := f.tree.Replay(cfg.State.Nameless); err != nil {
			return nil, fmt.Errorf("its saved state: %w", err)
		}
	}
	if err := f.recover(); err != nil {
		return nil, err
	}
	if cfg.Limit > 0 {
		if f.held, err = f.heldBy(); err != nil {
			return nil, err
		}
	}
	f.compact()
	f.opened = true
	return f, f.failed
}

// load makes the tree of the journal, or an empty one of each.
func (f *FS) load() error {
	f.newTree()
	switch there, err := f.journal.exists(); {
	case err != nil:
		return err
	case !there:
		return f.journal.rewrite(f.snapshot)
	}
	err := f.journal.open(f.tree.Replay)
	switch {
	case errors.Is(err, ErrDamaged) && f.cfg.Salvage:
		return f.salvage()
	case err == nil && f.journal.end == 0: // it is of the version before
		return f.journal.rewrite(f.snapshot)
	}
	return err
}

func (f *FS) newTree() {
	f.tree = tree.New(tree.Config{Store: store{f}, Now: f.cfg.Now, Files: f.cfg.Files, Memory: maxMemory})
}

// salvage makes the tree of what can be read of a damaged journal, and a journal
// of that.
func (f *FS) salvage() error {
	f.journal.close()
	f.newTree()
	lost, err := f.journal.salvage(f.tree.ReplaySome)
	if err != nil {
		return err
	}
	for i := 1; lost.kept == ""; i++ {
		as := fmt.Sprint(f.path(journalFile), ".damaged-", i)
		switch err := f.disk.keep(f.path(journalFile), as); {
		case err == nil:
			lost.kept = as
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	if err := f.journal.rewrite(f.snapshot); err != nil {
		return err
	}
	f.salvaged = true
	f.tell(lost.String())
	return nil
}

func (f *FS) tell(text string) {
	if f.cfg.Tell != nil {
		f.cfg.Tell(text)
	}
}

// recover takes away what inodes without a name have left behind, unless the
// last use was ended in order.
func (f *FS) recover() error {
	err := f.disk.remove(f.path(cleanFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !f.salvaged {
		return nil
	}
	// The journal may not be on the disk as far as it was read.
	if err := f.barrier(); err != nil {
		return err
	}
	return f.disk.walk(f.path(dataDir), func(name string, info fs.FileInfo) error {
		if id, ok := parseID(info.Name()); ok {
			if n, err := f.tree.Inode(id); err == nil {
				n.Release()
				return nil
			}
		}
		if !f.salvaged {
			return f.disk.remove(name)
		}
		if err := f.disk.mkdir(f.path(lostDir)); err != nil {
			return err
		}
		return f.disk.rename(name, f.path(lostDir, info.Name()))
	})
}

// Close ends the use of the folder, in order.
func (f *FS) Close() error {
	for _, n := range f.tree.Inodes() {
		if f.failed == nil {
			n.Settle() // where there is no room, the times stay what they were
		}
	}
	if f.failed == nil {
		f.barrier()
	}
	f.files.close()
	err := f.failed
	if err == nil {
		// Without it the next use has more to do at its beginning.
		if c, e := f.disk.open(f.path(cleanFile), os.O_RDWR|os.O_CREATE); e == nil {
			c.Close()
		}
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
	f.failed = cmp.Or[error](f.failed, fs9p.EIO)
}

// Moved tells that the folder, of the host, has another name. Nothing of it may be
// frozen.
func (f *FS) Moved(dir string) {
	f.cfg.Dir = dir
	f.journal.place = renamed{f.disk, f.path(journalFile)}
}

func (f *FS) path(elem ...string) string {
	return filepath.Join(append([]string{f.cfg.Dir}, elem...)...)
}

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (f *FS) Attach(aname string) (fs9p.Node, error) { return f.tree.Attach(aname) }

// Inode is part of fs9p.Numbered.
func (f *FS) Inode(path uint64) (fs9p.Node, error) { return f.tree.Inode(path) }

// Statfs tells what the host's disk has, or what is left of Limit where that is less.
func (f *FS) Statfs() (fs9p.Statfs, error) {
	s := f.tree.Statfs()
	disk, err := f.disk.space(f.cfg.Dir)
	f.limit(&disk)
	s.BlockSize, s.Blocks, s.BlocksFree, s.BlocksAvail = disk.BlockSize, disk.Blocks, disk.BlocksFree, disk.BlocksAvail
	return s, toErrno(err)
}

// Slow tells whether calls wait for a disk. A browser's files answer in less time than
// it takes there to ask in another goroutine.
func (f *FS) Slow() bool { return f.cfg.Storage == nil }

// ready says why nothing can be changed. Otherwise the journal has room for a
// change that is for p.
func (f *FS) ready(p fs9p.Purpose) error {
	if f.failed != nil {
		return fs9p.EIO
	}
	err := f.roomy(func() error { return f.journal.want(slack + kept) })
	if fs9p.IsFull(err) && f.journal.room() >= slack+keptFrom[p] {
		return nil
	}
	return err
}

// keptFrom is how much of kept is not for a purpose.
var keptFrom = [...]int64{fs9p.ForChange: kept, fs9p.ForRemoval: kept / 2, fs9p.ForRoom: 0}

// makeRoom removes contents that wait for a barrier, and tells whether there were any.
func (f *FS) makeRoom() bool { return len(f.doomed) > 0 && f.barrier() == nil }

// where says which disk it is.
func (f *FS) where() string {
	if f.cfg.Storage != nil {
		return "the room that the browser gives"
	}
	return "the disk of " + f.cfg.Dir
}

// tellFull tells the user, once, what to do about a full disk.
func (f *FS) tellFull() {
	f.full = true
	if !f.toldFull {
		f.toldFull = true
		f.tell(f.where() + " is full; remove files in the machine, for which there is room, or make room on the host")
	}
}

// Begin is part of fs9p.Transactor.
func (f *FS) Begin(p fs9p.Purpose) error {
	if f.depth == 0 {
		if err := f.ready(p); err != nil {
			return err
		}
		f.tree.For(p)
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
	f.tree.For(fs9p.ForChange)
	err := f.journal.append(f.pending)
	if f.pending = f.pending[:0]; cap(f.pending) > 1<<20 {
		f.pending = nil
	}
	if err != nil {
		f.fail(err)
		return fs9p.EIO
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
		// What Begin has found room for is not for anything that takes much.
		before := len(f.pending)
		f.pending = c.AppendTo(f.pending)
		if c.Adds() && f.journal.room() < frameHead+int64(len(f.pending))+slack/2 {
			if err := f.journal.want(frameHead + int64(len(f.pending)) + slack); err != nil {
				f.pending = f.pending[:before]
				return f.told(err)
			}
		}
		apply()
		return nil
	}
	if err := f.ready(c.For()); err != nil {
		return err
	}
	if err := f.journal.append(c.AppendTo(nil)); err != nil {
		return f.told(err)
	}
	apply()
	f.ease()
	f.compact()
	return nil
}

// Sync is part of tree.Store.
func (s store) Sync() error { return s.f.barrier() }

// compact makes the journal anew when it holds much that is no longer so. If
// there is no room for that, the old one will do.
func (f *FS) compact() {
	if !f.journal.bloated() || f.barrier() != nil {
		return
	}
	if err := f.journal.rewrite(f.snapshot); errors.Is(err, errFinal) {
		f.fail(err)
	}
}

// snapshot writes the records that make all that is there.
func (f *FS) snapshot(write func(records []byte) error) error { return f.tree.Save(write) }
