package fs9p

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// State is what a Server remembers, as plain data. Requests without a reply are
// not in it: those that a Waiter has the transport asks again.
type State struct {
	Msize uint32      // 0 before Tversion
	Fids  []FidState  // by Fid
	Locks []LockState // those of a file in one piece
}

// FidState is a row of the fid table. Files are told by their numbers.
type FidState struct {
	Fid   uint32
	QID   QID
	Root  uint64 // QID path of the directory that Tattach gave
	UID   uint32
	Named bool // Dir and Name hold: the directory that the walk came through, and the name there
	Dir   QID
	Name  string

	Open  bool
	Flags uint32 // of Tlopen or Tlcreate
	File  []byte // what a Resumable remembers

	IsXattr    bool // made by Txattrwalk, or, if Set, by Txattrcreate
	Set        bool
	XattrName  string
	XattrFlags uint32
	XattrSize  int // of what is to be set
	Value      []byte
}

// LockState is a lock; both ends belong to it.
type LockState struct {
	Path       uint64 // of the file's QID
	Start, End uint64
	Fid        uint32
	Proc       uint32
	Client     string
	Kind       uint8
}

// Resumable is a File that remembers something of its own, and that its Node can
// open again.
type Resumable interface {
	File
	// Saved gives that, some ten bytes.
	Saved() []byte
	// Resume is given it, in a File that has just been opened.
	Resume(saved []byte) error
}

// Quiet reports that no request is under way but for those that a Waiter has:
// only then is there a State.
func (s *Server) Quiet() bool { return s.queue == nil || s.queue.quiet() }

// Save gives a copy of the state. The server must be Quiet.
func (s *Server) Save() State {
	if !s.Quiet() {
		panic("BUG: fs9p: Save while requests are under way")
	}
	state := State{Msize: s.session.msize}
	numbers := map[*fid]uint32{}
	for num, f := range s.session.fids.All() {
		numbers[f] = num
		state.Fids = append(state.Fids, f.save(num))
	}
	slices.SortFunc(state.Fids, func(a, b FidState) int { return cmp.Compare(a.Fid, b.Fid) })
	for _, path := range slices.Sorted(maps.Keys(s.session.locks.files)) {
		for _, l := range s.session.locks.files[path] {
			state.Locks = append(state.Locks, LockState{path, l.start, l.end, numbers[l.fid], l.proc, l.client, l.kind})
		}
	}
	return state
}

func (f *fid) save(num uint32) FidState {
	row := FidState{Fid: num, QID: f.inode.node.QID(), Root: f.root, UID: f.uid, Open: f.file != nil, Flags: f.flags}
	if f.dir != nil {
		row.Named, row.Dir, row.Name = true, f.dir.node.QID(), f.name
	}
	if r, ok := f.file.(Resumable); ok {
		row.File = r.Saved()
	}
	if x := f.xattr; x != nil {
		row.IsXattr, row.Set, row.XattrName, row.XattrFlags, row.XattrSize = true, x.set, x.name, x.flags, x.size
		row.Value = slices.Clone(x.value)
	}
	return row
}

// Restore puts back a state, into a server that has not served. Files that the
// FS does not have any more answer ESTALE.
func (s *Server) Restore(state State) error {
	if s.session.msize != 0 || s.session.fids.Len() > 0 || !s.Quiet() {
		return errors.New("9p: a server that has served cannot be restored")
	}
	if err := s.check(&state); err != nil {
		return fmt.Errorf("9p: %w", err)
	}
	s.session.msize = state.Msize
	find := s.finder()
	for i := range state.Fids {
		row := &state.Fids[i]
		s.session.fids.Put(row.Fid, s.row(row, find))
	}
	for _, l := range state.Locks {
		f := s.session.fids.At(l.Fid)
		f.locks = true
		s.session.locks.files[l.Path] = append(s.session.locks.files[l.Path],
			lock{start: l.Start, end: l.End, fid: f, client: l.Client, proc: l.Proc, kind: l.Kind})
		s.session.locks.count++
	}
	return nil
}

// check says what is wrong with a state, which may be anybody's.
func (s *Server) check(state *State) error {
	if m := state.Msize; m != 0 && (m < minMsize || m > s.cfg.Msize) || m == 0 && len(state.Fids) > 0 {
		return fmt.Errorf("%d fids and messages of %d bytes, want up to %d", len(state.Fids), m, s.cfg.Msize)
	}
	if len(state.Fids) > s.cfg.MaxFids || len(state.Locks) > maxLocks {
		return fmt.Errorf("%d fids and %d locks, want up to %d and %d", len(state.Fids), len(state.Locks), s.cfg.MaxFids, maxLocks)
	}
	var sum charges
	for i := range state.Fids {
		row := &state.Fids[i]
		if row.Fid == noFid || i > 0 && row.Fid <= state.Fids[i-1].Fid {
			return fmt.Errorf("fid %d is out of order", row.Fid)
		}
		if err := row.check(); err != nil {
			return fmt.Errorf("fid %d: %w", row.Fid, err)
		}
		sum.names += len(row.Name)
		if row.IsXattr {
			sum.xattrs += row.makeXattr().held()
		}
	}
	if sum.names > maxNameBytes+MaxName*maxWalk || sum.xattrs > maxXattrBytes {
		return fmt.Errorf("names of %d bytes, attributes of %d", sum.names, sum.xattrs)
	}
	return state.checkLocks()
}

// maxList is XATTR_LIST_MAX of Linux: the names of one file, each with its NUL.
const maxList = 65536

func (row *FidState) check() error {
	switch {
	case row.Named && checkName(row.Name) != nil, !row.Named && row.Name != "":
		return fmt.Errorf("a file named %q", row.Name)
	case row.Open && row.IsXattr:
		return errors.New("both an open file and an attribute")
	case row.IsXattr && (len(row.XattrName) > maxXattrName || row.XattrSize < 0 || row.XattrSize > MaxXattr),
		row.IsXattr && row.Set && len(row.Value) > row.XattrSize,
		row.IsXattr && len(row.Value) > max(MaxXattr, maxList):
		return fmt.Errorf("an attribute of %d bytes, of which %d are there", row.XattrSize, len(row.Value))
	}
	return nil
}

// checkLocks looks for locks that nobody can hold.
func (state *State) checkLocks() error {
	for _, l := range state.Locks {
		_, known := slices.BinarySearchFunc(state.Fids, l.Fid, func(row FidState, fid uint32) int { return cmp.Compare(row.Fid, fid) })
		if !known || l.Kind > LockWrite || l.Start > l.End || len(l.Client) > maxClientID {
			return fmt.Errorf("a lock of kind %d from %d to %d by fid %d", l.Kind, l.Start, l.End, l.Fid)
		}
	}
	return nil
}

// finder gives a function that finds inodes by number. It finds each once.
func (s *Server) finder() func(q QID) *inode {
	numbered, _ := s.cfg.FS.(Numbered)
	found := map[uint64]*inode{}
	return func(q QID) *inode {
		if n := found[q.Path]; n != nil && n.node.QID().Type == q.Type {
			return n.hold()
		}
		var node Node = gone{q}
		if numbered != nil {
			if n, err := numbered.Inode(q.Path); err == nil && n.QID().Type == q.Type {
				node = n
			} else if err == nil {
				n.Release()
			}
		}
		n := &inode{node, 1}
		found[q.Path] = n
		return n
	}
}

// row makes a fid of its state.
func (s *Server) row(row *FidState, find func(q QID) *inode) *fid {
	f := &fid{inode: find(row.QID), root: row.Root, uid: row.UID}
	if row.Named {
		f.dir = find(row.Dir)
		s.name(f, row.Name)
	}
	if row.IsXattr {
		f.xattr = row.makeXattr()
		s.charged.xattrs += f.xattr.held()
	}
	if !row.Open {
		return f
	}
	f.flags = row.Flags
	file, err := f.inode.node.Open(row.Flags &^ (OTrunc | OCreate | OExcl))
	if r, ok := file.(Resumable); err == nil && ok {
		err = r.Resume(row.File)
	}
	if err != nil {
		if file != nil {
			file.Close()
		}
		file = goneFile{}
	}
	f.file = file
	return f
}

func (row *FidState) makeXattr() *xattr {
	return &xattr{name: row.XattrName, value: slices.Clone(row.Value), size: row.XattrSize, flags: row.XattrFlags, set: row.Set}
}
