package cpu

import "alpinevm/cpu/x86"

func bitFamily() family {
	return family{
		x86.BT:  selectBitTest(nil),
		x86.BTS: selectBitTest(func(v, bit uint32) uint32 { return v | bit }),
		x86.BTR: selectBitTest(func(v, bit uint32) uint32 { return v &^ bit }),
		x86.BTC: selectBitTest(func(v, bit uint32) uint32 { return v ^ bit }),
		x86.BSF: selectBitScan(bitScanLow),
		x86.BSR: selectBitScan(bitScanHigh),
	}
}

// selectBitTest serves BT and, with change, its writing kin.
//
//go:noinline
func selectBitTest(change func(v, bit uint32) uint32) selector {
	byReg := func(c *CPU, o *op) status { return c.bitTest(o, c.R[o.reg&15], change) }
	byImm := func(c *CPU, o *op) status { return c.bitTest(o, o.imm&(8*uint32(o.size)-1), change) }
	return func(t *translation) handler {
		if t.args[1] == x86.Ib {
			return byImm
		}
		return byReg
	}
}

// bitTest tests bit i of the r/m operand. In memory a register's bit offset is
// signed and reaches beyond the operand: a bit string (SDM vol. 2A, BT).
func (c *CPU) bitTest(o *op, i uint32, change func(v, bit uint32) uint32) status {
	width := 8 * uint32(o.size)
	bit := uint32(1) << (i & (width - 1))
	if o.flags&opMem == 0 {
		v := c.rmReg(o, o.size)
		if change != nil {
			c.writeReg(o.rm, 0, change(v, bit), o.size)
		}
		c.setCF(v&bit != 0)
		return next
	}
	off := int32(signExtend(i, o.size)) >> (3 + o.size>>1) * int32(o.size)
	ea := c.ea(o) + uint32(off)
	if o.flags&opAddr16 != 0 {
		ea &= 0xffff
	}
	var lin, v uint32
	var ok bool
	if change == nil {
		if lin, ok = c.segRead(o.seg, ea, uint32(o.size)); ok {
			v, ok = c.load(lin, o.size)
		}
	} else if lin, ok = c.segWrite(o.seg, ea, uint32(o.size)); ok {
		v, ok = c.loadForWrite(lin, o.size)
	}
	if !ok {
		return faulted
	}
	if change != nil {
		c.store(lin, change(v, bit), o.size)
	}
	c.setCF(v&bit != 0)
	return next
}

// selectBitScan serves BSF and BSR. A source of 0 leaves the destination alone,
// as processors do, and sets ZF.
//
//go:noinline
func selectBitScan(scan func(uint32) uint32) selector {
	return always(func(c *CPU, o *op) status {
		v, ok := c.rmLoad(o, o.size)
		if !ok {
			return faulted
		}
		if v == 0 {
			c.SetArith(c.Arith() | flagZF)
			return next
		}
		c.SetArith(c.Arith() &^ flagZF)
		c.writeReg(o.reg, 0, scan(v), o.size)
		return next
	})
}
