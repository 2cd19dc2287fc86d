package memfs

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/tarball"
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
	fs.loading = true
	defer func() { fs.loading = false }()
	dir, base, err := fs.place(name)
	if err != nil {
		return fmt.Errorf("memfs: %s: %w", quote(name), err)
	}
	n := fs.root
	if base != "" {
		if n, err = fs.addAt(dir, base, e); err != nil {
			return fmt.Errorf("memfs: %s: %w", quote(name), err)
		}
	} else if e.Mode&fs9p.ModeType != fs9p.ModeDir {
		return fmt.Errorf("memfs: %s: %w", quote(name), fs9p.EISDIR)
	}
	n.mode, n.uid, n.gid = n.kind()|e.Mode&fs9p.ModePerm, e.UID, e.GID
	for k, v := range e.Xattrs {
		if err := n.SetXattr(k, v, 0); err != nil {
			return fmt.Errorf("memfs: %s: attribute %s: %w", quote(name), quote(k), err)
		}
	}
	n.atime, n.mtime = fs.now(), fs.now()
	if !e.Mtime.IsZero() {
		n.mtime = timespec(e.Mtime)
	}
	if !e.Atime.IsZero() {
		n.atime = timespec(e.Atime)
	}
	return nil
}

// AddLink gives the file at target one more name, as Add would.
func (fs *FS) AddLink(name, target string) error {
	fs.loading = true
	defer func() { fs.loading = false }()
	err := fs.addLink(name, target)
	if err != nil {
		return fmt.Errorf("memfs: %s: link to %s: %w", quote(name), quote(target), err)
	}
	return nil
}

func (fs *FS) addLink(name, target string) error {
	dir, base, err := fs.place(target)
	if err != nil {
		return err
	}
	if base == "" {
		return fs9p.EPERM
	}
	e, err := dir.dir.Lookup(base)
	if err != nil {
		return err
	}
	if dir, base, err = fs.place(name); err != nil {
		return err
	}
	if base == "" {
		return fs9p.EPERM
	}
	if there, err := dir.dir.Lookup(base); err == nil && there.Node == e.Node {
		return nil
	}
	if err := dir.clear(base); err != nil {
		return err
	}
	return dir.Link(base, e.Node)
}

// clear takes a name out of a directory if it is there.
func (n *inode) clear(name string) error {
	there, err := n.dir.Lookup(name)
	if err != nil {
		return nil
	}
	return n.Unlink(name, there.Node.dir != nil)
}

// maxFollow is how many symbolic links Linux follows on one path.
const maxFollow = 40

// place finds the directory that name is in, making it if need be, and the
// last component, which is empty for the root.
func (fs *FS) place(name string) (*inode, string, error) {
	name, err := tarball.Clean(name)
	if err != nil || name == "" {
		return fs.root, "", err
	}
	dir, base := path.Split(name)
	n, err := fs.mkdirs(dir)
	return n, strings.Clone(base), err // base would keep all of name in memory
}

// free takes away what has a name.
func (fs *FS) free(name string) error {
	fs.loading = true
	defer func() { fs.loading = false }()
	dir, base, err := fs.place(name)
	if err != nil || base == "" {
		return err
	}
	return dir.clear(base)
}

// has tells whether there is a file of that name.
func (fs *FS) has(name string) bool {
	dir, base, err := fs.place(name)
	if err != nil || base == "" {
		return false
	}
	_, err = dir.dir.Lookup(base)
	return err == nil
}

// mkdirs walks to the directory dir from the root.
func (fs *FS) mkdirs(dir string) (*inode, error) {
	n, follows := fs.root, 0
	todo := dir
	for todo != "" {
		var name string
		name, todo, _ = strings.Cut(todo, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			n = n.dir.Parent
			continue
		}
		e, err := n.dir.Lookup(name)
		if err == fs9p.ENOENT {
			if n, err = n.make(name, fs9p.ModeDir|0o755, fs9p.Owner{}); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		switch e.Node.kind() {
		case fs9p.ModeDir:
			n = e.Node
		case fs9p.ModeSymlink:
			if follows++; follows > maxFollow {
				return nil, fs9p.ELOOP
			}
			if strings.HasPrefix(e.Node.target, "/") {
				n = fs.root
			}
			todo = e.Node.target + "/" + todo
		default:
			return nil, fs9p.ENOTDIR
		}
	}
	return n, nil
}

// addAt makes the file, but for its attributes.
func (fs *FS) addAt(dir *inode, base string, e Entry) (*inode, error) {
	if e.Mode&fs9p.ModeType == 0 {
		e.Mode |= fs9p.ModeRegular
	}
	if there, err := dir.dir.Lookup(base); err == nil {
		isDir := there.Node.dir != nil
		if isDir && e.Mode&fs9p.ModeType == fs9p.ModeDir {
			return there.Node, nil
		}
		if err := dir.Unlink(base, isDir); err != nil {
			return nil, err
		}
	}
	n, err := dir.make(base, e.Mode, fs9p.Owner{})
	if err != nil {
		return nil, err
	}
	n.rdev = e.Rdev
	switch n.kind() {
	case fs9p.ModeSymlink:
		if err := fs.charge(len(e.Target)); err != nil {
			return nil, err
		}
		n.target = e.Target
	case fs9p.ModeRegular:
		if e.Data != nil {
			return n, n.data.fill(fs, e.Data)
		}
	}
	return n, nil
}

// fill appends what r has. A chunk of zeros becomes a hole. Of these no more are
// taken than of data, since a few bytes of an archive can mean exabytes.
func (c *content) fill(fs *FS, r io.Reader) error {
	var buf chunk
	for {
		n, err := io.ReadFull(r, buf[:])
		if bytes.Count(buf[:n], []byte{0}) < n {
			if _, err := c.writeAt(fs, buf[:n], c.size); err != nil {
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
