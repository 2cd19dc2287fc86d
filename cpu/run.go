package cpu

// Run executes until n more instructions have retired, unless it exits
// earlier. A REP iteration counts as one instruction, and so does the delivery
// of an exception or interrupt. Interrupts are taken at instruction
// boundaries. It never blocks.
func (c *CPU) Run(n int) Exit {
	c.Limit = c.Retired + uint64(max(n, 0))
	c.running = true
	defer func() { c.running = false }()
	for c.Retired < c.Limit {
		if c.Pending == 0 {
			if b, ours := c.delegate(); ours {
				c.execute(b)
			}
			continue
		}
		if exit, done := c.events(); done {
			return exit
		}
	}
	return c.ended()
}

// ended is the end of a Run whose count is reached.
func (c *CPU) ended() Exit {
	if c.Pending&pendReset != 0 {
		c.reset()
	}
	c.yielded()
	if c.Halted && c.Pending&(pendIntr|pendNMI|pendHit) == 0 { // a debug trap of the HLT itself ends it
		return Exit{Halt}
	}
	return Exit{Budget}
}

// events looks at what is pending, in the order of SDM vol. 3A table 6-2, and
// executes one instruction under its regime where that is due.
func (c *CPU) events() (Exit, bool) {
	switch p := c.Pending; {
	case p&pendReset != 0:
		c.reset()
		return Exit{}, false
	case p&pendShutdown != 0:
		return Exit{Reset}, true
	case p&pendYield != 0:
		c.yielded()
		return Exit{Budget}, true
	case p&pendStop != 0:
		return Exit{Stopped}, true
	case p&pendHit != 0 && !c.ShadowSS:
		hits := c.DebugHits
		c.DebugHits = 0
		c.Retired++
		c.debugTrap(hits)
	case p&pendShadow != 0:
		if c.breaks() {
			return Exit{}, false
		}
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
		if !c.breaks() {
			c.step(false)
		}
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
	if !c.single() {
		return
	}
	if rf != 0 && c.Paused == c.Retired {
		c.Flags |= flagRF
		c.updateEvents()
	}
	if tf && !c.ShadowSS && !c.stepLost {
		c.hit(dr6BS)
	}
}
