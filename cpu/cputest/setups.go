package cputest

import (
	"encoding/binary"

	"alpinevm/cpu/x86"
)

// unaskedForms are single forms that cannot be asked, by their opcode.
var unaskedForms = map[uint32]string{
	0x0F0D: "PREFETCH: a register operand is #UD on AMD and a NOP on Intel",
}

// unasked lists what cannot be asked of a host's silicon in user mode, and why.
var unasked = map[x86.Op]string{
	x86.RDTSC:    "time",
	x86.RDTSCP:   "time",
	x86.CPUID:    "the host's identity",
	x86.RDRAND:   "chance",
	x86.RDSEED:   "chance",
	x86.SYSENTER: "a system call",
	x86.SYSEXIT:  "a system call on some hosts",
	x86.SGDT:     "forbidden and emulated by the kernel (UMIP)",
	x86.SIDT:     "forbidden and emulated by the kernel (UMIP)",
	x86.SLDT:     "forbidden and emulated by the kernel (UMIP)",
	x86.STR:      "forbidden and emulated by the kernel (UMIP)",
	x86.SMSW:     "forbidden and emulated by the kernel (UMIP)",
	x86.MOVDR:    "whether #UD for DR4 and DR5 or #GP for the privilege goes first",
	x86.CLAC:     "#UD outside CPL 0",
	x86.STAC:     "#UD outside CPL 0",
	x86.INT1:     "hypervisors that intercept #DB report EIP differently",
}

type opSet map[x86.Op]bool

// asked says whether silicon can be asked about a form in user mode.
func asked(row *x86.FormRow) bool {
	_, op := unasked[row.Op]
	_, code := unaskedForms[row.Code]
	return !op && !(code && row.Sel == 0)
}

// asked16 says whether a form is worth asking about in 16-bit code, and can be:
// the child needs its FS.
func asked16(row *x86.FormRow) bool {
	for _, a := range row.Args {
		if a == x86.SegFS && row.Op == x86.POP || a == x86.Sw && row.Args[0] == x86.Sw && row.Sel.Match(x86.FS<<3) {
			return false
		}
	}
	return row.Op != x86.LFS && !usesX87(row) && !usesXMM(row)
}

// opSized forms depend on OpSize though no operand shows it.
var opSized = opSet{
	x86.PUSHA: true, x86.POPA: true, x86.PUSHF: true, x86.POPF: true, x86.RET: true, x86.RETF: true, x86.IRET: true,
	x86.ENTER: true, x86.LEAVE: true, x86.CBW: true, x86.CWD: true, x86.PUSH: true, x86.POP: true,
}

// addressSized forms depend on AddrSize though no operand shows it.
var addressSized = opSet{
	x86.XLAT: true, x86.LOOP: true, x86.LOOPE: true, x86.LOOPNE: true, x86.JECXZ: true, x86.MASKMOVQ: true, x86.MASKMOVDQU: true,
}

// lockMeans forms are different ones with LOCK on AMD: CR8, and VERW executes.
var lockMeans = opSet{x86.MOVCR: true, x86.VERW: true}

// repMeans forms are different ones with F2 or F3 on some hosts: BSF and BSR
// where BMI1 and LZCNT are, LOOPE and LOOPNE on AMD, which takes the condition
// from the prefix.
var repMeans = opSet{x86.BSF: true, x86.BSR: true, x86.LOOPE: true, x86.LOOPNE: true}

// counts forms take a count or a bit number as immediate or in CL.
var counts = opSet{
	x86.ROL: true, x86.ROR: true, x86.RCL: true, x86.RCR: true, x86.SHL: true, x86.SHR: true, x86.SAR: true,
	x86.SHLD: true, x86.SHRD: true, x86.BT: true, x86.BTS: true, x86.BTR: true, x86.BTC: true,
	x86.PSLLW: true, x86.PSLLD: true, x86.PSLLQ: true, x86.PSLLDQ: true, x86.PSRLW: true, x86.PSRLD: true,
	x86.PSRLQ: true, x86.PSRLDQ: true, x86.PSRAW: true, x86.PSRAD: true, x86.PALIGNR: true,
}

// setups prepare what a mnemonic asks for beyond its operands.
var setups = map[x86.Op]func(*generator){
	x86.PUSH: (*generator).push, x86.POP: (*generator).pop, x86.PUSHA: (*generator).stack, x86.POPA: (*generator).stack,
	x86.PUSHF: (*generator).stack, x86.POPF: (*generator).popf, x86.ENTER: (*generator).enter, x86.LEAVE: (*generator).leave,
	x86.RET: (*generator).ret, x86.RETF: (*generator).retf, x86.IRET: (*generator).iret,
	x86.CALL: (*generator).call, x86.JMP: (*generator).jump, x86.CALLF: (*generator).callf, x86.JMPF: (*generator).jumpf,
	x86.INT:  (*generator).interrupt,
	x86.LOOP: (*generator).loop, x86.LOOPE: (*generator).loop, x86.LOOPNE: (*generator).loop, x86.JECXZ: (*generator).loop,
	x86.MOVS: (*generator).strings, x86.CMPS: (*generator).strings, x86.STOS: (*generator).strings, x86.LODS: (*generator).strings,
	x86.SCAS: (*generator).strings, x86.INS: (*generator).strings, x86.OUTS: (*generator).strings,
	x86.XLAT: (*generator).xlat, x86.MASKMOVQ: (*generator).maskmov, x86.MASKMOVDQU: (*generator).maskmov,
	x86.DAA: (*generator).everyAL, x86.DAS: (*generator).everyAL, x86.AAA: (*generator).everyAL, x86.AAS: (*generator).everyAL,
	x86.DIV: (*generator).div, x86.IDIV: (*generator).idiv, x86.AAM: (*generator).aam,
	x86.CMPXCHG: (*generator).cmpxchg, x86.CMPXCHG8B: (*generator).cmpxchg8b,
	x86.BT: (*generator).bits, x86.BTS: (*generator).bits, x86.BTR: (*generator).bits, x86.BTC: (*generator).bits,
	x86.BOUND: (*generator).bound, x86.MOV: (*generator).mov,
	x86.LDS: (*generator).farLoad, x86.LES: (*generator).farLoad, x86.LSS: (*generator).farLoad,
	x86.LFS: (*generator).farLoad, x86.LGS: (*generator).farLoad,
	x86.ARPL: (*generator).selectors, x86.LAR: (*generator).selectors, x86.LSL: (*generator).selectors,
	x86.VERR: (*generator).selectors, x86.VERW: (*generator).selectors,
	x86.LDMXCSR: (*generator).ldmxcsr, x86.FLDCW: (*generator).fldcw,
	x86.PSLLW: (*generator).vectorShift, x86.PSLLD: (*generator).vectorShift, x86.PSLLQ: (*generator).vectorShift,
	x86.PSRLW: (*generator).vectorShift, x86.PSRLD: (*generator).vectorShift, x86.PSRLQ: (*generator).vectorShift,
	x86.PSRAW: (*generator).vectorShift, x86.PSRAD: (*generator).vectorShift,
	x86.PTEST: (*generator).related, x86.PCMPEQQ: (*generator).related, x86.PCMPGTQ: (*generator).related,
	x86.PCMPESTRI: (*generator).text, x86.PCMPESTRM: (*generator).text, x86.PCMPISTRI: (*generator).text, x86.PCMPISTRM: (*generator).text,
	x86.ROUNDPS: (*generator).decimals, x86.ROUNDPD: (*generator).decimals, x86.ROUNDSS: (*generator).decimals, x86.ROUNDSD: (*generator).decimals,
	x86.DPPS: (*generator).stages, x86.DPPD: (*generator).stages,
	x86.F2XM1: (*generator).smallST0, x86.FSCALE: (*generator).shortST1,
}

// Selectors to load. Those that a kernel uses for 64-bit code are not there.
var (
	codeSelectors16 = []uint16{selCode16, selCode16, selCode16, 0x14, 0, 3, selData, selData16, 0x08, 0x10, 0x13, 0x18, selFS, 0x83, 0xFFF8, 7, 0x0C}

	codeSelectors  = []uint16{selCode, selCode, selCode, selCode, 0x20, 0x22, 0, 3, selData, 0x08, 0x10, 0x13, 0x18, selFS, 0x83, 0xFFF8, 7, 0x0C}
	dataSelectors  = []uint16{selData, selData, selData, 0x28, selFS, selGS, 0x68, selCode, 0x20, 0, 3, 0x08, 0x10, 0x18, 0x1B, 0x83, 0xFFFB, 7, 0x0F, 0x40}
	stackSelectors = []uint16{selData, selData, selData, 0x28, 0x2A, selCode, 0, 3, 0x08, 0x18, 0x1B, 0x83, 0xFFFB, 7, 0x0F, 0x40}
)

func (g *generator) selector(list []uint16) uint16 { return list[g.IntN(len(list))] }

// codeSelector is a selector for a far branch. Code of the other size, which
// user mode may well branch to, is not among them.
func (g *generator) codeSelector() uint16 {
	if g.c.Mode == x86.Mode16 {
		return g.selector(codeSelectors16)
	}
	return g.selector(codeSelectors)
}

// nearTarget is the displacement of a short branch that lands on INT3 in the
// case's own slot.
func (g *generator) nearTarget() int8 {
	const first = 8 // the slot holds a jump behind the instruction
	last := CodeSlot - CodeAt - int(g.c.Len) - 1
	switch g.IntN(3) {
	case 0:
		return int8(-int(g.c.Len) - 1 - g.IntN(CodeAt))
	case 1:
		return 0
	}
	return int8(first + g.IntN(last-first+1))
}

// branchTarget is where a branch may go: mostly the page of INT3s.
func (g *generator) branchTarget() uint32 {
	base := uint32(LandBase)
	if g.c.Mode == x86.Mode16 {
		base -= CodeBase
		if g.IntN(16) == 0 && g.opSize == 4 {
			return g.Uint32() | 0x10000 // beyond the limit
		}
	}
	if g.IntN(8) == 0 {
		base += pageSize // absent
	}
	return base + uint32(g.IntN(pageSize))
}

// stack gives the stack contents and ESP a place, mostly inside a page.
func (g *generator) stack() {
	base := g.c.dataBase()
	esp := uint32(pageStack + 0x800 + g.IntN(0x40))
	switch {
	case g.chance(6):
		esp = pageEdge + uint32(g.IntN(40)) // pushes fault
	case g.chance(6):
		esp = pageEdge + pageSize - uint32(g.IntN(40)) // pops fault
	case g.chance(6):
		esp = pageStack + pageSize + uint32(g.IntN(40)) - 20
	case g.c.Mode == x86.Mode16 && g.chance(10):
		esp = base + uint32(g.IntN(8)) // wraps around
	}
	g.c.R[x86.ESP] = esp - base
	if g.c.Mode == x86.Mode16 {
		g.c.R[x86.ESP] |= uint32(pick(g, 0, 0, 0x8000, 0xFFFF, 1)) << 16
	}
	g.fixed[x86.ESP] = true
	b := make([]byte, 160)
	for i := 0; i < len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], word(g.Rand, 4))
	}
	g.poke(esp-80, b)
	if esp-base < 80 {
		g.poke(base+0x10000-uint32(len(b)), b)
	}
}

// stackAt is the linear address of the stack at SP + off.
func (g *generator) stackAt(off uint32) uint32 {
	return (g.c.R[x86.ESP]+off)&g.c.stackMask() + g.c.dataBase()
}

// putStack puts v on the stack at ESP + off, off in units of OpSize.
func (g *generator) putStack(i uint32, v uint32) {
	b := binary.LittleEndian.AppendUint32(nil, v)[:g.opSize]
	g.poke(g.stackAt(i*uint32(g.opSize)), b)
}

// push and pop let nothing fault where the operand is a segment register:
// vendors differ in how much of the stack they touch then.
func (g *generator) push() {
	g.stack()
	if a := g.row.Args[0]; a >= x86.SegES && a <= x86.SegGS {
		g.calm()
	}
}

func (g *generator) pop() {
	g.push()
	switch g.row.Args[0] {
	case x86.SegSS:
		g.putStack(0, uint32(g.selector(stackSelectors)))
	case x86.SegDS, x86.SegES, x86.SegFS, x86.SegGS:
		g.putStack(0, uint32(g.selector(dataSelectors))|g.Uint32()<<16)
	}
	if g.mem && g.base == x86.ESP {
		// The address is computed after ESP is incremented.
		g.shift = uint32(g.opSize)
	}
}

func (g *generator) popf() {
	g.stack()
	g.putStack(0, g.Uint32()&^x86.FlagTF)
}

func (g *generator) enter() {
	g.stack()
	level := byte(pick(g, 0, 0, 1, 2, 3, 5, 17, 31, 0x20, 0x21))
	size := uint16(pick(g, 0, 1, 4, 16, 20, 0x20))
	g.imm = append(binary.LittleEndian.AppendUint16(nil, size), level)
	g.c.R[x86.EBP] = g.c.R[x86.ESP] + uint32(g.IntN(32))
	g.poke(g.stackAt(0)-160, make([]byte, 80))
	if g.chance(5) {
		g.c.R[x86.EBP] = pageLone - g.c.dataBase()
	}
}

func (g *generator) leave() {
	g.stack()
	g.c.R[x86.EBP] = g.c.R[x86.ESP]
	g.c.R[x86.ESP] = g.Uint32()
}

func (g *generator) ret() {
	g.stack()
	g.putStack(0, g.branchTarget())
}

func (g *generator) retf() {
	g.stack()
	g.putStack(0, g.branchTarget())
	g.putStack(1, uint32(g.codeSelector())|g.Uint32()<<16)
	if g.imm != nil {
		g.imm = []byte{byte(g.IntN(40)), 0}
	}
	g.calm() // AMD reads a stack pointer behind the parameters in any case
}

// calm lets no access to the stack fault.
func (g *generator) calm() {
	sp := g.stackAt(0)
	if sp&^(pageSize-1) != pageStack || sp&(pageSize-1) > pageSize-80 {
		g.quit = true
	}
	g.c.EFLAGS &^= x86.FlagAC
}

func (g *generator) iret() {
	g.retf()
	g.putStack(2, g.Uint32()&^x86.FlagTF)
	g.c.EFLAGS &^= x86.FlagNT // a task return, which long mode does not have
}

// call prepares an indirect call: the operand is the target.
func (g *generator) call() {
	g.stack()
	g.jump()
}

func (g *generator) jump() {
	if g.row.Args[0] != x86.Ev {
		return
	}
	v := g.branchTarget()
	if g.mem {
		g.memory = binary.LittleEndian.AppendUint32(nil, v)[:g.opSize]
	} else {
		g.c.R[g.modRM&7] = v
		g.quit = g.modRM&7 == x86.ESP // the call would push to anywhere
	}
}

func (g *generator) callf() {
	g.stack()
	g.jumpf()
}

func (g *generator) jumpf() {
	if g.mem {
		g.farPointer(g.branchTarget(), g.codeSelector())
	}
}

// farPointer makes the memory operand a far pointer.
func (g *generator) farPointer(off uint32, sel uint16) {
	b := binary.LittleEndian.AppendUint32(nil, off)[:g.opSize]
	g.memory = binary.LittleEndian.AppendUint16(b, sel)
}

func (g *generator) farLoad() {
	list := dataSelectors
	if g.row.Op == x86.LSS {
		list = stackSelectors
	}
	g.farPointer(word(g.Rand, 4), g.selector(list))
}

func (g *generator) interrupt() {
	v := byte(g.Uint32())
	if g.IntN(4) == 0 {
		v = pick(g, byte(3), 4)
	}
	if v == 0x80 { // the system call
		v = 0x81
	}
	g.imm = []byte{v}
}

func (g *generator) loop() {
	g.c.R[x86.ECX] = pick(g, 0, 1, 2, 0x10000, 0x10001, 0xFFFF0000, 0xFFFF0001, g.Uint32())
}

// strings places source and destination, which overlap at times, and keeps
// counts small.
func (g *generator) strings() {
	const around = 52
	size := g.row.Args[0].Size(g.opSize)
	if g.row.Args[0] == x86.DX {
		size = g.row.Args[1].Size(g.opSize)
	}
	src := pickTarget(g.Rand, size, false, g.plain)
	dst := pickTarget(g.Rand, size, false, g.plain)
	if g.chance(30) {
		dst = src + uint32(g.IntN(24)) - 12
	}
	same := make([]byte, 2*around+4)
	for i := range same {
		same[i] = byte(word(g.Rand, 1))
	}
	if g.IntN(2) == 0 {
		for i := range same { // a run of equal elements
			same[i] = same[i%size]
		}
		g.c.R[x86.EAX] = uint32(same[0]) * 0x01010101
		if size > 1 {
			g.c.R[x86.EAX] = binary.LittleEndian.Uint32(same)
		}
	}
	g.poke(src-around, same)
	g.poke(dst-around, same)
	if g.IntN(2) == 0 {
		g.poke(dst+uint32(g.IntN(24))-12, []byte{byte(g.Uint32())})
	}
	g.c.R[x86.ESI], g.c.R[x86.EDI] = src-g.segBase(), dst-g.c.dataBase()
	if g.addrSize == 2 {
		// The rest of the registers does not count. In 32-bit code ES:DI
		// meets nothing.
		g.c.R[x86.ESI] = g.c.R[x86.ESI]&0xFFFF | g.Uint32()<<16
	}
	if g.rep != 0 {
		g.c.R[x86.ECX] = uint32(g.IntN(12))
		if g.addrSize == 2 {
			g.c.R[x86.ECX] |= g.Uint32() << 16
		}
	}
}

func (g *generator) xlat() {
	t := pickTarget(g.Rand, 1, false, g.plain)
	g.poke(t, []byte{byte(g.Uint32())})
	v := t - g.segBase() - g.c.R[x86.EAX]&0xFF
	if g.addrSize == 2 {
		v = v&0xFFFF | g.Uint32()<<16
	}
	g.c.R[x86.EBX] = v
}

func (g *generator) maskmov() {
	size := g.row.Args[0].Size(4)
	t := g.place(size, false)
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	g.putOperand(t, b)
	g.c.R[x86.EDI] = t - g.segBase()
}

// operandSize is the size of the one integer operand.
func (g *generator) operandSize() int { return g.row.Args[0].Size(g.opSize) }

func mask(size int) uint64 { return 1<<(8*size) - 1 }

// div makes a dividend that mostly does not overflow.
func (g *generator) div() {
	size := g.operandSize()
	d := uint64(word(g.Rand, size))
	if d == 0 && g.IntN(4) != 0 {
		d = 3
	}
	var n uint64
	switch {
	case d == 0 || g.IntN(4) == 0:
		n = g.Uint64()
	default:
		n = d*uint64(word(g.Rand, size)) + uint64(word(g.Rand, size))%d
	}
	g.dividend(d, n, size)
}

func (g *generator) idiv() {
	size := g.operandSize()
	sext := func(v uint32) int64 { return int64(int32(v<<(32-8*size))) >> (32 - 8*size) }
	d := sext(word(g.Rand, size))
	n := int64(g.Uint64())
	if d == 0 && g.IntN(4) != 0 {
		d = -3
	}
	if d != 0 && g.IntN(4) != 0 {
		n = d*sext(word(g.Rand, size)) + sext(word(g.Rand, size))%d
	}
	g.dividend(uint64(d)&mask(size), uint64(n), size)
}

// dividend sets the operands of a division of n by d.
func (g *generator) dividend(d, n uint64, size int) {
	if size == 1 {
		g.putReg(x86.EAX, 2, uint32(n))
	} else {
		g.putReg(x86.EAX, size, uint32(n))
		g.putReg(x86.EDX, size, uint32(n>>(8*size)))
	}
	g.fixed[x86.EAX], g.fixed[x86.EDX] = true, true
	if g.mem {
		g.memory = binary.LittleEndian.AppendUint32(nil, uint32(d))[:size]
	} else {
		g.putReg(g.modRM&7, size, uint32(d))
	}
}

// everyAL goes through the values of AL.
func (g *generator) everyAL() { g.putReg(x86.EAX, 1, uint32(g.n)) }

func (g *generator) aam() {
	if g.IntN(2) == 0 {
		g.imm = []byte{pick(g, byte(10), 10, 0, 1, 16, 255)}
	}
}

// destination is the value of the first operand.
func (g *generator) destination(size int) uint32 {
	if g.mem {
		return binary.LittleEndian.Uint32(append(append([]byte(nil), g.memory...), 0, 0, 0, 0))
	}
	v := g.c.R[g.modRM&7]
	if size == 1 {
		v = g.c.R[g.modRM&3] >> (g.modRM & 4 * 2)
	}
	return v
}

func (g *generator) cmpxchg() {
	size := g.operandSize()
	v := g.value(1, size)
	if g.IntN(2) == 0 {
		v = g.destination(size)
	}
	g.putReg(x86.EAX, size, v)
	g.fixed[x86.EAX] = true
}

func (g *generator) cmpxchg8b() {
	b := binary.LittleEndian.AppendUint64(nil, word64(g.Rand))
	g.memory = b
	if g.IntN(2) == 0 {
		g.c.R[x86.EAX] = binary.LittleEndian.Uint32(b)
		g.c.R[x86.EDX] = binary.LittleEndian.Uint32(b[4:])
	}
	g.fixed[x86.EAX], g.fixed[x86.EDX] = true, true
}

// bits lets a bit offset in a register reach far from the operand's address.
func (g *generator) bits() {
	if !g.mem || g.row.Args[1] != x86.Gv {
		return
	}
	reg := g.modRM >> 3 & 7
	off := g.count()
	if g.addrSize == 4 && g.IntN(2) == 0 {
		off = g.Uint32()
	}
	g.putReg(reg, int(g.opSize), off)
	g.fixed[reg] = true
	if g.opSize == 2 {
		g.shift = uint32(int32(int16(off)) >> 4 * 2)
	} else {
		g.shift = uint32(int32(off) >> 5 * 4)
	}
	if g.addrSize == 2 && g.segBase() == 0 {
		g.shift = 0 // the target is any address
	}
}

func (g *generator) bound() {
	size := int(g.opSize)
	lo, hi := word(g.Rand, size), word(g.Rand, size)
	v := pick(g, lo, hi, lo-1, hi+1, lo+1, word(g.Rand, size))
	reg := g.modRM >> 3 & 7
	g.putReg(reg, size, v)
	g.fixed[reg] = true
	le := binary.LittleEndian
	g.memory = append(le.AppendUint32(nil, lo)[:size], le.AppendUint32(nil, hi)[:size]...)
}

// mov gives a segment register something to load.
func (g *generator) mov() {
	if g.row.Args[0] != x86.Sw {
		return
	}
	list := dataSelectors
	if g.modRM>>3&7 == x86.SS {
		list = stackSelectors
	}
	g.operandSelector(list)
}

func (g *generator) selectors() { g.operandSelector(dataSelectors) }

// operandSelector makes the word operand a selector.
func (g *generator) operandSelector(list []uint16) {
	sel := g.selector(list)
	if g.mem {
		g.memory = binary.LittleEndian.AppendUint16(nil, sel)
	} else {
		g.putReg(g.modRM&7, 2, uint32(sel))
	}
}

func (g *generator) ldmxcsr() {
	v := mxcsr(g.Rand)
	if g.chance(20) {
		v = g.Uint32() &^ (1 << 17) // which AMD has
	}
	g.memory = binary.LittleEndian.AppendUint32(nil, v)
}

func (g *generator) fldcw() {
	v := controlWord(g.Rand)
	if g.chance(20) {
		v = uint16(g.Uint32())
	}
	g.memory = binary.LittleEndian.AppendUint16(nil, v)
}

// vectorShift makes the count small.
func (g *generator) vectorShift() {
	if g.row.Args[1] == x86.Ib || g.IntN(4) == 0 {
		return
	}
	n := uint64(g.IntN(80))
	if g.mem {
		g.memory = binary.LittleEndian.AppendUint64(nil, n)
		if g.memArg.Size(4) == 16 {
			g.memory = binary.LittleEndian.AppendUint64(g.memory, word64(g.Rand))
		}
		return
	}
	if g.memArg.XMM() {
		binary.LittleEndian.PutUint64(g.c.FX[fxXMM+16*int(g.modRM&7):], n)
		return
	}
	binary.LittleEndian.PutUint64(g.c.FX[fxST+16*g.mmx(g.modRM&7):], n)
}

// mmx is the place of MMX register n among those of the FXSAVE image, which
// are in stack order.
func (g *generator) mmx(n uint8) int { return int(n-g.c.FX[fxSW+1]>>3) & 7 }

// smallST0 makes ST(0) at most 1, as F2XM1 wants it.
func (g *generator) smallST0() {
	if se := g.c.FX[fxST+8:]; g.IntN(4) != 0 {
		e := uint16(0x3FFF - g.IntN(70))
		binary.LittleEndian.PutUint16(se, e|uint16(se[1]&0x80)<<8)
		if e == 0x3FFF {
			binary.LittleEndian.PutUint64(g.c.FX[fxST:], integerBit)
		}
	}
}

// shortST1 makes ST(1) a scale in range.
func (g *generator) shortST1() {
	if g.IntN(3) != 0 {
		se := uint16(0x3FFF + g.IntN(17) - 2)
		binary.LittleEndian.PutUint16(g.c.FX[fxST+16+8:], se|uint16(g.IntN(2))<<15)
	}
}
