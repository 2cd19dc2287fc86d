package wasm

import "alpinevm/cpu"

// Generated code looks into a translation cache of its own, for data and for code. It
// holds what the processor's has held, and loses it when that does or before. That it
// holds more, and for longer, is what a larger translation cache may do (SDM vol. 3A
// 4.10.2): the processor's has 512 entries and loses them to each other, and what code
// does not find costs it a thousand instructions.

const (
	tlbBits    = 13
	tlbEntries = 1 << tlbBits
)

// halves are those of the processor's cache that serve instructions, or data while
// EFLAGS.AC lifts SMAP.
const halves = cpu.NoTLB

// TLB is the cache, direct-mapped by linear page: an entry is like one of cpu.TLB.
type TLB [halves][tlbEntries]cpu.TLBEntry

// slotOf is the index of a linear address.
func slotOf(lin uint32) uint32 { return lin >> 12 % tlbEntries }

// slotList is a list of entries that are in use, each once.
type slotList struct {
	slots  []uint32
	listed [tlbEntries / 64]uint64
}

func (l *slotList) add(slot uint32) {
	if bit := uint64(1) << (slot % 64); l.listed[slot/64]&bit == 0 {
		l.listed[slot/64] |= bit
		l.slots = append(l.slots, slot)
	}
}

// cache is the TLB with what is known of its entries.
type cache struct {
	tlb *TLB
	// local and global have the entries in use: one that has been both is on both.
	local, global [halves]slotList
	large         [halves][1024 / 64]uint64 // of which 4 MiB some part was of a large page
	writable      []bool                    // by arena page: an entry may let it be written
}

func (k *cache) init(tlb *TLB, pages int) {
	k.tlb, k.writable = tlb, make([]bool, pages)
	for h := range tlb {
		for i := range tlb[h] {
			tlb[h][i] = noTranslation(uint32(i))
		}
	}
}

// noTag is the tag of an entry that no address of a page with that slot differs from in
// the offset in the page alone: that of a page with another slot.
func noTag(slot uint32) uint32 { return (slot ^ 1) << 12 }

func noTranslation(slot uint32) cpu.TLBEntry {
	return cpu.TLBEntry{R: noTag(slot), W: noTag(slot), X: noTag(slot)}
}

// fill enters what the processor knows of the page of lin.
func (k *cache) fill(c *cpu.CPU, h int, lin uint32) {
	tr := c.Translation(h, lin)
	page, slot := lin&^0xfff, slotOf(lin)
	e := noTranslation(slot)
	off, large, reads := tr.Read()
	if reads {
		e.R = page
	}
	if _, _, fetches := tr.Fetch(); fetches {
		e.X = page
	}
	if e == noTranslation(slot) {
		return
	}
	if e.Off = off - page; tr.Write() {
		e.W = page
		k.writable[off>>12] = true
	}
	if tr.Global() {
		k.global[h].add(slot)
	} else {
		k.local[h].add(slot)
	}
	if large {
		k.large[h][lin>>22/64] |= 1 << (lin >> 22 % 64)
	}
	k.tlb[h][slot] = e
}

// dropAll empties the entries of a list, and the list.
func (k *cache) dropAll(h int, l *slotList) {
	for _, slot := range l.slots {
		k.tlb[h][slot] = noTranslation(slot)
		l.listed[slot/64] = 0
	}
	l.slots = l.slots[:0]
}

func (k *cache) flush(global bool) {
	for h := range k.tlb {
		k.dropAll(h, &k.local[h])
		if global {
			k.dropAll(h, &k.global[h])
			k.large[h] = [len(k.large[h])]uint64{}
		}
	}
}

// flushPage forgets the page of lin, and all parts of a large page around it.
func (k *cache) flushPage(lin uint32) {
	page := lin &^ 0xfff
	for h := range k.tlb {
		first, last := page>>12, page>>12
		if k.large[h][lin>>22/64]>>(lin>>22%64)&1 != 0 {
			first, last = first&^1023, last|1023
		}
		for p := first; p <= last; p++ {
			slot := p % tlbEntries
			if e := &k.tlb[h][slot]; e.R == p<<12 || e.X == p<<12 {
				*e = noTranslation(slot)
			}
		}
	}
}

// protect takes the right to write to the arena page at off.
func (k *cache) protect(off uint32) {
	if off &^= 0xfff; !k.writable[off>>12] {
		return
	}
	k.writable[off>>12] = false
	for h := range k.tlb {
		for _, l := range []*slotList{&k.local[h], &k.global[h]} {
			for _, slot := range l.slots {
				if e := &k.tlb[h][slot]; e.W != noTag(slot) && e.Off+e.W == off {
					e.W = noTag(slot)
				}
			}
		}
	}
}
