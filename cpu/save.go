package cpu

import (
	"errors"
	"fmt"

	"alpinevm/cpu/x86"
)

// Save gives a copy of the state, between two Runs. Translations that are cached
// are not part of it.
func (c *CPU) Save() State {
	s := c.State
	s.clearTLB()
	return s
}

// Restore puts a saved state into the CPU, between two Runs, its memory and ROM
// being restored already. It refuses, with nothing changed, what no processor
// can have saved.
func (c *CPU) Restore(s State) error {
	if err := s.check(); err != nil {
		return err
	}
	s.clearTLB()
	c.State = s
	c.Reload()
	return nil
}

// lastRetired is far from where the sum of counts overflows.
const lastRetired = 1 << 62

// check says what is wrong with a state that comes from elsewhere, as far as it
// could lead the engine astray.
func (s *State) check() error {
	for i := x86.NoReg; i < len(s.R); i++ {
		if s.R[i] != 0 {
			return fmt.Errorf("cpu: state: register slot %d is %#x, want 0", i, s.R[i])
		}
	}
	switch {
	case s.CPL > 3:
		return fmt.Errorf("cpu: state: CPL is %d", s.CPL)
	case s.Flags&reservedFlags != 0 || s.Flags&x86.FlagOne == 0:
		return fmt.Errorf("cpu: state: EFLAGS without its arithmetic flags is %#x", s.Flags)
	case s.CR0&^uint32(cr0Bits) != 0 || s.CR0&(cr0PG|cr0PE) == cr0PG:
		return fmt.Errorf("cpu: state: CR0 is %#x", s.CR0)
	case s.CR4&^uint32(cr4Bits) != 0:
		return fmt.Errorf("cpu: state: CR4 is %#x", s.CR4)
	case s.EFER&^uint64(eferNXE) != 0:
		return fmt.Errorf("cpu: state: EFER is %#x", s.EFER)
	case s.FPU.MXCSR&^mxcsrMask != 0:
		return fmt.Errorf("cpu: state: MXCSR is %#x", s.FPU.MXCSR)
	case s.Retired > lastRetired:
		return errors.New("cpu: state: more instructions have retired than can be counted")
	}
	return nil
}
