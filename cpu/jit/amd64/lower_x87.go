//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

// x87 instructions are executed by the host's x87 unit on the guest's state, stack
// faults and masked exceptions included. Where the guest has unmasked one, the
// interpreter executes. The pointers to the last instruction and its operand
// (SDM vol. 1, 8.1.8), which the host's unit would have of this code, are kept in
// the State.

// notX87 are the instructions that are left to the interpreter: those whose result
// differs between processors, those that no manual has, and those that move
// the whole state or are rare.
var notX87 = map[x86.Op]bool{
	x86.F2XM1: true, x86.FYL2X: true, x86.FYL2XP1: true, x86.FPTAN: true, x86.FPATAN: true, x86.FSIN: true, x86.FCOS: true, x86.FSINCOS: true,
	x86.FPREM: true, x86.FPREM1: true, x86.FBLD: true, x86.FBSTP: true,
	x86.FSTP1: true, x86.FSTP8: true, x86.FSTP9: true, x86.FXCH4: true, x86.FXCH7: true, x86.FCOM2: true, x86.FCOMP3: true, x86.FCOMP5: true,
	x86.FLDENV: true, x86.FNSTENV: true, x86.FRSTOR: true, x86.FNSAVE: true, x86.FNINIT: true,
	x86.FNENI: true, x86.FNDISI: true, x86.FNSETPM: true,
}

// x87Control are those that leave the pointers alone.
var x87Control = map[x86.Op]bool{
	x86.FNSTCW: true, x86.FNSTSW: true, x86.FNCLEX: true,
}

func x87Rules() map[x86.Op]rule {
	t := map[x86.Op]rule{x86.FWAIT: {emit: (*emitter).holdX87}}
	for i := range x86.Forms {
		if r := &x86.Forms[i]; r.Code >= 0xd8 && r.Code <= 0xdf && !notX87[r.Op] {
			t[r.Op] = rule{takes: takesX87, emit: x87}
		}
	}
	t[x86.FLDCW] = rule{takes: takesX87, emit: loadCW}
	t[x86.FNSTSW] = rule{takes: takesX87, emit: storeSW}
	return t
}

// takesX87 refuses operands whose offset is not their linear address.
func takesX87(in *x86.Inst) bool {
	return hostHas(in.Row().Feat) && (!in.Mem || in.Seg != x86.FS && in.Seg != x86.GS)
}

func x87(e *emitter) {
	in := e.in
	e.holdX87()
	if in.Mem {
		m := e.memoryX87()
		e.ready()
		e.hot.op(0, w32, e.code(), in.ModRM>>3&7, m)
		if !x87Control[in.Op] {
			e.address(read, rax) // again: check has made another of it
			e.noteData(rax)
		}
	} else {
		e.ready()
		e.hot.bytes(byte(e.code()), in.ModRM)
	}
	if !x87Control[in.Op] {
		e.x87.owed, e.x87.eip, e.x87.opcode = true, in.EIP, uint16(e.code()&7)<<8|uint16(in.ModRM)
	}
}

// memoryX87 looks the memory operand up. One of 10 bytes counts as 16.
func (e *emitter) memoryX87() loc {
	row := e.in.Row()
	arg := row.Args[row.MemArg()]
	table, size := read, arg.Size(e.in.OpSize)
	if row.Args[0] == arg && row.Flags&x86.DstW != 0 {
		table = write
	}
	if size == 10 {
		size = 16
	}
	return e.memory(table, size)
}

// loadCW leaves to the interpreter where the new control word unmasks an
// exception, and behind it all is to be looked at again. The host loads it from the
// guest's memory: from the State, where it was stored just before, it took 100
// times as long by chance of where the code lay.
func loadCW(e *emitter) {
	const (
		bits  = 0x1f3f
		fixed = 0x40 // reads as 1
		masks = 0x3f
	)
	e.holdX87()
	m := e.memoryX87()
	a := &e.hot
	a.op(0, w32, 0x0fb7, uint8(r11), m) // MOVZX
	a.load(w32, r10, direct(r11))
	a.op(0, w32, 0xf7, 2, direct(r10)) // NOT
	a.op(0, w8, 0xf6, 0, direct(r10))  // TEST
	a.bytes(masks)
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.op(0, w32, 0xd9, 5, m) // FLDCW
	a.aluImm(aluAND, w32, direct(r11), bits)
	a.aluImm(aluOR, w32, direct(r11), fixed)
	a.store(w16, at(rbp, stateCW), r11)
	e.inX87 = false
}

func storeSW(e *emitter) {
	e.holdX87()
	if e.in.Mem {
		e.hot.op(0, w32, 0xdd, 7, e.memoryX87())
		return
	}
	e.hot.bytes(0xdf, 0xe0) // FNSTSW AX
	e.hot.load(w16, guest[x86.EAX], direct(rax))
}

// x87Notes is what a block knows of the pointers. Those to the instruction are owed
// to the State until something may look: whatever leaves, and the end.
type x87Notes struct {
	owed   bool
	eip    uint32
	opcode uint16
	known  bool // FDS is the selector of seg
	seg    uint8
}

// noteData notes the operand at the offset in addr. r10 is lost.
func (e *emitter) noteData(addr reg) {
	e.hot.store(w32, at(rbp, stateFDP), addr)
	if e.x87.known && e.x87.seg == e.in.Seg {
		return
	}
	e.hot.load(w16, r10, at(rbp, stateSeg+int32(e.in.Seg)*segSize+segSel))
	e.hot.store(w16, at(rbp, stateFDS), r10)
	e.x87.known, e.x87.seg = true, e.in.Seg
}

// tellX87 appends what notes the last instruction, if that is owed. r10 is lost.
func (e *emitter) tellX87(a *asm) {
	if !e.x87.owed {
		return
	}
	a.linear(r10, e.x87.eip)
	a.store(w32, at(rbp, stateFIP), r10)
	a.op(0, w16, 0xc7, 0, at(rbp, stateFOP))
	a.imm(uint32(e.x87.opcode), w16)
	a.load(w16, r10, at(rbp, stateSeg+x86.CS*segSize+segSel))
	a.store(w16, at(rbp, stateFCS), r10)
}

// settleX87 notes it for good.
func (e *emitter) settleX87() {
	e.tellX87(&e.hot)
	e.x87.owed = false
}
