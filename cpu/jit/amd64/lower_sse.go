//go:build linux && amd64

package amd64

import (
	"golang.org/x/sys/cpu"

	"alpinevm/cpu/x86"
)

// The guest's XMM registers are the host's of the same numbers while code runs that
// uses them, and MXCSR is the guest's: rounding, flushing and sticky flags are
// the processor's own. Where the guest has unmasked an exception, the interpreter
// executes. XMM8 to XMM15 are free.

// notNative are instructions whose result is an approximation that processors
// are free in, and those with operands that are not encoded.
var notNative = map[x86.Op]bool{
	x86.RCPPS: true, x86.RCPSS: true, x86.RSQRTPS: true, x86.RSQRTSS: true,
	x86.MASKMOVDQU: true, x86.MASKMOVQ: true,
}

// hostHas says whether the host has the instructions of a feature.
func hostHas(f x86.Feature) bool {
	h := &cpu.X86
	switch f {
	case x86.FeatureSSE, x86.FeatureSSE2, x86.FeatureMMX, x86.FeatureFPU, x86.FeatureCMOV:
		return true
	case x86.FeatureSSE3:
		return h.HasSSE3
	case x86.FeatureSSSE3:
		return h.HasSSSE3
	case x86.FeatureSSE41:
		return h.HasSSE41
	case x86.FeatureSSE42:
		return h.HasSSE42
	case x86.FeatureAES:
		return h.HasAES
	case x86.FeaturePCLMULQDQ:
		return h.HasPCLMULQDQ
	}
	return false
}

// simdRules serves every mnemonic that has a form on XMM or MMX registers.
func simdRules() map[x86.Op]rule {
	t := map[x86.Op]rule{
		x86.LDMXCSR: {emit: loadMXCSR}, x86.STMXCSR: {emit: storeMXCSR},
		x86.LFENCE: {emit: nothing}, x86.MFENCE: {emit: nothing}, x86.SFENCE: {emit: nothing},
		x86.MOVNTI: {emit: func(e *emitter) { e.hot.store(w32, e.memory(write, 4), guest[e.in.Reg]) }},
	}
	for i := range x86.Forms {
		r := &x86.Forms[i]
		if _, xmm, mmx := simdArgs(r); (xmm || mmx) && !notNative[r.Op] {
			t[r.Op] = rule{takes: takesSIMD, emit: simd}
		}
	}
	return t
}

// simdArgs gives the operand of a form that is the r/m operand, and which kinds
// of registers the form has.
func simdArgs(r *x86.FormRow) (rm x86.Arg, xmm, mmx bool) {
	for _, a := range r.Args {
		xmm = xmm || a.XMM()
		mmx = mmx || a.MMX()
		switch a {
		case x86.Vx, x86.Pq, x86.Gd, x86.Ib, x86.XMM0, x86.None:
		default:
			rm = a
		}
	}
	return rm, xmm, mmx
}

func takesSIMD(in *x86.Inst) bool {
	r := in.Row()
	rm, xmm, mmx := simdArgs(r)
	if !hostHas(r.Feat) {
		return false
	}
	if mmx {
		// Whether that is an MMX instruction depends on the processor.
		return in.Op != x86.CVTPI2PS || !in.Mem
	}
	return xmm && (rm.XMM() || rm.Memory())
}

func xmmAt(n uint8) loc { return at(rbp, stateXMM+16*int32(n)) }

// mandatory is the mandatory prefix of a form, or 0.
func mandatory(p x86.PrefixSet) uint8 {
	switch p {
	case x86.P66:
		return 0x66
	case x86.PF3:
		return 0xf3
	case x86.PF2:
		return 0xf2
	}
	return 0
}

// simd is the guest's instruction on the registers that hold the guest's.
func simd(e *emitter) {
	in := e.in
	row := in.Row()
	rm, xmm, mmx := simdArgs(row)
	if mmx && !e.hostMMX {
		emitMMX(e)
		return
	}
	if xmm {
		e.holdSSE()
	}
	if mmx {
		e.holdX87()
	}
	m := direct(reg(in.RM))
	switch {
	case in.Mem:
		table := read
		if row.Args[0] == rm {
			table = write
		}
		m = e.memoryAligned(table, rm.Size(in.OpSize), rm.Aligned())
	case rm.GPR():
		m = direct(guest[in.RM])
	}
	e.ready()
	if in.Op == x86.PCMPESTRI || in.Op == x86.PCMPESTRM {
		m = e.lengths(m)
	}
	n := in.ModRM >> 3 & 7 // a register, or which shift it is
	if has(&in.Inst, x86.Gd) {
		n = uint8(guest[in.Reg])
	}
	e.hot.op(mandatory(row.Prefix), w32, row.Code, n, m)
	if has(&in.Inst, x86.Ib) {
		e.hot.imm(in.Imm, w8)
	}
}

// lengths puts EAX where the host's instruction has it, and gives the place of the
// operand m, which is not rax then. EDX and ECX are there.
func (e *emitter) lengths(m loc) loc {
	if m.inMem {
		e.hot.lea64(r11, m)
		m = at(r11, 0)
	}
	e.hot.load(w32, rax, direct(guest[x86.EAX]))
	return m
}

// loadMXCSR leaves to the interpreter where a reserved bit is set or an exception
// unmasked, and behind it all is to be looked at again.
func loadMXCSR(e *emitter) {
	const (
		reserved = ^0xffff
		masks    = 0x1f80
	)
	e.holdSSE()
	a := &e.hot
	m := e.memory(read, 4)
	a.load(w32, r11, m)
	a.load(w32, r10, direct(r11))
	a.aluImm(aluAND, w32, direct(r10), reserved|masks)
	a.aluImm(aluCMP, w32, direct(r10), masks)
	a.jcc(condNZ, e.cold.pos())
	e.interpretCold()
	a.op(0, w32, 0x0fae, 2, m) // LDMXCSR
	a.store(w32, at(rbp, stateMXCSR), r11)
	e.inSSE = false
}

func storeMXCSR(e *emitter) {
	e.holdSSE()
	e.hot.op(0, w32, 0x0fae, 3, e.memory(write, 4)) // STMXCSR
}
