package wasm

import (
	"math/bits"

	"alpinevm/cpu/x86"
)

// The rounds of AES (SDM vol. 2A, AESENC; FIPS 197, whose names are used here) are
// functions of their own, since they are long: they substitute bytes by looking into 16
// vectors. Programs have them for hashing, as Go does for its maps. A module whose regions
// need them begins with them.
// Byte 4c+r of a register is row r of column c.

// aesRounds are the rounds in the order of their functions in a module.
var aesRounds = [...]struct {
	op      x86.Op
	inverse bool
	last    bool // columns are not mixed
}{{x86.AESENC, false, false}, {x86.AESENCLAST, false, true}, {x86.AESDEC, true, false}, {x86.AESDECLAST, true, true}}

var aesRules = makeAESRules()

// makeAESRules stays out of init: see gatherRules.
//
//go:noinline
func makeAESRules() map[x86.Op]rule {
	t := map[x86.Op]rule{}
	for i, r := range aesRounds {
		t[r.op] = rule{takes: ofXMM, emit: func(e *emitter) { aesRound(e, uint32(i)) }}
	}
	return t
}

// aesFunctions are the functions of all rounds.
var aesFunctions = makeAESFunctions()

// makeAESFunctions stays out of init: see gatherRules.
//
//go:noinline
func makeAESFunctions() (f [][]byte) {
	for _, r := range aesRounds {
		f = append(f, aesFunction(r.inverse, r.last))
	}
	return f
}

// aesRound calls the function of a round with the addresses of destination and key.
func aesRound(e *emitter, fn uint32) {
	e.aes = true
	e.findVector()
	e.get(lCore)
	e.with(opI32Add, xmmAt(e.in.Reg))
	if e.in.Mem {
		e.get(lPlace)
		e.with(opI32Add, e.layout.RAM)
	} else {
		e.get(lCore)
		e.with(opI32Add, xmmAt(e.in.RM))
	}
	e.i32(0)
	e.op(opCall)
	e.u(firstOfRest + fn)
	e.op(opDrop)
}

// aesFunction is the function of a round: its first parameter is the address of the
// state, its second that of the key.
func aesFunction(inverse, last bool) []byte {
	const (
		state local = iota
		key
		_
		v // the state
		w // what it becomes
	)
	a := &asm{}
	a.u(1)
	a.u(2)
	a.op(typeV128)
	a.get(state)
	a.get(state)
	a.vectorMem(vLoad, 0)
	a.tee(v)
	a.get(v)
	a.vectorShuffle(shiftRows(inverse))
	a.set(v)
	a.vectorConst(0)
	box := sbox(inverse)
	for i := range 16 {
		a.vector(vConst)
		a.op(box[16*i : 16*i+16]...)
		a.get(v)
		a.vectorConst(byte(16 * i))
		a.vector(vSub8)
		a.vector(vSwizzle)
		a.vector(vOr)
	}
	a.set(v)
	switch {
	case last:
		a.get(v)
	case inverse:
		// The inverse matrix is the matrix times another: of each byte and that two
		// rows below, 5 and 4 times.
		a.get(v)
		a.rotated(v, 2)
		a.vector(vXor)
		a.set(w)
		a.double(w)
		a.set(w)
		a.double(w)
		a.get(v)
		a.vector(vXor)
		a.set(v)
		a.mixColumns(v, w)
	default:
		a.mixColumns(v, w)
	}
	a.get(key)
	a.vectorMem(vLoad, 0)
	a.vector(vXor)
	a.vectorMem(vStore, 0)
	a.i32(0)
	a.op(opEnd)
	return a.b
}

// mixColumns pushes what MixColumns makes of v: twice each byte, three times the next,
// and the other two. w is lost.
func (a *asm) mixColumns(v, w local) {
	a.double(v)
	a.tee(w)
	a.get(w)
	a.get(v)
	a.vector(vXor)
	a.set(w)
	for n, l := range []local{1: w, 2: v, 3: v} {
		if n > 0 {
			a.rotated(l, n)
			a.vector(vXor)
		}
	}
}

// rotated pushes a vector with each row taken from n below it.
func (a *asm) rotated(v local, n int) {
	a.get(v)
	a.get(v)
	a.vectorShuffle(rotateRows(n))
}

// double pushes the bytes of a vector times 2 in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
func (a *asm) double(v local) {
	a.get(v)
	a.i32(1)
	a.vector(vShl8)
	a.get(v)
	a.i32(7)
	a.vector(vShrS8)
	a.vectorConst(0x1b)
	a.vector(vAnd)
	a.vector(vXor)
}

// shiftRows takes row r from r columns to the right, or to the left.
func shiftRows(inverse bool) (l lanes) {
	for i := range l {
		row, column := i%4, i/4
		if inverse {
			row = -row
		}
		l[i] = byte((column+row+4)%4*4 + i%4)
	}
	return l
}

// rotateRows takes each row from n below it.
func rotateRows(n int) (l lanes) {
	for i := range l {
		l[i] = byte(i/4*4 + (i+n)%4)
	}
	return l
}

// sbox is the table of SubBytes, or that of its inverse.
func sbox(inverse bool) (t [256]byte) {
	// p runs through the powers of 3, q through their inverses.
	p, q := byte(1), byte(1)
	put := func(from, to byte) {
		if inverse {
			from, to = to, from
		}
		t[from] = to
	}
	put(0, 0x63)
	for {
		p ^= p<<1 ^ p>>7*0x1b
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		q ^= q >> 7 * 0x09
		put(p, q^bits.RotateLeft8(q, 1)^bits.RotateLeft8(q, 2)^bits.RotateLeft8(q, 3)^bits.RotateLeft8(q, 4)^0x63)
		if p == 1 {
			return t
		}
	}
}
