package cpu

import "testing"

// farTargets are the checks of far JMP and CALL to a code segment, a row each
// (SDM vol. 2A, JMP and CALL).
var farTargets = []struct {
	name string
	desc uint64
	sel  uint16
	cpl  uint8
	off  uint32
	want string
}{
	{"null", 0, 0, 0, rigTarget, "13(0)"},
	{"null with RPL", 0, 2, 0, rigTarget, "13(0)"},
	{"beyond GDT", 0, selBeyond | 1, 0, rigTarget, "13(200)"},
	{"same level", segment(0, 0xfffff, attrCode0), selTest, 0, rigTarget, ""},
	{"RPL below CPL", segment(0, 0xfffff, attrCode0|attrRing3), selTest, 3, rigTarget, ""},
	{"RPL above CPL", segment(0, 0xfffff, attrCode0), selTest | 1, 0, rigTarget, "13(80)"},
	{"DPL below CPL", segment(0, 0xfffff, attrCode0), selTest | 3, 3, rigTarget, "13(80)"},
	{"DPL above CPL", segment(0, 0xfffff, attrCode0|attrRing3), selTest, 0, rigTarget, "13(80)"},
	{"conforming, DPL below CPL", segment(0, 0xfffff, attrCode0|AttrExpandDown), selTest, 3, rigTarget, ""},
	{"conforming, RPL above CPL", segment(0, 0xfffff, attrCode0|AttrExpandDown), selTest | 3, 0, rigTarget, ""},
	{"conforming, DPL above CPL", segment(0, 0xfffff, attrCode0|AttrExpandDown|attrRing3), selTest, 0, rigTarget, "13(80)"},
	{"execute-only", segment(0, 0xfffff, attrCode0&^AttrWritable), selTest, 0, rigTarget, ""},
	{"data", segment(0, 0xfffff, attrData0), selTest, 0, rigTarget, "13(80)"},
	{"absent", absent(segment(0, 0xfffff, attrCode0)), selTest, 0, rigTarget, "11(80)"},
	{"absent and hidden", absent(segment(0, 0xfffff, attrCode0)), selTest, 3, rigTarget, "13(80)"},
	{"beyond the limit", segment(0, rigTarget-1, attrCode0&^AttrG), selTest, 0, rigTarget, "13(0)"},
	{"at the limit", segment(0, rigTarget, attrCode0&^AttrG), selTest, 0, rigTarget, ""},
	{"LDT descriptor", segment(0, 0xff, AttrP|typeLDT), selTest, 0, 0, "13(80)"},
	{"interrupt gate", gate(selCode0, rigTarget, typeInt32, 3, 0), selTest, 0, 0, "13(80)"},
	{"reserved type", segment(0, 0xff, AttrP), selTest, 0, 0, "13(80)"},
}

func TestFarToCode(t *testing.T) {
	for _, row := range farTargets {
		for _, call := range []bool{false, true} {
			name := "JMP "
			if call {
				name = "CALL "
			}
			t.Run(name+row.name, func(t *testing.T) {
				r := newRig(t)
				r.gdt(selTest, row.desc)
				r.ring(row.cpl)
				sp, cs := r.R[esp], r.Seg[segCS].Sel
				code := jmpf(row.sel, row.off)
				if call {
					code = callf(row.sel, row.off)
				}
				if got := r.exec(code...); got != row.want {
					t.Fatalf("got %q, want %q", got, row.want)
				}
				if row.want != "" {
					return
				}
				want := r.segOf(row.sel&^3 | uint16(row.cpl))
				r.wantf(r.Seg[segCS] == want, "CS %+v, want %+v", r.Seg[segCS], want)
				r.wantf(r.EIP == row.off && r.CPL == row.cpl, "EIP %x, CPL %d", r.EIP, r.CPL)
				r.want(r.attr(row.sel)&AttrAccessed != 0, "accessed bit is clear")
				if call {
					r.wantf(r.R[esp] == sp-8 && r.stack(0) == rigCode+7 && r.stack(1) == uint32(cs),
						"ESP %x, return to %x:%x", r.R[esp], r.stack(1), r.stack(0))
				} else {
					r.wantf(r.R[esp] == sp, "ESP %x", r.R[esp])
				}
			})
		}
	}
}

// TestFarForms: indirect pointers, 16-bit operands, real mode, full stacks.
func TestFarForms(t *testing.T) {
	r := newRig(t)
	r.put32(rigData, rigTarget)
	r.put16(rigData+4, selCode0)
	if got := r.exec(cat([]byte{0xff, 0x2d}, imm32(rigData))...); got != "" || r.EIP != rigTarget {
		t.Errorf("JMP [mem]: %q, EIP %x", got, r.EIP)
	}
	r.ring(0)
	r.put16(rigData, 0x8000)
	r.put16(rigData+2, selCode0)
	if got := r.exec(cat([]byte{0x66, 0xff, 0x1d}, imm32(rigData))...); got != "" || r.EIP != 0x8000 || r.R[esp] != rigStack0-4 {
		t.Errorf("16-bit CALL [mem]: %q, EIP %x, ESP %x", got, r.EIP, r.R[esp])
	}
	r.ring(0)
	r.Seg[segSS].Limit, r.R[esp] = 0xfff, 4
	r.Reload()
	if got := r.exec(callf(selCode0, rigTarget)...); got != "12(0)" {
		t.Errorf("CALL with 4 bytes of stack left: %q", got)
	}

	r = newRig(t)
	r.real()
	if got := r.exec(0x9a, 0x34, 0x12, 0x00, 0x20); got != "" || r.EIP != 0x1234 || r.Seg[segCS].Base != 0x20000 || r.Seg[segCS].Sel != 0x2000 {
		t.Errorf("real CALL: %q, %x:%x", got, r.Seg[segCS].Sel, r.EIP)
	}
	r.wantf(r.get16(rigStack0+0xffc) == 5 && r.get16(rigStack0+0xffe) == 0x1000, "real CALL pushed %x", r.get32(rigStack0+0xffc))
	if got := r.exec(0xcb); got != "" || r.EIP != 5 || r.Seg[segCS].Sel != 0x1000 || r.R[esp] != 0x1000 { // retf
		t.Errorf("real RETF: %q, %x:%x", got, r.Seg[segCS].Sel, r.EIP)
	}
	if got := r.exec(0x66, 0xea, 0, 0, 1, 0, 0, 0x10); got != "13(0)" {
		t.Errorf("real JMP beyond 64 KiB: %q", got)
	}
	for eip, want := range map[uint32]string{0xffff: "", 0x10000: "13(0)"} {
		r.real()
		r.put32(rigStack0+0x1000, eip)
		r.put32(rigStack0+0x1004, 0x1000)
		if got := r.exec(0x66, 0xcb); got != want {
			t.Errorf("real RETF to %x: %q, want %q", eip, got, want)
		}
	}
}

// TestCallGate: the checks of calls and jumps through call gates.
func TestCallGate(t *testing.T) {
	const off = rigTarget
	for _, row := range []struct {
		name      string
		gate      uint64
		sel       uint16
		cpl       uint8
		call, jmp string
	}{
		{"same level", gate(selCode0, off, typeCall32, 0, 0), selTest, 0, "", ""},
		{"gate DPL below CPL", gate(selCode0, off, typeCall32, 2, 0), selTest, 3, "13(80)", "13(80)"},
		{"gate DPL below RPL", gate(selCode0, off, typeCall32, 2, 0), selTest | 3, 0, "13(80)", "13(80)"},
		{"absent gate", absent(gate(selCode0, off, typeCall32, 3, 0)), selTest, 0, "11(80)", "11(80)"},
		{"null target", gate(0, off, typeCall32, 3, 0), selTest, 0, "13(0)", "13(0)"},
		{"target beyond GDT", gate(selBeyond, off, typeCall32, 3, 0), selTest, 0, "13(200)", "13(200)"},
		{"target is data", gate(selData0, off, typeCall32, 3, 0), selTest, 0, "13(10)", "13(10)"},
		{"target above CPL", gate(selCode3, off, typeCall32, 3, 0), selTest, 0, "13(18)", "13(18)"},
		{"to more privilege", gate(selCode0, off, typeCall32, 3, 0), selTest, 3, "", "13(8)"},
		{"to ring 1", gate(selCode1, off, typeCall32, 3, 0), selTest, 3, "", "13(40)"},
		{"to conforming code", gate(selConf0, off, typeCall32, 3, 0), selTest, 3, "", ""},
		{"target absent", gate(selTest2, off, typeCall32, 3, 0), selTest, 0, "11(88)", "11(88)"},
		{"16-bit", gate(selCode0, 0x8000, typeCall16, 0, 0), selTest, 0, "", ""},
	} {
		for _, call := range []bool{true, false} {
			name, want := "CALL ", row.call
			if !call {
				name, want = "JMP ", row.jmp
			}
			t.Run(name+row.name, func(t *testing.T) {
				r := newRig(t)
				r.gdt(selTest, row.gate)
				r.gdt(selTest2, absent(segment(0, 0xfffff, attrCode0)))
				r.ring(row.cpl)
				code := jmpf(row.sel, 0xdead)
				if call {
					code = callf(row.sel, 0xdead)
				}
				if got := r.exec(code...); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			})
		}
	}
}

// TestCallGateStack: parameters, the new stack, and the way back.
func TestCallGateStack(t *testing.T) {
	r := newRig(t)
	r.gdt(selTest, gate(selCode1, rigTarget, typeCall32, 3, 2))
	r.ring(3)
	r.put32(rigStack3, 0x11111111)
	r.put32(rigStack3+4, 0x22222222)
	if got := r.exec(callf(selTest|3, 0)...); got != "" {
		t.Fatal(got)
	}
	want := []uint32{rigCode + 7, selCode3, 0x11111111, 0x22222222, rigStack3, selData3}
	for i, w := range want {
		r.wantf(r.stack(uint32(i)) == w, "word %d of the new stack is %x, want %x", i, r.stack(uint32(i)), w)
	}
	r.wantf(r.CPL == 1 && r.Seg[segCS].Sel == selCode1 && r.Seg[segSS].Sel == selData1 && r.R[esp] == rigStack1-24 && r.EIP == rigTarget,
		"CPL %d, CS %x, SS %x, ESP %x, EIP %x", r.CPL, r.Seg[segCS].Sel, r.Seg[segSS].Sel, r.R[esp], r.EIP)
	r.Seg[segDS] = r.segOf(selData1)
	r.Seg[segES] = r.segOf(selConf0)
	r.Reload()
	if got := r.exec(0xca, 8, 0); got != "" { // retf 8
		t.Fatal(got)
	}
	r.wantf(r.CPL == 3 && r.Seg[segCS].Sel == selCode3 && r.Seg[segSS].Sel == selData3 && r.R[esp] == rigStack3+8 && r.EIP == rigCode+7,
		"back: CPL %d, CS %x, SS %x, ESP %x, EIP %x", r.CPL, r.Seg[segCS].Sel, r.Seg[segSS].Sel, r.R[esp], r.EIP)
	r.wantf(r.Seg[segDS] == Seg{}, "DS of ring 1 survives in ring 3: %+v", r.Seg[segDS])
	r.wantf(r.Seg[segES].Sel == selConf0, "ES with conforming code was cleared: %+v", r.Seg[segES])
	r.wantf(r.Seg[x86FS].Sel == selData3, "FS of ring 3 was cleared: %+v", r.Seg[x86FS])
}

const x86FS = 4

// TestCallGateStackFaults: what can be wrong with the stack in the TSS.
func TestCallGateStackFaults(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		want  string
	}{
		{"TSS too small", func(r *rig) { r.Seg[segTR].Limit = 8 }, "10(28)"},
		{"null SS", func(r *rig) { r.put16(rigTSS+8, 0) }, "10(0)"},
		{"SS beyond GDT", func(r *rig) { r.put16(rigTSS+8, selBeyond) }, "10(200)"},
		{"wrong RPL", func(r *rig) { r.put16(rigTSS+8, selData0|1) }, "10(10)"},
		{"wrong DPL", func(r *rig) { r.put16(rigTSS+8, selData3&^3) }, "10(20)"},
		{"SS is code", func(r *rig) { r.put16(rigTSS+8, selCode0) }, "10(8)"},
		{"SS absent", func(r *rig) {
			r.put16(rigTSS+8, selTest2)
			r.gdt(selTest2, absent(segment(0, 0xfffff, attrData0)))
		}, "12(88)"},
		{"no room", func(r *rig) {
			r.put16(rigTSS+8, selTest2)
			r.gdt(selTest2, segment(0, rigStack0-0x1000-5, attrData0&^AttrG))
		}, "12(88)"},
		{"entry beyond the limit", func(r *rig) {
			r.gdt(selTest, gate(selTest2, rigTarget, typeCall32, 3, 0))
			r.gdt(selTest2, segment(0, rigTarget-1, attrCode0&^AttrG))
		}, "13(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.gdt(selTest, gate(selCode0, rigTarget, typeCall32, 3, 0))
			r.ring(3)
			row.setup(r)
			// #DF and shutdown may follow, as the stack is bad; the first
			// fault is what counts.
			if got := r.exec(callf(selTest, 0)...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestFarReturn: the checks of RETF (SDM vol. 2B, RET).
func TestFarReturn(t *testing.T) {
	for _, row := range []struct {
		name   string
		desc   uint64
		cs, ss uint16
		ssDesc uint64
		cpl    uint8
		want   string
	}{
		{"null CS", 0, 0, 0, 0, 0, "13(0)"},
		{"CS beyond GDT", 0, selBeyond, 0, 0, 0, "13(200)"},
		{"same level", segment(0, 0xfffff, attrCode0), selTest, 0, 0, 0, ""},
		{"RPL below CPL", segment(0, 0xfffff, attrCode0), selTest, 0, 0, 3, "13(80)"},
		{"data", segment(0, 0xfffff, attrData0), selTest, 0, 0, 0, "13(80)"},
		{"DPL is not RPL", segment(0, 0xfffff, attrCode0|attrRing1), selTest, 0, 0, 0, "13(80)"},
		{"conforming, DPL above RPL", segment(0, 0xfffff, attrCode0|AttrExpandDown|attrRing3), selTest | 1, 0, 0, 0, "13(80)"},
		{"absent", absent(segment(0, 0xfffff, attrCode0)), selTest, 0, 0, 0, "11(80)"},
		{"beyond the limit", segment(0, rigTarget-1, attrCode0&^AttrG), selTest, 0, 0, 0, "13(0)"},
		{"at the limit", segment(0, rigTarget, attrCode0&^AttrG), selTest, 0, 0, 0, ""},
		{"to ring 3, at the limit", segment(0, rigTarget, attrCode0&^AttrG|attrRing3), selTest | 3, selTest2 | 3, segment(0, 0xfffff, attrData0|attrRing3), 0, ""},
		{"to ring 3", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selTest2 | 3, segment(0, 0xfffff, attrData0|attrRing3), 0, ""},
		{"to ring 3, conforming", segment(0, 0xfffff, attrCode0|AttrExpandDown), selTest | 3, selTest2 | 3, segment(0, 0xfffff, attrData0|attrRing3), 0, ""},
		{"to ring 3, null SS", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, 3, 0, 0, "13(0)"},
		{"to ring 3, SS beyond", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selBeyond | 3, 0, 0, "13(200)"},
		{"to ring 3, RPL of SS", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selTest2, segment(0, 0xfffff, attrData0|attrRing3), 0, "13(88)"},
		{"to ring 3, DPL of SS", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selTest2 | 3, segment(0, 0xfffff, attrData0), 0, "13(88)"},
		{"to ring 3, SS read-only", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selTest2 | 3, segment(0, 0xfffff, (attrData0|attrRing3)&^AttrWritable), 0, "13(88)"},
		{"to ring 3, SS absent", segment(0, 0xfffff, attrCode0|attrRing3), selTest | 3, selTest2 | 3, absent(segment(0, 0xfffff, attrData0|attrRing3)), 0, "12(88)"},
		{"to ring 3, beyond the limit", segment(0, rigTarget-1, attrCode0&^AttrG|attrRing3), selTest | 3, selTest2 | 3, segment(0, 0xfffff, attrData0|attrRing3), 0, "13(0)"},
	} {
		for _, insn := range []string{"RETF", "IRET"} {
			t.Run(insn+" "+row.name, func(t *testing.T) {
				r := newRig(t)
				r.gdt(selTest, row.desc)
				r.gdt(selTest2, row.ssDesc)
				r.ring(row.cpl)
				sp := r.R[esp]
				words := []uint32{rigTarget, uint32(row.cs), rigStack3, uint32(row.ss)}
				code := []byte{0xcb}
				if insn == "IRET" {
					code = []byte{0xcf}
					words = []uint32{rigTarget, uint32(row.cs), 2 | flagZF, rigStack3, uint32(row.ss)}
				}
				for i, w := range words {
					r.put32(sp+4*uint32(i), w)
				}
				if got := r.exec(code...); got != row.want {
					t.Fatalf("got %q, want %q", got, row.want)
				}
				if row.want != "" {
					return
				}
				r.wantf(r.EIP == rigTarget && r.Seg[segCS] == r.segOf(row.cs) && r.CPL == rpl(row.cs),
					"EIP %x, CS %+v, CPL %d", r.EIP, r.Seg[segCS], r.CPL)
				if row.ss != 0 {
					r.wantf(r.R[esp] == rigStack3 && r.Seg[segSS] == r.segOf(row.ss), "ESP %x, SS %+v", r.R[esp], r.Seg[segSS])
					r.wantf(r.Seg[segDS] == Seg{}, "DS %+v", r.Seg[segDS])
				}
			})
		}
	}
}
