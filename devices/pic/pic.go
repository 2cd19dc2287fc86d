// Package pic models the interrupt controller of a PC: two Intel 8259A
// (datasheet 231468-003, December 1988), the second cascaded on IRQ 2 of the
// first, with the edge/level control registers of the Intel 82371SB (PIIX3,
// datasheet 290550-002, 2.5.6 and 2.5.7).
//
// It models every ICW and OCW in 8086 mode: fixed and rotating priorities,
// special mask and special fully nested mode, automatic end of interrupt,
// polling, and the spurious IRQ 7 and IRQ 15 of a request that is withdrawn
// before it is acknowledged.
//
// Deviation: MCS-80/85 mode (ICW4 bit 0 clear) acknowledges as 8086 mode does,
// the buffered mode bits are kept and mean nothing, and the wiring of the
// cascade does not depend on ICW3. Only a program for another computer would
// notice. ICW1's LTIM bit is ignored, as the PIIX3 does.
package pic

import (
	"fmt"

	"alpinevm/devices"
)

// cascade is the input of the first chip that the second one drives.
const cascade = 2

// ELCR bits that can be written; IRQ 0, 1, 2, 8 and 13 are always edge
// triggered (82371SB 2.5.6).
const (
	elcrMaster = 0xF8
	elcrSlave  = 0xDE
)

// Chip is the state of one 8259A. Bit n of a register stands for IRn.
type Chip struct {
	Lines  uint8 // the level of each input
	Edges  uint8 // the edge sense latch: inputs that rose and were not acknowledged
	ISR    uint8
	IMR    uint8
	ELCR   uint8 // 1: level triggered
	Base   uint8 // vector of IR0
	Lowest uint8 // the input that has the lowest priority

	ICW1, ICW3, ICW4 uint8
	Expect           uint8 // the ICW that is awaited, 2 to 4; 0 if none
	Ready            bool  // initialized: requests reach the INT pin

	ReadISR     bool // OCW3: a read of the first port gives ISR, else IRR
	Poll        bool // OCW3: the next read is an acknowledge
	SpecialMask bool
	RotateAEOI  bool
}

// State is the state of a PIC.
type State struct {
	Chips   [2]Chip
	Sources [16]uint32 // for each IRQ, one bit a source that asserts it
}

// PIC is a pair of cascaded 8259A.
type PIC struct {
	s     State
	made  [16]int // how many sources each IRQ has
	intr  bool
	onINT func(level bool)
}

// New makes a PIC that is not initialized. intr is called with the level of
// the INTR output when it changes; it may be nil.
func New(intr func(level bool)) *PIC {
	if intr == nil {
		intr = func(bool) {}
	}
	p := &PIC{onINT: intr}
	p.Reset()
	return p
}

// Reset puts both chips into the state that they have at power-on here, where
// no request is delivered until the guest has initialized them. The inputs
// keep their levels, and ELCR is cleared: all edge triggered.
func (p *PIC) Reset() {
	for i := range p.s.Chips {
		c := &p.s.Chips[i]
		*c = Chip{Lines: c.Lines, Lowest: 7}
	}
	p.update()
}

// Save gives a copy of the state.
func (p *PIC) Save() State { return p.s }

// Restore puts back a saved state. The sources are those of State, so they
// must have been made with Line in the same order.
func (p *PIC) Restore(s State) error {
	for i, c := range s.Chips {
		if c.Lowest > 7 {
			return fmt.Errorf("pic: chip %d: no input %d", i, c.Lowest)
		}
	}
	for n, all := range s.Sources {
		if all>>p.made[n] != 0 {
			return fmt.Errorf("pic: IRQ %d has %d sources, and was asserted by others", n, p.made[n])
		}
	}
	p.s = s
	p.intr = p.s.Chips[0].out()
	p.onINT(p.intr)
	return nil
}

// Line makes a new source on IRQ n (0 to 15, not 2). The sources of one IRQ
// are ORed, as the open-drain INTx pins of PCI are wired; there may be 32.
func (p *PIC) Line(n int) devices.IRQ {
	if n < 0 || n > 15 || n == cascade || p.made[n] == 32 {
		panic(fmt.Sprintf("BUG: no further source on IRQ %d", n))
	}
	p.made[n]++
	return source{p, n, 1 << (p.made[n] - 1)}
}

type source struct {
	p   *PIC
	irq int
	bit uint32
}

// Set implements devices.IRQ.
func (s source) Set(level bool) {
	all := &s.p.s.Sources[s.irq]
	before := *all != 0
	if level {
		*all |= s.bit
	} else {
		*all &^= s.bit
	}
	if after := *all != 0; after != before {
		s.p.s.Chips[s.irq>>3].input(s.irq&7, after)
		s.p.update()
	}
}

// INTR tells the level of the output.
func (p *PIC) INTR() bool { return p.intr }

// Ack is the CPU's interrupt acknowledge cycle: it gives the vector. Without a
// request it is the vector of IRQ 7, or of IRQ 15 where only the second chip
// has lost its own, and that chip's ISR does not change (8259A, "Level
// Triggered Mode", last paragraph).
func (p *PIC) Ack() uint8 {
	master, slave := &p.s.Chips[0], &p.s.Chips[1]
	n, ok := master.ack()
	vector := master.Base + n
	if ok && n == cascade {
		master.input(cascade, false) // the INTA cycle ends the second chip's INT
		n, _ = slave.ack()
		vector = slave.Base + n
	}
	p.update()
	return vector
}

// update passes the second chip's INT to the first and that one's to the CPU.
func (p *PIC) update() {
	master := &p.s.Chips[0]
	master.input(cascade, p.s.Chips[1].out())
	if out := master.out(); out != p.intr {
		p.intr = out
		p.onINT(out)
	}
}

// Ports gives the two ports of a chip: 0 is the first (20h on a PC), 1 the
// second (A0h).
func (p *PIC) Ports(chip int) devices.PortDevice {
	c := &p.s.Chips[chip]
	return devices.BytePorts{
		Read: func(off uint16) uint8 {
			v := p.read(c, off)
			p.update()
			return v
		},
		Write: func(off uint16, v uint8) {
			if off == 0 {
				c.command(v)
			} else {
				c.data(v)
			}
			p.update()
		},
	}
}

// ELCR gives the two edge/level control registers (4D0h on a PC).
func (p *PIC) ELCR() devices.PortDevice {
	return devices.BytePorts{
		Read: func(off uint16) uint8 { return p.s.Chips[off&1].ELCR },
		Write: func(off uint16, v uint8) {
			p.s.Chips[off&1].ELCR = v & [2]uint8{elcrMaster, elcrSlave}[off&1]
			p.update()
		},
	}
}

// read serves a read from one of a chip's ports.
func (p *PIC) read(c *Chip, off uint16) uint8 {
	switch {
	case c.Poll:
		// OCW3's P: the next read is treated as an acknowledge.
		c.Poll = false
		n, ok := c.ack()
		if !ok {
			return 0
		}
		if c == &p.s.Chips[1] {
			p.s.Chips[0].input(cascade, false)
		}
		return 0x80 | n
	case off == 1:
		return c.IMR
	case c.ReadISR:
		return c.ISR
	}
	return c.requests()
}
