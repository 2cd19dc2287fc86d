package fs9p

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"sort"
	"sync"
	"time"
)

// FromIOFS shows an io/fs file system to a guest, read-only: an embed.FS, an archive,
// or one that makes its files by Go as they are read. Every Open asks f again, and
// the guest is told not to cache. A file that is no io.ReaderAt is read in order,
// and from its beginning where the guest goes back. What f does not say is root's,
// and of 1970. Its methods may take their time: they are called on a goroutine of
// their own.
func FromIOFS(f fs.FS) FS { return &fromFS{f: f, ids: map[string]uint64{}} }

// fromFS gives names their numbers, which stay.
type fromFS struct {
	f   fs.FS
	mu  sync.Mutex
	ids map[string]uint64
}

// maxFromNames bounds how many names have numbers of their own.
const maxFromNames = 1 << 20

func (f *fromFS) id(name string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.ids[name]
	if !ok {
		if len(f.ids) >= maxFromNames {
			return 0, ENFILE
		}
		n = uint64(len(f.ids)) + 1
		f.ids[name] = n
	}
	return n, nil
}

// Slow is part of the interface Slow.
func (f *fromFS) Slow() bool { return true }

// Attach is part of FS.
func (f *fromFS) Attach(aname string) (Node, error) {
	n, err := f.node(".")
	for _, part := range splitPath(aname) {
		if err != nil {
			return nil, err
		}
		n, err = n.Walk(part)
	}
	return n, err
}

func splitPath(name string) (parts []string) {
	for name = path.Clean("/" + name); name != "/"; {
		var last string
		name, last = path.Split(name)
		parts, name = append([]string{last}, parts...), path.Clean(name)
	}
	return parts
}

// Statfs is part of FS.
func (f *fromFS) Statfs() (Statfs, error) {
	return Statfs{Type: Magic, BlockSize: 4096, NameLen: MaxName}, nil
}

// fromNode is a name in an io/fs file system.
type fromNode struct {
	fs   *fromFS
	name string
	qid  QID
}

func (f *fromFS) node(name string) (Node, error) {
	info, err := f.lstat(name)
	if err != nil {
		return nil, ErrnoOf(err)
	}
	id, err := f.id(name)
	if err != nil {
		return nil, err
	}
	return &fromNode{f, name, QID{QIDType(linuxMode(info.Mode())), 0, id}}, nil
}

// lstat describes a symbolic link itself, where f has such.
func (f *fromFS) lstat(name string) (fs.FileInfo, error) { return fs.Lstat(f.f, name) }

// linuxMode is the inverse of IOMode.
func linuxMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for _, b := range []struct {
		m    fs.FileMode
		mode uint32
	}{{fs.ModeSetuid, ModeSetUID}, {fs.ModeSetgid, ModeSetGID}, {fs.ModeSticky, ModeSticky}} {
		if m&b.m != 0 {
			mode |= b.mode
		}
	}
	switch {
	case m.IsDir():
		return mode | ModeDir
	case m&fs.ModeSymlink != 0:
		return mode | ModeSymlink
	case m&fs.ModeCharDevice != 0:
		return mode | ModeChar
	case m&fs.ModeDevice != 0:
		return mode | ModeBlock
	case m&fs.ModeNamedPipe != 0:
		return mode | ModeFIFO
	case m&fs.ModeSocket != 0:
		return mode | ModeSocket
	}
	return mode | ModeRegular
}

func (n *fromNode) QID() QID  { return n.qid }
func (n *fromNode) Release()  {}
func (n *fromNode) dir() bool { return n.qid.Type&QTDir != 0 }

// Attr is part of Node.
func (n *fromNode) Attr() (Attr, error) {
	info, err := n.fs.lstat(n.name)
	if err != nil {
		return Attr{}, ErrnoOf(err)
	}
	a := Attr{Mode: linuxMode(info.Mode()), Nlink: 1, Size: uint64(max(info.Size(), 0)), BlockSize: 4096}
	if QIDType(a.Mode) != n.qid.Type {
		return Attr{}, ESTALE // it has become something else
	}
	a.Blocks = (a.Size + 511) / 512
	if t := info.ModTime(); t.After(time.Unix(0, 0)) {
		a.Mtime = Timespec{t.Unix(), uint32(t.Nanosecond())}
		a.Atime, a.Ctime, a.Btime = a.Mtime, a.Mtime, a.Mtime
	}
	return a, nil
}

// Walk is part of Node.
func (n *fromNode) Walk(name string) (Node, error) {
	if !n.dir() {
		return nil, ENOTDIR
	}
	return n.fs.node(path.Join(".", cleanParent(n.name, name)))
}

// cleanParent joins names without leaving the root.
func cleanParent(dir, name string) string {
	joined := path.Join("/", dir, name)
	if joined == "/" {
		return "."
	}
	return joined[1:]
}

// Readlink is part of Node.
func (n *fromNode) Readlink() (string, error) {
	if n.qid.Type&QTSymlink == 0 {
		return "", EINVAL
	}
	target, err := fs.ReadLink(n.fs.f, n.name)
	return target, errOrNil(err)
}

func errOrNil(err error) error {
	if err == nil {
		return nil
	}
	return ErrnoOf(err)
}

// Open is part of Node.
func (n *fromNode) Open(flags uint32) (File, error) {
	if CanWrite(flags) || flags&OTrunc != 0 {
		return nil, EROFS
	}
	f, err := n.fs.f.Open(n.name)
	if err != nil {
		return nil, ErrnoOf(err)
	}
	return &fromFile{n: n, f: f}, nil
}

// fromFile is an open file of an io/fs file system.
type fromFile struct {
	n   *fromNode
	f   fs.File
	off uint64 // of what has no ReadAt
}

// ReadAt is part of File.
func (f *fromFile) ReadAt(p []byte, off uint64) (int, error) {
	if r, ok := f.f.(io.ReaderAt); ok {
		if off > 1<<63-1 {
			return 0, nil
		}
		n, err := r.ReadAt(p, int64(off))
		if info, e := f.f.Stat(); n == 0 && err != nil && e == nil && off >= uint64(max(info.Size(), 0)) {
			return 0, nil // whatever they call it
		}
		return ended(n, err)
	}
	if off < f.off {
		again, err := f.n.fs.f.Open(f.n.name)
		if err != nil {
			return 0, ErrnoOf(err)
		}
		f.f.Close()
		f.f, f.off = again, 0
	}
	if off > f.off {
		n, err := io.CopyN(io.Discard, f.f, int64(min(off-f.off, 1<<62)))
		f.off += uint64(n)
		if err != nil {
			_, err = ended(0, err)
			return 0, err
		}
	}
	n, err := io.ReadFull(f.f, p)
	f.off += uint64(n)
	return ended(n, err)
}

// ended has the end of a file be no error.
func ended(n int, err error) (int, error) {
	if n > 0 || err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, nil
	}
	return 0, ErrnoOf(err)
}

// ReadDir is part of File.
func (f *fromFile) ReadDir(cookie uint64, emit func(Dirent) bool) error {
	list, err := fs.ReadDir(f.n.fs.f, f.n.name)
	if err != nil {
		return ErrnoOf(err)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	// An entry's cookie is its name's number, which stays when others come and go.
	type entry struct {
		id uint64
		e  fs.DirEntry
	}
	var entries []entry
	for _, e := range list {
		id, err := f.n.fs.id(cleanParent(f.n.name, e.Name()))
		if err != nil {
			return err
		}
		entries = append(entries, entry{id, e})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].id < entries[j].id })
	for _, x := range entries {
		at := x.id + DirStart
		if at <= cookie {
			continue
		}
		mode := linuxMode(x.e.Type())
		d := Dirent{QID{QIDType(mode), 0, x.id}, at, DirentType(mode), x.e.Name()}
		if len(d.Name) > MaxName || d.Name == "" {
			continue // Linux cannot have it
		}
		if !emit(d) {
			return nil
		}
	}
	return nil
}

func (f *fromFile) Sync(bool) error                     { return nil }
func (f *fromFile) Close() error                        { return errOrNil(f.f.Close()) }
func (f *fromFile) WriteAt([]byte, uint64) (int, error) { return 0, EROFS }

// What changes files is refused.
func (n *fromNode) SetAttr(SetAttr) error { return EROFS }
func (n *fromNode) Create(string, uint32, uint32, Owner) (Node, File, error) {
	return nil, nil, EROFS
}
func (n *fromNode) Mkdir(string, uint32, Owner) (QID, error)         { return QID{}, EROFS }
func (n *fromNode) Symlink(string, string, Owner) (QID, error)       { return QID{}, EROFS }
func (n *fromNode) Mknod(string, uint32, uint64, Owner) (QID, error) { return QID{}, EROFS }
func (n *fromNode) Link(string, Node) error                          { return EROFS }
func (n *fromNode) Unlink(string, bool) error                        { return EROFS }
func (n *fromNode) Rename(string, Node, string) error                { return EROFS }
func (n *fromNode) Xattr(string) ([]byte, error)                     { return nil, ENODATA }
func (n *fromNode) Xattrs() ([]string, error)                        { return nil, nil }
func (n *fromNode) SetXattr(string, []byte, uint32) error            { return EROFS }
func (n *fromNode) RemoveXattr(string) error                         { return EROFS }
