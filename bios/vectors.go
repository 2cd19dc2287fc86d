package bios

import "encoding/binary"

// There is no code behind the interrupts of a BIOS: what calls one in real mode
// halts for ever, at one address, with a segment by which the interrupt is known.
const (
	noBIOS  = 0xFF000
	opHLT   = 0xF4
	segROM  = romBase >> 4
	vectorN = 256
)

// vectors is the interrupt vector table: entry n leads to noBIOS with CS
// F000h-n.
func vectors() []byte {
	var b []byte
	for n := range uint32(vectorN) {
		cs := segROM - n
		b = binary.LittleEndian.AppendUint16(b, uint16(noBIOS-cs<<4))
		b = binary.LittleEndian.AppendUint16(b, uint16(cs))
	}
	return b
}

// CalledBIOS tells which interrupt of a BIOS a processor has called that has
// halted in real mode, with that CS, in front of IP.
func CalledBIOS(cs, ip uint16) (vector uint8, ok bool) {
	n := segROM - uint32(cs)
	return uint8(n), n < vectorN && uint32(cs)<<4+uint32(ip) == noBIOS+1
}
