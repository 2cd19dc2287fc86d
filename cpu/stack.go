package cpu

import "alpinevm/cpu/x86"

// stackMask is the part of ESP that addresses the stack (SDM vol. 1 6.2.3).
func (c *CPU) stackMask() uint32 {
	if c.Seg[segSS].Attr&AttrDB != 0 {
		return 0xffffffff
	}
	return 0xffff
}

// setESP sets the part of ESP that addresses the stack.
func (c *CPU) setESP(v uint32) {
	m := c.stackMask()
	c.R[esp] = c.R[esp]&^m | v&m
}

// addESP moves the stack pointer up by n bytes.
func (c *CPU) addESP(n uint32) { c.setESP(c.R[esp] + n) }

// stackWrite stores size bytes at off below (or, negative, above) the top of
// the stack, without moving it.
func (c *CPU) stackWrite(below, v uint32, size uint8) status {
	lin, ok := c.segWrite(segSS, (c.R[esp]-below)&c.stackMask(), uint32(size))
	if !ok {
		return faulted
	}
	return c.store(lin, v, size)
}

// push pushes 2 or 4 bytes. ESP changes only on success.
func (c *CPU) push(v uint32, size uint8) status {
	if c.stackWrite(uint32(size), v, size) == faulted {
		return faulted
	}
	c.setESP(c.R[esp] - uint32(size))
	return next
}

// peek reads 2 or 4 bytes at off above the top of the stack.
func (c *CPU) peek(off uint32, size uint8) (uint32, bool) {
	lin, ok := c.segRead(segSS, (c.R[esp]+off)&c.stackMask(), uint32(size))
	if !ok {
		return 0, false
	}
	return c.load(lin, size)
}

// pop pops 2 or 4 bytes. ESP changes only on success.
func (c *CPU) pop(size uint8) (uint32, bool) {
	v, ok := c.peek(0, size)
	if ok {
		c.addESP(uint32(size))
	}
	return v, ok
}

func stackFamily() family {
	return family{
		x86.PUSH:  selectPush,
		x86.POP:   selectPop,
		x86.PUSHA: always(pusha),
		x86.POPA:  always(popa),
		x86.ENTER: selectEnter,
		x86.LEAVE: always(leave),
	}
}

// selectPush serves PUSH in all forms.
func selectPush(t *translation) handler {
	flat := t.mode&(ModeFlat|ModeStack32) == ModeFlat|ModeStack32 && t.size == 4
	switch t.args[0] {
	case x86.Zv:
		if flat {
			return push32Reg
		}
		return pushReg
	case x86.Ibs, x86.Iz:
		if flat {
			return push32Imm
		}
		return pushImm
	case x86.Ev:
		if t.flags&opMem == 0 {
			t.reg = t.rm
			if flat {
				return push32Reg
			}
			return pushReg
		}
		return pushMem
	}
	return pushSeg
}

func push32Reg(c *CPU, o *op) status {
	s := c.Core
	sp := s.R[esp] - 4
	v := s.R[o.reg&15]
	e := &c.tlb[sp>>12&tlbMask]
	if e.W == (sp+3)&^0xfff {
		c.ram.Store32(e.Off+sp, v)
	} else if c.storeSlow(sp, 4, v, c.Half) != next {
		return faulted
	}
	s.R[esp] = sp
	return next
}

func push32Imm(c *CPU, o *op) status {
	s := c.Core
	sp := s.R[esp] - 4
	if c.store32(sp, o.imm) != next {
		return faulted
	}
	s.R[esp] = sp
	return next
}

func pushReg(c *CPU, o *op) status { return c.push(c.R[o.reg&15], o.size) }
func pushImm(c *CPU, o *op) status { return c.push(o.imm, o.size) }

func pushMem(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	return c.push(v, o.size)
}

// selectPop serves POP in all forms.
func selectPop(t *translation) handler {
	switch t.args[0] {
	case x86.Zv:
		if t.mode&(ModeFlat|ModeStack32) == ModeFlat|ModeStack32 && t.size == 4 {
			return pop32Reg
		}
		return popReg
	case x86.Ev:
		if t.flags&opMem == 0 {
			t.reg = t.rm
			return popReg
		}
		return popMem
	}
	return popSeg
}

func pop32Reg(c *CPU, o *op) status {
	s := c.Core
	sp := s.R[esp]
	e := &c.tlb[sp>>12&tlbMask]
	var v uint32
	if e.R == (sp+3)&^0xfff {
		v = c.ram.Load32(e.Off + sp)
	} else {
		var ok bool
		if v, ok = c.loadSlow(sp, 4, c.Half); !ok {
			return faulted
		}
	}
	s.R[esp] = sp + 4
	s.R[o.reg&15] = v
	return next
}

func popReg(c *CPU, o *op) status {
	v, ok := c.pop(o.size)
	if !ok {
		return faulted
	}
	c.writeReg(o.reg, 0, v, o.size)
	return next
}

// popMem computes its address with ESP already incremented (SDM vol. 2B, POP).
func popMem(c *CPU, o *op) status {
	old := c.R[esp]
	v, ok := c.pop(o.size)
	if ok && c.rmStore(o, v, o.size) == next {
		return next
	}
	c.R[esp] = old
	return faulted
}

// pushSeg pushes a segment register. A 32-bit push writes 16 bits and leaves the
// upper half of the slot, as Core processors do (SDM vol. 2B, PUSH).
func pushSeg(c *CPU, o *op) status {
	lin, ok := c.segWrite(segSS, (c.R[esp]-uint32(o.size))&c.stackMask(), 2)
	if !ok {
		return faulted
	}
	if st := c.store16(lin, uint32(c.Seg[o.reg].Sel)); st != next {
		return st
	}
	c.setESP(c.R[esp] - uint32(o.size))
	return next
}

// popSeg pops a segment register. A 32-bit pop reads 16 bits.
func popSeg(c *CPU, o *op) status {
	mask := c.stackMask()
	lin, ok := c.segRead(segSS, c.R[esp]&mask, 2)
	if !ok {
		return faulted
	}
	v, ok := c.load16(lin)
	if !ok {
		return faulted
	}
	if st := c.loadSeg(o.reg, uint16(v)); st != next {
		return st
	}
	c.R[esp] = c.R[esp]&^mask | (c.R[esp]+uint32(o.size))&mask
	if o.reg == segSS {
		c.shadowStack()
	}
	return c.loaded(o, o.reg)
}

func pusha(c *CPU, o *op) status {
	n := uint32(o.size)
	m := c.stackMask()
	// All eight must be writable before the first is written.
	for i := range uint32(8) {
		lin, ok := c.segWrite(segSS, (c.R[esp]-n*(i+1))&m, n)
		if !ok || !c.writable(lin, n) {
			return faulted
		}
	}
	for i := range uint32(8) {
		c.stackWrite(n*(i+1), c.R[i], o.size)
	}
	c.setESP(c.R[esp] - 8*n)
	return next
}

func popa(c *CPU, o *op) status {
	n := uint32(o.size)
	var v [8]uint32
	for i := range v {
		var ok bool
		if v[7-i], ok = c.peek(n*uint32(i), o.size); !ok {
			return faulted
		}
	}
	for i, x := range v {
		if i != esp {
			c.writeReg(uint8(i), 0, x, o.size)
		}
	}
	c.addESP(8 * n)
	return next
}

// selectEnter keeps the nesting level in disp.
func selectEnter(t *translation) handler {
	t.disp = uint32(t.in.Imm2)
	return enter
}

// enter makes a stack frame (SDM vol. 2A, ENTER). The final stack pointer must
// be writable, though nothing is written there.
func enter(c *CPU, o *op) status {
	n, level := uint32(o.size), o.disp&31
	m := c.stackMask()
	sp := c.R[esp]
	// On a 16-bit stack the upper half of ESP goes into the frame pointer.
	frame := c.R[esp]&^m | (sp-n)&m
	ok := true
	put := func(v uint32) {
		sp -= n
		lin, good := c.segWrite(segSS, sp&m, n)
		ok = ok && good && c.store(lin, v, o.size) == next
	}
	// Writes below the stack pointer are not architectural state until
	// ENTER retires, so a fault in the middle may leave them behind.
	put(c.R[ebp])
	if level > 0 {
		bp := c.R[ebp]
		for i := uint32(1); i < level && ok; i++ {
			bp -= n
			lin, good := c.segRead(segSS, bp&m, n)
			if !good {
				return faulted
			}
			v, good := c.load(lin, o.size)
			if !good {
				return faulted
			}
			put(v)
		}
		if ok {
			put(frame)
		}
	}
	sp -= o.imm & 0xffff
	if !ok {
		return faulted
	}
	if lin, good := c.segWrite(segSS, sp&m, n); !good || !c.writable(lin, n) {
		return faulted
	}
	c.writeReg(ebp, 0, frame, o.size)
	c.setESP(sp)
	return next
}

func leave(c *CPU, o *op) status {
	m := c.stackMask()
	lin, ok := c.segRead(segSS, c.R[ebp]&m, uint32(o.size))
	if !ok {
		return faulted
	}
	v, ok := c.load(lin, o.size)
	if !ok {
		return faulted
	}
	c.setESP(c.R[ebp] + uint32(o.size))
	c.writeReg(ebp, 0, v, o.size)
	return next
}
