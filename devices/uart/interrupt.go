package uart

import "time"

// trigger is the number of bytes at which the receiver's interrupt is raised.
func (u *UART) trigger() uint8 {
	if u.s.FCR&fcrEnable == 0 {
		return 1
	}
	return [4]uint8{1, 4, 8, 14}[u.s.FCR>>6]
}

// source finds the interrupt of the highest priority, as IIR names it
// (PC16550D, table IV).
func (u *UART) source() uint8 {
	s := &u.s
	switch {
	case s.IER&ierLine != 0 && (s.Overrun || s.RXCount > 0 && s.RXStatus[0] != 0):
		return iirLine
	case s.IER&ierRDA != 0 && s.RXCount >= u.trigger():
		return iirRDA
	case s.IER&ierRDA != 0 && s.TimedOut:
		return iirTimeout
	case s.IER&ierTHRE != 0 && s.Emptied:
		return iirTHRE
	case s.IER&ierModem != 0 && s.Delta != 0:
		return iirModem
	}
	return iirNone
}

// update drives the interrupt line. OUT2 lets it through; loopback holds that
// pin inactive (PC16550D, 8.8, bit 4).
func (u *UART) update() {
	gate := u.s.MCR&(mcrOUT2|mcrLoop) == mcrOUT2
	u.irq.Set(gate && u.source() != iirNone)
}

// identify serves a read from IIR, which ends the transmitter's interrupt if
// that is the one it names.
func (u *UART) identify() uint8 {
	v := u.source()
	if v == iirTHRE {
		u.s.Emptied = false
		u.update()
	}
	if u.s.FCR&fcrEnable != 0 {
		v |= iirFIFO
	}
	return v
}

// lineStatus is LSR. The error bits are those of the byte that is read next.
func (u *UART) lineStatus() uint8 {
	s := &u.s
	var v uint8
	if s.RXCount > 0 {
		v = lsrDR | s.RXStatus[0]
	}
	if s.Overrun {
		v |= lsrOE
	}
	if s.TXCount == 0 {
		v |= lsrTHRE | lsrTEMT
	}
	if s.FCR&fcrEnable != 0 {
		for _, e := range s.RXStatus[:s.RXCount] {
			if e != 0 {
				v |= lsrFIFO
			}
		}
	}
	return v
}

// modem is the high half of MSR: in loopback the modem control outputs, else
// what a device that is there asserts.
func modem(mcr uint8) uint8 {
	if mcr&mcrLoop == 0 {
		return msrCTS | msrDSR | msrDCD
	}
	var v uint8
	for _, pair := range [...][2]uint8{{mcrRTS, msrCTS}, {mcrDTR, msrDSR}, {mcrOUT1, msrRI}, {mcrOUT2, msrDCD}} {
		if mcr&pair[0] != 0 {
			v |= pair[1]
		}
	}
	return v
}

// delta is the low half of MSR after a change of the high one. RI counts only
// when it goes away.
func delta(before, after uint8) uint8 {
	d := (before ^ after) >> 4
	if after&msrRI != 0 {
		d &^= msrTERI
	}
	return d
}

// rearm restarts the receiver's timeout, which a byte received or read does:
// four characters of time (PC16550D, 8.6.1, "RCVR FIFO time-out").
func (u *UART) rearm() {
	s := &u.s
	s.TimedOut = false
	s.Timing = s.RXCount > 0 && s.FCR&fcrEnable != 0
	if !s.Timing {
		u.timer.Stop()
		return
	}
	s.TimeoutAt = u.clock.Now() + 4*u.character()
	u.timer.Set(s.TimeoutAt)
}

// timeout is called by the timer.
func (u *UART) timeout() {
	u.s.Timing, u.s.TimedOut = false, true
	u.update()
}

// character is the time that one takes on the line.
func (u *UART) character() time.Duration {
	s := &u.s
	bits := 1 + 5 + time.Duration(s.LCR&3) + 1
	if s.LCR&lcrParity != 0 {
		bits++
	}
	if s.LCR&lcrStop != 0 {
		bits++
	}
	return bits * time.Duration(max(s.Divisor, 1)) * time.Second / 115200
}
