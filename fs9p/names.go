package fs9p

// newOwner tells who is to own a file made in the directory f by a message
// with the given group, and its mode: a set-group-ID directory gives its group
// to its files and the bit to its subdirectories (Linux inode_init_owner).
func (f *fid) newOwner(gid, mode uint32) (Owner, uint32, error) {
	a, err := f.inode.node.Attr()
	if err != nil {
		return Owner{}, 0, err
	}
	if a.Mode&ModeSetGID != 0 {
		gid = a.GID
		if mode&ModeType == ModeDir {
			mode |= ModeSetGID
		}
	}
	return Owner{UID: f.uid, GID: gid}, mode, nil
}

// target is where a file is to be made: the directory's node, and the owner and mode.
func (s *Server) target(dir uint32, name string, gid, mode uint32) (Node, Owner, uint32, error) {
	f, err := s.dir(dir)
	if err != nil {
		return nil, Owner{}, 0, err
	}
	if err := newName(name); err != nil {
		return nil, Owner{}, 0, err
	}
	owner, mode, err := f.newOwner(gid, mode)
	return f.inode.node, owner, mode, err
}

func (s *Server) symlink(c *call) error {
	var m Tsymlink
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	if m.Target == "" {
		return ENOENT
	}
	if len(m.Target) > maxTarget {
		return ENAMETOOLONG
	}
	node, owner, _, err := s.target(m.Fid, m.Name, m.GID, ModeSymlink)
	if err != nil {
		return err
	}
	var r Rsymlink
	if r.QID, err = node.Symlink(m.Name, m.Target, owner); err != nil {
		return err
	}
	r.code(&c.out)
	return nil
}

// maxTarget is the longest target of a symbolic link: PATH_MAX less its NUL.
const maxTarget = 4095

// mknod also makes regular files: v9fs sends it for a create without an open.
func (s *Server) mknod(c *call) error {
	var m Tmknod
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	var rdev uint64
	switch m.Mode & ModeType {
	case 0:
		m.Mode |= ModeRegular
	case ModeRegular, ModeFIFO, ModeSocket:
	case ModeChar, ModeBlock:
		rdev = MakeDev(m.Major, m.Minor)
	case ModeDir:
		return EPERM
	default:
		return EINVAL
	}
	node, owner, mode, err := s.target(m.Fid, m.Name, m.GID, m.Mode)
	if err != nil {
		return err
	}
	var r Rmknod
	if r.QID, err = node.Mknod(m.Name, mode, rdev, owner); err != nil {
		return err
	}
	r.code(&c.out)
	return nil
}

func (s *Server) mkdir(c *call) error {
	var m Tmkdir
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	node, owner, mode, err := s.target(m.Dir, m.Name, m.GID, m.Mode&ModePerm|ModeDir)
	if err != nil {
		return err
	}
	var r Rmkdir
	if r.QID, err = node.Mkdir(m.Name, mode, owner); err != nil {
		return err
	}
	r.code(&c.out)
	return nil
}

func (s *Server) link(c *call) error {
	var m Tlink
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	dir, err := s.dir(m.Dir)
	if err != nil {
		return err
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if err := newName(m.Name); err != nil {
		return err
	}
	if f.inode.node.QID().Type&QTDir != 0 {
		return EPERM
	}
	return dir.inode.node.Link(m.Name, f.inode.node)
}

// rename is the message of clients before Linux 3.1's Trenameat.
func (s *Server) rename(c *call) error {
	var m Trename
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	dir, err := s.dir(m.Dir)
	if err != nil {
		return err
	}
	if err := oldName(m.Name); err != nil {
		return err
	}
	if err := f.stillNamed(); err != nil {
		return err
	}
	if err := f.dir.node.Rename(f.name, dir.inode.node, m.Name); err != nil {
		return err
	}
	f.dir.drop()
	f.dir = dir.inode.hold()
	s.name(f, m.Name)
	return nil
}

func (s *Server) renameat(c *call) error {
	var m Trenameat
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	from, err := s.dir(m.OldDir)
	if err != nil {
		return err
	}
	to, err := s.dir(m.NewDir)
	if err != nil {
		return err
	}
	if err := oldName(m.OldName); err != nil {
		return err
	}
	if err := oldName(m.NewName); err != nil {
		return err
	}
	return from.inode.node.Rename(m.OldName, to.inode.node, m.NewName)
}

func (s *Server) unlinkat(c *call) error {
	var m Tunlinkat
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	dir, err := s.dir(m.Dir)
	if err != nil {
		return err
	}
	if m.Flags&^RemoveDir != 0 {
		return EINVAL
	}
	if err := oldName(m.Name); err != nil {
		return err
	}
	return dir.inode.node.Unlink(m.Name, m.Flags&RemoveDir != 0)
}

func (s *Server) readlink(c *call) error {
	var m Treadlink
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if f.inode.node.QID().Type != QTSymlink {
		return EINVAL
	}
	var r Rreadlink
	if r.Target, err = f.inode.node.Readlink(); err != nil {
		return err
	}
	if len(r.Target) > maxTarget {
		return ENAMETOOLONG
	}
	r.code(&c.out)
	return nil
}
