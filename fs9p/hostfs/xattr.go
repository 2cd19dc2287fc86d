package hostfs

import (
	"maps"
	"os"
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// userPrefix is the namespace of attributes that have no meaning for the host.
const userPrefix = "user."

// believed are those in it that have one for programs that serve folders: whom
// a file belongs to, what is below it, what it stands for.
var believed = []string{
	"user.overlay.", "user.fuseoverlayfs.", "user.containers.", "user.rootlesscontainers", "user.virtfs.", "user.DOSATTRIB",
	"user.NTACL", "user.SAMBA_PAI",
}

// keptSpaces are the namespaces of attributes that a host would obey.
var keptSpaces = []string{"trusted.", "security.", "system.posix_acl_access", "system.posix_acl_default"}

func hasAnyPrefix(name string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// onHost tells whether an attribute of n with that name is the host's.
func (n *inode) onHost(name string) bool {
	return strings.HasPrefix(name, userPrefix) && !hasAnyPrefix(name, believed) && n.fs.kept.extra(n.mark()).special == 0 &&
		(n.kind == fs9p.ModeRegular || n.kind == fs9p.ModeDir)
}

// read opens a file or directory to get at its attributes on the host.
func (n *inode) read(f func(*os.File) error) error {
	p, err := n.place()
	if err != nil {
		return err
	}
	file := p.file
	if file == nil {
		if file, err = p.dir.root.OpenFile(p.name, os.O_RDONLY|openFlags, 0); err != nil {
			return toErrno(err)
		}
		defer file.Close()
		if err := n.isOpen(file); err != nil {
			return err
		}
	}
	return toErrno(f(file))
}

// Xattr is part of fs9p.Node.
func (n *inode) Xattr(name string) (value []byte, err error) {
	if v, ok := n.fs.kept.extra(n.mark()).xattrs[name]; ok {
		return v, nil
	}
	if !n.onHost(name) {
		return nil, fs9p.ENODATA
	}
	err = n.read(func(f *os.File) (err error) {
		value, err = readXattr(f, name)
		return err
	})
	if e := fs9p.ErrnoOf(err); e == fs9p.EOPNOTSUPP || e == fs9p.EACCES {
		return nil, fs9p.ENODATA
	}
	return value, err
}

// Xattrs is part of fs9p.Node.
func (n *inode) Xattrs() (names []string, err error) {
	names = slices.Sorted(maps.Keys(n.fs.kept.extra(n.mark()).xattrs))
	if !n.onHost(userPrefix) {
		return names, nil
	}
	var all []string
	n.read(func(f *os.File) (err error) {
		all, err = listXattrs(f)
		return err
	})
	for _, name := range all {
		if n.onHost(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// SetXattr is part of fs9p.Node. What the host has no attributes for is kept.
func (n *inode) SetXattr(name string, value []byte, flags uint32) error {
	if n.onHost(name) {
		err := n.read(func(f *os.File) error { return writeXattr(f, name, value, flags) })
		if fs9p.ErrnoOf(err) != fs9p.EOPNOTSUPP {
			return err
		}
	} else if !strings.HasPrefix(name, userPrefix) && !hasAnyPrefix(name, keptSpaces) {
		return fs9p.EOPNOTSUPP
	}
	p, err := n.place()
	if err != nil {
		return err
	}
	e := n.fs.kept.extra(n.mark())
	if err := e.settable(name, flags); err != nil {
		return err
	}
	err = n.fs.kept.change(n.mark(), func(e *extra) {
		if e.xattrs == nil {
			e.xattrs = map[string][]byte{}
		}
		e.xattrs[name] = slices.Clone(value)
	})
	if err != nil {
		return err
	}
	return n.touch(p)
}

// RemoveXattr is part of fs9p.Node.
func (n *inode) RemoveXattr(name string) error {
	p, err := n.place()
	if err != nil {
		return err
	}
	if _, ok := n.fs.kept.extra(n.mark()).xattrs[name]; ok {
		n.fs.kept.change(n.mark(), func(e *extra) { delete(e.xattrs, name) })
		return n.touch(p)
	}
	if !n.onHost(name) {
		return fs9p.ENODATA
	}
	err = n.read(func(f *os.File) error { return removeXattr(f, name) })
	if fs9p.ErrnoOf(err) == fs9p.EOPNOTSUPP {
		return fs9p.ENODATA
	}
	return err
}
