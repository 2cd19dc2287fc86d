package jit

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// What to do behind an exit: enter block b at instruction i, or one of these as i.
const (
	again = -1 // look at where EIP is now
	leave = -2 // give the processor the word
)

// pauseEvery is how many exits, a few microseconds of them, pass between two
// looks whether the Run is overdue.
const pauseEvery = 64

// Run is the cpu.Backend's.
func (t *Translator) Run(hot bool) cpu.Rest {
	c := t.cpu
	for !c.Attention() {
		user, ok := c.Translatable()
		if !ok && hot {
			return cpu.Untranslatable
		}
		if !ok {
			return cpu.Untranslated
		}
		b := t.at(c.EIP, user)
		if b == 0 {
			if !hot {
				return cpu.Untranslated
			}
			if b = t.translate(c.EIP, user); b == 0 {
				return cpu.Untranslatable
			}
		}
		hot = false
		i := 0
		for i >= 0 {
			b, i = t.enter(b, i)
			if t.Stats.Entries%pauseEvery == 0 {
				if c.Pause(); c.Attention() {
					return cpu.Untranslated
				}
			}
		}
		if i == leave {
			return cpu.Partial
		}
	}
	return cpu.Untranslated
}

// at gives the translated block at a linear address, or 0.
func (t *Translator) at(eip uint32, user bool) uint32 {
	off, ok := t.fetch(eip, user)
	if !ok {
		return 0
	}
	return t.have(eip, off, user)
}

// have gives the block at eip whose first byte lies at arena offset off, or 0.
func (t *Translator) have(eip, off uint32, user bool) uint32 {
	page := t.pageOf(eip, off, user)
	if page == 0 {
		return 0
	}
	i := t.store.found.first(blockKey(page, off, user))
	if i == 0 || !t.store.Blocks[i].Cross {
		return i
	}
	page2 := t.second(eip, user)
	for i != 0 && t.store.Blocks[i].Page2 != page2 {
		i = t.store.Blocks[i].same
	}
	return i
}

// pageOf is pageAt where there is room.
func (t *Translator) pageOf(lin, off uint32, user bool) uint32 {
	if i := t.store.pages.of[off>>12]; i != 0 {
		return i
	}
	t.reserve(1)
	return t.pageAt(lin, off, user)
}

// second gives the page of code behind the one of eip, or NoFrame, which is none.
func (t *Translator) second(eip uint32, user bool) uint32 {
	eip = (eip | 0xfff) + 1
	if off, ok := t.fetch(eip, user); ok {
		if i := t.pageOf(eip, off, user); i != 0 {
			return i
		}
	}
	return NoFrame
}

// passed is called where the second page of a block was not there. Where it rests and
// another one is in its place, the block is void: edges that lead to it would leave
// each time.
func (t *Translator) passed(i uint32) {
	b := &t.store.Blocks[i]
	if page2 := t.second(t.cpu.EIP, b.User); page2 != b.Page2 && page2 != NoFrame && t.mem.Frames[b.Page2] == NoFrame {
		t.kill(i)
	}
}

// enter runs block b from instruction i on and does what its exit asks for.
func (t *Translator) enter(index uint32, i int) (uint32, int) {
	c, m := t.cpu, t.mem
	b := &t.store.Blocks[index]
	left := int64(min(c.Left(), maxBudget))
	m.Budget = int32(left)
	code := b.Code
	if i > 0 {
		// The block's instructions are counted when it is entered at its
		// first one.
		rest := int64(b.N) - int64(i)
		if left < rest {
			return 0, leave
		}
		m.Budget = int32(left - rest)
		code += uint32(t.store.Ops[b.Ops+uint32(i)].Code)
	}
	m.Page = c.EIP &^ 0xfff
	if m.Bottom-m.Calls > CallsSize/2 {
		t.forgetCalls()
	}
	t.setHalf()
	t.checkSegments()
	t.checkCrossings()
	t.Stats.Entries++
	ac, cpl := c.Flags&x86.FlagAC, c.CPL
	load(m.Context, &c.State, i > 0)
	t.target.Enter(code)
	store(m.Context, &c.State)
	switch {
	case c.CPL != cpl:
		c.ChangedPrivilege()
	case c.Flags&x86.FlagAC != ac:
		c.ChangedAC()
	}
	ran := left - int64(m.Budget) // instructions of all blocks begun

	value := m.Exit &^ ExitKind
	switch m.Exit & ExitKind {
	case ExitInst, ExitMiss, ExitBarred:
		kind := m.Exit & ExitKind
		index, i = value>>instBits, int(value&(1<<instBits-1))
		b = &t.store.Blocks[index]
		c.Advance(uint64(ran)-uint64(int(b.N)-i), b.entry(m.Page)+uint32(t.store.Ops[b.Ops+uint32(i)].Guest))
		if index, i = t.interpret(index, i, kind == ExitMiss); kind == ExitBarred {
			// Code behind it counts on its being allowed.
			return 0, again
		}
		return index, i
	case ExitBudget:
		t.Stats.Budget++
		b = &t.store.Blocks[value>>instBits]
		c.Advance(uint64(ran)-uint64(b.N), b.entry(m.Page))
		if c.Left() < uint64(b.N) {
			return 0, leave
		}
		c.Pause()
		return 0, again
	case ExitEdge:
		t.Stats.Edge++
		c.Advance(uint64(ran), m.Page+t.store.Edges[value].At)
		return t.follow(value)
	case ExitJump:
		t.Stats.Jump++
		c.Advance(uint64(ran), m.EIP)
		return t.jump()
	case ExitPage:
		t.Stats.Pages++
		index = value >> instBits
		c.Advance(uint64(ran), t.store.Blocks[index].entry(m.Page))
		t.passed(index)
		return 0, again
	}
	panic("BUG: generated code left in an unknown way")
}

// interpret lets the interpreter execute instruction i of a block, where EIP is.
func (t *Translator) interpret(index uint32, i int, miss bool) (uint32, int) {
	c := t.cpu
	b := &t.store.Blocks[index]
	next := b.entry(t.mem.Page) + uint32(b.Size)
	if i+1 < int(b.N) {
		next = b.entry(t.mem.Page) + uint32(t.store.Ops[b.Ops+uint32(i)+1].Guest)
	}
	addr, data := t.mem.Addr, c.Data
	done := c.Interpret()
	if miss {
		t.Stats.Miss++
		t.fill(int(data), addr)
	} else {
		t.Stats.Inst++
		t.learnSegment(done)
		if t.mem.Asked != 0 {
			t.learnCrossing(done)
		}
	}
	if i+1 == int(b.N) || c.EIP != next || c.Attention() || !t.lies(b) {
		return 0, again
	}
	if user, ok := c.Translatable(); !ok || user != b.User {
		return 0, again
	}
	return index, i + 1
}

// follow enters what an edge leads to, where EIP is, and links it. A near edge looks
// at no mapping: it is linked only within one page.
func (t *Translator) follow(edge uint32) (uint32, int) {
	e := &t.store.Edges[edge]
	from := &t.store.Blocks[e.From]
	to := t.at(t.cpu.EIP, from.User)
	if to == 0 {
		return 0, again
	}
	if from.Valid && (!e.Near || from.Page == t.store.Blocks[to].Page) {
		t.store.connect(edge, to)
		t.target.Link(e, &t.store.Blocks[to])
	}
	return to, 0
}

// jump enters what an indirect jump has led to, and notes it.
func (t *Translator) jump() (uint32, int) {
	eip := t.cpu.EIP
	user, ok := t.cpu.Translatable() // of where it has crossed to, if it has
	if !ok {
		return 0, again
	}
	to := t.at(eip, user)
	if to == 0 {
		return 0, again
	}
	t.noteJump(eip, to)
	return to, 0
}
