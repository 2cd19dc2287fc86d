// Package uart models a serial port of a PC: a National Semiconductor
// PC16550D (datasheet of June 1995) with a 1.8432 MHz clock, whose OUT2 output
// lets its interrupt through, and a device at the other end that is always
// there (CTS, DSR and DCD are asserted).
//
// It models every register, both FIFOs, the interrupts with their priorities
// and the receiver's timeout, the line status of breaks and overruns, and
// loopback.
//
// Deviation: a byte takes no time on the line. It leaves in the instant in
// which it is written, unless the host refuses it: then it waits in the
// transmitter and THRE is clear until the host is ready. The baud rate only
// paces the receiver's timeout, and a break condition that the guest makes is
// not sent.
package uart

import (
	"fmt"
	"time"

	"alpinevm/devices"
)

// Registers, by port offset.
const (
	regData  = 0 // RBR and THR; with DLAB the divisor's low byte
	regIER   = 1 // with DLAB the divisor's high byte
	regIIR   = 2 // read
	regFCR   = 2 // write
	regLCR   = 3
	regMCR   = 4
	regLSR   = 5
	regMSR   = 6
	regSCR   = 7
	fifoSize = 16
)

// Bits of the registers.
const (
	ierRDA, ierTHRE, ierLine, ierModem = 1 << 0, 1 << 1, 1 << 2, 1 << 3

	iirNone    = 0x01
	iirModem   = 0x00
	iirTHRE    = 0x02
	iirRDA     = 0x04
	iirLine    = 0x06
	iirTimeout = 0x0C
	iirFIFO    = 0xC0

	fcrEnable, fcrResetRX, fcrResetTX = 1 << 0, 1 << 1, 1 << 2

	lcrStop, lcrParity, lcrDLAB = 1 << 2, 1 << 3, 1 << 7

	mcrDTR, mcrRTS, mcrOUT1, mcrOUT2, mcrLoop = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4

	lsrDR, lsrOE, lsrPE, lsrFE, lsrBI = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4
	lsrTHRE, lsrTEMT, lsrFIFO         = 1 << 5, 1 << 6, 1 << 7

	msrDCTS, msrDDSR, msrTERI, msrDDCD = 1 << 0, 1 << 1, 1 << 2, 1 << 3
	msrCTS, msrDSR, msrRI, msrDCD      = 1 << 4, 1 << 5, 1 << 6, 1 << 7
)

// Config is the other end of the line.
type Config struct {
	// Transmit takes a byte that the guest has sent. If it returns false
	// the byte waits, with those that follow, until Ready is called. nil
	// takes everything.
	Transmit func(b byte) (accepted bool)
	// Room, if not nil, is called when the receiver is empty after Receive
	// had to leave bytes behind.
	Room func()
	// Listens, if not nil, is called whenever there is a sign that the guest heeds
	// what it receives: it takes a byte of it, or wants an interrupt for one.
	Listens func()
}

// State is the state of a UART.
type State struct {
	IER, FCR, LCR, MCR, SCR uint8
	Divisor                 uint16
	Delta                   uint8 // the low half of MSR

	RX       [fifoSize]uint8
	RXStatus [fifoSize]uint8 // the PE, FE and BI that came with each byte
	RXCount  uint8
	Overrun  bool
	Starved  bool // Receive has left bytes behind

	TX      [fifoSize]uint8
	TXCount uint8
	Emptied bool // the interrupt of an empty transmitter is pending

	TimedOut  bool // the receiver's timeout interrupt is pending
	TimeoutAt time.Duration
	Timing    bool // and will be at TimeoutAt
}

// UART is a 16550A.
type UART struct {
	s     State
	cfg   Config
	clock devices.Clock
	irq   devices.IRQ
	timer devices.Timer
}

// New makes a UART in its reset state, set to 115,200 baud.
func New(timers devices.Timers, irq devices.IRQ, cfg Config) *UART {
	if cfg.Transmit == nil {
		cfg.Transmit = func(byte) bool { return true }
	}
	if cfg.Room == nil {
		cfg.Room = func() {}
	}
	if cfg.Listens == nil {
		cfg.Listens = func() {}
	}
	u := &UART{cfg: cfg, clock: timers, irq: irq}
	u.timer = timers.New("uart", u.timeout)
	u.s.Divisor = 1
	u.Reset()
	return u
}

// Reset is the MR pin: it leaves the divisor and the scratch register alone.
// What waited in the transmitter is lost.
func (u *UART) Reset() {
	starved := u.s.Starved
	u.s = State{Divisor: u.s.Divisor, SCR: u.s.SCR}
	u.timer.Stop()
	u.update()
	if starved {
		u.cfg.Room()
	}
}

// Save gives a copy of the state.
func (u *UART) Save() State { return u.s }

// Restore puts back a saved state.
func (u *UART) Restore(s State) error {
	if s.RXCount > fifoSize || s.TXCount > fifoSize {
		return fmt.Errorf("uart: %d and %d bytes in FIFOs of %d", s.RXCount, s.TXCount, fifoSize)
	}
	u.s = s
	u.timer.Stop()
	if s.Timing {
		u.timer.Set(s.TimeoutAt)
	}
	u.update()
	if s.IER&ierRDA != 0 {
		u.cfg.Listens()
	}
	return nil
}

// Ports gives the eight ports.
func (u *UART) Ports() devices.PortDevice {
	return devices.BytePorts{Read: u.read, Write: u.write}
}

func (u *UART) read(off uint16) uint8 {
	s := &u.s
	dlab := s.LCR&lcrDLAB != 0
	switch off & 7 {
	case regData:
		if dlab {
			return uint8(s.Divisor)
		}
		return u.pop()
	case regIER:
		if dlab {
			return uint8(s.Divisor >> 8)
		}
		return s.IER
	case regIIR:
		return u.identify()
	case regLCR:
		return s.LCR
	case regMCR:
		return s.MCR
	case regLSR:
		v := u.lineStatus()
		s.Overrun = false
		s.RXStatus[0] = 0
		u.update()
		return v
	case regMSR:
		v := modem(s.MCR) | s.Delta
		s.Delta = 0
		u.update()
		return v
	}
	return s.SCR
}

func (u *UART) write(off uint16, v uint8) {
	s := &u.s
	dlab := s.LCR&lcrDLAB != 0
	switch off & 7 {
	case regData:
		if dlab {
			s.Divisor = s.Divisor&0xFF00 | uint16(v)
			return
		}
		u.send(v)
	case regIER:
		if dlab {
			s.Divisor = s.Divisor&0x00FF | uint16(v)<<8
			return
		}
		// Enabling the interrupt of an empty transmitter raises it.
		if v&^s.IER&ierTHRE != 0 && s.TXCount == 0 {
			s.Emptied = true
		}
		s.IER = v & 0x0F
		if v&ierRDA != 0 {
			u.cfg.Listens()
		}
	case regFCR:
		u.control(v)
	case regLCR:
		s.LCR = v
	case regMCR:
		before := modem(s.MCR)
		s.MCR = v & 0x1F
		s.Delta |= delta(before, modem(s.MCR))
		// Bytes that wait for the host go round if the loop is closed.
		u.transmit()
		u.starved()
	case regSCR:
		s.SCR = v
	}
	u.update()
}

// control serves a write to FCR.
func (u *UART) control(v uint8) {
	s := &u.s
	changed := (v^s.FCR)&fcrEnable != 0
	if v&fcrEnable == 0 {
		v = 0 // the other bits are not programmed without it
	}
	resetRX, resetTX := changed || v&fcrResetRX != 0, changed || v&fcrResetTX != 0
	s.FCR = v &^ (fcrResetRX | fcrResetTX)
	if resetRX {
		s.RXCount = 0
		s.RXStatus = [fifoSize]uint8{}
		u.rearm()
		u.starved()
	}
	if resetTX {
		s.Emptied = s.Emptied || s.TXCount != 0
		s.TXCount = 0
	}
}

// depth is how many bytes the receiver and the transmitter hold each.
func (u *UART) depth() uint8 {
	if u.s.FCR&fcrEnable == 0 {
		return 1
	}
	return fifoSize
}

// send serves a write to THR. A byte too many is lost.
func (u *UART) send(v uint8) {
	s := &u.s
	s.Emptied = false
	if s.TXCount < u.depth() {
		s.TX[s.TXCount] = v
		s.TXCount++
	}
	u.transmit()
}

// transmit hands on what is in the transmitter, as far as it is accepted.
func (u *UART) transmit() {
	s := &u.s
	if s.TXCount == 0 {
		return
	}
	n := uint8(0)
	for n < s.TXCount {
		if s.MCR&mcrLoop != 0 {
			u.loop(s.TX[n])
		} else if !u.cfg.Transmit(s.TX[n]) {
			break
		}
		n++
	}
	copy(s.TX[:], s.TX[n:s.TXCount])
	s.TXCount -= n
	if s.TXCount == 0 {
		s.Emptied = true
	}
}

// Ready tells the UART that the host takes bytes again.
func (u *UART) Ready() {
	u.transmit()
	u.update()
}

// Receive offers bytes to the guest. It takes as many as the receiver has room
// for and tells how many these were; in loopback it takes none. After it has
// left some behind, Config.Room is called when it is time to try again.
func (u *UART) Receive(p []byte) (accepted int) {
	for accepted < len(p) && u.s.MCR&mcrLoop == 0 && u.push(p[accepted], 0) {
		accepted++
	}
	if accepted < len(p) {
		u.s.Starved = true
	}
	u.update()
	return accepted
}

// Break lets the guest see a break condition, and tells whether there was room
// for it.
func (u *UART) Break() (accepted bool) {
	accepted = u.s.MCR&mcrLoop == 0 && u.push(0, lsrBI)
	u.update()
	return accepted
}

// push puts a byte into the receiver, if there is room.
func (u *UART) push(b, status uint8) bool {
	s := &u.s
	if s.RXCount >= u.depth() {
		return false
	}
	s.RX[s.RXCount], s.RXStatus[s.RXCount] = b, status
	s.RXCount++
	u.rearm()
	return true
}

// loop gives the receiver a byte of the transmitter. An overrun loses the new
// byte of a FIFO, else the old one (PC16550D, 8.6.1, bit 1).
func (u *UART) loop(b uint8) {
	if u.push(b, 0) {
		return
	}
	u.s.Overrun = true
	if u.depth() == 1 {
		u.s.RX[0], u.s.RXStatus[0] = b, 0
	}
}

// pop serves a read from RBR. Without a byte it gives the last one again.
func (u *UART) pop() uint8 {
	s := &u.s
	v := s.RX[0]
	if s.RXCount == 0 {
		return v
	}
	if s.MCR&mcrLoop == 0 {
		u.cfg.Listens()
	}
	s.RXCount--
	if s.RXCount > 0 {
		copy(s.RX[:], s.RX[1:s.RXCount+1])
		copy(s.RXStatus[:], s.RXStatus[1:s.RXCount+1])
	} else {
		s.RXStatus[0] = 0
	}
	u.rearm()
	u.starved()
	u.update()
	return v
}

// starved asks the host for more once the receiver is empty.
func (u *UART) starved() {
	if u.s.Starved && u.s.RXCount == 0 && u.s.MCR&mcrLoop == 0 {
		u.s.Starved = false
		u.cfg.Room()
	}
}
