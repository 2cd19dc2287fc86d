//go:build linux && amd64

package cputest

import (
	"cmp"
	"flag"
	"testing"
)

var mutateRules = flag.Bool("oracle.mutate.rules", false, "change one flag, operand, size or check of the translator in each of many places and see the tests catch it")

// ruleMutation is a mutation of the translator, and what catches it: sets of the
// corpus, or tests of package cpu or of the back end.
type ruleMutation struct {
	mutation
	tests  string
	dir    string // where the tests are; "" is package cpu
	engine string // of package cpu's; "" is the translator
}

// by is a mutation that sets of the corpus catch, byTest one that tests of
// package cpu do. Names of files are relative to cpu/jit.
func by(sets, file, at, old, new string) ruleMutation {
	return ruleMutation{mutation: mutation{"jit/" + file, at, old, new, sets}}
}

func byTest(tests, file, at, old, new string) ruleMutation {
	return ruleMutation{mutation: mutation{"jit/" + file, at, old, new, ""}, tests: tests}
}

// byBackEnd is one that the back end's own tests catch.
func byBackEnd(tests, file, at, old, new string) ruleMutation {
	m := byTest(tests, file, at, old, new)
	m.dir = "../jit/amd64"
	return m
}

// byWasm is one of the back end for WebAssembly, that its own tests catch.
func byWasm(tests, file, at, old, new string) ruleMutation {
	m := byTest(tests, "wasm/"+file, at, old, new)
	m.dir = "../jit/wasm"
	return m
}

// byWasmEngine is one of that back end that tests of package cpu catch.
func byWasmEngine(tests, file, at, old, new string) ruleMutation {
	m := byTest(tests, "wasm/"+file, at, old, new)
	m.engine = "wasm"
	return m
}

var ruleMutations = []ruleMutation{
	// Arithmetic.
	byTest("TestFaultsInTheMiddle", "amd64/lower_alu.go", "func alu(", "table := write", "table := read"),
	by("ADD,OR,ADC,SBB", "amd64/lower_alu.go", "func alu(", "e.in.ModRM>>3&7", "e.in.ModRM>>3&6"),
	by("ADD", "amd64/lower_alu.go", "func (e *emitter) immediate(", "int32(int8(v)) == int32(v)", "true"),
	by("INC,DEC", "amd64/lower_alu.go", "func unary(", "e.code()>>3&1", "^e.code()>>3&1"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_alu.go", "func unary(", "write", "read"),
	by("SHL", "amd64/lower_alu.go", "func takesShift(", "4+x86.ECX", "5+x86.ECX"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_alu.go", "func shift(", "write", "read"),
	by("SHLD,SHRD", "amd64/lower_alu.go", "func doubleShift(", "e.in.Imm", "e.in.Imm+1"),
	byTest("TestFaultsInTheMiddle|TestShift", "amd64/lower_alu.go", "func (e *emitter) settlesAF(", "e.in.Live&x86.FlagAF != 0", "false"),
	byTest("TestFaultsInTheMiddle|TestShift", "amd64/lower_alu.go", "func (e *emitter) shifted(", "0xef", "0xff"),
	byTest("TestFaultsInTheMiddle|TestShift", "amd64/lower_alu.go", "func (e *emitter) shifted(", "0x74, 3", "0x75, 3"),
	// Bits and exchanges.
	byTest("TestFaultsInTheMiddle", "amd64/lower_bits.go", "func bit(", "table := write", "table := read"),
	by("BT", "amd64/lower_bits.go", "func (e *emitter) bitString(", "e.hot.bytes(5)", "e.hot.bytes(4)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_bits.go", "func (e *emitter) bitString(", "e.check(table, rax, 4)", "e.check(table, rax, 1)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_bits.go", "func compareExchange8(", "write", "read"),
	by("BSF", "amd64/lower_bits.go", "func scan(", "0xbf", "0xff"),
	by("CMPXCHG", "amd64/lower_bits.go", "func compareExchange(", "e.hot.load(w, guest[x86.EAX]", "e.hot.load(w8, guest[x86.EAX]"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_bits.go", "func exchangeAdd(", "write", "read"),
	// Branches.
	by("JCC", "amd64/lower_branch.go", "func branchIf(", "e.in.Cond", "e.in.Cond^1"),
	by("JCC", "amd64/lower_branch.go", "func branchIf(", "e.restore()", ""),
	byTest("TestRemappedCode|TestSelfModifying", "amd64/lower_branch.go", "func (e *emitter) findJump(", "a.op(0, w64, 0x39", "a.op(0, w32, 0x39"),
	byTest("TestRemappedCode", "amd64/lower_branch.go", "func (s *stubs) emitSpare(", "a.op(0, w64, 0x39", "a.op(0, w32, 0x39"),
	byTest("TestFlagsAcross", "amd64/lower_branch.go", "func (e *emitter) jumpIndirect(", "e.save()", ""),
	byTest("TestReturns", "amd64/lower_call.go", "func (e *emitter) pushCall(", "if !e.b.User", "if false"),
	byTest("TestReturns", "amd64/lower_call.go", "func ret(", "e.hot.jcc(condNZ, e.cold.pos())", "e.hot.jcc(condS, e.cold.pos())"),
	byTest("TestReturns", "invalidate.go", "func (t *Translator) hide(", "t.forgetCalls()", ""),
	byTest("TestReturns|TestRemappedCode", "tables.go", "func (t *Translator) forgetJumps(", "t.forgetCalls()", ""),
	byBackEnd("TestCallsWithoutEnd", "run.go", "func (t *Translator) enter(", "> CallsSize/2", "> CallsSize*2000"),
	byBackEnd("TestAddresses", "amd64/lower_call.go", "func call(", "e.hot.enterPage()\n\te.next()", "e.next()"),
	by("LOOP", "amd64/lower_branch.go", "func loop(", "at(rcx, -1)", "at(rcx, 1)"),
	// Flags.
	by("STC,CLC,CMC", "amd64/lower_flags.go", "func carry(", "e.ready()", ""),
	byTest("TestFlagsBehindShifts", "amd64/emitter.go", "func (e *emitter) save(", "!e.wrongAF, true", "true, true"),
	byTest("TestFlagsBehindShifts", "amd64/lower_flags.go", "func lahf(", "if e.wrongAF", "if false"),
	by("SAHF", "amd64/lower_flags.go", "func sahf(", "e.ready()", ""),
	by("CLD,STD", "amd64/lower_flags.go", "func direction(", "x86.CLD", "x86.STD"),
	by("PUSHF", "amd64/lower_flags.go", "func pushFlags(", "e.hot.bytes(11)", "e.hot.bytes(10)"),
	byTest("TestFaultsInTheMiddle|TestShift", "amd64/stubs.go", "func saveFlags(", "if clearAF", "if false"),
	by("JCC,SETCC", "amd64/stubs.go", "func restoreFlags(", "0x7f", "0x7e"),
	byTest("TestFaultsInTheMiddle|TestInterrupt|TestRandomCode", "amd64/emitter.go", "func (e *emitter) done(", "e.inHost, e.inMem = true, false", "e.inHost, e.inMem = true, true"),
	by("INC,DEC,CLC", "amd64/emitter.go", "func (e *emitter) wantsFlags(", "|| e.in.Live&^e.in.Kills != 0", ""),
	byTest("TestFaultsInTheMiddle|TestInterrupt|TestRandomCode", "amd64/emitter.go", "func (e *emitter) stub(", "if saves", "if !saves"),
	byTest("TestFlagsAcross", "amd64/emitter.go", "func (e *emitter) fallInto(", "if !next.Kills", "if next.Kills"),
	byTest("TestFaultsInTheMiddle", "liveness.go", "func Uses(", "if strict && in.MayFault()", "if false"),
	byTest("TestFaultsInTheMiddle|TestRandomCode|TestInterrupt", "liveness.go", "func liveness(", "live&^in.Kills | in.Reads", "live &^ in.Kills"),
	// MMX and SSE.
	by("PADDB", "amd64/lower_mmx.go", "func (e *emitter) enterMMX(", "e.clearTOP()", ""),
	by("PADDB,MOVQ", "amd64/lower_mmx.go", "func (e *emitter) setSE(", "0xffff", "0x7fff"),
	by("EMMS", "amd64/lower_mmx.go", "func emms(", "e.hot.bytes(0)", "e.hot.bytes(1)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_mmx.go", "func moveMMX(", "write", "read"),
	by("MOVAPS", "amd64/emitter.go", "func (e *emitter) memoryAligned(", "e.hot.bytes(15)", "e.hot.bytes(7)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_sse.go", "func simd(", "table = write", "table = read"),
	by("PSLLW,PSRAD", "amd64/lower_sse.go", "func simd(", "in.ModRM >> 3 & 7", "in.ModRM >> 2 & 7"),
	by("ADDSS,MULSD", "amd64/stubs_float.go", "func ", "a.op(0, w32, 0x0fae, 3, at(r15, ctxMXCSR))", ""),
	// Floating point: what is held, and pointers.
	byTest("TestFloatPrograms", "amd64/lower_mmx.go", "func emitMMX(", "e.allowMMX()", ""),
	byTest("TestFloatPrograms", "amd64/lower_x87.go", "func (e *emitter) noteData(", "e.x87.seg == e.in.Seg", "true"),
	byTest("TestFloatPrograms", "amd64/lower_x87.go", "func (e *emitter) tellX87(", "a.store(w16, at(rbp, stateFCS), r10)", ""),
	byTest("TestFloatPrograms", "amd64/lower_x87.go", "func x87(", "e.code()&7", "e.code()&3"),
	byTest("TestFloatPrograms", "amd64/lower_x87.go", "func loadCW(", "e.inX87 = false", ""),
	byTest("TestFloatPrograms", "amd64/lower_x87.go", "func loadCW(", "fixed = 0x40", "fixed = 0"),
	byTest("TestFloatForms", "amd64/lower_x87.go", "func (e *emitter) memoryX87(", "size = 16", "size = 8"),
	byTest("TestFloatPrograms", "amd64/stubs_float.go", "func fillTags(", "w |= 3", "w |= 1"),
	byTest("TestFloatPrograms", "amd64/stubs_float.go", "func (e *emitter) holdX87(", "e.mmxAllowed, e.inMMX = false, false", ""),
	byTest("TestFloatPrograms", "amd64/lower_sse.go", "func loadMXCSR(", "e.inSSE = false", ""),
	byTest("TestFloatPrograms", "amd64/emitter.go", "func (e *emitter) miss(", "e.tellX87(c)", ""),
	byTest("TestFloatForms", "amd64/emitter.go", "func (e *emitter) check(", "a.jcc(condZ, e.cold.pos())", ""),
	byTest("TestFloatForms", "amd64/emitter.go", "func (e *emitter) check(", "a.jcc(condA, e.cold.pos())", ""),
	byTest("TestFloatPrograms", "flags.go", "func load(", "| uint32(^s.FPU.CW)&cwMasks", ""),
	byTest("TestFloatPrograms", "run.go", "func (t *Translator) enter(", "kind == ExitBarred", "false"),
	by("DIVPS,ADDPS", "flags.go", "func load(", "^s.FPU.MXCSR&mxcsrMasks", "0"),
	// Moves.
	byTest("TestFaultsInTheMiddle", "amd64/lower_move.go", "func move(", "write", "read"),
	by("MOVZX,MOVSX", "amd64/lower_move.go", "func extend(", "size = 2", "size = 1"),
	by("LEA", "amd64/lower_move.go", "func lea(", "e.hot.load(w16", "e.hot.load(w32"),
	by("XCHG", "amd64/lower_move.go", "func takesExchange(", "!high(in.Reg) &&", ""),
	byTest("TestFaultsInTheMiddle", "amd64/lower_move.go", "func exchange(", "write", "read"),
	by("CMOVCC", "amd64/lower_move.go", "func moveIf(", "uint32(in.Cond)", "uint32(in.Cond^1)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_move.go", "func moveIf(", "int(e.width())", "1"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_move.go", "func set(", "write", "read"),
	by("CBW,CWDE", "amd64/lower_move.go", "func convert(", "0x0fbe", "0x0fb6"),
	by("CWD", "amd64/lower_move.go", "func convertDouble(", "e.width() == w16", "e.width() != w16"),
	by("MOV,ADD", "amd64/lower.go", "func (e *emitter) back(", "24", "8"),
	by("MOV,ADD", "amd64/lower.go", "func (e *emitter) byteValue(", ", 8)", ", 16)"),
	// Multiplication and division.
	by("MUL", "amd64/lower_multiply.go", "func multiply(", "w = w16", "w = w8"),
	by("IMUL", "amd64/lower_multiply.go", "func multiply(", "e.hot.imm(in.Imm, w8)", "e.hot.imm(in.Imm+1, w8)"),
	by("DIV", "amd64/lower_multiply.go", "func divide(", "e.hot.jcc(3", "e.hot.jcc(7"),
	byTest("TestHotTraps", "amd64/lower_multiply.go", "func divideSigned(", "direct(rax), 1)", "direct(rax), 0)"),
	// The stack.
	by("PUSH", "amd64/lower_stack.go", "func push(", "e.moveTop(-4)", "e.moveTop(-8)"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_stack.go", "func (e *emitter) below(", "write", "read"),
	by("POP", "amd64/lower_stack.go", "func pop(", "n != x86.ESP", "true"),
	by("POP", "amd64/lower_stack.go", "func (e *emitter) popMemory(", "plus = 4", "plus = 0"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_stack.go", "func (e *emitter) popMemory(", "e.check(write", "e.check(read"),
	by("LEAVE", "amd64/lower_stack.go", "func leaveFrame(", "at(regEBP, 4)", "at(regEBP, 8)"),
	by("RET", "amd64/lower_call.go", "func ret(", "e.in.Imm&0xffff", "e.in.Imm&0xff"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_stack.go", "func push(", "e.memory(read, 4)", "e.memory(read, 1)"),
	// Strings.
	by("MOVS", "amd64/lower_string.go", "func moveString(", "e.upwards()", "e.spoil()"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_string.go", "func storeString(", "write", "read"),
	by("CMPS", "amd64/lower_string.go", "func compareString(", "e.element(read, rsi)", "e.element(read, rdi)"),
	by("LODS", "amd64/lower_string.go", "func takesString(", "in.Prefix&(x86.PrefixRep|x86.PrefixRepne) == 0", "true"),
	byTest("TestFaultsInTheMiddle", "amd64/lower_string.go", "func (e *emitter) countRepeats(", "a.pos() - (", "a.pos() - 3 - ("),
	byTest("TestRepeats", "amd64/lower_string.go", "func (e *emitter) countRepeats(", "0x67, 0xe3, 0", "0x67, 0xeb, 0"),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) compareInPages(", "a.op(0, w32, 0x2b, uint8(r13), direct(rax))", ""),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) compareInPages(", "saveFlags(a, false)", ""),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) countCompared(", "a.shiftRight(r10, e.scale())", ""),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) countCompared(", "|condB", "|condA"),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) countCompared(", "{rcx, r13}", "{rcx}"),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) repeatCompare(", "prefix = 0xf2", "prefix = 0xf3"),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) endCompare(", "ended = condNZ", "ended = condZ"),
	byTest("TestRepeatedCompares", "amd64/lower_compare.go", "func (e *emitter) endCompare(", "a.lea(r13, at(r13, 1))", ""),
	// Memory.
	byTest("TestChangedSegments", "amd64/emitter.go", "func (e *emitter) addressPlus(", "[2]byte{cpu.FastRead, cpu.FastWrite}", "[2]byte{cpu.FastWrite, cpu.FastRead}"),
	byTest("TestChangedSegments", "amd64/emitter.go", "func (e *emitter) addressPlus(", "in.Seg == x86.FS ||", ""),
	byTest("TestChangedSegments", "segments.go", "func (t *Translator) learnSegment(", "key&keyFlat != 0", "false"),
	byTest("TestChangedDescriptors", "segments.go", "func (t *Translator) checkSegments(", "clear(t.mem.Segs[:])", ""),
	byTest("TestInterruptAtEveryBoundary", "amd64/lower_system.go", "func unmaskInterrupts(", "a.jcc(condNZ, e.cold.pos())", ""),
	byTest("TestShadowAtEndOfPage", "amd64/lower_system.go", "func unmaskInterrupts(", "e.i == len(e.b.Insts)-1", "false"),
	byTest("TestHotFlags", "amd64/lower_system.go", "func popFlags(", "^uint32(other)", "^uint32(other)&0"),
	byTest("TestHotFlags", "amd64/lower_system.go", "func popFlags(", "a.shiftRight(r11, 11)", "a.shiftRight(r11, 10)"),
	byTest("TestHotFlags", "amd64/lower_system.go", "func popFlags(", "direct(rax), changes", "direct(rax), x86.FlagIF"),
	byTest("TestInterruptAtEveryBoundary", "amd64/lower_system.go", "func popFlags(", "a.bytes(0x74, 0)", "a.bytes(0xeb, 0)"),
	byTest("TestHotLift", "amd64/lower_system.go", "func accessUser(", "ctxSystem", "ctxLifted"),
	byTest("TestChangedDescriptors", "amd64/lower_segment.go", "func (s *stubs) emitSegment(", "a.op(0, w64, 0x3b", "a.op(0, w32, 0x3b"),
	// Ways between CPL 3 and 0.
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "range int32(3)", "range int32(2)"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.same(i)", "c.same(2)"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.keyed(r10)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.compare(r11, w32, c.known(crossSS))", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.framed(rax, r10)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "tablesOff+tableSize", "tablesOff"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.op(0, w32, 0x21, uint8(r10), at(rbp, stateFlags))", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) interrupt(", "c.bytes(11)", "c.bytes(10)"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "at(rbp, stateNMI)", "at(rbp, stateCPL)"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "x86.FlagNT | x86.FlagAC", "x86.FlagAC"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "x86.FlagNT | x86.FlagAC", "x86.FlagNT"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.keyed(r10)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "^uint32(other)", "^uint32(other)&0"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "skip(c.asm, 0x74", "skip(c.asm, 0xeb"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.same(0)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.same(1)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.keeps(n)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.framed(rax, r10)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "direct(r11), changes", "direct(r11), x86.FlagIF"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) back(", "c.shiftRight(r10, 11)", "c.shiftRight(r10, 10)"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) framed(", "0x1000-frameSize", "0x1000"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) lands(", "3, ctxUser", "3, ctxSystem"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) lands(", "0), ctxSystem", "0), ctxUser"),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) ofSysenter(", "c.keyed(r10)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) exit(", "c.without(x86.FlagAC)", ""),
	byTest("TestCrossings|TestSysenter", "amd64/lower_crossing.go", "func (c *crossing) keyed(", "c.fails(condZ)", ""),
	byTest("TestCrossings", "amd64/lower_crossing.go", "func (c *crossing) enter(", "x86.FlagVM | x86.FlagIF", "x86.FlagVM"),
	byTest("TestCrossings", "crossings.go", "func (t *Translator) checkCrossings(", "t.idtr != c.IDTR ||", ""),
	byTest("TestCrossings", "crossings.go", "func (t *Translator) checkCrossings(", "|| t.tr != c.Seg[cpu.TR]", ""),
	byTest("TestReturns|TestSegmentsOfRings", "crossings.go", "func (t *Translator) learnCrossing(", " || c.Traced()", ""),
	byTest("TestCrossings", "crossings.go", "func (t *Translator) learnGate(", "x.Keep = ^uint32(changes)", "x.Keep = ^uint32(changes | x86.FlagIF)"),
	byTest("TestCrossings", "segments.go", "func (t *Translator) checkSegments(", "clear(t.mem.Crossings[:])", ""),
	byTest("TestCrossings", "run.go", "func (t *Translator) enter(", "case c.CPL != cpl:", "case false:"),
	byTest("TestFaultsInTheMiddle", "amd64/emitter.go", "func (e *emitter) check(", "at(addr, 4)", "at(addr, 8)"),
	byTest("TestFaultsInTheMiddle", "amd64/emitter.go", "func (e *emitter) check(", "-16", "-8"),
	byTest("TestFaultsInTheMiddle", "amd64/stubs.go", "func (s *stubs) emitUnaligned(", "0x1000-size", "0x1000"),
	byTest("TestFaultsInTheMiddle|TestSelfModifying", "tables.go", "func (t *Translator) fill(", "if tr.Write()", "if true"),
	byTest("TestRemappedCode", "tables.go", "func (t *Translator) FlushPage(", "t.large[h][page>>10/64]>>(page>>10&63)&1 != 0", "false"),
	byTest("TestRemappedCode", "tables.go", "func (t *Translator) FlushPage(", "if jumps", "if jumps && false"),
	byTest("TestDataBecomesCode|TestSelfModifying", "tables.go", "func (t *Translator) ProtectPage(", "t.writable[off>>12] == 0", "true"),
	// Blocks and links.
	byTest("TestRunRetiresExactly", "amd64/emitter.go", "func (e *emitter) block(", "int32(b.N))", "int32(b.N)-1)"),
	byTest("TestRemappedCode", "amd64/emitter.go", "func (e *emitter) block(", "if b.Cross", "if false"),
	byTest("TestRemappedCode", "amd64/target.go", "func (t *Target) Link(", "t.guard(e, b)", "t.patch(e.Exit, b.Code)"),
	byTest("TestSelfModifying|TestChangedSeldom", "amd64/target.go", "func (t *Target) Sever(", "t.patch(b.Code, e.Stub)", ""),
	byTest("TestSelfModifying|TestChangedSeldom", "invalidate.go", "func (t *Translator) kill(", "t.target.Unlink(&s.Edges[e], e)", ""),
	byTest("TestSelfModifying|TestChangedSeldom", "invalidate.go", "func (b *Block) lines(", "mem.Lines(0", "mem.Lines(64"),
	byBackEnd("TestRest", "pages.go", "func (t *Translator) digest(", "mem.PageSize", "64"),
	byBackEnd("TestRest", "pages.go", "func (t *Translator) pageAt(", "t.markLines(off&^0xfff, p.list[i].lines[0]|p.list[i].lines[1])", ""),
	byBackEnd("TestRest", "pages.go", "func (t *Translator) lay(", "0, NoFrame", "0, off>>12+1"),
	byBackEnd("TestRest", "invalidate.go", "func (t *Translator) CodeWritten(", "|| !restless", "|| restless == !restless"),
	byBackEnd("TestAddresses", "pages.go", "func (t *Translator) lay(", "t.hideJump(&s.Blocks[b])", ""),
	byBackEnd("TestAddresses", "run.go", "func (t *Translator) have(", "t.store.Blocks[i].Page2 != page2", "page2 == 0"),
	byBackEnd("TestSecondPages", "run.go", "func (t *Translator) passed(", "t.kill(i)", ""),
	byTest("TestSelfModifying|TestChangedSeldom", "run.go", "func (t *Translator) interpret(", "!t.lies(b)", "!b.Valid"),
	byTest("TestReturns", "pages.go", "func (t *Translator) lay(", "t.forgetCalls()", ""),
	byBackEnd("TestAddresses", "amd64/lower_call.go", "func call(", "e.hot.linear(r10, next)", "e.hot.movImm(r10, next)"),
	byBackEnd("TestAddresses", "amd64/lower_call.go", "func call(", "(r10, next)", "(r10, next&0xfff)"),
	byBackEnd("TestAddresses", "amd64/lower_x87.go", "func (e *emitter) tellX87(", "a.linear(r10, e.x87.eip)", "a.movImm(r10, e.x87.eip)"),
	byBackEnd("TestAddresses", "amd64/lower_branch.go", "func (e *emitter) jumpIndirect(", "e.hot.enterPage()", ""),
	byBackEnd("TestAddresses", "amd64/lower_branch.go", "func (s *stubs) emitSpare(", "a.enterPage()", ""),
	byBackEnd("TestAddresses", "amd64/target.go", "func (t *Target) guard(", "a.store(w32, at(r15, ctxPage), rax)", "a.store(w32, at(r15, ctxScratch), rax)"),
	byBackEnd("TestAddresses", "amd64/target.go", "func (t *Target) guard(", "a.bytes(0x75, 9)", "a.bytes(0x90, 0x90)"),
	byBackEnd("TestAddresses", "amd64/target.go", "func (t *Target) guard(", "int32(e.At&^0xfff)", "0"),
	byBackEnd("TestAddresses", "run.go", "func (t *Translator) enter(", "m.Page = c.EIP &^ 0xfff", ""),
	byBackEnd("TestAddresses", "tables.go", "func (t *Translator) noteJump(", "t.hideJump(b)", ""),
	byBackEnd("TestAddresses", "invalidate.go", "func (t *Translator) hide(", "t.hideJump(&t.store.Blocks[i])", ""),
	byTest("TestRandomCode|TestHotTraps|TestFaultsInTheMiddle", "run.go", "func (t *Translator) interpret(", "c.EIP != next ||", "next == 0 ||"),
	// WebAssembly: translations, floating point, MMX, AES.
	byWasm("TestReach", "run.go", "t.Stats.Miss++", "c.Interpret()", "return false"),
	byWasm("TestChangingCode", "tlb.go", "func (k *cache) protect(", "e.W = noTag(slot)", "_ = e"),
	byWasm("TestHostile", "operand.go", "func (e *emitter) check(", "0x1000-uint32(size)", "0x1000-1"),
	byWasm("TestFloats", "lower_float.go", "case fMul:", "k.a, k.eq", "k.a, k.ne"),
	byWasm("TestFloats", "lower_float.go", "case fDiv:", "k.a, k.eq", "k.a, k.ne"),
	byWasm("TestFloats", "lower_float.go", "func arithmetic(", "e.roundsAlike()", ""),
	byWasm("TestFloats", "lower_float.go", "func arithmetic(", "op = k.sub", "op = k.add"),
	byWasm("TestFloats", "lower_float.go", "func compareFloats(", "e.ordinary(k, k.b)\n\te.and(k)", ""),
	byWasm("TestFloats", "lower_float.go", "func compareFloats(", "k.gt", "k.ge"),
	byWasm("TestFloats", "lower_float.go", "func (k *lanesKind) predicate(", "k.ge, k.gt", "k.gt, k.gt"),
	byWasm("TestFloats", "lower_convert.go", "var conversions", "opF64Nearest, ", ""),
	byWasm("TestFloats", "lower_convert.go", "func convertFloats(", "k.ge, leastSingle", "k.ge, leastDouble"),
	byWasm("TestFloats", "lower_convert.go", "func convertFloats(", "k.lt, tooMuchForI4", "k.le, tooMuchForI4"),
	byWasm("TestFloats", "float.go", "func (e *emitter) roundsAlike(", "rounding|maskPE|flagPE)", "maskPE|flagPE)"),
	byWasm("TestFloats", "float.go", "func (e *emitter) roundsAlike(", "rounding|maskPE|flagPE)\n\te.with(opI32Ne, maskPE|flagPE)", "rounding|flagPE)\n\te.with(opI32Ne, flagPE)"),
	byWasm("TestFloats", "float.go", "func (e *emitter) normal(", "k.le, k.most()", "k.ge, k.most()"),
	byWasm("TestFloats", "float.go", "func (e *emitter) normal(", "k.gt, k.least()", "k.ge, k.least()"),
	byWasm("TestFloats", "flags.go", "func (e *emitter) setOrder(", "cpu.AuxCF|cpu.AuxPO", "cpu.AuxCF"),
	byWasm("TestFloats", "flags.go", "func (e *emitter) setOrder(", "e.with(opI32Shl, 8)", "e.with(opI32Shl, 9)\n\te.with(opI32And, 0)"),
	byWasm("TestNative/MMX", "lower_mmx.go", "func (e *emitter) enterMMX(", "0xff", "0xfe"),
	byWasm("TestNative/MMX", "lower_mmx.go", "func (e *emitter) setSE(", "0xffff", "0x7fff"),
	byWasm("TestNative/MMX", "lower_simd.go", "func pack(", "unpack(8, 0)", "unpack(8, 8)"),
	byWasm("TestNative/SSSE3", "lower_simd.go", "func shuffleBytes(", "0x8f", "0x87"),
	byWasm("TestNative/SSSE3", "lower_shuffle.go", "func align(", "from - size", "from"),
	byWasm("TestNative/AES", "aes.go", "func (a *asm) double(", "0x1b", "0x1d"),
	byWasmEngine("TestAddresses", "emitter.go", "func (e *emitter) linear(", "e.get(lShift)", "e.i32(0)"),
	byWasmEngine("TestAddresses", "emitter.go", "func (e *emitter) elsewhere(", "e.op(opI32Or)", "e.asm.b = append(e.asm.b, 0x1a)"),
	byWasmEngine("TestAddresses", "run.go", "func (t *Translator) enter(", "+t.layout.Shared.Shift", ""),
	byWasmEngine("TestAddresses", "store.go", "func (d *entry) start(", "eip - d.eip", "0"),
	byWasmEngine("TestAddresses|TestRemappedCode|TestSelfModifying", "store.go", "func (s *store) leave(", "s.hideJump(d)", ""),
	byWasm("TestNative/AES", "aes.go", "func shiftRows(", "row = -row", ""),
}

// TestRuleMutationsApply finds the place of each mutation.
func TestRuleMutationsApply(t *testing.T) {
	for i := range ruleMutations {
		if _, _, err := ruleMutations[i].apply(); err != nil {
			t.Error(err)
		}
	}
}

// TestRuleMutations makes each mutation of the translator and wants its catcher to
// catch it. It takes ten minutes and runs only when asked to:
// -oracle.mutate.rules -timeout 3h.
func TestRuleMutations(t *testing.T) {
	switch {
	case !*mutateRules:
		t.Skip("not here: -oracle.mutate.rules is not set")
	case attach == nil:
		t.Skip("not here: it is the translator's test, and runs with it")
	}
	for i := range ruleMutations {
		m := &ruleMutations[i]
		if *only != "" && *only != m.tests && *only != m.sets {
			continue
		}
		if m.dir != "" {
			m.mustBeCaught(t, m.dir, "-run="+m.tests)
		} else if m.tests != "" {
			m.mustBeCaught(t, "..", "-engine="+cmp.Or(m.engine, "translator"), "-run="+m.tests)
		} else {
			m.mustBeCaught(t, ".", "-engine=translator", "-run=TestVectors", "-oracle.only="+m.sets)
		}
		if testing.Verbose() {
			t.Logf("%d of %d: %v", i+1, len(ruleMutations), m)
		}
	}
}
