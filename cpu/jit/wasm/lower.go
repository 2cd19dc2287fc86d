package wasm

import "alpinevm/cpu/x86"

// A rule is how one mnemonic becomes code.
type rule struct {
	// takes says whether the rule serves this form with these operands; nil:
	// it serves all.
	takes func(in *x86.Inst) bool
	emit  func(e *emitter)
}

// rules is indexed by mnemonic. It is filled in once and never changed.
var rules = gatherRules()

// gatherRules makes that table.
// It and its like stay out of the package's init, which is large:
// engines of WebAssembly optimize what has a loop, at a cost beyond all that it does.
//
//go:noinline
func gatherRules() (t [x86.NumOps]rule) {
	for _, f := range []map[x86.Op]rule{moveRules, aluRules, shiftRules, bitRules, multiplyRules, stackRules, branchRules, flagRules, stringRules, simdRules, vectorMoveRules, mmxRules, floatRules, convertRules, aesRules} {
		for op, r := range f {
			if t[op].emit != nil {
				panic("BUG: two rules for " + op.String())
			}
			t[op] = r
		}
	}
	return t
}

// native says whether there is code for in, on flat segments, at any privilege.
func native(in *x86.Inst) bool {
	r := &rules[in.Op]
	if r.emit == nil || in.Mem && in.AddrSize != 4 {
		return false
	}
	if in.Mem && in.Seg == x86.CS && in.Op != x86.LEA && in.Op != x86.NOP {
		return false
	}
	return r.takes == nil || r.takes(in)
}

// has says whether the form has the operand.
func has(in *x86.Inst, arg x86.Arg) bool {
	for _, a := range x86.Forms[in.Form].Args {
		if a == arg {
			return true
		}
	}
	return false
}

// wide says that the operand size is 32 bits.
func wide(in *x86.Inst) bool { return in.OpSize == 4 }
