// Package bios leaves in a PC what firmware leaves behind when it starts a boot
// loader, without running any: the BIOS data area, the memory map that INT 15h
// E820h gives, ACPI tables (ACPI 6.5, no hardware reduced mode, no APIC),
// SMBIOS 2.8 structures, a GDT for the Linux 32-bit boot protocol (2.15), PCI
// resources and interrupt lines, and programmed interrupt controllers. Behind
// the interrupt vectors is nothing but a halt by which a call is known. It also
// says where a real firmware image is mapped, and makes the option ROM by which
// that starts a kernel.
//
// It knows no chip: addresses, ports and interrupt lines are parameters, memory
// is written through an io.WriterAt, and ports are reached as the CPU does.
package bios

import (
	"errors"
	"fmt"
	"io"
)

// Ports is the I/O port space as the CPU sees it; sizes are 1, 2 and 4 bytes.
type Ports interface {
	In(port uint16, size int) uint32
	Out(port uint16, size int, v uint32)
}

// Device is an ISA device that the ACPI tables announce.
type Device struct {
	Port  uint16
	Count uint8 // of ports
	IRQ   uint8
}

// Interrupt says that a PCI interrupt pin (1 is INTA#) of a slot of bus 0 is
// wired to an interrupt line of the 8259s.
type Interrupt struct {
	Slot int
	Pin  uint8
	Line uint8
}

// Config describes the machine.
type Config struct {
	RAM uint64 // bytes, from address 0 on: 16 MiB to 3 GiB

	// PCIBase and PCIEnd bound the memory window of the PCI host bridge:
	// whole MiB above RAM and below 4 GiB.
	PCIBase, PCIEnd uint64
	Interrupts      []Interrupt

	// The fixed hardware of ACPI. The timer is 32 bits wide.
	SCI                           uint8
	PM1Event, PM1Control, PMTimer uint16
	GPE                           uint16 // 2 bytes: status and enable of event 0
	SleepOff                      uint8  // SLP_TYP of S5
	ResetPort                     uint16 // a byte port
	ResetValue                    uint8

	RTC    Device
	Serial []Device // COM1 and so on, at most four
	UUID   [16]byte // of the machine, in the order of RFC 4122
	// Generation is another one for each copy of a machine.
	Generation Generation
}

// Generation is the ID of package acpi's event 0.
type Generation [16]byte

// GenerationAt is where it lies in a machine of so many bytes of RAM.
func GenerationAt(ram uint64) uint64 { return ram - nvsSpace + generationOffset }

// Selectors of the GDT (boot protocol 2.15, "32-bit Boot Protocol").
const (
	CodeSelector = 0x10 // __BOOT_CS: flat, execute and read
	DataSelector = 0x18 // __BOOT_DS: flat, read and write
)

// Info says what Write has left where.
type Info struct {
	Memory   []Range // the memory map, sorted, without overlap
	RSDP     uint64
	SMBIOS   uint64 // the entry point
	GDT      uint32
	GDTLimit uint16
	IVTLimit uint16 // of the interrupt vector table at 0
}

// Where things are. Below 1 MiB they are where software looks for them.
const (
	ebdaBase   = 0x9FC00 // the extended BIOS data area, 1 KiB up to A0000h
	ebdaEnd    = 0xA0000
	romBase    = 0xF0000 // searched for RSDP and SMBIOS
	romEnd     = 0x100000
	highMemory = 0x100000
	topROM     = 0xFFC00000 // the largest firmware image, below 4 GiB
	fourGiB    = 1 << 32

	tableSpace       = 0x10000 // ACPI tables at the end of RAM
	nvsSpace         = 0x1000  // its last page is the FACS, and the generation ID
	generationOffset = 0x100

	minRAM = 16 << 20
	maxRAM = 3 << 30
)

func (c *Config) check() error {
	const mib = 1<<20 - 1
	switch {
	case c.RAM < minRAM || c.RAM > maxRAM || c.RAM&0xFFF != 0:
		return fmt.Errorf("bios: %d bytes of RAM, want whole pages from 16 MiB to 3 GiB", c.RAM)
	case c.PCIBase < c.RAM || c.PCIEnd <= c.PCIBase || c.PCIEnd > topROM || (c.PCIBase|c.PCIEnd)&mib != 0:
		return fmt.Errorf("bios: bad PCI memory window from %#x to %#x", c.PCIBase, c.PCIEnd)
	case len(c.Serial) > 4:
		return fmt.Errorf("bios: %d serial ports, at most 4", len(c.Serial))
	case c.SCI > 15 || c.SleepOff > 7:
		return fmt.Errorf("bios: SCI %d, SLP_TYP %d", c.SCI, c.SleepOff)
	}
	for _, i := range c.Interrupts {
		if i.Slot < 0 || i.Slot > 31 || i.Pin < 1 || i.Pin > 4 || i.Line > 15 {
			return fmt.Errorf("bios: bad PCI interrupt %+v", i)
		}
	}
	return nil
}

// Write writes everything that firmware leaves in memory to w, whose offsets
// are guest-physical addresses, and tells where it is. The memory it takes is
// not RAM in the map.
func Write(w io.WriterAt, cfg Config) (Info, error) {
	if err := cfg.check(); err != nil {
		return Info{}, err
	}
	info := Info{Memory: memoryMap(&cfg)}
	low := image{base: romBase, end: noBIOS}
	high := image{base: cfg.RAM - tableSpace, end: cfg.RAM - nvsSpace}

	info.GDT = uint32(low.put(gdt(), 16))
	info.GDTLimit = uint16(len(gdt()) - 1)
	info.IVTLimit = uint16(len(vectors()) - 1)
	info.SMBIOS = putSMBIOS(&low, &cfg)
	rsdp := putACPI(&high, &cfg, cfg.RAM-nvsSpace)
	info.RSDP = low.put(rsdp, 16)

	if low.full || high.full {
		return Info{}, errors.New("bios: the tables do not fit")
	}
	for _, part := range []struct {
		at   uint64
		data []byte
	}{
		{0, vectors()},
		{biosDataArea, dataArea(&cfg)},
		{ebdaBase, []byte{(ebdaEnd - ebdaBase) >> 10}}, // its size in KiB
		{low.base, low.data},
		{noBIOS, []byte{opHLT}},
		{high.base, high.data},
		{cfg.RAM - nvsSpace, facs()},
		{GenerationAt(cfg.RAM), cfg.Generation[:]},
	} {
		if _, err := w.WriteAt(part.data, int64(part.at)); err != nil {
			return Info{}, fmt.Errorf("bios: write firmware tables: %w", err)
		}
	}
	return info, nil
}

// image collects tables that go into memory from base up to end.
type image struct {
	base, end uint64
	data      []byte
	full      bool
}

// next gives the address of what is put next.
func (m *image) next(align uint64) uint64 {
	return (m.base + uint64(len(m.data)) + align - 1) &^ (align - 1)
}

// put adds data at a multiple of align and gives its address.
func (m *image) put(data []byte, align uint64) uint64 {
	at := m.next(align)
	if at+uint64(len(data)) > m.end {
		m.full = true
		return at
	}
	m.data = append(m.data, make([]byte, at-m.base-uint64(len(m.data)))...)
	m.data = append(m.data, data...)
	return at
}
