package cpu

import "alpinevm/cpu/x86"

// Counters and random numbers.

func counterFamily() family {
	return family{
		x86.RDTSC:  always(rdtsc),
		x86.RDTSCP: always(rdtscp),
		x86.RDPMC:  always(rdpmc),
		x86.RDRAND: always(random),
		x86.RDSEED: always(random),
	}
}

// timestamp is the time-stamp counter; the count of retired instructions must be
// exact.
func (c *CPU) timestamp() uint64 {
	if c.tsc == nil {
		return c.Retired + c.TSCOffset
	}
	return c.tsc() + c.TSCOffset
}

func rdtsc(c *CPU, o *op) status {
	if c.CR4&cr4TSD != 0 && c.CPL != 0 {
		return c.raiseCode(vecGP, 0)
	}
	if st, ok := c.exact(); !ok {
		return st
	}
	t := c.timestamp()
	c.R[eax], c.R[edx] = uint32(t), uint32(t>>32)
	return next
}

func rdtscp(c *CPU, o *op) status {
	st := rdtsc(c, o)
	if st == next {
		c.R[ecx] = c.TSCAux
	}
	return st
}

// rdpmc: there are no performance counters to name, as CPUID leaf 0Ah says.
func rdpmc(c *CPU, o *op) status { return c.raiseCode(vecGP, 0) }

// random always succeeds: CF says so, the other flags are cleared.
func random(c *CPU, o *op) status {
	c.writeReg(o.rm, 0, c.random(), o.size)
	c.SetArith(flagCF)
	return next
}
