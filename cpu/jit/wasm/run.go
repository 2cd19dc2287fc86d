package wasm

import (
	"alpinevm/cpu"
)

// pauseEvery is how many exits pass between two looks whether the Run is overdue.
const pauseEvery = 64

// Run is the cpu.Backend's.
func (t *Translator) Run(hot bool) cpu.Rest {
	c := t.cpu
	for !c.Attention() {
		if _, ok := c.Translatable(); !ok {
			if hot {
				return cpu.Untranslatable
			}
			return cpu.Untranslated
		}
		i := t.at(c.EIP)
		if i == 0 && hot {
			rest := t.translate(c.EIP)
			if i = t.at(c.EIP); i == 0 {
				return rest
			}
		}
		if i == 0 {
			return cpu.Untranslated
		}
		hot = false
		t.store.noteJump(i, c.EIP)
		if !t.enter(&t.store.entries[i]) {
			return cpu.Partial
		}
		if t.Stats.Entries%pauseEvery == 0 {
			c.Pause()
		}
	}
	return cpu.Untranslated
}

// at gives the entry at a linear address, as far as it is loaded; 0 is none.
func (t *Translator) at(eip uint32) uint32 {
	off, ok := t.fetch(eip)
	if !ok {
		return 0
	}
	i := t.store.find(off)
	if i == 0 || !t.store.entries[i].loaded {
		return 0
	}
	return i
}

// enter runs code from an entry on. It says false where the interpreter is to
// execute the block at EIP.
func (t *Translator) enter(d *entry) bool {
	c := t.cpu
	left := min(c.Left(), maxBudget)
	c.Budget = left
	t.Stats.Entries++
	tlb := t.layout.Tables + offTLB + uint32(c.Half)*halfSize
	code := t.host.Enter(t.layout.Core, tlb, d.start(c.EIP), d.fn)
	ran := left - uint64(int64(int32(c.Budget))) // instructions of all blocks begun
	if code == leaveJump {
		t.Stats.Jump++
		c.Advance(ran, c.EIP)
		return true
	}
	x := t.store.regions[code>>exitBits].exits[code&(maxExits-1)]
	c.Advance(ran-uint64(x.rest), x.eip+t.layout.Shared.Shift)
	switch x.kind {
	case exitBudget:
		t.Stats.Budget++
		c.Pause()
		return c.Left() >= uint64(x.rest)
	case exitInst:
		t.Stats.Inst++
		c.Interpret()
		return true
	}
	t.Stats.Miss++
	half := int(c.Half)
	c.Interpret() // alone: what follows could take the translation's place
	t.cache.fill(c, half, t.layout.Shared.Missed)
	return true
}
