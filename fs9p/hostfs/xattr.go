package hostfs

import (
	"os"
	"strings"

	"alpinevm/fs9p"
)

// userPrefix is the namespace of attributes that have no meaning for the host.
const userPrefix = "user."

// open opens a file or directory to get at its attributes.
func (n *inode) open() (f *os.File, done func(), err error) {
	switch n.kind {
	case fs9p.ModeDir:
		root, err := n.dir()
		if err != nil {
			return nil, nil, err
		}
		f, err := root.Open(".")
		if err != nil {
			return nil, nil, toErrno(err)
		}
		return f, func() { f.Close() }, nil
	case fs9p.ModeRegular:
		f, shared, err := n.file(os.O_RDONLY)
		if err != nil {
			return nil, nil, err
		}
		if shared {
			return f, func() {}, nil
		}
		return f, func() { f.Close() }, nil
	}
	return nil, nil, fs9p.EOPNOTSUPP
}

// Xattr is part of fs9p.Node.
func (n *inode) Xattr(name string) ([]byte, error) {
	if !strings.HasPrefix(name, userPrefix) {
		return nil, fs9p.ENODATA
	}
	f, done, err := n.open()
	if err != nil {
		return nil, fs9p.ENODATA
	}
	defer done()
	v, err := readXattr(f, name)
	return v, toErrno(err)
}

// Xattrs is part of fs9p.Node.
func (n *inode) Xattrs() ([]string, error) {
	f, done, err := n.open()
	if err != nil {
		return nil, nil
	}
	defer done()
	all, err := listXattrs(f)
	if err != nil {
		return nil, toErrno(err)
	}
	var names []string
	for _, name := range all {
		if strings.HasPrefix(name, userPrefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// SetXattr is part of fs9p.Node.
func (n *inode) SetXattr(name string, value []byte, flags uint32) error {
	if !strings.HasPrefix(name, userPrefix) {
		return fs9p.EOPNOTSUPP
	}
	f, done, err := n.open()
	if err != nil {
		return err
	}
	defer done()
	return toErrno(writeXattr(f, name, value, flags))
}

// RemoveXattr is part of fs9p.Node.
func (n *inode) RemoveXattr(name string) error {
	if !strings.HasPrefix(name, userPrefix) {
		return fs9p.ENODATA
	}
	f, done, err := n.open()
	if err != nil {
		return err
	}
	defer done()
	return toErrno(removeXattr(f, name))
}
