package cpu

import "alpinevm/cpu/x86"

// Instructions that move lanes to other places.

func shuffleFamily() family {
	return family{
		x86.PUNPCKLBW: unpackLow(interleave8), x86.PUNPCKHBW: unpackHigh(interleave8),
		x86.PUNPCKLWD: unpackLow(interleave16), x86.PUNPCKHWD: unpackHigh(interleave16),
		x86.PUNPCKLDQ: unpackLow(interleave32), x86.PUNPCKHDQ: unpackHigh(interleave32),
		x86.UNPCKLPS: unpackLow(interleave32), x86.UNPCKHPS: unpackHigh(interleave32),
		x86.PUNPCKLQDQ: always(punpcklqdq), x86.UNPCKLPD: always(punpcklqdq),
		x86.PUNPCKHQDQ: always(punpckhqdq), x86.UNPCKHPD: always(punpckhqdq),
		x86.PSHUFW: always(pshufw), x86.PSHUFLW: always(pshuflw), x86.PSHUFHW: always(pshufhw),
		x86.PSHUFD: always(pshufd), x86.SHUFPS: always(shufps), x86.SHUFPD: always(shufpd),
		x86.PSHUFB:  byFile(pshufbMMX, pshufb),
		x86.PALIGNR: byFile(palignrMMX, palignr),
		x86.PSLLDQ:  always(pslldq), x86.PSRLDQ: always(psrldq),
		x86.PINSRW: byFile(pinsrwMMX, pinsrw), x86.PEXTRW: selectPextrw,
		x86.PMOVMSKB: byFile(pmovmskbMMX, pmovmskb),
		x86.MASKMOVQ: always(maskmovq), x86.MASKMOVDQU: always(maskmovdqu),
		x86.MOVNTQ: always(movqStoreMMX), x86.EMMS: always(emms),
	}
}

// unpackLow selects the interleaving of the low halves of the operands by f,
// which takes the low halves of 64 bits each.
//
//go:noinline
func unpackLow(f binary64) selector {
	return byFile(
		func(c *CPU, o *op) status {
			s, ok := c.sourceMM32(o)
			if !ok {
				return faulted
			}
			c.setMM(o, f(c.mm(o), s))
			return next
		},
		func(c *CPU, o *op) status {
			lo, _, ok := c.source128(o)
			if !ok {
				return faulted
			}
			x := c.xmm(o)
			x[0], x[1] = f(x[0], lo), f(x[0]>>32, lo>>32)
			return next
		})
}

// sourceMM32 is sourceMM for an operand of which the low half counts: 4 bytes of
// memory (SDM vol. 2B, PUNPCKLBW).
func (c *CPU) sourceMM32(o *op) (v uint64, ok bool) {
	if o.flags&opMem == 0 {
		return c.sourceMM(o)
	}
	if !c.mmx() {
		return 0, false
	}
	w, ok := c.rmLoad(o, 4)
	if !ok {
		return 0, false
	}
	c.enterMMX()
	return uint64(w), true
}

//go:noinline
func unpackHigh(f binary64) selector {
	return byFile(
		verticalMMX(func(d, s uint64) uint64 { return f(d>>32, s>>32) }),
		func(c *CPU, o *op) status {
			_, hi, ok := c.source128(o)
			if !ok {
				return faulted
			}
			x := c.xmm(o)
			x[0], x[1] = f(x[1], hi), f(x[1]>>32, hi>>32)
			return next
		})
}

func punpcklqdq(c *CPU, o *op) status {
	lo, _, ok := c.source128(o)
	if !ok {
		return faulted
	}
	c.xmm(o)[1] = lo
	return next
}

func punpckhqdq(c *CPU, o *op) status {
	_, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	x[0], x[1] = x[1], hi
	return next
}

// shuffleWords picks four words of v by the four 2-bit fields of order.
func shuffleWords(v uint64, order uint32) uint64 {
	return words(func(i int) int32 { return word(v, int(order>>(2*i)&3)) })
}

// pick is dword i of 128 bits.
func pick(lo, hi uint64, i uint32) uint32 {
	if i&2 != 0 {
		lo = hi
	}
	return uint32(lo >> (i & 1 * 32))
}

func pshufw(c *CPU, o *op) status {
	s, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	c.setMM(o, shuffleWords(s, o.imm))
	return next
}

func pshuflw(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{shuffleWords(lo, o.imm), hi}
	return next
}

func pshufhw(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{lo, shuffleWords(hi, o.imm)}
	return next
}

func pshufd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{
		pair(pick(lo, hi, o.imm), pick(lo, hi, o.imm>>2)),
		pair(pick(lo, hi, o.imm>>4), pick(lo, hi, o.imm>>6)),
	}
	return next
}

func shufps(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	*x = [2]uint64{
		pair(pick(x[0], x[1], o.imm), pick(x[0], x[1], o.imm>>2)),
		pair(pick(lo, hi, o.imm>>4), pick(lo, hi, o.imm>>6)),
	}
	return next
}

func shufpd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	s := [2]uint64{lo, hi}
	*x = [2]uint64{x[o.imm&1], s[o.imm>>1&1]}
	return next
}

// shuffleBytes picks the bytes of lo, hi by the indexes in order, of which mask
// counts; an index with bit 7 set gives zero.
func shuffleBytes(lo, hi, order uint64, mask uint8) (r uint64) {
	for i := range 8 {
		k := uint8(order >> (8 * i))
		if k&0x80 != 0 {
			continue
		}
		v := lo
		if k&mask&8 != 0 {
			v = hi
		}
		r |= v >> (k & 7 * 8) & 0xff << (8 * i)
	}
	return r
}

func pshufbMMX(c *CPU, o *op) status {
	s, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	c.setMM(o, shuffleBytes(c.mm(o), 0, s, 7))
	return next
}

func pshufb(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	*x = [2]uint64{shuffleBytes(x[0], x[1], lo, 15), shuffleBytes(x[0], x[1], hi, 15)}
	return next
}

// align gives 64 bits at byte n of a row of 64-bit units, zeros behind them.
func align(row []uint64, n uint32) uint64 {
	i, sh := int(n/8), n%8*8
	at := func(i int) uint64 {
		if i < len(row) {
			return row[i]
		}
		return 0
	}
	return at(i)>>sh | at(i+1)<<(64-sh)
}

func palignrMMX(c *CPU, o *op) status {
	s, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	row := [2]uint64{s, c.mm(o)}
	c.setMM(o, align(row[:], o.imm))
	return next
}

func palignr(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	row := [4]uint64{lo, hi, x[0], x[1]}
	*x = [2]uint64{align(row[:], o.imm), align(row[:], o.imm+8)}
	return next
}

func psrldq(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	x := &c.FPU.XMM[o.rm&7]
	*x = [2]uint64{align(x[:], o.imm), align(x[:], o.imm+8)}
	return next
}

func pslldq(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	x := &c.FPU.XMM[o.rm&7]
	n := min(o.imm, 16)
	row := [4]uint64{0, 0, x[0], x[1]}
	*x = [2]uint64{align(row[:], 16-n), align(row[:], 24-n)}
	return next
}

// insertWord replaces word i of v.
func insertWord(v uint64, i, w uint32) uint64 {
	sh := i & 3 * 16
	return v&^(0xffff<<sh) | uint64(uint16(w))<<sh
}

func pinsrwMMX(c *CPU, o *op) status {
	if !c.mmx() {
		return faulted
	}
	w, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	c.enterMMX()
	c.setMM(o, insertWord(c.mm(o), o.imm, w))
	return next
}

func pinsrw(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	w, ok := c.rmLoad(o, 2)
	if !ok {
		return faulted
	}
	half := &c.xmm(o)[o.imm>>2&1]
	*half = insertWord(*half, o.imm, w)
	return next
}

// selectPextrw tells the form of SSE4.1, which can store, from the older ones.
func selectPextrw(t *translation) handler {
	if t.isStore() {
		return pextrwStore
	}
	return byFile(pextrwMMX, pextrw)(t)
}

func pextrwMMX(c *CPU, o *op) status {
	s, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	c.R[o.reg&7] = uint32(uint16(s >> (o.imm & 3 * 16)))
	return next
}

func pextrw(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	c.R[o.reg&7] = uint32(uint16(c.FPU.XMM[o.rm&7][o.imm>>2&1] >> (o.imm & 3 * 16)))
	return next
}

// signBits gathers the highest bits of the eight bytes of v.
func signBits(v uint64) uint32 {
	return uint32(v >> 7 & lanes8.ones * 0x0102040810204080 >> 56)
}

func pmovmskbMMX(c *CPU, o *op) status {
	s, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	c.R[o.reg&7] = signBits(s)
	return next
}

func pmovmskb(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	c.R[o.reg&7] = signBits(lo) | signBits(hi)<<8
	return next
}

// maskmovq enters the MMX state even if the store faults, as silicon does.
func maskmovq(c *CPU, o *op) status {
	if !c.mmx() {
		return faulted
	}
	c.enterMMX()
	var b [8]byte
	putLE64(b[:], c.mm(o))
	return c.storeMasked(o, b[:], signBits(c.FPU.Mant[o.rm&7]))
}

func maskmovdqu(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	var b [16]byte
	x, m := c.xmm(o), &c.FPU.XMM[o.rm&7]
	putLE64(b[:], x[0])
	putLE64(b[8:], x[1])
	return c.storeMasked(o, b[:], signBits(m[0])|signBits(m[1])<<8)
}

// storeMasked stores the bytes of b that mask selects to (E)DI. It faults as a
// store of all of them would, even if mask is 0: SDM vol. 2B, MASKMOVDQU, leaves
// that to the implementation, and this is what silicon does. 16 bytes are two
// parts, of which each must be aligned where alignment is checked.
func (c *CPU) storeMasked(o *op, b []byte, mask uint32) status {
	var parts [2]uint32
	var ok bool
	off, n := o.within(c.R[edi]), len(b)/8
	if n == 1 {
		parts[0], ok = c.segWrite(o.seg, off, 8)
	} else {
		parts[0], parts[1], ok = c.twoParts(o, off, 8, 8, write)
	}
	for _, lin := range parts[:n] {
		ok = ok && c.writable(lin, 8)
	}
	if !ok {
		return faulted
	}
	for i, v := range b {
		if mask>>i&1 != 0 {
			c.store8(parts[i/8]+uint32(i%8), uint32(v))
		}
	}
	return next
}
