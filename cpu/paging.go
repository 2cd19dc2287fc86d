package cpu

import (
	"math/bits"

	"alpinevm/cpu/mem"
)

// access is what a translation is asked for.
type access uint8

const (
	read access = iota
	write
	fetch
)

// Bits of paging-structure entries (SDM vol. 3A 4.3, 4.4).
const (
	pteP  = 1 << 0
	pteRW = 1 << 1
	pteUS = 1 << 2
	pteA  = 1 << 5
	pteD  = 1 << 6
	ptePS = 1 << 7
	pteG  = 1 << 8
	pteNX = 1 << 63

	// physical addresses have 36 bits
	paeReserved = 0x7ffffff000000000 &^ 0x7ff0000000000000 // bits 36 to 51
	paeAddress  = 0x0000000ffffff000
)

// Bits of the page-fault error code (SDM vol. 3A 4.7).
const (
	pfP    = 1 << 0
	pfW    = 1 << 1
	pfU    = 1 << 2
	pfRSVD = 1 << 3
	pfI    = 1 << 4
)

// place is where a linear address leads.
type place struct {
	pa   uint64
	off  uint32 // arena offset, where kind is RAM or ROM
	kind mem.Kind
}

// locate translates lin for an access by a half of the TLB, sets
// accessed and dirty bits, and fills the TLB. It says false with #PF recorded.
func (c *CPU) locate(lin uint32, acc access, half uint8) (place, bool) {
	w := walk{lin: lin, acc: acc, half: half}
	if !c.walk(&w) {
		return place{}, false
	}
	if !c.A20 {
		w.pa &^= 1 << 20
	}
	p := place{pa: w.pa}
	p.off, p.kind = c.mem.Lookup(p.pa)
	if p.kind != mem.MMIO {
		c.fill(&w, p)
	}
	return p, true
}

// fill enters a translation into the TLB.
func (c *CPU) fill(w *walk, p place) {
	s, half := c.Core, w.half
	page := w.lin &^ 0xfff
	i := w.lin >> 12 & tlbMask
	s.TLBValid[half].put(i, true) // the sets are fewer than the TLBs: one bounds check is for all
	s.TLBGlobal[half].put(i, w.global)
	s.TLBLarge[half].put(i, w.large)
	if w.large {
		c.large[half][w.lin>>22] = true
	}
	e := &s.TLB[half][i]
	e.R, e.W, e.X = NoTag, NoTag, NoTag
	if w.readable {
		e.R = page
	}
	e.Off = p.off&^0xfff - page
	if w.writable && w.dirty && p.kind == mem.RAM && c.mem.Code(p.off) == 0 {
		e.W = page
	}
	if w.executable {
		e.X = page
	}
	if c.stops != nil {
		c.stops.hide(e, page)
	}
}

// walk is one translation under way.
type walk struct {
	lin  uint32
	acc  access
	half uint8

	pa                             uint64
	readable, writable, executable bool
	dirty, global, large           bool
}

func (c *CPU) walk(w *walk) bool {
	switch {
	case c.CR0&cr0PG == 0:
		w.pa, w.dirty = uint64(w.lin), true
		w.readable, w.writable, w.executable = true, true, true
		return true
	case c.CR4&cr4PAE != 0:
		return c.walkPAE(w)
	}
	return c.walk32(w)
}

// errorCode is the #PF error code of the access without P and RSVD.
func (c *CPU) errorCode(w *walk) uint32 {
	var code uint32
	if w.acc == write {
		code = pfW
	}
	if w.half == HalfUser {
		code |= pfU
	}
	// SDM vol. 3A 4.7: I/D is set only where execute-disable or SMEP is in force.
	if w.acc == fetch && (c.CR4&cr4PAE != 0 && c.EFER&eferNXE != 0 || c.CR4&cr4SMEP != 0) {
		code |= pfI
	}
	return code
}

// permit checks rights that all levels grant together (SDM vol. 3A 4.6) and
// fills in w. rights has RW and US, nx says that a level forbids execution.
func (c *CPU) permit(w *walk, rights uint64, nx bool) bool {
	page := rights&pteUS != 0 // the user's
	w.readable, w.executable = true, !nx
	switch {
	case w.half == HalfUser:
		w.readable = page
		w.executable = w.executable && page
	case page:
		w.readable = c.CR4&cr4SMAP == 0 || w.half == HalfLifted
		w.executable = w.executable && c.CR4&cr4SMEP == 0
	}
	w.writable = w.readable && (rights&pteRW != 0 || w.half != HalfUser && c.CR0&cr0WP == 0)
	ok := w.readable
	switch w.acc {
	case write:
		ok = w.writable
	case fetch:
		ok = w.executable
	}
	if !ok {
		c.pageFault(w.lin, c.errorCode(w)|pfP)
	}
	return ok
}

// walk32 walks two levels of 32-bit entries (SDM vol. 3A 4.3).
func (c *CPU) walk32(w *walk) bool {
	pdeAddr := uint64(c.CR3&^0xfff + w.lin>>22<<2)
	pde := c.physRead32(pdeAddr)
	if pde&pteP == 0 {
		c.pageFault(w.lin, c.errorCode(w))
		return false
	}
	if pde&ptePS != 0 && c.CR4&cr4PSE != 0 {
		// Without PSE-36, bits 13 to 21 are reserved.
		if pde&0x003fe000 != 0 {
			c.pageFault(w.lin, c.errorCode(w)|pfP|pfRSVD)
			return false
		}
		if !c.permit(w, uint64(pde), false) {
			return false
		}
		c.touch32(w, pdeAddr, pde, true)
		w.pa, w.large = uint64(pde&0xffc00000|w.lin&0x3fffff), true
		w.global = pde&pteG != 0 && c.CR4&cr4PGE != 0
		return true
	}
	pteAddr := uint64(pde&^0xfff + w.lin>>12&0x3ff<<2)
	pte := c.physRead32(pteAddr)
	if pte&pteP == 0 {
		c.pageFault(w.lin, c.errorCode(w))
		return false
	}
	if !c.permit(w, uint64(pde&pte), false) {
		return false
	}
	if pde&pteA == 0 {
		c.physWrite32(pdeAddr, pde|pteA)
	}
	c.touch32(w, pteAddr, pte, true)
	w.pa = uint64(pte&^0xfff | w.lin&0xfff)
	w.global = pte&pteG != 0 && c.CR4&cr4PGE != 0
	return true
}

// touch32 sets accessed and, for the last level of a write, dirty.
func (c *CPU) touch32(w *walk, addr uint64, e uint32, leaf bool) {
	set := e | pteA
	if w.acc == write && leaf {
		set |= pteD
	}
	if set != e {
		c.physWrite32(addr, set)
	}
	w.dirty = set&pteD != 0
}

// walkPAE walks three levels of 64-bit entries, the first of which are the
// PDPTE registers (SDM vol. 3A 4.4).
func (c *CPU) walkPAE(w *walk) bool {
	pdpte := c.PDPTE[w.lin>>30]
	if pdpte&pteP == 0 {
		c.pageFault(w.lin, c.errorCode(w))
		return false
	}
	reserved := uint64(paeReserved)
	if c.EFER&eferNXE == 0 {
		reserved |= pteNX
	}
	pdeAddr := pdpte&paeAddress + uint64(w.lin>>21&0x1ff<<3)
	pde := c.physRead64(pdeAddr)
	if pde&pteP == 0 {
		c.pageFault(w.lin, c.errorCode(w))
		return false
	}
	large := pde&ptePS != 0
	if pde&reserved != 0 || large && pde&0x1fe000 != 0 {
		c.pageFault(w.lin, c.errorCode(w)|pfP|pfRSVD)
		return false
	}
	if large {
		if !c.permit(w, pde, pde&pteNX != 0) {
			return false
		}
		c.touch64(w, pdeAddr, pde)
		w.pa, w.large = pde&paeAddress&^0x1fffff|uint64(w.lin&0x1fffff), true
		w.global = pde&pteG != 0 && c.CR4&cr4PGE != 0
		return true
	}
	pteAddr := pde&paeAddress + uint64(w.lin>>12&0x1ff<<3)
	pte := c.physRead64(pteAddr)
	if pte&pteP == 0 {
		c.pageFault(w.lin, c.errorCode(w))
		return false
	}
	if pte&reserved != 0 {
		c.pageFault(w.lin, c.errorCode(w)|pfP|pfRSVD)
		return false
	}
	if !c.permit(w, pde&pte, (pde|pte)&pteNX != 0) {
		return false
	}
	if pde&pteA == 0 {
		c.physWrite32(pdeAddr, uint32(pde)|pteA)
	}
	c.touch64(w, pteAddr, pte)
	w.pa = pte&paeAddress | uint64(w.lin&0xfff)
	w.global = pte&pteG != 0 && c.CR4&cr4PGE != 0
	return true
}

// touch64 sets the bits of the last level, which lie in the low half.
func (c *CPU) touch64(w *walk, addr uint64, e uint64) {
	set := e | pteA
	if w.acc == write {
		set |= pteD
	}
	if set != e {
		c.physWrite32(addr, uint32(set))
	}
	w.dirty = set&pteD != 0
}

// loadPDPTEs loads the four PDPTE registers from CR3 = cr3 (SDM vol. 3A
// 4.4.1). It says false, with nothing changed, where a present entry has a
// reserved bit set: #GP(0).
func (c *CPU) loadPDPTEs(cr3 uint32) bool {
	var p [4]uint64
	for i := range p {
		p[i] = c.physRead64(uint64(cr3&^0x1f) + uint64(i*8))
		const reserved = 0xfffffff0000001e6
		if p[i]&pteP != 0 && p[i]&reserved != 0 {
			return false
		}
	}
	c.PDPTE = p
	return true
}

func (c *CPU) physRead32(pa uint64) uint32 {
	if !c.A20 {
		pa &^= 1 << 20
	}
	off, k := c.mem.Lookup(pa)
	if k == mem.MMIO {
		return c.mem.ReadMMIO(pa, 4)
	}
	return c.ram.Load32(off)
}

func (c *CPU) physRead64(pa uint64) uint64 {
	return uint64(c.physRead32(pa)) | uint64(c.physRead32(pa+4))<<32
}

func (c *CPU) physWrite32(pa uint64, v uint32) {
	if !c.A20 {
		pa &^= 1 << 20
	}
	switch off, k := c.mem.Lookup(pa); k {
	case mem.RAM:
		c.mem.Store(off, []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
	case mem.MMIO:
		c.mem.WriteMMIO(pa, 4, v)
	}
}

// flushTLB drops cached translations, global ones only if asked.
func (c *CPU) flushTLB(global bool) {
	c.stop()
	if c.backend != nil {
		c.backend.FlushTLB(global)
	}
	if global {
		c.clearTLB()
		return
	}
	for h := range c.TLBValid {
		t, keep := &c.TLB[h], &c.TLBGlobal[h]
		for w := range keep {
			for set := c.TLBValid[h][w] &^ keep[w]; set != 0; set &= set - 1 {
				t[w*64+bits.TrailingZeros64(set)].drop()
			}
			c.TLBValid[h][w] &= keep[w]
		}
	}
}

// clearTLB makes all entries match nothing, whatever they were.
func (s *State) clearTLB() {
	for h := range s.TLB {
		for i := range s.TLB[h] {
			s.TLB[h][i] = TLBEntry{NoTag, NoTag, NoTag, 0}
		}
	}
	s.TLBValid, s.TLBGlobal, s.TLBLarge = [NoTLB]TLBSet{}, [NoTLB]TLBSet{}, [NoTLB]TLBSet{}
}

// flushPage drops the translation of the page of lin (INVLPG, SDM vol. 3A
// 4.10.4.1), global or not, and with it all parts of a large page around it.
func (c *CPU) flushPage(lin uint32) {
	c.stop()
	if c.backend != nil {
		c.backend.FlushPage(lin)
	}
	i := lin >> 12 & tlbMask
	for h := range c.TLB[:NoTLB] {
		t := &c.TLB[h]
		t[i].drop()
		if !c.large[h][lin>>22] {
			continue
		}
		c.large[h][lin>>22] = false
		for w, set := range c.TLBLarge[h] {
			for ; set != 0; set &= set - 1 {
				if e := &t[w*64+bits.TrailingZeros64(set)]; (e.page()^lin)>>22 == 0 {
					e.drop()
				}
			}
		}
	}
}

// page is the linear page that e translates, as far as it matches anything.
func (e *TLBEntry) page() uint32 {
	if e.R != NoTag {
		return e.R
	}
	return e.X
}

// drop makes e match nothing.
func (e *TLBEntry) drop() { e.R, e.W, e.X = NoTag, NoTag, NoTag }
