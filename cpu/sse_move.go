package cpu

import "alpinevm/cpu/x86"

// Moves of XMM registers, whole and in part.

func sseMoveFamily() family {
	return family{
		x86.MOVAPS: move128(true), x86.MOVAPD: move128(true), x86.MOVDQA: move128(true),
		x86.MOVUPS: move128(false), x86.MOVUPD: move128(false), x86.MOVDQU: move128(false),
		x86.LDDQU:   move128(false),
		x86.MOVNTPS: move128(true), x86.MOVNTPD: move128(true), x86.MOVNTDQ: move128(true),
		x86.MOVSS:  partial(movssMerge, movssLoad, movssStore),
		x86.MOVSD:  orFlat(partial(nil, movqLoadFlat, movlStoreFlat), partial(movsdMerge, movqLoad, movlStore)),
		x86.MOVLPS: partial(movhlps, movlLoad, movlStore), x86.MOVLPD: partial(nil, movlLoad, movlStore),
		x86.MOVHPS: partial(movlhps, movhLoad, movhStore), x86.MOVHPD: partial(nil, movhLoad, movhStore),
		x86.MOVHLPS: always(movhlps), x86.MOVLHPS: always(movlhps),
		x86.MOVDDUP: always(movddup), x86.MOVSLDUP: always(movsldup), x86.MOVSHDUP: always(movshdup),
		x86.MOVMSKPS: always(movmskps), x86.MOVMSKPD: always(movmskpd),
		x86.MOVQ2DQ: always(movq2dq), x86.MOVDQ2Q: always(movdq2q),
		x86.MOVD: moveD, x86.MOVQ: moveQ,
	}
}

// move128 selects a move of 16 bytes. The non-temporal ones are stores: there
// is no cache to go round.
//
//go:noinline
func move128(aligned bool) selector {
	return func(t *translation) handler {
		switch {
		case t.flags&opMem == 0:
			if t.isStore() {
				t.swapRegs()
			}
			return mov128
		case t.isStore() && aligned:
			return store128Aligned
		case t.isStore() && t.flat():
			return store128Flat
		case t.isStore():
			return store128Any
		case aligned:
			return mov128
		case t.flat():
			return load128Flat
		}
		return load128Any
	}
}

// mov128 is MOVAPS xmm, xmm/m128.
func mov128(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{lo, hi}
	return next
}

func load128Any(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	lin, ok := c.linRead(o, 16)
	if !ok {
		return faulted
	}
	lo, hi, ok := c.load128(lin)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{lo, hi}
	return next
}

func store128Aligned(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	lin, ok := c.linWrite(o, 16)
	if !ok || !c.aligned(lin) {
		return faulted
	}
	x := c.xmm(o)
	return c.store128(lin, x[0], x[1])
}

func store128Any(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	lin, ok := c.linWrite(o, 16)
	if !ok {
		return faulted
	}
	x := c.xmm(o)
	return c.store128(lin, x[0], x[1])
}

// partial selects a move of part of a register: merge between registers, load
// and store.
//
//go:noinline
func partial(merge, load, store handler) selector {
	return func(t *translation) handler {
		switch {
		case t.flags&opMem == 0:
			if t.isStore() {
				t.swapRegs()
			}
			return merge
		case t.isStore():
			return store
		}
		return load
	}
}

// The flat handlers serve the commonest moves where a TLB hit is all that is
// needed, and leave the rest to the handler for all cases.

func load128Flat(c *CPU, o *op) status {
	lin := c.R[o.base&15] + c.R[o.index&15]<<(o.scale&31) + o.disp
	e := &c.tlb[lin>>12&tlbMask]
	if e.R != (lin+15)&^0xfff || !c.sseEnabled() {
		return load128Any(c, o)
	}
	x, off := c.xmm(o), e.Off+lin
	x[0], x[1] = c.ram.Load64(off), c.ram.Load64(off+8)
	return next
}

func store128Flat(c *CPU, o *op) status {
	lin := c.R[o.base&15] + c.R[o.index&15]<<(o.scale&31) + o.disp
	e := &c.tlb[lin>>12&tlbMask]
	if e.W != (lin+15)&^0xfff || !c.sseEnabled() {
		return store128Any(c, o)
	}
	x, off := c.xmm(o), e.Off+lin
	c.ram.Store64(off, x[0])
	c.ram.Store64(off+8, x[1])
	return next
}

func movqLoadFlat(c *CPU, o *op) status {
	lin := c.R[o.base&15] + c.R[o.index&15]<<(o.scale&31) + o.disp
	e := &c.tlb[lin>>12&tlbMask]
	if e.R != (lin+7)&^0xfff || !c.sseEnabled() {
		return movqLoad(c, o)
	}
	x := c.xmm(o)
	x[0], x[1] = c.ram.Load64(e.Off+lin), 0
	return next
}

func movlStoreFlat(c *CPU, o *op) status {
	lin := c.R[o.base&15] + c.R[o.index&15]<<(o.scale&31) + o.disp
	e := &c.tlb[lin>>12&tlbMask]
	if e.W != (lin+7)&^0xfff || !c.sseEnabled() {
		return movlStore(c, o)
	}
	c.ram.Store64(e.Off+lin, c.xmm(o)[0])
	return next
}

// orFlat chooses the flat handler where the memory operand is flat.
//
//go:noinline
func orFlat(flat, any selector) selector {
	return func(t *translation) handler {
		if t.flags&opMem != 0 && t.flat() {
			return flat(t)
		}
		return any(t)
	}
}

func movssMerge(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	x := c.xmm(o)
	x[0] = low32(x[0], uint32(c.FPU.XMM[o.rm&7][0]))
	return next
}

func movssLoad(c *CPU, o *op) status {
	v, ok := c.source32(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{uint64(v), 0}
	return next
}

func movssStore(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	lin, ok := c.linWrite(o, 4)
	if !ok {
		return faulted
	}
	return c.store32(lin, uint32(c.xmm(o)[0]))
}

func movsdMerge(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	c.xmm(o)[0] = c.FPU.XMM[o.rm&7][0]
	return next
}

// movqLoad is MOVQ xmm, xmm/m64 and MOVSD xmm, m64: the high half is cleared.
func movqLoad(c *CPU, o *op) status {
	v, ok := c.source64(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{v, 0}
	return next
}

// movlLoad is MOVLPS xmm, m64: the high half stays.
func movlLoad(c *CPU, o *op) status {
	v, ok := c.source64(o)
	if !ok {
		return faulted
	}
	c.xmm(o)[0] = v
	return next
}

// movlStore stores the low half.
func movlStore(c *CPU, o *op) status { return c.storeHalf(o, 0) }

func movhLoad(c *CPU, o *op) status {
	v, ok := c.source64(o)
	if !ok {
		return faulted
	}
	c.xmm(o)[1] = v
	return next
}

func movhStore(c *CPU, o *op) status { return c.storeHalf(o, 1) }

func (c *CPU) storeHalf(o *op, half int) status {
	if !c.sse() {
		return faulted
	}
	lin, ok := c.linWrite(o, 8)
	if !ok {
		return faulted
	}
	return c.store64(lin, c.xmm(o)[half])
}

func movhlps(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	c.xmm(o)[0] = c.FPU.XMM[o.rm&7][1]
	return next
}

func movlhps(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	c.xmm(o)[1] = c.FPU.XMM[o.rm&7][0]
	return next
}

func movddup(c *CPU, o *op) status {
	v, ok := c.source64(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{v, v}
	return next
}

func movsldup(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{lo&0xffffffff | lo<<32, hi&0xffffffff | hi<<32}
	return next
}

func movshdup(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{lo>>32 | lo&^0xffffffff, hi>>32 | hi&^0xffffffff}
	return next
}

func movmskps(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	c.R[o.reg&7] = uint32(lo>>31&1 | lo>>63<<1 | hi>>31&1<<2 | hi>>63<<3)
	return next
}

func movmskpd(c *CPU, o *op) status {
	lo, hi, ok := c.source128(o)
	if !ok {
		return faulted
	}
	c.R[o.reg&7] = uint32(lo>>63 | hi>>63<<1)
	return next
}

// moveD selects MOVD: 4 bytes between a general register or memory and the low
// end of an MMX or XMM register.
func moveD(t *translation) handler {
	switch {
	case t.args[0].MMX():
		return movdToMMX
	case t.args[0].XMM():
		return movdToXMM
	case t.args[1].MMX():
		return movdFromMMX
	}
	return movdFromXMM
}

func movdToXMM(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	*c.xmm(o) = [2]uint64{uint64(v), 0}
	return next
}

func movdFromXMM(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	return c.rmStore(o, uint32(c.xmm(o)[0]), 4)
}

func movdToMMX(c *CPU, o *op) status {
	if !c.mmx() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	c.enterMMX()
	c.setMM(o, uint64(v))
	return next
}

func movdFromMMX(c *CPU, o *op) status {
	if !c.mmx() || c.rmStore(o, uint32(c.mm(o)), 4) == faulted {
		return faulted
	}
	c.enterMMX()
	return next
}

// moveQ selects MOVQ of MMX and of XMM.
func moveQ(t *translation) handler {
	mmx := t.args[0].MMX() && t.args[1].MMX()
	store := t.isStore() && t.flags&opMem != 0
	if t.isStore() && !store {
		t.swapRegs()
	}
	switch {
	case mmx && store:
		return movqStoreMMX
	case mmx:
		return movqToMMX
	case store:
		return movlStore
	}
	return movqLoad
}

func movqToMMX(c *CPU, o *op) status {
	v, ok := c.sourceMM(o)
	if !ok {
		return faulted
	}
	c.setMM(o, v)
	return next
}

// movqStoreMMX is MOVQ m64, mm and MOVNTQ.
func movqStoreMMX(c *CPU, o *op) status {
	if !c.mmx() {
		return faulted
	}
	lin, ok := c.linWrite(o, 8)
	if !ok || c.store64(lin, c.mm(o)) == faulted {
		return faulted
	}
	c.enterMMX()
	return next
}

// movq2dq and movdq2q need both register files.
func movq2dq(c *CPU, o *op) status {
	if !c.sse() || !c.mmx() {
		return faulted
	}
	c.enterMMX()
	*c.xmm(o) = [2]uint64{c.FPU.Mant[o.rm&7], 0}
	return next
}

func movdq2q(c *CPU, o *op) status {
	if !c.sse() || !c.mmx() {
		return faulted
	}
	c.enterMMX()
	c.setMM(o, c.FPU.XMM[o.rm&7][0])
	return next
}
