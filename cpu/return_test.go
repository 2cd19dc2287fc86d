package cpu

import (
	"testing"

	"alpinevm/cpu/x86"
)

const flagID = x86.FlagID

// TestFlagWrites: which bits of EFLAGS POPF and IRET change at which privilege
// (SDM vol. 2A, IRET; vol. 2B, POPF), from all clear and from all set.
func TestFlagWrites(t *testing.T) {
	const (
		iopl   = uint32(flagIOPL)
		always = uint32(arithFlags | flagTF | flagDF | flagNT)
		upper  = uint32(flagAC | flagID)
		every  = always | upper | flagRF | flagIF | iopl
	)
	for _, row := range []struct {
		name       string
		cpl        uint8
		iopl       uint32 // before
		size       uint8
		popf, iret uint32 // what can be set
	}{
		{"ring 0", 0, 0, 4, always | upper | flagIF | iopl, every},
		{"ring 0, 16 bits", 0, 0, 2, always | flagIF | iopl, always | flagIF | iopl},
		{"ring 3, IOPL 0", 3, 0, 4, always | upper, always | upper | flagRF},
		{"ring 3, IOPL 3", 3, 3, 4, always | upper | flagIF, always | upper | flagIF | flagRF},
		{"ring 1, IOPL 1", 1, 1, 4, always | upper | flagIF, always | upper | flagIF | flagRF},
		{"ring 3, IOPL 2", 3, 2, 2, always, always},
	} {
		for _, insn := range []string{"POPF", "IRET"} {
			t.Run(insn+" "+row.name, func(t *testing.T) {
				code, can := []byte{0x9d}, row.popf
				if insn == "IRET" {
					code, can = []byte{0xcf}, row.iret
				}
				if row.size == 2 {
					code = cat([]byte{0x66}, code)
				}
				for _, set := range []bool{true, false} {
					r := newRig(t)
					r.ring(row.cpl)
					before := row.iopl << 12
					popped := uint32(0xffffffff)
					want := before | can | 2
					if !set {
						// NT would make IRET switch tasks.
						before |= always&^(flagNT|flagTF) | upper | flagIF
						popped = 0
						want = before&^can | 2
					}
					if insn == "IRET" && row.cpl == 0 {
						popped &^= flagVM
					}
					r.SetEFLAGS(before)
					r.Reload()
					size := uint32(row.size)
					if insn == "IRET" {
						r.EIP = 0x8000
						r.put32(r.R[esp], 0x9000)
						r.put32(r.R[esp]+size, uint32(r.Seg[segCS].Sel))
						r.put32(r.R[esp]+2*size, popped)
					} else {
						r.put32(r.R[esp], popped)
					}
					if got := r.exec(code...); got != "" {
						t.Fatal(got)
					}
					r.wantf(r.EFLAGS() == want, "EFLAGS %x, want %x", r.EFLAGS(), want)
				}
			})
		}
	}
}

// TestV86Sensitive: what virtual-8086 mode leaves to the monitor where IOPL is
// below 3 (SDM vol. 3A 20.2.7 and 20.2.8).
func TestV86Sensitive(t *testing.T) {
	for _, row := range []struct {
		name string
		code []byte
		low  string // with IOPL 0
		high string // with IOPL 3
	}{
		{"CLI", []byte{0xfa}, "13(0)", ""},
		{"STI", []byte{0xfb}, "13(0)", ""},
		{"PUSHF", []byte{0x9c}, "13(0)", ""},
		{"POPF", []byte{0x9d}, "13(0)", ""},
		{"INT n", []byte{0xcd, 0x60}, "13(0)", "96"},
		{"IRET", []byte{0xcf}, "13(0)", ""},
		{"INT3", []byte{0xcc}, "3", "3"},
		{"HLT", []byte{0xf4}, "13(0)", "13(0)"},
		{"MOV CR0", []byte{0x0f, 0x20, 0xc0}, "13(0)", "13(0)"},
		{"CLTS", []byte{0x0f, 0x06}, "13(0)", "13(0)"},
		{"SMSW", []byte{0x0f, 0x01, 0xe0}, "", ""},
		{"LLDT", []byte{0x0f, 0x00, 0xd0}, "6", "6"},
		{"SLDT", []byte{0x0f, 0x00, 0xc0}, "6", "6"},
		{"LAR", []byte{0x0f, 0x02, 0xc0}, "6", "6"},
		{"VERR", []byte{0x0f, 0x00, 0xe0}, "6", "6"},
		{"ARPL", []byte{0x63, 0xc0}, "6", "6"},
		{"LGDT", []byte{0x0f, 0x01, 0x16, 0, 0}, "13(0)", "13(0)"},
		{"SGDT", []byte{0x0f, 0x01, 0x06, 0, 0}, "", ""},
		{"IN", []byte{0xe4, 0x80}, "13(0)", "13(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for iopl, want := range map[uint32]string{0: row.low, 3: row.high} {
				r := newRig(t)
				r.put32(rigTSS+0x100+0x10, 0xffffffff) // port 80h is denied
				r.v86(iopl)
				if got := r.exec(row.code...); got != want {
					t.Errorf("IOPL %d: got %q, want %q", iopl, got, want)
				}
			}
		})
	}
}

// TestV86RoundTrip: an interrupt out of virtual-8086 mode and IRET back to it.
func TestV86RoundTrip(t *testing.T) {
	r := newRig(t)
	r.v86(3)
	r.loadReal(x86.FS, 0x3000)
	r.loadReal(x86.GS, 0x3100)
	if got := r.exec(intn(0x60)...); got != "96" {
		t.Fatal(got)
	}
	const flags = 2 | flagVM | flagIOPL
	for i, w := range []uint32{2, rigCode >> 4, flags, 0x1000, rigStack3 >> 4, 0x2000, 0x2000, 0x3000, 0x3100} {
		r.wantf(r.stack(uint32(i)) == w, "word %d is %x, want %x", i, r.stack(uint32(i)), w)
	}
	r.wantf(r.CPL == 0 && r.Flags&flagVM == 0 && r.Seg[segCS].Sel == selCode0 && r.Seg[segSS].Sel == selData0, "CPL %d, EFLAGS %x", r.CPL, r.Flags)
	for _, s := range []int{segES, segDS, x86.FS, x86.GS} {
		r.wantf(r.Seg[s] == Seg{}, "segment %d is %+v", s, r.Seg[s])
	}
	if got := r.exec(0xcf); got != "" {
		t.Fatal(got)
	}
	r.wantf(r.CPL == 3 && r.EFLAGS() == flags && r.EIP == 2 && r.R[esp] == 0x1000, "back: CPL %d, EFLAGS %x, EIP %x, ESP %x", r.CPL, r.EFLAGS(), r.EIP, r.R[esp])
	for s, sel := range map[int]uint16{segCS: rigCode >> 4, segSS: rigStack3 >> 4, segDS: 0x2000, segES: 0x2000, x86.FS: 0x3000, x86.GS: 0x3100} {
		want := Seg{Sel: sel, Base: uint32(sel) << 4, Limit: 0xffff, Attr: attrV86}
		r.wantf(r.Seg[s] == want, "segment %d is %+v, want %+v", s, r.Seg[s], want)
	}
}

// TestV86Gates: an interrupt may only lead to ring 0.
func TestV86Gates(t *testing.T) {
	for sel, want := range map[uint16]string{selCode0: "96", selCode1: "96 13(40)", selConf0: "96 13(50)", selCode3: "96 13(18)"} {
		r := newRig(t)
		r.idt(0x60, gate(sel, rigTarget, typeInt32, 3, 0))
		r.v86(3)
		r.exec(intn(0x60)...)
		r.wantf(r.all() == "["+want+"]", "to %x: delivered %s, want %s", sel, r.all(), want)
	}
}

// TestIRETStack: #SS where the frame leaves the stack segment.
func TestIRETStack(t *testing.T) {
	for _, row := range []struct {
		name string
		left uint32 // bytes of stack
		vm   uint32
		cs   uint16
		want string
	}{
		{"no room for three words", 11, 0, selCode0, "12(0)"},
		{"room for three", 12, 0, selCode0, ""},
		{"no room for five", 19, 0, selCode3, "12(0)"},
		{"room for five", 20, 0, selCode3, ""},
		{"no room for nine", 35, flagVM, 0x1000, "12(0)"},
		{"room for nine", 36, flagVM, 0x1000, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			base := uint32(rigStack0)
			for i, w := range []uint32{0x100, uint32(row.cs), 2 | row.vm, 0x1000, selData3} {
				r.put32(base+4*uint32(i), w)
			}
			r.Seg[segSS].Limit = base + row.left - 1
			r.R[esp] = base
			r.Reload()
			// Delivery of #SS uses the same stack, downwards.
			if got := r.exec(0xcf); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestIRETTarget: the instruction pointer must lie within the limit of the code
// segment returned to.
func TestIRETTarget(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		eip   uint32
		cs    uint16
		vm    uint32
		want  string
	}{
		{"same level, last byte", nil, 0xffff, selCode16, 0, ""},
		{"same level, beyond", nil, 0x10000, selCode16, 0, "13(0)"},
		{"to V86, last byte", nil, 0xffff, 0x1000, flagVM, ""},
		{"to V86, beyond", nil, 0x10000, 0x1000, flagVM, "13(0)"},
		{"real, last byte", (*rig).real, 0xffff, 0x1000, 0, ""},
		{"real, beyond", (*rig).real, 0x10000, 0x1000, 0, "13(0)"},
		{"V86, last byte", func(r *rig) { r.v86(3) }, 0xffff, 0x1000, 0, ""},
		{"V86, beyond", func(r *rig) { r.v86(3) }, 0x10000, 0x1000, 0, "13(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			code := []byte{0xcf}
			if row.setup != nil {
				row.setup(r)
				code = []byte{0x66, 0xcf}
			}
			sp := r.Seg[segSS].Base + r.R[esp]
			for i, w := range []uint32{row.eip, uint32(row.cs), 2 | row.vm, 0x1000, selData3, 0, 0, 0, 0} {
				r.put32(sp+4*uint32(i), w)
			}
			if got := r.exec(code...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			if row.want == "" {
				r.wantf(r.EIP == row.eip && r.Seg[segCS].Sel == row.cs, "at %x:%x", r.Seg[segCS].Sel, r.EIP)
			}
		})
	}
}

// TestInterruptFlag: CLI and STI by IOPL, and that they change IF alone.
func TestInterruptFlag(t *testing.T) {
	for _, row := range []struct {
		name string
		cpl  uint8
		iopl uint32
		want string
	}{
		{"ring 0", 0, 0, ""},
		{"ring 1, IOPL 0", 1, 0, "13(0)"},
		{"ring 1, IOPL 1", 1, 1, ""},
		{"ring 3, IOPL 2", 3, 2, "13(0)"},
		{"ring 3, IOPL 3", 3, 3, ""},
	} {
		for _, before := range []uint32{flagCF | flagDF | flagOF, flagIF | flagZF | flagNT | flagAC} {
			for op, after := range map[byte]uint32{0xfa: before &^ flagIF, 0xfb: before | flagIF} {
				r := newRig(t)
				r.ring(row.cpl)
				r.flags(before|row.iopl<<12, flagIOPL)
				if got := r.exec(op); got != row.want {
					t.Errorf("%s: %x: got %q, want %q", row.name, op, got, row.want)
				}
				if want := after | row.iopl<<12 | 2; row.want == "" && r.EFLAGS() != want {
					t.Errorf("%s: %x: EFLAGS %x, want %x", row.name, op, r.EFLAGS(), want)
				}
			}
		}
	}
}

// TestSysenter: SDM vol. 2B, SYSENTER and SYSEXIT.
func TestSysenter(t *testing.T) {
	r := newRig(t)
	r.ring(3)
	if got := r.exec(0x0f, 0x34); got != "13(0)" {
		t.Errorf("without CS: %q", got)
	}
	r.ring(3)
	r.SysenterCS, r.SysenterESP, r.SysenterEIP = selCode0, rigStack0, rigTarget
	r.flags(flagIF, 0)
	if got := r.exec(0x0f, 0x34); got != "" {
		t.Fatal(got)
	}
	r.wantf(r.CPL == 0 && r.EIP == rigTarget && r.R[esp] == rigStack0 && r.Flags&flagIF == 0, "CPL %d, EIP %x, ESP %x", r.CPL, r.EIP, r.R[esp])
	r.wantf(r.Seg[segCS] == r.segOf(selCode0) && r.Seg[segSS] == r.segOf(selData0), "CS %+v, SS %+v", r.Seg[segCS], r.Seg[segSS])
	r.R[ecx], r.R[edx] = rigStack3, rigCode
	if got := r.exec(0x0f, 0x35); got != "" {
		t.Fatal(got)
	}
	r.wantf(r.CPL == 3 && r.EIP == rigCode && r.R[esp] == rigStack3, "CPL %d, EIP %x, ESP %x", r.CPL, r.EIP, r.R[esp])
	r.wantf(r.Seg[segCS] == r.segOf(selCode3) && r.Seg[segSS] == r.segOf(selData3), "CS %+v, SS %+v", r.Seg[segCS], r.Seg[segSS])
	if got := r.exec(0x0f, 0x35); got != "13(0)" {
		t.Errorf("SYSEXIT in ring 3: %q", got)
	}
	for op := byte(0x34); op <= 0x35; op++ {
		r = newRig(t)
		r.SysenterCS = 3
		if got := r.exec(0x0f, op); got != "13(0)" {
			t.Errorf("0F %x with a null CS: %q", op, got)
		}
		r = newRig(t)
		r.real()
		r.SysenterCS = selCode0
		if got := r.exec(0x0f, op); got != "13(0)" {
			t.Errorf("0F %x in real mode: %q", op, got)
		}
	}
}
