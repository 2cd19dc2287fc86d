//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// emitter makes the code of one unit.
type emitter struct {
	t     *Target
	store *jit.Store
	hot   asm
	cold  asm
	patch []byte

	b  *jit.UnitBlock
	in *jit.Inst
	i  int
	// falls is the block that is laid out behind this one as its successor.
	falls *jit.UnitBlock

	// Where the guest's arithmetic flags are: in the host's register, in the
	// context, in both, or in neither, as nobody reads them.
	inHost, inMem bool
	// wrongAF says that AF in the host's register is what its shifts leave.
	wrongAF bool
	merged  bool // see inContext
	// inSSE and inX87 say that XMM registers, or the x87 state, are held in the
	// host's; mmxAllowed that those of MMX are in the State and may be used,
	// inMMX that the x87 state is MMX's.
	inSSE, inX87, mmxAllowed, inMMX bool
	// hostMMX says that MMX instructions of the block are the host's.
	hostMMX bool
	x87     x87Notes
}

func (e *emitter) begin(t *Target, s *jit.Store) {
	e.t, e.store = t, s
	e.hot = asm{e.hot.b[:0], t.hot}
	e.cold = asm{e.cold.b[:0], t.cold}
}

// leave appends what leaves with an exit's number: 10 bytes.
func (e *emitter) leave(a *asm, id uint32) {
	e.tellX87(a)
	e.leaveBy(a, e.t.stubs.leave, id)
}

// leaveBy jumps to what takes an exit's number from the stack. A call would leave the
// host's prediction of returns one behind, up to those in Go's code.
func (e *emitter) leaveBy(a *asm, stub, id uint32) {
	a.bytes(0x68) // PUSH
	a.u32(id)
	a.jmp(stub)
}

// block makes the code of block i of u.
func (e *emitter) block(u *jit.Unit, i int) {
	b := &u.Blocks[i]
	e.b = b
	b.Code = e.hot.pos()
	e.inHost, e.inMem, e.wrongAF = false, true, false
	e.forget()
	e.hostMMX = needsMMX(b.Insts)
	if e.falls = nil; b.Falls {
		e.falls = &u.Blocks[i+1]
	}
	if b.Cross {
		e.hot.linear(rax, 0x1000)
		e.hot.shiftRight(rax, 10)
		e.hot.load(w32, r10, at(r15, frameOf(b.Page2)))
		e.hot.op(0, w32, 0x3b, uint8(r10), indexed(r15, rax, 0, pagesAt(b.User))) // CMP
		e.hot.jcc(condNZ, e.cold.pos())
		e.leave(&e.cold, jit.ExitID(jit.ExitPage, b.Index, 0))
	}
	e.hot.aluImm(aluSUB, w32, direct(r13), int32(b.N))
	e.hot.jcc(condS, e.cold.pos())
	e.leave(&e.cold, jit.ExitID(jit.ExitBudget, b.Index, 0))
	ops := e.store.Ops[b.Ops:]
	for k := range b.Insts {
		e.i, e.in = k, &b.Insts[k]
		ops[k] = jit.Op{Code: uint16(e.hot.pos() - b.Code), Guest: uint16(e.in.EIP - b.Insts[0].EIP)}
		if e.in.Ends() {
			e.settleX87()
		}
		if e.in.Native {
			e.inst()
		} else {
			e.interpreted()
		}
	}
	if b.Ends {
		return
	}
	e.settleX87()
	e.next()
}

// interpreted leaves for the interpreter to execute the instruction. Behind it
// the flags are in both places, since entering restores them.
func (e *emitter) interpreted() {
	e.save()
	e.settleX87()
	e.leave(&e.hot, jit.ExitID(jit.ExitInst, e.b.Index, e.i))
	e.inHost, e.inMem, e.wrongAF = true, true, false
	e.forget()
}

// forget drops what is known of floating-point state.
func (e *emitter) forget() {
	e.inSSE, e.inX87, e.mmxAllowed, e.inMMX = false, false, false, false
	e.x87.known = false
}

// save makes sure that live flags are in the context. rax is lost.
func (e *emitter) save() {
	if e.inHost && !e.inMem {
		saveFlags(&e.hot, e.wrongAF)
		e.inHost, e.inMem, e.wrongAF = !e.wrongAF, true, false
	}
}

// restore makes sure that they are in the host's register. rax is lost.
func (e *emitter) restore() {
	if !e.inHost {
		restoreFlags(&e.hot)
		e.inHost, e.wrongAF = true, false
	}
}

// spoil says that code which follows destroys the host's flags: those that the
// instruction or somebody behind it reads are saved first.
func (e *emitter) spoil() {
	if e.needed() != 0 {
		e.save()
	}
	e.inHost = false
}

// needed is the set of flags from before the instruction that are read by it or
// behind it.
func (e *emitter) needed() uint32 { return e.in.Reads | e.in.Live&^e.in.Kills }

// ready is called before the host instruction that does the work: where it
// reads flags, or leaves some that are live as they are, they are put into the
// host's register. rax is lost then.
func (e *emitter) ready() {
	if e.wantsFlags() {
		e.restore()
	}
}

func (e *emitter) wantsFlags() bool {
	if e.in.Writes == 0 && e.in.Flags().Reads&jit.Arith == 0 {
		return false
	}
	return e.in.Flags().Reads&jit.Arith != 0 || e.in.Live&^e.in.Kills != 0
}

// done is called behind it.
func (e *emitter) done() {
	if e.in.Writes != 0 && !e.merged {
		e.inHost, e.inMem = true, false
		if e.in.Writes&x86.FlagAF != 0 {
			e.wrongAF = shifts(e.in.Op)
		}
	}
	e.merged = false
	if e.in.Live == 0 {
		// Nobody reads them: nothing is to be saved.
		e.inHost, e.inMem = false, false
	}
}

// shifts says whether op leaves AF undefined while it changes other flags.
func shifts(op x86.Op) bool {
	switch op {
	case x86.SHL, x86.SHR, x86.SAR, x86.SHLD, x86.SHRD:
		return true
	}
	return false
}

// inContext says that the rule itself has put the flags behind the instruction
// into the context, and nowhere else.
func (e *emitter) inContext() {
	e.merged, e.inHost, e.inMem, e.wrongAF = true, false, true, false
}

// jump leads to the target of an edge, at the end of a block.
func (e *emitter) jump(edge uint32) {
	e.hot.bytes(0xe9)
	e.site(edge)
}

// branch leads there under a condition.
func (e *emitter) branch(cond uint8, edge uint32) {
	e.hot.bytes(0x0f, 0x80|cond)
	e.site(edge)
}

// site appends the displacement of a jump to the stub of an edge, and the stub.
func (e *emitter) site(edge uint32) {
	d := &e.store.Edges[edge]
	d.Site = e.hot.pos()
	e.hot.rel(e.cold.pos())
	e.stub(edge, e.inHost && !e.inMem)
}

func (e *emitter) stub(edge uint32, saves bool) {
	d := &e.store.Edges[edge]
	d.Saves = saves
	d.Stub = e.cold.pos()
	if saves {
		saveFlags(&e.cold, e.wrongAF)
	}
	d.Exit = e.cold.pos()
	e.leave(&e.cold, jit.EdgeID(edge))
	if !d.Near {
		for e.cold.pos() < d.Exit+guardSize {
			e.cold.bytes(0x90)
		}
		e.leave(&e.cold, jit.EdgeID(edge))
	}
}

// fallInto ends a block that is followed by its successor.
func (e *emitter) fallInto(next *jit.UnitBlock) {
	edge := e.b.Edges[1]
	if !next.Kills {
		e.save()
	}
	e.store.Edges[edge].Site = 0
	e.stub(edge, e.inHost && !e.inMem)
}

// address appends code that computes the linear address of the memory operand
// into a register, for an access by the given table; flags are lost where the
// segment is FS or GS.
func (e *emitter) address(table int, to reg) { e.addressPlus(table, to, 0) }

// addressPlus is address of what lies so many bytes further on.
func (e *emitter) addressPlus(table int, to reg, plus uint32) {
	in := e.in
	disp := in.Disp + plus
	m := loc{inMem: true, base: none, index: none, disp: int32(disp)}
	if in.Base != x86.NoReg {
		m.base = guest[in.Base]
	}
	if in.Index != x86.NoReg {
		m.index, m.scale = guest[in.Index], in.Scale
	}
	switch {
	case m.index == none && m.base == none:
		e.hot.movImm(to, disp)
	case m.index == none && m.disp == 0:
		e.hot.load(w32, to, direct(m.base))
	default:
		e.hot.lea(to, m)
	}
	if in.Op == x86.LEA {
		return
	}
	if in.Seg == x86.FS || in.Seg == x86.GS {
		seg := stateSeg + int32(in.Seg)*segSize
		e.hot.op(0, w8, 0xf6, 0, at(rbp, seg+segFast)) // TEST m8, imm8
		e.hot.bytes([2]byte{cpu.FastRead, cpu.FastWrite}[table])
		e.hot.jcc(condZ, e.cold.pos())
		e.leave(&e.cold, jit.ExitID(jit.ExitInst, e.b.Index, e.i))
		e.hot.op(0, w32, 0x03, uint8(to), at(rbp, seg+segBase)) // ADD
	}
}

// linear appends what computes the linear address that lies so far from the linear
// page of the block on. Flags stay.
func (a *asm) linear(to reg, from uint32) {
	a.load(w32, to, at(r15, ctxPage))
	a.lea(to, at(to, int32(from)))
}

// shiftRight is SHR r32, n.
func (a *asm) shiftRight(r reg, n byte) {
	a.op(0, w32, 0xc1, 5, direct(r))
	a.bytes(n)
}

// Which table an access looks into.
const (
	read  = 0
	write = 1
)

// check appends the look into a table for an access of size bytes at the linear
// address in addr, rax or r11: behind it addr holds where the host has it, which is
// the place that check gives. r10 and the flags are lost. An access that the
// table does not know leaves before anything has changed.
//
// What is subtracted is larger than any linear address, so that it borrows, or
// the 0 of a miss.
func (e *emitter) check(table int, addr reg, size int) loc {
	a := &e.hot
	switch size {
	case 1:
		e.find(addr, 1)
	case 2:
		e.find(addr, 2)
	case 8:
		// The table finds what is aligned to 4. Of that, what begins 4 bytes
		// before the end of a page crosses it.
		a.lea(r10, at(addr, 4))
		a.op(0, w32, 0xf7, 0, direct(r10)) // TEST
		a.u32(0xffc)
		a.jcc(condZ, e.cold.pos())
		e.find(addr, 4)
	case 16:
		a.load(w32, r10, direct(addr))
		a.aluImm(aluOR, w32, direct(r10), ^0xfff)
		a.aluImm(aluCMP, w32, direct(r10), -16)
		a.jcc(condA, e.cold.pos())
		e.find(addr, 1)
	default:
		e.find(addr, 4)
	}
	a.op(0, w64, 0x2b, uint8(addr), indexed(r14, r10, 3, int32(table)*tableSize)) // SUB
	a.jcc(condNB, e.cold.pos())
	e.miss(table, addr, size)
	return at(addr, 0)
}

// find appends what loads r10 with the index of the entry of the page of addr. Where
// the address is no multiple of align (1, 2 or 4) that is an empty one, or the
// code goes where it goes for a miss.
func (e *emitter) find(addr reg, align int) {
	a := &e.hot
	switch {
	case !e.t.host.pext:
		if align > 1 {
			a.op(0, w8, 0xf6, 0, direct(addr)) // TEST
			a.bytes(byte(align - 1))
			a.jcc(condNZ, e.cold.pos())
		}
		a.load(w32, r10, direct(addr))
		a.op(0, w32, 0xc1, 5, direct(r10)) // SHR
		a.bytes(12 - tableShift)
		a.aluImm(aluAND, w32, direct(r10), -1<<tableShift)
	case align == 1:
		a.pext(r10, addr, at(r15, ctxMask))
		a.op(0, w32, 0xc1, 4, direct(r10)) // SHL
		a.bytes(tableShift)
	case align == 2:
		a.pext(r10, addr, at(r15, ctxMask+4))
		a.op(0, w32, 0x01, uint8(r10), direct(r10)) // ADD
	default:
		a.pext(r10, addr, at(r15, ctxMask+8))
	}
}

// miss is the cold part of check.
func (e *emitter) miss(table int, addr reg, size int) {
	c := &e.cold
	id := jit.ExitID(jit.ExitMiss, e.b.Index, e.i)
	if size == 1 {
		c.store(w32, at(r15, ctxAddr), addr)
		e.leave(c, id)
		return
	}
	i, k := 0, 0
	if addr == r11 {
		i = 1
	}
	for n := 2; n < size; n *= 2 {
		k++
	}
	e.tellX87(c)
	c.call(e.t.stubs.unaligned[table][i][k])
	c.jmp(e.hot.pos())
	c.u32(id)
}

// memory appends address and check for the memory operand, and gives the place.
// The address is in rax, or in r11 where flags have to be restored behind the
// check, which takes rax.
func (e *emitter) memory(table int, size int) loc { return e.memoryAligned(table, size, false) }

// memoryAligned is memory; an address that is not aligned to 16 bytes is left to
// the interpreter where aligned is set.
func (e *emitter) memoryAligned(table int, size int, aligned bool) loc {
	addr := rax
	if e.wantsFlags() {
		addr = r11
	}
	e.spoil()
	e.address(table, addr)
	if aligned {
		e.hot.op(0, w8, 0xf6, 0, direct(addr)) // TEST
		e.hot.bytes(15)
		e.hot.jcc(condNZ, e.cold.pos())
		e.interpretCold()
		size = 4 // its first bytes stand for all
	}
	return e.check(table, addr, size)
}
