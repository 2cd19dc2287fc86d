package cpu

// Event is the set of things to look at before the next instruction.
type Event uint16

const (
	pendIntr   Event = 1 << iota // INTR is up and IF is set
	pendNMI                      // an NMI waits and is not masked
	pendShadow                   // hold interrupts off for one instruction
	pendTrap                     // TF is set
	pendDebug                    // code breakpoints are armed, or RF is set
	pendHalt
	pendShutdown
	pendYield
	pendHit   // the last instruction hit data breakpoints
	pendReset // the RESET pin was pulsed
	pendStop  // a debugger is to have the word
)

// updateEvents derives pending from State and makes the current block end.
func (c *CPU) updateEvents() {
	var e Event
	if c.ResetPin {
		e |= pendReset
	}
	if c.Yielding {
		e |= pendYield
	}
	if c.IntrPin && c.Flags&flagIF != 0 && !c.deaf() {
		e |= pendIntr
	}
	if c.NMIPin && !c.NMIMask {
		e |= pendNMI
	}
	if c.Shadow {
		e |= pendShadow
	}
	if c.Flags&flagTF != 0 {
		e |= pendTrap
	}
	if c.Flags&flagRF != 0 || c.codeBreakpoints() {
		e |= pendDebug
	}
	if c.Halted {
		e |= pendHalt
	}
	if c.DebugHits != 0 {
		e |= pendHit
	}
	if c.Shutdown {
		e |= pendShutdown
	}
	if c.stopping() {
		e |= pendStop
	}
	c.Pending = 0
	c.post(e)
}

// post makes e pending: Run looks at it behind the current instruction.
func (c *CPU) post(e Event) {
	c.Pending |= e
	c.stop()
}

// flagsChanged follows a change of IF, TF, RF, VM or AC.
func (c *CPU) flagsChanged() {
	c.updateEvents()
	c.modeChanged()
}
