// Package rtc models the real-time clock of a PC: a Motorola MC146818A
// (datasheet ADI-1031, 1984) with the 128 bytes of CMOS RAM that PC/AT
// compatibles have, and their contents as far as firmware and kernels read
// them: memory sizes, the century in byte 32h.
//
// It models the time of day in binary and BCD, 12 and 24 hours, the update
// cycle with UIP, the three interrupts, SET, and the divider's reset. No
// register is updated while nobody looks, and a timer runs only for an
// interrupt that is enabled and not yet flagged.
//
// Deviation: daylight saving (DSE) and the square wave are not there, and with
// a divider for another crystal than 32,768 Hz the clock stands still. Time is
// that of Config.Start plus the machine's clock; a guest that sets it changes
// it for itself only. The century counts, which chips of that age left to
// software.
package rtc

import (
	"fmt"
	"time"

	"alpinevm/devices"
)

// Registers.
const (
	regSeconds, regSecondsAlarm = 0x00, 0x01
	regMinutes, regMinutesAlarm = 0x02, 0x03
	regHours, regHoursAlarm     = 0x04, 0x05
	regWeekday                  = 0x06 // 1 is Sunday
	regDay, regMonth, regYear   = 0x07, 0x08, 0x09
	regA, regB, regC, regD      = 0x0A, 0x0B, 0x0C, 0x0D
	regCentury                  = 0x32
)

// Bits of registers A to D.
const (
	aUIP     = 1 << 7
	aDivider = 7 << 4
	aRunning = 2 << 4 // the divider of a 32,768 Hz crystal
	aRate    = 15

	bSET    = 1 << 7
	bPIE    = 1 << 6
	bAIE    = 1 << 5
	bUIE    = 1 << 4
	bSQWE   = 1 << 3
	bBinary = 1 << 2
	b24     = 1 << 1

	cIRQF = 1 << 7
	cPF   = 1 << 6
	cAF   = 1 << 5
	cUF   = 1 << 4

	dVRT = 1 << 7
)

// updateCycle is how long before the registers change UIP is high: 244 us of
// warning and 1984 us of update (MC146818A, table 6).
const updateCycle = (244 + 1984) * time.Microsecond

// crystal is the oscillator's frequency.
var crystal = devices.Rate{Num: 32768, Den: 1}

// Config describes an RTC.
type Config struct {
	Start  time.Time // what the clock shows, in UTC, when the machine's Clock is 0
	Memory uint64    // bytes of RAM from address 0 on, for the CMOS size fields
}

// State is the state of an RTC.
type State struct {
	Index uint8      // the last write to the index port, NMI mask included
	RAM   [128]uint8 // time registers are valid only while the clock stands
	Flags uint8      // PF, AF and UF of register C

	At      time.Duration // the time up to which the flags are right
	Epoch   time.Duration // when the second that Seconds names began
	Seconds int64         // the calendar as seconds since 1970 in it
	Weekday int64         // days by which the day of the week is ahead
}

// RTC is an MC146818A with its CMOS RAM.
type RTC struct {
	s     State
	clock devices.Clock
	irq   devices.IRQ
	timer devices.Timer
}

// New makes an RTC that runs, in BCD and 24 hours, as firmware leaves it.
func New(timers devices.Timers, irq devices.IRQ, cfg Config) *RTC {
	r := &RTC{clock: timers, irq: irq}
	r.timer = timers.New("rtc", r.sync)
	r.s.RAM = memorySizes(cfg.Memory)
	r.s.RAM[regA] = aRunning | 6 // 1024 Hz, the power-on choice of PC firmware
	r.s.RAM[regB] = b24
	start := cfg.Start.UTC()
	r.s.Seconds = start.Unix()
	r.s.Epoch = -time.Duration(start.Nanosecond())
	r.s.At = timers.Now()
	r.sync()
	return r
}

// Reset is the RESET pin: it clears the interrupt enables and flags. Time and
// RAM have a battery.
func (r *RTC) Reset() {
	r.sync()
	r.s.RAM[regB] &^= bPIE | bAIE | bUIE | bSQWE
	r.s.Flags = 0
	r.s.Index = 0
	r.sync()
}

// Save gives a copy of the state.
func (r *RTC) Save() State { return r.s }

// Restore puts back a saved state.
func (r *RTC) Restore(s State) error {
	now := r.clock.Now()
	switch {
	case s.At > now:
		return fmt.Errorf("rtc: it was %v, and it is %v", s.At, now)
	case s.At < 0 || s.Epoch > s.At || s.Epoch <= s.At-time.Second:
		return fmt.Errorf("rtc: at %v in a second that began at %v", s.At, s.Epoch)
	case s.Seconds > maxSeconds || s.Seconds < -maxSeconds || s.Weekday > maxSeconds || s.Weekday < -maxSeconds:
		return fmt.Errorf("rtc: %d seconds and %d days", s.Seconds, s.Weekday)
	}
	r.s = s
	r.sync()
	return nil
}

// Advance sets a calendar that runs forward by that many seconds, without what
// would have happened in them: the machine was at rest.
func (r *RTC) Advance(seconds int64) {
	r.sync()
	if r.running() {
		r.s.Seconds = min(max(r.s.Seconds+seconds, -maxSeconds), maxSeconds)
	}
	r.sync()
}

// maxSeconds is more than a calendar of four digits has, on both sides of 1970.
const maxSeconds = 1 << 40

// Ports gives the index and the data port (70h and 71h on a PC).
func (r *RTC) Ports() devices.PortDevice {
	return devices.BytePorts{
		Read: func(off uint16) uint8 {
			if off == 0 {
				return 0xFF // the index cannot be read
			}
			return r.read(r.s.Index & 0x7F)
		},
		Write: func(off uint16, v uint8) {
			if off == 0 {
				r.s.Index = v
				return
			}
			r.write(r.s.Index&0x7F, v)
		},
	}
}

// isTime tells whether a register is one of the time and calendar.
func isTime(reg uint8) bool {
	switch reg {
	case regSeconds, regMinutes, regHours, regWeekday, regDay, regMonth, regYear, regCentury:
		return true
	}
	return false
}

func (r *RTC) read(reg uint8) uint8 {
	r.sync()
	switch {
	case reg == regA:
		v := r.s.RAM[regA]
		if r.running() && r.s.Epoch+time.Second-r.s.At <= updateCycle {
			v |= aUIP
		}
		return v
	case reg == regC:
		v := r.s.Flags | r.irqf()
		r.s.Flags = 0
		r.sync()
		return v
	case reg == regD:
		return dVRT
	case isTime(reg) && r.running():
		return r.shown()[reg]
	}
	return r.s.RAM[reg]
}

func (r *RTC) write(reg, v uint8) {
	r.sync()
	ran := r.running()
	if ran && (reg == regA || reg == regB || isTime(reg)) {
		// Hold the time in its registers; it goes on from there below.
		r.s.RAM = r.shown()
	}
	switch reg {
	case regA:
		if r.s.RAM[regA]&aDivider != aRunning && v&aDivider == aRunning {
			// The first update comes half a second after the divider
			// is released (MC146818A, "Divider Control Bits").
			r.s.Epoch = r.s.At - time.Second/2
		}
		r.s.RAM[regA] = v &^ aUIP
	case regB:
		if v&bSET != 0 {
			v &^= bUIE
		}
		r.s.RAM[regB] = v
	case regC, regD:
		return
	default:
		r.s.RAM[reg] = v
	}
	if r.running() && (!ran || isTime(reg)) {
		r.adopt()
	}
	r.sync()
}

// running tells whether the calendar is updated.
func (r *RTC) running() bool { return r.dividing() && r.s.RAM[regB]&bSET == 0 }

// dividing tells whether the divider counts.
func (r *RTC) dividing() bool { return r.s.RAM[regA]&aDivider == aRunning }

// irqf is IRQF: set while a flag is set whose interrupt is enabled. Flags and
// enables have the same bits.
func (r *RTC) irqf() uint8 {
	if r.s.Flags&r.s.RAM[regB] != 0 {
		return cIRQF
	}
	return 0
}

// period is the distance of periodic interrupts in cycles of the crystal, 0
// for none (MC146818A, table 5).
func (r *RTC) period() uint64 {
	rs := r.s.RAM[regA] & aRate
	if rs == 0 || !r.dividing() {
		return 0
	}
	if rs < 3 {
		rs += 7
	}
	return 1 << (rs - 1)
}

// sync brings flags and calendar up to the present, drives the interrupt line
// and sets the timer.
func (r *RTC) sync() {
	s := &r.s
	now := r.clock.Now()
	if p := r.period(); p != 0 && crystal.Ticks(now-s.Epoch)/p != crystal.Ticks(s.At-s.Epoch)/p {
		s.Flags |= cPF
	}
	if n := int64((now - s.Epoch) / time.Second); n > 0 {
		s.Epoch += time.Duration(n) * time.Second
		if r.running() {
			if d, ok := r.alarm(); ok && d <= n {
				s.Flags |= cAF
			}
			s.Flags |= cUF
			s.Seconds += n
		}
	}
	s.At = now
	r.irq.Set(r.irqf() != 0)
	if at, ok := r.next(); ok {
		r.timer.Set(at)
	} else {
		r.timer.Stop()
	}
}

// next tells when the next flag is set whose interrupt is enabled.
func (r *RTC) next() (at time.Duration, ok bool) {
	s := &r.s
	due := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	wanted := s.RAM[regB] &^ s.Flags
	if p := r.period(); p != 0 && wanted&bPIE != 0 {
		n := crystal.Ticks(s.At-s.Epoch)/p + 1
		due(s.Epoch + crystal.Time(n*p))
	}
	if !r.running() {
		return at, ok
	}
	if wanted&bUIE != 0 {
		due(s.Epoch + time.Second)
	}
	if wanted&bAIE != 0 {
		if d, any := r.alarm(); any {
			due(s.Epoch + time.Duration(d)*time.Second)
		}
	}
	return at, ok
}
