package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"alpinevm/fs9p"
)

// Options say how an archive is put into a file system.
type Options struct {
	// Owner, where not nil, is whose all of it is to be.
	Owner *fs9p.Owner
	// Apart says that the archive lies for itself: it leads through no symbolic
	// link.
	Apart bool
}

// Entry is what has been put into a file system.
type Entry struct {
	Name     string // below the folder
	Dir      bool
	Mode     uint32
	UID, GID uint32
}

// ErrName is of a name in an archive that leads out of it.
var ErrName = errors.New("its name leads out of the archive")

// Extract puts what is in an archive into a folder. What is in the way of a file is
// replaced, folders are added to. It gives what it has put there, folders before
// what is in them.
func (t *Tree) Extract(ctx context.Context, r *tar.Reader, dir string, o Options) ([]Entry, error) {
	x := &extractor{t: t, ctx: ctx, dir: dir, o: o, seen: map[string]bool{}}
	for {
		h, err := r.Next()
		if err == io.EOF {
			return x.entries, x.finish()
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean("/" + h.Name)[1:]
		for part := range strings.SplitSeq(h.Name, "/") {
			if part == ".." {
				return nil, fmt.Errorf("%s: %w", h.Name, ErrName)
			}
		}
		if err := x.entry(h, name, r); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

type extractor struct {
	t       *Tree
	ctx     context.Context
	dir     string
	o       Options
	entries []Entry
	seen    map[string]bool
	folders []*tar.Header // whose times are set at the end
	buf     []byte
}

func (x *extractor) owner(h *tar.Header) fs9p.Owner {
	if x.o.Owner != nil {
		return *x.o.Owner
	}
	return fs9p.Owner{UID: uint32(h.Uid), GID: uint32(h.Gid)}
}

// parent gives the folder that name is in, made if it is missing.
func (x *extractor) parent(name string) (fs9p.Node, error) {
	at, err := fs9p.Lookup(x.t.FS, x.dir, true)
	if err != nil {
		return nil, err
	}
	dir := path.Dir(name)
	if dir == "." {
		return at, nil
	}
	if !x.o.Apart {
		at.Release()
		return fs9p.MakeFolders(x.t.FS, path.Join(x.dir, dir))
	}
	for done, rest := "", dir; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		done = path.Join(done, part)
		next, err := at.Walk(part)
		if errors.Is(err, fs9p.ENOENT) {
			if _, err = at.Mkdir(part, 0o755, x.owner(&tar.Header{})); err == nil {
				x.note(Entry{Name: done, Dir: true, Mode: 0o755})
				next, err = at.Walk(part)
			}
		}
		if err == nil && next.QID().Type&fs9p.QTSymlink != 0 {
			next.Release()
			err = errors.New("it is below a symbolic link of the archive")
		}
		at.Release()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func (x *extractor) note(e Entry) {
	if !x.seen[e.Name] {
		x.seen[e.Name] = true
		x.entries = append(x.entries, e)
	}
}

// entry puts one entry there.
func (x *extractor) entry(h *tar.Header, name string, r io.Reader) error {
	if name == "" { // the folder itself
		return nil
	}
	owner := x.owner(h)
	e := Entry{Name: name, Dir: h.Typeflag == tar.TypeDir, Mode: uint32(h.Mode) & 0o7777, UID: owner.UID, GID: owner.GID}
	var file fs9p.File
	var node fs9p.Node
	err := x.t.do(x.ctx, func() (err error) {
		node, file, err = x.make(h, name, owner)
		return err
	})
	if err != nil {
		return err
	}
	if node == nil { // a type that means nothing
		return nil
	}
	x.note(e)
	defer x.t.do(context.WithoutCancel(x.ctx), func() error { node.Release(); return nil })
	if file != nil {
		err := x.content(file, r)
		err = errors.Join(err, x.t.do(context.WithoutCancel(x.ctx), file.Close))
		if err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		x.folders = append(x.folders, h)
	case tar.TypeLink:
		return nil
	}
	return x.t.do(x.ctx, func() error { return attributes(node, h, owner) })
}

// make makes the file, and opens a regular one.
func (x *extractor) make(h *tar.Header, name string, owner fs9p.Owner) (n fs9p.Node, f fs9p.File, err error) {
	dir, err := x.parent(name)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Release()
	base, mode := path.Base(name), uint32(h.Mode)&0o7777
	if err := x.clear(dir, base, h.Typeflag == tar.TypeDir); err != nil {
		return nil, nil, err
	}
	device := fs9p.MakeDev(uint32(h.Devmajor), uint32(h.Devminor))
	switch h.Typeflag {
	case tar.TypeReg:
		return dir.Create(base, fs9p.OWronly, mode, owner)
	case tar.TypeDir:
		if _, err = dir.Mkdir(base, mode, owner); errors.Is(err, fs9p.EEXIST) {
			err = nil
		}
	case tar.TypeSymlink:
		_, err = dir.Symlink(base, h.Linkname, owner)
	case tar.TypeFifo:
		_, err = dir.Mknod(base, fs9p.ModeFIFO|mode, 0, owner)
	case tar.TypeChar:
		_, err = dir.Mknod(base, fs9p.ModeChar|mode, device, owner)
	case tar.TypeBlock:
		_, err = dir.Mknod(base, fs9p.ModeBlock|mode, device, owner)
	case tar.TypeLink:
		var target fs9p.Node
		if target, err = fs9p.Lookup(x.t.FS, path.Join(x.dir, path.Clean("/"+h.Linkname)), false); err == nil {
			err = dir.Link(base, target)
			target.Release()
		}
	default:
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	n, err = dir.Walk(base)
	return n, nil, err
}

// clear takes away what is in the way.
func (x *extractor) clear(dir fs9p.Node, base string, forFolder bool) error {
	old, err := dir.Walk(base)
	if errors.Is(err, fs9p.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	isDir := old.QID().Type&fs9p.QTDir != 0
	old.Release()
	switch {
	case isDir && forFolder:
		return nil
	case isDir:
		return fs9p.EISDIR
	case forFolder:
		return fs9p.ENOTDIR
	}
	return dir.Unlink(base, false)
}

func (x *extractor) content(f fs9p.File, r io.Reader) error {
	if x.buf == nil {
		x.buf = make([]byte, chunk)
	}
	for off := uint64(0); ; {
		n, err := io.ReadFull(r, x.buf)
		if n > 0 {
			if err := x.t.do(x.ctx, func() error { return writeAll(f, x.buf[:n], off) }); err != nil {
				return err
			}
			off += uint64(n)
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return err
		}
	}
}

func writeAll(f fs9p.File, p []byte, off uint64) error {
	for len(p) > 0 {
		n, err := f.WriteAt(p, off)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		p, off = p[n:], off+uint64(n)
	}
	return nil
}

// attributes sets what a file was not made with.
func attributes(n fs9p.Node, h *tar.Header, owner fs9p.Owner) error {
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, xattrPrefix); ok {
			if err := n.SetXattr(name, []byte(value), 0); err != nil && !errors.Is(err, fs9p.EOPNOTSUPP) {
				return err
			}
		}
	}
	a := fs9p.SetAttr{
		Valid: fs9p.SetUID | fs9p.SetGID | fs9p.SetMtime | fs9p.SetMtimeTo, UID: owner.UID, GID: owner.GID, Mtime: fs9p.TimespecOf(h.ModTime),
	}
	if err := n.SetAttr(a); err != nil || h.Typeflag == tar.TypeSymlink {
		return err
	}
	return n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: uint32(h.Mode) & 0o7777})
}

// finish sets the times of folders, into which files were put meanwhile.
func (x *extractor) finish() error {
	return x.t.do(x.ctx, func() error {
		for _, h := range x.folders {
			n, err := fs9p.Lookup(x.t.FS, path.Join(x.dir, path.Clean("/"+h.Name)), true)
			if err != nil {
				return err
			}
			err = n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: fs9p.TimespecOf(h.ModTime)})
			n.Release()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove removes what is at name, with all that is in it.
func (t *Tree) Remove(ctx context.Context, name string) error {
	return t.do(ctx, func() error {
		dir, err := fs9p.Lookup(t.FS, path.Dir(path.Clean("/"+name)), true)
		if err != nil {
			return err
		}
		defer dir.Release()
		return remove(dir, path.Base(name))
	})
}

func remove(dir fs9p.Node, base string) error {
	n, err := dir.Walk(base)
	if err != nil {
		return err
	}
	defer n.Release()
	if n.QID().Type&fs9p.QTDir == 0 {
		return dir.Unlink(base, false)
	}
	names, err := list(n)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := remove(n, name); err != nil {
			return err
		}
	}
	return dir.Unlink(base, true)
}

// MakeDir makes a folder of the top that nobody else looks into.
func (t *Tree) MakeDir(ctx context.Context, name string) error {
	return t.do(ctx, func() error {
		top, err := t.FS.Attach("")
		if err != nil {
			return err
		}
		defer top.Release()
		_, err = top.Mkdir(name, 0o700, fs9p.Owner{})
		return err
	})
}
