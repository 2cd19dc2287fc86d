package pci

import (
	"encoding/binary"

	"alpinevm/devices"
)

// slot is a function and what the bus does for it.
type slot struct {
	h      *Host
	n      int
	fn     devices.PCIFunction
	hdr    devices.PCIHeader
	irq    devices.IRQ
	mapped [6]region
}

// region is where a BAR is decoded; n is 0 if it is not.
type region struct {
	base, n uint32
	io      bool
}

type noIRQ struct{}

func (noIRQ) Set(bool) {}

func (s *slot) state() *Slot { return &s.h.s.Slots[s.n] }

func (s *slot) command() uint16 {
	return binary.LittleEndian.Uint16(s.state().Config[regCommand:])
}

// clear writes the header as it is after a reset.
func (s *slot) clear() { s.state().Config = s.fresh() }

// wrote tells whether c is what a guest can have made of the header.
func (s *slot) wrote(c *[headerSize]uint8) bool {
	fresh := s.fresh()
	for reg := 0; reg < headerSize; reg += 4 {
		changed := binary.LittleEndian.Uint32(fresh[reg:]) ^ binary.LittleEndian.Uint32(c[reg:])
		if changed&^s.writable(uint8(reg)) != 0 {
			return false
		}
	}
	return true
}

// fresh is the header as it is after a reset.
func (s *slot) fresh() [headerSize]uint8 {
	var c [headerSize]uint8
	le := binary.LittleEndian
	le.PutUint16(c[0:], s.hdr.Vendor)
	le.PutUint16(c[2:], s.hdr.Device)
	le.PutUint32(c[regRevision:], s.hdr.Class<<8|uint32(s.hdr.Revision))
	le.PutUint16(c[regSubsystem:], s.hdr.SubVendor)
	le.PutUint16(c[regSubsystem+2:], s.hdr.Subsystem)
	if s.hdr.Capabilities != 0 {
		c[regStatus] = statusCapList
		c[regCapability] = s.hdr.Capabilities
	}
	c[regPin] = s.hdr.InterruptPin
	for i, b := range s.hdr.BARs {
		switch {
		case b.Size == 0:
		case b.IO:
			c[regBAR+4*i] = 1
		case b.Prefetchable:
			c[regBAR+4*i] = 1 << 3
		}
	}
	return c
}

// writable gives the bits of a doubleword of the header that can be written.
func (s *slot) writable(reg uint8) uint32 {
	switch reg {
	case regCommand:
		mask := uint32(commandMaster | commandParity | commandSERR)
		for _, b := range s.hdr.BARs {
			switch {
			case b.Size == 0:
			case b.IO:
				mask |= commandIO
			default:
				mask |= commandMemory
			}
		}
		if s.hdr.InterruptPin != 0 {
			mask |= commandNoINTx
		}
		return mask
	case regCacheLine:
		return 0xFFFF // cache line size and latency timer
	case regLine:
		if s.hdr.InterruptPin != 0 {
			return 0xFF
		}
	}
	if reg >= regBAR && reg < regBAR+4*6 {
		// The bits below the size read as zero: that is how it is found
		// out (PCI 3.0, 6.2.5.1).
		if n := s.hdr.BARs[(reg-regBAR)/4].Size; n != 0 {
			return -n
		}
	}
	return 0
}

// read serves a configuration read. Above the header, what is not aligned is
// read in bytes.
func (s *slot) read(reg uint8, size int) uint32 {
	if reg >= headerSize {
		if reg&uint8(size-1) == 0 {
			return s.fn.ConfigRead(reg, size)
		}
		var v uint32
		for k := range size {
			v |= s.fn.ConfigRead(reg+uint8(k), 1) & 0xFF << (8 * k)
		}
		return v
	}
	v := binary.LittleEndian.Uint32(s.state().Config[reg&^3:])
	if reg&^3 == regCommand && s.state().Asserted {
		v |= statusINTx << 16
	}
	return v >> (8 * (reg & 3))
}

// write serves a configuration write.
func (s *slot) write(reg uint8, size int, v uint32) {
	if reg >= headerSize {
		if reg&uint8(size-1) == 0 {
			s.fn.ConfigWrite(reg, size, v)
			return
		}
		for k := range size {
			s.fn.ConfigWrite(reg+uint8(k), 1, v>>(8*k)&0xFF)
		}
		return
	}
	word, shift := reg&^3, 8*(reg&3)
	mask := s.writable(word) & (uint32(1<<(8*size)-1) << shift)
	p := s.state().Config[word:]
	old := binary.LittleEndian.Uint32(p)
	now := old&^mask | v<<shift&mask
	if now == old {
		return
	}
	binary.LittleEndian.PutUint32(p, now)
	if word == regCommand {
		s.drive()
	}
	if word == regCommand || word >= regBAR && word < regBAR+4*6 {
		s.h.remap()
	}
}

// intx is a function's interrupt pin.
type intx struct{ s *slot }

// Set implements devices.IRQ.
func (p intx) Set(level bool) {
	p.s.state().Asserted = level
	p.s.drive()
}

// drive gives the interrupt line its level.
func (s *slot) drive() {
	s.irq.Set(s.state().Asserted && s.command()&commandNoINTx == 0)
}

// wanted tells where a BAR is to be decoded by its value and the command
// register. Address 0 means that it was not assigned.
func (s *slot) wanted(i int) region {
	b := s.hdr.BARs[i]
	if b.Size == 0 {
		return region{}
	}
	base := binary.LittleEndian.Uint32(s.state().Config[regBAR+4*i:]) & -b.Size
	end := uint64(base) + uint64(b.Size)
	switch {
	case base == 0:
	case b.IO:
		if s.command()&commandIO != 0 && end <= 1<<16 {
			return region{base, b.Size, true}
		}
	case s.command()&commandMemory != 0 && uint64(base) >= s.h.cfg.MemoryBase && end <= s.h.cfg.MemoryEnd:
		return region{base, b.Size, false}
	}
	return region{}
}

// remap makes the decoded regions what the registers say. All that move are
// first taken away, so that two may change places; one that finds its place
// taken is tried again the next time.
func (h *Host) remap() {
	h.unmap(func(s *slot, i int) bool { return s.mapped[i] == s.wanted(i) })
	h.mapWanted(func(*slot, int) bool { return true })
}

// unmap takes all regions away but those that stay.
func (h *Host) unmap(stay func(s *slot, bar int) bool) {
	for _, s := range h.slots {
		if s == nil {
			continue
		}
		for i, m := range s.mapped {
			switch {
			case m.n == 0 || stay(s, i):
				continue
			case m.io:
				h.cfg.Ports.Release(uint16(m.base))
			default:
				h.cfg.Memory.Unmap(uint64(m.base))
			}
			s.mapped[i] = region{}
			s.state().Decoded &^= 1 << i
		}
	}
}

// mapWanted decodes those regions that are not yet and may be.
func (h *Host) mapWanted(may func(s *slot, bar int) bool) {
	for _, s := range h.slots {
		if s == nil {
			continue
		}
		for i := range s.mapped {
			w := s.wanted(i)
			if w.n == 0 || s.mapped[i] == w || !may(s, i) {
				continue
			}
			var err error
			if w.io {
				err = h.cfg.Ports.Claim(uint16(w.base), uint16(w.n), "pci", barPorts{s.fn, i})
			} else {
				err = h.cfg.Memory.Map(uint64(w.base), uint64(w.n), barMemory{s.fn, i})
			}
			if err == nil {
				s.mapped[i] = w
				s.state().Decoded |= 1 << i
			}
		}
	}
}

// barPorts is an I/O region of a function.
type barPorts struct {
	fn  devices.PCIFunction
	bar int
}

// In implements devices.PortDevice.
func (b barPorts) In(off uint16, size int) uint32 { return b.fn.BARRead(b.bar, uint32(off), size) }

// Out implements devices.PortDevice.
func (b barPorts) Out(off uint16, size int, v uint32) { b.fn.BARWrite(b.bar, uint32(off), size, v) }

// barMemory is a memory region of a function.
type barMemory struct {
	fn  devices.PCIFunction
	bar int
}

// Read implements devices.MMIODevice.
func (b barMemory) Read(off uint32, size int) uint32 { return b.fn.BARRead(b.bar, off, size) }

// Write implements devices.MMIODevice.
func (b barMemory) Write(off uint32, size int, v uint32) { b.fn.BARWrite(b.bar, off, size, v) }
