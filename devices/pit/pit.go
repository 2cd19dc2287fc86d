// Package pit models the interval timer of a PC: an Intel 8254 (datasheet
// 231164-005, September 1993) clocked at 14.31818 MHz / 12, and port 61h,
// which holds the gate and shows the output of its counter 2.
//
// It models all six modes in binary and BCD, the counter latch and read-back
// commands, the byte flip-flops and the gate of counter 2. Nothing counts
// while nobody looks: a counter is brought up to the present when it is
// accessed, and counter 0 has a timer set to the next change of its output,
// which is IRQ 0.
//
// Deviation: a count of 1 in modes 2 and 3, which the datasheet forbids, counts
// as 2. Port 61h toggles its refresh bit every 18 cycles whatever counter 1
// holds, and there is no speaker to hear.
package pit

import (
	"fmt"

	"alpinevm/devices"
)

// rate is the frequency of the counters' CLK inputs: a twelfth of 14.31818
// MHz, 1,193,181 and two thirds.
var rate = devices.Rate{Num: 14318180, Den: 12}

// refresh is how many cycles lie between two memory refreshes, about 15 us.
const refresh = 18

// Bits of port 61h.
const (
	portBGate    = 1 << 0 // gate of counter 2
	portBWrite   = 0x0F   // gate, speaker, and two checks that nothing obeys
	portBRefresh = 1 << 4 // toggles with each refresh
	portBOut     = 1 << 5 // output of counter 2
)

// State is the state of a PIT.
type State struct {
	Counters [3]Counter
	PortB    uint8 // the bits of port 61h that are written
}

// PIT is an 8254.
type PIT struct {
	s     State
	clock devices.Clock
	irq   devices.IRQ
	timer devices.Timer
}

// New makes a PIT. irq is driven by the output of counter 0.
func New(timers devices.Timers, irq devices.IRQ) *PIT {
	p := &PIT{clock: timers, irq: irq}
	p.timer = timers.New("pit", p.sync)
	p.Reset()
	return p
}

// Reset makes all counters idle, with high outputs, until they are programmed,
// and closes the gate of counter 2. (On silicon the state is undefined.)
func (p *PIT) Reset() {
	now := p.now()
	for i := range p.s.Counters {
		p.s.Counters[i] = Counter{At: now, Mode: 3, RW: 3, N: 2, Null: true, Gate: i != 2}
	}
	p.s.PortB = 0
	p.sync()
}

// Save gives a copy of the state.
func (p *PIT) Save() State { return p.s }

// Restore puts back a saved state.
func (p *PIT) Restore(s State) error {
	for i := range s.Counters {
		if err := s.Counters[i].check(p.now()); err != nil {
			return fmt.Errorf("pit: counter %d: %w", i, err)
		}
	}
	p.s = s
	p.sync()
	return nil
}

func (p *PIT) now() uint64 { return rate.Ticks(p.clock.Now()) }

// sync brings the counters up to the present, tells IRQ 0 what became of
// counter 0 and sets the timer to its next change.
func (p *PIT) sync() {
	now := p.now()
	c := &p.s.Counters[0]
	rose := c.advance(now)
	p.s.Counters[1].advance(now)
	p.s.Counters[2].advance(now)
	if rose {
		p.irq.Set(false)
		p.irq.Set(true)
	}
	p.irq.Set(c.out())
	if tick, ok := c.next(); ok {
		p.timer.Set(rate.Time(tick))
	} else {
		p.timer.Stop()
	}
}

// Ports gives the counters' ports and the control word port (40h to 43h on a
// PC).
func (p *PIT) Ports() devices.PortDevice {
	return devices.BytePorts{
		Read: func(off uint16) uint8 {
			if off > 2 {
				return 0xFF // the control word cannot be read
			}
			p.sync()
			return p.s.Counters[off].read()
		},
		Write: func(off uint16, v uint8) {
			p.sync()
			if off > 2 {
				p.control(v)
			} else {
				p.s.Counters[off].write(v)
			}
			p.sync()
		},
	}
}

// PortB gives the system control port B (61h on a PC).
func (p *PIT) PortB() devices.PortDevice {
	return devices.BytePorts{
		Read: func(uint16) uint8 {
			p.sync()
			v := p.s.PortB
			if p.now()/refresh%2 != 0 {
				v |= portBRefresh
			}
			if p.s.Counters[2].out() {
				v |= portBOut
			}
			return v
		},
		Write: func(_ uint16, v uint8) {
			p.sync()
			p.s.PortB = v & portBWrite
			p.s.Counters[2].gate(v&portBGate != 0)
		},
	}
}

// control serves a control word (8254, figure 7): bits 7 and 6 select a
// counter, 3 is the read-back command; 5 and 4 how its bytes are accessed, 0
// is the counter latch command.
func (p *PIT) control(v uint8) {
	n := v >> 6
	switch {
	case n == 3:
		p.readBack(v)
	case v>>4&3 == 0:
		p.s.Counters[n].latch()
	default:
		p.s.Counters[n].program(v)
	}
}

// readBack latches the count (bit 5 clear) and the status (bit 4 clear) of the
// counters that bits 3 to 1 select.
func (p *PIT) readBack(v uint8) {
	for i := range p.s.Counters {
		if v>>(i+1)&1 == 0 {
			continue
		}
		if v&(1<<5) == 0 {
			p.s.Counters[i].latch()
		}
		if v&(1<<4) == 0 {
			p.s.Counters[i].latchStatus()
		}
	}
}
