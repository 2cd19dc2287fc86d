package cputest

import (
	"encoding/binary"

	"alpinevm/cpu/x86"
)

// Setups of instructions on XMM registers whose outcome hangs on how their
// operands relate.

// vectors are the two operands of 16 bytes, to read and to change.
func (g *generator) vectors() (dst, src []byte) {
	dst = g.c.FX[fxXMM+16*int(g.modRM>>3&7):][:16]
	if !g.mem {
		return dst, g.c.FX[fxXMM+16*int(g.modRM&7):][:16]
	}
	if g.memory == nil {
		g.memory = g.contents(g.memArg)
	}
	return dst, g.memory
}

// related makes bytes of the source those of the destination, whole lanes at
// times, and for PTEST a part of them or what is left out there.
func (g *generator) related() {
	dst, src := g.vectors()
	way := g.IntN(6)
	lane := pick(g, 1, 4, 8, 16)
	for i := range src {
		if lane < 16 && i%lane == 0 {
			way = g.IntN(6)
		}
		switch way {
		case 0:
			src[i] = dst[i]
		case 1:
			src[i] &= dst[i]
		case 2:
			src[i] &^= dst[i]
		case 3:
			src[i] = 0
		}
	}
}

// text makes both operands strings of few different elements, and their lengths
// mostly what fits.
func (g *generator) text() {
	dst, src := g.vectors()
	alphabet := pick(g, []byte{1, 2}, []byte{0, 1, 2, 3}, []byte{0, 0x7F, 0x80, 0xFF}, []byte{0x20, 0x40, 0x60, 0x80, 0xA0, 0})
	for _, b := range [][]byte{dst, src} {
		words := g.IntN(2) == 0
		for i := range b {
			b[i] = pick(g, alphabet...)
			if words && i%2 == 1 {
				b[i] = 0
			}
		}
		if g.IntN(4) == 0 { // a run of the other one
			n := 1 + g.IntN(8)
			copy(b[g.IntN(16-n):][:n], dst[g.IntN(16-n):])
		}
	}
	for _, r := range []int{x86.EAX, x86.EDX} {
		if g.IntN(8) != 0 {
			g.c.R[r] = uint32(g.IntN(41) - 20)
			g.fixed[r] = true
		}
	}
}

// decimals makes the operands of a rounding numbers with a fraction.
func (g *generator) decimals() {
	_, src := g.vectors()
	le := binary.LittleEndian
	for i := 0; i < len(src); i += 4 {
		if g.IntN(2) != 0 {
			continue
		}
		if g.memArg == x86.Wss || g.memArg == x86.Wps {
			le.PutUint32(src[i:], uint32(126+g.IntN(26))<<23|g.Uint32()&0x807FFFFF)
		} else if i%8 == 4 {
			le.PutUint32(src[i:], uint32(1022+g.IntN(55))<<20|g.Uint32()&0x800FFFFF)
		}
	}
}

// stages unmasks exceptions: which of them the later stages of an instruction
// raise hangs on that. Half of the lanes are such that products overflow, underflow,
// or are infinite, with either sign, so that the sums raise what is not raised where
// an exception of the products comes first.
func (g *generator) stages() {
	le := binary.LittleEndian
	m := le.Uint32(g.c.FX[fxMXCSR:])
	if g.IntN(3) != 0 {
		m |= 0x1F80
		m &^= 0x3F | 1<<(7+g.IntN(6)) | 1<<(7+g.IntN(6))
	}
	le.PutUint32(g.c.FX[fxMXCSR:], m)
	dst, src := g.vectors()
	exponents, width := []uint64{0x01, 0x7E, 0x80, 0xC0, 0xFE, 0xFF}, 4
	if g.memArg == x86.Wpd {
		exponents, width = []uint64{0x001, 0x3FE, 0x400, 0x600, 0x7FE, 0x7FF}, 8
	}
	for _, b := range [][]byte{dst, src} {
		for i := 0; i < len(b); i += width {
			if g.IntN(2) == 0 {
				continue
			}
			v := uint64(g.IntN(2))<<63 | pick(g, exponents...)<<52
			if width == 4 {
				le.PutUint32(b[i:], uint32(v>>32&(1<<31)|v>>52&0xFF<<23))
			} else {
				le.PutUint64(b[i:], v)
			}
		}
	}
}
