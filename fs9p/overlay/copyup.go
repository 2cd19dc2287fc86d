package overlay

import (
	"bytes"

	"alpinevm/fs9p"
)

// borrowAbove is the size from which on the data of a file is borrowed rather
// than copied, for which the lower file stays open.
const borrowAbove = 64 << 10

// copyUp gives n an upper inode; with its data, or with none where all of it is
// about to be cut off.
func (n *node) copyUp(withData bool) error {
	if n.upper != nil {
		return nil
	}
	lower, _ := n.lowerPath()
	a, err := n.lower.Attr()
	if err != nil {
		return err
	}
	name := indexed(lower)
	u, err := n.fs.clone(name, n.lower, a)
	if err != nil {
		return err
	}
	if err = n.fs.copyContent(u, n.lower, a, withData); err == nil {
		err = setNumber(u, originAttr, lower)
	}
	names := max(a.Nlink, 1)
	switch {
	case err != nil:
	case n.gone:
		// It has no name, so neither has its copy.
		names = 0
		err = n.fs.index.Unlink(name, n.isDir())
	case n.isDir():
		names = 1
	}
	if err == nil {
		err = n.fs.setNames(u, lower, names)
	}
	if err != nil {
		n.fs.records.copies.Delete(lower)
		n.fs.index.Unlink(name, n.isDir())
		u.Release()
		return err
	}
	n.fs.records.origin.Put(u.QID().Path, lower)
	n.upper = u
	n.settle()
	return nil
}

// clone makes an inode of the same type in the index.
func (fs *FS) clone(name string, src fs9p.Node, a fs9p.Attr) (fs9p.Node, error) {
	owner := fs9p.Owner{UID: a.UID, GID: a.GID}
	var err error
	switch a.Mode & fs9p.ModeType {
	case fs9p.ModeDir:
		_, err = fs.index.Mkdir(name, a.Mode, owner)
	case fs9p.ModeSymlink:
		var target string
		if target, err = src.Readlink(); err == nil {
			_, err = fs.index.Symlink(name, target, owner)
		}
	default:
		_, err = fs.index.Mknod(name, a.Mode, a.Rdev, owner)
	}
	if err != nil {
		return nil, err
	}
	return fs.index.Walk(name)
}

// copyContent gives u the data and the attributes of src.
func (fs *FS) copyContent(u, src fs9p.Node, a fs9p.Attr, withData bool) error {
	if a.Mode&fs9p.ModeType == fs9p.ModeRegular && withData && a.Size > 0 {
		if err := fs.copyData(u, src, a.Size); err != nil {
			return err
		}
	}
	names, err := src.Xattrs()
	if err != nil {
		return err
	}
	for _, name := range names {
		if isPrivate(name) {
			continue
		}
		v, err := src.Xattr(name)
		if err != nil {
			return err
		}
		if err := u.SetXattr(name, bytes.Clone(v), 0); err != nil {
			return err
		}
	}
	return u.SetAttr(fs9p.SetAttr{
		Valid: fs9p.SetMode | fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo,
		Mode:  a.Mode & fs9p.ModePerm, Atime: a.Atime, Mtime: a.Mtime,
	})
}

func (fs *FS) copyData(u, src fs9p.Node, size uint64) error {
	from, err := src.Open(fs9p.ORdonly | fs9p.ONoatime)
	if err != nil {
		return err
	}
	if fs.backer != nil && size > borrowAbove {
		if err := fs.backer.Back(u, from, size); err != nil {
			from.Close()
			return err
		}
		return nil
	}
	defer from.Close()
	to, err := u.Open(fs9p.OWronly)
	if err != nil {
		return err
	}
	defer to.Close()
	buf := make([]byte, min(size, 1<<20))
	err = ranges(from, size, func(off, n uint64) error { return copyRange(to, from, off, n, buf) })
	if err != nil {
		return err
	}
	return u.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize, Size: size})
}

// ranges calls f for the parts of a file that are to be copied.
func ranges(from fs9p.File, size uint64, f func(off, n uint64) error) error {
	s, ok := from.(fs9p.Sparse)
	if !ok {
		return f(0, size)
	}
	var failed error
	err := s.Ranges(func(off, n uint64) bool {
		if off < size {
			failed = f(off, min(n, size-off))
		}
		return failed == nil && off < size
	})
	if failed != nil {
		return failed
	}
	return err
}

// copyRange copies n bytes at off, or what there is of them.
func copyRange(to, from fs9p.File, off, n uint64, buf []byte) error {
	for end := off + n; off < end; {
		k, err := from.ReadAt(buf[:min(uint64(len(buf)), end-off)], off)
		if err != nil {
			return err
		}
		if k == 0 {
			return nil
		}
		for p := buf[:k]; len(p) > 0; {
			k, err := to.WriteAt(p, off)
			if err != nil {
				return err
			}
			p, off = p[k:], off+uint64(k)
		}
	}
	return nil
}
