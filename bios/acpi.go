package bios

import "encoding/binary"

// Identification in table headers.
const (
	oemID      = "ALPVM "
	oemTableID = "ALPINEVM"
	creatorID  = "ALVM"
	headerSize = 36
)

// putACPI puts the tables into m and gives the RSDP that leads to them. facs is
// the address of the FACS, which lies elsewhere.
func putACPI(m *image, c *Config, facs uint64) (rsdp []byte) {
	dsdtAt := m.put(table("DSDT", 2, dsdt(c)), 16)
	fadtAt := m.put(table("FACP", 4, fadt(c, uint32(facs), uint32(dsdtAt))), 16)
	le := binary.LittleEndian
	rsdtAt := m.put(table("RSDT", 1, le.AppendUint32(nil, uint32(fadtAt))), 16)
	xsdtAt := m.put(table("XSDT", 1, le.AppendUint64(nil, fadtAt)), 16)

	// ACPI 6.5, 5.2.5.3: the first checksum covers 20 bytes, the second all.
	b := make([]byte, 36)
	copy(b[0:], "RSD PTR ")
	copy(b[9:], oemID)
	b[15] = 2
	le.PutUint32(b[16:], uint32(rsdtAt))
	le.PutUint32(b[20:], uint32(len(b)))
	le.PutUint64(b[24:], xsdtAt)
	b[8] = checksum(b[:20])
	b[32] = checksum(b)
	return b
}

// table puts the header of a system description table before its body (ACPI
// 6.5, 5.2.6).
func table(signature string, revision byte, body []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(body))
	le := binary.LittleEndian
	copy(b[0:], signature)
	le.PutUint32(b[4:], uint32(headerSize+len(body)))
	b[8] = revision
	copy(b[10:], oemID)
	copy(b[16:], oemTableID)
	le.PutUint32(b[24:], 1)
	copy(b[28:], creatorID)
	le.PutUint32(b[32:], 1)
	b = append(b, body...)
	b[9] = checksum(b)
	return b
}

// checksum gives the byte that makes the sum of b zero.
func checksum(b []byte) byte {
	var sum byte
	for _, v := range b {
		sum += v
	}
	return -sum
}

// Boot architecture flags of the FADT (ACPI 6.5, table 5.11). Bit 1, the 8042,
// is clear: it is there for reset and A20, but announcing it makes systems
// wait for a keyboard.
const (
	bootLegacyDevices = 1 << 0
	bootNoVGA         = 1 << 2
	bootNoMSI         = 1 << 3
	bootNoASPM        = 1 << 4
)

// Feature flags of the FADT (ACPI 6.5, table 5.10). PWR_BUTTON is clear: the
// power button is a fixed one.
const (
	fadtWBINVD      = 1 << 0
	fadtC1          = 1 << 2
	fadtNoSleepKey  = 1 << 5
	fadtNoFixedRTC  = 1 << 6 // its wake status
	fadtLongTimer   = 1 << 8
	fadtResetReg    = 1 << 10
	fadtSize        = 244 // revision 4
	noDeepIdle      = 0xFFFF
	cmosCentury     = 0x32
	profileDesktop  = 1
	accessByte      = 1
	accessWord      = 2
	accessDWord     = 3
	addressSpaceIOs = 1
)

// fadt gives the fixed ACPI description table, revision 4, without its header
// (ACPI 6.5, table 5.9; offsets are those of the table).
func fadt(c *Config, facs, dsdt uint32) []byte {
	b := make([]byte, fadtSize)
	le := binary.LittleEndian
	le.PutUint32(b[36:], facs)
	le.PutUint32(b[40:], dsdt)
	b[45] = profileDesktop
	le.PutUint16(b[46:], uint16(c.SCI))
	// SMI_CMD at 48 is 0: there is no SMI, and ACPI is enabled.
	le.PutUint32(b[56:], uint32(c.PM1Event))
	le.PutUint32(b[64:], uint32(c.PM1Control))
	le.PutUint32(b[76:], uint32(c.PMTimer))
	le.PutUint32(b[80:], uint32(c.GPE))
	b[88], b[89], b[91], b[92] = 4, 2, 4, 2 // lengths of the four blocks
	le.PutUint16(b[96:], noDeepIdle)
	le.PutUint16(b[98:], noDeepIdle)
	b[108] = cmosCentury
	le.PutUint16(b[109:], bootLegacyDevices|bootNoVGA|bootNoMSI|bootNoASPM)
	le.PutUint32(b[112:], fadtWBINVD|fadtC1|fadtNoSleepKey|fadtNoFixedRTC|fadtLongTimer|fadtResetReg)
	portAddress(b[116:], c.ResetPort, 8, accessByte)
	b[128] = c.ResetValue
	le.PutUint64(b[132:], uint64(facs))
	le.PutUint64(b[140:], uint64(dsdt))
	portAddress(b[148:], c.PM1Event, 32, accessWord)
	portAddress(b[172:], c.PM1Control, 16, accessWord)
	portAddress(b[208:], c.PMTimer, 32, accessDWord)
	portAddress(b[220:], c.GPE, 16, accessByte)
	return b[headerSize:]
}

// portAddress writes a generic address structure for ports (ACPI 6.5, 5.2.3.2).
func portAddress(b []byte, port uint16, bits, access byte) {
	b[0], b[1], b[3] = addressSpaceIOs, bits, access
	binary.LittleEndian.PutUint64(b[4:], uint64(port))
}

// facs gives the firmware ACPI control structure (ACPI 6.5, 5.2.10): no waking
// vector, a free global lock.
func facs() []byte {
	b := make([]byte, 64)
	copy(b, "FACS")
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	b[32] = 2 // version
	return b
}
