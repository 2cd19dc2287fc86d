package cputest

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutate = flag.Bool("oracle.mutate", false, "flip one flag or operand in each of many handlers and see the corpus catch it")

// mutation is a change of one handler: behind the first occurrence of at in a
// file of package cpu, the next occurrence of old becomes new. sets are those of
// the corpus to run.
type mutation struct{ file, at, old, new, sets string }

var mutations = []mutation{
	// Integer.
	{"alu_gen.go", "func add32RegRM(", "a + b", "a + b + 1", "ADD"},
	{"alu_gen.go", "func add8MemRegFlat(", "cy&AuxAF", "cy>>1&AuxAF", "ADD"},
	{"alu_gen.go", "func sub16RMReg(", "a - b", "b - a", "SUB"},
	{"alu_gen.go", "func cmp32RMImm(", "s.Aux =", "s.Aux = AuxAF ^", "CMP"},
	{"alu_gen.go", "func and32RMReg(", "a & b", "a | b", "AND"},
	{"alu_gen.go", "func xor8RegMemFlat(", "s.Aux = 0", "s.Aux = AuxCF", "XOR"},
	{"alu.go", "func inc32(", "r<<28 == 0", "r<<27 == 0", "INC"},
	{"alu.go", "func dec(", "v<<(32-8*o.size) == 1<<31", "r<<(32-8*o.size) == 1<<31", "DEC"},
	{"alu.go", "func neg(", "flagsSub(0, v, -v", "flagsSub(v, 0, -v", "NEG"},
	{"alu.go", "func not(", "^v", "^v &^ 1", "NOT"},
	{"shift.go", "func shr32Imm(", "cf>>1^r&AuxPO", "cf>>1", "SHR"},
	{"shift.go", "func shl(", "w>>(8*size)", "w>>(8*size-1)", "SHL"},
	{"shift.go", "func sar(", "w>>(n-1)", "w>>n", "SAR"},
	{"shift.go", "func rol(", "r&1^top(r, size)", "r&1", "ROL"},
	{"shift.go", "func ror(", "v>>n | v<<(width-n)", "v>>n | v<<(width-n+1)", "ROR"},
	{"shift.go", "func rcl(", "n %= width + 1", "n %= width", "RCL"},
	{"shift.go", "func rcr(", "w<<(width+1-n)", "w<<(width-n)", "RCR"},
	{"shift.go", "func shld(", "v >> (32 - n) & 1", "v >> (31 - n) & 1", "SHLD"},
	{"shift.go", "func shrd(", "fill<<(32-n)", "fill<<(31-n)", "SHRD"},
	{"muldiv.go", "func mul(", "r>>(8*o.size) != 0", "r>>(8*o.size-1) != 0", "MUL"},
	{"muldiv.go", "func imulWide(", "int64(int32(signExtend(c.R[eax], o.size)))", "int64(c.R[eax])", "IMUL"},
	{"muldiv.go", "func div(", "v == 0", "v == 1", "DIV"},
	{"muldiv.go", "func idiv(", "a/d, a%d", "a/d, -(a % d)", "IDIV"},
	{"bits.go", "func (c *CPU) bitTest(", "signExtend(i, o.size)", "i", "BT,BTS,BTR,BTC"},
	{"bits.go", "func bitFamily", "return v &^ bit", "return v & bit", "BTR"},
	{"bits.go", "func selectBitScan(", "c.Arith() | flagZF", "c.Arith() &^ flagZF", "BSF,BSR"},
	{"bcd.go", "func (c *CPU) decimalAdjust(", "> 0x99", "> 0x9a", "DAA,DAS"},
	{"bcd.go", "func (c *CPU) asciiAdjust(", "flagCF | flagAF", "flagCF", "AAA,AAS"},
	{"bcd.go", "func aam(", "al/base<<8|al%base", "al%base<<8|al/base", "AAM"},
	{"extend.go", "func movzx16(", "return next", "c.Res ^= 1\n\treturn next", "MOVZX"},
	{"mov.go", "func setcc(", "c.cond(", "!c.cond(", "SETCC"},
	{"mov.go", "func cmov(", "c.cond(", "!c.cond(", "CMOVCC"},
	{"flagops.go", "func salc(", "c.carry()", "(c.carry() ^ 1)", "SALC"},
	{"atomic.go", "func xadd(", "flagsAdd(", "flagsSub(", "XADD"},
	{"atomic.go", "func cmpxchg8b(", "flagZF", "flagCF", "CMPXCHG8B"},
	{"flags.go", "func (s *State) cond(", "r = s.sf() != s.of()", "r = s.sf()", "JCC,SETCC,CMOVCC"},
	{"branch.go", "func loop(", "taken && c.zf()", "taken", "LOOPE"},
	{"stack.go", "func enter(", "o.disp&31", "o.disp&15", "ENTER"},
	{"stack.go", "func leave(", "c.R[ebp] + uint32(o.size)", "c.R[ebp]", "LEAVE"},
	{"string.go", "func scas(", "c.flagsSub(c.R[eax], v", "c.flagsSub(v, c.R[eax]", "SCAS"},
	{"string.go", "func (c *CPU) stride(", "-uint32(o.size)", "uint32(o.size)", "MOVS,STOS"},
	// MMX and SSE.
	{"mmx_lanes.go", "func (l lanes) addSigned(", "(sum^a)&(sum^b)", "(sum^a)|(sum^b)", "PADDSB,PADDSW"},
	{"mmx_lanes.go", "func (l lanes) average(", "(a | b)", "(a & b)", "PAVGB,PAVGW"},
	{"mmx_lanes.go", "func pmulhrsw(", ">>14 + 1", ">>14", "PMULHRSW"},
	{"mmx_lanes.go", "func saturateU8(", "0xff", "0x7f", "PACKUSWB"},
	{"sse_float.go", "func alternate32(", "lane&1 == 0", "lane&1 != 0", "ADDSUBPS"},
	{"sse_convert.go", "func singleToInt(", "e.Rounding", "softfloat.Zero", "CVTSS2SI,CVTPS2DQ,CVTPS2PI"},
	{"sse_convert.go", "func doubleToIntTruncating(", "e.Flags |= softfloat.PE", "e.Flags |= softfloat.UE", "CVTTSD2SI"},
	{"sse_move.go", "func movhlps(", "[o.rm&7][1]", "[o.rm&7][0]", "MOVHLPS"},
	// SSE4, AES, PCLMULQDQ.
	{"sse4_general.go", "func popcnt(", "f = flagZF", "f = flagZF | flagPF", "POPCNT"},
	{"sse4_general.go", "func swapped(", "size == 2", "size == 4", "MOVBE"},
	{"sse4_general.go", "func crc32c(", "sum^v", "sum&v", "CRC32"},
	{"sse4_integer.go", "func ptest(", "lo&^x[0]|hi&^x[1]", "lo&^x[0]", "PTEST"},
	{"sse4_integer.go", "func phminposuw(", "|i)", "|7-i)", "PHMINPOSUW"},
	{"sse4_integer.go", "func mpsadbw(", "o.imm&4+i", "o.imm&3+i", "MPSADBW"},
	{"sse4_integer.go", "func saturateU16(", "0xffff", "0x7fff", "PACKUSDW"},
	{"sse4_move.go", "func (l lanes) numbered(", "set>>i&1", "set>>i&2>>1", "BLENDPS,BLENDPD,PBLENDW"},
	{"sse4_move.go", "func spaced(", "if signed", "if !signed", "PMOVSXBW"},
	{"sse4_move.go", "func insertps(", "o.imm>>6", "o.imm>>4", "INSERTPS"},
	{"sse4_move.go", "func (c *CPU) extracted(", "size = 4", "size = 2", "PEXTRB,PEXTRW"},
	{"sse4_float.go", "func (o *op) rounding(", "o.imm&4 != 0", "o.imm&8 != 0", "ROUNDPS,ROUNDSD"},
	{"sse4_float.go", "func dpps(", "if !c.settle(e)", "if false", "DPPS"},
	{"sse4_float.go", "func dppd(", "sum & lanes64.numbered(o.imm>>1)", "sum & lanes64.numbered(o.imm>>2)", "DPPD"},
	{"sse4_string.go", "func explicit(", "max(n, -n)", "max(n, 0)", "PCMPESTRI,PCMPESTRM"},
	{"sse4_string.go", "func inRanges(", "i+1 < a.n", "i < a.n", "PCMPESTRI,PCMPESTRM,PCMPISTRI,PCMPISTRM"},
	{"sse4_string.go", "func equalEach(", "i >= a.n && i >= b.n ||", "", "PCMPISTRI"},
	{"sse4_string.go", "func equalOrdered(", "j+i < b.n", "true", "PCMPISTRM,PCMPESTRM"},
	{"sse4_string.go", "func (o *op) aggregate(", "1<<b.n - 1", "1<<a.n - 1", "PCMPESTRM"},
	{"aes.go", "func mixed(", "<<16", "<<8", "AESENC,AESDEC"},
	{"aes.go", "func (s *aesStep) apply(", "col+row*s.shift", "col-row*s.shift", "AESENC"},
	{"aes.go", "func aeskeygenassist(", "^o.imm", "", "AESKEYGENASSIST"},
	{"clmul.go", "func pclmulqdq(", "o.imm&0x10", "o.imm&2", "PCLMULQDQ"},
	{"clmul.go", "func carryless(", "r[0]>>60", "r[0]>>61", "PCLMULQDQ"},
	// x87.
	{"x87_arith.go", "var x87Relations", "{fpuC0, x86.FlagCF}", "{fpuC0, x86.FlagPF}", "FCOMI,FUCOMI"},
	{"x87_arith.go", "func fxam(", "v.Negative()", "!v.Negative()", "FXAM"},
	{"x87_arith.go", "func x87Arith(", "e.Sub80(b, a)", "e.Sub80(a, b)", "FSUBR,FSUBRP,FISUBR"},
	{"x87.go", "func (f *FPU) pop(", "f.Used &^= 1 << f.st(0)", "f.Used |= 1 << f.st(0)", "FSTP,FADDP"},
	{"x87_move.go", "func fxch(", "f.setReg(q, a)", "f.setReg(q, b)\n\t_ = a", "FXCH"},
	{"x87_control.go", "func (f *FPU) Tags(", "tag = 1", "tag = 2", "FNSTENV,FNSAVE"},
}

// TestMutations makes each mutation and wants the corpus to catch it. It takes
// minutes and runs only when asked to: -oracle.mutate -timeout 30m.
func TestMutations(t *testing.T) {
	if !*mutate {
		t.Skip("not here: -oracle.mutate is not set")
	}
	for i := range mutations {
		if m := &mutations[i]; *only == "" || *only == m.sets {
			m.mustBeCaught(t, ".", "-run=TestVectors", "-engine=interpreter", "-oracle.only="+m.sets)
		}
	}
	t.Logf("%d mutations", len(mutations))
}

// mustBeCaught runs go test with args on the mutated source, which must fail.
func (m *mutation) mustBeCaught(t *testing.T, args ...string) {
	t.Helper()
	list, err := m.overlay(t.TempDir())
	if err != nil {
		t.Error(err)
		return
	}
	out, err := exec.Command("go", append([]string{"test", "-count=1", "-timeout=4m", "-overlay", list}, args...)...).CombinedOutput()
	switch {
	case err == nil:
		t.Errorf("%v: not caught by %s", m, args)
	case strings.Contains(string(out), "build failed") || !strings.Contains(string(out), "FAIL"):
		t.Errorf("%v: %s", m, out)
	}
}

func (m *mutation) String() string {
	return fmt.Sprintf("%s: %q for %q behind %q", m.file, m.new, m.old, m.at)
}

// TestMutationsApply finds the place of each mutation.
func TestMutationsApply(t *testing.T) {
	for i := range mutations {
		if _, _, err := mutations[i].apply(); err != nil {
			t.Error(err)
		}
	}
}

// apply gives the file that a mutation is in, by its whole name, and its text with
// the mutation.
func (m *mutation) apply() (path, text string, err error) {
	if path, err = filepath.Abs(filepath.Join("..", m.file)); err != nil {
		return "", "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	head, body, ok := strings.Cut(string(b), m.at)
	before, after, found := strings.Cut(body, m.old)
	if !ok || !found {
		return "", "", fmt.Errorf("%v: that is not there", m)
	}
	return path, head + m.at + before + m.new + after, nil
}

// overlay writes the mutated file, and what go test -overlay wants to know of
// it.
func (m *mutation) overlay(dir string) (list string, err error) {
	path, text, err := m.apply()
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	list = filepath.Join(dir, "overlay.json")
	return list, os.WriteFile(list, overlay, 0o600)
}
