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
	cr4UMIP       = 1 << 11
	cr4SMEP       = 1 << 20
	cr4SMAP       = 1 << 21
)

// Bits of EFER.
const (
	eferNXE = 1 << 11
)
