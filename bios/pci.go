package bios

import (
	"fmt"
	"slices"
)

// Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2) and the registers that
// firmware assigns (6.1).
const (
	configAddress = 0xCF8
	configData    = 0xCFC

	pciID       = 0x00
	pciCommand  = 0x04
	pciBAR      = 0x10
	pciBARs     = 6
	pciLine     = 0x3C
	pciPin      = 0x3D
	pciSlots    = 32
	pciNoDevice = 0xFFFFFFFF

	commandIO     = 1 << 0
	commandMemory = 1 << 1

	barIO   = 1 << 0
	barWide = 2 << 1 // a 64-bit BAR
)

// firstPort is where I/O regions begin: above the ISA devices.
const firstPort = 0xC000

// config is the configuration space of one slot of bus 0.
type config struct {
	ports Ports
	slot  int
}

func (c config) at(reg int) uint16 {
	c.ports.Out(configAddress, 4, 1<<31|uint32(c.slot)<<11|uint32(reg&^3))
	return configData + uint16(reg&3)
}

func (c config) read(reg, size int) uint32 { return c.ports.In(c.at(reg), size) }

func (c config) write(reg, size int, v uint32) { c.ports.Out(c.at(reg), size, v) }

// bar is a region that wants an address.
type bar struct {
	config
	reg  int
	size uint64
	io   bool
}

// AssignPCI gives every device on bus 0 what firmware gives it: addresses for
// its regions, from the memory window of cfg and from ports C000h on, the
// interrupt line of its pin, and decoding. Bus mastering is left to drivers.
// Of the Config it uses the PCI fields only. It returns an error if a window is
// too small.
func AssignPCI(ports Ports, cfg Config) error {
	var bars []bar
	for slot := range pciSlots {
		c := config{ports, slot}
		if c.read(pciID, 4) == pciNoDevice {
			continue
		}
		c.write(pciCommand, 2, 0)
		bars = append(bars, c.sizes()...)
		pin := uint8(c.read(pciPin, 1))
		for _, i := range cfg.Interrupts {
			if i.Slot == slot && i.Pin == pin {
				c.write(pciLine, 1, uint32(i.Line))
			}
		}
	}
	// The largest first, so that what comes next is aligned.
	slices.SortStableFunc(bars, func(a, b bar) int {
		switch {
		case a.size > b.size:
			return -1
		case a.size < b.size:
			return 1
		}
		return 0
	})
	memory, port := cfg.PCIBase, uint64(firstPort)
	for _, b := range bars {
		next, end, enable := &memory, cfg.PCIEnd, uint32(commandMemory)
		if b.io {
			next, end, enable = &port, 1<<16, commandIO
		}
		at := (*next + b.size - 1) &^ (b.size - 1)
		if at+b.size > end {
			return fmt.Errorf("bios: no place for a region of %d bytes of PCI slot %d", b.size, b.slot)
		}
		*next = at + b.size
		b.write(b.reg, 4, uint32(at))
		b.write(pciCommand, 2, b.read(pciCommand, 2)|enable)
	}
	return nil
}

// sizes finds the regions of a device by writing ones to its BARs (PCI 3.0,
// 6.2.5.1). The upper half of a 64-bit BAR is left at 0.
func (c config) sizes() []bar {
	var bars []bar
	for i := 0; i < pciBARs; i++ {
		reg := pciBAR + 4*i
		c.write(reg, 4, 0xFFFFFFFF)
		v := c.read(reg, 4)
		if v == 0 {
			continue
		}
		mask := uint32(0xF)
		if v&barIO != 0 {
			// The upper half may be hard-wired to zero.
			mask = 3
			v |= 0xFFFF0000
		}
		bars = append(bars, bar{c, reg, uint64(-(v &^ mask)), v&barIO != 0})
		if v&barIO == 0 && v&barWide != 0 {
			i++
			c.write(pciBAR+4*i, 4, 0)
		}
	}
	return bars
}
