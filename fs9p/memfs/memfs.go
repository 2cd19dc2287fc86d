// Package memfs is a file system in memory, a back end of fs9p. It has what a
// Linux root file system needs: hard links, device nodes, fifos, symbolic
// links, extended attributes, nanosecond times, sparse files, files that live
// on while open. It can be filled from a tar archive.
//
// It is bounded: Config.Limit for what files hold, Config.Files for how many
// names there can be. It is not safe for concurrent use: one machine goroutine
// owns it.
package memfs

import (
	"path"
	"strings"
	"time"

	"alpinevm/fs9p"
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
	// Limit is the most bytes of file data, attribute values and link targets
	// in memory, Files the most names; zero means the defaults. Beyond either
	// the guest sees ENOSPC.
	Limit int64
	Files int
}

// FS is the file system.
type FS struct {
	cfg   Config
	root  *inode
	last  uint64 // inode number given last
	used  int64  // of cfg.Limit
	files int    // of cfg.Files

	loading bool  // during Add and AddLink
	zeros   int64 // bytes that Add has read and made holes of
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
	fs.root = fs.inode(fs9p.ModeDir|0o755, fs9p.Owner{})
	fs.root.nlink = 2
	fs.root.dir.Parent = fs.root
	return fs
}

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	n := fs.root
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

// Statfs tells the limits as sizes.
func (fs *FS) Statfs() (fs9p.Statfs, error) {
	const block = 4096
	free := uint64(max(fs.cfg.Limit-fs.used, 0)) / block
	return fs9p.Statfs{
		BlockSize:   block,
		Blocks:      uint64(fs.cfg.Limit) / block,
		BlocksFree:  free,
		BlocksAvail: free,
		Files:       uint64(fs.cfg.Files),
		FilesFree:   uint64(max(fs.cfg.Files-fs.files, 0)),
	}, nil
}

// charge accounts for n more bytes, or fewer, or says ENOSPC.
func (fs *FS) charge(n int) error {
	if n > 0 && fs.used+int64(n) > fs.cfg.Limit {
		return fs9p.ENOSPC
	}
	fs.used += int64(n)
	return nil
}

func (fs *FS) now() fs9p.Timespec { return timespec(fs.cfg.Now()) }

func timespec(t time.Time) fs9p.Timespec {
	return fs9p.Timespec{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}
