package wasm

// dispatcher is the function through which code is entered: it calls a region, and
// where that leaves with leaveJump the region that the new EIP is in, if the table
// of jumps has it and its page is still mapped there.
func dispatcher(l Layout) []byte {
	const (
		core local = iota
		tlb
		pc
		fn
		code
		eip
		at // of the jump; then of the translation
		entry
	)
	a := &asm{}
	a.u(1)
	a.u(4)
	a.op(typeI32)
	// miss leaves to Go where the two words on the stack differ.
	miss := func() {
		a.op(opI32Ne, opIf, typeVoid)
		a.get(code)
		a.op(opReturn, opEnd)
	}
	a.op(opLoop, typeVoid)
	a.get(fn)
	a.i32(1)
	a.mem(opI32Store8, l.Tables+offUsed)
	a.get(core)
	a.get(tlb)
	a.get(pc)
	a.get(fn)
	a.op(opCallIndirect, regionType, 0)
	a.tee(code)
	a.i32(leaveJump)
	miss()
	a.get(core)
	a.mem(opI32Load, coreEIP)
	a.tee(eip)
	a.get(eip)
	a.with(opI32ShrU, jumpFold)
	a.op(opI32Xor)
	a.with(opI32And, Jumps-1)
	a.with(opI32Shl, 4) // the size of a Jump
	a.tee(at)
	a.mem(opI32Load, l.Tables+offJumps+jumpEIP)
	a.get(eip)
	miss()
	a.get(eip)
	a.with(opI32ShrU, entryShift)
	a.with(opI32And, entryMask)
	a.get(tlb)
	a.op(opI32Add)
	a.tee(entry)
	a.mem(opI32Load, entryX)
	a.get(eip)
	a.with(opI32And, ^uint32(0xfff))
	miss()
	a.get(entry)
	a.mem(opI32Load, entryOff)
	a.get(at)
	a.mem(opI32Load, l.Tables+offJumps+jumpOff)
	miss()
	a.get(at)
	a.mem(opI32Load, l.Tables+offJumps+jumpFn)
	a.set(fn)
	a.get(at)
	a.mem(opI32Load, l.Tables+offJumps+jumpStart)
	a.set(pc)
	a.br(0)
	a.op(opEnd, opUnreachable, opEnd)
	return a.b
}
