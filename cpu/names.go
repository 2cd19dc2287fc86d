package cpu

import "alpinevm/cpu/x86"

// Short names for what is written everywhere.
const (
	segES = x86.ES
	segCS = x86.CS
	segSS = x86.SS
	segDS = x86.DS

	eax = x86.EAX
	ecx = x86.ECX
	edx = x86.EDX
	ebx = x86.EBX
	esp = x86.ESP
	ebp = x86.EBP
	esi = x86.ESI
	edi = x86.EDI

	flagCF = x86.FlagCF
	flagPF = x86.FlagPF
	flagAF = x86.FlagAF
	flagZF = x86.FlagZF
	flagSF = x86.FlagSF
	flagTF = x86.FlagTF
	flagIF = x86.FlagIF
	flagDF = x86.FlagDF
	flagOF = x86.FlagOF
	flagNT = x86.FlagNT
	flagRF = x86.FlagRF
	flagVM = x86.FlagVM
	flagAC = x86.FlagAC
)

// Bits of CR0 (SDM vol. 3A 2.5).
const (
	cr0PE = 1 << 0
	cr0MP = 1 << 1
	cr0EM = 1 << 2
	cr0TS = 1 << 3
	cr0ET = 1 << 4
	cr0NE = 1 << 5
	cr0WP = 1 << 16
	cr0AM = 1 << 18
	cr0NW = 1 << 29
	cr0CD = 1 << 30
	cr0PG = 1 << 31
)

// Bits of CR4.
const (
	cr4VME        = 1 << 0
	cr4PVI        = 1 << 1
	cr4TSD        = 1 << 2
	cr4DE         = 1 << 3
	cr4PSE        = 1 << 4
	cr4PAE        = 1 << 5
	cr4MCE        = 1 << 6
	cr4PGE        = 1 << 7
	cr4PCE        = 1 << 8
	cr4OSFXSR     = 1 << 9
	cr4OSXMMEXCPT = 1 << 10
)

// Bits of EFER.
const (
	eferNXE = 1 << 11
)

// Exception vectors (SDM vol. 3A table 6-1).
const (
	vecDE uint8 = 0
	vecDB uint8 = 1
	vecBP uint8 = 3
	vecOF uint8 = 4
	vecBR uint8 = 5
	vecUD uint8 = 6
	vecNM uint8 = 7
	vecDF uint8 = 8
	vecTS uint8 = 10
	vecNP uint8 = 11
	vecSS uint8 = 12
	vecGP uint8 = 13
	vecPF uint8 = 14
	vecMF uint8 = 16
	vecAC uint8 = 17
	vecXM uint8 = 19

	// vecRetry is no exception: the instruction needs to run with exact
	// counts, alone.
	vecRetry uint8 = 255
)

// raise records an exception without error code.
func (c *CPU) raise(vector uint8) status {
	c.Fault = Fault{Vector: vector}
	return faulted
}

// raiseCode records an exception with an error code.
func (c *CPU) raiseCode(vector uint8, code uint32) status {
	c.Fault = Fault{Vector: vector, Code: code, HasCode: true}
	return faulted
}

// pageFault records #PF at lin.
func (c *CPU) pageFault(lin, code uint32) {
	c.CR2 = lin
	c.raiseCode(vecPF, code)
}

// retry asks for the instruction to be executed again, alone, so that
// State.Retired is exact when a device or a counter looks at the time. It
// stands in a path that has changed nothing yet.
func (c *CPU) retry() { c.Fault = Fault{Vector: vecRetry} }

// exact says whether State.Retired is exact; where it is not, the handler must
// return at once what exact returns.
func (c *CPU) exact() (status, bool) {
	if c.precise {
		return next, true
	}
	c.retry()
	return faulted, false
}
