package overlay

import (
	"errors"

	"alpinevm/fs9p"
)

// Walk is part of fs9p.Node.
func (n *node) Walk(name string) (fs9p.Node, error) {
	if !n.isDir() {
		return nil, fs9p.ENOTDIR
	}
	if name == ".." {
		return n.parent.hold(), nil
	}
	c, _, err := n.child(name)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// child finds an entry, and tells whether it is in the upper directory.
func (n *node) child(name string) (c *node, inUpper bool, err error) {
	if n.gone {
		return nil, false, fs9p.ENOENT
	}
	if n.upper != nil {
		u, err := n.upper.Walk(name)
		switch {
		case err == nil && n.fs.isWhiteout(u.QID()):
			u.Release()
			return nil, false, fs9p.ENOENT
		case err == nil:
			c, err := n.deeper(n.fs.fromUpper(u, n))
			return c, true, err
		case fs9p.ErrnoOf(err) != fs9p.ENOENT || n.lower == nil:
			return nil, false, err
		}
	}
	l, err := n.lower.Walk(name)
	if err != nil {
		return nil, false, err
	}
	if c, err = n.fs.fromLower(l, n); err == nil {
		c, err = n.deeper(c)
	}
	return c, false, err
}

// maxDepth is how deep a directory can be found. A path that a program can name
// is not half as deep; and whoever holds a directory holds all above it.
const maxDepth = 8192

// deeper gives the entry c of n, unless it is a directory that is too deep.
func (n *node) deeper(c *node) (*node, error) {
	if !c.isDir() {
		return c, nil
	}
	if depth, _ := n.depth(nil); depth >= maxDepth {
		c.Release()
		return nil, fs9p.ENAMETOOLONG
	}
	return c, nil
}

// depth counts the directories above n, as far as is of interest, and tells
// whether d is one of them or n itself.
func (n *node) depth(d *node) (depth int, below bool) {
	for ; ; n = n.parent {
		below = below || n == d
		if n == n.parent || depth > maxDepth {
			return depth, below
		}
		depth++
	}
}

// inLower tells whether the lower directory has an entry, seen or not.
func (n *node) inLower(name string) (bool, error) {
	if n.lower == nil {
		return false, nil
	}
	l, err := n.lower.Walk(name)
	switch fs9p.ErrnoOf(err) {
	case 0:
		l.Release()
		return true, nil
	case fs9p.ENOENT:
		return false, nil
	}
	return false, err
}

// A dirFile is an open directory. It keeps those of the layers open that it has
// listed: where a layer's listing is, only the open one knows at once.
type dirFile struct {
	n            *node
	lower, upper fs9p.File
}

// ReadAt is part of fs9p.File.
func (*dirFile) ReadAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// WriteAt is part of fs9p.File.
func (*dirFile) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }

// Sync is part of fs9p.File.
func (f *dirFile) Sync(dataOnly bool) error {
	if f.n.upper == nil {
		return nil
	}
	up, err := f.n.upper.Open(fs9p.ORdonly)
	if err != nil {
		return err
	}
	defer up.Close()
	return up.Sync(dataOnly)
}

// Close is part of fs9p.File.
func (f *dirFile) Close() error {
	var err error
	for _, layer := range []fs9p.File{f.lower, f.upper} {
		if layer != nil {
			err = errors.Join(err, layer.Close())
		}
	}
	return err
}

// upperCookie is set in the cookies of entries of the upper directory, which
// are listed behind those of the lower.
const upperCookie = 1 << 62

// ReadDir is part of fs9p.File: first come those of the lower that are to be
// seen, then those of the upper. What is to be seen is found out as it is listed,
// so that nothing is remembered between two requests.
func (f *dirFile) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	n := f.n
	if n.gone {
		return nil
	}
	if n.lower != nil && cookie < upperCookie {
		more := true
		err := read(&f.lower, n.lower, cookie, func(d fs9p.Dirent) bool {
			if n.covered(d.Name) {
				return true
			}
			d.QID.Path = lowerID(d.QID.Path)
			d.QID.Version = 1
			more = emit(d)
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	if n.upper == nil {
		return nil
	}
	if cookie < upperCookie {
		cookie = 0
	}
	return read(&f.upper, n.upper, cookie&^upperCookie, func(d fs9p.Dirent) bool {
		if n.fs.isWhiteout(d.QID) {
			return true
		}
		d.QID.Path = n.fs.id(d.QID.Path)
		d.QID.Version = 1
		d.Cookie |= upperCookie
		return emit(d)
	})
}

// covered tells whether an entry of the lower is hidden by one of the upper.
func (n *node) covered(name string) bool {
	if n.upper == nil {
		return false
	}
	u, err := n.upper.Walk(name)
	if err != nil {
		return false
	}
	u.Release()
	return true
}

// read lists a directory of one of the layers, which it opens if that is not done.
func read(open *fs9p.File, layer fs9p.Node, cookie uint64, emit func(fs9p.Dirent) bool) error {
	if *open == nil {
		f, err := layer.Open(fs9p.ORdonly | fs9p.ODirectory)
		if err != nil {
			return err
		}
		*open = f
	}
	return (*open).ReadDir(max(cookie, fs9p.DirStart), emit)
}
