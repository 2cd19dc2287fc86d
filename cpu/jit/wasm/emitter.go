package wasm

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// local is a local variable of a function that a region becomes.
type local uint32

// The first three are parameters. The guest's registers and lazy flags are in
// locals from the entry to the exit.
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
	nest int  // ifs that are open
	sse  bool // the block has looked whether SSE may be used
	fpu  bool // and whether MMX and x87 may
	// rounds says that it has found MXCSR to be as float.go wants it, inMMX that the
	// x87 state is that of MMX.
	rounds, inMMX bool
	rec           record

	aes           bool   // the function calls those of AES
	floats        bool   // it uses locals beside integers
	read, written uint16 // locals from lReg to lAux that the function uses, and changes
	body          asm
}

func bit(l local) uint16 { return 1 << (l - lReg) }

func (e *emitter) get(l local) {
	if l >= lReg && l <= lAux {
		e.read |= bit(l)
	}
	e.floats = e.floats || l >= lSingleA
	e.asm.get(l)
}

func (e *emitter) set(l local) {
	if l >= lReg && l <= lAux {
		e.written |= bit(l)
	}
	e.asm.set(l)
}

// function makes the function of a region that is going to be at place fn of the
// table. It gives nil where the region has too many exits.
func (e *emitter) function(r *region, fn uint32) []byte {
	e.r, e.fn, e.b = r, fn, nil
	e.asm.b, e.exits = e.body.b[:0], e.exits[:0]
	e.read, e.written, e.floats, e.aes = 0, 0, false, false
	e.op(opBlock, typeI32)
	e.op(opLoop, typeVoid)
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

// enclose puts what loads registers in front of the body and what stores them
// behind it. What is written on some ways only has to be right on the others.
func (e *emitter) enclose() []byte {
	a := &asm{b: make([]byte, 0, len(e.body.b)+200)}
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
	at := func(l local) uint32 {
		switch l {
		case lRes:
			return coreRes
		case lAux:
			return coreAux
		}
		return coreR + 4*uint32(l-lReg)
	}
	for l := lReg; l <= lAux; l++ {
		if (e.read|e.written)&bit(l) != 0 {
			a.get(lCore)
			a.mem(opI32Load, at(l))
			a.set(l)
		}
	}
	a.get(lCore)
	a.mem(opI32Load, coreBudget)
	a.set(lBudget)
	a.get(lPC)
	a.with(opI32And, ^uint32(0xfff))
	a.set(lShift)
	a.get(lPC)
	a.with(opI32And, 0xfff)
	a.set(lPC)
	a.b = append(a.b, e.body.b...)
	for l := lReg; l <= lAux; l++ {
		if e.written&bit(l) != 0 {
			a.get(lCore)
			a.get(l)
			a.mem(opI32Store, at(l))
		}
	}
	a.get(lCore)
	a.get(lBudget)
	a.mem(opI32Store, coreBudget)
	a.i32(0)
	a.get(lEA)
	a.mem(opI32Store, e.layout.Tables+offMissed)
	a.i32(0)
	a.get(lShift)
	a.mem(opI32Store, e.layout.Tables+offShift)
	a.op(opEnd)
	return a.b
}

// Labels: what is open around the code of block i are the ifs, the blocks that end
// in front of the code of each block behind it, the loop and the block of exits.

func (e *emitter) loopDepth() int { return e.nest + len(e.r.blocks) - 1 - e.i }
func (e *emitter) exitDepth() int { return e.loopDepth() + 1 }

// when opens an if whose condition is on the stack.
func (e *emitter) when() {
	e.op(opIf, typeVoid)
	e.nest++
}

func (e *emitter) otherwise() { e.op(opElse) }

func (e *emitter) done() {
	e.op(opEnd)
	e.nest--
}

// leave leaves in front of the current instruction.
func (e *emitter) leave(kind exitKind) {
	e.i32(e.fn<<exitBits | uint32(len(e.exits))&(maxExits-1))
	e.br(e.exitDepth())
	e.exits = append(e.exits, exit{e.b.insts[e.k].EIP, uint8(len(e.b.insts) - e.k), kind})
}

// leaveIf does so where the word on the stack is not 0.
func (e *emitter) leaveIf(kind exitKind) {
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
	e.i32(leaveJump)
	e.br(e.exitDepth())
}

// block makes the code of block i.
func (e *emitter) block(i int) {
	e.i, e.b, e.k = i, &e.r.blocks[i], 0
	e.rec, e.sse, e.fpu, e.rounds, e.inMMX = record{}, false, false, false, false
	b := e.b
	e.get(lBudget)
	e.with(opI32Sub, uint32(len(b.insts)))
	e.asm.tee(lBudget)
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
	if e.b.cross || (eip^e.b.eip)>>12 != 0 {
		e.elsewhere(eip, to.off)
		e.when()
		e.leaveTo(eip)
		e.done()
	}
	switch {
	case j == e.i+1 && e.nest == 0:
	case j > e.i:
		e.br(e.nest + j - e.i - 1)
	default:
		e.i32(uint32(j))
		e.asm.set(lPC)
		e.br(e.loopDepth())
	}
}

// goToIf goes on there where the word on the stack is not 0.
func (e *emitter) goToIf(eip uint32) {
	if j := e.r.find(eip); j > e.i && !e.b.cross && (eip^e.b.eip)>>12 == 0 {
		e.brIf(e.nest + j - e.i - 1)
		return
	}
	e.when()
	e.goTo(eip)
	e.done()
}

// args are the operands of the instruction's form.
func (e *emitter) args() [3]x86.Arg { return x86.Forms[e.in.Form].Args }
