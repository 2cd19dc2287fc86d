package cpu

import "alpinevm/cpu/mem"

// Peek copies what lies at the linear address lin on into p, through the page
// tables, and gives how many bytes it could: fewer than len(p) where a page is
// not present or is no memory. It is for traces: rights are not checked and
// nothing changes, neither accessed bits nor the TLB.
func (c *CPU) Peek(lin uint32, p []byte) int {
	n := 0
	for n < len(p) {
		pa, ok := c.Physical(lin)
		if !ok {
			break
		}
		off, kind := c.mem.Lookup(pa)
		if kind == mem.MMIO {
			break
		}
		left := min(len(p)-n, int(0x1000-lin&0xfff))
		for i := range left {
			p[n+i] = c.ram.Load8(off + uint32(i))
		}
		n += left
		lin += uint32(left)
	}
	return n
}

// Poke copies p to the linear address lin on, through the page tables, and gives how
// many bytes it could: fewer than len(p) where a page is not present or is no RAM. It
// is for debuggers: rights are not checked, and nothing else changes. Code that was
// there is forgotten.
func (c *CPU) Poke(lin uint32, p []byte) int {
	n := 0
	for n < len(p) {
		pa, ok := c.Physical(lin)
		if !ok {
			break
		}
		off, kind := c.mem.Lookup(pa)
		if kind != mem.RAM {
			break
		}
		k := pieces(lin, len(p)-n)
		c.mem.Store(off, p[n:n+k])
		n += k
		lin += uint32(k)
	}
	return n
}

// Physical translates a linear address through the page tables as they are, whatever
// their rights.
func (c *CPU) Physical(lin uint32) (pa uint64, ok bool) {
	if pa, ok = c.peekPage(lin); !c.A20 {
		pa &^= 1 << 20
	}
	return pa, ok
}

// peekPage translates lin (SDM vol. 3A 4.3, 4.4).
func (c *CPU) peekPage(lin uint32) (pa uint64, ok bool) {
	if c.CR0&cr0PG == 0 {
		return uint64(lin), true
	}
	if c.CR4&cr4PAE == 0 {
		pde := c.peekEntry(uint64(c.CR3&^0xfff+lin>>22<<2), 4)
		if pde&pteP != 0 && pde&ptePS != 0 && c.CR4&cr4PSE != 0 {
			return pde&0xffc00000 | uint64(lin&0x3fffff), true
		}
		pte := c.peekEntry(pde&^0xfff+uint64(lin>>12&0x3ff<<2), 4)
		return pte&^0xfff | uint64(lin&0xfff), pde&pte&pteP != 0
	}
	pdpte := c.PDPTE[lin>>30]
	pde := c.peekEntry(pdpte&paeAddress+uint64(lin>>21&0x1ff<<3), 8)
	if pdpte&pde&pteP != 0 && pde&ptePS != 0 {
		return pde&paeAddress&^0x1fffff | uint64(lin&0x1fffff), true
	}
	pte := c.peekEntry(pde&paeAddress+uint64(lin>>12&0x1ff<<3), 8)
	return pte&paeAddress | uint64(lin&0xfff), pdpte&pde&pte&pteP != 0
}

// peekEntry reads a paging-structure entry of size bytes; not present where
// there is no memory.
func (c *CPU) peekEntry(pa uint64, size int) uint64 {
	if off, kind := c.mem.Lookup(pa); kind == mem.MMIO {
		return 0
	} else if size == 4 {
		return uint64(c.ram.Load32(off))
	} else {
		return c.ram.Load64(off)
	}
}
