// Package archive makes tar archives of what is in file systems of guests, and
// puts what is in archives there.
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

// Tree is a file system that may belong to a goroutine.
type Tree struct {
	FS fs9p.FS
	// Do runs a function where FS may be used, to its end; nil: anywhere.
	Do func(ctx context.Context, f func() error) error
}

func (t *Tree) do(ctx context.Context, f func() error) error {
	if t.Do == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f()
	}
	return t.Do(ctx, f)
}

// Stat is what is at a name, through symbolic links.
type Stat struct {
	Exists, Dir bool
}

// chunk is how much of a file is carried at once, in bytes.
const chunk = 1 << 20

// xattrPrefix is how archives name extended attributes.
const xattrPrefix = "SCHILY.xattr."

// Stat looks at a name.
func (t *Tree) Stat(ctx context.Context, name string) (s Stat, err error) {
	err = t.do(ctx, func() error {
		n, err := fs9p.Lookup(t.FS, name, true)
		switch {
		case errors.Is(err, fs9p.ENOENT), errors.Is(err, fs9p.ENOTDIR):
			return nil
		case err != nil:
			return err
		}
		defer n.Release()
		s = Stat{Exists: true, Dir: n.QID().Type&fs9p.QTDir != 0}
		return nil
	})
	return s, err
}

// Pack writes an archive of what is at name, as it is called there; what is in it
// is named below that. The entries of the top folder have no name before theirs.
// skip names what is left out, below the top; nil: nothing.
func (t *Tree) Pack(ctx context.Context, w io.Writer, name string, skip func(name string) bool) error {
	p := &packer{t: t, w: tar.NewWriter(w), ctx: ctx, skip: skip, had: map[uint64]string{}}
	var top fs9p.Node
	follow := strings.HasSuffix(name, "/") || path.Base(name) == "."
	err := t.do(ctx, func() (err error) { top, err = fs9p.Lookup(t.FS, name, follow); return err })
	switch {
	case errors.Is(err, fs9p.ENOENT), errors.Is(err, fs9p.ENOTDIR):
		return fmt.Errorf("there is no %s in it", name)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	base := path.Base(path.Clean("/" + name))
	if base == "/" {
		base = "."
	}
	if err := p.add(top, base); err != nil {
		return err
	}
	return p.w.Close()
}

// packer is an archive in the making.
type packer struct {
	t    *Tree
	w    *tar.Writer
	ctx  context.Context
	skip func(string) bool
	had  map[uint64]string // names of files that have several
	buf  []byte
}

// found is what has been asked of a node.
type found struct {
	header tar.Header
	file   fs9p.File // of a regular file
	names  []string  // in a folder
	link   bool      // a name of what is in the archive already
	size   uint64
}

// add adds a node, which it releases, and what is in it.
func (p *packer) add(n fs9p.Node, name string) error {
	var f found
	err := p.t.do(p.ctx, func() error { return p.look(n, name, &f) })
	defer p.t.do(context.WithoutCancel(p.ctx), func() error {
		if f.file != nil {
			f.file.Close()
		}
		n.Release()
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if f.header.Typeflag != 0 && (name != "." || len(f.names) == 0) {
		if err := p.w.WriteHeader(&f.header); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if f.file != nil {
		if err := p.content(f.file, f.size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, child := range f.names {
		below := path.Join(name, child)
		if p.skip != nil && p.skip(below) {
			continue
		}
		var c fs9p.Node
		err := p.t.do(p.ctx, func() (err error) { c, err = n.Walk(child); return err })
		if errors.Is(err, fs9p.ENOENT) { // it has gone meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", below, err)
		}
		if err := p.add(c, below); err != nil {
			return err
		}
	}
	return nil
}

// look asks what there is to know of a node.
func (p *packer) look(n fs9p.Node, name string, f *found) error {
	a, err := n.Attr()
	if err != nil {
		return err
	}
	h := &f.header
	*h = tar.Header{
		Name: name, Mode: int64(a.Mode & 0o7777), Uid: int(a.UID), Gid: int(a.GID), ModTime: a.Mtime.Time(), Format: tar.FormatPAX,
	}
	if first, ok := p.had[n.QID().Path]; ok {
		h.Typeflag, h.Linkname, f.link = tar.TypeLink, first, true
		return nil
	}
	if a.Nlink > 1 && a.Mode&fs9p.ModeType != fs9p.ModeDir {
		p.had[n.QID().Path] = name
	}
	if err := xattrs(n, h); err != nil {
		return err
	}
	switch a.Mode & fs9p.ModeType {
	case fs9p.ModeDir:
		h.Typeflag = tar.TypeDir
		h.Name += "/"
		f.names, err = list(n)
	case fs9p.ModeSymlink:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = n.Readlink()
	case fs9p.ModeRegular:
		h.Typeflag, h.Size, f.size = tar.TypeReg, int64(a.Size), a.Size
		f.file, err = n.Open(fs9p.ORdonly)
	case fs9p.ModeFIFO:
		h.Typeflag = tar.TypeFifo
	case fs9p.ModeChar, fs9p.ModeBlock:
		h.Typeflag = tar.TypeChar
		if a.Mode&fs9p.ModeType == fs9p.ModeBlock {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(fs9p.Major(a.Rdev)), int64(fs9p.Minor(a.Rdev))
	default: // a socket has no place in an archive
		h.Typeflag = 0
	}
	return err
}

// xattrs notes extended attributes.
func xattrs(n fs9p.Node, h *tar.Header) error {
	names, err := n.Xattrs()
	if err != nil {
		return nil // it has none
	}
	for _, name := range names {
		v, err := n.Xattr(name)
		if errors.Is(err, fs9p.ENODATA) {
			continue
		}
		if err != nil {
			return err
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrPrefix+name] = string(v)
	}
	return nil
}

// list gives the names in a folder.
func list(n fs9p.Node) (names []string, err error) {
	f, err := n.Open(fs9p.ORdonly)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	err = f.ReadDir(fs9p.DirStart, func(d fs9p.Dirent) bool {
		if d.Name != "." && d.Name != ".." {
			names = append(names, d.Name)
		}
		return true
	})
	return names, err
}

// content copies a file. One that has become shorter is filled up with zeros.
func (p *packer) content(f fs9p.File, size uint64) error {
	if p.buf == nil {
		p.buf = make([]byte, chunk)
	}
	for off := uint64(0); off < size; {
		b := p.buf[:min(uint64(len(p.buf)), size-off)]
		err := p.t.do(p.ctx, func() error {
			n, err := f.ReadAt(b, off)
			if err == io.EOF {
				err = nil
			}
			clear(b[n:])
			return err
		})
		if err != nil {
			return err
		}
		if _, err := p.w.Write(b); err != nil {
			return err
		}
		off += uint64(len(b))
	}
	return nil
}
