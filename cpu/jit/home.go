package jit

// A translation serves one linear address. Where each process has a library at
// another one, all of its code that was ever hot would be translated anew for
// each, however little a process executes of it. So the code of an arena page
// has a home, the linear page that it was translated at first; elsewhere its
// blocks are counted by their linear address before they are translated.

// awayBits is the size of the table of counts. Blocks that share a count are
// translated the sooner.
const awayBits = 16

// settled is how often the back end is asked about a block away from home until it
// translates it.
const settled = 12

func awayIndex(eip, off uint32) uint32 {
	return (eip ^ off>>12*0x85ebca6b) * 0x9e3779b1 >> (32 - awayBits)
}

// homes are the linear pages of arena pages, and counts of blocks away from them.
type homes struct {
	page []uint32 // number of the linear page and 1; 0 is none
	away [1 << awayBits]uint8
}

// at says whether code at arena offset off is at home at eip.
func (h *homes) at(eip, off uint32) bool {
	p := h.page[off>>12]
	return p == 0 || p == eip>>12+1
}

// worth says whether the hot block at eip is to be translated now, and counts
// that it was asked for.
func (h *homes) worth(eip, off uint32) bool {
	if h.at(eip, off) {
		return true
	}
	n := &h.away[awayIndex(eip, off)]
	*n++
	return *n >= settled
}

// warm says that the block has been executed where it is.
func (h *homes) warm(eip, off uint32) bool {
	return h.at(eip, off) || h.away[awayIndex(eip, off)] >= warm
}

// translated notes that the block has been.
func (h *homes) translated(eip, off uint32) {
	if h.at(eip, off) {
		h.page[off>>12] = eip>>12 + 1
		return
	}
	h.away[awayIndex(eip, off)] = 0
}

// left notes that no translated code begins in the arena page at off any more.
func (h *homes) left(off uint32) { h.page[off>>12] = 0 }
