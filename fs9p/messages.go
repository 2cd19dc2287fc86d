package fs9p

// The messages of 9P2000.L, their fields in wire order. Fid fields that name a
// directory are called Dir; GID is the group that a new file is to have; Data
// aliases the message it was parsed from.

type (
	Rlerror struct {
		Errno uint32
	}
	Tstatfs struct {
		Fid uint32
	}
	Rstatfs struct {
		Statfs Statfs
	}
	Tlopen struct {
		Fid, Flags uint32
	}
	Rlopen struct {
		QID    QID
		IOUnit uint32
	}
	Tlcreate struct {
		Fid              uint32
		Name             string
		Flags, Mode, GID uint32
	}
	Rlcreate struct {
		QID    QID
		IOUnit uint32
	}
	Tsymlink struct {
		Fid          uint32
		Name, Target string
		GID          uint32
	}
	Rsymlink struct {
		QID QID
	}
	Tmknod struct {
		Fid                     uint32
		Name                    string
		Mode, Major, Minor, GID uint32
	}
	Rmknod struct {
		QID QID
	}
	Trename struct {
		Fid, Dir uint32
		Name     string
	}
	Rrename   struct{}
	Treadlink struct {
		Fid uint32
	}
	Rreadlink struct {
		Target string
	}
	Tgetattr struct {
		Fid  uint32
		Mask uint64
	}
	Tsetattr struct {
		Fid  uint32
		Attr SetAttr
	}
	Rsetattr   struct{}
	Txattrwalk struct {
		Fid, NewFid uint32
		Name        string
	}
	Rxattrwalk struct {
		Size uint64
	}
	Txattrcreate struct {
		Fid   uint32
		Name  string
		Size  uint64
		Flags uint32
	}
	Rxattrcreate struct{}
	Treaddir     struct {
		Fid    uint32
		Offset uint64
		Count  uint32
	}
	Rreaddir struct {
		Data []byte
	}
	Rfsync struct{}
	Tlock  struct {
		Fid           uint32
		Kind          uint8
		Flags         uint32
		Start, Length uint64
		ProcID        uint32
		ClientID      string
	}
	Rlock struct {
		Status uint8
	}
	Tgetlock struct {
		Fid           uint32
		Kind          uint8
		Start, Length uint64
		ProcID        uint32
		ClientID      string
	}
	Rgetlock struct {
		Kind          uint8
		Start, Length uint64
		ProcID        uint32
		ClientID      string
	}
	Tlink struct {
		Dir, Fid uint32
		Name     string
	}
	Rlink  struct{}
	Tmkdir struct {
		Dir       uint32
		Name      string
		Mode, GID uint32
	}
	Rmkdir struct {
		QID QID
	}
	Trenameat struct {
		OldDir  uint32
		OldName string
		NewDir  uint32
		NewName string
	}
	Rrenameat struct{}
	Tunlinkat struct {
		Dir   uint32
		Name  string
		Flags uint32
	}
	Runlinkat struct{}
	Tversion  struct {
		Msize   uint32
		Version string
	}
	Rversion struct {
		Msize   uint32
		Version string
	}
	Tauth struct {
		AFid         uint32
		Uname, Aname string
		UID          uint32
	}
	Rauth struct {
		QID QID
	}
	Tattach struct {
		Fid, AFid    uint32
		Uname, Aname string
		UID          uint32
	}
	Rattach struct {
		QID QID
	}
	Tflush struct {
		OldTag uint16
	}
	Rflush struct{}
	Tread  struct {
		Fid    uint32
		Offset uint64
		Count  uint32
	}
	Rread struct {
		Data []byte
	}
	Twrite struct {
		Fid    uint32
		Offset uint64
		Data   []byte
	}
	Rwrite struct {
		Count uint32
	}
	Tclunk struct {
		Fid uint32
	}
	Rclunk  struct{}
	Tremove struct {
		Fid uint32
	}
	Rremove struct{}
)

func (m *Rlerror) code(c *coder) {
	c.u32(&m.Errno)
}

func (m *Tstatfs) code(c *coder) {
	c.u32(&m.Fid)
}

func (m *Rstatfs) code(c *coder) {
	m.Statfs.code(c)
}

func (m *Tlopen) code(c *coder) {
	c.u32(&m.Fid)
	c.u32(&m.Flags)
}

func (m *Rlopen) code(c *coder) {
	c.qid(&m.QID)
	c.u32(&m.IOUnit)
}

func (m *Tlcreate) code(c *coder) {
	c.u32(&m.Fid)
	c.str(&m.Name)
	c.u32(&m.Flags)
	c.u32(&m.Mode)
	c.u32(&m.GID)
}

func (m *Rlcreate) code(c *coder) {
	c.qid(&m.QID)
	c.u32(&m.IOUnit)
}

func (m *Tsymlink) code(c *coder) {
	c.u32(&m.Fid)
	c.str(&m.Name)
	c.str(&m.Target)
	c.u32(&m.GID)
}

func (m *Rsymlink) code(c *coder) {
	c.qid(&m.QID)
}

func (m *Tmknod) code(c *coder) {
	c.u32(&m.Fid)
	c.str(&m.Name)
	c.u32(&m.Mode)
	c.u32(&m.Major)
	c.u32(&m.Minor)
	c.u32(&m.GID)
}

func (m *Rmknod) code(c *coder) {
	c.qid(&m.QID)
}

func (m *Trename) code(c *coder) {
	c.u32(&m.Fid)
	c.u32(&m.Dir)
	c.str(&m.Name)
}

func (*Rrename) code(*coder) {}

func (m *Treadlink) code(c *coder) {
	c.u32(&m.Fid)
}

func (m *Rreadlink) code(c *coder) {
	c.str(&m.Target)
}

func (m *Tgetattr) code(c *coder) {
	c.u32(&m.Fid)
	c.u64(&m.Mask)
}

func (m *Tsetattr) code(c *coder) {
	c.u32(&m.Fid)
	m.Attr.code(c)
}

func (*Rsetattr) code(*coder) {}

func (m *Txattrwalk) code(c *coder) {
	c.u32(&m.Fid)
	c.u32(&m.NewFid)
	c.str(&m.Name)
}

func (m *Rxattrwalk) code(c *coder) {
	c.u64(&m.Size)
}

func (m *Txattrcreate) code(c *coder) {
	c.u32(&m.Fid)
	c.str(&m.Name)
	c.u64(&m.Size)
	c.u32(&m.Flags)
}

func (*Rxattrcreate) code(*coder) {}

func (m *Treaddir) code(c *coder) {
	c.u32(&m.Fid)
	c.u64(&m.Offset)
	c.u32(&m.Count)
}

func (m *Rreaddir) code(c *coder) {
	c.data(&m.Data)
}

func (*Rfsync) code(*coder) {}

func (m *Tlock) code(c *coder) {
	c.u32(&m.Fid)
	c.u8(&m.Kind)
	c.u32(&m.Flags)
	c.u64(&m.Start)
	c.u64(&m.Length)
	c.u32(&m.ProcID)
	c.str(&m.ClientID)
}

func (m *Rlock) code(c *coder) {
	c.u8(&m.Status)
}

func (m *Tgetlock) code(c *coder) {
	c.u32(&m.Fid)
	c.u8(&m.Kind)
	c.u64(&m.Start)
	c.u64(&m.Length)
	c.u32(&m.ProcID)
	c.str(&m.ClientID)
}

func (m *Rgetlock) code(c *coder) {
	c.u8(&m.Kind)
	c.u64(&m.Start)
	c.u64(&m.Length)
	c.u32(&m.ProcID)
	c.str(&m.ClientID)
}

func (m *Tlink) code(c *coder) {
	c.u32(&m.Dir)
	c.u32(&m.Fid)
	c.str(&m.Name)
}

func (*Rlink) code(*coder) {}

func (m *Tmkdir) code(c *coder) {
	c.u32(&m.Dir)
	c.str(&m.Name)
	c.u32(&m.Mode)
	c.u32(&m.GID)
}

func (m *Rmkdir) code(c *coder) {
	c.qid(&m.QID)
}

func (m *Trenameat) code(c *coder) {
	c.u32(&m.OldDir)
	c.str(&m.OldName)
	c.u32(&m.NewDir)
	c.str(&m.NewName)
}

func (*Rrenameat) code(*coder) {}

func (m *Tunlinkat) code(c *coder) {
	c.u32(&m.Dir)
	c.str(&m.Name)
	c.u32(&m.Flags)
}

func (*Runlinkat) code(*coder) {}

func (m *Tversion) code(c *coder) {
	c.u32(&m.Msize)
	c.str(&m.Version)
}

func (m *Rversion) code(c *coder) {
	c.u32(&m.Msize)
	c.str(&m.Version)
}

func (m *Tauth) code(c *coder) {
	c.u32(&m.AFid)
	c.str(&m.Uname)
	c.str(&m.Aname)
	c.u32(&m.UID)
}

func (m *Rauth) code(c *coder) {
	c.qid(&m.QID)
}

func (m *Tattach) code(c *coder) {
	c.u32(&m.Fid)
	c.u32(&m.AFid)
	c.str(&m.Uname)
	c.str(&m.Aname)
	c.u32(&m.UID)
}

func (m *Rattach) code(c *coder) {
	c.qid(&m.QID)
}

func (m *Tflush) code(c *coder) {
	c.u16(&m.OldTag)
}

func (*Rflush) code(*coder) {}

func (m *Tread) code(c *coder) {
	c.u32(&m.Fid)
	c.u64(&m.Offset)
	c.u32(&m.Count)
}

func (m *Rread) code(c *coder) {
	c.data(&m.Data)
}

func (m *Twrite) code(c *coder) {
	c.u32(&m.Fid)
	c.u64(&m.Offset)
	c.data(&m.Data)
}

func (m *Rwrite) code(c *coder) {
	c.u32(&m.Count)
}

func (m *Tclunk) code(c *coder) {
	c.u32(&m.Fid)
}

func (*Rclunk) code(*coder) {}

func (m *Tremove) code(c *coder) {
	c.u32(&m.Fid)
}

func (*Rremove) code(*coder) {}
