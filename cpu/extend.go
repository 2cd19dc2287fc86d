package cpu

import "alpinevm/cpu/x86"

// Zero and sign extension.

func extendFamily() family {
	return family{
		x86.MOVZX: selectExtend(&movzxHandlers, movzx16),
		x86.MOVSX: selectExtend(&movsxHandlers, movsx16),
		x86.CBW:   always(cbw),
		x86.CWD:   always(cwd),
	}
}

// selectExtend serves MOVZX and MOVSX by the size of the source.
//
//go:noinline
func selectExtend(h *[2]operands, to16 handler) selector {
	return func(t *translation) handler {
		i := 0
		if t.args[1] == x86.Ew {
			i = 1
		}
		if t.size == 2 {
			if i == 1 {
				return movHandlers[1].choose(t)
			}
			return to16
		}
		switch {
		case t.flags&opMem == 0:
			return h[i].regRM
		case t.flat():
			return h[i].regMemFlat
		}
		return h[i].regMemSeg
	}
}

// movzx16 and movsx16 extend a byte to 16 bits.
func movzx16(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 1)
	if !ok {
		return faulted
	}
	c.writeReg(o.reg, 0, v, 2)
	return next
}

func movsx16(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, 1)
	if !ok {
		return faulted
	}
	c.writeReg(o.reg, 0, signExtend(v, 1), 2)
	return next
}

// cbw is CBW and CWDE by operand size.
func cbw(c *CPU, o *op) status {
	if o.size == 2 {
		c.writeReg(eax, 0, signExtend(c.R[eax], 1), 2)
	} else {
		c.R[eax] = signExtend(c.R[eax], 2)
	}
	return next
}

// cwd is CWD and CDQ by operand size.
func cwd(c *CPU, o *op) status {
	v := uint32(int32(signExtend(c.R[eax], o.size)) >> 31)
	c.writeReg(edx, 0, v, o.size)
	return next
}
