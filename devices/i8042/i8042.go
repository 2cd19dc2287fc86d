// Package i8042 models the keyboard controller of a PC as far as a machine
// without keyboard and mouse needs it: the reset line and the A20 gate in its
// output port, its self tests and its RAM (IBM Personal System/2 Hardware
// Interface Technical Reference, "Keyboard and Auxiliary Device Controller",
// 1991), and system control port A (92h), which has a faster reset and A20.
//
// Nothing is attached: a byte sent to the keyboard or the auxiliary device
// times out, which the status says and FEh in the output buffer.
//
// Deviation: commands and timeouts take no time. The A20 gate is one flag that
// both ports show and the last writer decides, as in other emulators; in some
// chip sets either port can hold the line high.
package i8042

import "alpinevm/devices"

// Bits of the status register (64h).
const (
	statusOBF     = 1 << 0
	statusSystem  = 1 << 2 // the self test has passed
	statusCommand = 1 << 3 // the last write was to 64h
	statusEnabled = 1 << 4 // the keyboard is not locked
	statusAux     = 1 << 5 // the output buffer is the auxiliary device's
	statusTimeout = 1 << 6
)

// Bits of the command byte, which is byte 0 of the RAM.
const (
	commandIRQ1     = 1 << 0
	commandIRQ12    = 1 << 1
	commandSystem   = 1 << 2
	commandNoKey    = 1 << 4
	commandNoAux    = 1 << 5
	commandKeyXlate = 1 << 6
)

// Bits of the output port and of port 92h.
const (
	outputNoReset = 1 << 0
	outputA20     = 1 << 1
	outputKey     = 1 << 4 // IRQ 1
	outputAux     = 1 << 5 // IRQ 12
	outputIdle    = 3 << 6 // keyboard clock and data

	fastReset = 1 << 0
	fastA20   = 1 << 1
)

// resend is what the buffer holds after a timeout.
const resend = 0xFE

// Config says what the controller is wired to. Each may be nil.
type Config struct {
	A20         func(enabled bool) // called when the gate changes, and by Reset
	Reset       func()             // the guest asks for a reset of the machine
	IRQ1, IRQ12 devices.IRQ
}

// State is the state of a controller.
type State struct {
	RAM     [32]uint8
	Buffer  uint8
	Status  uint8 // OBF, command, aux and timeout bits
	Pending uint8 // the command that waits for a byte in 60h, 0 for none
	A20     bool
	Fast    uint8 // bit 0 of port 92h
}

// I8042 is a keyboard controller.
type I8042 struct {
	s   State
	cfg Config
}

type noIRQ struct{}

func (noIRQ) Set(bool) {}

// New makes a controller in its reset state.
func New(cfg Config) *I8042 {
	if cfg.A20 == nil {
		cfg.A20 = func(bool) {}
	}
	if cfg.Reset == nil {
		cfg.Reset = func() {}
	}
	if cfg.IRQ1 == nil {
		cfg.IRQ1 = noIRQ{}
	}
	if cfg.IRQ12 == nil {
		cfg.IRQ12 = noIRQ{}
	}
	k := &I8042{cfg: cfg}
	k.Reset()
	return k
}

// Reset puts the controller into its power-on state, with A20 open.
func (k *I8042) Reset() {
	k.s = State{A20: true}
	k.s.RAM[0] = commandNoKey | commandNoAux | commandKeyXlate
	k.cfg.A20(true)
	k.interrupt()
}

// Save gives a copy of the state.
func (k *I8042) Save() State { return k.s }

// Restore puts back a saved state.
func (k *I8042) Restore(s State) error {
	k.s = s
	k.cfg.A20(s.A20)
	k.interrupt()
	return nil
}

// Data gives the data port (60h on a PC).
func (k *I8042) Data() devices.PortDevice {
	return devices.BytePorts{
		Read: func(uint16) uint8 {
			v := k.s.Buffer
			k.s.Status &^= statusOBF | statusAux | statusTimeout
			k.interrupt()
			return v
		},
		Write: func(_ uint16, v uint8) {
			k.s.Status &^= statusCommand
			k.data(v)
		},
	}
}

// Command gives the command and status port (64h on a PC).
func (k *I8042) Command() devices.PortDevice {
	return devices.BytePorts{
		Read: func(uint16) uint8 {
			v := k.s.Status | statusEnabled
			if k.s.RAM[0]&commandSystem != 0 {
				v |= statusSystem
			}
			return v
		},
		Write: func(_ uint16, v uint8) {
			k.s.Status |= statusCommand
			k.s.Pending = 0
			k.command(v)
		},
	}
}

// PortA gives the system control port A (92h on a PC).
func (k *I8042) PortA() devices.PortDevice {
	return devices.BytePorts{
		Read: func(uint16) uint8 {
			v := k.s.Fast
			if k.s.A20 {
				v |= fastA20
			}
			return v
		},
		Write: func(_ uint16, v uint8) {
			rise := v&^k.s.Fast&fastReset != 0
			k.s.Fast = v & fastReset
			k.gate(v&fastA20 != 0)
			if rise {
				k.cfg.Reset()
			}
		},
	}
}

// gate opens or shuts A20.
func (k *I8042) gate(open bool) {
	if open != k.s.A20 {
		k.s.A20 = open
		k.cfg.A20(open)
	}
}

// answer puts a byte into the output buffer.
func (k *I8042) answer(v, status uint8) {
	k.s.Buffer = v
	k.s.Status = k.s.Status&statusCommand | statusOBF | status
	k.interrupt()
}

// interrupt drives IRQ 1 and IRQ 12: the buffer is full, and the command byte
// enables the interrupt.
func (k *I8042) interrupt() {
	full, aux := k.s.Status&statusOBF != 0, k.s.Status&statusAux != 0
	k.cfg.IRQ1.Set(full && !aux && k.s.RAM[0]&commandIRQ1 != 0)
	k.cfg.IRQ12.Set(full && aux && k.s.RAM[0]&commandIRQ12 != 0)
}

// command serves a write to 64h. Those that the controller does not know do
// nothing.
func (k *I8042) command(v uint8) {
	switch {
	case v&0xE0 == 0x20: // read RAM; 20h is the command byte
		k.answer(k.s.RAM[v&0x1F], 0)
	case v&0xE0 == 0x60, v >= 0xD1 && v <= 0xD4: // a byte follows
		k.s.Pending = v
	case v >= 0xF0: // pulse the low bits of the output port
		if v&outputNoReset == 0 {
			k.cfg.Reset()
		}
	}
	switch v {
	case 0xA4: // is a password set?
		k.answer(0xF1, 0)
	case 0xA7:
		k.s.RAM[0] |= commandNoAux
	case 0xA8:
		k.s.RAM[0] &^= commandNoAux
	case 0xA9, 0xAB: // test of the auxiliary and the keyboard line: no fault
		k.answer(0, 0)
	case 0xAA: // self test
		k.s.RAM[0] |= commandSystem | commandNoKey | commandNoAux
		k.gate(true)
		k.answer(0x55, 0)
	case 0xAD:
		k.s.RAM[0] |= commandNoKey
	case 0xAE:
		k.s.RAM[0] &^= commandNoKey
	case 0xC0: // input port: not locked
		k.answer(0x80, 0)
	case 0xD0:
		k.answer(k.outputPort(), 0)
	case 0xDD:
		k.gate(false)
	case 0xDF:
		k.gate(true)
	case 0xE0: // test inputs: keyboard clock and data, low as nothing pulls
		k.answer(0, 0)
	}
}

// data serves a write to 60h: the byte that a command waits for, or one for
// the keyboard.
func (k *I8042) data(v uint8) {
	command := k.s.Pending
	k.s.Pending = 0
	switch {
	case command&0xE0 == 0x60:
		k.s.RAM[command&0x1F] = v
		k.interrupt()
	case command == 0xD1:
		k.gate(v&outputA20 != 0)
		if v&outputNoReset == 0 {
			k.cfg.Reset()
		}
	case command == 0xD2: // as if the keyboard had sent it
		k.answer(v, 0)
	case command == 0xD3: // as if the auxiliary device had
		k.answer(v, statusAux)
	case command == 0xD4:
		k.s.RAM[0] &^= commandNoAux
		k.answer(resend, statusAux|statusTimeout)
	default:
		k.s.RAM[0] &^= commandNoKey
		k.answer(resend, statusTimeout)
	}
}

// outputPort is the output port as command D0h reads it.
func (k *I8042) outputPort() uint8 {
	v := uint8(outputNoReset | outputIdle)
	if k.s.A20 {
		v |= outputA20
	}
	switch k.s.Status & (statusOBF | statusAux) {
	case statusOBF:
		v |= outputKey
	case statusOBF | statusAux:
		v |= outputAux
	}
	return v
}
