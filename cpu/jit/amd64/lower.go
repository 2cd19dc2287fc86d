//go:build linux && amd64

package amd64

import "alpinevm/cpu/x86"

// A rule is how one mnemonic becomes host code.
type rule struct {
	// takes says whether the rule serves this form with these operands; nil:
	// it serves all.
	takes        func(in *x86.Inst) bool
	emit         func(e *emitter)
	system, user bool // at CPL 0, or at 3, only
}

// rules is indexed by mnemonic. It is filled in once and never changed.
var rules = func() (t [x86.NumOps]rule) {
	for _, f := range []map[x86.Op]rule{moveRules, aluRules, bitRules, multiplyRules, stackRules, branchRules, flagRules, systemRules, crossingRules, stringRules, simdRules(), mmxRules, x87Rules()} {
		for op, r := range f {
			if t[op].emit != nil {
				panic("BUG: two rules for " + op.String())
			}
			t[op] = r
		}
	}
	return t
}()

// Native says whether there is code for in.
func (t *Target) Native(in *x86.Inst, user bool) bool {
	r := &rules[in.Op]
	if r.emit == nil || r.system && user || r.user && !user || in.AddrSize != 4 && in.Mem {
		return false
	}
	if in.Mem && in.Seg == x86.CS && in.Op != x86.LEA && in.Op != x86.NOP {
		return false
	}
	return r.takes == nil || r.takes(in)
}

// inst makes the code of a native instruction.
func (e *emitter) inst() {
	rules[e.in.Op].emit(e)
	e.done()
}

// args are the operands of the instruction's form.
func (e *emitter) args() [3]x86.Arg { return x86.Forms[e.in.Form].Args }

func (e *emitter) code() uint32 { return x86.Forms[e.in.Form].Code }

func (e *emitter) width() width { return width(e.in.OpSize) }

// has says whether the form has the operand.
func has(in *x86.Inst, arg x86.Arg) bool {
	for _, a := range x86.Forms[in.Form].Args {
		if a == arg {
			return true
		}
	}
	return false
}

// high says that a byte register is AH, CH, DH or BH.
func high(n uint8) bool { return n >= 4 }

// byteValue gives a host register whose low byte is guest byte register n, to be
// read only. Flags stay.
func (e *emitter) byteValue(n uint8, scratch reg) reg {
	if !high(n) {
		return guest[n]
	}
	e.secondByte(scratch, guest[n&3])
	return scratch
}

// secondByte makes the low byte of a register the second one of another. Flags
// stay.
func (e *emitter) secondByte(to, r reg) {
	if e.t.host.rorx {
		e.hot.rorx(to, direct(r), 8)
		return
	}
	e.hot.store(w32, at(r15, ctxScratch), r)
	e.hot.load(w8, to, at(r15, ctxScratch+1))
}

// turn makes the byte register n the low byte of its host register, which it
// gives, for an instruction that changes no more than that; back turns it again.
// In between nothing else is turned. Flags stay.
func (e *emitter) turn(n uint8) reg {
	r := guest[n&3]
	if high(n) {
		e.secondByte(r, r)
	}
	return r
}

func (e *emitter) back(n uint8) {
	r := guest[n&3]
	switch {
	case !high(n):
	case e.t.host.rorx:
		e.hot.rorx(r, direct(r), 24)
	default:
		e.hot.store(w8, at(r15, ctxScratch+1), r)
		e.hot.load(w32, r, at(r15, ctxScratch))
	}
}

// regRM appends a host instruction of two operands, the guest's register
// ModRM.reg and its r/m operand, with the given opcode. table is what a memory
// operand is looked up in. Exactly one of the two is changed where changesReg
// or changesRM says so.
func (e *emitter) regRM(code uint32, table int, changesReg, changesRM bool) {
	in := e.in
	w := e.width()
	if w != w8 {
		m := direct(guest[in.RM&7])
		if in.Mem {
			m = e.memory(table, int(w))
		}
		e.ready()
		e.hot.op(0, w, code, uint8(guest[in.Reg]), m)
		return
	}
	if in.Mem {
		m := e.memory(table, 1)
		e.ready()
		if !changesReg {
			e.hot.op(0, w8, code, uint8(e.byteValue(in.Reg, e.other(m))), m)
			return
		}
		r := e.turn(in.Reg)
		e.hot.op(0, w8, code, uint8(r), m)
		e.back(in.Reg)
		return
	}
	e.ready()
	dst, src := in.RM, in.Reg
	if changesReg {
		dst, src = in.Reg, in.RM
	}
	s := e.byteValue(src, r11)
	if high(dst) && !high(src) && src == dst&3 {
		e.hot.load(w32, r11, direct(s))
		s = r11
	}
	var d reg
	if changesReg || changesRM {
		d = e.turn(dst)
		defer e.back(dst)
	} else {
		d = e.byteValue(dst, r10)
	}
	if changesReg {
		e.hot.op(0, w8, code, uint8(d), direct(s))
	} else {
		e.hot.op(0, w8, code, uint8(s), direct(d))
	}
}

// other is a scratch register that place m does not use.
func (e *emitter) other(m loc) reg {
	if m.base == r11 {
		return rax
	}
	return r11
}

// rmOnly appends a host instruction whose only operand but an immediate is the
// guest's r/m operand or accumulator, with an opcode extension.
func (e *emitter) rmOnly(code uint32, ext uint8, table int, changes bool) {
	in := e.in
	w := e.width()
	n := in.RM
	switch e.args()[0] {
	case x86.AL, x86.RAX:
		n = x86.EAX
	case x86.Zv:
		n = in.Reg
	}
	switch {
	case in.Mem:
		m := e.memory(table, int(w))
		e.ready()
		e.hot.op(0, w, code, ext, m)
	case w != w8:
		e.ready()
		e.hot.op(0, w, code, ext, direct(guest[n]))
	case changes:
		e.ready()
		e.hot.op(0, w8, code, ext, direct(e.turn(n)))
	default:
		e.ready()
		e.hot.op(0, w8, code, ext, direct(e.byteValue(n, r11)))
	}
}

// settle turns the byte register that rmOnly has changed back, behind the
// immediate.
func (e *emitter) settle() {
	if e.width() == w8 && !e.in.Mem && e.args()[0] == x86.Eb {
		e.back(e.in.RM)
	}
}
