// Package debugport holds the ports by which test ROMs and firmware talk to
// whoever watches: the debug console of Bochs (E9h) and of SeaBIOS (402h), the
// POST code display (80h, 190h) and a port that ends the machine, like QEMU's
// isa-debug-exit. They are conventions, not chips.
package debugport

import "alpinevm/devices"

// present is what a read from a debug console gives, so that a program can see
// that there is one.
const present = 0xE9

// Console is one port: each byte written goes to put.
func Console(put func(b byte)) devices.PortDevice {
	return devices.BytePorts{
		Read:  func(uint16) uint8 { return present },
		Write: func(_ uint16, v uint8) { put(v) },
	}
}

// POST is one port that shows the last byte written to it.
type POST struct {
	s    State
	show func(code uint8)
}

// State is the state of a POST port.
type State struct{ Code uint8 }

// NewPOST makes a POST port. show, if not nil, is called with each code.
func NewPOST(show func(code uint8)) *POST { return &POST{show: show} }

// Reset clears the code.
func (p *POST) Reset() { p.s = State{} }

// Save gives a copy of the state.
func (p *POST) Save() State { return p.s }

// Restore puts back a saved state.
func (p *POST) Restore(s State) error {
	p.s = s
	return nil
}

// Port gives the port.
func (p *POST) Port() devices.PortDevice {
	return devices.BytePorts{
		Read: func(uint16) uint8 { return p.s.Code },
		Write: func(_ uint16, v uint8) {
			p.s.Code = v
			if p.show != nil {
				p.show(v)
			}
		},
	}
}

// Exit is up to four ports: what is written, of whatever size, goes to exit.
func Exit(exit func(v uint32)) devices.PortDevice { return exitPort(exit) }

type exitPort func(v uint32)

// In implements devices.PortDevice.
func (e exitPort) In(uint16, int) uint32 { return 0 }

// Out implements devices.PortDevice.
func (e exitPort) Out(_ uint16, _ int, v uint32) { e(v) }
