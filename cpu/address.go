package cpu

import "alpinevm/cpu/x86"

// Effective and linear addresses.

// ea is the effective address of the memory operand, the offset in its segment.
func (c *CPU) ea(o *op) uint32 {
	a := c.R[o.base&15] + c.R[o.index&15]<<(o.scale&31) + o.disp
	if o.flags&opAddr16 != 0 {
		a &= 0xffff
	}
	return a
}

// linRead and linWrite give the linear address of the memory operand of n
// bytes, having checked the segment; false with #GP or #SS recorded.
func (c *CPU) linRead(o *op, n uint32) (uint32, bool) { return c.segRead(o.seg, c.ea(o), n) }

func (c *CPU) linWrite(o *op, n uint32) (uint32, bool) { return c.segWrite(o.seg, c.ea(o), n) }

// segRead gives the linear address of n bytes at offset off in segment register
// s for reading (SDM vol. 3A 5.3 and 5.5).
func (c *CPU) segRead(s uint8, off, n uint32) (uint32, bool) {
	g := &c.Seg[s&7]
	if g.Fast&FastRead != 0 {
		return g.Base + off, true
	}
	return c.segCheck(s, off, n, false)
}

// segWrite is segRead for writing.
func (c *CPU) segWrite(s uint8, off, n uint32) (uint32, bool) {
	g := &c.Seg[s&7]
	if g.Fast&FastWrite != 0 {
		return g.Base + off, true
	}
	return c.segCheck(s, off, n, true)
}

// segCheck is the whole check of a segmented access.
func (c *CPU) segCheck(s uint8, off, n uint32, w bool) (uint32, bool) {
	g := &c.Seg[s&7]
	ok := g.Attr&AttrP != 0
	if c.protected() {
		code := g.Attr&AttrCode != 0
		if w {
			ok = ok && !code && g.Attr&AttrWritable != 0
		} else {
			ok = ok && (!code || g.Attr&AttrWritable != 0)
		}
	}
	if !ok || !g.contains(off, n) {
		v := vecGP
		if s == x86.SS {
			v = vecSS
		}
		c.raiseCode(v, 0)
		return 0, false
	}
	return g.Base + off, true
}

// contains says whether n bytes at off lie within the limit. In an expand-down
// segment the valid offsets are those above it.
func (g *Seg) contains(off, n uint32) bool {
	last := off + n - 1
	if g.Attr&(AttrCode|AttrExpandDown) == AttrExpandDown {
		top := uint32(0xffff)
		if g.Attr&AttrDB != 0 {
			top = 0xffffffff
		}
		return off > g.Limit && last <= top && last >= off
	}
	return last <= g.Limit && last >= off
}
