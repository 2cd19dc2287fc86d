//go:build linux && amd64

package amd64

import (
	"golang.org/x/sys/cpu"

	"alpinevm/cpu/x86"
)

// The XMM registers stay in cpu.State: an instruction loads its operands into
// host registers, is executed there, and its result is stored. MXCSR is the
// guest's all the while, so rounding, flushing and sticky flags are the
// processor's own. Where the guest has unmasked an exception, the interpreter
// executes.

// notNative are instructions whose result is an approximation that processors
// are free in, and those with operands that are not encoded.
var notNative = map[x86.Op]bool{
	x86.RCPPS: true, x86.RCPSS: true, x86.RSQRTPS: true, x86.RSQRTSS: true,
	x86.MASKMOVDQU: true, x86.MASKMOVQ: true,
	x86.PCMPESTRM: true, x86.PCMPESTRI: true, x86.PCMPISTRM: true, x86.PCMPISTRI: true,
}

// hostHas says whether the host has the instructions of a feature.
func hostHas(f x86.Feature) bool {
	h := &cpu.X86
	switch f {
	case x86.FeatureSSE, x86.FeatureSSE2, x86.FeatureMMX:
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

// simdRules serves every mnemonic that has a form on XMM registers.
func simdRules() map[x86.Op]rule {
	t := map[x86.Op]rule{}
	for i := range x86.Forms {
		r := &x86.Forms[i]
		if _, xmm, _ := simdArgs(r); xmm && !notNative[r.Op] {
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
		case x86.Vx, x86.Pq, x86.Gd, x86.Ib, x86.None:
		default:
			rm = a
		}
	}
	return rm, xmm, mmx
}

func takesSIMD(in *x86.Inst) bool {
	r := in.Row()
	rm, xmm, mmx := simdArgs(r)
	if !hostHas(r.Feat) || r.Args[2] == x86.XMM0 {
		return false
	}
	if mmx {
		return !xmm && takesMMX(in)
	}
	return xmm && (rm.XMM() || rm.Memory())
}

func xmmAt(n uint8) loc { return at(rbp, stateXMM+16*int32(n)) }

// loadXMM and storeXMM move a guest register, which may be misaligned in the
// state.
func (e *emitter) loadXMM(host, n uint8)  { e.hot.op(0, w32, 0x0f10, host, xmmAt(n)) }
func (e *emitter) storeXMM(n, host uint8) { e.hot.op(0, w32, 0x0f11, host, xmmAt(n)) }

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

// simd executes the guest's instruction with ModRM.reg in xmm0 or a general
// register, and the r/m operand in memory, xmm1 or a general register.
func simd(e *emitter) {
	in := e.in
	row := in.Row()
	rm, _, mmx := simdArgs(row)
	if mmx {
		emitMMX(e)
		return
	}
	e.allowed(&e.sseChecked, ctxNoSSE)
	toRM := row.Args[0] == rm
	m := direct(1)
	if in.Mem {
		table := read
		if toRM {
			table = write
		}
		m = e.memoryAligned(table, rm.Size(in.OpSize), rm.Aligned())
	} else if rm.GPR() {
		m = direct(guest[in.RM])
	}
	e.ready()
	if !in.Mem && rm.XMM() {
		e.loadXMM(1, in.RM)
	}
	n := uint8(0)
	switch {
	case row.Args[0] == x86.Gd:
		n = uint8(guest[in.Reg])
	case !has(&in.Inst, x86.Vx): // a shift by a constant
		n = in.ModRM >> 3 & 7
	case toRM || row.Flags&x86.DstR != 0:
		e.loadXMM(0, in.Reg)
	}
	e.hot.op(mandatory(row.Prefix), w32, row.Code, n, m)
	if has(&in.Inst, x86.Ib) {
		e.hot.imm(in.Imm, w8)
	}
	switch {
	case row.Flags&x86.DstW == 0 || row.Args[0] == x86.Gd:
	case !toRM:
		e.storeXMM(in.Reg, 0)
	case !in.Mem && rm.XMM():
		e.storeXMM(in.RM, 1)
	}
}
