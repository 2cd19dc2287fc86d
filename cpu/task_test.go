package cpu

import (
	"testing"

	"alpinevm/cpu/x86"
)

// task2 fills in the second TSS: ring 0, at rigTarget, EAX 0 to EDI as 100h+i.
func (r *rig) task2() {
	l := layoutOf(typeTSS32)
	r.put32(rigTSS2+l.eip, rigTarget)
	r.put32(rigTSS2+l.eip+4, 2|flagCF)
	for i := range uint32(8) {
		r.put32(rigTSS2+l.eip+8+4*i, 0x100+i)
	}
	r.put32(rigTSS2+l.eip+8+4*esp, rigStack1)
	for i := range uint32(6) {
		r.put32(rigTSS2+l.segs+4*i, selData0)
	}
	r.put32(rigTSS2+l.segs+4*segCS, selCode0)
	r.put32(rigTSS2+l.ldt, selLDT)
	r.put(rigTarget, 0x90)
}

// busy reports the busy bit of a TSS.
func (r *rig) busy(sel uint16) bool { return r.attr(sel)&typeBusy != 0 }

// TestTaskSwitch: busy bits, NT, the link, TS and the registers (SDM vol. 3A
// table 7-2), by JMP, CALL and interrupt, directly and through a gate.
func TestTaskSwitch(t *testing.T) {
	for _, row := range []struct {
		name   string
		code   []byte
		len    uint32
		nested bool
	}{
		{"JMP", jmpf(selTSS2, 0), 7, false},
		{"CALL", callf(selTSS2, 0), 7, true},
		{"JMP through a gate", jmpf(selTest, 0), 7, false},
		{"CALL through a gate", callf(selTest, 0), 7, true},
		{"INT", intn(0x60), 2, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.task2()
			r.gdt(selTest, gate(selTSS2, 0, typeTask, 3, 0))
			r.idt(0x60, gate(selTSS2, 0, typeTask, 3, 0))
			r.DR[7] |= 0x155
			r.put32(rigTSS2+tssCR3, 0x123000) // without paging it means nothing
			for i := range r.R[:8] {
				if i != esp {
					r.R[i] = 0x200 + uint32(i)
				}
			}
			r.flags(flagZF|flagDF, 0)
			r.exec(row.code...)
			l := layoutOf(typeTSS32)
			r.wantf(r.get32(rigTSS+l.eip) == rigCode+row.len, "saved EIP %x", r.get32(rigTSS+l.eip))
			r.wantf(r.get32(rigTSS+l.eip+4) == 2|flagZF|flagDF, "saved EFLAGS %x", r.get32(rigTSS+l.eip+4))
			r.wantf(r.get32(rigTSS+l.eip+8+4*edi) == 0x207 && r.get32(rigTSS+l.eip+8+4*esp) == rigStack0, "saved EDI, ESP")
			r.wantf(r.get16(rigTSS+l.segs+4*segCS) == selCode0 && r.get16(rigTSS+l.segs+20) == selData0, "saved segments")
			flags := uint32(2 | flagCF)
			if row.nested {
				flags |= flagNT
				r.wantf(r.get16(rigTSS2) == selTSS, "link %x", r.get16(rigTSS2))
			}
			r.wantf(r.busy(selTSS) == row.nested && r.busy(selTSS2), "busy: old %v, new %v", r.busy(selTSS), r.busy(selTSS2))
			r.wantf(r.EFLAGS() == flags && r.EIP == rigTarget && r.R[edi] == 0x107 && r.R[esp] == rigStack1, "EFLAGS %x, EIP %x, EDI %x, ESP %x", r.EFLAGS(), r.EIP, r.R[edi], r.R[esp])
			r.wantf(r.CR0&cr0TS != 0 && r.Seg[segTR].Sel == selTSS2 && r.Seg[segTR].Base == rigTSS2, "CR0 %x, TR %+v", r.CR0, r.Seg[segTR])
			r.wantf(r.DR[7]&0x155 == 0, "DR7 %x", r.DR[7])
			r.wantf(r.CR3 == 0, "CR3 %x", r.CR3)
			if !row.nested {
				return
			}
			// IRET goes back.
			r.put32(rigTSS+0x1c, 0)
			if got := r.exec(0xcf); got != "" {
				t.Fatalf("IRET: %q", got)
			}
			r.wantf(r.EIP == rigCode+row.len && r.R[edi] == 0x207 && r.R[esp] == rigStack0 && r.EFLAGS() == 2|flagZF|flagDF,
				"back at %x, EDI %x, ESP %x, EFLAGS %x", r.EIP, r.R[edi], r.R[esp], r.EFLAGS())
			r.wantf(r.busy(selTSS) && !r.busy(selTSS2) && r.Seg[segTR].Sel == selTSS, "busy after IRET: %v %v", r.busy(selTSS), r.busy(selTSS2))
			r.wantf(r.get32(rigTSS2+l.eip+4)&flagNT == 0, "NT is kept in the task left by IRET")
		})
	}
}

// TestTask16: to a 16-bit TSS and back.
func TestTask16(t *testing.T) {
	r := newRig(t)
	l := layoutOf(typeTSS16)
	r.put16(rigTSS16+l.eip, 0x8000)
	r.put16(rigTSS16+l.eip+2, 2|flagSF)
	r.put16(rigTSS16+l.eip+4+2*esp, 0x7000)
	r.put16(rigTSS16+l.eip+4+2*edi, 0x1234)
	for i := range uint32(4) {
		r.put16(rigTSS16+l.segs+2*i, selData0)
	}
	r.put16(rigTSS16+l.segs+2*segCS, selCode0)
	r.R[edi] = 0x55
	if got := r.exec(callf(selTSS16, 0)...); got != "" {
		t.Fatal(got)
	}
	r.wantf(r.EIP == 0x8000 && r.R[edi]&0xffff == 0x1234 && r.R[esp]&0xffff == 0x7000 && r.EFLAGS() == 2|flagSF|flagNT, "EIP %x, EDI %x, ESP %x, EFLAGS %x", r.EIP, r.R[edi], r.R[esp], r.EFLAGS())
	r.wantf(r.Seg[x86.FS] == Seg{} && r.Seg[segLDTR].Attr == 0, "FS %+v, LDTR %+v", r.Seg[x86.FS], r.Seg[segLDTR])
	if got := r.exec(0xcf); got != "" || r.EIP != rigCode+7 || r.R[edi] != 0x55 {
		t.Errorf("IRET: %q, EIP %x, EDI %x", got, r.EIP, r.R[edi])
	}
	r.wantf(r.get16(rigTSS16+l.eip) == 0x8001, "saved IP %x", r.get16(rigTSS16+l.eip))
}

// TestTask16Registers: by whatever way a 16-bit task comes up, its general
// registers have ones above bit 15, EIP and EFLAGS zeros.
func TestTask16Registers(t *testing.T) {
	for _, row := range []struct {
		name string
		code []byte
		back bool
	}{
		{"JMP", jmpf(selTSS16, 0), false},
		{"CALL", callf(selTSS16, 0), false},
		{"JMP through a gate", jmpf(selTest, 0), false},
		{"CALL through a gate", callf(selTest, 0), false},
		{"INT", intn(0x60), false},
		{"exception", []byte{0x0f, 0x0b}, false},
		{"IRET", []byte{0xcf}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			l := layoutOf(typeTSS16)
			r.put16(rigTSS16+l.eip, 0x8000)
			r.put16(rigTSS16+l.eip+2, 2)
			for i := range uint32(8) {
				r.put16(rigTSS16+l.eip+4+2*i, uint16(0x1122*(i&1)+i))
			}
			for i := range uint32(4) {
				r.put16(rigTSS16+l.segs+2*i, selData0)
			}
			r.put16(rigTSS16+l.segs+2*segCS, selCode0)
			r.gdt(selTest, gate(selTSS16, 0, typeTask, 3, 0))
			r.idt(0x60, gate(selTSS16, 0, typeTask, 3, 0))
			r.idt(vecUD, gate(selTSS16, 0, typeTask, 3, 0))
			if row.back {
				r.gdt(selTSS16, segment(rigTSS16, 0x2b, AttrP|typeTSS16Busy))
				r.put16(rigTSS, selTSS16)
				r.flags(flagNT, 0)
			}
			for i := range r.R[:8] {
				r.R[i] = 0x55aa55aa
			}
			r.exec(row.code...)
			for i, v := range r.R[:8] {
				if want := 0xffff0000 | uint32(0x1122*(i&1)+i); v != want {
					t.Errorf("%s %x, want %x", x86.RegName(uint8(i), 4), v, want)
				}
			}
			r.wantf(r.EIP == 0x8000 && r.EFLAGS()>>16 == 0, "EIP %x, EFLAGS %x", r.EIP, r.EFLAGS())
		})
	}
}

// TestTaskRefused: what is checked before anything changes.
func TestTaskRefused(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		want  string
	}{
		{"busy", func(r *rig) { r.gdt(selTSS2, segment(rigTSS2, 0x67, AttrP|typeTSS32Busy)) }, jmpf(selTSS2, 0), "13(30)"},
		{"absent", func(r *rig) { r.gdt(selTSS2, absent(segment(rigTSS2, 0x67, AttrP|typeTSS32))) }, jmpf(selTSS2, 0), "11(30)"},
		{"too small", func(r *rig) { r.gdt(selTSS2, segment(rigTSS2, 0x66, AttrP|typeTSS32)) }, jmpf(selTSS2, 0), "10(30)"},
		{"16-bit, too small", func(r *rig) { r.gdt(selTSS16, segment(rigTSS16, 0x2a, AttrP|typeTSS16)) }, jmpf(selTSS16, 0), "10(58)"},
		{"DPL below CPL", func(r *rig) { r.ring(3) }, jmpf(selTSS2, 0), "13(30)"},
		{"DPL below RPL", func(r *rig) {}, jmpf(selTSS2|1, 0), "13(30)"},
		{"gate DPL below RPL", func(r *rig) { r.gdt(selTest, gate(selTSS2, 0, typeTask, 0, 0)) }, jmpf(selTest|1, 0), "13(80)"},
		{"gate absent", func(r *rig) { r.gdt(selTest, absent(gate(selTSS2, 0, typeTask, 0, 0))) }, jmpf(selTest, 0), "11(80)"},
		{"gate to busy", func(r *rig) {
			r.gdt(selTest, gate(selTSS2, 0, typeTask, 0, 0))
			r.gdt(selTSS2, segment(rigTSS2, 0x67, AttrP|typeTSS32Busy))
		}, jmpf(selTest, 0), "13(30)"},
		{"gate to LDT", func(r *rig) { r.gdt(selTest, gate(selTSS2|4, 0, typeTask, 0, 0)) }, jmpf(selTest, 0), "13(34)"},
		{"gate to code", func(r *rig) { r.gdt(selTest, gate(selCode0, 0, typeTask, 0, 0)) }, jmpf(selTest, 0), "13(8)"},
		{"gate to null", func(r *rig) { r.gdt(selTest, gate(0, 0, typeTask, 0, 0)) }, jmpf(selTest, 0), "13(0)"},
		{"gate beyond GDT", func(r *rig) { r.gdt(selTest, gate(selBeyond, 0, typeTask, 0, 0)) }, jmpf(selTest, 0), "13(200)"},
		{"INT to busy", func(r *rig) {
			r.idt(0x60, gate(selTSS2, 0, typeTask, 0, 0))
			r.gdt(selTSS2, segment(rigTSS2, 0x67, AttrP|typeTSS32Busy))
		}, intn(0x60), "96 13(30)"},
		{"IRET to null link", func(r *rig) { r.flags(flagNT, 0) }, []byte{0xcf}, "10(0)"},
		{"IRET to available", func(r *rig) { r.flags(flagNT, 0); r.put16(rigTSS, selTSS2) }, []byte{0xcf}, "10(30)"},
		{"IRET to LDT", func(r *rig) { r.flags(flagNT, 0); r.put16(rigTSS, selTSS2|4) }, []byte{0xcf}, "10(34)"},
		{"IRET beyond GDT", func(r *rig) { r.flags(flagNT, 0); r.put16(rigTSS, selBeyond) }, []byte{0xcf}, "10(200)"},
		{"IRET to absent", func(r *rig) {
			r.flags(flagNT, 0)
			r.put16(rigTSS, selTSS2)
			r.gdt(selTSS2, absent(segment(rigTSS2, 0x67, AttrP|typeTSS32Busy)))
		}, []byte{0xcf}, "11(30)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.task2()
			row.setup(r)
			cr0, dr7 := r.CR0, r.DR[7]
			r.exec(row.code...)
			r.wantf(r.all() == "["+row.want+"]", "delivered %s, want %s", r.all(), row.want)
			r.want(r.CR0 == cr0 && r.DR[7] == dr7 && r.Seg[segTR].Sel == selTSS && r.busy(selTSS), "the refused switch left traces")
		})
	}
}

// TestTaskFaults: what goes wrong in the new task is delivered there (SDM vol. 3A
// table 7-1).
func TestTaskFaults(t *testing.T) {
	l := layoutOf(typeTSS32)
	seg := func(r *rig, s uint32, sel uint16) { r.put16(rigTSS2+l.segs+4*s, sel) }
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		want  string
	}{
		{"LDT is in the LDT", func(r *rig) { r.put16(rigTSS2+l.ldt, selLocal) }, "10(4)"},
		{"LDT is data", func(r *rig) { r.put16(rigTSS2+l.ldt, selData0) }, "10(10)"},
		{"LDT absent", func(r *rig) { r.gdt(selLDT, absent(segment(rigLDT, 0xff, AttrP|typeLDT))) }, "10(38)"},
		{"null CS", func(r *rig) { seg(r, segCS, 0) }, "10(0)"},
		{"CS is data", func(r *rig) { seg(r, segCS, selData0) }, "10(10)"},
		{"CS of another level", func(r *rig) { seg(r, segCS, selCode3&^3) }, "10(18)"},
		{"CS absent", func(r *rig) { seg(r, segCS, selTest2) }, "11(88)"},
		{"null SS", func(r *rig) { seg(r, segSS, 0) }, "10(0)"},
		{"SS of another level", func(r *rig) { seg(r, segSS, selData3) }, "10(20)"},
		{"SS absent", func(r *rig) { seg(r, segSS, selTest3) }, "12(90)"},
		{"DS beyond GDT", func(r *rig) { seg(r, segDS, selBeyond) }, "10(200)"},
		{"FS absent", func(r *rig) { seg(r, x86.FS, selTest3) }, "11(90)"},
		{"GS is a TSS", func(r *rig) { seg(r, x86.GS, selTSS) }, "10(28)"},
		{"null DS", func(r *rig) { seg(r, segDS, 0) }, ""},
		{"EIP beyond the limit", func(r *rig) { seg(r, segCS, selTest); r.gdt(selTest, segment(0, rigTarget-1, attrCode0&^AttrG)) }, "13(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.task2()
			r.gdt(selTest2, absent(segment(0, 0xfffff, attrCode0)))
			r.gdt(selTest3, absent(segment(0, 0xfffff, attrData0)))
			row.setup(r)
			r.put(rigCode, jmpf(selTSS2, 0)...)
			r.faults = nil
			r.CPU.Run(1)
			got := ""
			if len(r.faults) > 0 {
				got = describe(r.faults[0])
				r.wantf(r.at.EIP == rigTarget && r.at.R[edi] == 0x107, "delivered at %x", r.at.EIP)
			}
			r.wantf(got == row.want, "got %q, want %q", got, row.want)
			r.want(r.Seg[segTR].Sel == selTSS2 && r.busy(selTSS2) && !r.busy(selTSS), "the switch was undone")
		})
	}
}

// TestTaskGateErrorCode: a double fault by task gate, as Linux has it.
func TestTaskGateErrorCode(t *testing.T) {
	r := newRig(t)
	r.task2()
	r.idt(vecDF, gate(selTSS2, 0, typeTask, 0, 0))
	r.idt(vecGP, 0)
	r.R[eax] = selBeyond
	r.put(rigTarget, 0x58, 0x90) // pop eax
	r.exec(movSegAX(segDS)...)
	r.wantf(r.all() == "[13(200) 8(0)]" && r.EIP == rigTarget && r.R[esp] == rigStack1-4, "delivered %s, EIP %x, ESP %x", r.all(), r.EIP, r.R[esp])
	r.wantf(r.stack(0) == 0 && r.get32(rigTSS+0x20) == rigCode, "error code %x, saved EIP %x", r.stack(0), r.get32(rigTSS+0x20))
}

// TestTaskTrap: the T bit of a TSS traps before the first instruction.
func TestTaskTrap(t *testing.T) {
	r := newRig(t)
	r.task2()
	r.put16(rigTSS2+tssTrap, 1)
	r.put(rigCode, jmpf(selTSS2, 0)...)
	if got := r.run(2); got != "1" || r.stack(0) != rigTarget || r.DR[6]&dr6BT == 0 {
		t.Errorf("%q at %x, DR6 %x", got, r.stack(0), r.DR[6])
	}
}

// TestTaskV86: a task of virtual-8086 mode.
func TestTaskV86(t *testing.T) {
	r := newRig(t)
	r.task2()
	l := layoutOf(typeTSS32)
	r.put32(rigTSS2+l.eip, 0x10)
	r.put32(rigTSS2+l.eip+4, 2|flagVM)
	for i := range uint32(6) {
		r.put32(rigTSS2+l.segs+4*i, 0x2000+i)
	}
	if got := r.exec(jmpf(selTSS2, 0)...); got != "" {
		t.Fatal(got)
	}
	want := Seg{Sel: 0x2001, Base: 0x20010, Limit: 0xffff, Attr: attrV86}
	r.wantf(r.CPL == 3 && r.Seg[segCS] == want && r.EIP == 0x10, "CPL %d, CS %+v, EIP %x", r.CPL, r.Seg[segCS], r.EIP)
}

// TestTaskPaging: CR3 of the new task is in force, and a page of a TSS that is
// not there refuses the switch.
func TestTaskPaging(t *testing.T) {
	r := newRig(t)
	r.task2()
	r.paging32()
	r.put32(rigTSS2+tssCR3, r.CR3+0x100000) // a copy of the directory that differs nowhere
	for i := range uint32(1024) {
		r.put32(r.CR3+0x100000+4*i, r.get32(r.CR3+4*i))
	}
	cr3 := r.CR3
	if got := r.exec(jmpf(selTSS2, 0)...); got != "" || r.CR3 != cr3+0x100000 {
		t.Fatalf("%q, CR3 %x", got, r.CR3)
	}

	// A 16-bit TSS has no CR3.
	r = newRig(t)
	r.pagingPAE()
	cr3 = r.CR3
	for i := range uint32(4) {
		r.put16(rigTSS16+0x22+2*i, selData0)
	}
	r.put16(rigTSS16+0x24, selCode0)
	r.put32(rigTSS16+tssCR3, 0x380000)
	r.put64(0x380000, 1|1<<5) // a bad PDPTE, were it read
	if got := r.exec(jmpf(selTSS16, 0)...); got != "" || r.CR3 != cr3 || r.Seg[segTR].Sel != selTSS16 {
		t.Errorf("16-bit TSS: %q, CR3 %x", got, r.CR3)
	}

	r = newRig(t)
	r.task2()
	p := r.paging32()
	const far = 0x300000
	r.gdt(selTSS2, segment(far-0x20, 0x67, AttrP|typeTSS32))
	p.unmap(far)
	if got := r.exec(jmpf(selTSS2, 0)...); got != "14(0)" || r.CR2 != far+0x47 {
		t.Errorf("TSS that ends in an absent page: %q, CR2 %x", got, r.CR2)
	}
	r.want(r.busy(selTSS) && !r.busy(selTSS2), "busy bits changed")

	// The old TSS must be writable, the new one only where it is linked.
	for _, row := range []struct {
		tss  uint32
		code []byte
		want string
	}{
		{0x300000, jmpf(selTSS2, 0), "14(3)"},
		{0x300000, callf(selTSS2, 0), "14(3)"},
		{0x301000, jmpf(selTSS2, 0), ""},
		{0x301000, callf(selTSS2, 0), "14(3)"},
	} {
		r := newRig(t)
		p := r.paging32()
		r.task2()
		r.put32(rigTSS2+tssCR3, r.CR3)
		for i := range uint32(0x68) {
			r.put(0x301000+i, r.ram.Load8(rigTSS2+i))
		}
		r.gdt(selTSS2, segment(0x301000, 0x67, AttrP|typeTSS32))
		r.Seg[segTR].Base = 0x300000
		r.CR0 |= cr0WP
		p.put(row.tss, uint64(row.tss|5))
		r.idt(vecPF, gate(selCode0, rigTarget, typeInt32, 0, 0))
		if got := r.exec(row.code...); got != row.want {
			t.Errorf("TSS at %x read-only, %x: got %q, want %q", row.tss, row.code[0], got, row.want)
		}
	}
}

// descriptorDevice is a descriptor table in a device.
type descriptorDevice map[uint32]uint32

func (d descriptorDevice) Read(off uint32, _ int) uint32 { return d[off] }
func (d descriptorDevice) Write(uint32, int, uint32)     {}

// TestTaskFromDevice: a task switch out of the middle of a block reaches a device
// behind its commit point, so it must have had its exact count before.
func TestTaskFromDevice(t *testing.T) {
	const base = 0xfe000000
	r := newRig(t)
	r.task2()
	d := segment(0, 0xffffffff, attrData0|AttrAccessed)
	if err := r.mem.Map(base, 0x1000, descriptorDevice{0: uint32(d), 4: uint32(d >> 32)}); err != nil {
		t.Fatal(err)
	}
	r.gdt(selTest, segment(base, 0xff, AttrP|typeLDT))
	r.put32(rigTSS2+layoutOf(typeTSS32).ldt, selTest)
	r.put32(rigTSS2+layoutOf(typeTSS32).segs+4*segDS, selLocal)
	r.idt(0x60, gate(selTSS2, 0, typeTask, 3, 0))
	r.put(rigCode, cat([]byte{0x90, 0x90}, intn(0x60))...)
	r.OnFault(nil) // a trace wants exact counts anyway
	r.CPU.Run(3)
	if r.EIP != rigTarget || r.Seg[segDS].Attr&AttrP == 0 {
		t.Errorf("EIP %x, DS %+v", r.EIP, r.Seg[segDS])
	}
}
