package cpu

import "testing"

// TestInterruptGate: the checks of delivery through the IDT (SDM vol. 2A, INT
// n), for INT 60h, whose EXT bit is clear, and for #UD, whose is set.
func TestInterruptGate(t *testing.T) {
	const off = rigTarget
	for _, row := range []struct {
		name    string
		gate    uint64
		cpl     uint8
		int, ud string // the delivery that follows, "" for none
	}{
		{"interrupt gate", gate(selCode0, off, typeInt32, 3, 0), 0, "", ""},
		{"trap gate", gate(selCode0, off, typeTrap32, 3, 0), 0, "", ""},
		{"16-bit gate", gate(selCode0, 0x8000, typeInt16, 3, 0), 0, "", ""},
		{"to more privilege", gate(selCode0, off, typeInt32, 3, 0), 3, "", ""},
		{"to ring 1", gate(selCode1, off, typeInt32, 3, 0), 3, "", ""},
		{"conforming", gate(selConf0, off, typeInt32, 3, 0), 3, "", ""},
		{"gate DPL below CPL", gate(selCode0, off, typeInt32, 2, 0), 3, "13(302)", ""},
		{"absent gate", absent(gate(selCode0, off, typeInt32, 3, 0)), 0, "11(302)", "11(33)"},
		{"call gate", gate(selCode0, off, typeCall32, 3, 0), 0, "13(302)", "13(33)"},
		{"no gate", 0, 0, "13(302)", "13(33)"},
		{"code segment", segment(0, 0xfffff, attrCode0), 0, "13(302)", "13(33)"},
		{"null target", gate(0, off, typeInt32, 3, 0), 0, "13(0)", "13(1)"},
		{"target beyond GDT", gate(selBeyond, off, typeInt32, 3, 0), 0, "13(200)", "13(201)"},
		{"target is data", gate(selData0, off, typeInt32, 3, 0), 0, "13(10)", "13(11)"},
		{"target above CPL", gate(selCode3, off, typeInt32, 3, 0), 0, "13(18)", "13(19)"},
		{"target absent", gate(selTest, off, typeInt32, 3, 0), 0, "11(80)", "11(81)"},
		{"entry beyond the limit", gate(selTest2, off, typeInt32, 3, 0), 0, "13(0)", "13(1)"},
	} {
		for _, soft := range []bool{true, false} {
			name, vector, code, want := "INT ", uint8(0x60), intn(0x60), row.int
			if !soft {
				name, vector, code, want = "UD ", vecUD, []byte{0x0f, 0x0b}, row.ud
			}
			t.Run(name+row.name, func(t *testing.T) {
				r := newRig(t)
				r.gdt(selTest, absent(segment(0, 0xfffff, attrCode0)))
				r.gdt(selTest2, segment(0, off-1, attrCode0&^AttrG))
				r.idt(vector, row.gate)
				r.ring(row.cpl)
				r.exec(code...)
				got := ""
				if len(r.faults) > 1 {
					got = describe(r.faults[1])
				}
				if got != want {
					t.Fatalf("got %q (all: %s), want %q", got, r.all(), want)
				}
				if want != "" {
					// The saved EIP is that of the instruction.
					r.wantf(r.stack(1) == rigCode, "saved EIP %x", r.stack(1))
				}
			})
		}
	}
}

// TestInterruptFrame: what is saved and what becomes of EFLAGS.
func TestInterruptFrame(t *testing.T) {
	const flags = 2 | flagTF | flagIF | flagNT | flagCF
	for _, row := range []struct {
		name string
		typ  uint8
		clr  uint32
	}{
		{"interrupt", typeInt32, flagTF | flagIF | flagNT},
		{"trap", typeTrap32, flagTF | flagNT},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.idt(0x60, gate(selCode0, rigTarget, row.typ, 3, 0))
			r.ring(3)
			r.SetEFLAGS(flags)
			r.Reload()
			r.exec(intn(0x60)...)
			for i, w := range []uint32{rigCode + 2, selCode3, flags, rigStack3, selData3} {
				r.wantf(r.stack(uint32(i)) == w, "word %d is %x, want %x", i, r.stack(uint32(i)), w)
			}
			r.wantf(r.EFLAGS() == flags&^row.clr, "EFLAGS %x", r.EFLAGS())
			r.wantf(r.CPL == 0 && r.R[esp] == rigStack0-0x1000-20 && r.EIP == rigTarget, "CPL %d, ESP %x, EIP %x", r.CPL, r.R[esp], r.EIP)
			r.wantf(r.Seg[segDS].Sel == selData3, "DS %x", r.Seg[segDS].Sel)
		})
	}
	t.Run("16-bit with error code", func(t *testing.T) {
		r := newRig(t)
		r.idt(vecGP, gate(selCode0, 0x8000, typeInt16, 0, 0))
		r.R[eax] = selBeyond
		if got := r.exec(movSegAX(segDS)...); got != "13(200)" {
			t.Fatal(got)
		}
		r.wantf(r.R[esp] == rigStack0-8 && r.EIP == 0x8000, "ESP %x, EIP %x", r.R[esp], r.EIP)
		// A 16-bit frame keeps the low words.
		for i, w := range []uint16{selBeyond, rigCode & 0xffff, selCode0, 2} {
			r.wantf(r.get16(r.R[esp]+2*uint32(i)) == w, "word %d is %x, want %x", i, r.get16(r.R[esp]+2*uint32(i)), w)
		}
	})
	t.Run("fault sets RF", func(t *testing.T) {
		r := newRig(t)
		r.exec(0x0f, 0x0b)
		r.wantf(r.stack(2)&flagRF != 0, "saved EFLAGS %x", r.stack(2))
		r.wantf(r.Flags&flagRF == 0, "EFLAGS %x", r.Flags)
	})
	t.Run("trap does not", func(t *testing.T) {
		r := newRig(t)
		r.exec(0xcc)
		r.wantf(r.stack(2)&flagRF == 0 && r.stack(0) == rigCode+1, "saved EFLAGS %x, EIP %x", r.stack(2), r.stack(0))
	})
	t.Run("real mode", func(t *testing.T) {
		r := newRig(t)
		r.real()
		r.flags(flagIF|flagTF|flagAC, 0)
		r.exec(intn(0x21)...)
		r.wantf(r.Seg[segCS].Sel == rigIntr>>4 && r.EIP == 0x210 && r.R[esp] == 0xffa, "%x:%x, SP %x", r.Seg[segCS].Sel, r.EIP, r.R[esp])
		r.wantf(r.get16(rigStack0+0xffa) == 2 && r.get16(rigStack0+0xffc) == 0x1000 && r.get16(rigStack0+0xffe) == 2|flagIF|flagTF,
			"frame %x %x %x", r.get16(rigStack0+0xffa), r.get16(rigStack0+0xffc), r.get16(rigStack0+0xffe))
		r.wantf(r.Flags&(flagIF|flagTF|flagAC) == 0, "EFLAGS %x", r.Flags)
		if got := r.exec(0xcf); got != "" || r.EIP != 2 || r.Seg[segCS].Sel != 0x1000 || r.Flags&(flagIF|flagTF) != flagIF|flagTF {
			t.Errorf("IRET: %q, %x:%x, EFLAGS %x", got, r.Seg[segCS].Sel, r.EIP, r.Flags)
		}
	})
}

// TestDoubleFault: SDM vol. 3A table 6-5.
func TestDoubleFault(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		want  string
		shut  bool
	}{
		{"benign, then contributory", func(r *rig) { r.idt(vecUD, 0) }, []byte{0x0f, 0x0b}, "[6 13(33)]", false},
		{"contributory, then contributory", func(r *rig) { r.idt(vecGP, 0) }, []byte{0x8e, 0xd8}, "[13(200) 8(0)]", false},
		{"divide error counts", func(r *rig) { r.idt(vecDE, 0) }, []byte{0xf7, 0xf1}, "[0 8(0)]", false},
		{"segment not present, then it", func(r *rig) {
			r.gdt(selBeyond-8, absent(segment(0, 0xfffff, attrData0)))
			r.R[eax] = selBeyond - 8
			r.idt(vecNP, absent(gate(selCode0, 0, typeInt32, 0, 0)))
		}, []byte{0x8e, 0xd8}, "[11(1f8) 8(0)]", false},
		{"triple", func(r *rig) { r.idt(vecGP, 0); r.idt(vecDF, 0) }, []byte{0x8e, 0xd8}, "[13(200) 8(0)]", true},
		{"no IDT", func(r *rig) { r.IDTR.Limit = 0 }, []byte{0x0f, 0x0b}, "[6 13(33) 8(0)]", true},
		{"software interrupt, then contributory", func(r *rig) { r.IDTR.Limit = 0x7f }, intn(0x20), "[32 13(102)]", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.R[eax] = selBeyond
			row.setup(r)
			r.exec(row.code...)
			r.wantf(r.all() == row.want, "delivered %s, want %s", r.all(), row.want)
			r.wantf(r.Shutdown == row.shut, "shutdown is %v", r.Shutdown)
			if row.shut {
				r.wantf(r.CPU.Run(10).Reason == Reset, "Run goes on after shutdown")
			}
		})
	}
}

// TestSoftwareInterrupts: INT3, INTO, INT1 and BOUND.
func TestSoftwareInterrupts(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		want  string
		eip   uint32 // saved
	}{
		{"INT3", nil, []byte{0xcc}, "3", rigCode + 1},
		{"INT1", nil, []byte{0xf1}, "1", rigCode + 1},
		{"INTO with OF", func(r *rig) { r.flags(flagOF, 0) }, []byte{0xce}, "4", rigCode + 1},
		{"INTO without", nil, []byte{0xce}, "", 0},
		{"INT3, gate DPL", func(r *rig) { r.idt(3, gate(selCode0, rigTarget, typeInt32, 0, 0)); r.ring(3) }, []byte{0xcc}, "3", rigCode},
		{"BOUND inside", func(r *rig) { r.put32(rigData, 0xffffffff); r.put32(rigData+4, 5); r.R[eax] = 5 },
			cat([]byte{0x62, 0x05}, imm32(rigData)), "", 0},
		{"BOUND above", func(r *rig) { r.put32(rigData, 0xffffffff); r.put32(rigData+4, 5); r.R[eax] = 6 },
			cat([]byte{0x62, 0x05}, imm32(rigData)), "5", rigCode},
		{"BOUND below", func(r *rig) { r.put32(rigData, 0xffffffff); r.put32(rigData+4, 5); r.R[eax] = 0xfffffffe },
			cat([]byte{0x62, 0x05}, imm32(rigData)), "5", rigCode},
		{"BOUND 16-bit", func(r *rig) { r.put32(rigData, 0x0005fff0); r.R[eax] = 0x1fff0 },
			cat([]byte{0x66, 0x62, 0x05}, imm32(rigData)), "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			if row.setup != nil {
				row.setup(r)
			}
			if got := r.exec(row.code...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			if n := uint32(len(r.faults)); row.want != "" {
				r.wantf(r.stack(n-1) == row.eip, "saved EIP %x, want %x", r.stack(n-1), row.eip)
			}
		})
	}
}

// TestExternal: INTR, NMI, their masks and the shadow of STI and MOV SS.
func TestExternal(t *testing.T) {
	nop := []byte{0x90, 0x90, 0x90, 0x90, 0x90}
	t.Run("masked", func(t *testing.T) {
		r := newRig(t)
		r.put(rigCode, nop...)
		r.SetINTR(true)
		if got := r.run(3); got != "" || r.EIP != rigCode+3 {
			t.Errorf("%q, EIP %x", got, r.EIP)
		}
	})
	t.Run("taken", func(t *testing.T) {
		r := newRig(t)
		r.put(rigCode, nop...)
		r.flags(flagIF, 0)
		r.SetINTR(true)
		if got := r.run(1); got != "64" || r.EIP != rigIntr+0x400 || r.stack(0) != rigCode {
			t.Errorf("%q, EIP %x, saved %x", got, r.EIP, r.stack(0))
		}
	})
	t.Run("STI shadow", func(t *testing.T) {
		r := newRig(t)
		r.put(rigCode, 0xfb, 0x90, 0x90)
		r.SetINTR(true)
		if got := r.run(3); got != "64" || r.stack(0) != rigCode+2 {
			t.Errorf("%q, saved EIP %x, want one instruction behind STI", got, r.stack(0))
		}
	})
	t.Run("STI with IF set has no shadow", func(t *testing.T) {
		r := newRig(t)
		r.flags(flagIF, 0)
		r.put(rigCode, 0xfb, 0x90, 0x90)
		r.run(1)
		r.SetINTR(true)
		if got := r.run(1); got != "64" || r.stack(0) != rigCode+1 {
			t.Errorf("%q, saved EIP %x", got, r.stack(0))
		}
	})
	t.Run("STI HLT wakes", func(t *testing.T) {
		r := newRig(t)
		r.put(rigCode, 0xfb, 0xf4, 0x90)
		if x := r.CPU.Run(10); x.Reason != Halt || r.EIP != rigCode+2 {
			t.Fatalf("%v at %x", x, r.EIP)
		}
		r.SetINTR(true)
		if got := r.run(1); got != "64" || r.stack(0) != rigCode+2 || r.Halted {
			t.Errorf("%q, saved EIP %x", got, r.stack(0))
		}
	})
	t.Run("MOV SS shadow holds NMI", func(t *testing.T) {
		r := newRig(t)
		r.R[eax] = selData0
		r.put(rigCode, 0x8e, 0xd0, 0x90, 0x90)
		r.run(1)
		r.CPU.NMI()
		if got := r.run(2); got != "2" || r.stack(0) != rigCode+3 {
			t.Errorf("%q, saved EIP %x", got, r.stack(0))
		}
	})
	t.Run("NMI is blocked until IRET", func(t *testing.T) {
		r := newRig(t)
		r.put(rigIntr+0x20, 0x90, 0xcf)
		r.put(rigCode, nop...)
		r.CPU.NMI()
		r.run(1)
		r.CPU.NMI()
		if got := r.run(2); got != "" || r.EIP != rigCode {
			t.Fatalf("%q, EIP %x", got, r.EIP)
		}
		if got := r.run(1); got != "2" {
			t.Errorf("second NMI: %q", got)
		}
	})
	t.Run("NMI wakes HLT", func(t *testing.T) {
		r := newRig(t)
		r.put(rigCode, 0xf4)
		r.run(2)
		r.CPU.NMI()
		if got := r.run(1); got != "2" || r.stack(0) != rigCode+1 {
			t.Errorf("%q, saved EIP %x", got, r.stack(0))
		}
	})
}
