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
	if err == nil && n.gone {
		// It has no name, so neither has its copy.
		err = n.fs.index.Unlink(name, n.isDir())
	}
	if err == nil && !n.gone {
		names := max(a.Nlink, 1)
		if n.isDir() {
			names = 1
		}
		err = n.fs.setNames(u, lower, names)
	}
	if err != nil {
		delete(n.fs.records.copies, lower)
		n.fs.index.Unlink(name, n.isDir())
		u.Release()
		return err
	}
	n.fs.records.origin[u.QID().Path] = lower
	n.upper, n.subdirs = u, -1
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
	for off := uint64(0); off < size; {
		n, err := from.ReadAt(buf, off)
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		for p := buf[:n]; len(p) > 0; {
			k, err := to.WriteAt(p, off)
			if err != nil {
				return err
			}
			p, off = p[k:], off+uint64(k)
		}
	}
	return nil
}
