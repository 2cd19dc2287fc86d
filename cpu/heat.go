package cpu

import (
	"encoding/binary"

	"alpinevm/cpu/mem"
)

// How often blocks are executed is counted for the back end, which translates
// the hot ones. A block counts its own executions. As the cache is flushed often
// where a back end serves what is hot, and guests read a file again for each process that
// executes it, counts outlive blocks in a table, and are found by what the code is and not
// by where it lies.

// cold is the heat of a block that no back end translates.
const cold = 0xff

// heatBits is the size of the table: several times the blocks of a large
// program. Blocks that share an entry become hot the sooner.
const heatBits = 19

// heatSize is how many bytes of code tell it apart: beyond what compilers begin each
// function with.
const heatSize = 32

// heatIndex is where the count of a block at arena offset off is: by its bytes, and
// where they lie in a page.
func (c *CPU) heatIndex(off uint32, m Mode) uint32 {
	h := uint64(off&(mem.PageSize-1))<<8 | uint64(m)
	for code := c.ram.Bytes(off, min(heatSize, mem.PageSize-off%mem.PageSize)); len(code) >= 4; code = code[4:] {
		h = (h ^ uint64(binary.LittleEndian.Uint32(code))) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return uint32(h * 0x9e3779b97f4a7c15 >> (64 - heatBits))
}

// heat counts an execution of b, which is about to be entered. It says true
// where the back end is to be asked about it instead.
func (c *CPU) heat(b *block) bool {
	if b.heat == cold {
		return false
	}
	if b.heat < c.threshold {
		b.heat++
		return false
	}
	c.hot, c.hotBlock, c.hotAt = true, b, c.blocks.flushes
	return true
}

// findHot is find where the block at EIP has become hot.
func (c *CPU) findHot() *block {
	b := c.hotBlock
	if c.hotAt == c.blocks.flushes && b.valid && !b.cross && b.mode == c.Mode && c.Mode&ModeFlatCode != 0 && c.follows(b) {
		return b
	}
	return c.find()
}

// Heat is how often the interpreter has executed the block at arena offset off
// in the current mode, as far as it counts.
func (c *CPU) Heat(off uint32) uint8 {
	if b := c.blocks.lookup(off, c.Mode); b != nil {
		return b.heat
	}
	if c.blocks.heats == nil {
		return 0
	}
	return c.blocks.heats[c.heatIndex(off, c.Mode)]
}

// Cool says that the translation of the block at arena offset off, of code at CPL 3
// or 0, has gone for want of room. Its executions are counted anew: where more is
// hot than there is room for, translating it again at once would cost more than
// interpreting it.
func (c *CPU) Cool(off uint32, user bool) {
	m := translatable | ModeSystem
	if user {
		m = translatable | ModeUser
	}
	if b := c.blocks.lookup(off, m); b != nil && b.heat != cold {
		b.heat = 0
	}
	if c.blocks.heats != nil {
		c.blocks.heats[c.heatIndex(off, m)] = 0
	}
}

// keepHeat notes the heat of all blocks, which are about to go. What will never
// be translated is found out anew.
func (k *blockCache) keepHeat() {
	if k.heats == nil {
		return
	}
	for i, chunk := range k.blocks[:k.used] {
		if i == k.used-1 {
			chunk = chunk[:k.next]
		}
		for j := range chunk {
			if b := &chunk[j]; b.valid && b.heat != cold {
				k.heats[b.heats] = b.heat
			}
		}
	}
}

// warm gives a new block the heat that was noted of it.
func (c *CPU) warm(b *block) {
	if k := &c.blocks; k.heats != nil {
		b.heats = c.heatIndex(b.off, b.mode)
		b.heat = k.heats[b.heats]
	}
}

// cool notes the heat of a block that is void since n bytes change: it may come back
// with all of its page. Where a few bytes do it forgets it, or code that changes all
// the time would be translated each time.
func (k *blockCache) cool(b *block, n uint32) {
	switch {
	case k.heats == nil:
	case n < Renewed:
		k.heats[b.heats] = 0
	case b.heat != cold:
		k.heats[b.heats] = b.heat
	}
}
