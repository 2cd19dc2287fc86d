package wasm

// kept is a region that has become a function.
type kept struct {
	valid   bool
	exits   []exit
	entries []uint32 // of the store
	pages   []lines
}

// lines are the lines of an arena page that a region has code in.
type lines struct {
	off  uint32
	mask uint64
}

// entry is where a region can be entered: at the start of a block. It serves at every
// linear address that its page is mapped at.
type entry struct {
	eip    uint32 // linear address that its code was made for
	off    uint32 // arena offset
	fn     uint32 // place of the region's function in the table
	pc     uint32 // number of the block
	next   uint32 // entry of the bucket; 0 is none
	jumped uint32 // linear address that the table of jumps has it at; 0 is none
	loaded bool   // the function is in the table
}

// start is what the function begins with where the entry is executed at eip.
func (d *entry) start(eip uint32) uint32 { return eip - d.eip | d.pc }

// Places in the table: the dispatcher's, and those of regions.
const (
	dispatchPlace = 0
	firstRegion   = 1
)

// store has what was translated. Regions are named by the place of their function
// in the table.
type store struct {
	regions []kept     // by place, as far as those have been used
	most    int        // of them, with what is at the other places
	spare   []uint32   // places that have been used and are free
	modules [][]uint32 // places of the functions of each, the oldest first
	entries []entry
	free    uint32 // the first entry that is not used
	buckets []uint32
	pages   map[uint32][]uint32 // regions with code in an arena page
	jumps   *[Jumps]Jump
}

const bucketBits = 17

func (s *store) init(regions int, jumps *[Jumps]Jump) {
	s.regions = make([]kept, firstRegion)
	s.most = int(firstRegion) + regions
	s.entries = make([]entry, 1, 1<<10)
	s.buckets = make([]uint32, 1<<bucketBits)
	s.pages = map[uint32][]uint32{}
	s.jumps = jumps
	for i := range jumps {
		jumps[i] = noJump
	}
}

func bucket(off uint32) uint32 { return off * 0x9e3779b1 >> (32 - bucketBits) }

// find gives the entry whose first byte lies at arena offset off; 0 is none.
func (s *store) find(off uint32) uint32 {
	for i := s.buckets[bucket(off)]; i != 0; i = s.entries[i].next {
		if s.entries[i].off == off {
			return i
		}
	}
	return 0
}

// enter adds an entry of a region. The newest of two for one place is found.
func (s *store) enter(d entry) {
	i := s.free
	if i != 0 {
		s.free = s.entries[i].next
	} else {
		i = uint32(len(s.entries))
		s.entries = append(s.entries, entry{})
	}
	h := &s.buckets[bucket(d.off)]
	d.next, *h = *h, i
	s.entries[i] = d
	r := &s.regions[d.fn]
	r.entries = append(r.entries, i)
}

// leave takes an entry away, and the jump that leads to it.
func (s *store) leave(i uint32) {
	d := &s.entries[i]
	p := &s.buckets[bucket(d.off)]
	for *p != i {
		p = &s.entries[*p].next
	}
	*p = d.next
	s.hideJump(d)
	d.next, s.free = s.free, i
}

// hideJump takes away the jump that leads to an entry.
func (s *store) hideJump(d *entry) {
	if j := s.jump(d.jumped); j.EIP == d.jumped && j.Fn == d.fn {
		*j = noJump
	}
	d.jumped = 0
}

// jump is the place of an address in the table of jumps.
func (s *store) jump(eip uint32) *Jump { return &s.jumps[(eip^eip>>jumpFold)&(Jumps-1)] }

// noteJump lets the dispatcher lead from eip to an entry, and from nowhere else.
func (s *store) noteJump(i, eip uint32) {
	d := &s.entries[i]
	if d.jumped != eip {
		s.hideJump(d)
		d.jumped = eip
	}
	*s.jump(eip) = Jump{EIP: eip, Off: d.off&^0xfff - eip&^0xfff, Fn: d.fn, Start: d.start(eip)}
}

// place gives a place that is free, if there is one.
func (s *store) place() (fn uint32, ok bool) {
	if n := len(s.spare); n > 0 {
		fn = s.spare[n-1]
		s.spare = s.spare[:n-1]
		return fn, true
	}
	if len(s.regions) == s.most {
		return 0, false
	}
	s.regions = append(s.regions, kept{})
	return uint32(len(s.regions) - 1), true
}

// much says that three quarters of the room are in use.
func (s *store) much() bool {
	return len(s.modules) >= maxModules/4*3 || len(s.regions)-len(s.spare) >= s.most-s.most/4
}

// list puts a region on the lists of its pages.
func (s *store) list(fn uint32) {
	for _, p := range s.regions[fn].pages {
		s.pages[p.off] = append(s.pages[p.off], fn)
	}
}

// linesOf gives the lines of an arena page that hold translated code.
func (s *store) linesOf(off uint32) (mask uint64) {
	for _, fn := range s.pages[off] {
		for _, p := range s.regions[fn].pages {
			if p.off == off {
				mask |= p.mask
			}
		}
	}
	return mask
}

// kill voids a region: nothing leads to it any more.
func (s *store) kill(fn uint32) {
	r := &s.regions[fn]
	r.valid = false
	for _, i := range r.entries {
		s.leave(i)
	}
	for _, p := range r.pages {
		list := s.pages[p.off]
		for k := range list {
			if list[k] == fn {
				list[k] = list[len(list)-1]
				list = list[:len(list)-1]
				break
			}
		}
		if s.pages[p.off] = list; len(list) == 0 {
			delete(s.pages, p.off)
		}
	}
	r.entries, r.pages, r.exits = nil, nil, nil
}
