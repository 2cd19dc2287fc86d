package bios

import (
	"encoding/binary"
	"errors"
	"slices"
)

// An option ROM that firmware starts in place of a disk (PCI Firmware 3.0, 5.1;
// Plug and Play BIOS 1.0A, "Option ROM Support").
const (
	romBlock   = 512
	romPnP     = 0x20 // the expansion header
	romCode    = 0x40
	romPayload = 0x80
	romLimit   = 0x10000 // its segment's end
	bootDevice = 0x02    // device type code, the base class: mass storage
)

// RealMode is code that is entered in real mode: Data at Segment*16, CS at
// Segment+20h, IP 0, all other segments Segment, SP Stack, interrupts off.
type RealMode struct {
	Segment, Stack uint16
	Data           []byte
}

// BootROM makes an option ROM whose boot entry vector copies the data to their
// place and enters them.
func BootROM(r RealMode) ([]byte, error) {
	data := r.Data
	if len(data)%2 != 0 {
		data = append(slices.Clip(data), 0)
	}
	// The last byte makes the sum of all zero.
	if romPayload+len(data)+1 > romLimit {
		return nil, errors.New("bios: what is to be started does not fit into an option ROM")
	}
	size := (romPayload + len(data) + 1 + romBlock - 1) / romBlock
	b := make([]byte, size*romBlock)
	le := binary.LittleEndian
	copy(b, []byte{0x55, 0xAA, uint8(size), 0x31, 0xC0, 0xCB}) // behind the size: xor ax,ax; retf
	le.PutUint16(b[0x1A:], romPnP)
	pnp := b[romPnP:romCode]
	copy(pnp, "$PnP\x01\x02")
	pnp[0x12] = bootDevice
	le.PutUint16(pnp[0x1A:], romCode) // the boot entry vector
	pnp[9] = -total(pnp)
	copy(b[romCode:], r.enter(len(data)))
	copy(b[romPayload:], data)
	b[len(b)-1] -= total(b)
	return b, nil
}

// enter is the code of the boot entry vector, for n bytes at romPayload.
func (r RealMode) enter(n int) []byte {
	lo, hi := uint8(r.Segment), uint8(r.Segment>>8)
	entry := r.Segment + 0x20
	return []byte{
		0xFA, 0xFC, // cli; cld
		0x0E, 0x1F, // push cs; pop ds
		0xBE, romPayload, 0, // mov si,romPayload
		0xB8, lo, hi, // mov ax,Segment
		0x8E, 0xC0, // mov es,ax
		0x31, 0xFF, // xor di,di
		0xB9, uint8(n / 2), uint8(n / 2 >> 8), // mov cx,n/2
		0xF3, 0xA5, // rep movsw
		0x8E, 0xD8, 0x8E, 0xE0, 0x8E, 0xE8, 0x8E, 0xD0, // mov ds,ax; fs; gs; ss
		0xBC, uint8(r.Stack), uint8(r.Stack >> 8), // mov sp,Stack
		0xEA, 0, 0, uint8(entry), uint8(entry >> 8), // jmp Segment+20h:0
	}
}

// total is the sum of all bytes.
func total(b []byte) (s uint8) {
	for _, v := range b {
		s += v
	}
	return s
}
