package cpu

import (
	"testing"

	"alpinevm/cpu/x86"
)

// TestPartsWrap: in real mode, operands of several parts go on at offset 0 behind
// FFFFh, part by part; a part that does not fit before the end, and an operand that
// is one part, is #GP. What user mode can ask silicon is in package cputest.
func TestPartsWrap(t *testing.T) {
	lds := func(r *rig) bool { return r.R[eax] == 0x1100 && r.Seg[segDS].Sel == 0x3322 }
	for _, row := range []struct {
		name string
		code []byte // ends in the displacement
		want string
		ok   func(r *rig) bool
	}{
		{"LES", []byte{0xc4, 0x06, 0xfe, 0xff}, "", func(r *rig) bool { return r.R[eax] == 0x1100 && r.Seg[segES].Sel == 0x3322 }},
		{"LDS", []byte{0xc5, 0x06, 0xfe, 0xff}, "", lds},
		{"LDS, the offset crosses", []byte{0xc5, 0x06, 0xff, 0xff}, "13(0)", nil},
		{"LDS of 32 bits", []byte{0x66, 0xc5, 0x06, 0xfc, 0xff}, "", func(r *rig) bool { return r.R[eax] == 0x1100ffee && r.Seg[segDS].Sel == 0x3322 }},
		{"LSS", []byte{0x0f, 0xb2, 0x06, 0xfe, 0xff}, "", func(r *rig) bool { return r.Seg[segSS].Sel == 0x3322 }},
		{"LFS", []byte{0x0f, 0xb4, 0x06, 0xfe, 0xff}, "", func(r *rig) bool { return r.Seg[x86.FS].Sel == 0x3322 }},
		{"LGS", []byte{0x0f, 0xb5, 0x06, 0xfe, 0xff}, "", func(r *rig) bool { return r.Seg[x86.GS].Sel == 0x3322 }},
		{"JMP far", []byte{0xff, 0x2e, 0xfe, 0xff}, "", func(r *rig) bool { return r.EIP == 0x1100 && r.Seg[segCS].Sel == 0x3322 }},
		{"CALL far", []byte{0xff, 0x1e, 0xfe, 0xff}, "", func(r *rig) bool { return r.EIP == 0x1100 && r.Seg[segCS].Sel == 0x3322 }},
		{"BOUND", []byte{0x62, 0x06, 0xfe, 0xff}, "5", nil},
		{"BOUND, the lower one crosses", []byte{0x62, 0x06, 0xff, 0xff}, "13(0)", nil},
		{"LGDT", []byte{0x0f, 0x01, 0x16, 0xfe, 0xff}, "", func(r *rig) bool { return r.GDTR == TableReg{0x443322, 0x1100} }},
		{"LGDT, the base crosses", []byte{0x0f, 0x01, 0x16, 0xfc, 0xff}, "13(0)", nil},
		{"LIDT of 32 bits", []byte{0x66, 0x0f, 0x01, 0x1e, 0xfe, 0xff}, "", func(r *rig) bool { return r.IDTR == TableReg{0x55443322, 0x1100} }},
		{"SGDT", []byte{0x0f, 0x01, 0x06, 0xfe, 0xff}, "", func(r *rig) bool { return r.get16(0x2fffe) == rigGDTLimit && r.get32(0x20000) == rigGDT }},
		{"SIDT, the base crosses", []byte{0x0f, 0x01, 0x0e, 0xfc, 0xff}, "13(0)", nil},
		{"FLD of 80 bits", []byte{0xdb, 0x2e, 0xf8, 0xff}, "", func(r *rig) bool { return r.FPU.SE[7] == 0x3322 && r.FPU.Mant[7]>>48 == 0x1100 }},
		{"FLD of 80 bits, the significand crosses", []byte{0xdb, 0x2e, 0xfc, 0xff}, "13(0)", nil},
		{"FSTP of 80 bits", []byte{0xdb, 0x3e, 0xf8, 0xff}, "", func(r *rig) bool { return r.get16(0x20000) == 0xffff }},
		{"FNSTENV", []byte{0xd9, 0x36, 0xfe, 0xff}, "", func(r *rig) bool { return r.get16(0x2fffe) == 0x37f && r.get16(0x20002) == 0xffff }},
		{"FLDENV", []byte{0xd9, 0x26, 0xfe, 0xff}, "", func(r *rig) bool { return r.FPU.CW == 0x1140 && r.FPU.SW&0x7f00 == 0x3300 }},
		{"FLDENV, a field crosses", []byte{0xd9, 0x26, 0xff, 0xff}, "13(0)", nil},
		{"MOV", []byte{0x66, 0x8b, 0x06, 0xfe, 0xff}, "13(0)", nil},
		{"CMPXCHG8B", []byte{0x0f, 0xc7, 0x0e, 0xfc, 0xff}, "13(0)", nil},
		{"FLD of 64 bits", []byte{0xdd, 0x06, 0xfc, 0xff}, "13(0)", nil},
		{"MOVDQU", []byte{0xf3, 0x0f, 0x6f, 0x06, 0xf8, 0xff}, "13(0)", nil},
		{"a stack segment: LES", []byte{0x36, 0xc4, 0x06, 0xff, 0xff}, "12(0)", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.FPU.initialize()
			r.CR4 |= cr4OSFXSR
			r.real()
			r.R[eax] = 0
			r.put(0x2fffa, 0xaa, 0xbb, 0xee, 0xff, 0x00, 0x11)
			r.put(0x20000, 0x22, 0x33, 0x44, 0x55)
			if got := r.exec(row.code...); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			if row.ok != nil && !row.ok(r) {
				t.Errorf("EAX %x, EIP %x, segments %x %x %x, GDTR %+v, IDTR %+v, memory %x %x, FPU %+v", r.R[eax], r.EIP,
					r.Seg[segES].Sel, r.Seg[segCS].Sel, r.Seg[segDS].Sel, r.GDTR, r.IDTR, r.get32(0x2fffc), r.get32(0x20000), r.FPU)
			}
		})
	}
}

// TestPartsWrapChecks: alignment checks and data breakpoints look at the parts
// where they are.
func TestPartsWrapChecks(t *testing.T) {
	r := newRig(t)
	r.gdt(selTest, segment(rigData, 0xffff, AttrP|AttrS|AttrWritable|attrRing3|AttrDB))
	r.ring(3)
	r.Seg[x86.GS] = r.segOf(selTest)
	r.CR0 |= cr0AM
	r.flags(flagAC, 0)
	fnsave := func(ea byte) []byte { return []byte{0x66, 0x67, 0x65, 0xdd, 0x36, ea, 0xff} }
	if got := r.exec(fnsave(0xf2)...); got != "" {
		t.Errorf("a state of words at an even address: %q", got)
	}
	r.ring(3)
	r.Seg[x86.GS] = r.segOf(selTest)
	r.flags(flagAC, 0)
	if got := r.exec(fnsave(0xa5)...); got != "17(0)" {
		t.Errorf("a state of words at an odd address: %q", got)
	}
	r = newRig(t)
	r.gdt(selTest, segment(rigData, 0xffff, AttrP|AttrS|AttrWritable|AttrDB))
	r.Seg[x86.GS] = r.segOf(selTest)
	r.DR[0], r.DR[7] = rigData+1, 0x400|1<<0|1<<16
	r.Reload()
	r.put(rigCode, fnsave(0xf2)...)
	if got := r.run(2); got != "1" || r.DR[6]&1 == 0 {
		t.Errorf("a breakpoint on what has wrapped: %q, DR6 %x", got, r.DR[6])
	}
}
