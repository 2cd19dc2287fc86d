package bios

import "encoding/binary"

// Types of memory (ACPI 6.5, table 15.2).
const (
	RAM      = 1
	Reserved = 2
	ACPI     = 3 // tables, free once they are read
	NVS      = 4
)

// Range is one entry of the memory map.
type Range struct {
	Base, Size uint64
	Type       uint32
}

// memoryMap is what INT 15h, AX=E820h gives: the first 639 KiB, the RAM from
// 1 MiB on up to the ACPI tables, and as reserved what is no RAM but in use:
// the EBDA, the BIOS, the PCI window and the place of the boot ROM.
func memoryMap(c *Config) []Range {
	span := func(from, to uint64, typ uint32) Range { return Range{from, to - from, typ} }
	return []Range{
		span(0, ebdaBase, RAM),
		span(ebdaBase, ebdaEnd, Reserved),
		span(romBase, romEnd, Reserved),
		span(highMemory, c.RAM-tableSpace, RAM),
		span(c.RAM-tableSpace, c.RAM-nvsSpace, ACPI),
		span(c.RAM-nvsSpace, c.RAM, NVS),
		span(c.PCIBase, c.PCIEnd, Reserved),
		span(topROM, fourGiB, Reserved),
	}
}

// The BIOS data area, by offset from biosDataArea (IBM PC/AT Technical
// Reference, 1985, "BIOS Data Area").
const (
	biosDataArea = 0x400
	bdaSerial    = 0x00 // ports of COM1 to COM4
	bdaEBDA      = 0x0E // segment of the EBDA
	bdaEquipment = 0x10
	bdaMemory    = 0x13 // KiB below the EBDA
	bdaSize      = 0x100
)

// dataArea gives the BIOS data area. Equipment: bit 1 is a coprocessor, bits
// 11 to 9 count the serial ports.
func dataArea(c *Config) []byte {
	b := make([]byte, bdaSize)
	le := binary.LittleEndian
	for i, s := range c.Serial {
		le.PutUint16(b[bdaSerial+2*i:], s.Port)
	}
	le.PutUint16(b[bdaEBDA:], ebdaBase>>4)
	le.PutUint16(b[bdaEquipment:], 1<<1|uint16(len(c.Serial))<<9)
	le.PutUint16(b[bdaMemory:], ebdaBase>>10)
	return b
}

// gdt gives the descriptor table that CodeSelector and DataSelector index: two
// unused entries, flat code, flat data; both are marked accessed.
func gdt() []byte {
	var b []byte
	for _, d := range []uint64{0, 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF} {
		b = binary.LittleEndian.AppendUint64(b, d)
	}
	return b
}
