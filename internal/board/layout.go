package board

import "alpinevm/devices/pci"

// Every guest address, port and interrupt number of the machine, once.

// I/O ports.
const (
	portPIC1    = 0x20  // 2: master 8259A
	portPIT     = 0x40  // 4: 8254
	portI8042   = 0x60  // 1 at 60h (data) and 1 at 64h (status, command)
	portB       = 0x61  // 1: speaker, channel 2 gate, refresh
	portCMOS    = 0x70  // 2: RTC index and data
	portPOST    = 0x80  // 1: power-on self test code
	portA       = 0x92  // 1: fast A20 and reset
	portPIC2    = 0xa0  // 2: slave 8259A
	portE9      = 0xe9  // 1: debug console of Bochs
	portPOST2   = 0x190 // 1: POST code of test ROMs
	portCOM2    = 0x2f8 // 8
	portCOM1    = 0x3f8 // 8
	portDebug   = 0x402 // 1: debug console of SeaBIOS
	portELCR    = 0x4d0 // 2: edge or level by line
	portFwCfg   = 0x510 // 2: QEMU's firmware configuration device, with firmware only
	portACPI    = 0x600 // 14: PM1a event and control block, PM timer, GPE0 block
	portPCIAddr = 0xcf8 // 8: configuration address and data
	portReset   = 0xcf9 // 1: reset register, inside them
)

// Interrupt lines.
const (
	irqPIT  = 0
	irqCOM2 = 3
	irqCOM1 = 4
	irqRTC  = 8
	irqSCI  = 9
	irqPCI1 = 10 // INTA# and INTC# of the slots, as the routing says
	irqPCI2 = 11
)

// Guest-physical memory. RAM starts at 0 and ends below mmioBase; package bios
// says what it takes of it.
const (
	kernelParams  = 0x10000    // boot_params, 1 page
	kernelCmdline = 0x11000    // command line, 1 page
	kernelSetup   = 0x12000    // setup_data chain, 1 page
	initrdTop     = 0x37ff0000 // kernels with 3 GiB of user space map 896 MiB
	mmioBase      = 0xe0000000 // PCI memory window, to mmioEnd
	mmioEnd       = 0xfec00000
)

// pciRouting is how PIRQA# to PIRQD# are wired.
var pciRouting = pci.Routing{irqPCI1, irqPCI2, irqPCI1, irqPCI2}
