package jit

// Op says where one instruction of a block begins.
type Op struct {
	Code  uint16 // offset of its host code from Block.Code
	Guest uint16 // offset of its first byte from Block.EIP
}

// Store holds blocks and edges in arrays without pointers, named by index; index
// 0 stands for none. It is emptied as a whole.
type Store struct {
	Blocks []Block
	Edges  []Edge
	Ops    []Op

	buckets []uint32
	pages   []uint32 // first block of each arena page
	pages2  []uint32 // first block that reaches into it from the page before
}

const bucketBits = 18

// newStore makes a store in the room that the target has for it.
func newStore(m *Memory, arenaPages int) *Store {
	s := &Store{
		Blocks: m.Blocks[:0], Edges: m.Edges[:0], Ops: m.Ops[:0],
		buckets: make([]uint32, 1<<bucketBits),
		pages:   make([]uint32, arenaPages),
		pages2:  make([]uint32, arenaPages),
	}
	s.clear()
	return s
}

func (s *Store) clear() {
	clear(s.buckets)
	clear(s.pages)
	clear(s.pages2)
	s.Blocks = append(s.Blocks[:0], Block{})
	s.Edges = append(s.Edges[:0], Edge{})
	s.Ops = s.Ops[:0]
}

// full says that there may be no room for another unit.
func (s *Store) full() bool {
	return len(s.Blocks)+maxUnit >= cap(s.Blocks) || len(s.Edges)+2*maxUnit >= cap(s.Edges) ||
		len(s.Ops)+maxUnit*MaxInsts >= cap(s.Ops)
}

func bucket(eip uint32, user bool) uint32 {
	if user {
		eip = ^eip
	}
	return eip * 0x9e3779b1 >> (32 - bucketBits)
}

// find gives the index of the valid block at eip whose first byte lies at arena
// offset off.
func (s *Store) find(eip, off uint32, user bool) uint32 {
	for i := s.buckets[bucket(eip, user)]; i != 0; i = s.Blocks[i].hash {
		if b := &s.Blocks[i]; b.EIP == eip && b.Off == off && b.User == user && b.Valid {
			return i
		}
	}
	return 0
}

// enter puts a block into the lists.
func (s *Store) enter(i uint32) {
	b := &s.Blocks[i]
	h := &s.buckets[bucket(b.EIP, b.User)]
	b.hash, *h = *h, i
	p := &s.pages[b.Off>>12]
	b.page, *p = *p, i
	if b.Cross {
		p = &s.pages2[b.Off2>>12]
		b.page2, *p = *p, i
	}
	b.Valid = true
}

// unhash takes a block out of its bucket.
func (s *Store) unhash(i uint32) {
	b := &s.Blocks[i]
	p := &s.buckets[bucket(b.EIP, b.User)]
	for *p != 0 && *p != i {
		p = &s.Blocks[*p].hash
	}
	if *p == i {
		*p = b.hash
	}
}

// connect notes that e leads to block to.
func (s *Store) connect(e, to uint32) {
	if old := s.Edges[e].To; old != 0 {
		p := &s.Blocks[old].in
		for *p != 0 && *p != e {
			p = &s.Edges[*p].next
		}
		if *p == e {
			*p = s.Edges[e].next
		}
	}
	s.Edges[e].To = to
	s.Edges[e].next, s.Blocks[to].in = s.Blocks[to].in, e
}
