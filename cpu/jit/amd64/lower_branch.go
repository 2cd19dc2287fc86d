//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

var branchRules = map[x86.Op]rule{
	x86.JCC:   {takes: takesBranch, emit: branchIf},
	x86.JMP:   {takes: takesBranch, emit: jump},
	x86.LOOP:  {takes: takesLoop, emit: loop},
	x86.JECXZ: {takes: takesLoop, emit: branchIfZero},
	x86.CALL:  {takes: takesBranch, emit: call},
	x86.RET:   {takes: takesBranch, emit: ret},
}

func takesBranch(in *x86.Inst) bool { return in.OpSize == 4 }

func takesLoop(in *x86.Inst) bool { return in.OpSize == 4 && in.AddrSize == 4 }

func branchIf(e *emitter) {
	e.restore()
	e.branch(e.in.Cond, e.b.Edges[0])
	e.next()
}

// next ends a block whose last instruction did not branch.
func (e *emitter) next() {
	if e.falls != nil {
		e.fallInto(e.falls)
	} else {
		e.jump(e.b.Edges[1])
	}
}

func jump(e *emitter) {
	in := e.in
	if e.b.Edges[0] != 0 {
		e.jump(e.b.Edges[0])
		return
	}
	if in.Mem {
		m := e.memory(read, 4)
		e.hot.load(w32, rax, m)
	} else {
		e.hot.load(w32, rax, direct(guest[in.RM]))
	}
	e.jumpIndirect()
}

// jumpIndirect goes to the linear address in eax, by the table of jumps and the
// one behind it.
func (e *emitter) jumpIndirect() {
	if e.inHost && !e.inMem {
		e.hot.load(w32, r11, direct(rax))
		e.save()
		e.hot.load(w32, rax, direct(r11))
	}
	found := e.findJump()
	e.hot.enterPage()
	e.hot.op(0, w32, 0xff, 4, found) // JMP
}

// findJump gives the place of the host address that the linear address in eax leads
// to. What the table of jumps does not have is looked for elsewhere.
func (e *emitter) findJump() loc {
	a := &e.hot
	h := half(e.b.User)
	jumps := jumpsAt(e.b.User)
	a.load(w32, r10, direct(rax))
	a.aluImm(aluAND, w32, direct(r10), (jit.JumpSize-1)<<jit.JumpShift)
	a.op(0, w64, 0x0b, uint8(rax), at(r15, ctxGen+int32(h)*8)) // OR
	a.op(0, w64, 0x39, uint8(rax), indexed(r15, r10, 4-jit.JumpShift, jumps))
	a.jcc(condNZ, e.cold.pos())
	e.leaveBy(&e.cold, e.t.stubs.spare[h], jit.ExitID(jit.ExitJump, e.b.Index, 0))
	return indexed(r15, r10, 4-jit.JumpShift, jumps+8)
}

// enterPage says that what is executed next lies at the linear address in eax. That
// and the flags are lost.
func (a *asm) enterPage() {
	a.aluImm(aluAND, w32, direct(rax), -0x1000)
	a.store(w32, at(r15, ctxPage), rax)
}

// half is the index of what serves CPL 0, or CPL 3.
func half(user bool) int {
	if user {
		return 1
	}
	return 0
}

// emitSpare makes the routines that look for the linear address in eax, above which
// spare has the generation already. On the stack is the number of the exit that is
// taken where it is not there.
func (s *stubs) emitSpare(a *asm, h int) {
	s.back[h] = a.pos()
	jumps, spare := jumpsAt(h == 1), int32(spareOff+h*spareSize)
	a.load(w32, r11, direct(rax))
	a.aluImm(aluAND, w32, direct(r11), (jit.JumpSize-1)<<jit.JumpShift)
	a.load(w32, rax, direct(rax))                              // without the mark of CPL 0
	a.op(0, w64, 0x0b, uint8(rax), at(r15, ctxGen+int32(h)*8)) // OR
	a.bytes(0x41, 0x5a)                                        // POP r10
	a.op(0, w64, 0x39, uint8(rax), indexed(r15, r11, 4-jit.JumpShift, jumps))
	a.bytes(0x75, 0) // JNZ
	elsewhere := len(a.b)
	a.enterPage()
	a.op(0, w32, 0xff, 4, indexed(r15, r11, 4-jit.JumpShift, jumps+8)) // JMP

	s.spare[h] = a.pos()
	a.bytes(0x41, 0x5a) // POP r10
	a.b[elsewhere-1] = byte(len(a.b) - elsewhere)
	a.op(0, w32, 0x69, uint8(r11), direct(rax)) // IMUL
	a.u32(jit.SpareHash)
	a.shiftRight(r11, 32-jit.SpareBits)
	a.op(0, w32, 0xc1, 4, direct(r11)) // SHL: an entry has 16 bytes
	a.bytes(4)
	a.op(0, w64, 0x39, uint8(rax), indexed(r15, r11, 0, spare)) // CMP
	a.bytes(0x75, 0)                                            // JNZ
	other := len(a.b)
	a.enterPage()
	a.op(0, w32, 0xff, 4, indexed(r15, r11, 0, spare+8)) // JMP
	a.b[other-1] = byte(len(a.b) - other)
	a.store(w32, at(r15, ctxEIP), rax)
	a.jmp(s.exit)
}

// loop counts without touching the flags.
func loop(e *emitter) {
	e.hot.lea(rcx, at(rcx, -1))
	e.hot.bytes(0x67, 0xe3, 5) // JECXZ over the jump
	e.jump(e.b.Edges[0])
	e.next()
}

func branchIfZero(e *emitter) {
	e.hot.bytes(0x67, 0xe3, 2, 0xeb, 5) // JECXZ to the jump; JMP over it
	e.jump(e.b.Edges[0])
	e.next()
}
