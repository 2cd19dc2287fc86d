package virtio

import (
	"encoding/binary"

	"alpinevm/devices"
)

const (
	vendorID     = 0x1AF4
	firstModern  = 0x1040 // device ID of type 0 (virtio 1.2, 4.1.2)
	subsystemID  = 0x1100 // at least 40h (virtio 1.2, 4.1.2.1)
	classNetwork = 0x020000
	classSerial  = 0x078000 // communication controller, other
	classNone    = 0xFF0000 // fits no class
)

// The structures in BAR 0, a page each.
const (
	bar       = 0
	barCommon = 0x0000
	barISR    = 0x1000
	barDevice = 0x2000
	barNotify = 0x3000
	barSize   = 0x4000
)

// Capability types (virtio 1.2, 4.1.4).
const (
	capCommon = 1
	capNotify = 2
	capISR    = 3
	capDevice = 4
	capPCI    = 5
)

// Where the capabilities lie in configuration space.
const (
	capBase     = 0x40
	capNotifyAt = capBase + 16
	capISRAt    = capNotifyAt + 20
	capPCIAt    = capISRAt + 16
	capDeviceAt = capPCIAt + 20

	windowBAR    = capPCIAt + 4
	windowOffset = capPCIAt + 8
	windowLength = capPCIAt + 12
	windowData   = capPCIAt + 16

	pciCapVendor     = 0x09
	notifyMultiplier = 4
)

// capabilities lays out the vendor capabilities (virtio 1.2, 4.1.4). The
// device structure's is left out if there is no device configuration.
func capabilities(config, queues int) (b [256 - capBase]byte) {
	put := func(at, next, size, typ int, offset, length uint32) []byte {
		c := b[at-capBase:][:size]
		c[0], c[1], c[2], c[3], c[4] = pciCapVendor, uint8(next), uint8(size), uint8(typ), bar
		binary.LittleEndian.PutUint32(c[8:], offset)
		binary.LittleEndian.PutUint32(c[12:], length)
		return c
	}
	put(capBase, capNotifyAt, 16, capCommon, barCommon, commonSize)
	c := put(capNotifyAt, capISRAt, 20, capNotify, barNotify, uint32(queues)*notifyMultiplier)
	binary.LittleEndian.PutUint32(c[16:], notifyMultiplier)
	put(capISRAt, capPCIAt, 16, capISR, barISR, 1)
	if config == 0 {
		put(capPCIAt, 0, 20, capPCI, 0, 0)
		return b
	}
	put(capPCIAt, capDeviceAt, 20, capPCI, 0, 0)
	put(capDeviceAt, 0, 16, capDevice, barDevice, uint32(config))
	return b
}

// Header is the function's identity (devices.PCIFunction).
func (t *Transport) Header() devices.PCIHeader {
	return devices.PCIHeader{
		Vendor: vendorID, Device: firstModern + t.model.id,
		SubVendor: vendorID, Subsystem: subsystemID,
		Class: t.model.class, Revision: 1, InterruptPin: 1, Capabilities: capBase,
		BARs: [6]devices.PCIBAR{bar: {Size: barSize}},
	}
}

// ConfigRead reads the capabilities (devices.PCIFunction).
func (t *Transport) ConfigRead(off uint8, size int) uint32 {
	if off < capBase {
		return 0
	}
	if off == windowData {
		if n := int(t.st.WindowLength); t.windowOpen() {
			return t.BARRead(bar, t.st.WindowOffset, n)
		}
	}
	b := t.caps
	b[windowBAR-capBase] = t.st.WindowBAR
	binary.LittleEndian.PutUint32(b[windowOffset-capBase:], t.st.WindowOffset)
	binary.LittleEndian.PutUint32(b[windowLength-capBase:], t.st.WindowLength)
	return extract(b[:], uint32(off-capBase), size)
}

// ConfigWrite writes the window of the PCI configuration access capability,
// which is all that is writable (virtio 1.2, 4.1.4.9; devices.PCIFunction).
func (t *Transport) ConfigWrite(off uint8, size int, v uint32) {
	switch {
	case off == windowBAR && size == 1:
		t.st.WindowBAR = uint8(v)
	case off == windowBAR && size == 4: // with the padding after it
		t.st.WindowBAR = uint8(v)
	case off == windowOffset && size == 4:
		t.st.WindowOffset = v
	case off == windowLength && size == 4:
		t.st.WindowLength = v
	case off == windowData && t.windowOpen():
		t.BARWrite(bar, t.st.WindowOffset, int(t.st.WindowLength), v)
	}
}

// windowOpen reports whether the window describes a legal access.
func (t *Transport) windowOpen() bool {
	n := t.st.WindowLength
	return t.st.WindowBAR == bar && (n == 1 || n == 2 || n == 4) &&
		t.st.WindowOffset%n == 0 && t.st.WindowOffset < barSize
}

// BARRead reads a register (devices.PCIFunction).
func (t *Transport) BARRead(_ int, off uint32, size int) uint32 {
	switch page := off &^ 0xfff; page {
	case barCommon:
		return t.commonRead(off, size)
	case barISR:
		if off != barISR {
			return 0
		}
		// Reading acknowledges (virtio 1.2, 4.1.4.5.1).
		v := t.st.ISR
		t.lower()
		return uint32(v)
	case barDevice:
		return extract(t.dev.config(), off-barDevice, size)
	}
	return 0
}

// BARWrite writes a register (devices.PCIFunction).
func (t *Transport) BARWrite(_ int, off uint32, size int, v uint32) {
	switch page := off &^ 0xfff; page {
	case barCommon:
		t.commonWrite(off, size, v)
	case barNotify:
		// The address says which queue (virtio 1.2, 4.1.4.4).
		if q := (off - barNotify) / notifyMultiplier; off%notifyMultiplier == 0 {
			t.kick(int(q))
		}
	}
}

// extract returns size bytes of b at off, little-endian; zero past the end.
func extract(b []byte, off uint32, size int) uint32 {
	v := uint32(0)
	for i := range uint32(size) {
		if at := uint64(off) + uint64(i); at < uint64(len(b)) {
			v |= uint32(b[at]) << (8 * i)
		}
	}
	return v
}
