package cpu

// How often blocks are executed is counted for the back end, which translates
// the hot ones. A block counts its own executions. As the cache is flushed often
// where a back end serves what is hot, counts outlive it in a table.

// cold is the heat of a block that no back end translates.
const cold = 0xff

// heatBits is the size of the table: several times the blocks of a large
// program. Blocks that share an entry become hot the sooner.
const heatBits = 19

func heatIndex(off uint32, m Mode) uint32 {
	return (off ^ uint32(m)<<24) * 0x9e3779b1 >> (32 - heatBits)
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
	c.hot = true
	return true
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
	return c.blocks.heats[heatIndex(off, c.Mode)]
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
		c.blocks.heats[heatIndex(off, m)] = 0
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
				k.heats[heatIndex(b.off, b.mode)] = b.heat
			}
		}
	}
}

// warm gives a new block the heat that was noted of it.
func (k *blockCache) warm(b *block) {
	if k.heats != nil {
		b.heat = k.heats[heatIndex(b.off, b.mode)]
	}
}

// cool forgets the heat of a block whose code has changed.
func (k *blockCache) cool(b *block) {
	if k.heats != nil {
		k.heats[heatIndex(b.off, b.mode)] = 0
	}
}
