package fs9p

import "math"

func (s *Server) lopen(c *call) error {
	var m Tlopen
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if f.file != nil {
		return EINVAL
	}
	if f.file, err = s.open(f.inode.node, m.Flags); err != nil {
		f.file = nil
		return err
	}
	f.flags = m.Flags
	r := Rlopen{QID: f.inode.node.QID()}
	r.code(&c.out)
	return nil
}

// open opens n. v9fs passes on the flags of open(2) after the file exists, so
// O_CREAT and O_EXCL mean nothing here, nor do those that the server has no use
// for. An O_TMPFILE that reaches a server is refused as open(2) refuses it on a
// file system without it (v9fs itself does so before it asks), so that the
// program falls back to a name and a rename.
func (s *Server) open(n Node, flags uint32) (File, error) {
	q := n.QID()
	if flags&OTmpfile != 0 {
		return nil, EOPNOTSUPP
	}
	if s.cfg.ReadOnly && (CanWrite(flags) || flags&OTrunc != 0) {
		return nil, EROFS
	}
	switch {
	case q.Type&QTDir != 0:
		if CanWrite(flags) || flags&OTrunc != 0 {
			return nil, EISDIR
		}
		return n.Open(flags)
	case flags&ODirectory != 0:
		return nil, ENOTDIR
	case q.Type == QTSymlink:
		return nil, ELOOP
	}
	if flags&OTrunc != 0 {
		if err := dropSetID(n); err != nil {
			return nil, err
		}
	}
	return n.Open(flags)
}

// lcreate makes a file and opens it; where one is there and O_EXCL is not
// given it is opened, as open(2) does.
func (s *Server) lcreate(c *call) error {
	var m Tlcreate
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.dir(m.Fid)
	if err != nil {
		return err
	}
	if f.file != nil {
		return EINVAL
	}
	if m.Flags&OTmpfile != 0 {
		return EOPNOTSUPP
	}
	dir, owner, mode, err := s.target(m.Fid, m.Name, m.GID, m.Mode&ModePerm|ModeRegular)
	if err != nil {
		return err
	}
	node, file, err := dir.Create(m.Name, m.Flags, mode, owner)
	if ErrnoOf(err) == EEXIST && m.Flags&OExcl == 0 {
		if node, err = dir.Walk(m.Name); err != nil {
			return err
		}
		if node.QID().Type&QTDir != 0 {
			err = EISDIR
		} else {
			file, err = s.open(node, m.Flags)
		}
		if err != nil {
			node.Release()
		}
	}
	if err != nil {
		return err
	}
	f.dir.drop()
	f.dir = f.inode
	s.name(f, m.Name)
	f.inode, f.file, f.flags = &inode{node, 1}, file, m.Flags
	r := Rlcreate{QID: node.QID()}
	r.code(&c.out)
	return nil
}

// opened looks up a fid that is open for what ok tells.
func (s *Server) opened(num uint32, ok func(flags uint32) bool) (*fid, error) {
	f, err := s.plain(num)
	if err == nil && (f.file == nil || !ok(f.flags)) {
		return nil, EBADF
	}
	return f, err
}

func (s *Server) read(c *call) error {
	var m Tread
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.fid(m.Fid)
	if err != nil {
		return err
	}
	count := int(min(m.Count, s.session.msize-ioHeaderLen))
	if f.xattr != nil {
		n, err := f.xattr.read(c, m.Offset, count)
		c.sendPayload(n)
		return err
	}
	if f.file == nil || !CanRead(f.flags) {
		return EBADF
	}
	if f.inode.node.QID().Type&QTDir != 0 {
		return EISDIR
	}
	if m.Offset > math.MaxInt64-uint64(count) {
		return EINVAL
	}
	p := c.payload(count)
	n := 0
	if w, ok := f.file.(Waiter); ok {
		var cancel func()
		n, cancel, err = w.StartRead(p, m.Offset, func(n int, err error) {
			s.done(c)
			c.sendPayload(n)
			s.finish(c, err)
		})
		if cancel != nil {
			return s.wait(c, count, cancel)
		}
	} else {
		n, err = f.file.ReadAt(p, m.Offset)
	}
	if n > 0 {
		err = nil
	}
	c.sendPayload(n)
	return err
}

func (s *Server) write(c *call) error {
	var m Twrite
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.fid(m.Fid)
	if err != nil {
		return err
	}
	if f.xattr != nil {
		if err := f.xattr.write(m.Offset, m.Data); err != nil {
			return err
		}
		return wrote(c, len(m.Data))
	}
	if f.file == nil || !CanWrite(f.flags) {
		return EBADF
	}
	if m.Offset > math.MaxInt64-uint64(len(m.Data)) {
		return EFBIG
	}
	n := 0
	if w, ok := f.file.(Waiter); ok {
		var cancel func()
		n, cancel, err = w.StartWrite(m.Data, m.Offset, func(n int, err error) {
			s.done(c)
			if err == nil {
				wrote(c, n)
			}
			s.finish(c, err)
		})
		if cancel != nil {
			return s.wait(c, len(m.Data), cancel)
		}
	} else if len(m.Data) > 0 {
		if err := dropSetID(f.node()); err != nil {
			return err
		}
		n, err = f.file.WriteAt(m.Data, m.Offset)
	}
	if n > 0 {
		err = nil
	}
	if err != nil {
		return err
	}
	return wrote(c, n)
}

func wrote(c *call, n int) error {
	r := Rwrite{Count: uint32(n)}
	r.code(&c.out)
	return nil
}

// readdir packs entries: qid[13] offset[8] type[1] name[s]. An entry's offset
// is the cookie that the next request begins behind.
func (s *Server) readdir(c *call) error {
	var m Treaddir
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.opened(m.Fid, CanRead)
	if err != nil {
		return err
	}
	if f.inode.node.QID().Type&QTDir == 0 {
		return ENOTDIR
	}
	c.payload(0)
	c.sendPayload(0)
	limit := ioHeaderLen + int(min(m.Count, s.session.msize-ioHeaderLen))
	full := false
	emit := func(d Dirent) bool {
		if len(c.out.b)+13+8+1+2+len(d.Name) > limit {
			full = true
			return false
		}
		c.out.qid(&d.QID)
		c.out.u64(&d.Cookie)
		c.out.u8(&d.Type)
		c.out.str(&d.Name)
		return true
	}
	if err := s.dots(f, m.Offset, emit); err != nil {
		return err
	}
	if !full {
		if err := f.file.ReadDir(max(m.Offset, DirStart), emit); err != nil {
			return err
		}
	}
	n := len(c.out.b) - ioHeaderLen
	if n == 0 && full {
		return EINVAL
	}
	c.sendPayload(n)
	return nil
}

// dots emits "." and "..", whose cookies are 1 and 2.
func (s *Server) dots(f *fid, offset uint64, emit func(Dirent) bool) error {
	q := f.inode.node.QID()
	if offset < 1 && !emit(Dirent{QID: q, Cookie: 1, Type: DirentType(ModeDir), Name: "."}) {
		return nil
	}
	if offset >= DirStart {
		return nil
	}
	if q.Path != f.root {
		up, err := f.inode.node.Walk("..")
		if err != nil {
			return err
		}
		q = up.QID()
		up.Release()
	}
	emit(Dirent{QID: q, Cookie: DirStart, Type: DirentType(ModeDir), Name: ".."})
	return nil
}

func (s *Server) fsync(c *call) error {
	var m Tfsync
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if f.file == nil {
		return EBADF
	}
	return f.file.Sync(m.Datasync != 0)
}
