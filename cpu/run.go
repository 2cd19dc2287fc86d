package cpu

// Run executes until n more instructions have retired, unless it exits
// earlier. A REP iteration counts as one instruction, and so does the delivery
// of an exception or interrupt. Interrupts are taken at instruction
// boundaries. It never blocks.
func (c *CPU) Run(n int) Exit {
	c.limit = c.Retired + uint64(max(n, 0))
	c.running = true
	defer func() { c.running = false }()
	for c.Retired < c.limit {
		if c.pending == 0 {
			c.execute(false)
			continue
		}
		if exit, done := c.events(); done {
			return exit
		}
	}
	if c.pending&pendReset != 0 {
		c.reset()
	}
	c.pending &^= pendYield
	if c.Halted && c.pending&(pendIntr|pendNMI) == 0 {
		return Exit{Halt}
	}
	return Exit{Budget}
}

// events looks at what is pending, in the order of SDM vol. 3A table 6-2, and
// executes one instruction under its regime where that is due.
func (c *CPU) events() (Exit, bool) {
	switch p := c.pending; {
	case p&pendReset != 0:
		c.reset()
		return Exit{}, false
	case p&pendShutdown != 0:
		return Exit{Reset}, true
	case p&pendYield != 0:
		c.pending &^= pendYield
		return Exit{Budget}, true
	case p&pendHit != 0 && !c.ShadowSS:
		hits := c.DebugHits
		c.DebugHits = 0
		c.Retired++
		c.debugTrap(hits)
	case p&pendShadow != 0:
		c.Shadow = false
		ss := c.ShadowSS
		c.ShadowSS = false
		c.updateEvents()
		c.step(ss)
		return Exit{}, false
	case p&pendNMI != 0:
		c.Halted, c.NMIPin, c.NMIMask = false, false, true
		c.Retired++
		c.interrupt(2, external)
	case p&pendIntr != 0:
		c.Halted = false
		c.Retired++
		c.interrupt(c.ack(), external)
	case p&pendHalt != 0:
		return Exit{Halt}, true
	default:
		c.step(false)
		return Exit{}, false
	}
	c.flagsChanged()
	return Exit{}, false
}

// step executes one instruction under single step and breakpoints. held says
// that debug traps are held off, as MOV SS has just retired.
func (c *CPU) step(held bool) {
	tf := c.Flags&flagTF != 0
	if !held && c.codeBreakpoint() {
		c.Retired++
		c.deliver()
		return
	}
	rf := c.Flags & flagRF
	if rf != 0 {
		c.Flags &^= flagRF
		c.updateEvents()
	}
	c.stepLost = false
	if !c.execute(true) {
		return
	}
	if rf != 0 && c.paused == c.Retired {
		c.Flags |= flagRF
		c.updateEvents()
	}
	if tf && !c.ShadowSS && !c.stepLost {
		c.hit(dr6BS)
	}
}

// execute runs blocks, chained to each other, until something needs the
// attention of Run. With single set it runs one instruction. It says false where
// it has delivered an exception of the last one.
func (c *CPU) execute(single bool) bool {
	b := c.find()
	if b == nil {
		return c.failed()
	}
	for {
		from := c.EIP
		n := int(b.n)
		if left := c.limit - c.Retired; uint64(n) > left {
			n = int(left)
		}
		if single {
			n = 1
		}
		if n < int(b.n) && b.quiet {
			b = c.partOf(b, n)
		}
		c.n, c.precise = n, n == 1
		i := 0
		o := b.first
		st := next
		for {
			st = o.fn(c, o)
			i++
			if st != next || i >= c.n {
				break
			}
			o = o.after()
		}
		slot := 0
		switch st {
		case next:
			c.Retired += uint64(i)
			c.EIP += uint32(o.start) + uint32(o.len)
			if i < int(b.n) || b == &c.blocks.part {
				return true
			}
		case jump:
			c.Retired += uint64(i)
			slot = 1
		case elsewhere:
			c.Retired += uint64(i)
			if single || c.pending != 0 || c.Retired >= c.limit {
				return true
			}
			if b = c.find(); b == nil {
				return c.failed()
			}
			continue
		case faulted:
			c.Retired += uint64(i - 1)
			c.EIP += uint32(o.start)
			if c.Fault.Vector != vecRetry {
				return c.failed()
			}
			if c.DebugHits != 0 {
				c.DebugHits = 0
				c.updateEvents()
			}
			if c.Retired >= c.limit {
				return true
			}
			single = true
			if b = c.find(); b == nil {
				return c.failed()
			}
			continue
		}
		if single || c.pending != 0 || c.Retired >= c.limit {
			return true
		}
		nb := b.link[slot]
		if nb == nil || !nb.valid || !b.near[slot] && !c.follows(nb) {
			flushes := c.blocks.flushes
			if nb = c.find(); nb == nil {
				return c.failed()
			}
			// A block that crosses pages is looked up each time,
			// since its second page may have been mapped anew.
			// A flush has given b's memory to others.
			if flushes == c.blocks.flushes && b.valid && nb.valid && !nb.cross && b.mode&(modeFlatCode|modeCode32) == modeFlatCode|modeCode32 {
				b.link[slot] = nb
				b.near[slot] = !b.cross && (from^c.EIP)&^0xfff == 0
			}
		}
		b = nb
	}
}

// failed delivers the recorded fault of the instruction at EIP.
func (c *CPU) failed() bool {
	c.DebugHits = 0
	c.Retired++
	c.deliver()
	return false
}
