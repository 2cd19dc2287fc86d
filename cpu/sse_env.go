package cpu

import "alpinevm/cpu/softfloat"

// sseEnv is the arithmetic environment that MXCSR describes, kept for as long
// as MXCSR stays the same.
type sseEnv struct {
	softfloat.Env
	key uint32 // the MXCSR that Env is made of, and sseEnvValid
}

const sseEnvValid = 1 << 31

// sseEnv gives the environment, its flags clear. Whoever uses it calls settle.
func (c *CPU) sseEnv() *softfloat.Env {
	if key := c.FPU.MXCSR | sseEnvValid; c.floats.key != key {
		c.floats = sseEnv{softfloat.FromMXCSR(c.FPU.MXCSR), key}
	}
	return &c.floats.Env
}

// settle records in MXCSR what the operations of one instruction raised in e. It
// says false, with the exception recorded, where any of that is not masked: the
// destination must stay as it is then.
func (c *CPU) settle(e *softfloat.Env) bool { return e.Flags == 0 || c.simdExceptions(e) }

// simdExceptions is settle for an instruction that raised anything. Exceptions
// of all lanes are joined; if one that is detected before the computation is
// not masked, no lane is computed (SDM vol. 1, 11.5.3).
func (c *CPU) simdExceptions(e *softfloat.Env) bool {
	const (
		before = softfloat.IE | softfloat.DE | softfloat.ZE
		all    = before | softfloat.OE | softfloat.UE | softfloat.PE
	)
	f := e.Flags & all
	e.Flags = 0
	if f&before&^e.Masks != 0 {
		f &= before
	}
	c.FPU.MXCSR |= uint32(f)
	if f&^e.Masks == 0 {
		return true
	}
	if c.CR4&cr4OSXMMEXCPT != 0 {
		c.raise(vecXM)
	} else {
		c.raise(vecUD)
	}
	return false
}
