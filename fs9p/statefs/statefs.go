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
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"alpinevm/fs9p"
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

// maxMeta bounds the attribute values and link targets, in bytes of memory.
const maxMeta = 256 << 20

// FS is the file system. Like every back end it is used by one goroutine.
type FS struct {
	cfg     Config
	lock    *flock.Flock
	journal journal
	files   fileCache

	inodes map[uint64]*inode
	root   *inode
	last   uint64 // inode number given last
	names  int    // of cfg.Files
	meta   int    // of maxMeta

	replaying bool
	depth     int    // of Begin without Commit
	pending   []byte // records that Commit will write
	failed    error  // what the disk cannot be brought up to

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

const rootID = 1

// Open opens the file system in a folder, or makes an empty one.
func Open(cfg Config) (_ *FS, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Files == 0 {
		cfg.Files = DefaultFiles
	}
	f := &FS{cfg: cfg, inodes: map[uint64]*inode{}, files: newFileCache(), copied: map[uint64]bool{}, replaying: true}
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
	f.addRoot()
	if err := f.journal.open(f.path(journalFile), f.replay); err != nil {
		return nil, err
	}
	if err := f.recover(); err != nil {
		return nil, err
	}
	f.compact()
	return f, f.failed
}

// addRoot makes the root directory, 0755 and root's, which is in no journal.
func (f *FS) addRoot() {
	now := f.now()
	f.root = f.add(rootID, attrs{mode: fs9p.ModeDir | 0o755, atime: now, mtime: now, ctime: now})
	f.root.nlink = 2
	f.root.dir.Parent = f.root
}

// recover removes what inodes without a name have left behind, unless the last
// use was ended in order.
func (f *FS) recover() error {
	f.replaying = false
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
		if id, ok := parseID(d.Name()); ok && f.inodes[id] != nil {
			return nil
		}
		return os.Remove(name)
	})
}

// Close ends the use of the folder, in order.
func (f *FS) Close() error {
	err := f.failed
	for _, n := range f.inodes {
		err = errors.Join(err, n.settle())
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

func (f *FS) now() fs9p.Timespec {
	t := f.cfg.Now()
	return fs9p.Timespec{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (f *FS) Attach(aname string) (fs9p.Node, error) {
	n := f.root
	for name := range strings.SplitSeq(strings.Trim(path.Clean("/"+aname), "/"), "/") {
		if name == "" {
			continue
		}
		d, err := n.dir.Lookup(name)
		if err != nil {
			return nil, err
		}
		n = d.Node
	}
	if n.dir == nil {
		return nil, fs9p.ENOTDIR
	}
	n.handles++
	return n, nil
}

// Statfs tells what the host's disk has.
func (f *FS) Statfs() (fs9p.Statfs, error) {
	s, err := diskSpace(f.cfg.Dir)
	s.Files, s.FilesFree, s.NameLen = uint64(f.cfg.Files), uint64(max(f.cfg.Files-f.names, 0)), fs9p.MaxName
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
func (f *FS) Begin() error {
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

// change makes one change: in the journal, then in memory; or, between Begin
// and Commit, in memory first. The caller has checked that it is possible.
func (f *FS) change(r *record) error {
	if f.depth > 0 {
		f.pending = r.appendTo(f.pending)
		f.mustApply(r)
		return nil
	}
	if err := f.ready(); err != nil {
		return err
	}
	if err := f.journal.append(r.appendTo(nil)); err != nil {
		return toErrno(err)
	}
	f.mustApply(r)
	f.ease()
	f.compact()
	return nil
}

func (f *FS) mustApply(r *record) {
	if err := f.apply(r); err != nil {
		panic("BUG: statefs: a change that was checked cannot be made: " + err.Error())
	}
}

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
