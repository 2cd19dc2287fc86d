package wasm

import (
	"slices"

	"alpinevm/cpu/x86"
)

// lanes says for each byte of the result which one it is: 0 to 15 of the destination,
// 16 to 31 of the source, or none.
type lanes [16]byte

const none = 32

// shuffles are the instructions that choose bytes of their operands, as the immediate
// operand says.
var shuffles = map[x86.Op]func(imm uint32) lanes{
	x86.PUNPCKLBW: unpack(1, 0), x86.PUNPCKLWD: unpack(2, 0), x86.PUNPCKLDQ: unpack(4, 0), x86.PUNPCKLQDQ: unpack(8, 0),
	x86.PUNPCKHBW: unpack(1, 8), x86.PUNPCKHWD: unpack(2, 8), x86.PUNPCKHDQ: unpack(4, 8), x86.PUNPCKHQDQ: unpack(8, 8),
	x86.UNPCKLPS: unpack(4, 0), x86.UNPCKLPD: unpack(8, 0), x86.UNPCKHPS: unpack(4, 8), x86.UNPCKHPD: unpack(8, 8),
	x86.PSHUFD:  func(imm uint32) lanes { return choose(4, 0, imm, 16, 16) },
	x86.SHUFPS:  func(imm uint32) lanes { return choose(4, 0, imm, 0, 16) },
	x86.PSHUFLW: func(imm uint32) lanes { return choose(2, 0, imm, 16, 16) },
	x86.PSHUFHW: func(imm uint32) lanes { return choose(2, 8, imm, 16, 16) },
	x86.SHUFPD: func(imm uint32) (l lanes) {
		for i := range l[:8] {
			l[i], l[8+i] = byte(imm&1)*8+byte(i), 16+byte(imm>>1&1)*8+byte(i)
		}
		return l
	},
	x86.PSHUFW:   func(imm uint32) lanes { return choose(2, 0, imm, 16, 16) },
	x86.MOVDDUP:  func(uint32) lanes { return choose(4, 0, 0b01_00_01_00, 16, 16) },
	x86.MOVSLDUP: func(uint32) lanes { return choose(4, 0, 0b10_10_00_00, 16, 16) },
	x86.MOVSHDUP: func(uint32) lanes { return choose(4, 0, 0b11_11_01_01, 16, 16) },
	x86.BLENDPS:  mix(4), x86.BLENDPD: mix(8), x86.PBLENDW: mix(2),
	x86.PALIGNR: func(imm uint32) lanes { return align(16, imm) },
	x86.PSLLDQ:  func(imm uint32) lanes { return slide(-int(imm & 0xff)) },
	x86.PSRLDQ:  func(imm uint32) lanes { return slide(int(imm & 0xff)) },
}

// unpack interleaves lanes of so many bytes, from one half of both operands.
func unpack(size, half int) func(uint32) lanes {
	return func(uint32) (l lanes) {
		for i := range l {
			lane := i / size
			l[i] = byte(half + lane/2*size + i%size + lane%2*16)
		}
		return l
	}
}

// choose chooses four lanes of so many bytes, two bits of imm each, from what begins at
// byte from: two of the operand that low is the first byte of, and two of that of high.
// All else is the source's.
func choose(size, from int, imm uint32, low, high byte) (l lanes) {
	for i := range l {
		l[i] = 16 + byte(i)
	}
	for lane := range 4 {
		operand := low
		if lane >= 2 {
			operand = high
		}
		for i := range size {
			l[from+lane*size+i] = operand + byte(from+int(imm>>(2*lane)&3)*size+i)
		}
	}
	return l
}

// slide moves the destination down by bytes, with zeros above.
func slide(by int) (l lanes) {
	for i := range l {
		l[i] = none
		if from := i + by; from >= 0 && from < 16 {
			l[i] = byte(from)
		}
	}
	return l
}

// mix takes lanes of so many bytes from the source where bits of imm are set.
func mix(size int) func(uint32) lanes {
	return func(imm uint32) (l lanes) {
		for i := range l {
			l[i] = byte(i) + 16*byte(imm>>(i/size)&1)
		}
		return l
	}
}

// align moves destination and source, of so many bytes each, the source being the lower
// one, down by imm bytes, with zeros above.
func align(size int, imm uint32) (l lanes) {
	for i := range size {
		switch from := i + int(imm&0xff); {
		case from < size:
			l[i] = 16 + byte(from)
		case from < 2*size:
			l[i] = byte(from - size)
		default:
			l[i] = none
		}
	}
	return l
}

// halfLanes is what an instruction chooses on MMX registers.
func halfLanes(in *x86.Inst) lanes {
	l := shuffles[in.Op](in.Imm)
	switch in.Op {
	case x86.PUNPCKHBW, x86.PUNPCKHWD, x86.PUNPCKHDQ:
		for i := range l {
			l[i] -= 4
		}
	case x86.PALIGNR:
		return align(8, in.Imm)
	}
	return l
}

func shuffle(e *emitter) {
	in := e.in
	l := shuffles[in.Op](in.Imm)
	if ofMMX(&in.Inst) {
		l = halfLanes(&in.Inst)
	}
	e.findVector()
	e.get(lCore)
	to := in.Reg
	if has(&in.Inst, x86.Ux) && has(&in.Inst, x86.Ib) {
		to = in.RM
	}
	e.getVector(to)
	if slices.Contains(l[:], none) { // then it has nothing of the source
		e.vectorConst(0)
	} else {
		e.source()
	}
	e.vectorShuffle(l)
	e.setVector(to)
}
