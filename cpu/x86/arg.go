package x86

// Arg is the kind of one operand. The names follow SDM vol. 2D appendix A:
// a capital for where the operand is, then its size. v is 2 or 4 bytes by
// OpSize.
type Arg uint8

// Operand kinds.
const (
	None Arg = iota

	// General register or memory by ModRM.mod and ModRM.rm.
	Eb
	Ew
	Ed
	Ev
	RvMw // register of OpSize, or 2 bytes of memory
	RdMw // 32-bit register of which the low half counts, or 2 bytes of memory
	RdMb // 32-bit register of which the low byte counts, or 1 byte of memory

	// General register in ModRM.reg.
	Gb
	Gw
	Gd
	Gv

	// General register in ModRM.rm, whatever mod says.
	Rd
	Rv

	// General register in the opcode, in Inst.Reg.
	Zb
	Zv

	// Implied operands.
	AL
	RAX // AX or EAX by OpSize
	AX
	CL
	DX
	One

	// Immediates and branch displacements.
	Ib  // zero-extended
	Ibs // sign-extended to OpSize
	Iw
	Iz // 2 or 4 bytes
	Jb
	Jz
	Ap // far pointer: offset in Imm, selector in Imm2

	// Memory only.
	M    // an address, nothing is accessed (or what Op says, as INVLPG)
	Mb   // 1 byte
	Mw   // 2 bytes
	Md   // 4 bytes
	Mq   // 8 bytes
	Mdq  // 16 bytes, aligned
	Mdqu // 16 bytes, any alignment
	Mp   // far pointer: offset of OpSize, then selector
	Ma   // BOUND: two limits of OpSize
	Ms   // pseudo-descriptor: 2 bytes of limit, 4 of base
	Mf32
	Mf64
	Mf80
	Mi16
	Mi32
	Mi64
	Mbcd  // 10 bytes
	Menv  // x87 environment: 14 or 28 bytes by OpSize
	Msave // x87 state: 94 or 108 bytes by OpSize
	Mfx   // FXSAVE area: 512 bytes, aligned to 16

	// Memory at an address in the instruction, in Inst.Disp.
	Ob
	Ov

	// String operands: X is Seg:(E)SI, Y is ES:(E)DI.
	Xb
	Xv
	Yb
	Yv

	// Segment, control and debug registers. The implied ones are in Inst.Reg.
	Sw
	SegES
	SegCS
	SegSS
	SegDS
	SegFS
	SegGS
	Cd
	Dd

	// x87 registers. STi is in Inst.RM.
	ST0
	STi

	// MMX registers: P in ModRM.reg, N in ModRM.rm, Q in ModRM.rm or memory.
	Pq
	Nq
	Qq
	Qd // of memory 4 bytes

	// XMM registers: V in ModRM.reg, U in ModRM.rm, W in ModRM.rm or memory. A
	// 16-byte memory operand must be aligned except where the name ends in u.
	Vx
	Ux
	Wss  // 4 bytes, one single
	Wsd  // 8 bytes, one double
	Wps  // 16 bytes, four singles
	Wpd  // 16 bytes, two doubles
	Wpsu // unaligned
	Wpdu // unaligned
	Wps2 // 8 bytes, two singles
	Wdq  // 16 bytes of integers
	Wdqu // unaligned
	Wq   // 8 bytes of integers
	Wd   // 4 bytes of integers
	Ww   // 2 bytes of integers
	XMM0 // the register of that number, implied

	numArgs
)

// sizeV in a row of argTable stands for OpSize.
const sizeV = 0xFF

// Properties of operand kinds.
const (
	argMem   = 1 << iota // memory where Inst.Mem is set
	argModRM             // needs a ModRM byte
	argGPR               // a general register, or memory of its size
	argForce             // ModRM.rm is a register whatever mod says
	argAlign             // memory must be aligned to 16
	argOp                // takes part in choosing between byte and OpSize
	argXMM
	argMMX
)

type argRow struct {
	name string
	size uint8 // bytes of memory or register; sizeV for OpSize
	prop uint8
}

var argTable = [numArgs]argRow{
	None:  {"", 0, 0},
	Eb:    {"Eb", 1, argMem | argModRM | argGPR | argOp},
	Ew:    {"Ew", 2, argMem | argModRM | argGPR},
	Ed:    {"Ed", 4, argMem | argModRM | argGPR},
	Ev:    {"Ev", sizeV, argMem | argModRM | argGPR | argOp},
	RvMw:  {"Rv/Mw", 2, argMem | argModRM | argGPR | argOp},
	RdMw:  {"Rd/Mw", 2, argMem | argModRM | argGPR},
	RdMb:  {"Rd/Mb", 1, argMem | argModRM | argGPR},
	Gb:    {"Gb", 1, argModRM | argGPR | argOp},
	Gw:    {"Gw", 2, argModRM | argGPR},
	Gd:    {"Gd", 4, argModRM | argGPR},
	Gv:    {"Gv", sizeV, argModRM | argGPR | argOp},
	Rd:    {"Rd", 4, argModRM | argGPR | argForce},
	Rv:    {"Rv", sizeV, argModRM | argGPR | argForce | argOp},
	Zb:    {"Zb", 1, argGPR | argOp},
	Zv:    {"Zv", sizeV, argGPR | argOp},
	AL:    {"AL", 1, argOp},
	RAX:   {"rAX", sizeV, argOp},
	AX:    {"AX", 2, 0},
	CL:    {"CL", 1, 0},
	DX:    {"DX", 2, 0},
	One:   {"1", 0, 0},
	Ib:    {"Ib", 1, 0},
	Ibs:   {"Ibs", 1, 0},
	Iw:    {"Iw", 2, 0},
	Iz:    {"Iz", sizeV, 0},
	Jb:    {"Jb", 1, 0},
	Jz:    {"Jz", sizeV, 0},
	Ap:    {"Ap", 0, 0},
	M:     {"M", 0, argMem | argModRM},
	Mb:    {"Mb", 1, argMem | argModRM},
	Mw:    {"Mw", 2, argMem | argModRM},
	Md:    {"Md", 4, argMem | argModRM},
	Mq:    {"Mq", 8, argMem | argModRM},
	Mdq:   {"Mdq", 16, argMem | argModRM | argAlign},
	Mdqu:  {"Mdqu", 16, argMem | argModRM},
	Mp:    {"Mp", 0, argMem | argModRM},
	Ma:    {"Ma", 0, argMem | argModRM},
	Ms:    {"Ms", 6, argMem | argModRM},
	Mf32:  {"Mf32", 4, argMem | argModRM},
	Mf64:  {"Mf64", 8, argMem | argModRM},
	Mf80:  {"Mf80", 10, argMem | argModRM},
	Mi16:  {"Mi16", 2, argMem | argModRM},
	Mi32:  {"Mi32", 4, argMem | argModRM},
	Mi64:  {"Mi64", 8, argMem | argModRM},
	Mbcd:  {"Mbcd", 10, argMem | argModRM},
	Menv:  {"Menv", 0, argMem | argModRM},
	Msave: {"Msave", 0, argMem | argModRM},
	Mfx:   {"Mfx", 0, argMem | argModRM | argAlign},
	Ob:    {"Ob", 1, argMem | argOp},
	Ov:    {"Ov", sizeV, argMem | argOp},
	Xb:    {"Xb", 1, argOp},
	Xv:    {"Xv", sizeV, argOp},
	Yb:    {"Yb", 1, argOp},
	Yv:    {"Yv", sizeV, argOp},
	Sw:    {"Sw", 2, argModRM},
	SegES: {"ES", 2, 0},
	SegCS: {"CS", 2, 0},
	SegSS: {"SS", 2, 0},
	SegDS: {"DS", 2, 0},
	SegFS: {"FS", 2, 0},
	SegGS: {"GS", 2, 0},
	Cd:    {"Cd", 4, argModRM},
	Dd:    {"Dd", 4, argModRM},
	ST0:   {"ST0", 10, 0},
	STi:   {"STi", 10, argModRM},
	Pq:    {"Pq", 8, argModRM | argMMX},
	Nq:    {"Nq", 8, argModRM | argMMX},
	Qq:    {"Qq", 8, argMem | argModRM | argMMX},
	Qd:    {"Qd", 4, argMem | argModRM | argMMX},
	Vx:    {"Vx", 16, argModRM | argXMM},
	Ux:    {"Ux", 16, argModRM | argXMM},
	Wss:   {"Wss", 4, argMem | argModRM | argXMM},
	Wsd:   {"Wsd", 8, argMem | argModRM | argXMM},
	Wps:   {"Wps", 16, argMem | argModRM | argXMM | argAlign},
	Wpd:   {"Wpd", 16, argMem | argModRM | argXMM | argAlign},
	Wpsu:  {"Wpsu", 16, argMem | argModRM | argXMM},
	Wpdu:  {"Wpdu", 16, argMem | argModRM | argXMM},
	Wps2:  {"Wps2", 8, argMem | argModRM | argXMM},
	Wdq:   {"Wdq", 16, argMem | argModRM | argXMM | argAlign},
	Wdqu:  {"Wdqu", 16, argMem | argModRM | argXMM},
	Wq:    {"Wq", 8, argMem | argModRM | argXMM},
	Wd:    {"Wd", 4, argMem | argModRM | argXMM},
	Ww:    {"Ww", 2, argMem | argModRM | argXMM},
	XMM0:  {"XMM0", 16, 0},
}

// String returns the name of the kind as SDM vol. 2D appendix A writes it.
func (a Arg) String() string {
	if a >= numArgs {
		return "?"
	}
	return argTable[a].name
}

// Size returns the bytes of memory that the operand occupies where it is in
// memory, or of its register where it cannot be, for an instruction of the given
// OpSize. It is 0 for an operand that is neither, as an address or a far pointer
// in the instruction. A register operand of RvMw has opSize bytes.
func (a Arg) Size(opSize uint8) int {
	v := int(opSize)
	switch a {
	case Mp:
		return v + 2
	case Ma:
		return 2 * v
	case Menv:
		return 7 * v
	case Msave:
		return 7*v + 80
	case Mfx:
		return 512
	}
	if n := argTable[a].size; n != sizeV {
		return int(n)
	}
	return v
}

// Memory reports whether the operand is the ModRM operand (or moffs), which is
// in memory where Inst.Mem is set.
func (a Arg) Memory() bool { return argTable[a].prop&argMem != 0 }

// ModRM reports whether the operand is encoded in a ModRM byte.
func (a Arg) ModRM() bool { return argTable[a].prop&argModRM != 0 }

// Aligned reports whether the operand in memory raises #GP where it is not
// aligned to 16 bytes.
func (a Arg) Aligned() bool { return argTable[a].prop&argAlign != 0 }

// XMM reports whether the operand is an XMM register or memory in its place.
func (a Arg) XMM() bool { return argTable[a].prop&argXMM != 0 }

// MMX reports whether the operand is an MMX register or memory in its place.
func (a Arg) MMX() bool { return argTable[a].prop&argMMX != 0 }

// GPR reports whether the operand is a general register encoded in the
// instruction, or memory in its place.
func (a Arg) GPR() bool { return argTable[a].prop&argGPR != 0 }
