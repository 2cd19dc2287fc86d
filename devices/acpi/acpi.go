// Package acpi models the fixed hardware of ACPI 6.5, chapter 4.8: the PM1a
// event and control registers, the power management timer, a block of one general
// purpose event and the system control interrupt. There is no SMI: ACPI is always
// enabled, SCI_EN reads as one, and the FADT has an SMI_CMD of 0.
//
// The timer is 32 bits wide, so the FADT must set TMR_VAL_EXT. The power button
// is a fixed one. The reset register of the FADT is port CF9h of package pci.
package acpi

import (
	"fmt"

	"alpinevm/devices"
)

// The register block, by offset from its first port.
const (
	EventBlock   = 0  // PM1a_EVT_BLK: status and enable, 2 bytes each
	ControlBlock = 4  // PM1a_CNT_BLK, 2 bytes
	TimerBlock   = 8  // PM_TMR_BLK, 4 bytes
	GPEBlock     = 12 // GPE0_BLK: status and enable, 1 byte each
	BlockSize    = 14
)

// SleepOff is the SLP_TYP that turns the machine off; the DSDT's \_S5 gives it
// to the guest. No other sleep state exists, and other values do nothing.
const SleepOff = 5

// Bits of PM1 status and enable (ACPI 6.5, tables 4.11 and 4.12).
const (
	eventTimer  = 1 << 0
	eventGlobal = 1 << 5
	eventPower  = 1 << 8
	eventSleep  = 1 << 9
	eventRTC    = 1 << 10
	enableMask  = eventTimer | eventGlobal | eventPower | eventSleep | eventRTC
)

// Bits of PM1 control (ACPI 6.5, table 4.13).
const (
	controlSCI   = 1 << 0
	controlWrite = 1<<1 | 7<<sleepType // BM_RLD and SLP_TYP
	sleepType    = 10
	sleepEnable  = 1 << 13
)

// gpe is the only general purpose event: bit 0 of the block's registers.
const gpe = 1 << 0

// rate is the timer's 3.579545 MHz, exactly a quarter of 14.31818 MHz.
var rate = devices.Rate{Num: 3579545, Den: 1}

// State is the state of the fixed hardware.
type State struct {
	Status, Enable, Control uint16
	Tick                    uint64 // the timer when Status was brought up to date
	GPEStatus, GPEEnable    uint8
}

// ACPI is the fixed hardware.
type ACPI struct {
	s     State
	clock devices.Clock
	timer devices.Timer
	sci   devices.IRQ
	off   func()
}

// New makes the fixed hardware. sci is the system control interrupt, which is
// level triggered. off is called when the guest turns the machine off; it may
// be nil.
func New(timers devices.Timers, sci devices.IRQ, off func()) *ACPI {
	if off == nil {
		off = func() {}
	}
	a := &ACPI{clock: timers, sci: sci, off: off}
	a.timer = timers.New("acpi", a.sync)
	a.Reset()
	return a
}

// Reset clears the registers. The timer counts on.
func (a *ACPI) Reset() {
	a.s = State{Tick: a.now()}
	a.sync()
}

// Save gives a copy of the state.
func (a *ACPI) Save() State { return a.s }

// Restore puts back a saved state.
func (a *ACPI) Restore(s State) error {
	if now := a.now(); s.Tick > now {
		return fmt.Errorf("acpi: the timer was at %d, and is at %d", s.Tick, now)
	}
	a.s = s
	a.sync()
	return nil
}

// PowerButton is a short press on it: a guest that listens shuts down.
func (a *ACPI) PowerButton() {
	a.s.Status |= eventPower
	a.sync()
}

// Event is the general purpose event: what the DSDT has behind it has happened.
func (a *ACPI) Event() {
	a.s.GPEStatus |= gpe
	a.sync()
}

func (a *ACPI) now() uint64 { return rate.Ticks(a.clock.Now()) }

// sync brings TMR_STS up to date, which is set when the highest bit of the
// timer changes (ACPI 6.5, 4.8.2.1), and drives the interrupt.
func (a *ACPI) sync() {
	now := a.now()
	if now>>31 != a.s.Tick>>31 {
		a.s.Status |= eventTimer
	}
	a.s.Tick = now
	a.sci.Set(a.s.Status&a.s.Enable != 0 || a.s.GPEStatus&a.s.GPEEnable != 0)
	if a.s.Enable&^a.s.Status&eventTimer != 0 {
		a.timer.Set(rate.Time((now>>31 + 1) << 31))
	} else {
		a.timer.Stop()
	}
}

// Ports gives the register block, BlockSize ports.
func (a *ACPI) Ports() devices.PortDevice { return ports{a} }

type ports struct{ a *ACPI }

// In implements devices.PortDevice. The timer is read in one piece.
func (p ports) In(off uint16, size int) uint32 {
	p.a.sync()
	s := &p.a.s
	switch off &^ 3 {
	case EventBlock:
		return (uint32(s.Status) | uint32(s.Enable)<<16) >> (8 * (off & 3))
	case ControlBlock:
		return uint32(s.Control|controlSCI) >> (8 * (off & 3))
	case GPEBlock:
		return (uint32(s.GPEStatus) | uint32(s.GPEEnable)<<8) >> (8 * (off & 3))
	}
	return uint32(s.Tick) >> (8 * (off & 3))
}

// Out implements devices.PortDevice.
func (p ports) Out(off uint16, size int, v uint32) {
	for k := range size {
		p.a.write(off+uint16(k), uint16(v>>(8*k)&0xFF))
	}
}

// write serves one byte of a write.
func (a *ACPI) write(off, v uint16) {
	a.sync()
	defer a.sync()
	switch off {
	case GPEBlock:
		a.s.GPEStatus &^= uint8(v) // a one clears
		return
	case GPEBlock + 1:
		a.s.GPEEnable = uint8(v) & gpe
		return
	}
	shift := off & 1 * 8
	merge := func(old, mask uint16) uint16 {
		mask &= 0xFF << shift
		return old&^mask | v<<shift&mask
	}
	switch off &^ 1 {
	case EventBlock:
		a.s.Status &^= v << shift // a one clears
	case EventBlock + 2:
		a.s.Enable = merge(a.s.Enable, enableMask)
	case ControlBlock:
		a.s.Control = merge(a.s.Control, controlWrite)
		if v<<shift&sleepEnable != 0 && a.s.Control>>sleepType&7 == SleepOff {
			a.off()
		}
	}
}
