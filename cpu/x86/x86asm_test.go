package x86

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// asmText writes what x86asm found in the notation of instText, or "" where it
// found no instruction of ours.
func asmText(code []byte, mode Mode) string {
	bits := 16
	if mode == Mode32 {
		bits = 32
	}
	inst, err := x86asm.Decode(code, bits)
	if err != nil || inst.Op == 0 {
		return ""
	}
	for _, p := range inst.Prefix {
		if p&x86asm.PrefixInvalid != 0 {
			return ""
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", inst.Len, inst.Op)
	for _, a := range inst.Args {
		switch a := a.(type) {
		case nil:
			continue
		case x86asm.Mem:
			if inst.AddrSize == 16 {
				a.Disp = int64(uint16(a.Disp))
			}
			b.WriteString(" " + memText(a))
		case x86asm.Imm:
			v := uint32(a)
			if inst.DataSize == 16 {
				v = uint32(uint16(v))
			}
			fmt.Fprintf(&b, " #%X", v)
		case x86asm.Rel:
			fmt.Fprintf(&b, " .%X", uint32(a))
		default:
			fmt.Fprintf(&b, " %v", a)
		}
	}
	return b.String()
}

func memText(m x86asm.Mem) string {
	if m.Index == 0 {
		m.Scale = 0
	}
	reg := func(r x86asm.Reg) string {
		if r == 0 {
			return "-"
		}
		return r.String()
	}
	s := fmt.Sprintf("[%s %s*%d %X]", reg(m.Base), reg(m.Index), m.Scale, uint32(m.Disp))
	if m.Segment != 0 {
		s = m.Segment.String() + s
	}
	return s
}

// instText writes our instruction as asmText would.
func instText(in *Inst) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", in.Len, asmName(in))
	row := &Forms[in.Form]
	args := row.Args[:]
	switch in.Op {
	case FCOM, FCOMP, FUCOM, FUCOMP, FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR, FST, FSTP, FXCH, FIADD, FISUB,
		FISUBR, FIMUL, FIDIV, FIDIVR, FICOM, FICOMP:
		args = x87Args(in, row)
	}
	for _, a := range args {
		if s := argText(in, a); s != "" {
			b.WriteString(" " + s)
		}
	}
	if in.Op == XLAT {
		b.WriteString(" " + stringText(in, x86asm.BX, in.Seg))
	}
	return b.String()
}

// x87Args drops the ST0 that x86asm leaves out.
func x87Args(in *Inst, row *FormRow) []Arg {
	if in.Mem {
		return []Arg{row.Args[row.MemArg()]}
	}
	switch in.Op {
	case FCOM, FCOMP, FUCOM, FUCOMP, FST, FSTP, FXCH:
		return []Arg{STi}
	}
	return row.Args[:]
}

var asmNames = map[Op]string{
	FCOM2: "FCOM", FCOMP3: "FCOMP", FCOMP5: "FCOMP", FXCH4: "FXCH", FXCH7: "FXCH", FSTP1: "FSTP", FSTP8: "FSTP",
	FSTP9: "FSTP", JMPF: "LJMP", CALLF: "LCALL", RETF: "LRET", XLAT: "XLATB", MOVCR: "MOV", MOVDR: "MOV",
	INT1: "ICEBP",
}

// asmName returns x86asm's mnemonic.
func asmName(in *Inst) string {
	size := map[uint8]string{1: "B", 2: "W", 4: "D"}[in.OpSize]
	ext := map[uint8]string{4: "D"}[in.OpSize]
	switch in.Op {
	case JCC:
		return "J" + CondName(in.Cond)
	case SETCC:
		return "SET" + CondName(in.Cond)
	case CMOVCC:
		return "CMOV" + CondName(in.Cond)
	case FCMOVCC:
		return "FCMOV" + fcondNames[in.Cond]
	case MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS:
		return in.Op.String() + size
	case CBW:
		return map[uint8]string{2: "CBW", 4: "CWDE"}[in.OpSize]
	case CWD:
		return map[uint8]string{2: "CWD", 4: "CDQ"}[in.OpSize]
	case PUSHA, POPA, PUSHF, POPF, IRET:
		return in.Op.String() + ext
	case JECXZ:
		return map[uint8]string{2: "JCXZ", 4: "JECXZ"}[in.AddrSize]
	case MOVSD, CMPSD:
		return in.Op.String() + "_XMM"
	case PREFETCH:
		if Forms[in.Form].Code == 0x0F0D {
			return "PREFETCHW"
		}
		return [4]string{"PREFETCHNTA", "PREFETCHT0", "PREFETCHT1", "PREFETCHT2"}[in.Reg]
	}
	if s, ok := asmNames[in.Op]; ok {
		return s
	}
	return in.Op.String()
}

// argText writes one operand as x86asm would.
func argText(in *Inst, a Arg) string {
	if in.Mem && a.Memory() {
		return opMemText(in)
	}
	switch a {
	case None, SegCS, SegDS, SegES, SegFS, SegGS, SegSS:
		if a != None {
			return SegName(in.Reg)
		}
		return ""
	case Eb, Ew, Ed, Ev, RvMw, RdMw, RdMb:
		size := uint8(a.Size(in.OpSize))
		if a == RvMw {
			size = in.OpSize
		} else if a == RdMw || a == RdMb {
			size = 4
		}
		return RegName(in.RM, size)
	case Rd, Rv:
		return RegName(in.RM, uint8(a.Size(in.OpSize)))
	case Gb, Gw, Gd, Gv, Zb, Zv:
		return RegName(in.Reg, uint8(a.Size(in.OpSize)))
	case AL, RAX, AX, CL, DX:
		n := map[Arg]uint8{CL: ECX, DX: EDX}[a]
		return RegName(n, uint8(a.Size(in.OpSize)))
	case One:
		return "#1"
	case Ib, Iw, Iz:
		if in.Op == ENTER && a == Ib {
			return fmt.Sprintf("#%X", in.Imm2)
		}
		return fmt.Sprintf("#%X", in.Imm)
	case Ibs:
		if in.OpSize == 2 {
			return fmt.Sprintf("#%X", uint16(in.Imm))
		}
		return fmt.Sprintf("#%X", in.Imm)
	case Jb, Jz:
		return fmt.Sprintf(".%X", in.Imm)
	case Ap:
		return fmt.Sprintf("#%X #%X", in.Imm2, in.Imm)
	case Xb, Xv:
		return stringText(in, x86asm.SI, in.Seg)
	case Yb, Yv:
		return stringText(in, x86asm.DI, ES)
	case Sw:
		return SegName(in.Reg)
	case Cd:
		return fmt.Sprintf("CR%d", in.Reg)
	case Dd:
		return fmt.Sprintf("DR%d", in.Reg)
	case ST0:
		return "F0"
	case STi:
		return fmt.Sprintf("F%d", in.RM)
	case Pq:
		return fmt.Sprintf("M%d", in.Reg)
	case Nq, Qq, Qd:
		return fmt.Sprintf("M%d", in.RM)
	case XMM0:
		return "X0"
	case Vx:
		return fmt.Sprintf("X%d", in.Reg)
	}
	if a.XMM() {
		return fmt.Sprintf("X%d", in.RM)
	}
	return "?" + a.String()
}

func asmReg(n, size uint8) x86asm.Reg {
	switch {
	case n == NoReg:
		return 0
	case size == 2:
		return x86asm.AX + x86asm.Reg(n)
	}
	return x86asm.EAX + x86asm.Reg(n)
}

func opMemText(in *Inst) string {
	m := x86asm.Mem{Base: asmReg(in.Base, in.AddrSize), Index: asmReg(in.Index, in.AddrSize), Scale: 1 << in.Scale,
		Disp: int64(in.Disp)}
	if in.AddrSize == 2 {
		m.Disp = int64(uint16(in.Disp))
	}
	if in.Prefix&PrefixSeg != 0 {
		m.Segment = x86asm.ES + x86asm.Reg(in.Seg)
	}
	return memText(m)
}

func stringText(in *Inst, r x86asm.Reg, seg uint8) string {
	if in.AddrSize == 4 {
		r += x86asm.EAX - x86asm.AX
	}
	return memText(x86asm.Mem{Segment: x86asm.ES + x86asm.Reg(seg), Base: r})
}

// compare returns what the decoders disagree on, or two equal strings.
func compare(code []byte, mode Mode) (ours, theirs string) {
	var in Inst
	if Decode(code, mode, &in) == OK {
		ours = instText(&in)
	}
	return ours, asmText(code, mode)
}

// TestAgainstX86asm walks every opcode of every map with every ModRM byte under
// each mandatory prefix, in both modes, and holds the result against x86asm.
func TestAgainstX86asm(t *testing.T) {
	type key struct{ ours, theirs string }
	count := map[key]int{}
	example := map[key]string{}
	used := make([]bool, len(gaps))
	tail := []byte{0x5D, 0x84, 0x77, 0x91, 0x23, 0xC5, 0x12, 0xF8, 0x33, 0x99, 0x47}
	for _, mode := range []Mode{Mode16, Mode32} {
		for _, esc := range []string{"", "\x0F", "\x0F\x38", "\x0F\x3A"} {
			for op := range 256 {
				for m := range 256 {
					for _, p := range []string{"", "\x66", "\xF3", "\xF2", "\x67", "\x64\x66\x67", "\xF0"} {
						code := append([]byte(p+esc), byte(op), byte(m))
						code = append(code, tail...)
						ours, theirs := compare(code, mode)
						if ours == theirs {
							continue
						}
						if i := known(code, ours, theirs); i >= 0 {
							used[i] = true
						} else {
							k := key{first(ours), first(theirs)}
							if count[k] == 0 {
								example[k] = fmt.Sprintf("mode %d, % X\n  ours: %s\nx86asm: %s", mode, code, ours, theirs)
							}
							count[k]++
						}
					}
				}
			}
		}
	}
	for i, ok := range used {
		if !ok {
			t.Errorf("gap %q explains nothing", gaps[i].name)
		}
	}
	for k, n := range count {
		t.Errorf("%d times: %s", n, example[k])
	}
}

// first returns the mnemonic of a text.
func first(s string) string {
	if f := strings.Fields(s); len(f) > 1 {
		return f[1]
	}
	return s
}

// gap is a class of encodings that the decoders are known to disagree on.
type gap struct {
	name   string
	ours   string // mnemonics of ours, space-separated; "*" for any, "" for none
	theirs string
	code   func(code []byte) bool // nil for any
}

// op returns the opcode with its escapes and the byte after it, without the
// prefixes. Zeros stand behind code.
func op(code []byte) (op uint32, modRM byte) {
	i := 0
	code = append(code[:len(code):len(code)], 0, 0, 0, 0)
	for strings.IndexByte("\x26\x2E\x36\x3E\x64\x65\x66\x67\xF0\xF2\xF3", code[i]) >= 0 {
		i++
	}
	switch {
	case code[i] != 0x0F:
		return uint32(code[i]), code[i+1]
	case code[i+1] == 0x38 || code[i+1] == 0x3A:
		return 0x0F0000 | uint32(code[i+1])<<8 | uint32(code[i+2]), code[i+3]
	}
	return 0x0F00 | uint32(code[i+1]), code[i+2]
}

func opIs(list ...uint32) func([]byte) bool {
	return func(code []byte) bool {
		o, _ := op(code)
		for _, x := range list {
			if o == x {
				return true
			}
		}
		return false
	}
}

func opIn(lo, hi uint32) func([]byte) bool {
	return func(code []byte) bool {
		o, _ := op(code)
		return lo <= o && o <= hi
	}
}

var gaps = []gap{
	{"x86asm: no alias 82 /n", "ADD OR ADC SBB AND SUB XOR CMP", "", opIs(0x82)},
	{"x86asm: no alias F6 /1, F7 /1", "TEST", "", opIs(0xF6, 0xF7)},
	{"x86asm: no alias of SHL, /6", "SHL", "", nil},
	{"x86asm: no SALC", "SALC", "", nil},
	{"x86asm: no FNENI, FNDISI, FNSETPM", "FNENI FNDISI FNSETPM", "", nil},
	{"x86asm: no x87 aliases", "FCOM FCOMP FXCH FSTP", "", nil},
	{"x86asm: no hint NOPs but 0F 1F /0", "NOP PREFETCHW", "", opIn(0x0F0D, 0x0F1F)},
	{"x86asm: UD1 and UD0 want no ModRM in 16-bit code", "UD1 UD0", "", nil},
	{"x86asm: no RDSEED", "RDSEED", "", nil},
	{"x86asm: fences with rm 0 only", "LFENCE MFENCE SFENCE", "", nil},
	{"x86asm: INT3 is INT with an operand", "INT3", "INT", nil},
	{"x86asm: LAR and LSL of a 32-bit source register", "LAR LSL", "LAR LSL", nil},
	{"x86asm: moves to and from control registers have a memory form", "MOV", "MOV", opIn(0x0F20, 0x0F23)},
	{"x86asm: control registers 1, 5, 6 and 7, test registers, LOCK MOV CR0 as CR8", "", "MOV", opIn(0x0F20, 0x0F26)},
	{"x86asm: MOV to CS", "", "MOV", opIs(0x8E)},
	{"x86asm: MOV of a 32-bit register to a segment register", "MOV", "MOV", opIs(0x8E)},
	{"x86asm: mandatory prefixes of group 15 are not looked at", "", "FXSAVE FXRSTOR LDMXCSR STMXCSR CLFLUSH LFENCE MFENCE SFENCE", nil},
	{"x86asm: no-prefix forms taken with 66, F2 or F3", "", "EMMS MOVNTI RCPPS RSQRTPS RDRAND", nil},
	{"x86asm: memory-only forms taken with a register", "", "MOVHPD MOVLPD", nil},
	{"absent by CPUID: BMI1, LZCNT; F3 is ignored", "BSF BSR", "TZCNT LZCNT", nil},
	{"x86asm: no CLAC, STAC", "CLAC STAC", "", nil},
	{"x86asm: MOVBE taken with F3", "", "MOVBE", nil},
	{"absent by CPUID: SHA", "", "SHA1RNDS4 SHA1NEXTE SHA1MSG1 SHA1MSG2 SHA256RNDS2 SHA256MSG1 SHA256MSG2", nil},
	{"absent by CPUID: INVPCID", "", "INVPCID", nil},
	{"absent by CPUID: SSE4a", "", "MOVNTSS MOVNTSD", nil},
	{"absent by CPUID: XSAVE", "", "XSAVE XRSTOR XSAVEOPT XSAVEC XSAVES XRSTORS XGETBV XSETBV", nil},
	{"absent by CPUID: MONITOR, RTM", "", "MONITOR MWAIT XTEST XEND XBEGIN XABORT", nil},
	{"absent by CPUID: AVX, AVX-512", "", "*", opIs(0xC4, 0xC5, 0x62)},
}

// covers reports whether the gap explains the difference.
func (g *gap) covers(code []byte, ours, theirs string) bool {
	in := func(list, text string) bool {
		if list == "" || list == "*" {
			return (list == "") == (text == "")
		}
		return strings.Contains(" "+list+" ", " "+first(text)+" ")
	}
	return in(g.ours, ours) && in(g.theirs, theirs) && (g.code == nil || g.code(code))
}

// known returns the number of the gap that explains a difference, or -1.
func known(code []byte, ours, theirs string) int {
	for i := range gaps {
		if gaps[i].covers(code, ours, theirs) {
			return i
		}
	}
	return -1
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x8B, 0x44, 0x24, 0x08}, false)
	f.Add([]byte{0xF2, 0x0F, 0x10, 0x05, 1, 2, 3, 4}, true)
	f.Add([]byte{0x66, 0x67, 0x2E, 0xF0, 0x0F, 0xB1, 0x40, 0x10}, true)
	f.Add([]byte{0xDF, 0xE0}, false)
	f.Add([]byte{0xF3, 0x66, 0x0F, 0x1E, 0xFB}, true)
	f.Fuzz(func(t *testing.T, code []byte, mode32 bool) {
		mode := Mode16
		if mode32 {
			mode = Mode32
		}
		var in Inst
		res := Decode(code, mode, &in)
		if int(in.Len) > min(len(code), MaxLen) {
			t.Fatalf("% X: length %d", code, in.Len)
		}
		switch res {
		case OK:
			if in.Len == 0 || int(in.Form) >= len(Forms) || Forms[in.Form].Op != in.Op {
				t.Fatalf("% X: %+v", code, in)
			}
			// What follows the instruction and what is missing of it.
			var other Inst
			if r := Decode(code[:in.Len], mode, &other); r != OK || other != in {
				t.Fatalf("% X: %+v alone, %+v with a tail", code, other, in)
			}
			if r := Decode(code[:in.Len-1], mode, &other); r != Truncated {
				t.Fatalf("% X: result %d without its last byte", code, r)
			}
		case TooLong:
			if len(code) < MaxLen {
				t.Fatalf("% X: too long", code)
			}
			return
		case Truncated:
			if len(code) >= MaxLen {
				t.Fatalf("% X: truncated", code)
			}
			return
		}
		if in.Len > 10 {
			return // x86asm reads displacements that are not there
		}
		code = append(code[:len(code):len(code)], make([]byte, MaxLen)...)
		ours, theirs := compare(code, mode)
		if ours != theirs && known(code, ours, theirs) < 0 {
			t.Errorf("mode %d, % X\n  ours: %s\nx86asm: %s", mode, code, ours, theirs)
		}
	})
}
