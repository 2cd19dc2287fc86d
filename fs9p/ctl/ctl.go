// Package ctl is an fs9p back end of synthetic files: values, functions and
// streams of the host that a guest's programs read and write as files. It is
// how a machine tells its init what to run and hears how that ended, and how
// standard input and output get through without a terminal between them.
//
// Mount it with cache=none: the size of a stream is told as 0, and what the
// guest's page cache holds of it would be wrong. Its files have qid.version 0,
// which is how Linux 6.4 and later are told so.
package ctl

import (
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"alpinevm/fs9p"
)

// Config is what a tree needs of its machine.
type Config struct {
	// Post runs a function on the machine goroutine, soon; it is called from
	// any goroutine. Needed by Source and Drain only.
	Post func(func())
	// Now gives the time that all files have; time.Now if nil. It is asked once.
	Now func() time.Time
	// Wait has streams read and written on the machine goroutine, which waits
	// for the host meanwhile. What the guest sees then does not depend on the
	// host's speed: a run can be repeated.
	Wait bool
	// Patience, where not 0, is how long a read of Chunks, a Signal or a Queue
	// waits; it is then answered by nothing, and is to be made again. A process
	// that waits in a file of v9fs heeds a signal that ends it, but none at all
	// once it has been sent SIGSTOP, until it has its answer (Linux's
	// TASK_KILLABLE and wants_signal); some inits stop every process before they
	// end it, and then wait. Needs a Post.
	Patience time.Duration
}

// FS is a tree of synthetic files. It is filled before it is served; later its
// methods are called on the machine goroutine.
type FS struct {
	cfg   Config
	root  *node
	nodes map[uint64]*node // by their numbers
	next  uint64           // the number of the next one
	parts []part           // the files that remember something
	known bool             // to the guest
	time  fs9p.Timespec
}

// New makes a tree of an empty root directory.
func New(cfg Config) *FS {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	now := cfg.Now()
	fs := &FS{cfg: cfg, nodes: map[uint64]*node{}, next: 1, time: fs9p.Timespec{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())}}
	fs.root = fs.node(nil, fs9p.ModeDir|0o755)
	fs.root.parent = fs.root
	return fs
}

// Static adds a file that holds data. name is a path of slashes, whose
// directories are made; one that is taken or is none is a bug. mode holds
// permission bits.
func (fs *FS) Static(name string, mode uint32, data []byte) {
	n := fs.add(name, mode)
	n.size = uint64(len(data))
	n.open = func(uint32) (fs9p.File, error) { return static(data), nil }
}

// Made adds a file whose content f makes, always size bytes of it, on the machine
// goroutine whenever the file is opened.
func (fs *FS) Made(name string, mode uint32, size int, f func() []byte) {
	n := fs.add(name, mode)
	n.size = uint64(size)
	n.open = func(uint32) (fs9p.File, error) { return static(f()), nil }
}

// Sink adds a file that calls f, on the machine goroutine, with what each
// write holds. f's error is the writer's.
func (fs *FS) Sink(name string, mode uint32, f func(p []byte) error) {
	n := fs.add(name, mode)
	n.accepts = true
	n.open = func(uint32) (fs9p.File, error) { return sink{f: f}, nil }
}

// Report is Sink with the end of each opening, which ended is told of.
func (fs *FS) Report(name string, mode uint32, f func(p []byte) error, ended func()) {
	n := fs.add(name, mode)
	n.accepts = true
	n.open = func(uint32) (fs9p.File, error) { return sink{f: f, ended: ended}, nil }
}

// Source adds a file that is read from r, wherever the guest says it reads: a
// stream has one reading position, which all that open it share. A read waits
// until there is something, and tells the end of the file once r does; what a
// flushed read would have got, the next one gets. r is read in a goroutine of
// its own, from the guest's first read on and at most 256 KiB ahead.
//
// Linux from 6.8 on reads nothing from a file whose size is 0: Chunks is for
// guests of any age.
func (fs *FS) Source(name string, mode uint32, r io.Reader) {
	n := fs.add(name, mode)
	s := &source{post: fs.cfg.Post, r: r, wait: fs.cfg.Wait}
	fs.remember(name, s)
	n.open = func(flags uint32) (fs9p.File, error) { return &sourceFile{s: s, flags: flags}, nil }
}

// Drain adds a file that writes to w, in the order of the guest's writes, in a
// goroutine of its own. Where w is slow the guest's writes wait.
func (fs *FS) Drain(name string, mode uint32, w io.Writer) *Drain {
	n := fs.add(name, mode)
	n.accepts = true
	d := newDrain(w, fs.cfg.Post)
	d.wait = fs.cfg.Wait
	fs.remember(name, d)
	n.open = func(uint32) (fs9p.File, error) { return drainFile{d: d}, nil }
	return d
}

// add enters a file.
func (fs *FS) add(name string, mode uint32) *node {
	dir := fs.root
	parts := strings.Split(path.Clean(name), "/")
	for i, part := range parts {
		last := i == len(parts)-1
		next := dir.entry(part)
		switch {
		case part == "" || part == "." || part == ".." || len(part) > fs9p.MaxName,
			next != nil && (last || next.mode&fs9p.ModeDir == 0):
			panic("BUG: ctl: cannot add a file " + name)
		case last:
			next = fs.node(dir, fs9p.ModeRegular|mode&0o777)
		case next == nil:
			next = fs.node(dir, fs9p.ModeDir|0o755)
		default:
			dir = next
			continue
		}
		dir.entries = append(dir.entries, entry{part, next})
		dir = next
	}
	return dir
}

func (fs *FS) node(parent *node, mode uint32) *node {
	n := &node{fs: fs, parent: parent, id: fs.next, mode: mode}
	fs.nodes[n.id] = n
	fs.next++
	return n
}

// Remove removes a file or folder of the top, with all that is in it. What the
// guest has open of it stays, but no read waits.
func (fs *FS) Remove(name string) {
	i := slices.IndexFunc(fs.root.entries, func(e entry) bool { return e.name == name })
	if i < 0 {
		panic("BUG: ctl: cannot remove the file " + name)
	}
	fs.Release(name, true)
	fs.forget(fs.root.entries[i].node)
	fs.root.entries = slices.Delete(fs.root.entries, i, i+1)
	fs.parts = slices.DeleteFunc(fs.parts, func(p part) bool { return p.name == name || strings.HasPrefix(p.name, name+"/") })
}

func (fs *FS) forget(n *node) {
	delete(fs.nodes, n.id)
	for _, e := range n.entries {
		fs.forget(e.node)
	}
}

// Number is that of the file or folder that is added next. Numbers are never
// given twice.
func (fs *FS) Number() uint64 { return fs.next }

// NumberFrom has what is added from here on be numbered from n, as it was in the
// tree whose state is to be restored.
func (fs *FS) NumberFrom(n uint64) { fs.next = n }

// Attach is part of fs9p.FS. There is one tree.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	if path.Clean("/"+aname) != "/" {
		return nil, fs9p.ENOENT
	}
	fs.known = true
	return fs.root, nil
}

// Attached tells whether the guest has ever attached to it. Call it on the machine
// goroutine.
func (fs *FS) Attached() bool { return fs.known }

// Inode is part of fs9p.Numbered: files are numbered in the order in which they
// were added.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) {
	n, ok := fs.nodes[path]
	if !ok {
		return nil, fs9p.ENOENT
	}
	return n, nil
}

// Statfs is part of fs9p.FS.
func (fs *FS) Statfs() (fs9p.Statfs, error) {
	return fs9p.Statfs{BlockSize: 4096, Files: uint64(len(fs.nodes))}, nil
}
