package devices

// PCIHeader is the identity of a PCI function: what the type 0 configuration
// header says and the guest cannot change (PCI Local Bus 3.0, 6.1 and 6.2).
type PCIHeader struct {
	Vendor, Device       uint16
	SubVendor, Subsystem uint16
	Class                uint32 // 24 bits: base class, subclass, programming interface
	Revision             uint8
	InterruptPin         uint8 // 0 none, 1 INTA# to 4 INTD#
	Capabilities         uint8 // offset of the first capability, 0 for none
	BARs                 [6]PCIBAR
}

// PCIBAR describes one base address register. A Size of 0 means that the
// register is not implemented and reads as zero.
type PCIBAR struct {
	Size         uint32 // bytes, a power of two: 4 to 256 for I/O, 4096 or more for memory
	IO           bool   // I/O port space, else 32-bit memory space
	Prefetchable bool
}

// PCIFunction is a single-function PCI device. The bus (package devices/pci)
// owns the configuration header, decodes the BARs and calls the function for
// everything else.
type PCIFunction interface {
	Header() PCIHeader
	// Connect gives the function, once, when it is plugged in, its
	// interrupt line, which obeys the command register's Interrupt Disable
	// bit, and busMaster, which tells whether the guest has enabled DMA.
	Connect(irq IRQ, busMaster func() bool)
	// ConfigRead and ConfigWrite serve the configuration space from 40h to
	// FFh. size is 1, 2 or 4 and the access is aligned.
	ConfigRead(off uint8, size int) uint32
	ConfigWrite(off uint8, size int, v uint32)
	// BARRead and BARWrite serve accesses to the region that a BAR maps.
	BARRead(bar int, off uint32, size int) uint32
	BARWrite(bar int, off uint32, size int, v uint32)
	// Reset puts the function into its power-on state.
	Reset()
}
