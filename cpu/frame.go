package cpu

// frame is a run of pushes that is written as one, or not at all, to a stack
// that need not be the current one: interrupts and gates push so.
type frame struct {
	words [40]uint32 // in the order of the pushes
	n     int
	size  uint8 // of each word, 2 or 4 bytes
	user  bool  // subject to alignment checks
}

func (f *frame) push(words ...uint32) {
	f.n += copy(f.words[f.n:], words)
}

// stackTop is where a frame goes: a stack segment, the pointer into it and the
// half of the TLB that serves the accesses.
type stackTop struct {
	seg  *Seg
	sp   uint32
	half uint8
}

// mask is the part of ESP that addresses the stack.
func (s *stackTop) mask() uint32 {
	if s.seg.Attr&AttrDB != 0 {
		return 0xffffffff
	}
	return 0xffff
}

// below is the stack pointer after n bytes of pushes.
func (s *stackTop) below(n uint32) uint32 {
	m := s.mask()
	return s.sp&^m | (s.sp-n)&m
}

// fits says whether f lies within the limit of the stack segment, else #SS with
// the given error code is recorded.
func (c *CPU) fits(f *frame, s *stackTop, code uint32) bool {
	m := s.mask()
	for i := range f.n {
		off := s.below(uint32(i+1)*uint32(f.size)) & m
		if s.seg.Attr&AttrP == 0 || !s.seg.contains(off, uint32(f.size)) {
			c.raiseCode(vecSS, code)
			return false
		}
	}
	return true
}

// writeFrame writes f, which fits, and gives the new stack pointer; false, with
// a page fault recorded, where a page cannot be written.
func (c *CPU) writeFrame(f *frame, s *stackTop) (sp uint32, ok bool) {
	n := uint32(f.size)
	m := s.mask()
	for i := range f.n {
		lin := s.seg.Base + s.below(uint32(i+1)*n)&m
		if !c.reach(lin, write, s.half) || lin&0xfff+n > 0x1000 && !c.reach(lin+n-1, write, s.half) {
			return 0, false
		}
		if c.Data == NoTLB {
			if f.user && !c.alignedUser(lin, n) {
				return 0, false
			}
			c.watch(lin, n, write)
		}
	}
	for i := range f.n {
		lin := s.seg.Base + s.below(uint32(i+1)*n)&m
		v := f.words[i]
		e := &c.TLB[s.half][lin>>12&tlbMask]
		if e.W == (lin+3)&^0xfff && n == 4 {
			c.ram.Store32(e.Off+lin, v)
			continue
		}
		b := [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
		if c.storePieces(lin, b[:n], s.half) != next {
			// Only a stack inside its own page tables comes here.
			return 0, false
		}
	}
	return s.below(uint32(f.n) * n), true
}

// top is the current stack.
func (c *CPU) top() stackTop { return stackTop{&c.Seg[segSS], c.R[esp], c.Half} }

// innerStack reads the stack for privilege level dpl from the current TSS, with
// the checks that calls and interrupts share (SDM vol. 2A, CALL and INT). The
// descriptor is not yet marked as accessed.
func (c *CPU) innerStack(dpl uint8, ext uint32) (sel uint16, sp uint32, d descriptor, ok bool) {
	tr := &c.Seg[segTR]
	size, off := uint8(4), 4+8*uint32(dpl)
	if tr.Attr&type32 == 0 {
		size, off = 2, 2+4*uint32(dpl)
	}
	if off+uint32(size)+1 > tr.Limit {
		c.raiseSel(vecTS, tr.Sel, ext)
		return 0, 0, d, false
	}
	if sp, ok = c.sysLoad(tr.Base+off, size); !ok {
		return 0, 0, d, false
	}
	v, ok := c.sysLoad(tr.Base+off+uint32(size), 2)
	if !ok {
		return 0, 0, d, false
	}
	sel = uint16(v)
	d, ok = c.stackDescriptor(sel, dpl, vecTS, ext)
	return sel, sp, d, ok
}
