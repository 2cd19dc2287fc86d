package wasm

// The guest's registers and lazy flags are in the cpu.Core wherever code can be left and
// between blocks. A block takes into locals what it needs, once, and puts back what it has
// changed before what may leave, at the latest at its end. So nothing is alive from block to
// block but the budget: a region has dozens of them and more exits, and what engines compile
// it with takes most of its time over values that are alive on all of these ways.

// held is what is known of the locals from lReg to lAux, as bits.
type held struct {
	loaded  uint16 // they are what the guest has
	dirty   uint16 // of these, the cpu.Core is not
	changed uint16 // since the last if began
}

func bit(l local) uint16 { return 1 << (l - lReg) }

func guests(l local) bool { return l >= lReg && l <= lAux }

// home is the offset in cpu.Core of what a local is of.
func home(l local) uint32 {
	switch l {
	case lRes:
		return coreRes
	case lAux:
		return coreAux
	}
	return coreR + 4*uint32(l-lReg)
}

func (e *emitter) get(l local) {
	e.floats = e.floats || l >= lSingleA
	if !guests(l) || e.held.loaded&bit(l) != 0 {
		e.asm.get(l)
		return
	}
	e.held.loaded |= bit(l)
	e.asm.get(lCore)
	e.mem(opI32Load, home(l))
	e.asm.tee(l)
}

func (e *emitter) set(l local) {
	e.asm.set(l)
	if guests(l) {
		e.held.loaded |= bit(l)
		e.held.dirty |= bit(l)
		e.held.changed |= bit(l)
	}
}

// storeHeld makes the cpu.Core what the guest has.
func (e *emitter) storeHeld() {
	e.storeThose(e.held.dirty)
	e.held.dirty = 0
}

func (e *emitter) storeThose(those uint16) {
	for l := lReg; l <= lAux; l++ {
		if those&bit(l) != 0 {
			e.asm.get(lCore)
			e.asm.get(l)
			e.mem(opI32Store, home(l))
		}
	}
}

// merge ends a way through an if: behind it holds what did before, on both ways.
func (e *emitter) merge() {
	e.storeThose(e.held.dirty & e.held.changed)
	e.held = e.ways[len(e.ways)-1]
}
