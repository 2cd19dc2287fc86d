package wasm

import (
	"slices"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// Bounds of a region.
const (
	maxBlocks = 50
	maxPages  = 4
	maxInsts  = 32 // of a block
)

// block is a run of instructions of a region, entered at its first one.
type block struct {
	eip   uint32 // linear address of the first instruction, with a flat CS
	off   uint32 // arena offset of its first byte
	off2  uint32 // arena offset of the second page, where cross
	insts []jit.Inst
	cross bool // its only instruction reaches into the next page
	// ends says that the last instruction leaves by itself: a branch, or
	// one that the interpreter executes.
	ends bool
}

func (b *block) last() *jit.Inst { return &b.insts[len(b.insts)-1] }

// next is the address behind the block.
func (b *block) next() uint32 { return b.last().Next() }

// size is how many bytes it has.
func (b *block) size() uint32 { return b.next() - b.eip }

// region is what becomes one function: blocks that lead to each other.
type region struct {
	blocks []block // by address
	pages  []page
}

// page is a linear page that a region has code in.
type page struct{ lin, off uint32 }

// find gives the number of the block at eip, or -1.
func (r *region) find(eip uint32) int {
	i, ok := slices.BinarySearchFunc(r.blocks, eip, func(b block, eip uint32) int {
		switch {
		case b.eip < eip:
			return -1
		case b.eip > eip:
			return 1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return i
}

// maxCallers is how many places a return is compared with.
const maxCallers = 4

// callers gives where in the region a RET at eip may lead: behind its calls of the
// function that eip is in, the one that begins nearest below it.
func (r *region) callers(eip uint32) (next []uint32) {
	first := uint32(0)
	for i := range r.blocks {
		b := &r.blocks[i]
		to, direct := target(b.last())
		if b.last().Op != x86.CALL || !direct || to > eip || to < first || r.find(b.next()) < 0 {
			continue
		}
		if to > first {
			first, next = to, next[:0]
		}
		if len(next) < maxCallers {
			next = append(next, b.next())
		}
	}
	return next
}

// candidate is an address that a region may go on at.
type candidate struct {
	eip uint32
	// sure says that it follows an instruction that the interpreter executes, or
	// a block that was long enough: it need not be the start of a block that has
	// been executed.
	sure bool
}

// gather finds the region around eip: what it leads to without an indirect jump,
// as far as it has been executed and is not translated already. It says false
// where there is no code for the first instruction.
func (t *Translator) gather(eip uint32) bool {
	r := &t.region
	r.blocks, r.pages, t.insts = r.blocks[:0], r.pages[:0], t.insts[:0]
	t.queue = append(t.queue[:0], candidate{eip, true})
	for i := 0; i < len(t.queue) && len(r.blocks) < t.cfg.Blocks; i++ {
		t.visit(t.queue[i], i == 0)
	}
	slices.SortFunc(r.blocks, func(a, b block) int {
		if a.eip < b.eip {
			return -1
		}
		return 1
	})
	t.liveness()
	root := r.find(eip)
	return root >= 0 && r.blocks[root].insts[0].Native
}

// visit adds the block at an address to the region, if it belongs there.
func (t *Translator) visit(c candidate, root bool) {
	r := &t.region
	off, ok := t.fetch(c.eip)
	if !ok || !t.reaches(c.eip, off) {
		return
	}
	if !root {
		if t.store.find(off) != 0 || !c.sure && !t.warm(off) {
			return
		}
	}
	for i := range r.blocks {
		b := &r.blocks[i]
		if b.eip == c.eip {
			return
		}
		if c.eip-b.eip < b.size() && t.split(i, c.eip, off) {
			return
		}
	}
	t.decode(c.eip, off)
}

// warm says whether the block at arena offset off is executed often enough to be part
// of a region that leads to it: translating costs what a thousand executions do.
func (t *Translator) warm(off uint32) bool {
	return t.cfg.Eager || t.cpu.Heat(off) > t.cfg.Tepid || t.asked.before(off)
}

// reaches says whether the page of eip is one of the region's, or may become one.
func (t *Translator) reaches(eip, off uint32) bool {
	r := &t.region
	p := page{eip &^ 0xfff, off &^ 0xfff}
	for _, q := range r.pages {
		if q.lin == p.lin {
			return q.off == p.off
		}
	}
	if _, changes := t.restless[p.off]; len(r.pages) >= maxPages || changes && len(r.pages) > 0 {
		return false // what changes has regions of its own
	}
	r.pages = append(r.pages, p)
	return true
}

// split cuts block i at the instruction at eip, if there begins one.
func (t *Translator) split(i int, eip, off uint32) bool {
	b := &t.region.blocks[i]
	for k := range b.insts {
		if b.insts[k].EIP != eip {
			continue
		}
		second := block{eip: eip, off: off, insts: b.insts[k:], ends: b.ends}
		b.insts, b.ends = b.insts[:k:k], false
		t.region.blocks = append(t.region.blocks, second)
		return true
	}
	return false
}

// decode adds the block at eip, and what it leads to to the queue.
func (t *Translator) decode(eip, off uint32) {
	start := len(t.insts)
	b := block{eip: eip, off: off}
	code := t.cpu.CodeBytes(off, mem.PageSize-off%mem.PageSize)
	size := uint32(0)
	for n := 0; n < maxInsts && !b.ends && size < uint32(len(code)); n++ {
		if n > 0 && t.region.has(eip+size) {
			break
		}
		t.insts = append(t.insts, jit.Inst{EIP: eip + size})
		in := &t.insts[len(t.insts)-1]
		res := x86.Decode(code[size:], x86.Mode32, &in.Inst)
		if res == x86.Truncated && n == 0 {
			if b.off2, b.cross = t.crossing(in, code); b.cross {
				res = x86.OK
			}
		}
		if res != x86.OK {
			t.insts = t.insts[:len(t.insts)-1]
			break
		}
		in.Native = native(&in.Inst) && (t.cfg.Deny == nil || !t.cfg.Deny(&in.Inst))
		b.ends = !in.Native || in.Ends() && !goesOn(in)
		jit.Uses(in, t.cfg.Strict)
		size += uint32(in.Len)
	}
	if b.insts = t.insts[start:len(t.insts):len(t.insts)]; len(b.insts) == 0 {
		return
	}
	t.region.blocks = append(t.region.blocks, b)
	t.follow(&b)
}

func (r *region) has(eip uint32) bool {
	return slices.ContainsFunc(r.blocks, func(b block) bool { return b.eip == eip })
}

// goesOn says of an instruction that ends blocks, since it may change what they
// are made under or be interrupted, that native code does it only where it is not.
func goesOn(in *jit.Inst) bool { return in.Op == x86.STI || in.Op == x86.MOVS || in.Op == x86.STOS }

// follow puts what a block leads to into the queue.
func (t *Translator) follow(b *block) {
	last := b.last()
	switch next := b.next(); {
	case !b.ends:
		t.queue = append(t.queue, candidate{next, true})
	case !last.Native:
		if last.Op != x86.IRET && last.Op != x86.RETF && last.Op != x86.JMPF {
			t.queue = append(t.queue, candidate{next, !last.Ends()})
		}
	case last.Op == x86.RET:
	case last.Op == x86.JMP:
		if target, ok := target(last); ok {
			t.queue = append(t.queue, candidate{target, false})
		}
	default: // Jcc, LOOP, CALL
		if target, ok := target(last); ok {
			t.queue = append(t.queue, candidate{target, false})
		}
		t.queue = append(t.queue, candidate{next, false})
	}
}

// target is where a direct branch or call leads.
func target(in *jit.Inst) (eip uint32, ok bool) {
	switch in.Op {
	case x86.JCC, x86.LOOP, x86.LOOPE, x86.LOOPNE, x86.JECXZ:
		return in.Next() + in.Imm, true
	case x86.JMP, x86.CALL:
		if a := x86.Forms[in.Form].Args[0]; a == x86.Jb || a == x86.Jz {
			return in.Next() + in.Imm, true
		}
	}
	return 0, false
}

// crossing decodes an instruction that reaches into the next page, whose arena
// offset it gives.
func (t *Translator) crossing(in *jit.Inst, code []byte) (off2 uint32, ok bool) {
	if len(code) > x86.MaxLen {
		return 0, false
	}
	second := (in.EIP | 0xfff) + 1
	if off2, ok = t.fetch(second); !ok {
		return 0, false
	}
	var buf [2 * x86.MaxLen]byte
	n := copy(buf[:], code)
	n += copy(buf[n:], t.cpu.CodeBytes(off2, mem.PageSize)[:x86.MaxLen])
	return off2, x86.Decode(buf[:n], x86.Mode32, &in.Inst) == x86.OK
}

// fetch gives the arena offset of a linear address, if its translation for
// fetching is cached.
func (t *Translator) fetch(eip uint32) (off uint32, ok bool) {
	h := int(t.cpu.Half)
	e := &t.cache.tlb[h][slotOf(eip)]
	if e.X != eip&^0xfff {
		if _, _, ok := t.cpu.Translation(h, eip).Fetch(); !ok {
			return 0, false
		}
		t.cache.fill(t.cpu, h, eip)
	}
	return e.Off + eip, true
}

// liveness finds which flags somebody may read behind each instruction. What a
// block in another page reads is not relied on, since the page may be mapped anew.
func (t *Translator) liveness() {
	r := &t.region
	in := t.liveIn[:len(r.blocks)]
	clear(in)
	for changed := true; changed; {
		changed = false
		for i := len(r.blocks) - 1; i >= 0; i-- {
			b := &r.blocks[i]
			live := t.liveOut(b)
			for k := len(b.insts) - 1; k >= 0; k-- {
				q := &b.insts[k]
				q.Live = live
				live = live&^q.Kills | q.Reads
			}
			if t.cfg.Strict {
				live = jit.Arith // an interrupt may push them
			}
			if live != in[i] {
				in[i], changed = live, true
			}
		}
	}
}

// liveOut is the set of flags that what follows a block may read.
func (t *Translator) liveOut(b *block) (live uint32) {
	last := b.last()
	if b.cross {
		return jit.Arith
	}
	to := func(eip uint32) {
		i := t.region.find(eip)
		if i < 0 || (eip^b.eip)>>12 != 0 {
			live = jit.Arith
			return
		}
		live |= t.liveIn[i]
	}
	if !b.ends {
		to(b.next())
		return live
	}
	eip, direct := target(last)
	if !last.Native || !direct {
		return jit.Arith
	}
	to(eip)
	if last.Op != x86.JMP && last.Op != x86.CALL {
		to(b.next())
	}
	return live
}
