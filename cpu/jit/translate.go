package jit

import (
	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// translate makes code of the block at EIP and of those that it falls through
// to. It gives 0 where the first instruction cannot be had: the interpreter
// finds out why.
func (t *Translator) translate(eip uint32, user bool) uint32 {
	s := t.store
	if s.full() {
		t.advance()
	}
	off, ok := t.fetch(eip, user)
	if !ok {
		return 0
	}
	for !t.reserve(2) { // of one block, and that which the last instruction reaches into
		t.advance()
	}
	if !t.gather(eip, off, user) {
		return 0
	}
	if !t.target.Translate(&t.unit, s) {
		s.drop()
		t.advance()
		if !t.gather(eip, off, user) || !t.target.Translate(&t.unit, s) {
			panic("BUG: no room for a unit in an empty region")
		}
	}
	s.keep()
	for i := range t.unit.Blocks {
		u := &t.unit.Blocks[i]
		b := &s.Blocks[u.Index]
		if i > 0 && t.unit.Blocks[i-1].Falls {
			b.fallsFrom = s.Blocks[t.unit.Blocks[i-1].Index].Edges[1]
		}
		t.admit(u.Index)
		t.Stats.Blocks++
		t.Stats.Insts += uint64(b.N)
	}
	return t.unit.Blocks[0].Index
}

// admit makes a block one that is found, until its code changes.
func (t *Translator) admit(i uint32) {
	t.store.enter(i)
	b := &t.store.Blocks[i]
	for k, page := range b.pages() {
		t.markLines((t.mem.Frames[page]-1)<<12, b.lines(k))
	}
}

// gather decodes the blocks of a unit and makes their places in the store.
func (t *Translator) gather(eip, off uint32, user bool) bool {
	u := &t.unit
	u.Blocks, t.insts = u.Blocks[:0], t.insts[:0]
	page := eip &^ 0xfff
	for falls := true; falls && len(u.Blocks) < maxUnit; {
		if len(u.Blocks) > 0 && (t.store.full() || !t.eager && t.cpu.Heat(off) < warm || t.have(eip, off, user) != 0) {
			break
		}
		if !t.decode(eip, off, user) {
			break
		}
		b := &u.Blocks[len(u.Blocks)-1]
		next := eip + uint32(b.Size)
		if b.Cross || next&^0xfff != page {
			break
		}
		last := &b.Insts[len(b.Insts)-1]
		falls = !b.Ends || last.Native && (last.Op == x86.JCC || last.Op == x86.CALL)
		off += next - eip
		eip = next
	}
	t.tie()
	return len(u.Blocks) > 0
}

// warm is how often the interpreter must have executed a block that is laid out
// behind a hot one.
const warm = 2

// tie notes which blocks fall through to the one behind them, or return to it.
func (t *Translator) tie() {
	last := len(t.unit.Blocks) - 1
	for i := range t.unit.Blocks {
		b := &t.unit.Blocks[i]
		b.Falls = i < last && b.Block.Edges[1] != 0
	}
}

// decode appends the block at eip to the unit.
func (t *Translator) decode(eip, off uint32, user bool) bool {
	start := len(t.insts)
	code := t.cpu.CodeBytes(off, 0x1000-off&0xfff)
	size, ends, cross := uint32(0), false, false
	var off2 uint32
	for len(t.insts)-start < MaxInsts && !ends {
		t.insts = append(t.insts, Inst{EIP: off&0xfff + size})
		in := &t.insts[len(t.insts)-1]
		r := x86.Decode(code[size:], x86.Mode32, &in.Inst)
		if r == x86.Truncated && len(t.insts)-1 == start {
			if off2, cross = t.crossing(in, code, eip, user); cross {
				r = x86.OK
			}
		}
		if r != x86.OK {
			t.insts = t.insts[:len(t.insts)-1]
			break
		}
		in.Native = t.target.Native(&in.Inst, user)
		ends = in.Ends() && !(in.Native && goesOn(in))
		Uses(in, t.strict)
		size += uint32(in.Len)
		if size >= uint32(len(code)) {
			break
		}
	}
	insts := t.insts[start:]
	if len(insts) == 0 {
		return false
	}
	killing := liveness(insts)
	b := Block{
		Page: t.pageAt(eip, off, user), At: uint16(off & 0xfff), Size: uint16(size), N: uint8(len(insts)), User: user, Cross: cross,
		Kills: killing && !t.strict,
	}
	if cross {
		b.Page2 = t.pageAt((eip|0xfff)+1, off2, user)
	}
	index := t.store.addBlock(b)
	t.edges(index, insts, ends)
	t.unit.Blocks = append(t.unit.Blocks, UnitBlock{Index: index, Block: &t.store.Blocks[index], Insts: insts, Ends: ends})
	return true
}

// goesOn says of an instruction that ends a block, since it may change what blocks
// are made under or be stopped in its middle, that native code does it only
// where neither happens, and goes on behind it.
func goesOn(in *Inst) bool {
	switch in.Op {
	case x86.STI, x86.MOV, x86.POP, x86.POPF:
		return true
	}
	return in.Row().Flags&x86.String != 0
}

// edges makes the edges of a block.
func (t *Translator) edges(index uint32, insts []Inst, ends bool) {
	last := &insts[len(insts)-1]
	b := &t.store.Blocks[index]
	next := last.Next()
	if !ends {
		b.Edges[1] = t.edge(index, next)
		return
	}
	if !last.Native {
		return
	}
	switch last.Op {
	case x86.JCC, x86.LOOP, x86.JECXZ:
		b.Edges[1] = t.edge(index, next)
		b.Edges[0] = t.edge(index, next+last.Imm)
	case x86.JMP, x86.CALL:
		if last.Op == x86.CALL && t.store.Blocks[index].near(next) {
			b.Edges[1] = t.edge(index, next)
		}
		if a := x86.Forms[last.Form].Args[0]; a == x86.Jb || a == x86.Jz {
			b.Edges[0] = t.edge(index, next+last.Imm)
		}
	}
}

func (t *Translator) edge(from, at uint32) uint32 {
	return t.store.addEdge(Edge{From: from, At: at, Near: t.store.Blocks[from].near(at)})
}

// crossing decodes the instruction at eip, that reaches into the next page, whose
// arena offset it gives.
func (t *Translator) crossing(in *Inst, code []byte, eip uint32, user bool) (off2 uint32, ok bool) {
	if len(code) > x86.MaxLen {
		return 0, false
	}
	if off2, ok = t.fetch((eip|0xfff)+1, user); !ok {
		return 0, false
	}
	var buf [2 * x86.MaxLen]byte
	n := copy(buf[:], code)
	n += copy(buf[n:], t.cpu.CodeBytes(off2, mem.PageSize)[:x86.MaxLen])
	return off2, x86.Decode(buf[:n], x86.Mode32, &in.Inst) == x86.OK
}
