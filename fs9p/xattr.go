package fs9p

import "slices"

// An xattr is what a fid made by Txattrwalk or Txattrcreate refers to: the
// value of an attribute, or the list of names, to be read; or a value that
// is being written and is set by Tclunk.
type xattr struct {
	name  string
	value []byte
	size  int // of what is to be written
	flags uint32
	set   bool
}

// defaultACL is the attribute that NoDefaultACL is about.
const defaultACL = "system.posix_acl_default"

// xattrwalk binds newfid to an attribute's value, or to the list of names,
// each ended by a NUL, if name is empty.
func (s *Server) xattrwalk(c *call) error {
	var m Txattrwalk
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if err := s.vacant(m.NewFid); err != nil {
		return err
	}
	if len(m.Name) > maxXattrName {
		return ERANGE
	}
	if m.Name == defaultACL && s.cfg.NoDefaultACL {
		return ENODATA
	}
	x := &xattr{name: m.Name}
	if m.Name == "" {
		names, err := f.inode.node.Xattrs()
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range names {
			x.value = append(append(x.value, name...), 0)
		}
	} else if x.value, err = f.inode.node.Xattr(m.Name); err != nil {
		return err
	}
	if err := s.chargeXattr(x); err != nil {
		return err
	}
	s.session.fids.Put(m.NewFid, &fid{inode: f.inode.hold(), root: f.root, uid: f.uid, xattr: x})
	r := Rxattrwalk{Size: uint64(len(x.value))}
	r.code(&c.out)
	return nil
}

// xattrcreate turns the fid into one that the value is written to. What can be
// refused is refused now, when the client still has a use for the error.
func (s *Server) xattrcreate(c *call) error {
	var m Txattrcreate
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	switch {
	case err != nil:
		return err
	case f.file != nil, m.Flags&^(XattrCreate|XattrReplace) != 0:
		return EINVAL
	case m.Name == "" || len(m.Name) > maxXattrName:
		return ERANGE
	case m.Size > MaxXattr:
		return ENOSPC
	case m.Name == defaultACL && s.cfg.NoDefaultACL:
		return EOPNOTSUPP
	}
	for i := range len(m.Name) {
		if m.Name[i] == 0 {
			return EINVAL
		}
	}
	if m.Flags != 0 {
		switch _, err := f.inode.node.Xattr(m.Name); {
		case err == nil && m.Flags&XattrCreate != 0:
			return EEXIST
		case err != nil && ErrnoOf(err) != ENODATA:
			return err
		case err != nil && m.Flags&XattrReplace != 0:
			return ENODATA
		}
	}
	x := &xattr{name: m.Name, size: int(m.Size), flags: m.Flags, set: true}
	if err := s.chargeXattr(x); err != nil {
		return err
	}
	f.xattr = x
	return nil
}

func (s *Server) chargeXattr(x *xattr) error {
	if s.charged.xattrs+x.held() > maxXattrBytes {
		return ENOMEM
	}
	s.charged.xattrs += x.held()
	return nil
}

// xattrSelf is what an xattr takes besides its name and value.
const xattrSelf = 96

// held is what x holds in bytes, or will.
func (x *xattr) held() int {
	if x.set {
		return xattrSelf + len(x.name) + x.size
	}
	return xattrSelf + len(x.name) + len(x.value)
}

func (x *xattr) read(c *call, off uint64, count int) (int, error) {
	if x.set {
		c.payload(0)
		return 0, EBADF
	}
	off = min(off, uint64(len(x.value)))
	count = min(count, len(x.value)-int(off))
	return copy(c.payload(count), x.value[off:]), nil
}

func (x *xattr) write(off uint64, p []byte) error {
	switch {
	case !x.set:
		return EBADF
	case off != uint64(len(x.value)):
		return EINVAL
	case len(p) > x.size-len(x.value):
		return ENOSPC
	}
	x.value = append(x.value, p...)
	return nil
}

// commit sets the attribute. A size of 0 with XATTR_REPLACE is how v9fs says
// removexattr(2). A value of which only a part has arrived is dropped.
func (x *xattr) commit(n Node) error {
	switch {
	case !x.set:
		return nil
	case len(x.value) != x.size:
		return EINVAL
	case x.size == 0 && x.flags&XattrReplace != 0:
		return n.RemoveXattr(x.name)
	}
	return n.SetXattr(x.name, x.value, x.flags)
}

// maxXattrName is XATTR_NAME_MAX of Linux.
const maxXattrName = 255
