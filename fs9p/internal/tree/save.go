package tree

import (
	"cmp"
	"math"
	"slices"

	"alpinevm/fs9p"
)

// pieceSize is how many bytes of changes Save gives at a time, about.
const pieceSize = 64 << 10

// Save calls write with the changes that make all that has a name of an empty
// tree, some at a time; what it is given is valid during the call only. Cookies
// are what they were, for the sake of those who are in the middle of a listing.
func (t *Tree) Save(write func(changes []byte) error) error {
	t.reap(math.MaxInt)
	s := saver{write: write}
	s.put(&Change{op: opLast, id: t.last})
	s.put(&Change{op: opBirth, id: rootID, when: t.root.btime})
	// Every inode is made with the first of its names that is met.
	linked := map[*Inode]bool{} // those of several names that have been met
	all := []*Inode{t.root}
	for i := 0; i < len(all); i++ {
		n := all[i]
		if n.dir == nil {
			continue
		}
		next := uint64(fs9p.DirStart) // the cookie given last where this is replayed
		skip := func(to uint64) {
			if next != to {
				s.put(&Change{op: opNext, id: n.id, to: to})
			}
			next = to + 1
		}
		for e := range n.dir.after(0) {
			c := e.node
			skip(e.cookie - 1)
			if linked[c] {
				s.put(&Change{op: opLink, id: c.id, dir: n.id, name: e.name})
				continue
			}
			all = append(all, c)
			if c.dir == nil && c.nlink > 1 {
				linked[c] = true
			}
			r := c.making(opMake)
			r.dir, r.name = n.id, e.name
			s.put(&r)
		}
		skip(n.dir.next)
	}
	s.attributes(all)
	s.flush()
	return s.err
}

// SaveNameless does the same for files that have lost their last name and are
// held by somebody. It belongs behind Save.
func (t *Tree) SaveNameless(write func(changes []byte) error) error {
	s := saver{write: write}
	all := t.nameless()
	for _, n := range all {
		r := n.making(opOrphan)
		s.put(&r)
	}
	s.attributes(all)
	s.flush()
	return s.err
}

// attributes tells those of inodes that are made: the last, since every name
// changes times.
func (s *saver) attributes(all []*Inode) {
	for _, n := range all {
		for _, x := range n.xattrs {
			s.put(&Change{op: opXattr, id: n.id, name: x.name, value: x.value})
		}
		s.put(&Change{op: opAttr, id: n.id, attrs: n.attrs})
	}
}

// making is the change that makes n.
func (n *Inode) making(op op) Change {
	return Change{op: op, id: n.id, attrs: n.attrs, rdev: n.rdev, value: n.target, when: n.btime}
}

// nameless gives the files that have lost their last name, by number.
func (t *Tree) nameless() (list []*Inode) {
	for _, n := range t.inodes.All() {
		if n.nlink == 0 {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *Inode) int { return cmp.Compare(a.id, b.id) })
	return list
}

// A saver codes changes and passes them on.
type saver struct {
	write func([]byte) error
	b     []byte
	err   error
}

func (s *saver) put(c *Change) {
	if s.err == nil {
		if s.b = c.AppendTo(s.b); len(s.b) >= pieceSize {
			s.flush()
		}
	}
}

func (s *saver) flush() {
	if s.err == nil && len(s.b) > 0 {
		s.err = s.write(s.b)
		s.b = s.b[:0]
	}
}

// Settle lets go of the files without a name that a Replay has made: those that
// nobody has asked for with Inode are no more.
func (t *Tree) Settle() {
	orphans := t.orphans
	t.orphans = nil
	for _, n := range orphans {
		n.Release()
	}
}
