//go:build linux && amd64

package amd64

import (
	"encoding/binary"
	"unsafe"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// Ways between CPL 3 and 0, where the front end has learnt what they lead to and
// nothing that they depend on is another. All else is left to the interpreter, before
// anything has changed.

var crossingRules = map[x86.Op]rule{
	x86.INT:      {takes: takesBranch, emit: interrupt, user: true},
	x86.IRET:     {takes: takesBranch, emit: crossBy(jit.CrossReturn), system: true},
	x86.SYSENTER: {emit: crossBy(jit.CrossEnter), user: true},
	x86.SYSEXIT:  {emit: crossBy(jit.CrossExit), system: true},
}

// interrupt is INT n. What it pushes as EIP is in the scratch word of the context.
func interrupt(e *emitter) {
	e.save()
	e.hot.linear(r11, e.in.Next())
	e.hot.store(w32, at(r15, ctxScratch), r11)
	e.hot.op(0, w32, 0xc7, 0, at(r15, ctxVector)) // MOV
	e.hot.u32(1<<31 | e.in.Imm&0xff)
	e.cross(jit.CrossInt)
}

func crossBy(way int) func(*emitter) {
	return func(e *emitter) {
		e.save()
		e.cross(way)
	}
}

func (e *emitter) cross(way int) {
	e.leaveBy(&e.hot, e.t.stubs.cross[way], jit.ExitID(jit.ExitInst, e.b.Index, e.i))
}

// Parts of a jit.Crossing.
const (
	crossSize  = int32(unsafe.Sizeof(jit.Crossing{}))
	crossKey   = int32(unsafe.Offsetof(jit.Crossing{}.Key))
	crossKeep  = int32(unsafe.Offsetof(jit.Crossing{}.Keep))
	crossEIP   = int32(unsafe.Offsetof(jit.Crossing{}.EIP))
	crossTop   = int32(unsafe.Offsetof(jit.Crossing{}.Top))
	crossRaw   = int32(unsafe.Offsetof(jit.Crossing{}.Raw))
	crossLin   = int32(unsafe.Offsetof(jit.Crossing{}.Lin))
	crossSS    = int32(unsafe.Offsetof(jit.Crossing{}.SS))
	crossCode  = int32(unsafe.Offsetof(jit.Crossing{}.Code))
	crossStack = int32(unsafe.Offsetof(jit.Crossing{}.Stack))
)

// frameSize is what crossing by INT pushes and IRET pops: EIP, CS, EFLAGS, ESP and SS.
const (
	frameCS, frameFlags, frameESP, frameSS = 4, 8, 12, 16

	frameSize = 20
)

// crossing makes the routine of one way. Where a test fails nothing is changed yet.
type crossing struct {
	*asm
	s      *stubs
	way    int32
	failed []uint32 // where displacements of jumps to the failure stand
}

func (s *stubs) emitCrossings(a *asm) {
	for way, emit := range [...]func(*crossing){
		jit.CrossInt: (*crossing).interrupt, jit.CrossReturn: (*crossing).back, jit.CrossEnter: (*crossing).enter, jit.CrossExit: (*crossing).exit,
	} {
		c := &crossing{asm: a, s: s, way: int32(way)}
		s.cross[way] = a.pos()
		emit(c)
		for _, from := range c.failed {
			binary.LittleEndian.PutUint32(a.b[from-a.base:], a.pos()-from-4)
		}
		a.op(0, w32, 0xc7, 0, at(r15, ctxAsked)) // MOV
		a.u32(uint32(way) + 1)
		a.jmp(s.leave)
	}
}

// fails leaves under a condition.
func (c *crossing) fails(cond uint8) {
	c.jcc(cond, 0)
	c.failed = append(c.failed, c.pos()-4)
}

// known is a part of what is known of the way.
func (c *crossing) known(part int32) loc { return at(r15, ctxCross+c.way*crossSize+part) }

func (c *crossing) compare(r reg, w width, m loc) {
	c.op(0, w, 0x3b, uint8(r), m) // CMP
	c.fails(condNZ)
}

// keyed leaves where r is not the key of what is known, or is 0, which that of nothing is.
func (c *crossing) keyed(r reg) {
	c.op(0, w32, 0x85, uint8(r), direct(r)) // TEST
	c.fails(condZ)
	c.compare(r, w32, c.known(crossKey))
}

// without leaves where EFLAGS has any of the bits.
func (c *crossing) without(flags uint32) {
	c.op(0, w32, 0xf7, 0, at(rbp, stateFlags)) // TEST
	c.u32(flags)
	c.fails(condNZ)
}

// host makes r, a linear address, the host's, by the table at an offset from base. It
// leaves where it is not there. index is lost.
func (c *crossing) host(r, index, base reg, table int32) {
	c.load(w32, index, direct(r))
	c.shiftRight(index, 12)
	c.op(0, w32, 0xc1, 4, direct(index)) // SHL
	c.bytes(tableShift)
	c.op(0, w64, 0x2b, uint8(r), indexed(base, index, 3, table)) // SUB
	c.fails(condNB)
}

// same leaves where descriptor i is not what it was. r10 and r11 are lost.
func (c *crossing) same(i int32) {
	c.load(w32, r10, c.known(crossLin+4*i))
	c.host(r10, r11, r15, tablesOff)
	c.load(w64, r10, at(r10, 0))
	c.compare(r10, w64, c.known(crossRaw+8*i))
}

// framed leaves where a frame at the linear address in r reaches into another page.
// index is lost.
func (c *crossing) framed(r, index reg) {
	c.load(w32, index, direct(r))
	c.aluImm(aluAND, w32, direct(index), 0xfff)
	c.aluImm(aluCMP, w32, direct(index), 0x1000-frameSize)
	c.fails(condA)
}

// lands goes on at the linear address in eax, at CPL 0 or 3. Where AC lifts SMAP, what it
// opens is found when code leaves for it. r10 and r11 are lost.
func (c *crossing) lands(user bool) {
	cpl, table := byte(0), ctxSystem
	if user {
		cpl, table = 3, ctxUser
	}
	c.op(0, w8, 0xc6, 0, at(rbp, stateCPL)) // MOV
	c.bytes(cpl)
	c.load(w64, r14, at(r15, table))
	for part := int32(0); part < segSize; part += 8 {
		c.load(w64, r10, c.known(crossCode+part))
		c.store(w64, at(rbp, segment(x86.CS)+part), r10)
		c.load(w64, r11, c.known(crossStack+part))
		c.store(w64, at(rbp, segment(x86.SS)+part), r11)
	}
	c.op(0, w32, 0x81, aluXOR, at(rsp, 0))
	c.u32(jit.ExitInst ^ jit.ExitJump)
	c.jmp(c.s.back[half(user)])
}

// interrupt pushes a frame on the stack that the task-state segment names.
func (c *crossing) interrupt() {
	c.load(w32, r10, at(r15, ctxVector))
	c.keyed(r10)
	for i := range int32(3) {
		c.same(i)
	}
	c.load(w32, r10, c.known(crossTop))
	c.host(r10, r11, r15, tablesOff)
	c.op(0, w32, 0x0fb7, uint8(r11), at(r10, 4)) // MOVZX
	c.compare(r11, w32, c.known(crossSS))
	c.load(w32, rax, at(r10, 0))
	c.aluImm(aluSUB, w32, direct(rax), frameSize)
	c.framed(rax, r10)
	c.load(w32, r11, direct(rax))
	c.host(rax, r10, r15, tablesOff+tableSize)

	c.op(0, w32, 0x0fb7, uint8(r10), at(rbp, segment(x86.SS)+segSel)) // MOVZX
	c.store(w32, at(rax, frameSS), r10)
	c.store(w32, at(rax, frameESP), regESP)
	c.load(w32, regESP, direct(r11))
	c.op(0, w32, 0x0fb6, uint8(r11), at(r15, ctxFlags)) // MOVZX: OF
	c.op(0, w32, 0xc1, 4, direct(r11))                  // SHL
	c.bytes(11)
	c.op(0, w32, 0x0fb6, uint8(r10), at(r15, ctxFlags+1))
	c.op(0, w32, 0x09, uint8(r11), direct(r10))         // OR
	c.op(0, w32, 0x0b, uint8(r10), at(rbp, stateFlags)) // OR
	c.store(w32, at(rax, frameFlags), r10)
	c.op(0, w32, 0x0fb7, uint8(r10), at(rbp, segment(x86.CS)+segSel)) // MOVZX
	c.store(w32, at(rax, frameCS), r10)
	c.load(w32, r10, at(r15, ctxScratch))
	c.store(w32, at(rax, 0), r10)
	c.load(w32, r10, c.known(crossKeep))
	c.op(0, w32, 0x21, uint8(r10), at(rbp, stateFlags)) // AND
	c.load(w32, rax, c.known(crossEIP))
	c.lands(false)
}

// back is IRET to CPL 3, where no more than arithmetic flags, IF and DF change, no
// interrupt waits that IF lets in, and the data segments stay.
func (c *crossing) back() {
	const changes = x86.FlagIF | x86.FlagDF
	c.op(0, w8, 0x80, aluCMP, at(rbp, stateNMI))
	c.bytes(0)
	c.fails(condNZ)
	c.without(x86.FlagNT | x86.FlagAC)
	c.load(w32, rax, direct(regESP))
	c.framed(rax, r10)
	c.host(rax, r10, r14, 0)
	c.op(0, w32, 0x0fb7, uint8(r10), at(rax, frameCS)) // MOVZX
	c.op(0, w32, 0x0fb7, uint8(r11), at(rax, frameSS))
	c.op(0, w32, 0xc1, 4, direct(r11)) // SHL
	c.bytes(16)
	c.op(0, w32, 0x09, uint8(r11), direct(r10)) // OR
	c.keyed(r10)
	c.load(w32, r10, at(rax, frameFlags))
	c.op(0, w32, 0x33, uint8(r10), at(rbp, stateFlags)) // XOR
	c.op(0, w32, 0xf7, 0, direct(r10))                  // TEST
	other := x86.FlagsArith | changes | x86.FlagOne
	c.u32(^uint32(other))
	c.fails(condNZ)
	c.op(0, w32, 0xf7, 0, at(rax, frameFlags))
	c.u32(x86.FlagIF)
	skip(c.asm, 0x74, func() { // JZ
		c.op(0, w8, 0x80, aluCMP, at(rbp, stateIntr))
		c.bytes(0)
		c.fails(condNZ)
	})
	c.same(0)
	c.same(1)
	for _, n := range [...]uint8{x86.ES, x86.DS, x86.FS, x86.GS} {
		c.keeps(n)
	}

	c.load(w32, r10, at(rax, frameFlags))
	c.load(w32, r11, direct(r10))
	c.op(0, w32, 0x33, uint8(r11), at(rbp, stateFlags)) // XOR
	c.aluImm(aluAND, w32, direct(r11), changes)
	c.op(0, w32, 0x31, uint8(r11), at(rbp, stateFlags)) // XOR
	c.store(w8, at(r15, ctxFlags+1), r10)               // as LAHF has them
	c.shiftRight(r10, 11)
	c.aluImm(aluAND, w32, direct(r10), 1) // OF
	c.store(w8, at(r15, ctxFlags), r10)
	c.load(w32, regESP, at(rax, frameESP))
	c.load(w32, rax, at(rax, 0))
	c.lands(true)
}

// keeps leaves where returning to CPL 3 may empty segment register n: where it holds
// a segment of less than that. r10 is lost.
func (c *crossing) keeps(n uint8) {
	c.op(0, w32, 0x0fb7, uint8(r10), at(rbp, segment(n)+segAttr)) // MOVZX
	c.op(0, w8, 0xf6, 0, direct(r10))                             // TEST
	c.bytes(byte(cpu.AttrS))
	skip(c.asm, 0x74, func() { // JZ
		c.aluImm(aluAND, w32, direct(r10), int32(cpu.AttrDPL))
		c.aluImm(aluCMP, w32, direct(r10), int32(cpu.AttrDPL))
		c.fails(condNZ)
	})
}

// ofSysenter leaves where IA32_SYSENTER_CS is another one, or 0.
func (c *crossing) ofSysenter() {
	c.load(w32, r10, at(rbp, stateSECS))
	c.keyed(r10)
}

// enter is SYSENTER.
func (c *crossing) enter() {
	c.ofSysenter()
	cleared := x86.FlagVM | x86.FlagIF | x86.FlagRF
	c.aluImmLong(aluAND, at(rbp, stateFlags), ^int32(cleared))
	c.load(w32, regESP, at(rbp, stateSESP))
	c.load(w32, rax, at(rbp, stateSEIP))
	c.lands(false)
}

// exit is SYSEXIT, where AC asks for no checks of alignment.
func (c *crossing) exit() {
	c.ofSysenter()
	c.without(x86.FlagAC)
	c.load(w32, regESP, direct(rcx))
	c.load(w32, rax, direct(rdx))
	c.lands(true)
}
