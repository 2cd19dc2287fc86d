package fs9p

func (s *Server) statfs(c *call) error {
	var m Tstatfs
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	if _, err := s.plain(m.Fid); err != nil {
		return err
	}
	st, err := s.cfg.FS.Statfs()
	if err != nil {
		return err
	}
	if st.Type == 0 {
		st.Type = Magic
	}
	if st.NameLen == 0 {
		st.NameLen = MaxName
	}
	r := Rstatfs{Statfs: st}
	r.code(&c.out)
	return nil
}

func (s *Server) getattr(c *call) error {
	var m Tgetattr
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	a, err := f.node().Attr()
	if err != nil {
		return err
	}
	r := Rgetattr{Valid: m.Mask & (AttrBasic | AttrBtime), QID: f.inode.node.QID(), Attr: a}
	r.code(&c.out)
	return nil
}

// setattr also clears set-id bits where the owner or the size changes and the
// message says nothing of the mode.
func (s *Server) setattr(c *call) error {
	var m Tsetattr
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	a := m.Attr
	if a.Valid&SetSize != 0 {
		if a.Size > maxSize {
			return EFBIG
		}
		switch q := f.inode.node.QID(); {
		case q.Type&QTDir != 0:
			return EISDIR
		case q.Type != QTFile:
			return EINVAL
		}
	}
	if a.Valid&(SetUID|SetGID|SetSize) != 0 && a.Valid&SetMode == 0 {
		old, err := f.node().Attr()
		if err != nil {
			return err
		}
		if mode := ClearSetID(old.Mode); mode != old.Mode {
			a.Valid, a.Mode = a.Valid|SetMode, mode
		}
	}
	// chown(2): an ID of -1 means no change.
	if a.UID == noUID {
		a.Valid &^= SetUID
	}
	if a.GID == noUID {
		a.Valid &^= SetGID
	}
	a.Mode &= ModePerm
	return f.node().SetAttr(a)
}

// maxSize is the largest size of a file that an off_t can tell.
const maxSize = 1<<63 - 1

// dropSetID clears the set-id bits of a file that has been written to.
//
// Deviation: Linux lets a process with CAP_FSETID keep them, which 9P cannot tell.
func dropSetID(n Node) error {
	a, err := n.Attr()
	if err != nil {
		return err
	}
	if mode := ClearSetID(a.Mode); mode != a.Mode {
		return n.SetAttr(SetAttr{Valid: SetMode, Mode: mode & ModePerm})
	}
	return nil
}

// Apply makes the changes to a that s asks for, but for the size, which is the
// back end's affair beforehand. now is the time of the call.
func (s SetAttr) Apply(a *Attr, now Timespec) {
	if s.Valid&SetSize != 0 {
		a.Mtime = now
	}
	if s.Valid&SetMode != 0 {
		a.Mode = a.Mode&ModeType | s.Mode&ModePerm
	}
	if s.Valid&SetUID != 0 {
		a.UID = s.UID
	}
	if s.Valid&SetGID != 0 {
		a.GID = s.GID
	}
	if s.Valid&SetAtime != 0 {
		a.Atime = now
		if s.Valid&SetAtimeTo != 0 {
			a.Atime = s.Atime
		}
	}
	if s.Valid&SetMtime != 0 {
		a.Mtime = now
		if s.Valid&SetMtimeTo != 0 {
			a.Mtime = s.Mtime
		}
	}
	a.Ctime = now
}

// Relatime tells whether a read sets the access time, as mount(8)'s relatime
// has it: when it is not after the last change, or is a day old.
func Relatime(atime, mtime, ctime, now Timespec) bool {
	const day = 24 * 60 * 60
	return !mtime.Before(atime) || !ctime.Before(atime) || now.Sec-atime.Sec >= day
}

// Before tells whether t is earlier than u.
func (t Timespec) Before(u Timespec) bool {
	return t.Sec < u.Sec || t.Sec == u.Sec && t.Nsec < u.Nsec
}
