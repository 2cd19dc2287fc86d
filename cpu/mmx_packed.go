package cpu

import "alpinevm/cpu/x86"

// Packed integer instructions, MMX and XMM alike.

func mmxFamily() family {
	return family{
		x86.PADDB: vertical(lanes8.add), x86.PADDW: vertical(lanes16.add),
		x86.PADDD: vertical(lanes32.add), x86.PADDQ: vertical(lanes64.add),
		x86.PSUBB: vertical(lanes8.sub), x86.PSUBW: vertical(lanes16.sub),
		x86.PSUBD: vertical(lanes32.sub), x86.PSUBQ: vertical(lanes64.sub),
		x86.PADDSB: vertical(lanes8.addSigned), x86.PADDSW: vertical(lanes16.addSigned),
		x86.PADDUSB: vertical(lanes8.addUnsigned), x86.PADDUSW: vertical(lanes16.addUnsigned),
		x86.PSUBSB: vertical(lanes8.subSigned), x86.PSUBSW: vertical(lanes16.subSigned),
		x86.PSUBUSB: vertical(lanes8.subUnsigned), x86.PSUBUSW: vertical(lanes16.subUnsigned),
		x86.PMINUB: vertical(lanes8.minUnsigned), x86.PMAXUB: vertical(lanes8.maxUnsigned),
		x86.PMINSW: vertical(lanes16.minSigned), x86.PMAXSW: vertical(lanes16.maxSigned),
		x86.PAVGB: vertical(lanes8.average), x86.PAVGW: vertical(lanes16.average),
		x86.PCMPEQB: vertical(lanes8.equal), x86.PCMPEQW: vertical(lanes16.equal), x86.PCMPEQD: vertical(lanes32.equal),
		x86.PCMPGTB: vertical(lanes8.greater), x86.PCMPGTW: vertical(lanes16.greater), x86.PCMPGTD: vertical(lanes32.greater),
		x86.PSIGNB: vertical(lanes8.sign), x86.PSIGNW: vertical(lanes16.sign), x86.PSIGND: vertical(lanes32.sign),
		x86.PABSB: vertical(lanes8.abs), x86.PABSW: vertical(lanes16.abs), x86.PABSD: vertical(lanes32.abs),
		x86.PMULLW: vertical(pmullw), x86.PMULHW: vertical(pmulhw), x86.PMULHUW: vertical(pmulhuw),
		x86.PMULHRSW: vertical(pmulhrsw), x86.PMULUDQ: vertical(pmuludq), x86.PMADDWD: vertical(pmaddwd),
		x86.PMADDUBSW: vertical(pmaddubsw), x86.PSADBW: vertical(psadbw),
	}
}

func logicFamily() family {
	return family{
		x86.PAND: byFile(verticalMMX(and64), andXMM), x86.ANDPS: always(andXMM), x86.ANDPD: always(andXMM),
		x86.PANDN: byFile(verticalMMX(andn64), andnXMM), x86.ANDNPS: always(andnXMM), x86.ANDNPD: always(andnXMM),
		x86.POR: byFile(verticalMMX(or64), orXMM), x86.ORPS: always(orXMM), x86.ORPD: always(orXMM),
		x86.PXOR: byFile(verticalMMX(xor64), xorXMM), x86.XORPS: always(xorXMM), x86.XORPD: always(xorXMM),
	}
}

func packFamily() family {
	return family{
		x86.PACKSSWB: folding(packsswb), x86.PACKUSWB: folding(packuswb), x86.PACKSSDW: folding(packssdw),
		x86.PHADDW: folding(phaddw), x86.PHADDSW: folding(phaddsw), x86.PHADDD: folding(phaddd),
		x86.PHSUBW: folding(phsubw), x86.PHSUBSW: folding(phsubsw), x86.PHSUBD: folding(phsubd),
	}
}

func laneShiftFamily() family {
	return family{
		x86.PSLLW: shift(lanes16.shiftLeft), x86.PSLLD: shift(lanes32.shiftLeft), x86.PSLLQ: shift(lanes64.shiftLeft),
		x86.PSRLW: shift(lanes16.shiftRight), x86.PSRLD: shift(lanes32.shiftRight), x86.PSRLQ: shift(lanes64.shiftRight),
		x86.PSRAW: shift(lanes16.shiftArithmetic), x86.PSRAD: shift(lanes32.shiftArithmetic),
	}
}

// binary64 combines 64 bits of the destination with 64 bits of the source.
type binary64 func(d, s uint64) uint64

// vertical selects an operation that lanes in different halves have no part in.
//
//go:noinline
func vertical(f binary64) selector {
	return byFile(verticalMMX(f), func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		x[0], x[1] = f(x[0], lo), f(x[1], hi)
		return next
	})
}

func verticalMMX(f binary64) handler {
	return func(c *CPU, o *op) status {
		s, ok := c.sourceMM(o)
		if !ok {
			return faulted
		}
		c.setMM(o, f(c.mm(o), s))
		return next
	}
}

// folding selects an operation that makes one half of the result of the
// destination, the other of the source.
//
//go:noinline
func folding(f binary64) selector {
	return byFile(verticalMMX(f), func(c *CPU, o *op) status {
		lo, hi, ok := c.source128(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		x[0], x[1] = f(x[0], x[1]), f(lo, hi)
		return next
	})
}

func and64(d, s uint64) uint64  { return d & s }
func andn64(d, s uint64) uint64 { return s &^ d }
func or64(d, s uint64) uint64   { return d | s }
func xor64(d, s uint64) uint64  { return d ^ s }

func andXMM(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	x[0], x[1] = x[0]&lo, x[1]&hi
	return next
}

func andnXMM(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	x[0], x[1] = lo&^x[0], hi&^x[1]
	return next
}

func orXMM(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	x[0], x[1] = x[0]|lo, x[1]|hi
	return next
}

func xorXMM(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	x[0], x[1] = x[0]^lo, x[1]^hi
	return next
}

// shift selects a shift of lanes: by the immediate, or by the low 64 bits of the
// source.
//
//go:noinline
func shift(f func(v, n uint64) uint64) selector {
	mmxImm := func(c *CPU, o *op) status {
		if !c.mmx() {
			return faulted
		}
		c.enterMMX()
		c.FPU.Mant[o.rm&7] = f(c.FPU.Mant[o.rm&7], uint64(o.imm))
		c.FPU.SE[o.rm&7] = 0xffff
		return next
	}
	xmmImm := func(c *CPU, o *op) status {
		if !c.sse() {
			return faulted
		}
		x := &c.FPU.XMM[o.rm&7]
		x[0], x[1] = f(x[0], uint64(o.imm)), f(x[1], uint64(o.imm))
		return next
	}
	xmm := func(c *CPU, o *op) status {
		n, _, ok := c.source128(o)
		if !ok {
			return faulted
		}
		x := c.xmm(o)
		x[0], x[1] = f(x[0], n), f(x[1], n)
		return next
	}
	imm, reg := byFile(mmxImm, xmmImm), byFile(verticalMMX(f), xmm)
	return func(t *translation) handler {
		if t.args[1] == x86.Ib {
			return imm(t)
		}
		return reg(t)
	}
}
