package cpu

import "alpinevm/cpu/x86"

// Blends, inserts, extracts and widening moves of SSE4.1.

func sse4MoveFamily() family {
	return family{
		x86.PBLENDVB: blendByMask(lanes8), x86.BLENDVPS: blendByMask(lanes32), x86.BLENDVPD: blendByMask(lanes64),
		x86.BLENDPS: blendByImmediate(lanes32), x86.BLENDPD: blendByImmediate(lanes64), x86.PBLENDW: blendByImmediate(lanes16),
		x86.MOVNTDQA: move128(true),
		x86.PMOVSXBW: extend(lanes8, lanes16, true), x86.PMOVZXBW: extend(lanes8, lanes16, false),
		x86.PMOVSXBD: extend(lanes8, lanes32, true), x86.PMOVZXBD: extend(lanes8, lanes32, false),
		x86.PMOVSXBQ: extend(lanes8, lanes64, true), x86.PMOVZXBQ: extend(lanes8, lanes64, false),
		x86.PMOVSXWD: extend(lanes16, lanes32, true), x86.PMOVZXWD: extend(lanes16, lanes32, false),
		x86.PMOVSXWQ: extend(lanes16, lanes64, true), x86.PMOVZXWQ: extend(lanes16, lanes64, false),
		x86.PMOVSXDQ: extend(lanes32, lanes64, true), x86.PMOVZXDQ: extend(lanes32, lanes64, false),
		x86.PEXTRB: always(pextrb), x86.PEXTRD: always(pextrd), x86.EXTRACTPS: always(pextrd),
		x86.PINSRB: always(pinsrb), x86.PINSRD: always(pinsrd), x86.INSERTPS: always(insertps),
	}
}

// blend replaces what mask covers by the source.
func (c *CPU) blend(o *op, mask [2]uint64) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	*x = [2]uint64{choose(mask[0], lo, x[0]), choose(mask[1], hi, x[1])}
	return next
}

// blendByMask selects a blend of the lanes whose highest bit is set in XMM0.
//
//go:noinline
func blendByMask(l lanes) selector {
	return always(func(c *CPU, o *op) status {
		m := &c.FPU.XMM[0]
		return c.blend(o, [2]uint64{l.spread(m[0]), l.spread(m[1])})
	})
}

// blendByImmediate selects a blend of the lanes whose bit is set in the
// immediate, which counts them from the lowest on.
//
//go:noinline
func blendByImmediate(l lanes) selector {
	half := 64 / l.bits
	return always(func(c *CPU, o *op) status {
		return c.blend(o, [2]uint64{l.numbered(o.imm), l.numbered(o.imm >> half)})
	})
}

// numbered fills lane i with ones where bit i of set is.
func (l lanes) numbered(set uint32) (m uint64) {
	for i := range 64 / l.bits {
		m |= uint64(set>>i&1) << (l.bits * i)
	}
	return l.spread(m << (l.bits - 1))
}

// extend selects a move of the lowest lanes of the source, of as many as there
// are wide ones, into those.
//
//go:noinline
func extend(narrow, wide lanes, signed bool) selector {
	bytes := 16 / uint8(wide.bits/narrow.bits)
	return always(func(c *CPU, o *op) status {
		v, ok := c.sourceLow(o, bytes)
		if !ok {
			return faulted
		}
		half := uint(bytes) * 4
		*c.xmm(o) = [2]uint64{spaced(v, narrow, wide, signed), spaced(v>>half, narrow, wide, signed)}
		return next
	})
}

// spaced puts the lowest lanes of v into wide ones.
func spaced(v uint64, narrow, wide lanes, signed bool) (r uint64) {
	for i := range 64 / wide.bits {
		lane := v >> (narrow.bits * i) << (64 - narrow.bits)
		if signed {
			lane = uint64(int64(lane) >> (wide.bits - narrow.bits))
		} else {
			lane >>= wide.bits - narrow.bits
		}
		r |= lane >> (64 - wide.bits) << (wide.bits * i)
	}
	return r
}

// sourceLow is source64 for an operand of 2, 4 or 8 bytes.
func (c *CPU) sourceLow(o *op, size uint8) (uint64, bool) {
	if size == 8 || o.flags&opMem == 0 {
		return c.source64(o)
	}
	if !c.sse() {
		return 0, false
	}
	v, ok := c.rmLoad(o, size)
	return uint64(v), ok
}

// extracted stores an element: as it is in memory, with zeros above it in a
// register.
func (c *CPU) extracted(o *op, v uint32, size uint8) status {
	if o.flags&opMem == 0 {
		size = 4
	}
	return c.rmStore(o, v, size)
}

func pextrb(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	return c.extracted(o, uint32(uint8(c.xmm(o)[o.imm>>3&1]>>(o.imm&7*8))), 1)
}

// pextrwStore is the form of PEXTRW whose destination is the r/m operand.
func pextrwStore(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	return c.extracted(o, uint32(uint16(c.xmm(o)[o.imm>>2&1]>>(o.imm&3*16))), 2)
}

func pextrd(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	x := c.xmm(o)
	return c.rmStore(o, pick(x[0], x[1], o.imm), 4)
}

func pinsrb(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 1)
	if !ok {
		return faulted
	}
	half, sh := &c.xmm(o)[o.imm>>3&1], o.imm&7*8
	*half = *half&^(0xff<<sh) | uint64(v)<<sh
	return next
}

func pinsrd(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	setDword(c.xmm(o), o.imm&3, v)
	return next
}

// insertps takes the single that bits 6 and 7 of the immediate name, or the one
// in memory, to where bits 4 and 5 say, and clears those of bits 0 to 3.
func insertps(c *CPU, o *op) status {
	v, ok := c.source32(o)
	if !ok {
		return faulted
	}
	if o.flags&opMem == 0 {
		s := &c.FPU.XMM[o.rm&7]
		v = pick(s[0], s[1], o.imm>>6)
	}
	x := c.xmm(o)
	setDword(x, o.imm>>4&3, v)
	x[0] &^= lanes32.numbered(o.imm)
	x[1] &^= lanes32.numbered(o.imm >> 2)
	return next
}

// setDword replaces dword i of x.
func setDword(x *[2]uint64, i, v uint32) {
	half, sh := &x[i>>1&1], i&1*32
	*half = *half&^(0xffffffff<<sh) | uint64(v)<<sh
}
