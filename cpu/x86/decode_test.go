package x86

import (
	"fmt"
	"testing"
)

// encode returns the bytes of a form in the given mode: prefixes first, then the
// mandatory prefix and the opcode plus off, then modRM where the form has one
// (merged with what the row fixes), a zero SIB and displacement as needed, and
// immediates of ones.
func encode(r *FormRow, mode Mode, prefixes []byte, off byte, modRM byte) []byte {
	b := append([]byte(nil), prefixes...)
	opSize, addrSize := 2, 2
	if mode == Mode32 {
		opSize, addrSize = 4, 4
	}
	switch r.Prefix {
	case P66:
		b = append(b, 0x66)
	case PF3:
		b = append(b, 0xF3)
	case PF2:
		b = append(b, 0xF2)
	}
	for _, p := range b {
		switch p {
		case 0x66:
			opSize = 4
			if mode == Mode32 {
				opSize = 2
			}
		case 0x67:
			addrSize = 4
			if mode == Mode32 {
				addrSize = 2
			}
		}
	}
	switch {
	case r.Code > 0xFFFF:
		b = append(b, byte(r.Code>>16), byte(r.Code>>8))
	case r.Code > 0xFF:
		b = append(b, byte(r.Code>>8))
	}
	b = append(b, byte(r.Code)+off)
	if r.HasModRM() {
		b = append(b, modRM)
		b = append(b, make([]byte, addressTail(r, modRM, addrSize))...)
	}
	for _, a := range r.Args {
		n := 0
		switch a {
		case Ib, Ibs, Jb:
			n = 1
		case Iw:
			n = 2
		case Iz, Jz:
			n = opSize
		case Ap:
			n = opSize + 2
		case Ob, Ov:
			n = addrSize
		}
		for range n {
			b = append(b, 1)
		}
	}
	return b
}

// addressTail returns how many bytes of SIB (zero) and displacement follow modRM.
func addressTail(r *FormRow, modRM byte, addrSize int) int {
	mod, rm := modRM>>6, modRM&7
	if mod == 3 || r.Args[0] == Rd || r.Args[1] == Rd {
		return 0
	}
	n := [3]int{0, 1, addrSize}[mod]
	if addrSize == 2 {
		if mod == 0 && rm == 6 {
			n = 2
		}
		return n
	}
	if rm == 4 {
		n++
	} else if mod == 0 && rm == 5 {
		n = 4
	}
	return n
}

// modRMs returns the ModRM bytes that select a row.
func modRMs(r *FormRow) []byte {
	if !r.HasModRM() {
		return []byte{0}
	}
	var list []byte
	for m := range 256 {
		if r.Sel.Match(byte(m)) {
			list = append(list, byte(m))
		}
	}
	return list
}

// TestEveryRow encodes every row with every ModRM byte and opcode of its span,
// in both modes, and wants that row back at full length, and Truncated for every
// shorter piece.
func TestEveryRow(t *testing.T) {
	for i := range Forms {
		r := &Forms[i]
		reached := false
		for _, mode := range []Mode{Mode16, Mode32} {
			for off := range r.Span() {
				for _, m := range modRMs(r) {
					code := encode(r, mode, nil, byte(off), m)
					var in Inst
					res := Decode(code, mode, &in)
					if res != OK || int(in.Len) != len(code) {
						t.Fatalf("%v: % X: result %d, length %d", r, code, res, in.Len)
					}
					if in.Form != Form(i) {
						if in.Form > Form(i) {
							t.Fatalf("%v: % X decodes as a later row, %v", r, code, &Forms[in.Form])
						}
						continue // an earlier row takes precedence
					}
					reached = true
					for n := range code {
						if res := Decode(code[:n], mode, &in); res != Truncated || int(in.Len) != n {
							t.Fatalf("%v: % X of % X: result %d, length %d", r, code[:n], code, res, in.Len)
						}
					}
				}
			}
		}
		if !reached {
			t.Errorf("row %d, %v, is never reached", i, r)
		}
	}
}

func TestLengthLimit(t *testing.T) {
	// With 2E in front, an instruction of up to 15 bytes is legal.
	for i := range Forms {
		r := &Forms[i]
		m := modRMs(r)[0]
		base := len(encode(r, Mode32, nil, 0, m))
		for _, n := range []int{14, 15, 16, 17} {
			var pad []byte
			for range n - base {
				pad = append(pad, 0x2E)
			}
			code := encode(r, Mode32, pad, 0, m)
			var in Inst
			res := Decode(code, Mode32, &in)
			want := OK
			if n > MaxLen {
				want = TooLong
			}
			if res != want || int(in.Len) != min(n, MaxLen) {
				t.Fatalf("%v: % X (%d bytes): result %d, length %d", r, code, n, res, in.Len)
			}
		}
	}
	for n := range 20 {
		code := make([]byte, n)
		for i := range code {
			code[i] = 0x66
		}
		var in Inst
		want := Truncated
		if n >= MaxLen {
			want = TooLong
		}
		if res := Decode(code, Mode32, &in); res != want {
			t.Errorf("%d prefixes: result %d, want %d", n, res, want)
		}
	}
}

// TestLock holds LOCK against SDM vol. 2A, LOCK: it is allowed for these
// mnemonics with a memory destination and is #UD for everything else.
func TestLock(t *testing.T) {
	allowed := map[Op]bool{ADD: true, ADC: true, AND: true, BTC: true, BTR: true, BTS: true, CMPXCHG: true,
		CMPXCHG8B: true, DEC: true, INC: true, NEG: true, NOT: true, OR: true, SBB: true, SUB: true, XADD: true,
		XCHG: true, XOR: true}
	for i := range Forms {
		r := &Forms[i]
		for off := range r.Span() {
			for _, m := range modRMs(r) {
				code := encode(r, Mode32, []byte{0xF0}, byte(off), m)
				var in Inst
				res := Decode(code, Mode32, &in)
				want := Undefined
				if allowed[r.Op] && r.Args[0].Memory() && r.Args[0] != Ob && m < 0xC0 {
					want = OK
				}
				if res != want || int(in.Len) != len(code) {
					t.Fatalf("%v: % X: result %d, want %d", r, code, res, want)
				}
			}
		}
	}
}

func TestFields(t *testing.T) {
	rows := []struct {
		name string
		mode Mode
		code []byte
		want Inst // Form, Len and ModRM are not compared
	}{
		{"add [bx+si-1],al", Mode16, []byte{0x00, 0x40, 0xFF},
			Inst{Op: ADD, OpSize: 1, AddrSize: 2, Seg: DS, Mem: true, Base: EBX, Index: ESI, Disp: 0xFFFFFFFF}},
		{"mov ax,[bp]", Mode16, []byte{0x8B, 0x46, 0x00},
			Inst{Op: MOV, OpSize: 2, AddrSize: 2, Seg: SS, Mem: true, RM: 6, Base: EBP, Index: NoReg}},
		{"mov ax,[8000]", Mode16, []byte{0x8B, 0x06, 0x00, 0x80},
			Inst{Op: MOV, OpSize: 2, AddrSize: 2, Seg: DS, Mem: true, RM: 6, Base: NoReg, Index: NoReg, Disp: 0xFFFF8000}},
		{"mov ax,fs:[bp+di]", Mode16, []byte{0x64, 0x8B, 0x03},
			Inst{Op: MOV, OpSize: 2, AddrSize: 2, Prefix: PrefixSeg, Seg: FS, Mem: true, RM: 3, Base: EBP, Index: EDI}},
		{"lea ecx,[esp+eax*4+8]", Mode32, []byte{0x8D, 0x4C, 0x84, 0x08},
			Inst{Op: LEA, OpSize: 4, AddrSize: 4, Seg: SS, Mem: true, Reg: 1, RM: 4, Base: ESP, Index: EAX, Scale: 2, Disp: 8}},
		{"mov eax,[ebp*2+1]", Mode32, []byte{0x8B, 0x04, 0x6D, 1, 0, 0, 0},
			Inst{Op: MOV, OpSize: 4, AddrSize: 4, Seg: DS, Mem: true, RM: 4, Base: NoReg, Index: EBP, Scale: 1, Disp: 1}},
		{"mov eax,[esp], no index", Mode32, []byte{0x8B, 0x04, 0xE4},
			Inst{Op: MOV, OpSize: 4, AddrSize: 4, Seg: SS, Mem: true, RM: 4, Base: ESP, Index: NoReg}},
		{"mov eax,[disp32]", Mode32, []byte{0x8B, 0x05, 4, 3, 2, 1},
			Inst{Op: MOV, OpSize: 4, AddrSize: 4, Seg: DS, Mem: true, RM: 5, Base: NoReg, Index: NoReg, Disp: 0x01020304}},
		{"add ax,imm8 sign-extended", Mode32, []byte{0x66, 0x83, 0xC0, 0x80},
			Inst{Op: ADD, OpSize: 2, AddrSize: 4, Prefix: PrefixOpSize, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0xFFFFFF80}},
		{"add al,imm8 zero-extended", Mode32, []byte{0x04, 0x80},
			Inst{Op: ADD, OpSize: 1, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0x80}},
		{"push bp", Mode16, []byte{0x55},
			Inst{Op: PUSH, OpSize: 2, AddrSize: 2, Seg: DS, Base: NoReg, Index: NoReg, Reg: EBP}},
		{"push gs", Mode32, []byte{0x0F, 0xA8},
			Inst{Op: PUSH, OpSize: 4, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, Reg: GS}},
		{"jne -2", Mode32, []byte{0x75, 0xFE},
			Inst{Op: JCC, Cond: CondNE, OpSize: 4, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0xFFFFFFFE}},
		{"jg rel16", Mode16, []byte{0x0F, 0x8F, 0x00, 0x80},
			Inst{Op: JCC, Cond: CondG, OpSize: 2, AddrSize: 2, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0xFFFF8000}},
		{"jmp far ptr16:16", Mode16, []byte{0xEA, 0x00, 0x80, 0x34, 0x12},
			Inst{Op: JMPF, OpSize: 2, AddrSize: 2, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0x8000, Imm2: 0x1234}},
		{"enter", Mode32, []byte{0xC8, 0x34, 0x92, 0x1F},
			Inst{Op: ENTER, OpSize: 4, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, Imm: 0x9234, Imm2: 0x1F}},
		{"mov al,moffs16", Mode16, []byte{0xA0, 0x00, 0x80},
			Inst{Op: MOV, OpSize: 1, AddrSize: 2, Seg: DS, Mem: true, Base: NoReg, Index: NoReg, Disp: 0x8000}},
		{"mov es:moffs32,eax", Mode32, []byte{0x26, 0xA3, 4, 3, 2, 1},
			Inst{Op: MOV, OpSize: 4, AddrSize: 4, Prefix: PrefixSeg, Seg: ES, Mem: true, Base: NoReg, Index: NoReg, Disp: 0x01020304}},
		{"F3 after F2 counts", Mode32, []byte{0xF2, 0xF3, 0x66, 0x0F, 0x10, 0xC1},
			Inst{Op: MOVSS, OpSize: 4, AddrSize: 4, Prefix: PrefixRep | PrefixOpSize, Seg: DS, Base: NoReg, Index: NoReg, RM: 1}},
		{"mov cr0,eax ignores mod", Mode32, []byte{0x0F, 0x22, 0x05},
			Inst{Op: MOVCR, OpSize: 4, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, RM: 5}},
		{"fcmovnbe st0,st3", Mode32, []byte{0xDB, 0xD3},
			Inst{Op: FCMOVCC, Cond: 6, OpSize: 4, AddrSize: 4, Seg: DS, Base: NoReg, Index: NoReg, Reg: 2, RM: 3}},
		{"xchg ax,ax", Mode32, []byte{0x66, 0x90},
			Inst{Op: NOP, OpSize: 2, AddrSize: 4, Prefix: PrefixOpSize, Seg: DS, Base: NoReg, Index: NoReg}},
		{"rep movsd", Mode32, []byte{0xF3, 0xA5},
			Inst{Op: MOVS, OpSize: 4, AddrSize: 4, Prefix: PrefixRep, Seg: DS, Base: NoReg, Index: NoReg}},
	}
	for _, r := range rows {
		var in Inst
		if res := Decode(r.code, r.mode, &in); res != OK || int(in.Len) != len(r.code) {
			t.Errorf("%s: result %d, length %d", r.name, res, in.Len)
			continue
		}
		got := in
		got.Form, got.Len, got.ModRM = 0, 0, 0
		if got != r.want {
			t.Errorf("%s:\n got %+v\nwant %+v", r.name, got, r.want)
		}
	}
}

// TestUndefined lists what silicon without AVX, 3DNow!, VMX and SMX raises #UD
// for.
func TestUndefined(t *testing.T) {
	rows := []struct {
		name string
		code []byte
	}{
		{"VEX3", []byte{0xC4, 0xE1, 0x78, 0x28, 0xC1}},
		{"VEX2", []byte{0xC5, 0xF8, 0x28, 0xC1}},
		{"EVEX", []byte{0x62, 0xF1, 0x7C, 0x48, 0x28, 0xC1}},
		{"LEA of a register", []byte{0x8D, 0xC0}},
		{"XOP, POP /1", []byte{0x8F, 0xC8}},
		{"MOV CS,AX", []byte{0x8E, 0xC8}},
		{"MOV segment 6", []byte{0x8E, 0xF0}},
		{"MOV AX,segment 7", []byte{0x8C, 0xF8}},
		{"C6 /1", []byte{0xC6, 0xC8, 0}},
		{"C7 /7, XBEGIN", []byte{0xC7, 0xF8, 0, 0, 0, 0}},
		{"FE /2", []byte{0xFE, 0xD0}},
		{"FF /7", []byte{0xFF, 0xF8}},
		{"FF /3 of a register", []byte{0xFF, 0xD8}},
		{"MOV CR1", []byte{0x0F, 0x22, 0xC8}},
		{"MOV TR6", []byte{0x0F, 0x26, 0xF0}},
		{"3DNow!", []byte{0x0F, 0x0F, 0xC1, 0x9E}},
		{"VMCALL", []byte{0x0F, 0x01, 0xC1}},
		{"MONITOR", []byte{0x0F, 0x01, 0xC8}},
		{"XGETBV", []byte{0x0F, 0x01, 0xD0}},
		{"XSAVE", []byte{0x0F, 0xAE, 0x20}},
		{"CLFLUSHOPT", []byte{0x66, 0x0F, 0xAE, 0x38}},
		{"SYSCALL", []byte{0x0F, 0x05}},
		{"66 POPCNT", []byte{0x66, 0x0F, 0xB8, 0xC0}},
		{"F2 POPCNT", []byte{0xF2, 0x0F, 0xB8, 0xC0}},
		{"MOVBE of a register", []byte{0x0F, 0x38, 0xF0, 0xC1}},
		{"F3 MOVBE", []byte{0xF3, 0x0F, 0x38, 0xF0, 0x00}},
		{"ADCX", []byte{0x66, 0x0F, 0x38, 0xF6, 0xC1}},
		{"INVPCID", []byte{0x66, 0x0F, 0x38, 0x82, 0x00}},
		{"SHA1NEXTE", []byte{0x0F, 0x38, 0xC8, 0xC1}},
		{"PTEST without 66", []byte{0x0F, 0x38, 0x17, 0xC1}},
		{"F3 AESENC", []byte{0x66, 0xF3, 0x0F, 0x38, 0xDC, 0xC1}},
		{"MOVNTDQA of a register", []byte{0x66, 0x0F, 0x38, 0x2A, 0xC1}},
		{"JMPE", []byte{0x0F, 0xB8, 0, 0, 0, 0}},
		{"F3 MOVAPS", []byte{0xF3, 0x0F, 0x28, 0xC1}},
		{"66 EMMS", []byte{0x66, 0x0F, 0x77}},
		{"RDPID", []byte{0xF3, 0x0F, 0xC7, 0xF8}},
		{"0F BA /3", []byte{0x0F, 0xBA, 0xD8, 0}},
		{"PSRLW of memory", []byte{0x0F, 0x71, 0x10, 1}},
		{"MOVNTPS of a register", []byte{0x0F, 0x2B, 0xC1}},
		{"FLDENV of a register", []byte{0xD9, 0xE2}},
		{"D9 D1", []byte{0xD9, 0xD1}},
		{"DA E8", []byte{0xDA, 0xE8}},
		{"DB /4", []byte{0xDB, 0x20}},
		{"DB F8", []byte{0xDB, 0xF8}},
		{"DF E1", []byte{0xDF, 0xE1}},
	}
	for _, r := range rows {
		var in Inst
		if res := Decode(r.code, Mode32, &in); res != Undefined {
			t.Errorf("%s: % X: result %d, %v", r.name, r.code, res, &Forms[in.Form])
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]Op{}
	used := map[Op]bool{}
	for i := range Forms {
		used[Forms[i].Op] = true
	}
	for op := Op(1); op < numOps; op++ {
		s := op.String()
		if s == "" || s == "(bad)" {
			t.Errorf("op %d has no name", op)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("ops %d and %d are both %s", other, op, s)
		}
		seen[s] = op
		if !used[op] {
			t.Errorf("%v has no row", op)
		}
	}
	for a := Arg(1); a < numArgs; a++ {
		if a.String() == "" {
			t.Errorf("arg %d has no name", a)
		}
	}
	text := map[string]bool{}
	for i := range Forms {
		s := Forms[i].String() + fmt.Sprint(Forms[i].Sel)
		if text[s] {
			t.Errorf("two rows are %s", s)
		}
		text[s] = true
	}
}

// benchCode is a mix as compilers make it: moves, arithmetic, branches, stack,
// some SSE and x87.
var benchCode = []byte{
	0x55,       // push ebp
	0x89, 0xE5, // mov ebp,esp
	0x83, 0xEC, 0x18, // sub esp,24
	0x8B, 0x45, 0x08, // mov eax,[ebp+8]
	0x8B, 0x50, 0x04, // mov edx,[eax+4]
	0x0F, 0xB6, 0x0A, // movzx ecx,byte [edx]
	0x84, 0xC9, // test cl,cl
	0x74, 0x10, // je
	0x8D, 0x74, 0x26, 0x00, // lea esi,[esi]
	0x89, 0x04, 0x24, // mov [esp],eax
	0xE8, 0x10, 0x00, 0x00, 0x00, // call
	0x3D, 0xFF, 0x0F, 0x00, 0x00, // cmp eax,4095
	0x0F, 0x8F, 0x10, 0x00, 0x00, 0x00, // jg
	0xC7, 0x44, 0x24, 0x04, 1, 0, 0, 0, // mov dword [esp+4],1
	0xA1, 0x00, 0x10, 0x00, 0x08, // mov eax,[08001000]
	0xC1, 0xE0, 0x02, // shl eax,2
	0x01, 0xD0, // add eax,edx
	0x66, 0x89, 0x43, 0x02, // mov [ebx+2],ax
	0xF2, 0x0F, 0x10, 0x44, 0x24, 0x08, // movsd xmm0,[esp+8]
	0xDD, 0x45, 0xF0, // fld qword [ebp-16]
	0xDE, 0xC9, // fmulp
	0x31, 0xC0, // xor eax,eax
	0x5B, // pop ebx
	0xC9, // leave
	0xC3, // ret
}

func BenchmarkDecode(b *testing.B) {
	code := append(append([]byte(nil), benchCode...), make([]byte, 16)...)
	var in Inst
	n := 0
	b.ReportAllocs()
	for n < b.N {
		for pos := 0; pos < len(benchCode); pos += int(in.Len) {
			if Decode(code[pos:], Mode32, &in) != OK {
				b.Fatal("not decoded")
			}
			n++
		}
	}
}

// TestIgnoredPrefix: F3 makes other instructions of BSF and BSR where CPUID shows
// BMI1 and LZCNT. It does not show them here, so F3 is ignored (SDM vol. 2B, LZCNT
// and TZCNT).
func TestIgnoredPrefix(t *testing.T) {
	for _, mode := range []Mode{Mode16, Mode32} {
		for _, p := range [][]byte{{0xF3}, {0x66, 0xF3}, {0xF2}} {
			for b, op := range map[byte]Op{0xBC: BSF, 0xBD: BSR} {
				var in Inst
				code := append(append([]byte{}, p...), 0x0F, b, 0xC1)
				if r := Decode(code, mode, &in); r != OK || in.Op != op {
					t.Errorf("mode %d, % X: result %d, %v, want %v", mode, code, r, in.Op, op)
				}
			}
		}
	}
}
