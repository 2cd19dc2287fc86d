//go:build linux && amd64

package amd64

import (
	"unsafe"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
)

// Offsets that generated code uses.
const (
	ctxFlags  = int32(unsafe.Offsetof(jit.Context{}.Flags))
	ctxBudget = int32(unsafe.Offsetof(jit.Context{}.Budget))
	ctxExit   = int32(unsafe.Offsetof(jit.Context{}.Exit))
	ctxAddr   = int32(unsafe.Offsetof(jit.Context{}.Addr))
	ctxPage   = int32(unsafe.Offsetof(jit.Context{}.Page))
	ctxEIP    = int32(unsafe.Offsetof(jit.Context{}.EIP))
	ctxTarget = int32(unsafe.Offsetof(jit.Context{}.Target))
	ctxState  = int32(unsafe.Offsetof(jit.Context{}.State))
	ctxTable  = int32(unsafe.Offsetof(jit.Context{}.Table))
	ctxGen    = int32(unsafe.Offsetof(jit.Context{}.Gen))
	ctxMXCSR  = int32(unsafe.Offsetof(jit.Context{}.MXCSR))
	ctxHost   = int32(unsafe.Offsetof(jit.Context{}.Host))
	ctxHostCW = int32(unsafe.Offsetof(jit.Context{}.HostCW))
	ctxUser   = int32(unsafe.Offsetof(jit.Context{}.User))
	ctxSystem = int32(unsafe.Offsetof(jit.Context{}.System))
	ctxLifted = int32(unsafe.Offsetof(jit.Context{}.Lifted))
	ctxLoad   = int32(unsafe.Offsetof(jit.Context{}.Load))
	ctxSegs   = int32(unsafe.Offsetof(jit.Context{}.Segs))
	segsRaw   = int32(unsafe.Offsetof(jit.Segment{}.Raw))
	segsKey   = int32(unsafe.Offsetof(jit.Segment{}.Key))
	segsLin   = int32(unsafe.Offsetof(jit.Segment{}.Lin))
	segsSeg   = int32(unsafe.Offsetof(jit.Segment{}.Seg))
	segsShift = 5 // of the size of a jit.Segment
	ctxAsked  = int32(unsafe.Offsetof(jit.Context{}.Asked))
	ctxVector = int32(unsafe.Offsetof(jit.Context{}.Vector))
	ctxCross  = int32(unsafe.Offsetof(jit.Context{}.Crossings))
	ctxNoSSE  = int32(unsafe.Offsetof(jit.Context{}.NoSSE))
	ctxNoMMX  = int32(unsafe.Offsetof(jit.Context{}.NoMMX))
	ctxNoX87  = int32(unsafe.Offsetof(jit.Context{}.NoX87))
	ctxCalls  = int32(unsafe.Offsetof(jit.Context{}.Calls))
	ctxStack  = int32(unsafe.Offsetof(jit.Context{}.Stack))
	ctxFrame  = int32(unsafe.Offsetof(jit.Context{}.Frame))
	ctxMask   = int32(unsafe.Offsetof(jit.Context{}.Mask))

	ctxScratch = int32(unsafe.Offsetof(jit.Context{}.Scratch))

	ctxHeldSSE = int32(unsafe.Offsetof(jit.Context{}.HeldSSE))
	ctxHeldX87 = int32(unsafe.Offsetof(jit.Context{}.HeldX87))

	stateR     = int32(unsafe.Offsetof(cpu.State{}.R))
	stateFlags = int32(unsafe.Offsetof(cpu.State{}.Flags))
	stateSeg   = int32(unsafe.Offsetof(cpu.State{}.Seg))
	stateFPU   = int32(unsafe.Offsetof(cpu.State{}.FPU))
	stateMant  = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.Mant))
	stateSE    = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.SE))
	stateCW    = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.CW))
	stateSW    = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.SW))
	stateFIP   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.FIP))
	stateFDP   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.FDP))
	stateFOP   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.FOP))
	stateFCS   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.FCS))
	stateFDS   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.FDS))
	stateUsed  = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.Used))
	stateMXCSR = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.MXCSR))
	stateXMM   = stateFPU + int32(unsafe.Offsetof(cpu.FPU{}.XMM))
	segSize    = int32(unsafe.Sizeof(cpu.Seg{}))
	stateIntr  = int32(unsafe.Offsetof(cpu.State{}.IntrPin))
	stateNMI   = int32(unsafe.Offsetof(cpu.State{}.NMIMask))
	stateCPL   = int32(unsafe.Offsetof(cpu.State{}.CPL))
	stateSECS  = int32(unsafe.Offsetof(cpu.State{}.SysenterCS))
	stateSESP  = int32(unsafe.Offsetof(cpu.State{}.SysenterESP))
	stateSEIP  = int32(unsafe.Offsetof(cpu.State{}.SysenterEIP))
	segBase    = int32(unsafe.Offsetof(cpu.Seg{}.Base))
	segSel     = int32(unsafe.Offsetof(cpu.Seg{}.Sel))
	segAttr    = int32(unsafe.Offsetof(cpu.Seg{}.Attr))
	segFast    = int32(unsafe.Offsetof(cpu.Seg{}.Fast))
)

// stubs are the code offsets of what all code uses.
type stubs struct {
	enter uint32 // from Go
	leave uint32 // with the exit's number on the stack
	exit  uint32 // with it in r10d
	// segment finds what a selector loads.
	segment uint32
	// unaligned finds the page of an access whose low address bits are not
	// zero: by table (read, write), register of the address (rax, r11) and
	// size (2, 4, 8, 16 bytes). It is called; behind the call stands a jump
	// back and the number of the exit that is taken where it finds nothing.
	unaligned [2][2][4]uint32
	// spare looks for the target of an indirect jump at CPL 0, and at CPL 3, where
	// the table of jumps does not have it; back looks there first.
	spare, back [2]uint32
	// cross goes one of the ways between CPL 3 and 0, or leaves with the exit's number
	// on the stack.
	cross [4]uint32
	float floatStubs
}

func (s *stubs) emit(a *asm, t *Target) {
	s.float.emitMoves(a)
	s.enter = a.pos()
	a.store(w64, at(r15, ctxStack), rsp)
	a.store(w64, at(r15, ctxFrame), rbp)
	a.load(w64, rsp, at(r15, ctxCalls))
	a.load(w64, rbp, at(r15, ctxState))
	a.load(w64, r14, at(r15, ctxTable))
	a.load(w32, r13, at(r15, ctxBudget))
	s.float.enter(a)
	restoreFlags(a)
	for i, r := range guest {
		a.load(w32, r, at(rbp, stateR+4*int32(i)))
	}
	a.op(0, w32, 0xff, 4, at(r15, ctxTarget)) // JMP

	s.leave = a.pos()
	a.bytes(0x41, 0x5a) // POP r10
	s.exit = a.pos()
	a.store(w32, at(r15, ctxExit), r10)
	a.store(w32, at(r15, ctxBudget), r13)
	for i, r := range guest {
		a.store(w32, at(rbp, stateR+4*int32(i)), r)
	}
	s.float.leave(a)
	a.store(w64, at(r15, ctxCalls), rsp)
	a.load(w64, rsp, at(r15, ctxStack))
	a.load(w64, rbp, at(r15, ctxFrame))
	a.bytes(0xfc) // CLD
	a.bytes(0xc3)
	s.float.emitHolds(a, s.exit)

	s.emitSegment(a)
	for h := range s.spare {
		s.emitSpare(a, h)
	}
	s.emitCrossings(a)
	for table := range s.unaligned {
		for i, addr := range []reg{rax, r11} {
			for size := range s.unaligned[table][i] {
				s.unaligned[table][i][size] = a.pos()
				s.emitUnaligned(a, table, addr, 2<<size)
			}
		}
	}
}

func (s *stubs) emitUnaligned(a *asm, table int, addr reg, size int32) {
	a.load(w32, r10, direct(addr))
	a.aluImm(aluAND, w32, direct(r10), 0xfff)
	a.aluImm(aluCMP, w32, direct(r10), 0x1000-size)
	a.bytes(0x77, 0) // JA
	above := len(a.b)
	a.load(w32, r10, direct(addr))
	a.op(0, w32, 0xc1, 5, direct(r10)) // SHR
	a.bytes(12)
	a.op(0, w32, 0xc1, 4, direct(r10)) // SHL
	a.bytes(tableShift)
	a.op(0, w64, 0x2b, uint8(addr), indexed(r14, r10, 3, int32(table)*tableSize)) // SUB
	a.bytes(0x73, 1)                                                              // JNC
	a.bytes(0xc3)
	a.b[above-1] = byte(len(a.b) - above)
	a.store(w32, at(r15, ctxAddr), addr)
	a.load(w64, r10, at(rsp, 0))
	a.load(w32, r10, at(r10, 5))
	a.leaRIP(rax, s.exit)
	a.store(w64, at(rsp, 0), rax)
	a.bytes(0xc3) // as the call of it has to be answered by a return
}

// saveFlags and restoreFlags move the arithmetic flags between the host's
// register and the context. rax is lost. clearAF is for where shifts have left
// AF as the host does, which is undefined, and not cleared, as here; the host's are lost
// then.
func saveFlags(a *asm, clearAF bool) {
	a.bytes(0x9f)             // LAHF
	a.bytes(0x0f, 0x90, 0xc0) // SETO AL
	if clearAF {
		andAH(a, 0xef)
	}
	a.store(w16, at(r15, ctxFlags), rax)
}

func andAH(a *asm, mask byte) { a.bytes(0x80, 0xe4, mask) }

func restoreFlags(a *asm) {
	a.op(0, w32, 0x0fb7, uint8(rax), at(r15, ctxFlags)) // MOVZX
	a.bytes(0x04, 0x7f)                                 // ADD AL, 7Fh: OF
	a.bytes(0x9e)                                       // SAHF
}
