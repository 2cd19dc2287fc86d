// Package pci models bus 0 of a PC by the PCI Local Bus Specification 3.0: the
// host bridge at 00:00.0 with configuration mechanism 1, type 0 configuration
// headers, base address registers that move at run time, and the INTx pins.
//
// The bridge says that it is an Intel 82441FX (PMC, datasheet 290549-001),
// which every kernel and firmware knows, with the reset control register of
// its 82371SB (CF9h). Other buses and functions 1 to 7 are absent and read as
// all ones. There are no bridges, no expansion ROMs, no 64-bit BARs, no MSI.
//
// Deviation: the bridge's PAM and SMRAM registers keep what is written and
// change nothing; memory from C0000h to FFFFFh is the machine's affair. Bus
// errors do not exist, so no status bit but Interrupt Status ever changes. A
// region that overlaps another device's is not decoded until the other has
// moved away, where a bus would have both answer.
package pci

import (
	"fmt"

	"alpinevm/devices"
)

// Slots is the number of devices on the bus; slot 0 is the host bridge.
const Slots = 32

// Registers of the configuration header (PCI 3.0, figure 6-1).
const (
	regCommand    = 0x04
	regStatus     = 0x06
	regRevision   = 0x08
	regCacheLine  = 0x0C
	regLatency    = 0x0D
	regBAR        = 0x10
	regSubsystem  = 0x2C
	regCapability = 0x34
	regLine       = 0x3C
	regPin        = 0x3D
	headerSize    = 0x40
)

// Bits of the command and status registers (PCI 3.0, tables 6-1 and 6-2).
const (
	commandIO       = 1 << 0
	commandMemory   = 1 << 1
	commandMaster   = 1 << 2
	commandParity   = 1 << 6
	commandSERR     = 1 << 8
	commandNoINTx   = 1 << 10
	statusINTx      = 1 << 3
	statusCapList   = 1 << 4
	addressEnable   = 1 << 31
	addressWritable = 0x80FFFFFC
)

// pageSize is the least size of a memory BAR here: regions in one page would
// have to share it.
const pageSize = 4096

// Routing names the interrupt lines (IRQ 0 to 15) that PIRQA# to PIRQD# are
// wired to.
type Routing [4]uint8

// Line tells the interrupt line of a pin (1 is INTA#) of a slot. Neighbouring
// slots are swizzled, so that INTA# of slots 1 to 4 are PIRQA# to PIRQD#.
func (r Routing) Line(slot int, pin uint8) uint8 {
	return r[(slot+int(pin)+2)&3]
}

// Config says what the bus is attached to.
type Config struct {
	Ports  *devices.Bus
	Memory devices.MMIO
	// MemoryBase and MemoryEnd bound what the bridge passes on to the bus:
	// a memory BAR is decoded only if it lies within.
	MemoryBase, MemoryEnd uint64
	Routing               Routing
	IRQ                   func(line int) devices.IRQ // a new source on a line
	Reset                 func()                     // the guest writes CF9h; may be nil
}

// Slot is the state of one slot.
type Slot struct {
	Config   [headerSize]uint8 // the header as written; read-only bits hold their value
	Asserted bool              // the function asserts its INTx
	Decoded  uint8             // bit n: the region of BAR n is; of those that overlap, the first that came
}

// State is the state of the bus; that of the functions is their own.
type State struct {
	Address      uint32 // CONFIG_ADDRESS
	ResetControl uint8
	Slots        [Slots]Slot
	Bridge       [256]uint8 // the host bridge's registers from 40h on
}

// Host is the host bridge and the bus behind it.
type Host struct {
	s     State
	cfg   Config
	slots [Slots]*slot
}

// New makes a bus with nothing but the host bridge on it.
func New(cfg Config) *Host {
	if cfg.Reset == nil {
		cfg.Reset = func() {}
	}
	h := &Host{cfg: cfg}
	if err := h.Plug(0, bridge{&h.s.Bridge}); err != nil {
		panic("BUG: " + err.Error())
	}
	return h
}

// Plug puts a function into a slot (1 to 31) and connects it. It returns an
// error if the slot is taken or the header is not one that this bus can serve.
func (h *Host) Plug(n int, f devices.PCIFunction) error {
	hdr := f.Header()
	if n < 0 || n >= Slots {
		return fmt.Errorf("pci: no slot %d", n)
	}
	if h.slots[n] != nil {
		return fmt.Errorf("pci: slot %d is taken", n)
	}
	if hdr.InterruptPin > 4 {
		return fmt.Errorf("pci: slot %d: interrupt pin %d", n, hdr.InterruptPin)
	}
	for i, b := range hdr.BARs {
		least, most := uint32(pageSize), uint32(1<<31)
		if b.IO {
			least, most = 4, 256
		}
		if b.Size != 0 && (b.Size&(b.Size-1) != 0 || b.Size < least || b.Size > most) {
			return fmt.Errorf("pci: slot %d: BAR %d of %d bytes, want a power of two from %d to %d", n, i, b.Size, least, most)
		}
	}
	s := &slot{h: h, n: n, fn: f, hdr: hdr, irq: noIRQ{}}
	if hdr.InterruptPin != 0 {
		s.irq = h.cfg.IRQ(int(h.cfg.Routing.Line(n, hdr.InterruptPin)))
	}
	h.slots[n] = s
	s.clear()
	f.Connect(intx{s}, func() bool { return s.command()&commandMaster != 0 })
	return nil
}

// Pins tells the interrupt pin of the function in each slot, 0 where there is
// none: what firmware needs for its routing tables.
func (h *Host) Pins() [Slots]uint8 {
	var pins [Slots]uint8
	for i, s := range h.slots {
		if s != nil {
			pins[i] = s.hdr.InterruptPin
		}
	}
	return pins
}

// Reset is RST#: it resets every function and its header, so that nothing is
// decoded until the guest has programmed it again.
func (h *Host) Reset() {
	h.s.Address, h.s.ResetControl = 0, 0
	for _, s := range h.slots {
		if s != nil {
			s.fn.Reset()
			s.clear()
			s.state().Asserted = false
			s.drive()
		}
	}
	h.remap()
}

// Save gives a copy of the state.
func (h *Host) Save() State { return h.s }

// Restore puts back a saved state; the same functions must be plugged in.
func (h *Host) Restore(st State) error {
	for n, s := range h.slots {
		c := &st.Slots[n].Config
		switch {
		case s == nil && *c != [headerSize]uint8{}:
			return fmt.Errorf("pci: slot %d is empty, and was not", n)
		case s != nil && !s.wrote(c):
			return fmt.Errorf("pci: slot %d: another function than %04x:%04x", n, s.hdr.Vendor, s.hdr.Device)
		}
	}
	h.unmap(func(*slot, int) bool { return false })
	h.s = st
	for n := range h.s.Slots {
		h.s.Slots[n].Decoded = 0
	}
	for _, s := range h.slots {
		if s != nil {
			s.drive()
		}
	}
	h.mapWanted(func(s *slot, bar int) bool { return st.Slots[s.n].Decoded>>bar&1 != 0 })
	h.remap()
	return nil
}

// Ports gives CONFIG_ADDRESS and CONFIG_DATA (CF8h to CFFh on a PC), with the
// reset control register at CF9h.
func (h *Host) Ports() devices.PortDevice { return ports{h} }

type ports struct{ h *Host }

const (
	portReset = 1 // CF9h
	portData  = 4 // CFCh

	resetCPU  = 1 << 2
	resetHard = 1 << 1
)

// In implements devices.PortDevice. Only a doubleword access reaches
// CONFIG_ADDRESS; others go on to the bus behind (PCI 3.0, 3.2.2.3.2).
func (p ports) In(off uint16, size int) uint32 {
	h := p.h
	switch {
	case off >= portData:
		s, reg := h.target(off)
		if s == nil {
			return 0xFFFFFFFF
		}
		return s.read(reg, size)
	case off == 0 && size == 4:
		return h.s.Address
	case off == portReset && size == 1:
		return uint32(h.s.ResetControl)
	}
	return 0xFFFFFFFF
}

// Out implements devices.PortDevice.
func (p ports) Out(off uint16, size int, v uint32) {
	h := p.h
	switch {
	case off >= portData:
		if s, reg := h.target(off); s != nil {
			s.write(reg, size, v)
		}
	case off == 0 && size == 4:
		h.s.Address = v & addressWritable
	case off == portReset && size == 1:
		// A rise of RCPU resets, hard or soft (82371SB 2.5.4).
		rise := uint8(v)&^h.s.ResetControl&resetCPU != 0
		h.s.ResetControl = uint8(v) & (resetCPU | resetHard)
		if rise {
			h.cfg.Reset()
		}
	}
}

// target finds the register that an access to CONFIG_DATA at off means; s is
// nil if nobody is there.
func (h *Host) target(off uint16) (s *slot, reg uint8) {
	a := h.s.Address
	if bus, function := a>>16&0xFF, a>>8&7; a&addressEnable == 0 || bus != 0 || function != 0 {
		return nil, 0
	}
	return h.slots[a>>11&31], uint8(a) | uint8(off&3)
}
