package cpu

import "alpinevm/cpu/x86"

// MXCSR, cacheability and ordering. Caches are not modelled and memory is
// ordered, so that fences and prefetches do nothing, and non-temporal stores are
// stores.

func sseControlFamily() family {
	return family{
		x86.LDMXCSR: always(ldmxcsr), x86.STMXCSR: always(stmxcsr),
		x86.LFENCE: always(nop), x86.MFENCE: always(nop), x86.SFENCE: always(nop), x86.PREFETCH: always(nop),
		x86.CLFLUSH: always(clflush), x86.MOVNTI: always(movnti),
	}
}

func ldmxcsr(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	v, ok := c.rmLoad(o, 4)
	if !ok {
		return faulted
	}
	if v&^mxcsrMask != 0 {
		return c.raiseCode(vecGP, 0)
	}
	c.FPU.MXCSR = v
	return next
}

func stmxcsr(c *CPU, o *op) status {
	if !c.sse() {
		return faulted
	}
	return c.rmStore(o, c.FPU.MXCSR, 4)
}

// clflush faults as a load of a byte does (SDM vol. 2A, CLFLUSH).
//
// Deviation: it cannot flush lines of a segment that is execute-only.
func clflush(c *CPU, o *op) status {
	lin, ok := c.linRead(o, 1)
	if !ok || !c.readable(lin, 1) {
		return faulted
	}
	return next
}

// movnti is enabled whatever CR0 and CR4 say.
func movnti(c *CPU, o *op) status { return c.rmStore(o, c.R[o.reg&7], 4) }
