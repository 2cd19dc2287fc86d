package cpu

import "alpinevm/cpu/x86"

// effect is what an instruction does to the arithmetic flags, and the handler
// that leaves them alone, if it has one.
type effect struct {
	reads, kills uint32
	quiet        handler
}

// effectOf asks the opcode table. A fault pushes all flags.
func effectOf(in *x86.Inst, quiet handler) effect {
	u := in.Flags()
	e := effect{u.Reads, u.Kills, quiet}
	if in.MayFault() {
		e.reads = arithFlags
	}
	return e
}

// dropDeadFlags gives the instructions of a block whose flags are overwritten
// before anything can see them their quiet handlers. Behind the block's end
// everything is seen.
func dropDeadFlags(ops []op, effects []effect) (any bool) {
	seen := uint32(arithFlags)
	for i := len(ops) - 1; i >= 0; i-- {
		e := &effects[i]
		if e.quiet != nil && seen == 0 {
			ops[i].fn = e.quiet
			any = true
		}
		seen = seen&^e.kills&arithFlags | e.reads&arithFlags
	}
	return any
}
