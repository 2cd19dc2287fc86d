package pit

import "fmt"

// Counter is the state of one counter, as it was at the tick At. Ticks are
// cycles of CLK since time 0.
type Counter struct {
	At   uint64
	Mode uint8 // 0 to 5
	RW   uint8 // bytes accessed: 1 low, 2 high, 3 low then high
	BCD  bool

	CR      uint32 // count register, as the number of cycles it stands for
	Written bool   // CR is complete
	Null    bool   // CR was not loaded into CE yet: status bit 6
	Loading bool   // CE is loaded from CR at the tick LoadAt, after At
	LoadAt  uint64

	// The counting element, CE: the count that was loaded and the cycles
	// counted since. In modes 2 and 3 Elapsed starts again with each period.
	N       uint32
	Elapsed uint64
	Loaded  bool
	Halted  bool // counting waits for the next load
	Low     bool // mode 0: OUT is low until the next load

	Gate bool

	WriteHigh bool  // RW 3: the next byte written is the high one
	LowByte   uint8 // the low one
	ReadHigh  bool  // RW 3: the next byte read is the high one

	Latch         uint16 // the latched count
	LatchLeft     uint8  // bytes of it that are still to be read
	Status        uint8
	StatusLatched bool
}

// check says what is wrong with a counter that is to go on at a tick.
func (c *Counter) check(now uint64) error {
	least := uint32(1)
	periodic := c.Mode == 2 || c.Mode == 3
	if periodic {
		least = 2
	}
	good := func(n uint32) bool { return n >= least && n <= 1<<16 } // BCD digits can be above 9
	switch {
	case c.At > now:
		return fmt.Errorf("it was at tick %d, and it is tick %d", c.At, now)
	case c.Mode > 5:
		return fmt.Errorf("no mode %d", c.Mode)
	case c.RW < 1 || c.RW > 3 || c.LatchLeft > 2:
		return fmt.Errorf("%d bytes are latched for access %d", c.LatchLeft, c.RW)
	case (c.Written || c.Loading || c.Loaded) && !good(c.CR):
		return fmt.Errorf("a count of %d in mode %d", c.CR, c.Mode)
	case c.Loading && c.LoadAt != c.At+1:
		return fmt.Errorf("it is to be loaded at tick %d, from %d", c.LoadAt, c.At)
	case c.Loaded && !good(c.N), periodic && c.Loaded && c.Elapsed >= uint64(c.N):
		return fmt.Errorf("%d of %d cycles in mode %d", c.Elapsed, c.N, c.Mode)
	}
	return nil
}

// modulus is what CE wraps at.
func (c *Counter) modulus() uint32 {
	if c.BCD {
		return 10000
	}
	return 1 << 16
}

// program serves a control word.
func (c *Counter) program(v uint8) {
	mode := v >> 1 & 7
	if mode > 5 {
		mode &= 3 // bit 3 does not matter in modes 2 and 3
	}
	*c = Counter{
		At: c.At, Mode: mode, RW: v >> 4 & 3, BCD: v&1 != 0,
		Null: true, Low: mode == 0, Gate: c.Gate,
		N: c.N, Elapsed: c.Elapsed,
	}
}

// write serves a byte written to the counter's port.
func (c *Counter) write(v uint8) {
	switch {
	case c.RW == 1:
		c.count(uint16(v))
	case c.RW == 2:
		c.count(uint16(v) << 8)
	case c.WriteHigh:
		c.WriteHigh = false
		c.count(uint16(v)<<8 | uint16(c.LowByte))
	default:
		c.WriteHigh, c.LowByte = true, v
		if c.Mode == 0 {
			// Writing the first byte disables counting and OUT is
			// low at once (8254, "Mode 0").
			c.Halted, c.Low, c.Loading = true, true, false
		}
	}
}

// count takes a complete new count.
func (c *Counter) count(v uint16) {
	n := uint32(v)
	if c.BCD {
		n = n>>12*1000 + n>>8&15*100 + n>>4&15*10 + n&15
	}
	if n == 0 {
		n = c.modulus()
	}
	if n == 1 && (c.Mode == 2 || c.Mode == 3) {
		n = 2
	}
	c.CR, c.Written, c.Null = n, true, true
	switch c.Mode {
	case 0:
		c.Low = true
		c.loadNext()
	case 4:
		c.loadNext()
	case 2, 3:
		// Only the first count is loaded at once, a later one at the
		// end of the period or half period.
		if !c.Loaded {
			c.loadNext()
		}
	}
}

// loadNext loads CE with the next cycle.
func (c *Counter) loadNext() { c.Loading, c.LoadAt = true, c.At+1 }

// gate gives the GATE input a level (8254, figure 21).
func (c *Counter) gate(level bool) {
	if level == c.Gate {
		return
	}
	c.Gate = level
	switch c.Mode {
	case 1, 5:
		if level && c.Written {
			c.loadNext()
		}
	case 2, 3:
		if level && c.Written {
			c.loadNext()
		}
		if !level {
			c.Halted = true
			c.Loading = c.Loading && !c.Loaded
		}
	}
}

// advance brings the counter up to a tick that is not before At, and tells
// whether OUT rose on the way.
func (c *Counter) advance(tick uint64) (rose bool) {
	if c.Loading && c.LoadAt <= tick {
		// In the cycle in which it is loaded CE does not count.
		rose = c.run(c.LoadAt - c.At - 1)
		before := c.out()
		c.load()
		rose = rose || c.out() && !before
		c.At, c.Loading = c.LoadAt, false
	}
	rose = c.run(tick-c.At) || rose
	c.At = tick
	return rose
}

// load copies CR into CE.
func (c *Counter) load() {
	c.N, c.Elapsed = c.CR, 0
	c.Loaded, c.Null, c.Halted, c.Low = true, false, false, false
}

// run counts some cycles, without a load of Loading among them.
func (c *Counter) run(cycles uint64) (rose bool) {
	if cycles == 0 || !c.counting() {
		return false
	}
	before := c.Elapsed
	switch c.Mode {
	case 2:
		return c.runPeriods(cycles)
	case 3:
		return c.runHalves(cycles)
	case 0, 1:
		c.Elapsed += cycles
		return !c.Low && before < uint64(c.N) && c.Elapsed >= uint64(c.N)
	}
	c.Elapsed += cycles
	// The strobe is one cycle long.
	return before <= uint64(c.N) && c.Elapsed > uint64(c.N)
}

// counting tells whether CE counts.
func (c *Counter) counting() bool {
	if !c.Loaded || c.Halted {
		return false
	}
	return c.Gate || c.Mode == 1 || c.Mode == 5
}

// runPeriods counts in mode 2: a new count is loaded at the end of a period.
func (c *Counter) runPeriods(cycles uint64) (rose bool) {
	left := uint64(c.N) - c.Elapsed
	if cycles < left {
		c.Elapsed += cycles
		return false
	}
	if c.Null {
		c.N, c.Null = c.CR, false
	}
	c.Elapsed = (cycles - left) % uint64(c.N)
	return true
}

// runHalves counts in mode 3: a new count is loaded at the end of a half
// period.
func (c *Counter) runHalves(cycles uint64) (rose bool) {
	for cycles > 0 {
		end := c.half()
		high := c.Elapsed < end
		if !high {
			end = uint64(c.N)
		}
		left := end - c.Elapsed
		if cycles < left {
			c.Elapsed += cycles
			return rose
		}
		cycles -= left
		if c.Null {
			c.N, c.Null = c.CR, false
		}
		if high {
			c.Elapsed = c.half()
		} else {
			c.Elapsed = 0
			rose = true
		}
		if cycles >= uint64(c.N) {
			cycles %= uint64(c.N)
			rose = true
		}
	}
	return rose
}

// half is the length of mode 3's high half; of an odd count it is the longer
// one.
func (c *Counter) half() uint64 { return (uint64(c.N) + 1) / 2 }

// out is the level of OUT.
func (c *Counter) out() bool {
	n := uint64(c.N)
	switch {
	case c.Mode == 0:
		return c.Loaded && !c.Low && c.Elapsed >= n
	case !c.Loaded:
		return true
	}
	switch c.Mode {
	case 1:
		return c.Elapsed >= n
	case 2:
		return !c.Gate || c.Halted || c.Elapsed != n-1
	case 3:
		return !c.Gate || c.Halted || c.Elapsed < c.half()
	}
	return c.Elapsed != n
}

// next tells the tick after At at which OUT rises next, or changes in mode 3;
// ok is false if nothing will happen unless the counter is accessed.
func (c *Counter) next() (tick uint64, ok bool) {
	from, d := c.At, *c
	switch {
	case c.Loading:
		if !c.out() && c.Mode >= 2 {
			return c.LoadAt, true // the load itself raises it
		}
		from = c.LoadAt
		d.load()
	case !c.counting():
		return 0, false
	}
	if !d.counting() {
		return 0, false
	}
	n := uint64(d.N)
	switch d.Mode {
	case 3:
		if h := d.half(); d.Elapsed < h {
			n = h
		}
	case 4, 5:
		n++
	}
	if d.Elapsed >= n {
		return 0, false
	}
	return from + n - d.Elapsed, true
}

// value is CE as it is read.
func (c *Counter) value() uint16 {
	m := uint64(c.modulus())
	v := uint64(c.N) + m - c.Elapsed%m
	if c.Mode == 3 {
		// CE counts the even part of the count down by two, twice.
		e := c.Elapsed
		if h := c.half(); e >= h {
			e -= h
		}
		v = uint64(c.N&^1) + 2*m - 2*e
	}
	v %= m
	if c.BCD {
		v = v/1000<<12 | v/100%10<<8 | v/10%10<<4 | v%10
	}
	return uint16(v)
}

// latch holds the count until it is read; a second command before that is
// ignored.
func (c *Counter) latch() {
	if c.LatchLeft != 0 {
		return
	}
	c.Latch, c.LatchLeft = c.value(), 1
	if c.RW == 3 {
		c.LatchLeft = 2
	}
}

// latchStatus holds the status byte (8254, figure 11) until it is read.
func (c *Counter) latchStatus() {
	if c.StatusLatched {
		return
	}
	v := c.RW<<4 | c.Mode<<1
	if c.BCD {
		v |= 1
	}
	if c.Null {
		v |= 1 << 6
	}
	if c.out() {
		v |= 1 << 7
	}
	c.Status, c.StatusLatched = v, true
}

// read serves a read from the counter's port: a latched status comes first,
// then a latched count, then the count as it is.
func (c *Counter) read() uint8 {
	if c.StatusLatched {
		c.StatusLatched = false
		return c.Status
	}
	v := c.Latch
	if c.LatchLeft == 0 {
		v = c.value()
	} else {
		c.LatchLeft--
	}
	high := c.RW == 2
	if c.RW == 3 {
		high = c.ReadHigh
		c.ReadHigh = !c.ReadHigh
	}
	if high {
		v >>= 8
	}
	return uint8(v)
}
