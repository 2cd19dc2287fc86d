package memfs

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
	"alpinevm/internal/tarball"
)

// Entry describes a file that the host puts into the file system.
type Entry struct {
	Mode     uint32 // with the file type; none means a regular file
	UID, GID uint32
	Rdev     uint64 // of a device: fs9p.MakeDev
	Target   string // of a symbolic link
	// Atime and Mtime are the present where they are zero.
	Atime, Mtime time.Time
	Xattrs       map[string][]byte
	// Data is the content of a regular file, read to its end; nil for an empty one.
	Data io.Reader
}

// Add puts a file at name, a slash-separated path with or without a slash in
// front. Directories that are missing on the way are made, 0755 and root's;
// symbolic links on the way are followed within the tree. What was there is
// replaced, but a directory that is added where one is keeps what is in it.
// A name that leads out of the tree, or is no name, is an error, and so is a
// lack of space (fs9p.ENOSPC).
func (fs *FS) Add(name string, e Entry) error {
	n, err := fs.make(name, e)
	if err != nil {
		return fmt.Errorf("memfs: %s: %w", quote(name), err)
	}
	defer n.Release()
	for k, v := range e.Xattrs {
		if err := n.SetXattr(k, v, 0); err != nil {
			return fmt.Errorf("memfs: %s: attribute %s: %w", quote(name), quote(k), err)
		}
	}
	a := fs9p.SetAttr{
		Valid: fs9p.SetMode | fs9p.SetUID | fs9p.SetGID | fs9p.SetAtime | fs9p.SetMtime,
		Mode:  e.Mode & fs9p.ModePerm, UID: e.UID, GID: e.GID,
	}
	if !e.Mtime.IsZero() {
		a.Valid, a.Mtime = a.Valid|fs9p.SetMtimeTo, fs9p.TimespecOf(e.Mtime)
	}
	if !e.Atime.IsZero() {
		a.Valid, a.Atime = a.Valid|fs9p.SetAtimeTo, fs9p.TimespecOf(e.Atime)
	}
	return n.SetAttr(a)
}

// AddLink gives the file at target one more name, as Add would.
func (fs *FS) AddLink(name, target string) error {
	if err := fs.addLink(name, target); err != nil {
		return fmt.Errorf("memfs: %s: link to %s: %w", quote(name), quote(target), err)
	}
	return nil
}

func (fs *FS) addLink(name, target string) error {
	dir, base, err := fs.place(target)
	if err != nil {
		return err
	}
	defer dir.Release()
	if base == "" {
		return fs9p.EPERM
	}
	n, err := dir.Walk(base)
	if err != nil {
		return err
	}
	defer n.Release()
	to, base, err := fs.place(name)
	if err != nil {
		return err
	}
	defer to.Release()
	if base == "" {
		return fs9p.EPERM
	}
	if there, err := to.Walk(base); err == nil {
		defer there.Release()
		if there == n {
			return nil
		}
	}
	if err := remove(to, base); err != nil {
		return err
	}
	return to.Link(base, n)
}

func isDir(n fs9p.Node) bool { return n.QID().Type&fs9p.QTDir != 0 }

// place finds the directory that name is in, making it if need be, and the
// last component, which is empty for the root. The caller releases it.
func (fs *FS) place(name string) (fs9p.Node, string, error) {
	name, err := tarball.Clean(name)
	if err != nil {
		return nil, "", err
	}
	dir, base := path.Split(name)
	n, err := fs9p.MakeFolders(quiet{fs}, dir)
	if err != nil {
		return nil, "", err
	}
	if !isDir(n) {
		n.Release()
		return nil, "", fs9p.ENOTDIR
	}
	return n, base, nil
}

// remove takes a name out of a directory if it is there.
func remove(dir fs9p.Node, name string) error {
	there, err := dir.Walk(name)
	if err != nil {
		return nil
	}
	defer there.Release()
	return dir.Unlink(name, isDir(there))
}

// free takes away what has a name.
func (fs *FS) free(name string) error {
	dir, base, err := fs.place(name)
	if err != nil {
		return err
	}
	defer dir.Release()
	if base == "" {
		return nil
	}
	return remove(dir, base)
}

// has tells whether there is a file of that name.
func (fs *FS) has(name string) bool {
	dir, base, err := fs.place(name)
	if err != nil {
		return false
	}
	defer dir.Release()
	if base == "" {
		return false
	}
	n, err := dir.Walk(base)
	if err == nil {
		n.Release()
	}
	return err == nil
}

// make makes the file of an entry, but for its attributes. The caller releases
// it.
func (fs *FS) make(name string, e Entry) (fs9p.Node, error) {
	dir, base, err := fs.place(name)
	if err != nil {
		return nil, err
	}
	if base == "" {
		if e.Mode&fs9p.ModeType != fs9p.ModeDir {
			dir.Release()
			return nil, fs9p.EISDIR
		}
		return dir, nil
	}
	defer dir.Release()
	return fs.makeAt(dir, base, e)
}

func (fs *FS) makeAt(dir fs9p.Node, base string, e Entry) (fs9p.Node, error) {
	kind := e.Mode & fs9p.ModeType
	if there, err := dir.Walk(base); err == nil {
		if isDir(there) && kind == fs9p.ModeDir {
			return there, nil
		}
		err := dir.Unlink(base, isDir(there))
		there.Release()
		if err != nil {
			return nil, err
		}
	}
	var err error
	switch kind {
	case fs9p.ModeDir:
		_, err = dir.Mkdir(base, 0o755, fs9p.Owner{})
	case fs9p.ModeSymlink:
		_, err = dir.Symlink(base, e.Target, fs9p.Owner{})
	case 0:
		_, err = dir.Mknod(base, fs9p.ModeRegular, 0, fs9p.Owner{})
	default:
		_, err = dir.Mknod(base, kind, e.Rdev, fs9p.Owner{})
	}
	if err != nil {
		return nil, err
	}
	n, err := dir.Walk(base)
	if err == nil && e.Data != nil {
		if c := fs.contentOf(n); c != nil {
			err = c.fill(e.Data)
		}
		if err != nil {
			n.Release()
		}
	}
	return n, err
}

// contentOf gives the content of a regular file of fs, nil for anything else.
func (fs *FS) contentOf(n fs9p.Node) *content {
	if q, ok := n.(quietNode); ok {
		n = q.Node
	}
	f, ok := n.(*tree.Inode)
	if !ok {
		return nil
	}
	if c, ok := f.Content().(*content); ok && c.fs == fs {
		return c
	}
	return nil
}

// fill appends what r has. A chunk of zeros becomes a hole. Of these no more are
// taken than of data, since a few bytes of an archive can mean exabytes.
func (c *content) fill(r io.Reader) error {
	fs := c.fs
	buf := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(r, buf)
		if bytes.Count(buf[:n], []byte{0}) < n {
			if _, err := c.WriteAt(buf[:n], c.size); err != nil {
				return err
			}
		} else if fs.zeros += int64(n); fs.zeros > fs.cfg.Limit {
			return fs9p.ENOSPC
		} else {
			c.size += uint64(n)
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

func quote(name string) string { return fmt.Sprintf("%.300q", name) }
