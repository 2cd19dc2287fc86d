package cpu

import (
	"fmt"
	"testing"
)

// dataSegments are the checks that loads of DS, ES, FS and GS make, a row each
// (SDM vol. 2B, MOV).
var dataSegments = []struct {
	name string
	desc uint64
	sel  uint16
	cpl  uint8
	want string
}{
	{"null", 0, 0, 0, ""},
	{"null with RPL", 0, 3, 3, ""},
	{"beyond GDT", 0, selBeyond, 0, "13(200)"},
	{"beyond LDT", 0, 0x104, 0, "13(104)"},
	{"in LDT", 0, selLocal, 0, ""},
	{"data", segment(0, 0xfffff, attrData0), selTest, 0, ""},
	{"read-only data", segment(0, 0xfffff, attrData0&^AttrWritable), selTest, 0, ""},
	{"readable code", segment(0, 0xfffff, attrCode0), selTest, 0, ""},
	{"execute-only code", segment(0, 0xfffff, attrCode0&^AttrWritable), selTest, 0, "13(80)"},
	{"system segment", segment(0, 0xfffff, AttrP|typeLDT), selTest, 0, "13(80)"},
	{"RPL above DPL", segment(0, 0xfffff, attrData0), selTest | 3, 0, "13(80)"},
	{"CPL above DPL", segment(0, 0xfffff, attrData0), selTest, 3, "13(80)"},
	{"CPL 3, DPL 3", segment(0, 0xfffff, attrData0|attrRing3), selTest | 3, 3, ""},
	{"CPL 0, DPL 3", segment(0, 0xfffff, attrData0|attrRing3), selTest, 0, ""},
	{"nonconforming code above", segment(0, 0xfffff, attrCode0), selTest, 3, "13(80)"},
	{"conforming code above", segment(0, 0xfffff, attrCode0|AttrExpandDown), selTest | 3, 3, ""},
	{"absent", absent(segment(0, 0xfffff, attrData0)), selTest, 0, "11(80)"},
	{"absent and hidden", absent(segment(0, 0xfffff, attrData0)), selTest, 3, "13(80)"},
}

func TestLoadDataSegment(t *testing.T) {
	for _, row := range dataSegments {
		for name, s := range segs {
			if s == segSS {
				continue
			}
			t.Run(row.name+" to "+name, func(t *testing.T) {
				r := newRig(t)
				r.gdt(selTest, row.desc)
				r.ring(row.cpl)
				r.R[eax] = uint32(row.sel)
				if got := r.exec(movSegAX(s)...); got != row.want {
					t.Fatalf("got %q, want %q", got, row.want)
				}
				if row.want == "" {
					r.wantLoaded(s, row.sel)
				}
			})
		}
	}
}

// wantLoaded checks a segment register and the accessed bit of its descriptor.
func (r *rig) wantLoaded(s uint8, sel uint16) {
	r.t.Helper()
	want := Seg{Sel: sel}
	if !null(sel) {
		want = r.segOf(sel)
		r.want(r.attr(sel)&AttrAccessed != 0, "accessed bit is clear")
	}
	r.wantf(r.Seg[s] == want, "loaded %+v, want %+v", r.Seg[s], want)
}

func TestLoadSS(t *testing.T) {
	for _, row := range []struct {
		name string
		desc uint64
		sel  uint16
		cpl  uint8
		want string
	}{
		{"null", 0, 0, 0, "13(0)"},
		{"null with RPL", 0, 3, 3, "13(0)"},
		{"beyond GDT", 0, selBeyond, 0, "13(200)"},
		{"data", segment(0, 0xfffff, attrData0), selTest, 0, ""},
		{"expand-down data", segment(0, 0xfffff, attrData0|AttrExpandDown), selTest, 0, ""},
		{"read-only data", segment(0, 0xfffff, attrData0&^AttrWritable), selTest, 0, "13(80)"},
		{"code", segment(0, 0xfffff, attrCode0), selTest, 0, "13(80)"},
		{"system", segment(0, 0xfffff, AttrP|typeTSS32), selTest, 0, "13(80)"},
		{"RPL is not CPL", segment(0, 0xfffff, attrData0), selTest | 3, 0, "13(80)"},
		{"DPL is not CPL", segment(0, 0xfffff, attrData0|attrRing3), selTest, 0, "13(80)"},
		{"ring 3", segment(0, 0xfffff, attrData0|attrRing3), selTest | 3, 3, ""},
		{"absent", absent(segment(0, 0xfffff, attrData0)), selTest, 0, "12(80)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.gdt(selTest, row.desc)
			r.ring(row.cpl)
			r.R[eax] = uint32(row.sel)
			if got := r.exec(movSegAX(segSS)...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			if row.want == "" {
				r.wantLoaded(segSS, row.sel)
				r.want(r.Shadow && r.ShadowSS, "no interrupt shadow")
			}
		})
	}
}

// TestSegmentForms: every instruction that loads a segment register, its
// results and its faults on a bad selector, which leave all registers alone.
func TestSegmentForms(t *testing.T) {
	pop := map[string][]byte{"ES": {0x07}, "SS": {0x17}, "DS": {0x1f}, "FS": {0x0f, 0xa1}, "GS": {0x0f, 0xa9}}
	lds := map[string][]byte{"ES": {0xc4}, "SS": {0x0f, 0xb2}, "DS": {0xc5}, "FS": {0x0f, 0xb4}, "GS": {0x0f, 0xb5}}
	for name, s := range segs {
		for _, size := range []uint32{4, 2} {
			prefix := []byte{}
			if size == 2 {
				prefix = []byte{0x66}
			}
			t.Run(fmt.Sprintf("POP %s %d", name, size), func(t *testing.T) {
				r := newRig(t)
				r.put32(rigStack0, 0xabcd0000|selData0)
				if got := r.exec(cat(prefix, pop[name])...); got != "" {
					t.Fatal(got)
				}
				r.wantLoaded(s, selData0)
				r.wantf(r.R[esp] == rigStack0+size, "ESP %x", r.R[esp])
				r.R[esp] = rigStack0
				r.put32(rigStack0, selBeyond)
				if got := r.exec(cat(prefix, pop[name])...); got != "13(200)" {
					t.Fatal(got)
				}
			})
			t.Run(fmt.Sprintf("L%s %d", name, size), func(t *testing.T) {
				r := newRig(t)
				r.R[ebx] = 0x55aa55aa
				r.put32(rigData, 0x12345678)
				r.put16(rigData+size, selData0)
				// lds ebx, [rigData]
				code := cat(prefix, lds[name], []byte{0x1d}, imm32(rigData))
				if got := r.exec(code...); got != "" {
					t.Fatal(got)
				}
				r.wantLoaded(s, selData0)
				want := uint32(0x12345678)
				if size == 2 {
					want = 0x55aa5678
				}
				r.wantf(r.R[ebx] == want, "EBX %x", r.R[ebx])
				r.put16(rigData+size, selBeyond)
				if got := r.exec(code...); got != "13(200)" {
					t.Fatal(got)
				}
			})
		}
	}
}

// TestStoreSegment: MOV from a segment register fills a 32-bit register but
// writes only 16 bits of memory, and so does a 32-bit PUSH.
func TestStoreSegment(t *testing.T) {
	r := newRig(t)
	r.R[eax] = 0xffffffff
	r.exec(0x8c, 0xd8) // mov eax, ds
	r.wantf(r.R[eax] == selData0, "EAX %x", r.R[eax])
	r.R[eax] = 0xffffffff
	r.exec(0x66, 0x8c, 0xd8) // mov ax, ds
	r.wantf(r.R[eax] == 0xffff0000|selData0, "AX: EAX %x", r.R[eax])
	r.put32(rigData, 0xffffffff)
	r.exec(cat([]byte{0x8c, 0x1d}, imm32(rigData))...) // mov [rigData], ds
	r.wantf(r.get32(rigData) == 0xffff0000|selData0, "memory %x", r.get32(rigData))
	r.put32(rigStack0-4, 0xffffffff)
	r.exec(0x1e) // push ds
	r.wantf(r.get32(rigStack0-4) == 0xffff0000|selData0 && r.R[esp] == rigStack0-4, "stack %x, ESP %x", r.get32(rigStack0-4), r.R[esp])
	r.exec(0x66, 0x0f, 0xa0) // push fs, 16 bits
	r.wantf(r.get16(rigStack0-6) == selData0 && r.R[esp] == rigStack0-6, "ESP %x", r.R[esp])
}

func TestLoadRealSegment(t *testing.T) {
	r := newRig(t)
	r.real()
	r.Seg[segDS].Limit = 0xffffffff // as left by protected mode
	r.R[eax] = 0x1234
	r.exec(0x8e, 0xd8) // mov ds, ax
	want := Seg{Sel: 0x1234, Base: 0x12340, Limit: 0xffffffff, Attr: r.Seg[segDS].Attr, Fast: r.Seg[segDS].Fast}
	r.wantf(r.Seg[segDS] == want, "real mode: %+v", r.Seg[segDS])

	r = newRig(t)
	r.v86(0)
	r.R[eax] = 0x1234
	r.exec(0x8e, 0xd8)
	want = Seg{Sel: 0x1234, Base: 0x12340, Limit: 0xffff, Attr: attrV86}
	r.wantf(r.Seg[segDS] == want, "virtual-8086 mode: %+v", r.Seg[segDS])
}

// TestSegmentAccess: limits and rights of data segments (SDM vol. 3A 5.3, 5.5).
func TestSegmentAccess(t *testing.T) {
	down := attrData0 &^ AttrG
	for _, row := range []struct {
		name        string
		desc        uint64
		off         uint32
		read, write string
	}{
		{"last dword", segment(rigData, 0xff, attrData0&^AttrG), 0xfc, "", ""},
		{"one byte beyond", segment(rigData, 0xff, attrData0&^AttrG), 0xfd, "13(0)", "13(0)"},
		{"wraps", segment(rigData, 0xff, attrData0&^AttrG), 0xfffffffe, "13(0)", "13(0)"},
		{"read-only", segment(rigData, 0xff, attrData0&^AttrG&^AttrWritable), 0, "", "13(0)"},
		{"code", segment(rigData, 0xff, attrCode0&^AttrG), 0, "", "13(0)"},
		{"expand-down at the limit", segment(rigData, 0xff, down|AttrExpandDown), 0xff, "13(0)", "13(0)"},
		{"expand-down above", segment(rigData, 0xff, down|AttrExpandDown), 0x100, "", ""},
		{"expand-down at the top", segment(rigData, 0xff, down&^AttrDB|AttrExpandDown), 0xfffc, "", ""},
		{"expand-down beyond the top", segment(rigData, 0xff, down&^AttrDB|AttrExpandDown), 0xfffd, "13(0)", "13(0)"},
		{"null", 0, 0, "13(0)", "13(0)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			sel := uint16(selTest)
			if row.desc == 0 {
				sel = 0
			}
			r.gdt(selTest, row.desc)
			r.R[eax] = uint32(sel)
			if got := r.exec(movSegAX(segES)...); got != "" {
				t.Fatal(got)
			}
			r.R[ebx] = row.off
			r.EIP = rigCode
			if got := r.exec(0x26, 0x8b, 0x03); got != row.read { // mov eax, es:[ebx]
				t.Errorf("read: %q, want %q", got, row.read)
			}
			r.ring(0)
			r.Seg[segES] = Seg{}
			if sel != 0 {
				r.Seg[segES] = r.segOf(sel)
			}
			r.Reload()
			if got := r.exec(0x26, 0x89, 0x03); got != row.write { // mov es:[ebx], eax
				t.Errorf("write: %q, want %q", got, row.write)
			}
		})
	}
}
