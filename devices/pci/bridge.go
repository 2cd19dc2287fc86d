package pci

import "alpinevm/devices"

// Registers of the 82441FX that software writes (82441FX, 3.2): the attributes
// of the memory segments from C0000h to FFFFFh, and the SMRAM control.
const (
	bridgePAM0  = 0x59
	bridgePAM6  = 0x5F
	bridgeSMRAM = 0x72
)

// bridge is the function at 00:00.0.
type bridge struct{ regs *[256]uint8 }

// Header implements devices.PCIFunction. The subsystem is that of QEMU's, by
// which SeaBIOS knows that there may be a configuration device.
func (b bridge) Header() devices.PCIHeader {
	return devices.PCIHeader{Vendor: 0x8086, Device: 0x1237, SubVendor: 0x1AF4, Subsystem: 0x1100, Class: 0x060000, Revision: 2}
}

// Connect implements devices.PCIFunction.
func (b bridge) Connect(devices.IRQ, func() bool) {}

// ConfigRead implements devices.PCIFunction.
func (b bridge) ConfigRead(off uint8, size int) uint32 {
	var v uint32
	for k := range size {
		v |= uint32(b.regs[int(off)+k]) << (8 * k)
	}
	return v
}

// ConfigWrite implements devices.PCIFunction.
func (b bridge) ConfigWrite(off uint8, size int, v uint32) {
	for k := range size {
		if r := off + uint8(k); r >= bridgePAM0 && r <= bridgePAM6 || r == bridgeSMRAM {
			b.regs[r] = uint8(v >> (8 * k))
		}
	}
}

// BARRead implements devices.PCIFunction; there are no BARs.
func (b bridge) BARRead(int, uint32, int) uint32 { return 0xFFFFFFFF }

// BARWrite implements devices.PCIFunction.
func (b bridge) BARWrite(int, uint32, int, uint32) {}

// Reset implements devices.PCIFunction.
func (b bridge) Reset() { *b.regs = [256]uint8{} }
