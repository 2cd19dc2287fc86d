package pic

import "math/bits"

// Bits of the command words (8259A, figures 7 and 8).
const (
	icw1Single = 1 << 1 // no ICW3
	icw1Is     = 1 << 4 // this is an ICW1
	icw1ICW4   = 1 << 0 // an ICW4 follows

	icw4AEOI = 1 << 1
	icw4SFNM = 1 << 4

	ocw3Is  = 1 << 3
	ocw3RIS = 1 << 0
	ocw3RR  = 1 << 1
	ocw3P   = 1 << 2
	ocw3SMM = 1 << 5
	ocw3ESM = 1 << 6
)

// input gives an input its level. A request in edge mode lasts only as long as
// the input stays high (8259A, "Edge and Level Triggered Modes").
func (c *Chip) input(n int, level bool) {
	bit := uint8(1) << n
	switch {
	case level && c.Lines&bit == 0:
		c.Lines |= bit
		c.Edges |= bit
	case !level:
		c.Lines &^= bit
		c.Edges &^= bit
	}
}

// requests is the IRR.
func (c *Chip) requests() uint8 { return c.Edges&^c.ELCR | c.Lines&c.ELCR }

// rank orders the inputs by priority: 0 is the highest, 7 that of Lowest.
func (c *Chip) rank(n uint8) uint8 { return (n - c.Lowest - 1) & 7 }

// highest finds the input of the highest priority in a non-empty set.
func (c *Chip) highest(set uint8) uint8 {
	r := bits.RotateLeft8(set, -int(c.Lowest+1))
	return (uint8(bits.TrailingZeros8(r)) + c.Lowest + 1) & 7
}

// pending finds the request that INT stands for: the highest one that is not
// masked, if nothing of its priority or a higher one is in service.
func (c *Chip) pending() (n uint8, ok bool) {
	set := c.requests() &^ c.IMR
	if !c.Ready || set == 0 {
		return 0, false
	}
	service := c.ISR
	if c.SpecialMask {
		// A masked level in service stops only itself.
		service &^= c.IMR
	}
	if c.ICW4&icw4SFNM != 0 && c.sfnmMaster() {
		// Special fully nested mode: the second chip is not locked out.
		service &^= 1 << cascade
	}
	n = c.highest(set)
	if service != 0 && c.rank(c.highest(service)) <= c.rank(n) {
		return 0, false
	}
	return n, true
}

// sfnmMaster tells whether the chip was told by ICW3 that its input 2 is a
// chip, which the mode needs.
func (c *Chip) sfnmMaster() bool { return c.ICW3&(1<<cascade) != 0 }

// out is the level of INT.
func (c *Chip) out() bool {
	_, ok := c.pending()
	return ok
}

// ack acknowledges the pending request; without one it is the spurious 7.
func (c *Chip) ack() (n uint8, ok bool) {
	n, ok = c.pending()
	if !ok {
		return 7, false
	}
	c.Edges &^= 1 << n
	switch {
	case c.ICW4&icw4AEOI == 0:
		c.ISR |= 1 << n
	case c.RotateAEOI:
		c.Lowest = n
	}
	return n, true
}

// command serves a write to the first port.
func (c *Chip) command(v uint8) {
	switch {
	case v&icw1Is != 0:
		c.initialize(v)
	case v&ocw3Is != 0:
		c.ocw3(v)
	default:
		c.ocw2(v)
	}
}

// initialize starts the sequence of ICWs (8259A, "Initialization Command
// Words 1 and 2", a to f): an input must rise again to make a request.
func (c *Chip) initialize(icw1 uint8) {
	*c = Chip{Lines: c.Lines, ELCR: c.ELCR, Base: c.Base, ICW3: c.ICW3, Lowest: 7, ICW1: icw1, Expect: 2}
}

// ocw2 ends interrupts and rotates priorities.
func (c *Chip) ocw2(v uint8) {
	level := v & 7
	switch v >> 5 {
	case 0b000:
		c.RotateAEOI = false
	case 0b100:
		c.RotateAEOI = true
	case 0b001:
		c.nonSpecificEOI(false)
	case 0b101:
		c.nonSpecificEOI(true)
	case 0b011:
		c.ISR &^= 1 << level
	case 0b111:
		c.ISR &^= 1 << level
		c.Lowest = level
	case 0b110:
		c.Lowest = level
	}
}

// nonSpecificEOI ends the interrupt of the highest priority in service; one
// that is masked in special mask mode is left alone.
func (c *Chip) nonSpecificEOI(rotate bool) {
	set := c.ISR
	if c.SpecialMask {
		set &^= c.IMR
	}
	if set == 0 {
		return
	}
	n := c.highest(set)
	c.ISR &^= 1 << n
	if rotate {
		c.Lowest = n
	}
}

// ocw3 selects the register to read, polls, and turns special mask mode.
func (c *Chip) ocw3(v uint8) {
	if v&ocw3ESM != 0 {
		c.SpecialMask = v&ocw3SMM != 0
	}
	c.Poll = v&ocw3P != 0
	if v&ocw3RR != 0 && !c.Poll {
		c.ReadISR = v&ocw3RIS != 0
	}
}

// data serves a write to the second port: OCW1, or the ICW that is awaited.
func (c *Chip) data(v uint8) {
	switch c.Expect {
	case 0:
		c.IMR = v
		return
	case 2:
		c.Base = v &^ 7
		if c.ICW1&icw1Single == 0 {
			c.Expect = 3
			return
		}
	case 3:
		c.ICW3 = v
	case 4:
		c.ICW4 = v
		c.Expect, c.Ready = 0, true
		return
	}
	if c.ICW1&icw1ICW4 != 0 {
		c.Expect = 4
		return
	}
	c.ICW4 = 0 // ICW1 without IC4 selects all zeros
	c.Expect, c.Ready = 0, true
}
