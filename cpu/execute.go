package cpu

// execute runs blocks, chained to each other, until something needs the
// attention of Run. The loop over ops stands in it, since a call a block costs
// a tenth of the speed. b is the block at EIP, or nil where that has yet to be found.
func (c *CPU) execute(b *block) {
	s := c.Core
	if b == nil {
		b = c.find()
	}
	for b != nil {
		n := int(b.n)
		if left := s.Limit - s.Retired; uint64(n) > left {
			n = int(left)
			if b.quiet {
				b = c.partOf(b, n)
			}
		}
		c.n, c.precise = n, n == 1
		from, o, i := s.EIP, b.first, 1
		st := o.fn(c, o)
		for ; st == next && i < c.n; i++ {
			o = o.after()
			st = o.fn(c, o)
		}
		if st == faulted {
			s.Retired += uint64(i - 1)
			s.EIP += uint32(o.start)
			if !c.retrying {
				break
			}
			c.redo()
			return
		}
		s.Retired += uint64(i)
		slot := exitTo
		if st == next {
			slot = exitBehind
			s.EIP += uint32(o.start) + uint32(o.len)
			if i < int(b.n) {
				return
			}
		}
		if s.Pending != 0 || s.Retired >= s.Limit {
			return
		}
		if st == elsewhere {
			b = c.find()
		} else if nb := b.link[slot]; nb != nil && nb.valid && (b.near[slot] || c.follows(nb)) {
			b = nb
		} else {
			b = c.successor(b, slot, from)
		}
		if c.backend != nil && b != nil && c.heat(b) {
			return
		}
	}
	c.failed()
}

// The links of a block.
const (
	exitBehind = iota // behind its last instruction
	exitTo            // to the target of its branch
)

// successor finds the block that follows b, which was entered at from, and links
// it to b where that is allowed; nil with a fault recorded.
func (c *CPU) successor(b *block, slot int, from uint32) *block {
	const linkable = ModeFlatCode | ModeCode32
	flushes := c.blocks.flushes
	nb := c.find()
	// A block that crosses pages is looked up each time, since its second page
	// may have been mapped anew. A flush has given b's memory to others.
	// One that stands alone is in a page that a debugger looks at.
	if nb != nil && flushes == c.blocks.flushes && b.valid && nb.valid && !nb.cross && b.mode&(linkable|alone) == linkable && nb.mode&alone == 0 {
		b.link[slot] = nb
		b.near[slot] = !b.cross && (from^c.EIP)&^0xfff == 0
	}
	return nb
}

// redo executes the instruction that asked for it once more, with an exact
// count.
func (c *CPU) redo() {
	c.retrying = false
	c.unobserve()
	if c.DebugHits != 0 {
		c.DebugHits = 0
		c.updateEvents()
	}
	if c.Retired < c.Limit {
		c.single()
	}
}

// single executes one instruction with an exact count. It says false where it
// has delivered an exception of it.
func (c *CPU) single() bool {
	b := c.findOne()
	if b != nil && b.quiet {
		b = c.partOf(b, 1)
	}
	if b == nil {
		c.failed()
		return false
	}
	c.n, c.precise = 1, true
	o := b.first
	switch o.fn(c, o) {
	case faulted:
		c.failed()
		return false
	case next:
		c.EIP += uint32(o.len)
	}
	c.Retired++
	return true
}

// failed delivers the recorded fault of the instruction at EIP.
func (c *CPU) failed() {
	c.DebugHits = 0
	c.unobserve()
	c.Retired++
	c.deliver()
}
