//go:build linux && amd64

package amd64

import (
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// A guest's call is a call of the host's, on a stack of its own, and its return a
// return, which the host's processor predicts as such. Beside the host's return
// address stands the guest's: a return that leads elsewhere looks for its way as
// other indirect jumps do, and leaves the stack as it is.

// systemBit stands above the linear addresses of the stack of calls that were pushed
// at CPL 0, so that nothing at CPL 3 returns to code of theirs.
const systemBit = 32

func call(e *emitter) {
	in := e.in
	next := in.Next()
	direct32 := e.args()[0] == x86.Jz
	switch {
	case direct32:
	case in.Mem:
		e.hot.load(w32, r11, e.memory(read, 4))
	default:
		e.hot.load(w32, r11, direct(guest[in.RM]))
	}
	place := e.below()
	e.hot.linear(r10, next)
	e.hot.store(w32, place, r10)
	e.moveTop(-4)
	switch {
	case direct32 && e.b.Edges[1] == 0:
		e.jump(e.b.Edges[0])
		return
	case direct32:
		e.pushCall(r10)
		e.hot.bytes(0xe8) // CALL
		e.site(e.b.Edges[0])
	case e.b.Edges[1] == 0:
		e.hot.load(w32, rax, direct(r11))
		e.jumpIndirect()
		return
	default:
		e.hot.load(w32, rax, direct(r11))
		found := e.findJump()
		e.hot.linear(r11, next)
		e.pushCall(r11)
		e.hot.enterPage()
		e.hot.op(0, w32, 0xff, 2, found) // CALL
	}
	// The return leads here, with its linear address in eax.
	e.inHost, e.inMem = false, true
	e.hot.enterPage()
	e.next()
}

// pushCall pushes the linear address in r, which a return is to have.
func (e *emitter) pushCall(r reg) {
	if !e.b.User {
		e.hot.setSystemBit(r)
	}
	e.hot.bytes(0x41, 0x50|byte(r&7)) // PUSH
}

// setSystemBit marks the linear address in r. CF is lost.
func (a *asm) setSystemBit(r reg) {
	a.op(0, w64, 0x0fba, 5, direct(r)) // BTS
	a.bytes(systemBit)
}

func ret(e *emitter) {
	e.hot.load(w32, rax, e.atTop())
	e.moveTop(4 + int32(e.in.Imm&0xffff))
	if !e.b.User {
		e.hot.setSystemBit(rax)
	}
	e.hot.op(0, w64, 0x3b, uint8(rax), at(rsp, 8)) // CMP
	e.hot.jcc(condNZ, e.cold.pos())
	e.hot.bytes(0xc2, jit.CallSize-8, 0) // RET
	e.leaveBy(&e.cold, e.t.stubs.back[half(e.b.User)], jit.ExitID(jit.ExitJump, e.b.Index, 0))
}
