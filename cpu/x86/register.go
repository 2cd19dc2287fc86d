package x86

// Bits of EFLAGS (SDM vol. 1, 3.4.3).
const (
	FlagCF   = 1 << 0
	FlagOne  = 1 << 1 // reads as 1
	FlagPF   = 1 << 2
	FlagAF   = 1 << 4
	FlagZF   = 1 << 6
	FlagSF   = 1 << 7
	FlagTF   = 1 << 8
	FlagIF   = 1 << 9
	FlagDF   = 1 << 10
	FlagOF   = 1 << 11
	FlagIOPL = 3 << 12
	FlagNT   = 1 << 14
	FlagRF   = 1 << 16
	FlagVM   = 1 << 17
	FlagAC   = 1 << 18
	FlagVIF  = 1 << 19
	FlagVIP  = 1 << 20
	FlagID   = 1 << 21

	// FlagsArith is the six status flags.
	FlagsArith = FlagCF | FlagPF | FlagAF | FlagZF | FlagSF | FlagOF
)

// Condition codes: the low four bits of the opcodes of JCC, SETCC and CMOVCC
// (SDM vol. 1, appendix B).
const (
	CondO = iota
	CondNO
	CondB
	CondAE
	CondE
	CondNE
	CondBE
	CondA
	CondS
	CondNS
	CondP
	CondNP
	CondL
	CondGE
	CondLE
	CondG
)

var (
	reg8Names  = [8]string{"AL", "CL", "DL", "BL", "AH", "CH", "DH", "BH"}
	reg16Names = [8]string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"}
	reg32Names = [8]string{"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"}
	segNames   = [8]string{"ES", "CS", "SS", "DS", "FS", "GS", "?6", "?7"}
	condNames  = [16]string{"O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"}
	fcondNames = [8]string{"B", "E", "BE", "U", "NB", "NE", "NBE", "NU"}
)

// RegName returns the name of general register n of 1, 2 or 4 bytes.
func RegName(n uint8, size uint8) string {
	switch size {
	case 1:
		return reg8Names[n&7]
	case 2:
		return reg16Names[n&7]
	}
	return reg32Names[n&7]
}

// SegName returns the name of segment register n.
func SegName(n uint8) string { return segNames[n&7] }

// CondName returns the suffix of condition code n: "NE", "BE".
func CondName(n uint8) string { return condNames[n&15] }
