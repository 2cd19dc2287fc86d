package cpu

import "alpinevm/cpu/x86"

func branchFamily() family {
	return family{
		x86.JCC:    selectJcc,
		x86.JMP:    selectJmp,
		x86.CALL:   selectCall,
		x86.RET:    selectRet,
		x86.LOOP:   always(loop),
		x86.LOOPE:  always(loop),
		x86.LOOPNE: always(loop),
		x86.JECXZ:  always(jecxz),
	}
}

// branchTarget turns the displacement of a direct branch, relative to the next
// instruction, into the distance from the block's start.
func branchTarget(t *translation) {
	t.imm += uint32(t.start) + uint32(t.len)
}

// near checks a branch target against the limit of CS and gives it as the
// operand size leaves it.
func (c *CPU) near(eip uint32, size uint8) (uint32, bool) {
	if size == 2 {
		eip &= 0xffff
	}
	if !c.Seg[segCS].contains(eip, 1) {
		c.raiseCode(vecGP, 0)
		return 0, false
	}
	return eip, true
}

func (t *translation) flatBranch() bool { return t.mode&ModeFlatCode != 0 && t.size == 4 }

func selectJcc(t *translation) handler {
	branchTarget(t)
	if t.flatBranch() {
		return jcc32[t.cond&15]
	}
	return jccChecked
}

// jccChecked is JCC with a 16-bit operand size or a segment limit.
func jccChecked(c *CPU, o *op) status {
	if !c.cond(o.cond) {
		return next
	}
	eip, ok := c.near(c.EIP+o.imm, o.size)
	if !ok {
		return faulted
	}
	c.EIP = eip
	return jump
}

// loop is LOOP, LOOPE and LOOPNE: count by address size.
//
// Deviation: AMD takes the condition of LOOPE and LOOPNE from a prefix F2 or F3.
// SDM vol. 2A, LOOP, knows of none, and F2 and F3 are ignored here as Intel does.
// Nobody who writes such a prefix can rely on either.
func loop(c *CPU, o *op) status {
	t := c.R[ecx] - 1
	count := t
	if o.flags&opAddr16 != 0 {
		count &= 0xffff
		t = c.R[ecx]&0xffff0000 | count
	}
	taken := count != 0
	switch x86.Forms[o.form].Op {
	case x86.LOOPE:
		taken = taken && c.zf()
	case x86.LOOPNE:
		taken = taken && !c.zf()
	}
	if !taken {
		c.R[ecx] = t
		return next
	}
	eip, ok := c.near(o.nextEIP(c)+o.imm, o.size)
	if !ok {
		return faulted
	}
	c.R[ecx] = t
	c.EIP = eip
	return jump
}

func jecxz(c *CPU, o *op) status {
	v := c.R[ecx]
	if o.flags&opAddr16 != 0 {
		v &= 0xffff
	}
	if v != 0 {
		return next
	}
	eip, ok := c.near(o.nextEIP(c)+o.imm, o.size)
	if !ok {
		return faulted
	}
	c.EIP = eip
	return jump
}

func selectJmp(t *translation) handler {
	if t.args[0] == x86.Jb || t.args[0] == x86.Jz {
		branchTarget(t)
		if t.flatBranch() {
			return jmp32
		}
		return jmpChecked
	}
	return jmpIndirect
}

func jmp32(c *CPU, o *op) status {
	c.EIP += o.imm
	return jump
}

func jmpChecked(c *CPU, o *op) status {
	eip, ok := c.near(c.EIP+o.imm, o.size)
	if !ok {
		return faulted
	}
	c.EIP = eip
	return jump
}

func jmpIndirect(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	if v, ok = c.near(v, o.size); !ok {
		return faulted
	}
	c.EIP = v
	return elsewhere
}

func selectCall(t *translation) handler {
	if t.args[0] == x86.Jz {
		branchTarget(t)
		if t.flatBranch() && t.mode&(ModeFlat|ModeStack32) == ModeFlat|ModeStack32 {
			return call32
		}
		return callChecked
	}
	return callIndirect
}

func call32(c *CPU, o *op) status {
	s := c.Core
	sp := s.R[esp] - 4
	back := s.EIP + uint32(o.start) + uint32(o.len)
	if e := &c.tlb[sp>>12&tlbMask]; e.W == (sp+3)&^0xfff {
		c.ram.Store32(e.Off+sp, back)
	} else if c.storeSlow(sp, 4, back, c.Half) != next {
		return faulted
	}
	s.R[esp] = sp
	s.EIP += o.imm
	return jump
}

func callChecked(c *CPU, o *op) status {
	eip, ok := c.near(c.EIP+o.imm, o.size)
	if !ok || c.push(o.nextEIP(c), o.size) != next {
		return faulted
	}
	c.EIP = eip
	return jump
}

func callIndirect(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	if v, ok = c.near(v, o.size); !ok {
		return faulted
	}
	if c.push(o.nextEIP(c), o.size) != next {
		return faulted
	}
	c.EIP = v
	return elsewhere
}

func selectRet(t *translation) handler {
	if t.args[0] == x86.None {
		t.imm = 0
	}
	if t.flatBranch() && t.mode&(ModeFlat|ModeStack32) == ModeFlat|ModeStack32 {
		return ret32
	}
	return ret
}

func ret32(c *CPU, o *op) status {
	s := c.Core
	sp := s.R[esp]
	var v uint32
	if e := &c.tlb[sp>>12&tlbMask]; e.R == (sp+3)&^0xfff {
		v = c.ram.Load32(e.Off + sp)
	} else {
		var ok bool
		if v, ok = c.loadSlow(sp, 4, c.Half); !ok {
			return faulted
		}
	}
	s.R[esp] = sp + 4 + o.imm
	s.EIP = v
	return elsewhere
}

func ret(c *CPU, o *op) status {
	v, ok := c.peek(0, o.size)
	if !ok {
		return faulted
	}
	if v, ok = c.near(v, o.size); !ok {
		return faulted
	}
	c.addESP(uint32(o.size) + o.imm)
	c.EIP = v
	return elsewhere
}
