// Package devices holds the contracts between the chips of the PC and what
// they are plugged into: port and MMIO access, interrupt lines, time, and the
// PCI function. It holds no chip. Every method is called on the machine
// goroutine unless its comment says otherwise.
package devices

import "time"

// A device whose behaviour depends on what happened has a State, one struct of
// exported plain data, and two methods: Save gives a copy of it, and Restore puts
// one back, into a device that was made as the saved one was, on a Clock that is
// not earlier. Restore refuses a State that no Save has given and that the device
// could not go on from; it has then changed nothing. It drives the device's
// outputs again, so what these lead to is restored first: memory, the interrupt
// controller, the bus, and then what is plugged into it.

// PortDevice is a device that answers in the I/O port space. off is relative
// to the base at which the device was claimed, never an address. size is 1, 2
// or 4 bytes; values use the low size bytes.
type PortDevice interface {
	In(off uint16, size int) uint32
	Out(off uint16, size int, v uint32)
}

// MMIODevice is a device that answers in guest-physical memory. off is
// relative to the base at which it is mapped. size is 1, 2 or 4 bytes; an
// 8-byte access arrives split, low half first.
type MMIODevice interface {
	Read(off uint32, size int) uint32
	Write(off uint32, size int, v uint32)
}

// MMIO maps and unmaps devices in guest-physical memory. BARs move at run
// time: both calls take effect before the next guest instruction.
type MMIO interface {
	Map(base, n uint64, d MMIODevice) error
	Unmap(base uint64)
}

// IRQ is one interrupt line. Set gives its level; a level-triggered source
// keeps the line asserted until its cause is gone.
type IRQ interface{ Set(level bool) }

// Clock tells guest time: the time since the machine was made. All devices of
// a machine and its TSC share one Clock.
type Clock interface{ Now() time.Duration }

// Timers makes timers on a Clock. A device makes its timers once, in a fixed
// order, and arms them again from its State after a restore.
type Timers interface {
	Clock
	New(name string, f func()) Timer
}

// Timer calls its function on the machine goroutine once the Clock reaches
// the time it was set to. Set replaces an earlier time; a time in the past
// fires before the next guest instruction. Timers that are due at the same
// time fire in the order in which they were made.
type Timer interface {
	Set(t time.Duration)
	Stop()
}
