package cpu

import "alpinevm/cpu/mem"

// flushBlocks empties the cache.
func (c *CPU) flushBlocks() {
	k := &c.blocks
	k.keepHeat()
	clear(k.buckets[:])
	for p, b := range k.pages {
		if b != nil {
			k.pages[p] = nil
			c.mem.SetCode(uint32(p)<<12, c.linesOf(uint32(p)<<12))
		}
	}
	for _, b := range k.cross {
		c.mem.SetCode(b.off2, c.linesOf(b.off2))
	}
	k.cross = k.cross[:0]
	k.used, k.next, k.opsUsed, k.opNext = 0, 0, 0, 0
	k.flushes++
	c.stop()
}

// pauseWrites is how many changes of code pass between two looks whether the Run is
// overdue: each goes through the blocks of a page, of which there may be thousands.
const pauseWrites = 16

// CodeWritten is the mem.Watcher's: blocks that touch the lines of [off, off+n)
// are void.
func (c *CPU) CodeWritten(off, n uint32) {
	k := &c.blocks
	if k.writes++; k.writes%pauseWrites == 0 && c.running {
		c.Pause()
	}
	hit := mem.Lines(off, n)
	page := off &^ 0xfff
	var left uint64
	p := &k.pages[off>>12]
	for b := *p; b != nil; b = b.page {
		lines := mem.Lines(b.off, min(b.bytes(), 0x1000-b.off&0xfff))
		if lines&hit != 0 {
			b.valid = false
			*p = b.page
			c.unhash(b)
			k.cool(b, n)
			continue
		}
		left |= lines
		p = &b.page
	}
	live := k.cross[:0]
	for _, b := range k.cross {
		if b.off2 == page && b.valid {
			lines := mem.Lines(page, b.bytes()-(0x1000-b.off&0xfff))
			if lines&hit != 0 {
				b.valid = false
				c.unlist(b)
				c.unhash(b)
				k.cool(b, n)
			} else {
				left |= lines
			}
		}
		if b.valid {
			live = append(live, b)
		}
	}
	k.cross = live
	if c.backend != nil {
		left |= c.backend.CodeWritten(off, n)
	}
	c.mem.SetCode(page, left)
	c.stop()
}

// linesOf gives the lines of a page that hold what the back end has translated.
func (c *CPU) linesOf(off uint32) uint64 {
	if c.backend == nil {
		return 0
	}
	return c.backend.Lines(off)
}

// unhash takes b out of its hash bucket.
func (c *CPU) unhash(b *block) {
	p := &c.blocks.buckets[bucket(b.off, b.mode)]
	for *p != nil && *p != b {
		p = &(*p).chain
	}
	if *p == b {
		*p = b.chain
	}
}

// unlist takes b out of the list of its page.
func (c *CPU) unlist(b *block) {
	p := &c.blocks.pages[b.off>>12]
	for *p != nil && *p != b {
		p = &(*p).page
	}
	if *p == b {
		*p = b.page
	}
}

// markCode marks the lines of [off, off+n), in one page, as code.
func (c *CPU) markCode(off, n uint32) {
	old := c.mem.Code(off)
	lines := old | mem.Lines(off, n)
	if lines != old {
		c.mem.SetCode(off, lines)
		if old == 0 {
			c.protectPage(off)
		}
	}
}

// protectPage makes stores to the arena page at off take the slow path, since
// it now holds decoded code.
func (c *CPU) protectPage(off uint32) {
	off &^= 0xfff
	if c.backend != nil {
		c.backend.ProtectPage(off)
	}
	for h := range c.TLB[:NoTLB] {
		t := &c.TLB[h]
		for i := range t {
			if e := &t[i]; e.W != NoTag && e.Off+e.W == off {
				e.W = NoTag
			}
		}
	}
}

// Remapped is the mem.Watcher's: a device moved.
func (c *CPU) Remapped() {
	c.flushTLB(true)
}
