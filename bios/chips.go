package bios

// Ports of the chips that firmware programs on every PC.
const (
	picMaster, picSlave = 0x20, 0xA0
	elcrPorts           = 0x4D0
	pitChannel0         = 0x40
	pitControl          = 0x43
)

// SetUpChips programs the interrupt controllers and the timer as a boot loader
// finds them: vectors 08h and 70h, everything masked, the given lines level
// triggered (those of the SCI and of PCI), and counter 0 at 18.2 Hz.
func SetUpChips(ports Ports, level ...uint8) {
	for _, chip := range []struct {
		port          uint16
		vector, wired uint32
	}{{picMaster, 0x08, 1 << 2}, {picSlave, 0x70, 2}} {
		ports.Out(chip.port, 1, 0x11)          // ICW1: cascaded, ICW4 follows
		ports.Out(chip.port+1, 1, chip.vector) // ICW2
		ports.Out(chip.port+1, 1, chip.wired)  // ICW3
		ports.Out(chip.port+1, 1, 0x01)        // ICW4: 8086 mode
		ports.Out(chip.port+1, 1, 0xFF)        // OCW1: all masked
	}
	var mask uint32
	for _, n := range level {
		mask |= 1 << (n & 15)
	}
	ports.Out(elcrPorts, 1, mask&0xFF)
	ports.Out(elcrPorts+1, 1, mask>>8)

	ports.Out(pitControl, 1, 0x34) // counter 0, both bytes, mode 2
	ports.Out(pitChannel0, 1, 0)
	ports.Out(pitChannel0, 1, 0)
}
