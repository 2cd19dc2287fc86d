package wasm

// The functions of the dispatcher's module call regions, and where one leaves with
// leaveJump, the region that the new EIP is in, if the table of jumps has it and its page
// is still mapped there.

// dispatch is one of them on its way, with its locals.
type dispatch struct {
	asm
	l         Layout
	pc, fn    local // what is called, and with what
	code      local // what it has left with
	eip       local // where it has gone
	at, entry local // of the jump, and of the translation
}

// What both have as parameters first.
const (
	dCore local = iota
	dTLB
)

func newDispatch(l Layout, locals uint32, pc local) *dispatch {
	d := &dispatch{l: l, pc: pc, fn: pc + 1, code: pc + 2, eip: pc + 3, at: pc + 4, entry: pc + 5}
	d.u(1)
	d.u(locals)
	d.op(typeI32)
	return d
}

// dispatcher is the function through which code is entered, in a region that is known:
// pc and fn are parameters.
func dispatcher(l Layout) []byte {
	d := newDispatch(l, 4, dTLB+1)
	miss := func() {
		d.op(opI32Ne, opIf, typeVoid)
		d.get(d.code)
		d.op(opReturn, opEnd)
	}
	d.op(opLoop, typeVoid)
	d.call()
	miss()
	d.find(miss)
	d.br(0)
	d.op(opEnd, opUnreachable, opEnd)
	return d.b
}

// maxDepth is how many calls of follower stand in each other.
const maxDepth = 64

// follower is the function that a region calls where the guest calls what is in another:
// it goes on at EIP until that is the address in its third parameter, or code is left.
// Such returns are looked up nowhere, and processors foresee them. Beyond maxDepth it goes
// nowhere.
func follower(l Layout) []byte {
	const back = dTLB + 1
	d := newDispatch(l, 6, back+1)
	deeper := func(n uint32) {
		d.i32(0)
		d.i32(0)
		d.mem(opI32Load, l.Tables+offDepth)
		d.with(opI32Add, n)
		d.mem(opI32Store, l.Tables+offDepth)
	}
	out := func() {
		d.op(opI32Ne)
		d.brIf(1)
	}
	d.i32(leaveJump)
	d.set(d.code)
	d.i32(0)
	d.mem(opI32Load, l.Tables+offDepth)
	d.with(opI32GtU, maxDepth-1)
	d.op(opIf, typeVoid)
	d.get(d.code)
	d.op(opReturn, opEnd)
	deeper(1)
	d.op(opBlock, typeVoid, opLoop, typeVoid)
	d.find(out)
	d.call()
	out()
	d.jumped()
	d.get(back)
	d.op(opI32Ne)
	d.brIf(0)
	d.op(opEnd, opEnd)
	deeper(^uint32(0))
	d.get(d.code)
	d.op(opEnd)
	return d.b
}

// call calls fn, and pushes two words that differ where it has not left with leaveJump.
func (d *dispatch) call() {
	d.get(d.fn)
	d.i32(1)
	d.mem(opI32Store8, d.l.Tables+offUsed)
	d.get(dCore)
	d.get(dTLB)
	d.get(d.pc)
	d.get(d.fn)
	d.op(opCallIndirect, regionType, 0)
	d.tee(d.code)
	d.i32(leaveJump)
}

// jumped pushes EIP.
func (d *dispatch) jumped() {
	d.get(dCore)
	d.mem(opI32Load, coreEIP)
}

// find looks up where EIP leads. miss takes two words, and leaves where they differ.
func (d *dispatch) find(miss func()) {
	d.jumped()
	d.tee(d.eip)
	d.get(d.eip)
	d.with(opI32ShrU, jumpFold)
	d.op(opI32Xor)
	d.with(opI32And, Jumps-1)
	d.with(opI32Shl, 4) // the size of a Jump
	d.tee(d.at)
	d.mem(opI32Load, d.l.Tables+offJumps+jumpEIP)
	d.get(d.eip)
	miss()
	d.get(d.eip)
	d.with(opI32ShrU, entryShift)
	d.with(opI32And, entryMask)
	d.get(dTLB)
	d.op(opI32Add)
	d.tee(d.entry)
	d.mem(opI32Load, entryX)
	d.get(d.eip)
	d.with(opI32And, ^uint32(0xfff))
	miss()
	d.get(d.entry)
	d.mem(opI32Load, entryOff)
	d.get(d.at)
	d.mem(opI32Load, d.l.Tables+offJumps+jumpOff)
	miss()
	d.get(d.at)
	d.mem(opI32Load, d.l.Tables+offJumps+jumpFn)
	d.set(d.fn)
	d.get(d.at)
	d.mem(opI32Load, d.l.Tables+offJumps+jumpStart)
	d.set(d.pc)
}
