package cpu

import "alpinevm/cpu/x86"

// families lists them all; each stands in a file of its own. They are functions, as the
// package's init would be huge with them, and engines of WebAssembly would optimize it.
func families() []family {
	return []family{
		aesFamily(),
		aluFamily(),
		atomicFamily(),
		bcdFamily(),
		bitFamily(),
		branchFamily(),
		carrylessFamily(),
		controlFamily(),
		counterFamily(),
		cpuidFamily(),
		extendFamily(),
		farFamily(),
		flagFamily(),
		fxsaveFamily(),
		intFamily(),
		ioFamily(),
		laneShiftFamily(),
		logicFamily(),
		mmxFamily(),
		movFamily(),
		msrFamily(),
		mulFamily(),
		packFamily(),
		protectFamily(),
		segmentFamily(),
		shiftFamily(),
		shuffleFamily(),
		sse4FloatFamily(),
		sse4GeneralFamily(),
		sse4IntegerFamily(),
		sse4MoveFamily(),
		sse4StringFamily(),
		sseControlFamily(),
		sseConvertFamily(),
		sseFloatFamily(),
		sseMoveFamily(),
		stackFamily(),
		stringFamily(),
		sysenterFamily(),
		tableFamily(),
		verifyFamily(),
		x87ArithFamily(),
		x87ControlFamily(),
		x87MathFamily(),
		x87MoveFamily(),
	}
}

// selectors is the table that translate consults, made once for all CPUs and
// never changed.
var selectors = gatherSelectors()

// gatherSelectors makes it, and stays out of init.
//
//go:noinline
func gatherSelectors() (t [x86.NumOps]selector) {
	for _, f := range families() {
		for m, s := range f {
			if t[m] != nil {
				panic("BUG: two families claim " + m.String())
			}
			t[m] = s
		}
	}
	return t
}
