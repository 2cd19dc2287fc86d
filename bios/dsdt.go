package bios

import "fmt"

// The ports of PCI configuration mechanism 1, which the bridge itself uses.
const (
	configPorts    = 0xCF8
	configPortsEnd = 0xD00
)

// dsdt gives the definition block: the PCI root bridge with its windows and
// interrupt routing, the ISA devices that an operating system must be told of,
// the generation ID, and the sleep state that turns the machine off.
func dsdt(c *Config) []byte {
	devices := [][]byte{
		amlDevice("PCI0",
			amlNamed("_HID", amlEISA("PNP0A03")),
			amlNamed("_UID", amlInteger(0)),
			amlNamed("_CRS", bridgeResources(c)),
			amlNamed("_PRT", routing(c.Interrupts)),
		),
		isaDevice("RTC", "PNP0B00", 0, c.RTC),
	}
	for i, s := range c.Serial {
		devices = append(devices, isaDevice(fmt.Sprintf("COM%d", i+1), "PNP0501", i+1, s))
	}
	devices = append(devices, generationDevice(GenerationAt(c.RAM)))
	return join(
		amlScope(`\_SB`, devices...),
		// Its one general purpose event, 0, is edge triggered.
		amlScope(`\_GPE`, amlMethod("_E00", amlNotify(`\_SB.VGEN`, generationChanged))),
		// PM1a and PM1b values, two reserved (ACPI 6.5, 7.4.2).
		amlNamed(`\_S5`, amlPackage(amlInteger(uint64(c.SleepOff)), amlInteger(0), amlInteger(0), amlInteger(0))),
	)
}

// generationChanged is what the driver of the generation device is told.
const generationChanged = 0x80

// generationDevice declares where the machine's generation ID is: who finds it
// changed is a copy of what it was ("Virtual Machine Generation ID", Microsoft,
// 2012). Linux has known two of the three names in turn; the first is Windows'.
func generationDevice(at uint64) []byte {
	return amlDevice("VGEN",
		amlNamed("_HID", amlString("ALVM0001")),
		amlNamed("_CID", amlPackage(amlString("VM_Gen_Counter"), amlString("VM_GEN_COUNTER"), amlString("VMGENCTR"))),
		amlNamed("_DDN", amlString("VM_Gen_Counter")),
		amlNamed("ADDR", amlPackage(amlInteger(at&0xFFFFFFFF), amlInteger(at>>32))),
	)
}

// bridgeResources gives _CRS of the root bridge: the configuration ports are
// its own; bus 0, all other ports and the memory window are passed on.
func bridgeResources(c *Config) []byte {
	const (
		entireRange  = 3 // ISA and other ports
		readWriteMem = 1 // not cacheable
	)
	return amlResources(
		resourceWindow16(spaceBus, 0, 0, 0),
		resourcePorts(configPorts, configPortsEnd-configPorts),
		resourceWindow16(spacePorts, entireRange, 0, configPorts-1),
		resourceWindow16(spacePorts, entireRange, configPortsEnd, 0xFFFF),
		resourceWindow32(spaceMemory, readWriteMem, uint32(c.PCIBase), uint32(c.PCIEnd-1)),
	)
}

// routing gives _PRT: each pin is hard-wired to a global system interrupt,
// which is an interrupt line of the 8259s (ACPI 6.5, 6.2.13). The system makes
// those lines level triggered.
func routing(interrupts []Interrupt) []byte {
	var entries [][]byte
	for _, i := range interrupts {
		entries = append(entries, amlPackage(
			amlInteger(uint64(i.Slot)<<16|0xFFFF),
			amlInteger(uint64(i.Pin-1)),
			amlInteger(0),
			amlInteger(uint64(i.Line)),
		))
	}
	return amlPackage(entries...)
}

// isaDevice declares a device with ports and an interrupt.
func isaDevice(name, id string, uid int, d Device) []byte {
	return amlDevice(name,
		amlNamed("_HID", amlEISA(id)),
		amlNamed("_UID", amlInteger(uint64(uid))),
		amlNamed("_CRS", amlResources(resourcePorts(d.Port, d.Count), resourceIRQ(d.IRQ))),
	)
}
