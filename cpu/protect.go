package cpu

import "alpinevm/cpu/x86"

// What keeps supervisor and user apart beyond the rights of pages. SMEP and SMAP
// (SDM vol. 3A 4.6.1), where the supervisor may not execute, or read and write,
// what is the user's, are enforced by permit; EFLAGS.AC lifts SMAP for
// instructions, not for the processor's own accesses. UMIP (SDM vol. 3A 2.5) hides
// the addresses of system tables from the user.

func protectFamily() family {
	return family{
		x86.STAC: always(stac),
		x86.CLAC: always(clac),
	}
}

func stac(c *CPU, o *op) status { return c.lift(flagAC) }
func clac(c *CPU, o *op) status { return c.lift(0) }

// lift sets AC. It is for the supervisor's kernel alone (SDM vol. 2B, STAC).
func (c *CPU) lift(ac uint32) status {
	if c.CPL != 0 {
		return c.raise(vecUD)
	}
	c.Flags = c.Flags&^flagAC | ac
	c.chooseTLB()
	return next
}

// mayReveal says whether SGDT, SIDT, SLDT, STR and SMSW may be executed, else
// #GP(0) is recorded.
func (c *CPU) mayReveal() bool {
	if c.CPL == 0 || c.CR4&cr4UMIP == 0 {
		return true
	}
	c.raiseCode(vecGP, 0)
	return false
}
