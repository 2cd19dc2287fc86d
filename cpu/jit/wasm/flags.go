package wasm

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Flags are kept as in cpu.State, as a result and its carries, in lRes and lAux.
// That takes a dozen operations, and most readers, a conditional jump right behind
// a comparison, need one. So what sets flags leaves its operands in lA and lB and
// its result in lR, all of the operand's size with zeros above; readers that follow
// before the next one take what they need from there. lRes and lAux are computed
// only where somebody else may read them.

// recordKind is what the three locals are of.
type recordKind uint8

const (
	recNone   recordKind = iota // nothing
	recAdd                      // A+B
	recSub                      // A-B
	recLogic                    // no carries
	recResult                   // R alone counts
	recOrder                    // CF is A, ZF is set where R is 0, the others are clear
)

// record is what has set the flags last in the block.
type record struct {
	kind recordKind
	size uint8
}

// serves says which pairs of condition codes can be told from a record.
func (k recordKind) serves(pair uint8) bool {
	switch k {
	case recAdd:
		return pair == 1 || pair == 2 || pair == 4
	case recSub:
		return pair != 0 && pair != 5
	case recLogic:
		return pair != 5
	case recOrder:
		return true
	case recResult:
		return pair == 2 || pair == 4
	}
	return false
}

// conditional says that an instruction reads flags by its condition code alone.
func conditional(op x86.Op) bool { return op == x86.JCC || op == x86.SETCC || op == x86.CMOVCC }

// needed is the set of flags of the current instruction that have to be in lRes
// and lAux behind it, if it leaves a record of the given kind.
func (e *emitter) needed(kind recordKind) uint32 {
	insts := e.b.insts
	want := e.in.Writes & e.in.Live
	m := want
	fresh := true // the record stays
	for p := e.k + 1; p < len(insts) && m != 0; p++ {
		q := &insts[p]
		if m&insts[p-1].Live != 0 && (q.MayFault() || !q.Native) {
			return want
		}
		if m&q.Reads != 0 && !(fresh && conditional(q.Op) && kind.serves(q.Cond>>1)) {
			return want
		}
		if q.Writes != 0 {
			fresh = false
			if m&^q.Kills&q.Live != 0 {
				return want
			}
		}
		m &^= q.Kills
	}
	if m&e.b.last().Live != 0 {
		return want
	}
	return 0
}

const carries = x86.FlagCF | x86.FlagOF | x86.FlagAF

// setFlags notes that lA, lB and lR are those of the current instruction, and
// computes the lazy flags where they are needed.
func (e *emitter) setFlags(kind recordKind) {
	e.rec = record{kind, e.in.OpSize}
	need := e.needed(kind)
	if need == 0 {
		return
	}
	e.setRes()
	switch {
	case kind == recLogic || need&carries == 0:
		e.i32(0)
	case need&carries == x86.FlagCF:
		// The lower operand of an addition exceeds its result where it carries.
		if kind == recAdd {
			e.get(lR)
			e.get(lA)
		} else {
			e.get(lA)
			e.get(lB)
		}
		e.op(opI32LtU)
		e.with(opI32Shl, 31)
	default:
		e.carries(kind)
	}
	e.set(lAux)
}

// setOrder sets the flags of a record of that kind, of lA and lR, which are 0 or 1.
func (e *emitter) setOrder() {
	e.rec = record{recOrder, 4}
	if e.needed(recOrder) == 0 {
		return
	}
	e.get(lR)
	e.set(lRes)
	e.i32(0)
	e.get(lA)
	e.op(opI32Sub)
	e.with(opI32And, cpu.AuxCF|cpu.AuxPO)
	// Where the result is 0, PF would be set.
	e.get(lR)
	e.op(opI32Eqz)
	e.with(opI32Shl, 8)
	e.op(opI32Or)
	e.set(lAux)
}

// fromOrder tells a condition from such a record.
func (e *emitter) fromOrder(pair uint8) {
	switch pair {
	case 1:
		e.get(lA)
	case 2, 7:
		e.get(lR)
		e.op(opI32Eqz)
	case 3:
		e.get(lA)
		e.get(lR)
		e.op(opI32Eqz, opI32Or)
	default:
		e.i32(0)
	}
}

// setRes sets lRes to the sign-extended lR.
func (e *emitter) setRes() {
	e.get(lR)
	e.signExtend(e.in.OpSize)
	e.set(lRes)
}

func (e *emitter) signExtend(size uint8) {
	switch size {
	case 1:
		e.op(opI32Extend8S)
	case 2:
		e.op(opI32Extend16S)
	}
}

// carries computes what State.Aux is of: the carries out of each bit, A&B | (A|B)&^R,
// with A inverted and R as it is for a subtraction.
func (e *emitter) carries(kind recordKind) {
	first := func() {
		e.get(lA)
		if kind == recSub {
			e.with(opI32Xor, 1<<32-1)
		}
	}
	first()
	e.get(lB)
	e.op(opI32And)
	first()
	e.get(lB)
	e.op(opI32Or)
	e.get(lR)
	if kind != recSub {
		e.with(opI32Xor, 1<<32-1)
	}
	e.op(opI32And, opI32Or)
	e.asm.set(lT)
	e.get(lT)
	if n := uint32(4-e.in.OpSize) * 8; n != 0 {
		e.with(opI32Shl, n)
		e.with(opI32And, cpu.AuxCF|cpu.AuxPO)
		e.get(lT)
		e.with(opI32And, cpu.AuxAF)
		e.op(opI32Or)
		return
	}
	e.with(opI32And, cpu.AuxCF|cpu.AuxPO|cpu.AuxAF)
}

// setShift sets the lazy flags of a shift: lR is the result, and what carry puts on
// the stack is CF in bit 31 and CF xor OF in bit 30.
func (e *emitter) setShift(carry func()) {
	e.rec = record{recResult, e.in.OpSize}
	if len(e.ways) > 0 { // only on this way
		e.rec = record{}
	}
	if e.needed(e.rec.kind) == 0 {
		return
	}
	e.setRes()
	carry()
	e.set(lAux)
}

// setCFOF changes CF and OF alone: they are on the stack as setShift wants them.
func (e *emitter) setCFOF() {
	e.rec = record{}
	e.get(lAux)
	e.with(opI32And, ^uint32(cpu.AuxCF|cpu.AuxPO))
	e.op(opI32Or)
	e.set(lAux)
}

// setCF changes CF alone, to the bit on the stack.
func (e *emitter) setCF() {
	e.rec = record{}
	e.with(opI32Shl, 31)
	e.asm.set(lT)
	e.get(lAux)
	e.get(lAux)
	e.get(lT)
	e.op(opI32Xor)
	e.turnCF()
}

// turnCF sets lAux to the word below the topmost one, with CF turned where it is set
// in that; bit 30 is turned with it, being CF xor OF.
func (e *emitter) turnCF() {
	e.with(opI32And, cpu.AuxCF)
	e.asm.set(lU)
	e.get(lU)
	e.op(opI32Xor)
	e.get(lU)
	e.with(opI32ShrU, 1)
	e.op(opI32Xor)
	e.set(lAux)
}

// setZF changes ZF alone: it is set where the word on the stack, 0 or 1, is 0.
func (e *emitter) setZF() {
	e.rec = record{}
	e.asm.set(lT)
	e.pushSF()
	e.pushOdd()
	e.get(lT)
	e.op(opI32Xor)
	e.with(opI32Shl, 8)
	e.op(opI32Or)
	e.get(lAux)
	e.with(opI32And, cpu.AuxCF|cpu.AuxPO|cpu.AuxAF)
	e.op(opI32Or)
	e.set(lAux)
	e.get(lT)
	e.set(lRes)
}

// What follows pushes flags as they are in lRes and lAux, as 0 or 1.

func (e *emitter) pushCF() {
	e.get(lAux)
	e.with(opI32ShrU, 31)
}

func (e *emitter) pushSF() {
	e.get(lRes)
	e.with(opI32ShrU, 31)
	e.get(lAux)
	e.with(opI32And, cpu.AuxSF)
	e.op(opI32Xor)
}

func (e *emitter) pushOF() {
	e.get(lAux)
	e.get(lAux)
	e.with(opI32Shl, 1)
	e.op(opI32Xor)
	e.with(opI32ShrU, 31)
}

func (e *emitter) pushZF() {
	e.get(lRes)
	e.op(opI32Eqz)
}

// pushOdd pushes PF inverted.
func (e *emitter) pushOdd() {
	e.get(lRes)
	e.get(lAux)
	e.with(opI32ShrU, 8)
	e.op(opI32Xor)
	e.with(opI32And, 0xff)
	e.op(opI32Popcnt)
	e.with(opI32And, 1)
}

func (e *emitter) pushAF() {
	e.get(lAux)
	e.with(opI32ShrU, 3)
	e.with(opI32And, 1)
}

// pushArith pushes the arithmetic flags as EFLAGS has them.
func (e *emitter) pushArith() {
	e.pushCF()
	for _, f := range []struct {
		push func()
		at   uint32
	}{{e.pushAF, 4}, {e.pushZF, 6}, {e.pushSF, 7}, {e.pushOF, 11}} {
		f.push()
		e.with(opI32Shl, f.at)
		e.op(opI32Or)
	}
	e.pushOdd()
	e.op(opI32Eqz)
	e.with(opI32Shl, 2)
	e.op(opI32Or)
}

// pushCond pushes condition code cc as 0 or 1.
func (e *emitter) pushCond(cc uint8) {
	if e.rec.kind.serves(cc >> 1) {
		e.fromRecord(cc >> 1)
	} else {
		e.fromFlags(cc >> 1)
	}
	if cc&1 != 0 {
		e.op(opI32Eqz)
	}
}

func (e *emitter) fromFlags(pair uint8) {
	switch pair {
	case 0:
		e.pushOF()
	case 1:
		e.pushCF()
	case 2:
		e.pushZF()
	case 3:
		e.pushCF()
		e.pushZF()
		e.op(opI32Or)
	case 4:
		e.pushSF()
	case 5:
		e.pushOdd()
		e.op(opI32Eqz)
	default:
		e.pushSF()
		e.pushOF()
		e.op(opI32Xor)
		if pair == 7 {
			e.pushZF()
			e.op(opI32Or)
		}
	}
}

// fromRecord tells a condition from the operands or the result.
func (e *emitter) fromRecord(pair uint8) {
	compare := func(op byte, a, b local, signed bool) {
		for _, l := range []local{a, b} {
			e.get(l)
			if signed {
				e.signExtend(e.rec.size)
			}
		}
		e.op(op)
	}
	result := func(op byte) {
		e.get(lR)
		e.signExtend(e.rec.size)
		e.with(op, 0)
	}
	switch kind := e.rec.kind; {
	case kind == recOrder:
		e.fromOrder(pair)
	case pair == 4:
		result(opI32LtS)
	case pair == 2 || kind == recLogic && pair == 3:
		e.get(lR)
		e.op(opI32Eqz)
	case kind == recLogic && pair <= 1:
		e.i32(0)
	case kind == recLogic && pair == 6:
		result(opI32LtS)
	case kind == recLogic:
		result(opI32LeS)
	case kind == recAdd:
		compare(opI32LtU, lR, lA, false)
	case pair == 1:
		compare(opI32LtU, lA, lB, false)
	case pair == 3:
		compare(opI32LeU, lA, lB, false)
	case pair == 6:
		compare(opI32LtS, lA, lB, true)
	default:
		compare(opI32LeS, lA, lB, true)
	}
}
