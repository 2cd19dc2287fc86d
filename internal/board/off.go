package board

import (
	"alpinevm/bios"
	"alpinevm/cpu/x86"
)

// yield makes the processor stop at the next instruction.
func (b *Board) yield() {
	b.yielded = true
	b.cpu.Yield()
}

// SwitchOff takes the power away, behind the current instruction.
func (b *Board) SwitchOff() {
	b.off = true
	b.yield()
}

// end switches the board off and tells it by hook, unless it is off already.
func (b *Board) end(hook func()) {
	if !b.off && hook != nil {
		hook()
	}
	b.SwitchOff()
}

// powerOff is the guest's wish.
func (b *Board) powerOff() { b.end(b.cfg.Hooks.PowerOff) }

// halted is a halt that no interrupt ends: Linux's, or what is in the place of a
// BIOS.
func (b *Board) halted() {
	s := &b.cpu.State
	interrupt, called := bios.CalledBIOS(s.Seg[x86.CS].Sel, uint16(s.EIP))
	if !called || s.CR0&1 != 0 || b.cfg.Hooks.NoBIOS == nil {
		b.powerOff()
		return
	}
	b.end(func() { b.cfg.Hooks.NoBIOS(interrupt) })
}

// tripleFault is the shutdown cycle on the bus.
func (b *Board) tripleFault() { b.end(b.cfg.Hooks.TripleFault) }

// failed is the end of a board that could not start again.
func (b *Board) failed(err error) {
	b.end(func() {
		if f := b.cfg.Hooks.Failed; f != nil {
			f(err)
		}
	})
}

// reset is the RESET line of the board.
func (b *Board) reset() {
	if f := b.cfg.Hooks.Reset; f != nil && !f() {
		b.SwitchOff()
		return
	}
	b.resetting = true
	b.yield()
}
