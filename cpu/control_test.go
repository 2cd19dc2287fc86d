package cpu

import "testing"

// TestPrivileged: what ring 3 may not do, whatever IOPL is.
func TestPrivileged(t *testing.T) {
	for name, code := range map[string][]byte{
		"HLT":        {0xf4},
		"CLTS":       {0x0f, 0x06},
		"INVD":       {0x0f, 0x08},
		"WBINVD":     {0x0f, 0x09},
		"INVLPG":     {0x0f, 0x01, 0x3b},
		"LMSW":       {0x0f, 0x01, 0xf0},
		"LGDT":       {0x0f, 0x01, 0x13},
		"LIDT":       {0x0f, 0x01, 0x1b},
		"LLDT":       {0x0f, 0x00, 0xd0},
		"LTR":        {0x0f, 0x00, 0xd8},
		"MOV to CR0": {0x0f, 0x22, 0xc0},
		"MOV CR4":    {0x0f, 0x20, 0xe0},
		"MOV DR7":    {0x0f, 0x21, 0xf8},
		"MOV to DR0": {0x0f, 0x23, 0xc0},
		"RDMSR":      {0x0f, 0x32},
		"WRMSR":      {0x0f, 0x30},
		"SYSEXIT":    {0x0f, 0x35},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.ring(3)
			r.flags(flagIOPL, 0)
			r.SysenterCS = 8
			if got := r.exec(code...); got != "13(0)" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestCR0: the combinations that raise #GP(0), and what a write makes of the
// register (SDM vol. 3A 2.5; vol. 2B, MOV).
func TestCR0(t *testing.T) {
	for _, row := range []struct {
		name string
		v    uint32
		want string
		cr0  uint32
	}{
		{"PG without PE", cr0PG, "13(0)", 0},
		{"NW without CD", cr0PE | cr0NW, "13(0)", 0},
		{"NW and CD", cr0PE | cr0NW | cr0CD, "", cr0PE | cr0NW | cr0CD | cr0ET},
		{"ET cannot be cleared", cr0PE, "", cr0PE | cr0ET},
		{"reserved bits are ignored", cr0PE | 0x1ff8ffc0&^cr0WP&^cr0AM, "", cr0PE | cr0ET},
		{"all that exists", cr0PE | cr0MP | cr0EM | cr0TS | cr0NE | cr0WP | cr0AM, "", cr0PE | cr0MP | cr0EM | cr0TS | cr0NE | cr0WP | cr0AM | cr0ET},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.R[ebx] = row.v
			if got := r.exec(0x0f, 0x22, 0xc3); got != row.want { // mov cr0, ebx
				t.Fatalf("got %q, want %q", got, row.want)
			}
			if row.want == "" {
				r.exec(0x0f, 0x20, 0xc1) // mov ecx, cr0
				r.wantf(r.R[ecx] == row.cr0, "CR0 %x, want %x", r.R[ecx], row.cr0)
			}
		})
	}
}

// TestCR4 writes each bit alone.
func TestCR4(t *testing.T) {
	for bit := range 32 {
		r := newRig(t)
		v := uint32(1) << bit
		r.R[ebx] = v
		want := "13(0)"
		if v&cr4Bits != 0 {
			want = ""
		}
		if got := r.exec(0x0f, 0x22, 0xe3); got != want || want == "" && r.CR4 != v {
			t.Errorf("bit %d: %q, want %q; CR4 %x", bit, got, want, r.CR4)
		}
	}
}

// TestControlRegisterNumbers: those that do not exist raise #UD.
func TestControlRegisterNumbers(t *testing.T) {
	for n := range byte(8) {
		want := "6"
		if n == 0 || n == 2 || n == 3 || n == 4 {
			want = ""
		}
		r := newRig(t)
		if got := r.exec(0x0f, 0x20, 0xc0|n<<3); got != want {
			t.Errorf("MOV EAX,CR%d: %q, want %q", n, got, want)
		}
	}
}

// TestPDPTEs: loads of CR3, CR0.PG and CR4.PAE check the PDPTE registers, which
// later writes to memory do not change.
func TestPDPTEs(t *testing.T) {
	const bad = 1 | 1<<5
	movCR := func(n byte) []byte { return []byte{0x0f, 0x22, 0xc3 | n<<3} }
	t.Run("CR3", func(t *testing.T) {
		r := newRig(t)
		r.pagingPAE()
		r.put64(0x380000, bad)
		r.R[ebx] = 0x380000
		if got := r.exec(movCR(3)...); got != "13(0)" {
			t.Errorf("reserved bit: %q", got)
		}
		r.ring(0)
		r.put64(0x380000, bad&^1)
		r.put64(0x380008, 0)
		r.put64(0x380010, 0)
		r.put64(0x380018, 0)
		if got := r.exec(movCR(3)...); got != "" {
			t.Errorf("absent entries with reserved bits: %q", got)
		}
	})
	t.Run("CR0.PG", func(t *testing.T) {
		r := newRig(t)
		r.CR4 |= cr4PAE
		r.CR3 = 0x380000
		r.put64(0x380000, bad)
		r.R[ebx] = r.CR0 | cr0PG
		if got := r.exec(movCR(0)...); got != "13(0)" {
			t.Errorf("%q", got)
		}
	})
	t.Run("CR4.PAE", func(t *testing.T) {
		r := newRig(t)
		r.paging32()
		r.exec(0x90) // fetch and stack stay in the TLB
		r.put64(rigPages, bad)
		r.R[ebx] = cr4PAE
		if got := r.exec(movCR(4)...); got != "13(0)" {
			t.Errorf("%q", got)
		}
	})
	t.Run("cached", func(t *testing.T) {
		r := newRig(t)
		r.pagingPAE()
		r.put64(rigPages, 0)
		r.flushTLB(true)
		if got := r.exec(0x90); got != "" {
			t.Errorf("a write to the table was seen without a load: %q", got)
		}
	})
}

// TestMachineStatus: LMSW, SMSW and CLTS.
func TestMachineStatus(t *testing.T) {
	r := newRig(t)
	r.CR0 |= cr0NE
	r.R[eax] = 0xfffffffe // cannot clear PE, sets MP EM TS
	r.exec(0x0f, 0x01, 0xf0)
	r.wantf(r.CR0&0xffff == cr0PE|cr0MP|cr0EM|cr0TS|cr0ET|cr0NE, "LMSW: CR0 %x", r.CR0)
	r.exec(0x0f, 0x06)
	r.wantf(r.CR0&cr0TS == 0, "CLTS: CR0 %x", r.CR0)
	r.exec(0x0f, 0x01, 0xe3) // smsw ebx
	r.wantf(r.R[ebx] == r.CR0, "SMSW: EBX %x", r.R[ebx])
	r.put32(rigData, 0xffffffff)
	r.exec(cat([]byte{0x0f, 0x01, 0x25}, imm32(rigData))...)
	r.wantf(r.get32(rigData) == 0xffff0000|r.CR0&0xffff, "SMSW: memory %x", r.get32(rigData))
}

// TestModeSwitch: from real mode to protected mode and back.
func TestModeSwitch(t *testing.T) {
	r := newRig(t)
	r.real()
	r.put(rigData, cat(imm16(rigGDTLimit), imm32(rigGDT))...)
	code := cat(
		[]byte{0x66, 0x0f, 0x01, 0x16, 0, 0}, // o32 lgdt [0]
		[]byte{0x0f, 0x20, 0xc0},             // mov eax, cr0
		[]byte{0x0c, 0x01},                   // or al, 1
		[]byte{0x0f, 0x22, 0xc0},             // mov cr0, eax
		[]byte{0x66, 0xea}, imm32(rigTarget), imm16(selCode0),
	)
	r.put(rigCode, code...)
	r.put(rigTarget, cat(
		[]byte{0xb8}, imm32(selData16), // mov eax, selData16
		[]byte{0x8e, 0xd8},                  // mov ds, ax
		[]byte{0xea}, imm32(rigTarget+0x20), // far to 16-bit code; above 64 KiB
		imm16(selTest),
	)...)
	r.gdt(selTest, segment(rigTarget, 0xffff, AttrP|AttrS|AttrCode|AttrWritable))
	r.put(rigTarget, cat([]byte{0xb8}, imm32(selData16), []byte{0x8e, 0xd8}, []byte{0xea}, imm32(0x20), imm16(selTest))...)
	r.put(rigTarget+0x20,
		0x0f, 0x20, 0xc0, // mov eax, cr0
		0x24, 0xfe, // and al, 0feh
		0x0f, 0x22, 0xc0, // mov cr0, eax
		0xea, 0x00, 0x01, 0x00, 0x10, // jmp 1000:0100
	)
	r.put(rigCode+0x100, 0xb8, 0x34, 0x12) // mov ax, 1234h
	if got := r.run(13); got != "" {
		t.Fatalf("%q at %x:%x", got, r.at.Seg[segCS].Sel, r.at.EIP)
	}
	r.wantf(r.R[eax]&0xffff == 0x1234 && r.EIP == 0x103 && r.Seg[segCS].Base == rigCode && r.CR0&cr0PE == 0, "EAX %x, EIP %x, CS %+v", r.R[eax], r.EIP, r.Seg[segCS])
}

// TestTables: LGDT to STR with their operand sizes and checks.
func TestTables(t *testing.T) {
	r := newRig(t)
	r.put(rigData, 0xff, 0x07, 0x78, 0x56, 0x34, 0x12)
	r.exec(cat([]byte{0x0f, 0x01, 0x1d}, imm32(rigData))...)
	r.wantf(r.IDTR == TableReg{0x12345678, 0x7ff}, "LIDT: %+v", r.IDTR)
	r.exec(cat([]byte{0x66, 0x0f, 0x01, 0x1d}, imm32(rigData))...)
	r.wantf(r.IDTR == TableReg{0x345678, 0x7ff}, "16-bit LIDT: %+v", r.IDTR)
	r.IDTR = TableReg{rigIDT, 0x7ff}
	r.exec(cat([]byte{0x0f, 0x01, 0x05}, imm32(rigData+16))...)
	r.wantf(r.get16(rigData+16) == rigGDTLimit && r.get32(rigData+18) == rigGDT, "SGDT: %x %x", r.get16(rigData+16), r.get32(rigData+18))
	r.exec(0x0f, 0x00, 0xc8) // str eax
	r.wantf(r.R[eax] == selTSS, "STR: %x", r.R[eax])
	r.R[ebx] = 0xffffffff
	r.exec(0x66, 0x0f, 0x00, 0xc3) // sldt bx
	r.wantf(r.R[ebx] == 0xffff0000|selLDT, "SLDT: %x", r.R[ebx])

	for _, row := range []struct {
		name, want string
		op         byte
		sel        uint16
		desc       uint64
	}{
		{"LLDT null", "", 0xd0, 0, 0},
		{"LLDT", "", 0xd0, selTest, segment(0x5000, 0x7f, AttrP|typeLDT)},
		{"LLDT in the LDT", "13(4)", 0xd0, selLocal, 0},
		{"LLDT beyond", "13(200)", 0xd0, selBeyond, 0},
		{"LLDT of a TSS", "13(80)", 0xd0, selTest, segment(0x5000, 0x7f, AttrP|typeTSS32)},
		{"LLDT of data", "13(80)", 0xd0, selTest, segment(0x5000, 0x7f, attrData0)},
		{"LLDT absent", "11(80)", 0xd0, selTest, absent(segment(0x5000, 0x7f, AttrP|typeLDT))},
		{"LTR null", "13(0)", 0xd8, 0, 0},
		{"LTR", "", 0xd8, selTest, segment(0x5000, 0x7f, AttrP|typeTSS32)},
		{"LTR 16-bit", "", 0xd8, selTest, segment(0x5000, 0x7f, AttrP|typeTSS16)},
		{"LTR busy", "13(80)", 0xd8, selTest, segment(0x5000, 0x7f, AttrP|typeTSS32Busy)},
		{"LTR of an LDT", "13(80)", 0xd8, selTest, segment(0x5000, 0x7f, AttrP|typeLDT)},
		{"LTR in the LDT", "13(4)", 0xd8, selLocal, 0},
		{"LTR beyond", "13(200)", 0xd8, selBeyond, 0},
		{"LTR absent", "11(80)", 0xd8, selTest, absent(segment(0x5000, 0x7f, AttrP|typeTSS32))},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.gdt(selTest, row.desc)
			r.R[eax] = uint32(row.sel)
			if got := r.exec(0x0f, 0x00, row.op); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			if row.want == "" && row.sel != 0 {
				s := segLDTR
				if row.op == 0xd8 {
					s = segTR
					r.want(r.busy(selTest), "not busy")
				}
				r.wantf(r.Seg[s].Sel == selTest && r.Seg[s].Base == 0x5000 && r.Seg[s].Limit == 0x7f, "loaded %+v", r.Seg[s])
			}
		})
	}
}

// TestVerify: LAR, LSL, VERR and VERW by type and privilege (SDM vol. 2A).
func TestVerify(t *testing.T) {
	for _, row := range []struct {
		name                 string
		desc                 uint64
		sel                  uint16
		cpl                  uint8
		lar, lsl, verr, verw bool
	}{
		{"null", 0, 0, 0, false, false, false, false},
		{"beyond", 0, selBeyond, 0, false, false, false, false},
		{"data", segment(0, 0x12fff, attrData0), selTest, 0, true, true, true, true},
		{"absent data", absent(segment(0, 0x12fff, attrData0)), selTest, 0, true, true, true, true},
		{"read-only", segment(0, 0x12fff, attrData0&^AttrWritable), selTest, 0, true, true, true, false},
		{"code", segment(0, 0x12fff, attrCode0), selTest, 0, true, true, true, false},
		{"execute-only", segment(0, 0x12fff, attrCode0&^AttrWritable), selTest, 0, true, true, false, false},
		{"hidden by CPL", segment(0, 0x12fff, attrData0), selTest, 3, false, false, false, false},
		{"hidden by RPL", segment(0, 0x12fff, attrData0), selTest | 1, 0, false, false, false, false},
		{"conforming", segment(0, 0x12fff, attrCode0|AttrExpandDown), selTest | 3, 3, true, true, true, false},
		{"LDT", segment(0, 0x12fff, AttrP|AttrG|typeLDT), selTest, 0, true, true, false, false},
		{"TSS", segment(0, 0x12fff, AttrP|AttrG|typeTSS32), selTest, 0, true, true, false, false},
		{"busy 16-bit TSS", segment(0, 0x12fff, AttrP|AttrG|typeTSS16Busy), selTest, 0, true, true, false, false},
		{"call gate", segment(0, 0x12fff, AttrP|AttrG|typeCall32), selTest, 0, true, false, false, false},
		{"task gate", segment(0, 0x12fff, AttrP|AttrG|typeTask), selTest, 0, true, false, false, false},
		{"interrupt gate", segment(0, 0x12fff, AttrP|AttrG|typeInt32), selTest, 0, false, false, false, false},
		{"trap gate", segment(0, 0x12fff, AttrP|AttrG|typeTrap16), selTest, 0, false, false, false, false},
		{"reserved", segment(0, 0x12fff, AttrP|AttrG), selTest, 0, false, false, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.gdt(selTest, row.desc)
			r.ring(row.cpl)
			r.R[eax] = uint32(row.sel)
			for _, q := range []struct {
				name string
				code []byte
				want bool
			}{
				{"LAR", []byte{0x0f, 0x02, 0xd8}, row.lar},
				{"LSL", []byte{0x0f, 0x03, 0xd8}, row.lsl},
				{"VERR", []byte{0x0f, 0x00, 0xe0}, row.verr},
				{"VERW", []byte{0x0f, 0x00, 0xe8}, row.verw},
			} {
				// All other flags stay.
				for _, before := range []uint32{2 | flagCF | flagSF | flagPF, 2 | flagZF | flagOF} {
					r.R[ebx] = 0xaaaaaaaa
					r.flags(before, arithFlags)
					if got := r.exec(q.code...); got != "" {
						t.Fatalf("%s: %q", q.name, got)
					}
					want := before &^ flagZF
					if q.want {
						want |= flagZF
					}
					r.wantf(r.EFLAGS() == want, "%s: EFLAGS %x, want %x", q.name, r.EFLAGS(), want)
				}
				ebxWant := uint32(0xaaaaaaaa)
				if q.want && q.name == "LAR" {
					ebxWant = uint32(row.desc>>32) & 0xf0ff00
				}
				if q.want && q.name == "LSL" {
					ebxWant = 0x12fff
				}
				r.wantf(r.R[ebx] == ebxWant, "%s: EBX %x, want %x", q.name, r.R[ebx], ebxWant)
			}
		})
	}
}

func TestARPL(t *testing.T) {
	for _, row := range []struct {
		dst, src, want uint32
		zf             bool
	}{{0x10, 0x13, 0x13, true}, {0x13, 0x10, 0x13, false}, {0x11, 0x12, 0x12, true}, {0x12, 0x12, 0x12, false}} {
		r := newRig(t)
		r.R[eax], r.R[ebx] = row.dst, row.src
		r.exec(0x63, 0xd8) // arpl ax, bx
		r.wantf(r.R[eax] == row.want && r.zf() == row.zf, "ARPL %x, %x: %x, ZF %v", row.dst, row.src, r.R[eax], r.zf())
	}
}

// TestMSRs: the registers that exist, what they refuse, and that others raise
// #GP(0).
func TestMSRs(t *testing.T) {
	for _, row := range []struct {
		n           uint32
		v           uint64
		read, write string
	}{
		{0x10, 0x123456789, "", ""},
		{0x17, 0, "", "13(0)"},
		{0x1b, 0, "13(0)", "13(0)"},
		{0x8b, 0x5500000000, "", ""},
		{0x174, 0x10, "", ""},
		{0x174, 1 << 32, "", ""},
		{0x175, 0x12345678, "", ""},
		{0x176, 0x12345678, "", ""},
		{0x1a0, 0x1, "", ""},
		{0x277, 0x0007010600070106, "", ""},
		{0x277, 0x0007010600070102, "", "13(0)"},
		{0x277, 0x0807010600070106, "", "13(0)"},
		{0xc0000080, eferNXE, "", ""},
		{0xc0000080, 1 << 8, "", "13(0)"},
		{0xc0000080, 1, "", "13(0)"},
		{0xc0000103, 7, "", ""},
		{0xc0000103, 7 << 32, "", "13(0)"},
		{0x1234, 0, "13(0)", "13(0)"},
	} {
		r := newRig(t)
		r.R[ecx], r.R[eax], r.R[edx] = row.n, uint32(row.v), uint32(row.v>>32)
		if got := r.exec(0x0f, 0x30); got != row.write {
			t.Errorf("WRMSR %x of %x: %q, want %q", row.n, row.v, got, row.write)
		}
		r.ring(0)
		r.R[ecx] = row.n
		if got := r.exec(0x0f, 0x32); got != row.read {
			t.Errorf("RDMSR %x: %q, want %q", row.n, got, row.read)
		}
		if got := uint64(r.R[edx])<<32 | uint64(r.R[eax]); row.write == "" && row.read == "" && row.n != 0x10 && row.v>>32 != 1 && got != row.v {
			t.Errorf("MSR %x is %x, wrote %x", row.n, got, row.v)
		}
	}
}

// TestTSC: RDTSC, RDTSCP, writes of the counter, CR4.TSD.
func TestTSC(t *testing.T) {
	r := newRig(t)
	now := uint64(0x100000005)
	r.tsc = func() uint64 { now += 10; return now }
	r.TSCAux = 3
	r.exec(0x0f, 0x31)
	r.wantf(r.R[edx] == 1 && r.R[eax] == 15, "RDTSC: %x:%x", r.R[edx], r.R[eax])
	r.exec(0x0f, 0x01, 0xf9)
	r.wantf(r.R[edx] == 1 && r.R[eax] == 25 && r.R[ecx] == 3, "RDTSCP: %x:%x, %x", r.R[edx], r.R[eax], r.R[ecx])
	r.R[ecx], r.R[edx], r.R[eax] = 0x10, 0, 1000
	r.exec(0x0f, 0x30)
	r.exec(0x0f, 0x31)
	r.wantf(r.R[edx] == 0 && r.R[eax] == 1010, "after WRMSR: %x:%d", r.R[edx], r.R[eax])
	r.CR4 |= cr4TSD
	r.ring(3)
	if got := r.exec(0x0f, 0x31); got != "13(0)" {
		t.Errorf("TSD: %q", got)
	}
}

// TestTSCCounts: without a clock the TSC is the count of retired instructions,
// to the instruction, in the middle of straight code as well.
func TestTSCCounts(t *testing.T) {
	r := newRig(t)
	r.put(rigCode, 0x90, 0x90, 0x90, 0x0f, 0x31, 0x89, 0xc3, 0x90, 0x0f, 0x31, 0x90)
	start := uint32(r.Retired)
	r.CPU.Run(8)
	r.wantf(r.R[ebx] == start+3 && r.R[eax] == start+6, "read %d and %d, want %d and %d", r.R[ebx], r.R[eax], start+3, start+6)
}

// TestCPUID: the identity that Linux needs to see.
func TestCPUID(t *testing.T) {
	r := newRig(t)
	get := func(n, sub uint32) leaf {
		r.R[eax], r.R[ecx] = n, sub
		if got := r.exec(0x0f, 0xa2); got != "" {
			t.Fatal(got)
		}
		return leaf{r.R[eax], r.R[ebx], r.R[ecx], r.R[edx]}
	}
	text := func(v ...uint32) (s string) {
		for _, x := range v {
			s += string(imm32(x))
		}
		return s
	}
	l := get(0, 0)
	r.wantf(text(l[1], l[3], l[2]) == "GenuineIntel" && l[0] >= 0x15, "leaf 0: %x", l)
	l = get(1, 0)
	r.wantf(l[0]>>8&15 == 6 && l[0]>>4&15|l[0]>>12&0xf0 >= 15, "family and model: %x", l[0])
	r.wantf(l[2]>>31 == 1 && l[2]>>30&1 == 1, "ECX of leaf 1: %x", l[2])
	for _, absent := range []uint{1, 7, 9, 12, 14, 17, 18} { // VME MCE APIC MTRR MCA PSE36 PSN
		r.wantf(l[3]>>absent&1 == 0, "bit %d of EDX of leaf 1 is set", absent)
	}
	l = get(7, 0)
	r.wantf(l[1] == features7Seed|features7EBX && l[2] == features7ECX, "leaf 7: %x", l)
	l = get(0x15, 0)
	r.wantf(l[0] != 0 && uint64(l[2])*uint64(l[1])/uint64(l[0]) == 1e9, "leaf 15h: %x", l)
	l = get(0x16, 0)
	r.wantf(l == leaf{1000, 1000, 100, 0}, "leaf 16h: %x", l)
	l = get(hypervisor, 0)
	r.wantf(text(l[1], l[2], l[3]) == "alpinevm    ", "hypervisor: %q", text(l[1], l[2], l[3]))
	r.wantf(get(0x80000007, 0)[3] == invariantTSC, "leaf 80000007h")
	r.wantf(get(0x80000008, 0)[0] == 0x2024, "leaf 80000008h")
	r.wantf(get(0x12345, 0) == get(maxBasic, 0), "a leaf beyond the last")
	l = get(4, 3)
	r.wantf(l == leaf{}, "leaf 4 does not end: %x", l)
	r.withoutRandom()
	r.wantf(get(1, 0)[2]>>30&1 == 0 && get(7, 0)[1] == features7EBX, "RDRAND without a source")
}

func TestFrequency(t *testing.T) {
	for _, hz := range []uint64{0, 1e9, 2_400_000_000, 4_294_967_295, 5_000_000_000, 12_000_000_000} {
		l := Model{hz}.frequency()
		want := hz
		if hz == 0 {
			want = 1e9
		}
		if got := uint64(l[2]) * uint64(l[1]) / uint64(l[0]); got > want || want-got > 4 {
			t.Errorf("%d Hz: leaf 15h says %d", hz, got)
		}
	}
}

func TestRandom(t *testing.T) {
	r := newRig(t)
	for _, op := range []byte{0xf0, 0xf8} { // rdrand eax, rdseed eax
		r.flags(arithFlags, 0)
		r.R[eax] = 0
		r.exec(0x0f, 0xc7, op)
		r.wantf(r.R[eax] == 0x12345678 && r.Arith() == flagCF, "EAX %x, flags %x", r.R[eax], r.Arith())
		r.R[eax] = 0
		r.exec(0x66, 0x0f, 0xc7, op)
		r.wantf(r.R[eax] == 0x5678, "AX %x", r.R[eax])
	}
	r.withoutRandom()
	if got := r.exec(0x0f, 0xc7, 0xf0); got != "6" {
		t.Errorf("without a source: %q", got)
	}
}
