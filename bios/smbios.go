package bios

import "encoding/binary"

// What the SMBIOS structures say. The date is later than the ones before which
// kernels distrust firmware.
const (
	vendor      = "alpinevm"
	product     = "alpinevm PC"
	version     = "1.0"
	releaseDate = "01/01/2026"
)

// smbios collects structures (SMBIOS 2.8, DSP0134).
type smbios struct {
	data    []byte
	count   uint16
	longest uint16
}

// add puts a structure: its formatted area from offset 4 on, and its strings.
// Handles count up from 0.
func (s *smbios) add(typ byte, area []byte, strings ...string) {
	start := len(s.data)
	s.data = append(s.data, typ, byte(4+len(area)))
	s.data = binary.LittleEndian.AppendUint16(s.data, s.count)
	s.data = append(s.data, area...)
	for _, v := range strings {
		s.data = append(append(s.data, v...), 0)
	}
	if len(strings) == 0 {
		s.data = append(s.data, 0)
	}
	s.data = append(s.data, 0)
	s.count++
	s.longest = max(s.longest, uint16(len(s.data)-start))
}

// putSMBIOS puts the structures and the entry point into m and gives the entry
// point's address (SMBIOS 2.8, 5.2.1).
func putSMBIOS(m *image, c *Config) (at uint64) {
	var s smbios
	le := binary.LittleEndian

	s.add(0, biosArea(), vendor, version, releaseDate)
	s.add(1, systemArea(c.UUID), vendor, product, version)
	s.add(3, []byte{
		1, 1 /* type: other */, 0, 0, 0, 3, 3, 3 /* states: safe */, 3, /* security: none */
		0, 0, 0, 0, 0, 1, 0, 0, // OEM, height, one power cord, no elements
	}, vendor)
	s.add(4, processorArea(), "CPU 0", vendor)
	array := s.count
	s.add(16, arrayArea(c.RAM))
	s.add(17, memoryArea(c.RAM, array), "DIMM 0")
	end := make([]byte, 27)
	le.PutUint32(end[4:], uint32(c.RAM>>10-1)) // last KiB
	le.PutUint16(end[8:], array)
	end[10] = 1 // one device a row
	s.add(19, end)
	s.add(32, make([]byte, 7)) // no errors during boot
	s.add(127, nil)

	structures := m.put(s.data, 16)
	b := make([]byte, 31)
	copy(b[0:], "_SM_")
	b[5] = byte(len(b))
	b[6], b[7] = 2, 8
	le.PutUint16(b[8:], s.longest)
	copy(b[16:], "_DMI_")
	le.PutUint16(b[22:], uint16(len(s.data)))
	le.PutUint32(b[24:], uint32(structures))
	le.PutUint16(b[28:], s.count)
	b[30] = 0x28
	b[21] = checksum(b[16:])
	b[4] = checksum(b)
	return m.put(b, 16)
}

// biosArea is type 0, BIOS information (7.1).
func biosArea() []byte {
	b := make([]byte, 0x18-4)
	b[0], b[1] = 1, 2 // vendor, version
	binary.LittleEndian.PutUint16(b[2:], romBase>>4)
	b[4] = 3    // release date
	b[5] = 0    // 64 KiB
	b[6] = 0x08 // characteristics are not supported
	b[14] = 1   // but ACPI is
	b[15] = 1 << 4
	b[16], b[17] = 1, 0       // release
	b[18], b[19] = 0xFF, 0xFF // no embedded controller
	return b
}

// systemArea is type 1, system information (7.2). The first three fields of
// the UUID are little-endian.
func systemArea(uuid [16]byte) []byte {
	b := make([]byte, 0x1B-4)
	b[0], b[1], b[2] = 1, 2, 3 // vendor, product, version
	for i, from := range [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		b[4+i] = uuid[from]
	}
	b[20] = 6 // woken by the power switch
	return b
}

// processorArea is type 4, processor information (7.5).
func processorArea() []byte {
	b := make([]byte, 0x2A-4)
	b[0], b[1], b[2], b[3] = 1, 3, 1, 2 // socket, central processor, other family, vendor
	b[20], b[21] = 0x41, 1              // enabled in a populated socket; other upgrade
	for i := 22; i < 28; i++ {
		b[i] = 0xFF // no handles of caches
	}
	b[31], b[32], b[33] = 1, 1, 1 // one core, enabled, one thread
	b[36] = 1                     // other family
	return b
}

// arrayArea is type 16, physical memory array (7.17): one module on the system
// board, no error correction.
func arrayArea(ram uint64) []byte {
	b := make([]byte, 0x17-4)
	b[0], b[1], b[2] = 3, 3, 3
	binary.LittleEndian.PutUint32(b[3:], uint32(ram>>10))
	b[7], b[8] = 0xFE, 0xFF // no error information
	b[9] = 1
	return b
}

// memoryArea is type 17, memory device (7.18): all RAM in one module.
func memoryArea(ram uint64, array uint16) []byte {
	b := make([]byte, 0x28-4)
	le := binary.LittleEndian
	le.PutUint16(b[0:], array)
	le.PutUint16(b[2:], 0xFFFE) // no error information
	le.PutUint16(b[4:], 32)     // widths
	le.PutUint16(b[6:], 32)
	le.PutUint16(b[8:], uint16(ram>>20)) // MiB, below 32 GiB
	b[10] = 9                            // DIMM
	b[12] = 1
	b[14] = 7      // RAM
	b[15] = 1 << 1 // other details
	return b
}
