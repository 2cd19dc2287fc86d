package cpu

// SetINTR is the level of the INTR pin.
func (c *CPU) SetINTR(level bool) {
	c.IntrPin = level
	c.updateEvents()
}

// NMI is an edge on the NMI pin.
func (c *CPU) NMI() {
	c.NMIPin = true
	c.updateEvents()
}

// SetA20 is the A20M# pin: with it off, bit 20 of physical addresses reads as
// 0.
func (c *CPU) SetA20(on bool) {
	if c.A20 != on {
		c.A20 = on
		c.flushTLB(true)
	}
}

// Yield makes the current Run return at the next instruction boundary, for a
// device that has moved the time of the next event forward.
func (c *CPU) Yield() {
	c.Yielding = true
	c.post(pendYield)
}

// yielded ends what Yield asked for.
func (c *CPU) yielded() {
	c.Yielding = false
	c.Pending &^= pendYield
}
