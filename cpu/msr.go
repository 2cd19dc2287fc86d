package cpu

import "alpinevm/cpu/x86"

// Model-specific registers (SDM vol. 4). What is not in the table raises #GP(0).

func msrFamily() family {
	return family{
		x86.RDMSR: always(rdmsr),
		x86.WRMSR: always(wrmsr),
	}
}

// msr is how one register is read and written. A nil write makes it read-only; a
// write that is false raises #GP(0).
type msr struct {
	read  func(*CPU) uint64
	write func(*CPU, uint64) bool
}

// fits32 says whether v has no more than 32 bits.
func fits32(v uint64) bool { return v>>32 == 0 }

// register32 is an msr of 32 bits that every value may be written to.
func register32(p func(*CPU) *uint32) msr {
	return msr{
		func(c *CPU) uint64 { return uint64(*p(c)) },
		func(c *CPU, v uint64) bool {
			if fits32(v) {
				*p(c) = uint32(v)
			}
			return fits32(v)
		},
	}
}

// sysenter32 is register32 for the addresses of SYSENTER, whose upper half
// 32-bit processors ignore.
func sysenter32(p func(*CPU) *uint32) msr {
	m := register32(p)
	m.write = func(c *CPU, v uint64) bool { *p(c) = uint32(v); return true }
	return m
}

func zero(*CPU) uint64 { return 0 }

const (
	miscFastStrings = 1 << 0 // IA32_MISC_ENABLE
	platformID      = 1 << 50
)

var msrs = map[uint32]msr{
	0x10: { // IA32_TIME_STAMP_COUNTER
		(*CPU).timestamp,
		func(c *CPU, v uint64) bool {
			c.TSCOffset += v - c.timestamp()
			return true
		},
	},
	0x17: {func(*CPU) uint64 { return platformID }, nil}, // IA32_PLATFORM_ID
	0x8b: { // IA32_BIOS_SIGN_ID: software clears it, CPUID fills it in
		func(c *CPU) uint64 { return c.MicrocodeRev },
		func(c *CPU, v uint64) bool { c.MicrocodeRev = v; return true },
	},
	0xfe:  {zero, nil}, // IA32_MTRRCAP: no ranges
	0x174: sysenter32(func(c *CPU) *uint32 { return &c.SysenterCS }),
	0x175: sysenter32(func(c *CPU) *uint32 { return &c.SysenterESP }),
	0x176: sysenter32(func(c *CPU) *uint32 { return &c.SysenterEIP }),
	0x1a0: { // IA32_MISC_ENABLE: what can be disabled is not there
		func(c *CPU) uint64 { return c.MiscEnable },
		func(c *CPU, v uint64) bool { c.MiscEnable = v & miscFastStrings; return true },
	},
	// IA32_DEBUGCTL. Deviation: neither branch trace nor branch step exist,
	// and asking for them is refused.
	0x1d9: {zero, func(_ *CPU, v uint64) bool { return v == 0 }},
	0x277: {func(c *CPU) uint64 { return c.PAT }, writePAT}, // IA32_PAT
	0xc0000080: { // IA32_EFER
		func(c *CPU) uint64 { return c.EFER },
		func(c *CPU, v uint64) bool {
			if v&^uint64(eferNXE) != 0 {
				return false
			}
			if c.EFER != v {
				c.EFER = v
				c.flushTLB(true)
			}
			return true
		},
	},
	0xc0000103: register32(func(c *CPU) *uint32 { return &c.TSCAux }), // IA32_TSC_AUX
}

// writePAT accepts the memory types 0, 1 and 4 to 7 (SDM vol. 3A table 12-10).
// They change nothing, as there is no cache.
func writePAT(c *CPU, v uint64) bool {
	for i := range 8 {
		if t := v >> (8 * i) & 0xff; t > 7 || t == 2 || t == 3 {
			return false
		}
	}
	c.PAT = v
	return true
}

func rdmsr(c *CPU, o *op) status {
	if st, ok := c.exact(); !ok {
		return st
	}
	m, ok := msrs[c.R[ecx]]
	if !ok {
		return c.raiseCode(vecGP, 0)
	}
	v := m.read(c)
	c.R[eax], c.R[edx] = uint32(v), uint32(v>>32)
	return next
}

func wrmsr(c *CPU, o *op) status {
	if st, ok := c.exact(); !ok {
		return st
	}
	m, ok := msrs[c.R[ecx]]
	if !ok || m.write == nil || !m.write(c, uint64(c.R[edx])<<32|uint64(c.R[eax])) {
		return c.raiseCode(vecGP, 0)
	}
	return c.resume(o)
}
