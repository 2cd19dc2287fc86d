package cpu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

// x87Forms gives the rows of the opcode table that this family executes.
func x87Forms() (rows []*x86.FormRow) {
	for i := range x86.Forms {
		f := &x86.Forms[i]
		if f.Code >= 0xd8 && f.Code <= 0xdf || f.Op == x86.FXSAVE || f.Op == x86.FXRSTOR {
			rows = append(rows, f)
		}
	}
	return rows
}

// x87Bytes encodes a form with memory operands at [ebx] and stack register i.
func x87Bytes(f *x86.FormRow, i byte) []byte {
	var b []byte
	if f.Code > 0xff {
		b = append(b, byte(f.Code>>8))
	}
	b = append(b, byte(f.Code))
	if takes(f, true) {
		return append(b, byte(sole(f.Sel))<<3|3)
	}
	for m := 0xc0 | sole(f.Sel)<<3; ; m++ {
		if f.Sel.Match(byte(m)) {
			if !f.Sel.Match(byte(m ^ 1)) {
				return append(b, byte(m))
			}
			return append(b, byte(m)|i)
		}
	}
}

// TestX87AllForms: every form of the opcode table has a handler.
func TestX87AllForms(t *testing.T) {
	rows := x87Forms()
	if len(rows) < 140 {
		t.Fatalf("only %d forms", len(rows))
	}
	for _, f := range rows {
		c := newX87(t, 0x37f, xOne, xTwo)
		c.R[x86.EBX] = scratch
		if st := c.execute1(t, x87Bytes(f, 1)...); st != next {
			t.Errorf("%v %x: status %d, fault %d", f.Op, f.Code, st, c.Fault.Vector)
		}
	}
}

// TestX87Faults: an instruction whose memory operand faults changes nothing.
func TestX87Faults(t *testing.T) {
	for _, f := range x87Forms() {
		if !takes(f, true) {
			continue
		}
		c := newX87(t, 0x37f, xSNaN, xTwo)
		c.R[x86.EBX] = scratch
		c.Seg[x86.DS].Limit = scratch
		c.Seg[x86.DS].refresh()
		c.Reload()
		before := c.State
		if st := c.execute1(t, x87Bytes(f, 0)...); st != faulted || c.Fault != (Fault{Vector: vecGP, HasCode: true}) {
			t.Errorf("%v %x: status %d, fault %+v", f.Op, f.Code, st, c.Fault)
		}
		if c.FPU != before.FPU || c.R != before.R {
			t.Errorf("%v %x has changed the state", f.Op, f.Code)
		}
	}
}

// TestX87PageFaults: a page fault of an operand's last byte goes before an
// unmasked numeric exception, and changes nothing either. FXSAVE and FXRSTOR
// fault on any page that their area reaches.
func TestX87PageFaults(t *testing.T) {
	for _, f := range x87Forms() {
		if !takes(f, true) {
			continue
		}
		c := newX87(t, 0x340, xSNaN, xTwo)
		c.R[x86.EBX] = scratch + 0xfff
		if f.Op == x86.FXSAVE || f.Op == x86.FXRSTOR {
			c.R[x86.EBX] = scratch + 0xe10
		}
		c.page(t, scratch>>12+1, false)
		before := c.FPU
		if st := c.execute1(t, x87Bytes(f, 0)...); st != faulted || c.Fault.Vector != vecPF || c.CR2&^0xfff != scratch+0x1000 {
			t.Errorf("%v %x: status %d, fault %+v, CR2 %x", f.Op, f.Code, st, c.Fault, c.CR2)
		}
		if c.FPU != before {
			t.Errorf("%v %x has changed the state", f.Op, f.Code)
		}
	}
}

// TestRemainderCodes: C0 and C3 stay as they are where there is no quotient; C1
// and C2 are cleared.
func TestRemainderCodes(t *testing.T) {
	for _, stack := range []stackOf{{xInf, xOne}, {xSNaN, xOne}, {xOne, xZero}, {xOne}} {
		for _, modrm := range []byte{0xf8, 0xf5} {
			c := newX87(t, 0x37f, stack...)
			c.FPU.SW |= fpuC0 | fpuC1 | fpuC2 | fpuC3
			c.execute1(t, 0xd9, modrm)
			if sw := c.FPU.SW & (fpuC0 | fpuC1 | fpuC2 | fpuC3); sw != fpuC0|fpuC3 {
				t.Errorf("d9 %x of %x: codes %04x", modrm, stack, sw)
			}
		}
	}
}

// TestX87Unavailable: #NM and #MF by CR0 (SDM vol. 3A 2.5, table 2-1 and
// 9.2.1).
func TestX87Unavailable(t *testing.T) {
	const none = 0xff
	nop, wait, stsw, fxsave, init := []byte{0xd9, 0xd0}, []byte{0x9b}, []byte{0xdf, 0xe0}, []byte{0x0f, 0xae, 0x03}, []byte{0xdb, 0xe3}
	for _, r := range []struct {
		name    string
		set     uint32 // bits of CR0
		pending bool
		code    []byte
		vector  uint8
	}{
		{"FNOP", cr0NE, false, nop, none},
		{"FNOP with EM", cr0NE | cr0EM, false, nop, vecNM},
		{"FNOP with TS", cr0NE | cr0TS, true, nop, vecNM},
		{"FNOP, pending", cr0NE, true, nop, vecMF},
		{"FNOP, pending, NE clear", 0, true, nop, none},
		{"FWAIT", cr0NE, false, wait, none},
		{"FWAIT with TS", cr0NE | cr0TS, false, wait, none},
		{"FWAIT with MP", cr0NE | cr0MP, false, wait, none},
		{"FWAIT with TS and MP", cr0NE | cr0TS | cr0MP, true, wait, vecNM},
		{"FWAIT with EM", cr0NE | cr0EM, false, wait, none},
		{"FWAIT, pending", cr0NE, true, wait, vecMF},
		{"FNSTSW, pending", cr0NE, true, stsw, none},
		{"FNSTSW with EM", cr0NE | cr0EM, false, stsw, vecNM},
		{"FNSTSW with TS", cr0NE | cr0TS, false, stsw, vecNM},
		{"FNINIT, pending", cr0NE, true, init, none},
		{"FXSAVE, pending", cr0NE, true, fxsave, none},
		{"FXSAVE with TS", cr0NE | cr0TS, false, fxsave, vecNM},
		{"FXSAVE with EM", cr0NE | cr0EM, false, fxsave, vecNM},
	} {
		c := newX87(t, 0x37e, xOne)
		c.CR0 = c.CR0&^(cr0NE|cr0MP) | r.set
		c.R[x86.EBX] = scratch
		if r.pending {
			c.FPU.SW |= 1
			c.FPU.summarize()
		}
		st := c.execute1(t, r.code...)
		if st == next && r.vector != none || st == faulted && c.Fault.Vector != r.vector {
			t.Errorf("%s: status %d, fault %d, want %d", r.name, st, c.Fault.Vector, r.vector)
		}
	}
}

// TestX87Deferred: an unmasked exception is reported by the next waiting
// instruction, at its address.
func TestX87Deferred(t *testing.T) {
	c := newX87(t, 0x37b, xZero, xOne)
	m := []byte{
		0xde, 0xf9, // fdivp: ZE
		0x90,       // nop
		0xdf, 0xe0, // fnstsw ax
		0xd9, 0xd0, // fnop: #MF
	}
	if _, err := c.mem.WriteAt(m, 0x100000); err != nil {
		t.Fatal(err)
	}
	var vector uint8
	var at uint32
	c.trace = func(c *CPU, f *Fault) {
		if vector == 0 {
			vector, at = f.Vector, c.EIP
		}
	}
	c.Run(4)
	if vector != vecMF || at != 0x100005 {
		t.Errorf("exception %d at %x", vector, at)
	}
	if sw := c.R[eax]; sw&0xffff != 0x8084|6<<11 {
		t.Errorf("FNSTSW gave %04x", sw)
	}
	if c.FPU.FIP != 0x100000 || c.FPU.FOP != 0x6f9 {
		t.Errorf("FIP %x FOP %x", c.FPU.FIP, c.FPU.FOP)
	}
}

// TestX87Pointers: which instructions record their address, opcode and operand
// (SDM vol. 1, 8.1.8; what FNOP, FFREE and FINCSTP do was read off silicon).
func TestX87Pointers(t *testing.T) {
	for _, r := range []struct {
		name       string
		code       []byte
		code1, mem bool // the instruction and the operand are recorded
	}{
		{"fadd st,st1", []byte{0xd8, 0xc1}, true, false},
		{"fld m32", []byte{0x36, 0xd9, 0x43, 0x04}, true, true},
		{"fstp m80", []byte{0x36, 0xdb, 0x7b, 0x04}, true, true},
		{"fist m16", []byte{0x36, 0xdf, 0x53, 0x04}, true, true},
		{"ficom m16", []byte{0x36, 0xde, 0x53, 0x04}, true, true},
		{"fcom m64", []byte{0x36, 0xdc, 0x53, 0x04}, true, true},
		{"fnop", []byte{0xd9, 0xd0}, true, false},
		{"ffree", []byte{0xdd, 0xc1}, true, false},
		{"fincstp", []byte{0xd9, 0xf7}, true, false},
		{"fcmove", []byte{0xda, 0xc9}, true, false},
		{"fldcw", []byte{0x36, 0xd9, 0x6b, 0x04}, false, false},
		{"fnstcw", []byte{0x36, 0xd9, 0x7b, 0x04}, false, false},
		{"fnstsw ax", []byte{0xdf, 0xe0}, false, false},
		{"fnclex", []byte{0xdb, 0xe2}, false, false},
		{"fnstenv", []byte{0x36, 0xd9, 0x73, 0x04}, false, false},
		{"fwait", []byte{0x9b}, false, false},
		{"fnsetpm", []byte{0xdb, 0xe4}, false, false},
	} {
		c := newX87(t, 0x37f, xOne, xTwo)
		c.R[x86.EBX] = scratch
		c.Seg[x86.SS].Sel = 0x18
		f := &c.FPU
		f.FIP, f.FCS, f.FOP, f.FDP, f.FDS = 1, 2, 3, 4, 5
		want := *f
		if r.code1 {
			want.FIP, want.FCS = 0x100000, 8
			b := r.code
			if b[0] == 0x36 {
				b = b[1:]
			}
			want.FOP = uint16(b[0]&7)<<8 | uint16(b[1])
		}
		if r.mem {
			want.FDP, want.FDS = scratch+4, 0x18
		}
		if st := c.execute1(t, r.code...); st != next {
			t.Errorf("%s: status %d", r.name, st)
		}
		if f.FIP != want.FIP || f.FCS != want.FCS || f.FOP != want.FOP || f.FDP != want.FDP || f.FDS != want.FDS {
			t.Errorf("%s: FIP %x FCS %x FOP %x FDP %x FDS %x, want %x %x %x %x %x", r.name,
				f.FIP, f.FCS, f.FOP, f.FDP, f.FDS, want.FIP, want.FCS, want.FOP, want.FDP, want.FDS)
		}
	}
}

// environmentRows are the four layouts of SDM vol. 1, figures 8-9 to 8-12, of
// one state.
var environmentRows = []struct {
	name   string
	real   bool
	prefix bool // operand size 16
	want   []uint32
}{
	{"protected, 32 bits", false, false, []uint32{0xffff037f, 0xffff3541, 0xffff9fff, 0x12345678, 0x05a9_0008, 0x9abcdef0, 0xffff0010}},
	{"protected, 16 bits", false, true, []uint32{0x037f, 0x3541, 0x9fff, 0x5678, 0x0008, 0xdef0, 0x0010}},
	{"real, 32 bits", true, false, []uint32{0xffff037f, 0xffff3541, 0xffff9fff, 0xffff56f8, 0x0123_45a9, 0xffffdff0, 0x09ab_c000}},
	{"real, 16 bits", true, true, []uint32{0x037f, 0x3541, 0x9fff, 0x56f8, 0x45a9, 0xdff0, 0xc000}},
}

// environmentState makes the state that environmentRows shows.
func environmentState(t *testing.T, real, prefix bool) *CPU {
	c := newX87(t, 0x37f)
	if real {
		c.CR0 &^= cr0PE
		c.Reload()
	}
	c.R[x86.EBX] = scratch
	f := &c.FPU
	f.setReg(7, xInf)  // special: 2
	f.setReg(6, xZero) // 1
	f.Used = 0xc0
	f.SW = 6<<11 | fpuC0 | fpuC2 | 0x41
	f.FIP, f.FCS, f.FOP, f.FDP, f.FDS = 0x12345678, 8, 0x5a9, 0x9abcdef0, 0x10
	if prefix {
		f.FOP = 0x5a9
	}
	return c
}

// layout gives the fields with 2 or 4 bytes each.
func layout(w []uint32, prefix bool) (b []byte) {
	for _, v := range w {
		if prefix {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		} else {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return b
}

// sized encodes an instruction with [ebx], and an operand size prefix or not.
func sized(prefix bool, code ...byte) []byte {
	if prefix {
		return append([]byte{0x66}, code...)
	}
	return code
}

func TestEnvironment(t *testing.T) {
	for _, r := range environmentRows {
		c := environmentState(t, r.real, r.prefix)
		want := layout(r.want, r.prefix)
		if st := c.execute1(t, sized(r.prefix, 0xd9, 0x33)...); st != next {
			t.Fatalf("%s: FNSTENV: status %d", r.name, st)
		}
		if got := c.at(uint32(len(want))); !bytes.Equal(got, want) {
			t.Errorf("%s: FNSTENV wrote\n % x, want\n % x", r.name, got, want)
		}
		c.FPU.initialize()
		if st := c.execute1(t, sized(r.prefix, 0xd9, 0x23)...); st != next {
			t.Fatalf("%s: FLDENV: status %d", r.name, st)
		}
		// Storing it again gives the same.
		c.execute1(t, sized(r.prefix, 0xd9, 0x33)...)
		if got := c.at(uint32(len(want))); !bytes.Equal(got, want) {
			t.Errorf("%s: FLDENV and FNSTENV made\n % x, want\n % x", r.name, got, want)
		}
		if c.FPU.Used != 0xc0 || c.FPU.SW != 6<<11|fpuC0|fpuC2|0x41 {
			t.Errorf("%s: FLDENV: tags %02x SW %04x", r.name, c.FPU.Used, c.FPU.SW)
		}
	}
}

func TestFNSAVE(t *testing.T) {
	for _, r := range environmentRows {
		c := environmentState(t, r.real, r.prefix)
		want := layout(r.want, r.prefix)
		for i := range uint8(8) {
			want = append(want, mem80(c.FPU.reg(c.FPU.st(i)))...)
		}
		before := c.FPU
		c.execute1(t, sized(r.prefix, 0xdd, 0x33)...)
		if got := c.at(uint32(len(want))); !bytes.Equal(got, want) {
			t.Errorf("%s: FNSAVE wrote\n % x, want\n % x", r.name, got, want)
		}
		if c.FPU.CW != 0x37f || c.FPU.SW != 0 || c.FPU.Used != 0 || c.FPU.FIP|c.FPU.FDP != 0 {
			t.Errorf("%s: FNSAVE leaves %+v", r.name, c.FPU)
		}
		for i := range c.FPU.Mant {
			c.FPU.Mant[i], c.FPU.SE[i] = 0, 0
		}
		c.execute1(t, sized(r.prefix, 0xdd, 0x23)...)
		if c.FPU.Mant != before.Mant || c.FPU.SE != before.SE || c.FPU.SW != before.SW || c.FPU.Used != before.Used {
			t.Errorf("%s: FRSTOR makes %+v, want %+v", r.name, c.FPU, before)
		}
	}
}

// TestFNSTENVMasks: the stored environment shows the pending exception, after
// which all are masked.
func TestFNSTENVMasks(t *testing.T) {
	c := newX87(t, 0x37e)
	c.R[x86.EBX] = scratch
	c.FPU.SW = 1
	c.FPU.summarize()
	c.execute1(t, 0xd9, 0x33)
	if b := c.at(8); b[4] != 0x81 || b[5] != 0x80 || c.FPU.CW != 0x37f || c.FPU.SW != 1 {
		t.Errorf("stored % x, left CW %04x SW %04x", b, c.FPU.CW, c.FPU.SW)
	}
}

// TestX87Summary: ES and B follow what is loaded.
func TestX87Summary(t *testing.T) {
	c := newX87(t, 0x37f)
	c.R[x86.EBX] = scratch
	c.FPU.SW = 4
	load := func(cw uint16) {
		c.poke(t, binary.LittleEndian.AppendUint16(nil, cw))
		if st := c.execute1(t, 0xd9, 0x2b); st != next {
			t.Fatalf("FLDCW: status %d fault %d", st, c.Fault.Vector)
		}
	}
	load(0xffff)
	if c.FPU.CW != 0x1f7f || c.FPU.SW != 4 {
		t.Errorf("CW %04x SW %04x", c.FPU.CW, c.FPU.SW)
	}
	load(0x37b)
	if c.FPU.SW != 0x8084 {
		t.Errorf("SW %04x after unmasking ZE", c.FPU.SW)
	}
	if st := c.execute1(t, 0xd9, 0x2b); st != faulted || c.Fault.Vector != vecMF {
		t.Errorf("FLDCW with ES set: status %d fault %d", st, c.Fault.Vector)
	}
	c.FPU.SW |= 0x7f00
	c.execute1(t, 0xdb, 0xe2)
	if c.FPU.SW != 0x7f00 {
		t.Errorf("FNCLEX leaves SW %04x", c.FPU.SW)
	}
}

func TestFXSAVE(t *testing.T) {
	for _, sse := range []bool{true, false} {
		c := environmentState(t, false, false)
		if !sse {
			c.CR4 &^= cr4OSFXSR
		}
		f := &c.FPU
		f.MXCSR = 0x5fc0
		for i := range f.XMM {
			f.XMM[i] = [2]uint64{uint64(i) * 0x0101010101010101, ^uint64(i)}
		}
		blank := bytes.Repeat([]byte{0x55}, 512)
		c.poke(t, blank)
		if st := c.execute1(t, 0x0f, 0xae, 0x03); st != next {
			t.Fatalf("FXSAVE: status %d", st)
		}
		want := append([]byte(nil), blank...)
		copy(want, []byte{0x7f, 0x03, 0x41, 0x35, 0xc0, 0, 0xa9, 5, 0x78, 0x56, 0x34, 0x12, 8, 0, 0, 0,
			0xf0, 0xde, 0xbc, 0x9a, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
		for i := range uint8(8) {
			b := want[32+16*int(i):]
			clear(b[:16])
			copy(b, mem80(f.reg(f.st(i))))
		}
		if sse {
			copy(want[24:], []byte{0xc0, 0x5f, 0, 0, 0xff, 0xff, 0, 0})
			for i, x := range f.XMM {
				copy(want[160+16*i:], bytes128(x))
			}
		}
		if got := c.at(512); !bytes.Equal(got, want) {
			t.Errorf("OSFXSR %v: FXSAVE wrote\n % x, want\n % x", sse, got, want)
		}
		before := *f
		*f = FPU{CW: 0x40, MXCSR: 0x1f80}
		if st := c.execute1(t, 0x0f, 0xae, 0x0b); st != next {
			t.Fatalf("FXRSTOR: status %d", st)
		}
		if !sse {
			before.MXCSR, before.XMM = 0x1f80, [8][2]uint64{}
		}
		if *f != before {
			t.Errorf("OSFXSR %v: FXRSTOR makes\n %+v, want\n %+v", sse, *f, before)
		}
	}
}

// TestFXFaults: alignment, and reserved bits of MXCSR.
func TestFXFaults(t *testing.T) {
	c := newX87(t, 0x37f)
	c.R[x86.EBX] = scratch + 8
	for _, modrm := range []byte{0x03, 0x0b} {
		if st := c.execute1(t, 0x0f, 0xae, modrm); st != faulted || c.Fault != (Fault{Vector: vecGP, HasCode: true}) {
			t.Errorf("modrm %02x, misaligned: status %d fault %+v", modrm, st, c.Fault)
		}
	}
	c.R[x86.EBX] = scratch
	c.execute1(t, 0x0f, 0xae, 0x03)
	c.ram.Store32(scratch+24, 0x10000)
	c.FPU.CW = 0x340
	before := c.FPU
	if st := c.execute1(t, 0x0f, 0xae, 0x0b); st != faulted || c.Fault != (Fault{Vector: vecGP, HasCode: true}) || c.FPU != before {
		t.Errorf("reserved MXCSR bit: status %d fault %+v", st, c.Fault)
	}
}

// TestFCOMI: EFLAGS after each relation; OF, SF and AF are cleared.
func TestFCOMI(t *testing.T) {
	for _, r := range []struct {
		stack stackOf
		code  []byte
		flags uint32
		sw    uint16
		depth int
	}{
		{stackOf{xOne, xTwo}, []byte{0xdb, 0xf1}, x86.FlagCF, 0, 2},
		{stackOf{xOne, xOne}, []byte{0xdb, 0xf1}, x86.FlagZF, 0, 2},
		{stackOf{xTwo, xOne}, []byte{0xdf, 0xf1}, 0, 0, 1},
		{stackOf{xTwo, xQNaN}, []byte{0xdb, 0xf1}, x86.FlagCF | x86.FlagPF | x86.FlagZF, 1, 2},
		{stackOf{xTwo, xQNaN}, []byte{0xdf, 0xe9}, x86.FlagCF | x86.FlagPF | x86.FlagZF, 0, 1},
		{stackOf{xTwo}, []byte{0xdb, 0xe9}, x86.FlagCF | x86.FlagPF | x86.FlagZF, 0x41, 1},
	} {
		c := newX87(t, 0x37f, r.stack...)
		c.SetArith(arithFlags)
		c.execute1(t, r.code...)
		depth := 0
		for _, s := range c.stack() {
			if s != "-" {
				depth++
			}
		}
		if got := c.Arith(); got != r.flags || c.FPU.SW&^fpuTOP != r.sw || depth != r.depth {
			t.Errorf("% x of %x: flags %x SW %04x depth %d, want %x %04x %d", r.code, r.stack, got, c.FPU.SW&^fpuTOP, depth, r.flags, r.sw, r.depth)
		}
	}
}

// TestFCMOVcc has every condition, met and not.
func TestFCMOVcc(t *testing.T) {
	for i, r := range []struct{ yes, no uint32 }{
		{x86.FlagCF, x86.FlagZF | x86.FlagPF},
		{x86.FlagZF, x86.FlagCF | x86.FlagPF},
		{x86.FlagZF, x86.FlagPF},
		{x86.FlagPF, x86.FlagZF | x86.FlagCF},
	} {
		for _, negate := range []bool{false, true} {
			for _, flags := range []uint32{r.yes, r.no} {
				c := newX87(t, 0x37f, xOne, xTwo)
				c.SetArith(flags)
				code := []byte{0xda, 0xc1 | byte(i)<<3}
				want := xOne
				if negate {
					code[0]++
				}
				if (flags == r.yes) != negate {
					want = xTwo
				}
				c.execute1(t, code...)
				if got := c.FPU.reg(c.FPU.st(0)); got != want {
					t.Errorf("% x with flags %x: ST(0) is %x", code, flags, got)
				}
			}
		}
	}
}

// FuzzX87: no instruction on any state panics or leaves a state that cannot be.
func FuzzX87(f *testing.F) {
	f.Add(uint64(1), uint16(0x37f))
	f.Add(uint64(2), uint16(0))
	rows := x87Forms()
	f.Fuzz(func(t *testing.T, seed uint64, cw uint16) {
		r := rand.New(rand.NewPCG(seed, 87))
		c := newX87(t, cw)
		c.R[x86.EBX] = scratch
		for range 200 {
			s := &c.FPU
			s.SW, s.CW = uint16(r.Uint32()), cw&cwBits|cwFixed
			s.SW &^= fpuExceptions &^ s.CW // none is pending
			s.summarize()
			s.Used = uint8(r.Uint32() | r.Uint32())
			for i := range s.Mant {
				s.Mant[i], s.SE[i] = r.Uint64()|1<<63, uint16(r.Uint32())
				switch r.IntN(4) {
				case 0:
					s.Mant[i] = r.Uint64() >> r.IntN(64)
				case 1:
					s.SE[i] = uint16(0x3fff-70+r.IntN(140)) | uint16(r.IntN(2))<<15
				}
			}
			form := rows[r.IntN(len(rows))]
			if form.Op == x86.FXRSTOR || form.Op == x86.FRSTOR || form.Op == x86.FLDENV {
				continue
			}
			st := c.execute1(t, x87Bytes(form, byte(r.IntN(8)))...)
			if st != next {
				t.Fatalf("%v %x: status %d fault %d", form.Op, form.Code, st, c.Fault.Vector)
			}
			pending := s.SW&^s.CW&fpuExceptions != 0
			if s.CW&^(cwBits|cwFixed) != 0 || (s.SW&fpuES != 0) != pending && form.Op != x86.FNCLEX {
				t.Fatalf("%v %x leaves CW %04x SW %04x", form.Op, form.Code, s.CW, s.SW)
			}
		}
	})
}
