package hostfs

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// file opens the regular file n, or gives the one that is open because n has no
// name, which is shared.
func (n *inode) file(flags int) (f *os.File, shared bool, err error) {
	if n.kind != fs9p.ModeRegular {
		return nil, false, fs9p.ENXIO
	}
	if n.nameless() {
		return n.anchor, true, nil
	}
	root, name, _, err := n.at()
	if err != nil {
		return nil, false, err
	}
	f, err = root.OpenFile(name, flags|openFlags, 0)
	if err != nil {
		return nil, false, toErrno(err)
	}
	if _, err := n.check(root, name, func(string) (os.FileInfo, error) { return f.Stat() }); err != nil {
		f.Close()
		return nil, false, err
	}
	return f, false, nil
}

// access turns the access mode of a Tlopen into the host's.
func access(flags uint32) int {
	switch {
	case !fs9p.CanWrite(flags):
		return os.O_RDONLY
	case !fs9p.CanRead(flags):
		return os.O_WRONLY
	}
	return os.O_RDWR
}

// Open is part of fs9p.Node.
func (n *inode) Open(flags uint32) (fs9p.File, error) {
	if n.kind == fs9p.ModeDir {
		return &openDir{n: n}, nil
	}
	if as := n.fs.assumed[n.key]; as.mode != 0 {
		return nil, fs9p.ENXIO
	}
	mode := access(flags)
	if flags&fs9p.OTrunc != 0 && mode == os.O_RDONLY {
		mode = os.O_RDWR
	}
	if flags&fs9p.OAppend != 0 {
		mode |= os.O_APPEND
	}
	f, shared, err := n.file(mode)
	if err != nil {
		return nil, err
	}
	if flags&fs9p.OTrunc != 0 {
		if err := f.Truncate(0); err != nil {
			if !shared {
				f.Close()
			}
			return nil, toErrno(err)
		}
	}
	return &openFile{f: f, shared: shared, append: flags&fs9p.OAppend != 0}, nil
}

// An openFile is a regular file that is open.
type openFile struct {
	f      *os.File
	shared bool // f is the inode's
	append bool
}

// ReadAt is part of fs9p.File.
func (o *openFile) ReadAt(p []byte, off uint64) (int, error) {
	n, err := o.f.ReadAt(p, int64(off))
	if err == io.EOF {
		err = nil
	}
	return n, toErrno(err)
}

// WriteAt is part of fs9p.File.
func (o *openFile) WriteAt(p []byte, off uint64) (int, error) {
	var n int
	var err error
	switch {
	case o.append && o.shared:
		var fi os.FileInfo
		if fi, err = o.f.Stat(); err == nil {
			n, err = o.f.WriteAt(p, fi.Size())
		}
	case o.append:
		n, err = o.f.Write(p)
	default:
		n, err = o.f.WriteAt(p, int64(off))
	}
	return n, toErrno(err)
}

// ReadDir is part of fs9p.File.
func (o *openFile) ReadDir(uint64, func(fs9p.Dirent) bool) error { return fs9p.ENOTDIR }

// Sync is part of fs9p.File.
func (o *openFile) Sync(bool) error { return toErrno(o.f.Sync()) }

// Close is part of fs9p.File.
func (o *openFile) Close() error {
	if o.shared {
		return nil
	}
	return toErrno(o.f.Close())
}

// An openDir is a directory that is open. The names in it are read at once when
// a listing begins, so that a cookie is a place among them.
type openDir struct {
	n     *inode
	names []string
	read  bool
}

// ReadAt is part of fs9p.File.
func (*openDir) ReadAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// WriteAt is part of fs9p.File.
func (*openDir) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// ReadDir is part of fs9p.File.
func (o *openDir) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	if o.n.gone {
		return nil
	}
	root, err := o.n.dir()
	if err != nil {
		return err
	}
	if cookie <= fs9p.DirStart || !o.read {
		if o.names, err = namesIn(root); err != nil {
			return err
		}
		o.read = true
	}
	for i := max(cookie, fs9p.DirStart) - fs9p.DirStart; i < uint64(len(o.names)); i++ {
		name := o.names[i]
		fi, err := root.Lstat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return toErrno(err)
		}
		k, err := keyOf(root, name, fi)
		if err != nil {
			return toErrno(err)
		}
		mode := modeOf(fi)
		q := fs9p.QID{Type: fs9p.QIDType(mode), Version: 1, Path: o.n.fs.number(k)}
		if as := o.n.fs.assumed[k]; as.mode != 0 {
			mode = as.mode
		}
		if !emit(fs9p.Dirent{QID: q, Cookie: i + fs9p.DirStart + 1, Type: fs9p.DirentType(mode), Name: name}) {
			return nil
		}
	}
	return nil
}

// namesIn gives the names in a directory that 9P can tell, in order.
func namesIn(root *os.Root) ([]string, error) {
	d, err := root.Open(".")
	if err != nil {
		return nil, toErrno(err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, toErrno(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "" || len(name) > fs9p.MaxName || strings.IndexByte(name, '/') >= 0
	}), nil
}

// Sync is part of fs9p.File.
func (o *openDir) Sync(bool) error {
	root, err := o.n.dir()
	if err != nil {
		return err
	}
	return syncDir(root)
}

// Close is part of fs9p.File.
func (*openDir) Close() error { return nil }
