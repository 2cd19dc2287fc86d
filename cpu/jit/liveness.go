package jit

import "alpinevm/cpu/x86"

// Arith is the set of arithmetic flags, whose liveness is followed.
const Arith = x86.FlagsArith

// Uses fills in what an instruction does with flags. What the interpreter
// executes reads all, as it may push them, and so does in a strict translation
// what may fault.
func Uses(in *Inst, strict bool) {
	u := in.Flags()
	in.Reads, in.Writes, in.Kills = u.Reads&Arith, u.Writes&Arith, u.Kills&Arith
	if !in.Native {
		in.Reads, in.Writes, in.Kills = Arith, Arith, 0
	}
	if strict && in.MayFault() {
		in.Reads = Arith
	}
}

// liveness walks a block backwards, at whose end every flag may be read. It says
// whether the block overwrites all flags before anything reads them.
func liveness(insts []Inst) (kills bool) {
	live := uint32(Arith)
	for i := len(insts) - 1; i >= 0; i-- {
		in := &insts[i]
		in.Live = live
		live = live&^in.Kills | in.Reads
	}
	return live == 0
}
