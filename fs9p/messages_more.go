package fs9p

// maxWalk is MAXWELEM, the most names of one Twalk.
const maxWalk = 16

// Twalk asks for Names below Fid to be bound to NewFid; none clones Fid.
type Twalk struct {
	Fid, NewFid uint32
	Names       []string
}

// Type is part of [Message].
func (*Twalk) Type() MsgType { return MsgTwalk }

func (m *Twalk) code(c *coder) {
	c.u32(&m.Fid)
	c.u32(&m.NewFid)
	n := c.count(len(m.Names))
	if !c.append {
		m.Names = make([]string, n)
	}
	for i := range m.Names {
		c.str(&m.Names[i])
	}
}

// Rwalk tells the QIDs of the names that were found.
type Rwalk struct{ QIDs []QID }

// Type is part of [Message].
func (*Rwalk) Type() MsgType { return MsgTwalk + 1 }

func (m *Rwalk) code(c *coder) {
	n := c.count(len(m.QIDs))
	if !c.append {
		m.QIDs = make([]QID, n)
	}
	for i := range m.QIDs {
		c.qid(&m.QIDs[i])
	}
}

// count is the 16-bit number of elements of a walk; more than maxWalk is an
// error and counts as none.
func (c *coder) count(have int) int {
	n := uint16(min(have, 0xFFFF))
	c.u16(&n)
	if n > maxWalk {
		c.bad = true
		return 0
	}
	return int(n)
}

// Tfsync asks for what was written to Fid to be made durable. Datasync is
// nonzero for fdatasync; early clients do not send it.
type Tfsync struct{ Fid, Datasync uint32 }

// Type is part of [Message].
func (*Tfsync) Type() MsgType { return MsgTfsync }

func (m *Tfsync) code(c *coder) {
	c.u32(&m.Fid)
	if c.append || c.off < len(c.b) {
		c.u32(&m.Datasync)
	}
}

// Rgetattr carries Attr; Valid says which of its fields mean something.
type Rgetattr struct {
	Valid uint64
	QID   QID
	Attr  Attr
}

// Type is part of [Message].
func (*Rgetattr) Type() MsgType { return MsgTgetattr + 1 }

func (m *Rgetattr) code(c *coder) {
	a := &m.Attr
	c.u64(&m.Valid)
	c.qid(&m.QID)
	c.u32(&a.Mode)
	c.u32(&a.UID)
	c.u32(&a.GID)
	c.u64(&a.Nlink)
	c.u64(&a.Rdev)
	c.u64(&a.Size)
	c.u64(&a.BlockSize)
	c.u64(&a.Blocks)
	c.time(&a.Atime)
	c.time(&a.Mtime)
	c.time(&a.Ctime)
	c.time(&a.Btime)
	var generation, dataVersion uint64
	c.u64(&generation)
	c.u64(&dataVersion)
}

func (a *SetAttr) code(c *coder) {
	c.u32(&a.Valid)
	c.u32(&a.Mode)
	c.u32(&a.UID)
	c.u32(&a.GID)
	c.u64(&a.Size)
	c.time(&a.Atime)
	c.time(&a.Mtime)
}

func (s *Statfs) code(c *coder) {
	c.u32(&s.Type)
	c.u32(&s.BlockSize)
	c.u64(&s.Blocks)
	c.u64(&s.BlocksFree)
	c.u64(&s.BlocksAvail)
	c.u64(&s.Files)
	c.u64(&s.FilesFree)
	c.u64(&s.FSID)
	c.u32(&s.NameLen)
}
