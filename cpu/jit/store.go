package jit

// Op says where one instruction of a block begins.
type Op struct {
	Code  uint16 // offset of its host code from Block.Code
	Guest uint16 // offset of its first byte from the block's
}

// Regions is how many parts the store has, and with it the memory of code. What
// is translated goes into one part until it is full, and then into the one that
// was filled longest ago, which is emptied first.
const Regions = 16

// minRegion is the fewest blocks of a region.
const minRegion = 64

// Store holds blocks and edges in arrays without pointers, named by index; index
// 0 stands for none.
type Store struct {
	Blocks []Block
	Edges  []Edge
	Ops    []Op

	size   place // of a region
	region int   // that translations go to
	next   place // what is free in it
	used   [Regions]place

	found found
	pages pages
}

// place is an index in each of the arrays.
type place struct{ block, edge, op uint32 }

// newStore makes a store in the room that the target has for it, of blocks at
// most, unless that is 0.
func newStore(m *Memory, arenaPages, blocks int) *Store {
	n := uint32(len(m.Blocks))
	if blocks > 0 {
		n = min(n, uint32(blocks))
	}
	n = max(n/Regions, minRegion)
	s := &Store{
		Blocks: m.Blocks, Edges: m.Edges, Ops: m.Ops,
		size:  place{n, 2 * n, 8 * n},
		found: newFound(foundBits),
		pages: newPages(arenaPages, int(Regions*n)),
	}
	s.begin(0)
	return s
}

// first is where region r begins.
func (s *Store) first(r int) place {
	if r == 0 {
		return place{1, 1, 0}
	}
	n := uint32(r)
	return place{n * s.size.block, n * s.size.edge, n * s.size.op}
}

// begin makes an empty region the one that translations go to.
func (s *Store) begin(r int) {
	s.region, s.next = r, s.first(r)
	s.used[r] = s.next
}

// keep says that what was added to the region stays.
func (s *Store) keep() { s.used[s.region] = s.next }

// drop takes back what was added since then.
func (s *Store) drop() { s.next = s.used[s.region] }

// full says that the region may have no room for another block.
func (s *Store) full() bool {
	end := s.first(s.region + 1)
	return s.next.block >= end.block || s.next.edge+2 > end.edge || s.next.op+MaxInsts > end.op
}

// addBlock adds a block with room for its instructions.
func (s *Store) addBlock(b Block) uint32 {
	i := s.next.block
	b.Ops = s.next.op
	s.Blocks[i] = b
	s.next.block++
	s.next.op += uint32(b.N)
	return i
}

func (s *Store) addEdge(e Edge) uint32 {
	i := s.next.edge
	s.Edges[i] = e
	s.next.edge++
	return i
}

// enter puts a block into the lists.
func (s *Store) enter(i uint32) {
	b := &s.Blocks[i]
	b.same = s.found.put(b.key(), i)
	for k, page := range b.pages() {
		p := &s.pages.list[page]
		b.page[k], p.first[k] = p.first[k], i
		b.listed[k] = true
		p.lines[k] |= b.lines(k)
		if p.blocks == 0 {
			s.pages.empty--
		}
		p.blocks++
	}
	b.Valid = true
}

// leave makes a block one that is not found any more.
func (s *Store) leave(i uint32) {
	b := &s.Blocks[i]
	b.Valid = false
	e := s.found.at(b.key())
	if e.block == i {
		if e.block = b.same; b.same == 0 {
			e.block = i // as remove looks for what is there
			s.found.remove(b.key())
		}
		return
	}
	p := &s.Blocks[e.block].same
	for *p != i {
		p = &s.Blocks[*p].same
	}
	*p = b.same
}

// connect notes that e leads to block to.
func (s *Store) connect(e, to uint32) {
	s.disconnect(e)
	in := &s.Blocks[to].in
	d := &s.Edges[e]
	d.To, d.next, d.prev = to, *in, 0
	if *in != 0 {
		s.Edges[*in].prev = e
	}
	*in = e
}

// disconnect notes that e leads nowhere.
func (s *Store) disconnect(e uint32) {
	d := &s.Edges[e]
	if d.To == 0 {
		return
	}
	if d.prev != 0 {
		s.Edges[d.prev].next = d.next
	} else {
		s.Blocks[d.To].in = d.next
	}
	if d.next != 0 {
		s.Edges[d.next].prev = d.prev
	}
	d.To, d.next, d.prev = 0, 0, 0
}
