//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

var moveRules = map[x86.Op]rule{
	x86.MOV:    {takes: takesMove, emit: move},
	x86.MOVZX:  {emit: extend},
	x86.MOVSX:  {emit: extend},
	x86.LEA:    {emit: lea},
	x86.XCHG:   {takes: takesExchange, emit: exchange},
	x86.CMOVCC: {emit: moveIf},
	x86.SETCC:  {emit: set},
	x86.CBW:    {emit: convert},
	x86.CWD:    {emit: convertDouble},
	x86.NOP:    {emit: nothing}, x86.PAUSE: {emit: nothing}, x86.PREFETCH: {emit: nothing},
}

func nothing(*emitter) {}

func takesMove(in *x86.Inst) bool { return x86.Forms[in.Form].Args[0] != x86.Sw || loadable(in) }

func move(e *emitter) {
	in, a := e.in, e.args()
	w := e.width()
	if a[1] == x86.Sw {
		e.moveFromSegment()
		return
	}
	switch a[0] {
	case x86.Sw:
		e.moveToSegment()
	case x86.Zv:
		e.loadImm(in.Reg, w)
	case x86.Zb:
		e.byteImm(in.Reg)
	case x86.AL, x86.RAX:
		e.hot.load(w, guest[x86.EAX], e.memory(read, int(w)))
	case x86.Ob, x86.Ov:
		e.hot.store(w, e.memory(write, int(w)), guest[x86.EAX])
	case x86.Gb, x86.Gv:
		e.regRM(e.code(), read, true, false)
	default:
		if a[1] == x86.Gb || a[1] == x86.Gv {
			e.regRM(e.code(), write, false, true)
			return
		}
		switch {
		case in.Mem:
			m := e.memory(write, int(w))
			if w == w8 {
				e.hot.op(0, w, 0xc6, 0, m)
			} else {
				e.hot.op(0, w, 0xc7, 0, m)
			}
			e.hot.imm(in.Imm, w)
		case w == w8:
			e.byteImm(in.RM)
		default:
			e.loadImm(in.RM, w)
		}
	}
}

// loadImm loads a register of 2 or 4 bytes, byteImm one of a byte.
func (e *emitter) loadImm(n uint8, w width) {
	if w == w32 {
		e.hot.movImm(guest[n], e.in.Imm)
		return
	}
	e.hot.op(0, w, 0xc7, 0, direct(guest[n]))
	e.hot.imm(e.in.Imm, w)
}

func (e *emitter) byteImm(n uint8) {
	e.hot.op(0, w8, 0xc6, 0, direct(e.turn(n)))
	e.hot.imm(e.in.Imm, w8)
	e.back(n)
}

// extend serves MOVZX and MOVSX.
func extend(e *emitter) {
	in := e.in
	size := 1
	if e.args()[1] == x86.Ew {
		size = 2
	}
	var m loc
	switch {
	case in.Mem:
		m = e.memory(read, size)
	case size == 1:
		m = direct(e.byteValue(in.RM, r11))
	default:
		m = direct(guest[in.RM])
	}
	e.hot.op(0, e.width(), e.code(), uint8(guest[in.Reg]), m)
}

func lea(e *emitter) {
	in := e.in
	if e.width() == w32 {
		e.address(read, guest[in.Reg])
		return
	}
	e.address(read, rax)
	e.hot.load(w16, guest[in.Reg], direct(rax))
}

// takesExchange refuses the high byte registers.
func takesExchange(in *x86.Inst) bool {
	return in.OpSize != 1 || !high(in.Reg) && (in.Mem || !high(in.RM))
}

// exchange serves XCHG. A processor that is alone needs no lock.
func exchange(e *emitter) {
	in := e.in
	w := e.width()
	r := guest[in.Reg&7]
	if in.Mem {
		m := e.memory(write, int(w))
		e.hot.load(w, r11, m)
		e.hot.store(w, m, r)
		e.hot.load(w, r, direct(r11))
		return
	}
	other := guest[in.RM&7]
	if e.args()[0] == x86.Zv || e.args()[1] == x86.Zv {
		other = guest[x86.EAX]
	}
	if w == w8 {
		e.hot.op(0, w, 0x86, uint8(r), direct(other))
		return
	}
	e.hot.op(0, w, 0x87, uint8(r), direct(other))
}

func moveIf(e *emitter) {
	in := e.in
	m := direct(guest[in.RM&7])
	if in.Mem {
		m = e.memory(read, int(e.width()))
	}
	e.restore()
	e.hot.op(0, e.width(), 0x0f40|uint32(in.Cond), uint8(guest[in.Reg]), m)
}

func set(e *emitter) {
	in := e.in
	code := 0x0f90 | uint32(in.Cond)
	if in.Mem {
		m := e.memory(write, 1)
		e.restore()
		e.hot.op(0, w8, code, 0, m)
		return
	}
	e.restore()
	e.hot.op(0, w8, code, 0, direct(e.turn(in.RM)))
	e.back(in.RM)
}

// convert serves CBW and CWDE, convertDouble CWD and CDQ.
func convert(e *emitter) {
	a := guest[x86.EAX]
	if e.width() == w16 {
		e.hot.op(0, w16, 0x0fbe, uint8(a), direct(a))
	} else {
		e.hot.op(0, w32, 0x0fbf, uint8(a), direct(a))
	}
}

func convertDouble(e *emitter) {
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	if e.width() == w16 {
		e.hot.bytes(0x66)
	}
	e.hot.bytes(0x99) // EDX is rdx
}
