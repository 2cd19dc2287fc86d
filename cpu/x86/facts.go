package x86

// What an engine has to know of an instruction beyond its operands and flags.
// Engines make blocks by these answers and have none of their own.

// Row is the instruction's row of the table.
func (in *Inst) Row() *FormRow { return &Forms[in.Form] }

// Ends says that a block ends behind the instruction: control may go elsewhere,
// or what blocks are made under may have changed: the mode, translations, which
// events are recognised. Every load of a segment register is among them.
func (in *Inst) Ends() bool { return in.Row().Flags&Ends != 0 || in.Alone() }

// Alone says that the instruction needs the exact count of retired
// instructions, since it looks at the time, reaches devices or can be
// interrupted in its middle. It is a block of its own.
func (in *Inst) Alone() bool {
	f := in.Row().Flags
	return f&Alone != 0 || f&String != 0 && in.Prefix&(PrefixRep|PrefixRepne) != 0
}

// MayFault says that the instruction can raise an exception, or a data
// breakpoint, and so lets EFLAGS be seen. Of branches to a place that the
// instruction holds, and JMP to a register, it says no, though a target beyond
// the limit of CS faults: whoever has such a segment must add that.
func (in *Inst) MayFault() bool {
	switch {
	case !calm[in.Op]:
		return true
	case in.Op == AAM:
		return in.Imm&0xff == 0
	case in.Op == LEA, in.Op == NOP, in.Op == PREFETCH:
		return false // nothing is accessed
	}
	return in.Mem || in.Row().Args[0] == Sw
}

// calm are the mnemonics that raise no exception but for a memory operand; MOV
// to a segment register and AAM of base 0 besides.
var calm = [numOps]bool{
	ADD: true, OR: true, ADC: true, SBB: true, AND: true, SUB: true, XOR: true, CMP: true, TEST: true,
	INC: true, DEC: true, NEG: true, NOT: true, MUL: true, IMUL: true,
	ROL: true, ROR: true, RCL: true, RCR: true, SHL: true, SHR: true, SAR: true, SHLD: true, SHRD: true,
	BT: true, BTS: true, BTR: true, BTC: true, BSF: true, BSR: true, BSWAP: true,
	DAA: true, DAS: true, AAA: true, AAS: true, AAM: true, AAD: true,
	MOV: true, MOVZX: true, MOVSX: true, LEA: true, XCHG: true, XADD: true, CMPXCHG: true, CMOVCC: true, SETCC: true,
	CBW: true, CWD: true, SALC: true, LAHF: true, SAHF: true,
	CLC: true, STC: true, CMC: true, CLD: true, STD: true,
	JCC: true, JMP: true, LOOP: true, LOOPE: true, LOOPNE: true, JECXZ: true,
	POPCNT: true, CRC32: true, MOVBE: true,
	NOP: true, PAUSE: true, CPUID: true, PREFETCH: true, LFENCE: true, MFENCE: true, SFENCE: true,
}
