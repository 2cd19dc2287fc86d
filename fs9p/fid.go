package fs9p

// noFid is NOFID: no fid at all.
const noFid = 1<<32 - 1

// noUID is what v9fs attaches with when it mounts, before any user is known.
const noUID = 1<<32 - 1

// A fid is one row of the fid table.
type fid struct {
	inode *inode
	root  uint64 // QID path of the directory that Tattach gave
	uid   uint32 // n_uname of that Tattach
	dir   *inode // directory that the last step of the walk was taken in, or nil
	name  string // and its name there; for Tremove and Trename only
	file  File   // not nil when open
	flags uint32 // those of the open
	xattr *xattr // not nil for a fid made by Txattrwalk or Txattrcreate
	locks bool   // holds locks
}

// node is what f stands for.
func (f *fid) node() Node {
	if b, ok := f.file.(Bound); ok {
		return b.Bound()
	}
	return f.inode.node
}

// An inode is a Node that fids share; it is released with the last of them.
type inode struct {
	node Node
	refs int
}

func (n *inode) hold() *inode {
	if n != nil {
		n.refs++
	}
	return n
}

func (n *inode) drop() {
	if n == nil {
		return
	}
	if n.refs--; n.refs == 0 {
		n.node.Release()
	}
}

// fid looks up a row of the table.
func (s *Server) fid(num uint32) (*fid, error) {
	f := s.session.fids.At(num)
	if f == nil {
		return nil, EBADF
	}
	return f, nil
}

// plain looks up a fid that is no xattr.
func (s *Server) plain(num uint32) (*fid, error) {
	f, err := s.fid(num)
	if err != nil {
		return nil, err
	}
	if f.xattr != nil {
		return nil, EBADF
	}
	if _, is := f.inode.node.(gone); is {
		return nil, ESTALE
	}
	return f, nil
}

// dir looks up a fid that is a directory.
func (s *Server) dir(num uint32) (*fid, error) {
	f, err := s.plain(num)
	if err == nil && f.inode.node.QID().Type&QTDir == 0 {
		return nil, ENOTDIR
	}
	return f, err
}

// vacant says why num cannot become a new fid.
func (s *Server) vacant(num uint32) error {
	switch {
	case num == noFid:
		return EBADF
	case s.session.fids.At(num) != nil:
		return EINVAL
	case s.session.fids.Len()+s.over.count >= s.cfg.MaxFids, s.charged.names >= maxNameBytes:
		return ENFILE
	}
	return nil
}

// release lets go of everything that f holds; its row is the caller's affair.
// The error is that of closing the file.
func (s *Server) release(f *fid) error {
	if f.locks {
		s.session.locks.unlock(f)
	}
	return s.letGo(f)
}

// letGo is release for a fid whose locks have gone.
func (s *Server) letGo(f *fid) error {
	var err error
	if f.file != nil {
		err = f.file.Close()
	}
	if f.xattr != nil {
		s.charged.xattrs -= f.xattr.held()
	}
	s.name(f, "")
	f.inode.drop()
	f.dir.drop()
	return err
}

// name tells f under which name it was walked to.
func (s *Server) name(f *fid, name string) {
	s.charged.names += len(name) - len(f.name)
	f.name = name
}

func (s *Server) attach(c *call) error {
	var m Tattach
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	if m.AFid != noFid {
		return EINVAL
	}
	if err := s.vacant(m.Fid); err != nil {
		return err
	}
	node, err := s.cfg.FS.Attach(m.Aname)
	if err != nil {
		return err
	}
	if m.UID == noUID {
		m.UID = 0
	}
	r := Rattach{QID: node.QID()}
	s.session.fids.Put(m.Fid, &fid{inode: &inode{node, 1}, root: r.QID.Path, uid: m.UID})
	r.code(&c.out)
	return nil
}

// walk binds newfid only if every name is found (walk(5)). A fid that is open
// may be walked from, v9fs clones such fids, but not be replaced.
func (s *Server) walk(c *call) error {
	var m Twalk
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if m.NewFid == m.Fid {
		if f.file != nil {
			return EINVAL
		}
	} else if err := s.vacant(m.NewFid); err != nil {
		return err
	}
	to := &fid{inode: f.inode.hold(), root: f.root, uid: f.uid, dir: f.dir.hold()}
	s.name(to, f.name)
	var qids [maxWalk]QID
	n := 0
	for _, name := range m.Names {
		if err = s.step(to, name); err != nil {
			break
		}
		qids[n] = to.inode.node.QID()
		n++
	}
	if n < len(m.Names) {
		s.release(to)
		if n == 0 {
			return err
		}
	} else {
		if m.NewFid == m.Fid {
			s.release(f)
		}
		s.session.fids.Put(m.NewFid, to)
	}
	r := Rwalk{QIDs: qids[:n]}
	r.code(&c.out)
	return nil
}

// step moves f one name on.
func (s *Server) step(f *fid, name string) error {
	q := f.inode.node.QID()
	switch {
	case q.Type&QTDir == 0:
		return ENOTDIR
	case name == ".", name == ".." && q.Path == f.root:
		return nil
	case name == "..":
	default:
		if err := checkName(name); err != nil {
			return err
		}
	}
	node, err := f.inode.node.Walk(name)
	if err != nil {
		return err
	}
	f.dir.drop()
	f.dir = f.inode
	if name == ".." {
		f.inode.drop()
		f.dir, name = nil, ""
	}
	s.name(f, name)
	f.inode = &inode{node, 1}
	return nil
}

// checkName says what is wrong with name as a component of a path.
func checkName(name string) error {
	if len(name) > MaxName {
		return ENAMETOOLONG
	}
	if name == "" {
		return ENOENT
	}
	for i := range len(name) {
		if name[i] == '/' || name[i] == 0 {
			return EINVAL
		}
	}
	return nil
}

// newName is checkName for a name that an entry is to have.
func newName(name string) error {
	if name == "." || name == ".." {
		return EEXIST
	}
	return checkName(name)
}

// oldName is checkName for a name that an entry is to lose.
func oldName(name string) error {
	if name == "." || name == ".." {
		return EINVAL
	}
	return checkName(name)
}

func (s *Server) clunk(c *call) error {
	var m Tclunk
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.fid(m.Fid)
	if err != nil {
		return err
	}
	s.session.fids.Delete(m.Fid)
	if f.xattr != nil {
		err = f.xattr.commit(f.inode.node)
	}
	if e := s.release(f); err == nil {
		err = e
	}
	return err
}

// remove clunks the fid, whether it can remove the file or not (remove(5)).
// Linux sends it only where Tunlinkat is not supported.
func (s *Server) remove(c *call) error {
	var m Tremove
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	f, err := s.plain(m.Fid)
	if err != nil {
		return err
	}
	if err = f.stillNamed(); err == nil {
		err = f.dir.node.Unlink(f.name, f.inode.node.QID().Type&QTDir != 0)
	}
	s.session.fids.Delete(m.Fid)
	s.release(f)
	return err
}

// stillNamed checks that the name that f was walked to is still that of its inode.
func (f *fid) stillNamed() error {
	if f.dir == nil {
		return EBUSY
	}
	node, err := f.dir.node.Walk(f.name)
	if err != nil {
		return err
	}
	defer node.Release()
	if node.QID().Path != f.inode.node.QID().Path {
		return ENOENT
	}
	return nil
}
