package cpu

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"alpinevm/cpu/x86"
)

// Programs of floating-point instructions of chance: x87, MMX and SSE, with some
// integer instructions between that read and write flags, in a loop. What an
// engine carries from one instruction to the next shows in them: whose state is
// where, pointers, tags, rounding, sticky flags, and faults in the middle.

var floatRuns = flag.Int("float.runs", 1500, "how many programs TestFloatPrograms runs")

// Where the programs are, and their operands: a page, then one that is absent,
// one that is read-only, one that is not there for the user, and one of code.
const (
	floatCode   = 0x8000
	floatTable  = 0x5000
	floatData   = 0x60000
	floatAbsent = 0x61000
	floatRO     = 0x62000
	floatSystem = 0x63000
	floatEnd    = 0x64000
)

// floatOps are the integer instructions: of registers that no operand needs.
var floatOps = [][]byte{
	{0x40},                     // inc eax
	{0x01, 0xc2},               // add edx, eax
	{0x39, 0xd0},               // cmp eax, edx
	{0x9e},                     // sahf
	{0x72, 0},                  // jb +0
	{0x7a, 0},                  // jp +0
	{0x0f, 0x97, 0xc0},         // seta al
	{0x9b},                     // fwait
	{0x83, 0xd2, 0x01},         // adc edx, 1
	{0x89, 0x43, 0x60},         // mov [ebx+60h], eax
	{0xd9, 0x6e, 0x70},         // fldcw [esi+70h]
	{0xd9, 0x6e, 0x72},         // fldcw [esi+72h]
	{0x0f, 0xae, 0x56, 0x78},   // ldmxcsr [esi+78h]
	{0x0f, 0xae, 0x5b, 0x54},   // stmxcsr [ebx+54h]
	{0xd9, 0xe8}, {0xd9, 0xee}, // fld1; fldz
	{0xdd, 0xd8}, // fstp st0
	{0x0f, 0x77}, // emms
}

// modelled says whether the host's processor leaves condition codes that are
// undefined as the interpreter does, which follows AMD's. On others, programs do
// not look at them.
var modelled = func() bool {
	b, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && bytes.Contains(b, []byte("AuthenticAMD"))
}()

// showsCodes says whether an instruction puts the status word somewhere.
func showsCodes(op x86.Op) bool {
	return op == x86.FNSTSW || op == x86.FNSTENV || op == x86.FNSAVE || op == x86.FXSAVE
}

// floatForms are the rows of the table that programs are made of.
var floatForms = func() (rows []*x86.FormRow) {
	for _, f := range x87Forms() {
		if f.Op != x86.FXRSTOR && (modelled || !showsCodes(f.Op)) {
			rows = append(rows, f, f) // twice as often
			if f.MemArg() >= 0 && f.Args[f.MemArg()] == x86.Mf80 {
				rows = append(rows, f, f, f, f)
			}
		}
	}
	for i := range x86.Forms {
		f := &x86.Forms[i]
		vector := false
		for _, a := range f.Args {
			vector = vector || a.XMM() || a.MMX()
		}
		switch f.Op {
		case x86.DPPS, x86.DPPD, x86.MASKMOVQ, x86.MASKMOVDQU:
			// Which NaN comes through is the processor's; EDI is no operand.
		case x86.LDMXCSR, x86.STMXCSR, x86.LFENCE, x86.MFENCE, x86.SFENCE, x86.MOVNTI, x86.POPCNT:
			rows = append(rows, f, f)
		default:
			if vector {
				rows = append(rows, f)
			}
		}
	}
	return rows
}()

// floatProgram makes a program.
func floatProgram(r *rand.Rand) (code []byte, insts int) {
	families := 1 + r.IntN(7) // which of x87, MMX, XMM
	for n := 2 + r.IntN(12); insts < n; {
		if r.IntN(4) == 0 {
			code = append(code, floatOps[r.IntN(len(floatOps))]...)
			insts++
			continue
		}
		f := floatForms[r.IntN(len(floatForms))]
		if families>>family3(f)&1 == 0 {
			continue
		}
		if b := floatInst(r, f); b != nil {
			code = append(code, b...)
			insts++
		}
	}
	code = append(code, 0x49, 0x0f, 0x85) // dec ecx; jnz start
	return binary.LittleEndian.AppendUint32(code, uint32(-len(code)-4)), insts + 2
}

// family3 says whether the form is of x87, MMX or XMM registers.
func family3(f *x86.FormRow) int {
	n := 0
	for _, a := range f.Args {
		switch {
		case a.XMM():
			return 2
		case a.MMX():
			n = 1
		}
	}
	return n
}

// floatInst encodes a form with operands of chance, or gives nil.
func floatInst(r *rand.Rand, f *x86.FormRow) []byte {
	var b []byte
	mem := takes(f, true) && (!takes(f, false) || r.IntN(2) == 0)
	if f.Code < 0x100 {
		b = x87Bytes(f, byte(r.IntN(8)))
	} else {
		b = encode(f, byte(r.IntN(8)), byte(r.IntN(8)), false, byte(r.Uint32()))
	}
	var in x86.Inst
	if !mem {
		if x86.Decode(b, x86.Mode32, &in) != x86.OK || in.Mem && f.Code >= 0x100 {
			return nil
		}
		if in.Row().Op == f.Op && !writesESP(&in) {
			return b
		}
		return nil
	}
	// The ModRM byte becomes [ebx], [esi] or [ebp] with a displacement.
	at := len(b) - 1
	if f.Code >= 0x100 {
		at = len(b) - 1
		for _, a := range f.Args {
			if a == x86.Ib {
				at--
			}
		}
	}
	base := []byte{x86.EBX, x86.ESI, x86.EBP}[r.IntN(3)]
	disp := byte(r.IntN(12)) * []byte{1, 4, 8, 16}[r.IntN(4)] & 0x7f
	b[at] = b[at]&^0xc7 | 0x40 | base
	b = append(b[:at+1], append([]byte{disp}, b[at+1:]...)...)
	if r.IntN(12) == 0 {
		b = append([]byte{[]byte{0x64, 0x3e, 0x36, 0x26}[r.IntN(4)]}, b...)
	}
	if x86.Decode(b, x86.Mode32, &in) != x86.OK || int(in.Len) != len(b) || !in.Mem || in.Op != f.Op {
		return nil
	}
	return b
}

// writesESP says whether an instruction may change what addresses and loops
// depend on: all but EAX and EDX.
func writesESP(in *x86.Inst) bool {
	n := in.RM
	switch a := in.Row().Args[0]; {
	case a == x86.Gd || a == x86.Gv:
		n = in.Reg
	case !a.GPR():
		return false
	}
	return n != x86.EAX && n != x86.EDX
}

// Special values of single, double and extended precision.
var (
	floatSingles = []uint32{0, 1 << 31, 0x3f800000, 0xbf800000, 1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa00000, 0x4f000000, 0x3f800001}
	floatDoubles = []uint64{0, 1 << 63, 0x3ff << 52, 0xbff << 52, 1, 1<<52 - 1, 1 << 52, 0x7fe<<52 | 1<<52 - 1, 0x7ff << 52, 0xfff << 52, 0x7ff8 << 48, 0x7ff<<52 | 1, 0xfff4 << 48,
		0x41e << 52, 0xc1e << 52, 0x43e << 52, 0x3ff<<52 | 1, 0x4340000000000001}
	floatExponents   = []uint16{0, 1, 2, 0x3fff, 0x3ffe, 0x4000, 0x401e, 0x403e, 0x3c00, 0x43ff, 0x3f80, 0x407f, 0x7ffe, 0x7fff}
	floatSignificand = []uint64{0, 1, 1 << 63, 1<<63 | 1, 3 << 62, 1<<64 - 1, 1 << 62, 1<<63 | 1<<10, 1<<63 | 1<<39, 5 << 61, 0xc000000000000001, 0xffffffffffffff00}
)

// floatWord is 8 bytes of memory or of a register.
func floatWord(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return uint64(floatSingles[r.IntN(len(floatSingles))]) | uint64(floatSingles[r.IntN(len(floatSingles))])<<32
	case 1:
		return floatDoubles[r.IntN(len(floatDoubles))]
	case 2:
		return floatSignificand[r.IntN(len(floatSignificand))]
	}
	return r.Uint64()
}

// floatCPU is a CPU that begins each program in the state that it was made with.
type floatCPU struct {
	*CPU
	initial State
}

func newFloat(t *testing.T, mode byte, make func(testing.TB, Config) (*CPU, error)) floatCPU {
	c := newFuzz(t, mode, nil, make)
	return floatCPU{c, c.Save()}
}

// setup sets a CPU up by chance, with the program.
func (c floatCPU) setup(t *testing.T, r *rand.Rand, code []byte) {
	if err := c.Restore(c.initial); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(1024) {
		pte := i<<12 | 7
		switch i << 12 {
		case floatAbsent:
			pte = 0
		case floatRO:
			pte &^= 2
		case floatSystem:
			pte &^= 4
		}
		c.ram.Store32(floatTable+4*i, pte)
	}
	c.ram.Store32(0x4000, floatTable|7)
	for a := uint32(floatData); a < floatEnd; a += 8 {
		if a&0xfff < 0x100 || a&0xfff >= 0xf00 {
			c.ram.Store64(a, floatWord(r))
		}
	}
	f := &c.FPU
	f.CW = 0x40 | uint16(r.IntN(4))<<8 | uint16(r.IntN(4))<<10 | fpuExceptions
	if r.IntN(5) == 0 {
		f.CW &^= uint16(r.IntN(64))
	}
	f.SW = uint16(r.Uint32()) &^ (fpuES | fpuB)
	if r.IntN(3) != 0 {
		f.SW &^= fpuExceptions | fpuSF
	}
	f.summarize()
	f.Used = []uint8{0, 0xff, uint8(r.Uint32()), uint8(r.Uint32())}[r.IntN(4)]
	for i := range f.Mant {
		f.Mant[i], f.SE[i] = floatSignificand[r.IntN(len(floatSignificand))], floatExponents[r.IntN(len(floatExponents))]|uint16(r.IntN(2))<<15
		f.XMM[i] = [2]uint64{floatWord(r), floatWord(r)}
		if r.IntN(2) == 0 {
			f.Mant[i] = r.Uint64() | 1<<63
		}
	}
	f.MXCSR = 0x1f80 | uint32(r.IntN(4))<<13 | uint32(r.IntN(64))
	switch r.IntN(8) {
	case 0:
		f.MXCSR ^= 0x8040
	case 1:
		f.MXCSR &^= uint32(r.IntN(64)) << 7
	}
	c.CR0 |= cr0NE | cr0MP
	switch r.IntN(40) {
	case 0:
		c.CR0 |= cr0TS
	case 1:
		c.CR0 |= cr0EM
	case 2:
		c.CR4 &^= cr4OSFXSR
	}
	c.Seg[x86.FS].Base = 0x24
	c.Seg[x86.SS].Sel ^= 0x40 // pointers tell it from DS
	c.R[x86.ECX] = uint32(1 + r.IntN(5))
	for _, i := range []int{x86.EAX, x86.EDX} { // lengths of strings, or anything
		c.R[i] = []uint32{r.Uint32(), uint32(r.IntN(20)), -uint32(r.IntN(20))}[r.IntN(3)]
	}
	for _, i := range []int{x86.EBX, x86.ESI, x86.EBP} {
		c.R[i] = floatPlace(r)
	}
	words := c.R[x86.ESI] + 0x70
	for i, cw := range []uint16{0x37f, 0x27f, 0xf7f, 0x37e} {
		c.ram.Store16(words+uint32(2*i), cw)
	}
	c.ram.Store32(words+8, []uint32{0x1f80, 0x3fbf, 0x9fc0, 0x1f00, 0x11f80}[r.IntN(5)])
	c.mem.WriteAt(code, floatCode)
	c.EIP = floatCode
	c.Reload()
}

// floatPlace is where a base register points to.
func floatPlace(r *rand.Rand) uint32 {
	page := []uint32{floatData, floatData, floatData, floatData, floatAbsent, floatRO, floatSystem, floatCode &^ 0xfff}[r.IntN(8)]
	switch r.IntN(6) {
	case 0:
		return page + 0xfd0 + uint32(r.IntN(12))*4 // into the next page
	case 2:
		return page + 0xf80 + uint32(r.IntN(0x80))
	case 1:
		return page + 0x200 + uint32(r.IntN(64))
	}
	return page + 0x200 + uint32(r.IntN(4))*16
}

// floatTwins makes a CPU that interprets and one that runs on the engine under
// test.
func floatTwins(t *testing.T, mode byte) (plain, tested floatCPU) {
	if !otherEngine {
		t.Skip("not here: the interpreter is what others are compared with")
	}
	return newFloat(t, mode, func(_ testing.TB, cfg Config) (*CPU, error) { return New(cfg) }), newFloat(t, mode, newCPU)
}

// TestFloatPrograms runs each program on the interpreter, instruction by
// instruction, and on the engine under test, and compares all of the state.
func TestFloatPrograms(t *testing.T) {
	n := *floatRuns
	if testing.Short() {
		n /= 10
	}
	for i := range n {
		seed := uint64(i)
		code, insts := floatProgram(rand.New(rand.NewPCG(1, seed)))
		plain, tested := floatTwins(t, byte(1+i%2))
		for pass := range uint64(3) {
			for _, c := range []floatCPU{plain, tested} {
				c.setup(t, rand.New(rand.NewPCG(2+pass, seed)), code)
			}
			r := rand.New(rand.NewPCG(100+pass, seed))
			total := insts * 6
			for range total {
				plain.Run(1)
			}
			for left := total; left > 0; {
				slice := min(left, 1+r.IntN(total))
				tested.Run(slice)
				left -= slice
			}
			if d := floatDifference(plain, tested); d != "" {
				t.Fatalf("program %d, pass %d: %s\n%s\ninterpreter %+v\nother       %+v", i, pass, d, listing(code), plain.FPU, tested.FPU)
			}
		}
	}
}

// TestFloatForms runs each form alone: under each precision and rounding of the
// control word, with each place of the top of the stack, with special values, and
// with operands across the end of a page, behind which none is.
func TestFloatForms(t *testing.T) {
	plain, tested := floatTwins(t, 2)
	turns := uint64(48)
	if testing.Short() {
		turns = 12
	}
	for i, f := range floatForms {
		for k := range turns {
			r := rand.New(rand.NewPCG(uint64(i), k))
			var code []byte
			for tries := 0; code == nil && tries < 20; tries++ {
				code = floatInst(r, f)
			}
			if code == nil {
				t.Fatalf("%v %x cannot be encoded", f.Op, f.Code)
			}
			var in x86.Inst
			x86.Decode(code, x86.Mode32, &in)
			if in.Mem {
				code = append([]byte{0x80, 0x48 | in.Base, 0, 0}, code...) // or byte [base], 0: its page is known then
			}
			code = append(code, 0xeb, 0xfe) // jmp to itself
			for _, c := range []floatCPU{plain, tested} {
				c.setup(t, rand.New(rand.NewPCG(k, uint64(i))), code)
				c.FPU.SW = c.FPU.SW&^fpuTOP | uint16(k&7)<<11
				c.FPU.CW = c.FPU.CW&^0xf00 | uint16(k&3)<<8 | uint16(k>>2&3)<<10
				if in.Mem && k%2 == 0 {
					c.R[in.Base] = floatAbsent - uint32(k/2%18) - in.Disp
				}
				c.Run(5)
			}
			if d := floatDifference(plain, tested); d != "" {
				t.Fatalf("case %d: %s\n%s\ninterpreter %+v\nother       %+v", k, d, listing(code), plain.FPU, tested.FPU)
			}
		}
	}
}

// floatDifference says in what the two differ.
func floatDifference(plain, tested floatCPU) string {
	a, b := plain.Save(), tested.Save()
	a.Paused, b.Paused, a.Fault, b.Fault = 0, 0, Fault{}, Fault{}
	a.SetArith(a.Arith())
	b.SetArith(b.Arith())
	if !modelled {
		const codes = fpuC0 | fpuC1 | fpuC2 | fpuC3
		a.FPU.SW, b.FPU.SW = a.FPU.SW&^codes, b.FPU.SW&^codes
	}
	switch {
	case a.EIP != b.EIP || a.Retired != b.Retired:
		return fmt.Sprintf("EIP %x, want %x; retired %d, want %d", b.EIP, a.EIP, b.Retired, a.Retired)
	case a.R != b.R || a.EFLAGS() != b.EFLAGS():
		return fmt.Sprintf("registers %x %x, want %x %x", b.R, b.EFLAGS(), a.R, a.EFLAGS())
	case a.FPU != b.FPU:
		return "the floating-point state"
	case a != b:
		return "another part of the state"
	}
	for off := uint32(0); off < fuzzRAM; off += 0x1000 {
		v, w := plain.ram.Bytes(off, 0x1000), tested.ram.Bytes(off, 0x1000)
		if bytes.Equal(v, w) {
			continue
		}
		for i := range v {
			if v[i] != w[i] {
				return fmt.Sprintf("[%x] is %x, want %x", off+uint32(i), w[i], v[i])
			}
		}
	}
	return ""
}

// listing names the instructions of a program.
func listing(code []byte) string {
	var s strings.Builder
	for len(code) > 0 {
		var in x86.Inst
		if x86.Decode(code, x86.Mode32, &in) != x86.OK {
			break
		}
		fmt.Fprintf(&s, "%v % x\n", in.Op, code[:in.Len])
		code = code[in.Len:]
	}
	return s.String()
}
