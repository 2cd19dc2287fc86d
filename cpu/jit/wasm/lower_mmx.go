package wasm

import "alpinevm/cpu/x86"

// What MMX instructions do beside their operation (SDM vol. 3A, chapter 12).

var mmxRules = map[x86.Op]rule{x86.EMMS: {emit: emptyMMX}}

const swES = 1 << 7 // of the x87 status word: an exception waits

func mantAt(n uint8) uint32 { return coreMant + 8*uint32(n) }

// usableMMX leaves to the interpreter where MMX and x87 instructions raise #UD, #NM or
// #MF. What can change that ends blocks.
func (e *emitter) usableMMX() {
	if e.fpu {
		return
	}
	e.fpu = true
	e.get(lCore)
	e.mem(opI32Load, coreCR0)
	e.with(opI32And, cr0EMTS)
	e.get(lCore)
	e.mem(opI32Load16U, coreSW)
	e.with(opI32And, swES)
	e.op(opI32Or)
	e.leaveIf(exitInst)
}

// enterMMX makes TOP 0 and all registers valid, as every MMX instruction but EMMS does
// once it can no longer fault.
func (e *emitter) enterMMX() {
	if e.inMMX {
		return
	}
	e.inMMX = true
	e.tagMMX(0xff)
}

func (e *emitter) tagMMX(used uint32) {
	e.get(lCore)
	e.get(lCore)
	e.mem(opI32Load8U, coreSW+1)
	e.with(opI32And, 0xc7)
	e.mem(opI32Store8, coreSW+1)
	e.get(lCore)
	e.i32(used)
	e.mem(opI32Store8, coreUsed)
}

// setSE makes sign and exponent of a register ones.
func (e *emitter) setSE(n uint8) {
	e.get(lCore)
	e.i32(0xffff)
	e.mem(opI32Store16, coreSE+2*uint32(n))
}

func emptyMMX(e *emitter) {
	e.usableMMX()
	e.tagMMX(0)
	e.inMMX = false
}
