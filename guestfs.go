package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// GuestFS is the root of a running guest as its programs see it: with what the
// guest has in memory, and what it has mounted. What is done to it is done by the
// guest, as root. Names are those of io/fs, without a leading slash; symbolic links
// are followed where programs follow them. Errors are *fs.PathError.
type GuestFS struct {
	vm  *VM
	ctx context.Context
}

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.StatFS
	fs.ReadLinkFS
} = (*GuestFS)(nil)

// FS gives the guest's files.
func (vm *VM) FS() *GuestFS { return &GuestFS{vm, context.Background()} }

// WithContext gives the same files; what is asked of them ends with ctx.
func (g *GuestFS) WithContext(ctx context.Context) *GuestFS { return &GuestFS{g.vm, ctx} }

// maxInMemory bounds what one call keeps in memory, in bytes.
const maxInMemory = 1 << 30

// limited keeps what is written to it, up to maxInMemory.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxInMemory {
		return 0, fs9p.ErrTooLarge
	}
	return l.Buffer.Write(p)
}

// call has the guest do something to a file, and gives what it writes.
func (g *GuestFS) call(op string, f kernel.FileCall, name string, in io.Reader) ([]byte, error) {
	var out limited
	j, err := g.start(op, f, name, in, &out)
	if err != nil {
		return nil, err
	}
	if err := g.wait(j, op, name); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// start begins what call does.
func (g *GuestFS) start(op string, f kernel.FileCall, name string, in io.Reader, out io.Writer) (*Job, error) {
	for _, n := range []*string{&name, &f.Name, &f.To} {
		if f.Op == kernel.FileSymlink && n == &f.To {
			continue // it need not be a name
		}
		if !fs.ValidPath(*n) && *n != "" || strings.ContainsRune(*n, 0) {
			return nil, &fs.PathError{Op: op, Path: *n, Err: fs.ErrInvalid}
		}
	}
	f.Name = "/" + name
	if f.Op == kernel.FileRename {
		f.To = "/" + f.To
	}
	j, err := g.vm.Exec(g.ctx, Process{file: &f, Stdin: in, Stdout: out})
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return j, nil
}

// wait gives the error of a job.
func (g *GuestFS) wait(j *Job, op, name string) error {
	select {
	case <-j.done:
	case <-g.ctx.Done():
		j.Signal(sigKILL)
		return &fs.PathError{Op: op, Path: name, Err: context.Cause(g.ctx)}
	}
	err := j.err
	for _, d := range j.drains { // whose error is why the guest could not write
		if err == nil {
			err = d.Flush()
		}
	}
	switch {
	case err != nil || j.code == 0:
	case j.signal != 0:
		err = ErrLost
	default:
		err = fileError(kernel.FileError(j.code))
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// fileError is an error of Linux as io/fs has it.
func fileError(n int) error {
	e := fs9p.Errno(n)
	for _, x := range []struct {
		e  fs9p.Errno
		is error
	}{{fs9p.ENOENT, fs.ErrNotExist}, {fs9p.EEXIST, fs.ErrExist}, {fs9p.EACCES, fs.ErrPermission}, {fs9p.EPERM, fs.ErrPermission}} {
		if e == x.e {
			return x.is
		}
	}
	return e
}

// ReadFile reads a file to its end.
func (g *GuestFS) ReadFile(name string) ([]byte, error) {
	return g.call("read", kernel.FileCall{Op: kernel.FileRead}, name, nil)
}

// Stat describes what a name leads to.
func (g *GuestFS) Stat(name string) (fs.FileInfo, error) {
	return g.stat("stat", kernel.FileStat, name)
}

// Lstat describes what has the name, be it a symbolic link.
func (g *GuestFS) Lstat(name string) (fs.FileInfo, error) {
	return g.stat("lstat", kernel.FileLstat, name)
}

func (g *GuestFS) stat(op string, how kernel.FileOp, name string) (fs.FileInfo, error) {
	b, err := g.call(op, kernel.FileCall{Op: how}, name, nil)
	if err != nil {
		return nil, err
	}
	s, ok := kernel.ParseStat(b)
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs9p.EIO}
	}
	return guestInfo{path.Base(name), s}, nil
}

// ReadLink gives what a symbolic link has.
func (g *GuestFS) ReadLink(name string) (string, error) {
	b, err := g.call("readlink", kernel.FileCall{Op: kernel.FileReadlink}, name, nil)
	return string(b), err
}

// ReadDir lists a folder, by name.
func (g *GuestFS) ReadDir(name string) ([]fs.DirEntry, error) {
	b, err := g.call("readdir", kernel.FileCall{Op: kernel.FileList}, name, nil)
	if err != nil {
		return nil, err
	}
	found, ok := kernel.ParseDirents(b)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs9p.EIO}
	}
	var list []fs.DirEntry
	for _, d := range found {
		if strings.Contains(d.Name, "/") || d.Name == "" {
			return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs9p.EIO}
		}
		list = append(list, &guestEntry{g, path.Join(name, d.Name), d})
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Open opens a file or a folder for reading.
func (g *GuestFS) Open(name string) (fs.File, error) {
	info, err := g.stat("open", kernel.FileStat, name)
	if err != nil {
		return nil, err
	}
	return &guestFile{g: g, name: name, info: info}, nil
}

// WriteFile makes a file hold data, which is made with these permission bits if it
// is not there. Its error is that of a disk that is full, too.
func (g *GuestFS) WriteFile(name string, data []byte, perm fs.FileMode) error {
	f, err := g.create(name, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Close(); e != nil {
		return e // it says why
	}
	return err
}

// Create makes a file, or empties it. What is written to it is there once Close has
// given no error.
func (g *GuestFS) Create(name string) (io.WriteCloser, error) { return g.create(name, 0o666&^0o022) }

// Mkdir makes a folder.
func (g *GuestFS) Mkdir(name string, perm fs.FileMode) error {
	return g.change("mkdir", kernel.FileCall{Op: kernel.FileMkdir, Mode: uint32(perm.Perm())}, name)
}

// MkdirAll makes a folder and those above it, if they are not there.
func (g *GuestFS) MkdirAll(name string, perm fs.FileMode) error {
	if info, err := g.Stat(name); err == nil {
		if info.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: name, Err: fs9p.ENOTDIR}
	}
	if up := path.Dir(name); up != name && up != "." {
		if err := g.MkdirAll(up, perm); err != nil {
			return err
		}
	}
	if err := g.Mkdir(name, perm); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Remove removes a file or an empty folder.
func (g *GuestFS) Remove(name string) error {
	err := g.change("remove", kernel.FileCall{Op: kernel.FileUnlink}, name)
	if errors.Is(err, fs9p.EISDIR) || errors.Is(err, fs.ErrPermission) {
		return g.change("remove", kernel.FileCall{Op: kernel.FileRmdir}, name)
	}
	return err
}

// Rename moves a file, in place of what is there.
func (g *GuestFS) Rename(from, to string) error {
	return g.change("rename", kernel.FileCall{Op: kernel.FileRename, To: to}, from)
}

// Symlink makes a symbolic link.
func (g *GuestFS) Symlink(target, name string) error {
	return g.change("symlink", kernel.FileCall{Op: kernel.FileSymlink, To: target}, name)
}

// Chmod changes the permission bits.
func (g *GuestFS) Chmod(name string, perm fs.FileMode) error {
	return g.change("chmod", kernel.FileCall{Op: kernel.FileChmod, Mode: uint32(perm.Perm())}, name)
}

func (g *GuestFS) change(op string, f kernel.FileCall, name string) error {
	_, err := g.call(op, f, name, nil)
	return err
}

// guestInfo describes a file.
type guestInfo struct {
	name string
	s    kernel.FileStatus
}

func (i guestInfo) Name() string       { return i.name }
func (i guestInfo) Size() int64        { return i.s.Size }
func (i guestInfo) Mode() fs.FileMode  { return fs9p.IOMode(i.s.Mode) }
func (i guestInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i guestInfo) ModTime() time.Time { return time.Unix(int64(i.s.Mtime), int64(i.s.MtimeNsec)) }
func (i guestInfo) Sys() any           { return i.s }

// guestEntry is an entry of a folder.
type guestEntry struct {
	g    *GuestFS
	name string // of the root
	d    kernel.GuestDirent
}

func (e *guestEntry) Name() string               { return e.d.Name }
func (e *guestEntry) IsDir() bool                { return e.Type().IsDir() }
func (e *guestEntry) Type() fs.FileMode          { return fs9p.IOMode(uint32(e.d.Type) << 12).Type() }
func (e *guestEntry) Info() (fs.FileInfo, error) { return e.g.Lstat(e.name) }
func (e *guestEntry) String() string             { return fs.FormatDirEntry(e) }
