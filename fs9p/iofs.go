package fs9p

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"time"
)

// IOFS shows f to host code as an io/fs file system, read-only. It implements
// fs.ReadLinkFS and fs.ReadFileFS; Open follows symbolic links, those with an absolute target
// from the root, and never leaves f. It is to be used where f may be: on the
// machine goroutine, or before there is one.
func IOFS(f FS) fs.ReadLinkFS { return ioFS{f} }

type ioFS struct{ f FS }

// walk gives the node at name; the caller releases it. With follow set a last
// symbolic link is followed, others always are.
func (v ioFS) walk(op, name string, follow bool) (Node, error) {
	fail := func(err error) (Node, error) { return nil, &fs.PathError{Op: op, Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	if len(name) > maxPath {
		return fail(ENAMETOOLONG)
	}
	n, err := Lookup(v.f, name, follow)
	if err != nil {
		return fail(ioError(err))
	}
	return n, nil
}

// ioError gives the errors that io/fs has names for.
func ioError(err error) error {
	switch err {
	case ENOENT, ENOTDIR:
		return fs.ErrNotExist
	case EACCES, EPERM:
		return fs.ErrPermission
	}
	return err
}

// Open implements fs.FS.
func (v ioFS) Open(name string) (fs.File, error) {
	n, err := v.walk("open", name, true)
	if err != nil {
		return nil, err
	}
	defer n.Release()
	a, err := n.Attr()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: ioError(err)}
	}
	h, err := n.Open(0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: ioError(err)}
	}
	return &ioFile{v: v, name: name, info: ioInfo{path.Base(name), a}, file: h}, nil
}

// Lstat implements fs.ReadLinkFS.
func (v ioFS) Lstat(name string) (fs.FileInfo, error) {
	n, err := v.walk("lstat", name, false)
	if err != nil {
		return nil, err
	}
	defer n.Release()
	a, err := n.Attr()
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: ioError(err)}
	}
	return ioInfo{path.Base(name), a}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (v ioFS) ReadLink(name string) (string, error) {
	n, err := v.walk("readlink", name, false)
	if err != nil {
		return "", err
	}
	defer n.Release()
	target, err := n.Readlink()
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: ioError(err)}
	}
	return target, nil
}

type ioInfo struct {
	name string
	a    Attr
}

func (i ioInfo) Name() string       { return i.name }
func (i ioInfo) Size() int64        { return int64(i.a.Size) }
func (i ioInfo) Mode() fs.FileMode  { return IOMode(i.a.Mode) }
func (i ioInfo) ModTime() time.Time { return i.a.Mtime.Time() }
func (i ioInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i ioInfo) Sys() any           { return i.a }

// IOMode turns a Linux mode into that of io/fs.
func IOMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, b := range []struct {
		linux uint32
		m     fs.FileMode
	}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}} {
		if mode&b.linux != 0 {
			m |= b.m
		}
	}
	switch mode & ModeType {
	case ModeDir:
		m |= fs.ModeDir
	case ModeSymlink:
		m |= fs.ModeSymlink
	case ModeChar:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case ModeBlock:
		m |= fs.ModeDevice
	case ModeFIFO:
		m |= fs.ModeNamedPipe
	case ModeSocket:
		m |= fs.ModeSocket
	}
	return m
}

// ioFile is an open file or folder.
type ioFile struct {
	v      ioFS
	name   string
	info   ioInfo
	file   File
	off    int64
	cookie uint64
}

func (f *ioFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *ioFile) Close() error               { f.file.Close(); return nil }

func (f *ioFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *ioFile) ReadAt(p []byte, off int64) (int, error) {
	if f.info.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: EISDIR}
	}
	done := 0
	for done < len(p) {
		n, err := f.file.ReadAt(p[done:], uint64(off)+uint64(done))
		if err != nil {
			return done, &fs.PathError{Op: "read", Path: f.name, Err: err}
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// ioEntry is an entry of a folder.
type ioEntry struct {
	v   ioFS
	dir string
	d   Dirent
}

func (e *ioEntry) Name() string               { return e.d.Name }
func (e *ioEntry) IsDir() bool                { return e.Type().IsDir() }
func (e *ioEntry) Type() fs.FileMode          { return IOMode(uint32(e.d.Type) << 12).Type() }
func (e *ioEntry) Info() (fs.FileInfo, error) { return e.v.Lstat(path.Join(e.dir, e.d.Name)) }
func (e *ioEntry) String() string             { return fs.FormatDirEntry(e) }

// ReadDir implements fs.ReadDirFile.
func (f *ioFile) ReadDir(n int) ([]fs.DirEntry, error) {
	var found []Dirent
	err := f.file.ReadDir(f.cookie, func(d Dirent) bool {
		if found = append(found, d); n <= 0 {
			return len(found) <= maxEntries
		}
		return len(found) < n
	})
	if err == nil && len(found) > maxEntries {
		err = fmt.Errorf("%w: more than %d entries", ErrTooLarge, maxEntries)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: f.name, Err: err}
	}
	var list []fs.DirEntry
	for _, d := range found {
		f.cookie = d.Cookie
		e := &ioEntry{f.v, f.name, d}
		if d.Type == 0 { // the back end does not know without looking
			info, err := e.Info()
			if err != nil {
				continue
			}
			e.d.Type = DirentType(info.Sys().(Attr).Mode)
		}
		list = append(list, e)
	}
	if n > 0 && len(found) == 0 {
		return nil, io.EOF
	}
	if n <= 0 {
		sort.Slice(list, func(i, j int) bool { return list[i].Name() < list[j].Name() })
	}
	return list, nil
}
