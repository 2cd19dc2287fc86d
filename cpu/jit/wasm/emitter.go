package wasm

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// local is a local variable of a function that a region becomes.
type local uint32

// The first three are parameters. Those of the guest's registers and lazy flags are of
// use in a block alone: see held.
const (
	lCore   local = iota // address of the cpu.Core
	lTLB                 // address of the half of the TLB that accesses look into
	lPC                  // number of the block to enter; as a parameter, Jump.Start
	lReg                 // of EAX to EDI
	lRes    local = iota + 7
	lAux    local = iota + 7
	lBudget local = iota + 7 // instructions that are left
	lShift  local = iota + 7 // by how much linear addresses lie above those in the code
	lPage   local = iota + 7 // of code in another page
	lEA     local = iota + 7 // linear address of an access
	lPlace  local = iota + 7 // and its arena offset
	lA      local = iota + 7 // operands and result of what has set the flags last
	lB      local = iota + 7
	lR      local = iota + 7
	lT      local = iota + 7 // scratch
	lU      local = iota + 7
	lV      local = iota + 7
	lWide   local = iota + 7 // the same, i64
	lWide2  local = iota + 7

	numI32 = lWide - lReg
	numI64 = 2
)

// What follows is there in functions that use vectors or floating point: operands and
// result, of each type.
const (
	lSingleA local = lWide2 + 1 + iota
	lSingleB
	lSingleR
	lDoubleA
	lDoubleB
	lDoubleR
	lVectorA
	lVectorB
	lVectorR
	numEach = 3
)

// exit says what a number that a region has left with stands for.
type exit struct {
	eip  uint32
	rest uint8 // instructions of the block that were not executed
	kind exitKind
}

type exitKind uint8

const (
	exitBudget exitKind = iota // the budget does not reach for the block
	exitInst                   // the instruction is to be interpreted
	exitMiss                   // it accesses what the translation cache does not have
)

// leaveJump is what a region leaves with where it has set EIP.
const leaveJump = 1<<32 - 1

// The number of another exit has the function's place in the table and the index
// of the exit.
const (
	exitBits = 12
	maxExits = 1 << exitBits
)

// emitter makes the function of a region.
type emitter struct {
	asm
	layout Layout
	r      *region
	fn     uint32 // place in the table
	exits  []exit

	b    *block
	i    int // number of the block
	k    int // number of the instruction in it
	in   *jit.Inst
	held held
	ways []held // what was held where the ifs that are open began
	sse  bool   // the block has looked whether SSE may be used
	fpu  bool   // and whether MMX and x87 may
	// rounds says that it has found MXCSR to be as float.go wants it, inMMX that the
	// x87 state is that of MMX.
	rounds, inMMX bool
	rec           record

	aes    bool // the function calls those of AES
	floats bool // it uses locals beside integers
	body   asm
}

// function makes the function of a region that is going to be at place fn of the
// table. It gives nil where the region has too many exits.
func (e *emitter) function(r *region, fn uint32) []byte {
	e.r, e.fn, e.b = r, fn, nil
	e.asm.b, e.exits = e.body.b[:0], e.exits[:0]
	e.floats, e.aes = false, false
	e.op(opBlock, typeVoid) // a loop where a branch leads backwards: see goTo
	for range r.blocks {
		e.op(opBlock, typeVoid)
	}
	e.get(lPC)
	e.op(opBrTable)
	e.u(uint32(len(r.blocks) - 1))
	for i := range r.blocks {
		e.u(uint32(i))
	}
	for i := range r.blocks {
		e.op(opEnd)
		e.block(i)
	}
	e.op(opEnd, opUnreachable, opEnd)
	e.body.b = e.asm.b
	if len(e.exits) > maxExits {
		return nil
	}
	return e.enclose()
}

// enclose puts in front of the body what all of it needs.
func (e *emitter) enclose() []byte {
	a := &asm{b: make([]byte, 0, len(e.body.b)+64)}
	types := []struct {
		n    uint32
		kind byte
	}{{uint32(numI32), typeI32}, {numI64, typeI64}, {numEach, typeF32}, {numEach, typeF64}, {numEach, typeV128}}
	if !e.floats {
		types = types[:2]
	}
	a.u(uint32(len(types)))
	for _, t := range types {
		a.u(t.n)
		a.op(t.kind)
	}
	a.get(lCore)
	a.mem(opI32Load, coreBudget)
	a.set(lBudget)
	a.get(lPC)
	a.with(opI32And, ^uint32(0xfff))
	a.set(lShift)
	a.noteShift(e.layout)
	a.get(lPC)
	a.with(opI32And, 0xfff)
	a.set(lPC)
	a.b = append(a.b, e.body.b...)
	return a.b
}

// noteShift lets exits be known for this region's, at the addresses that it serves now.
func (a *asm) noteShift(l Layout) {
	a.i32(0)
	a.get(lShift)
	a.mem(opI32Store, l.Tables+offShift)
}

// Labels: what is open around the code of block i are the ifs, the blocks that end
// in front of the code of each block behind it, and the loop.

func (e *emitter) loopDepth() int { return len(e.ways) + len(e.r.blocks) - 1 - e.i }

// when opens an if whose condition is on the stack.
func (e *emitter) when() {
	e.op(opIf, typeVoid)
	e.ways = append(e.ways, e.held)
	e.held.changed = 0
}

func (e *emitter) otherwise() {
	e.merge()
	e.op(opElse)
}

func (e *emitter) done() {
	e.merge()
	e.op(opEnd)
	e.ways = e.ways[:len(e.ways)-1]
}

// leave leaves in front of the current instruction.
func (e *emitter) leave(kind exitKind) {
	e.storeHeld()
	if kind == exitMiss {
		e.i32(0)
		e.get(lEA)
		e.mem(opI32Store, e.layout.Tables+offMissed)
	}
	e.i32(e.fn<<exitBits | uint32(len(e.exits))&(maxExits-1))
	e.op(opReturn)
	e.exits = append(e.exits, exit{e.b.insts[e.k].EIP, uint8(len(e.b.insts) - e.k), kind})
}

// leaveIf does so where the word on the stack is not 0.
func (e *emitter) leaveIf(kind exitKind) {
	e.storeHeld()
	e.when()
	e.leave(kind)
	e.done()
}

// linear puts an address of code on the stack.
func (e *emitter) linear(eip uint32) {
	e.get(lShift)
	e.with(opI32Add, eip)
}

// leaveTo leaves to an address, behind the current instruction.
func (e *emitter) leaveTo(eip uint32) {
	e.get(lCore)
	e.linear(eip)
	e.mem(opI32Store, coreEIP)
	e.jump()
}

// jump leaves to where EIP has been set to.
func (e *emitter) jump() {
	e.storeHeld()
	e.i32(leaveJump)
	e.op(opReturn)
}

// block makes the code of block i.
func (e *emitter) block(i int) {
	e.i, e.b, e.k = i, &e.r.blocks[i], 0
	e.rec, e.sse, e.fpu, e.rounds, e.inMMX = record{}, false, false, false, false
	e.held, e.ways = held{}, e.ways[:0]
	b := e.b
	e.spend(func() { e.i32(uint32(len(b.insts))) })
	e.get(lBudget)
	e.with(opI32LtS, 0)
	e.leaveIf(exitBudget)
	if b.cross {
		e.elsewhere((b.eip|0xfff)+1, b.off2)
		e.leaveIf(exitInst)
	}
	for k := range b.insts {
		e.k, e.in = k, &b.insts[k]
		if !e.in.Native {
			e.leave(exitInst)
			return
		}
		rules[e.in.Op].emit(e)
	}
	if !b.ends {
		e.goTo(b.next())
	}
}

// spend takes the word that n pushes from the budget.
func (e *emitter) spend(n func()) {
	e.get(lCore)
	e.get(lBudget)
	n()
	e.op(opI32Sub)
	e.asm.tee(lBudget)
	e.mem(opI32Store, coreBudget)
}

// elsewhere tells whether the page of lin is not known any more to be at off for
// fetching.
func (e *emitter) elsewhere(lin, off uint32) {
	e.linear(lin &^ 0xfff)
	e.asm.tee(lPage)
	e.with(opI32ShrU, entryShift)
	e.with(opI32And, entryMask)
	e.get(lTLB)
	e.op(opI32Add)
	e.asm.tee(lPlace)
	e.mem(opI32Load, entryX)
	e.get(lPage)
	e.op(opI32Xor)
	e.get(lPlace)
	e.mem(opI32Load, entryOff)
	e.get(lPage)
	e.op(opI32Add)
	e.with(opI32Xor, off&^0xfff)
	e.op(opI32Or)
}

// goTo goes on at a linear address: in the region, if it has code for it and the
// address is still mapped there, or outside.
func (e *emitter) goTo(eip uint32) {
	j := e.r.find(eip)
	if j < 0 {
		e.leaveTo(eip)
		return
	}
	to := &e.r.blocks[j]
	e.storeHeld()
	if e.b.cross || (eip^e.b.eip)>>12 != 0 {
		e.elsewhere(eip, to.off)
		e.when()
		e.leaveTo(eip)
		e.done()
	}
	switch {
	case j == e.i+1 && len(e.ways) == 0:
	case j > e.i:
		e.br(len(e.ways) + j - e.i - 1)
	default:
		e.i32(uint32(j))
		e.asm.set(lPC)
		e.asm.b[0] = opLoop
		e.br(e.loopDepth())
	}
}

// goToIf goes on there where the word on the stack is not 0.
func (e *emitter) goToIf(eip uint32) {
	e.storeHeld()
	if j := e.r.find(eip); j > e.i && !e.b.cross && (eip^e.b.eip)>>12 == 0 {
		e.brIf(len(e.ways) + j - e.i - 1)
		return
	}
	e.when()
	e.goTo(eip)
	e.done()
}

// args are the operands of the instruction's form.
func (e *emitter) args() [3]x86.Arg { return x86.Forms[e.in.Form].Args }
