package cputest

import (
	"encoding/binary"
	"math/rand/v2"

	"alpinevm/cpu/x86"
)

// lanes says what the elements of XMM and MMX operands of a form are.
type lanes uint8

const (
	integers lanes = iota
	floats32
	floats64
)

// lanesOf derives it from the kinds of the operands.
func lanesOf(row *x86.FormRow) lanes {
	for _, a := range row.Args {
		switch a {
		case x86.Wss, x86.Wps, x86.Wpsu, x86.Wps2:
			return floats32
		case x86.Wsd, x86.Wpd, x86.Wpdu:
			return floats64
		}
	}
	return integers
}

// x87 says that the form looks at the x87 or MMX registers.
func usesX87(row *x86.FormRow) bool {
	if c := row.Code; c >= 0xD8 && c <= 0xDF || row.Op == x86.FWAIT || row.Op == x86.EMMS {
		return true
	}
	for _, a := range row.Args {
		if a.MMX() {
			return true
		}
	}
	return false
}

// usesXMM says that the form looks at the SSE state.
func usesXMM(row *x86.FormRow) bool {
	for _, a := range row.Args {
		if a.XMM() {
			return true
		}
	}
	return false
}

// lane8 is eight bytes of operand data.
func lane8(r *rand.Rand, l lanes) uint64 {
	switch l {
	case floats32:
		return uint64(single(r)) | uint64(single(r))<<32
	case floats64:
		return double(r)
	}
	return word64(r)
}

// controlWord is an x87 control word: mostly all exceptions masked.
func controlWord(r *rand.Rand) uint16 {
	cw := uint16(0x7F) | []uint16{0, 2, 3, 3}[r.IntN(4)]<<8 | uint16(r.IntN(4))<<10
	if r.IntN(5) == 0 {
		cw &^= uint16(r.IntN(64))
	}
	return cw
}

func mxcsr(r *rand.Rand) uint32 {
	m := uint32(0x1F80) | uint32(r.IntN(4))<<13
	if r.IntN(5) == 0 {
		m &^= uint32(r.IntN(64)) << 7
	}
	if r.IntN(4) == 0 {
		m |= 0x8000 // FTZ
	}
	if r.IntN(4) == 0 {
		m |= 0x0040 // DAZ
	}
	if r.IntN(3) == 0 {
		m |= uint32(r.IntN(64))
	}
	return m
}

// fxState fills an FXSAVE image for a form.
func fxState(r *rand.Rand, row *x86.FormRow, fx *[512]byte) {
	le := binary.LittleEndian
	cw := controlWord(r)
	sw := uint16(r.IntN(8))<<11 | uint16(r.IntN(16))&7<<8 | uint16(r.IntN(2))<<14
	if r.IntN(3) == 0 {
		sw |= uint16(r.IntN(128))
	}
	if pending := sw & ^cw & 0x3F; pending != 0 {
		if r.IntN(4) == 0 {
			sw |= 0x8080 // ES and B: #MF follows
		} else {
			sw &^= pending
		}
	}
	le.PutUint16(fx[fxCW:], cw)
	le.PutUint16(fx[fxSW:], sw)
	fx[fxTag] = 0xFF
	if r.IntN(6) == 0 {
		fx[fxTag] = byte(r.Uint32())
	}
	le.PutUint32(fx[fxMXCSR:], mxcsr(r))
	l := lanesOf(row)
	mmx := usesX87(row) && (row.Code < 0xD8 || row.Code > 0xDF)
	for i := range 8 {
		v := extendedValue(r)
		if mmx {
			v.mant = lane8(r, l)
		}
		le.PutUint64(fx[fxST+16*i:], v.mant)
		le.PutUint16(fx[fxST+16*i+8:], v.se)
		le.PutUint64(fx[fxXMM+16*i:], lane8(r, l))
		le.PutUint64(fx[fxXMM+16*i+8:], lane8(r, l))
	}
}
