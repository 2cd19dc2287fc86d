package cpu

import (
	"fmt"
	"testing"
)

// userPage is a page of the user's; all others are the supervisor's in these
// tests.
const userPage = 0x200000

// apart switches on paging with no page for the user but userPage, which has the
// given rights.
func (r *rig) apart(pae bool, rights uint64) *pages {
	p := r.paging32
	if pae {
		p = r.pagingPAE
	}
	q := p()
	for lin := uint32(0); lin < rigRAM; lin += 0x1000 {
		q.put(lin, uint64(lin)|3)
	}
	q.put(userPage, userPage|rights)
	return q
}

// Accesses to userPage+8, by EAX, ESI or ESP where they need a register.
var accesses = map[string][]byte{
	"read":   cat([]byte{0xa1}, imm32(userPage+8)),
	"write":  cat([]byte{0xa3}, imm32(userPage+8)),
	"modify": cat([]byte{0xff, 0x05}, imm32(userPage+8)),
	"movs":   {0xa4},
	"push":   {0x50},
	"exec":   {0xff, 0xe0}, // jmp eax
}

// TestSupervisorAccess: what SMEP and SMAP make of accesses to a page of the user's
// (SDM vol. 3A 4.6.1), and the error codes (4.7).
func TestSupervisorAccess(t *testing.T) {
	type want map[string]string // by access, "" where it is not there
	all := want{"read": "14(1)", "write": "14(3)", "modify": "14(3)", "movs": "14(1)", "push": "14(3)"}
	for _, row := range []struct {
		name   string
		cr4    uint32
		ac, wp bool
		rights uint64
		cpl    uint8
		want   want
	}{
		{"neither", 0, false, true, 7, 0, nil},
		{"SMAP", cr4SMAP, false, true, 7, 0, all},
		{"SMAP at CPL 1", cr4SMAP, false, true, 7, 1, all},
		{"SMAP lifted", cr4SMAP, true, true, 7, 0, nil},
		{"SMAP lifted at CPL 1", cr4SMAP, true, true, 7, 1, nil},
		{"SMAP lifted, read-only", cr4SMAP, true, true, 5, 0, want{"write": "14(3)", "modify": "14(3)", "push": "14(3)"}},
		{"SMAP lifted, read-only without WP", cr4SMAP, true, false, 5, 0, nil},
		{"SMAP, read-only without WP", cr4SMAP, false, false, 5, 0, all},
		{"SMAP, supervisor's page", cr4SMAP, false, true, 3, 0, nil},
		{"SMEP", cr4SMEP, false, true, 7, 0, want{"exec": "14(11)"}},
		{"SMEP, AC means nothing", cr4SMEP, true, true, 7, 0, want{"exec": "14(11)"}},
		{"SMEP, supervisor's page", cr4SMEP, false, true, 3, 0, nil},
		{"both, lifted", cr4SMEP | cr4SMAP, true, true, 7, 0, want{"exec": "14(11)"}},
	} {
		for _, pae := range []bool{false, true} {
			for acc, code := range accesses {
				t.Run(fmt.Sprintf("%s %s PAE=%v", row.name, acc, pae), func(t *testing.T) {
					r := newRig(t)
					r.apart(pae, row.rights)
					r.put(userPage+8, 0x90, 0x90, 0x90, 0x90)
					if row.wp {
						r.CR0 |= cr0WP
					}
					r.ring(row.cpl)
					r.CR4 |= row.cr4
					if row.ac {
						r.flags(flagAC, 0)
					}
					r.Reload()
					if got := r.reachUser(acc, code); got != row.want[acc] {
						t.Errorf("got %q, want %q", got, row.want[acc])
					}
					if row.want[acc] != "" {
						r.wantf(r.CR2 == userPage+8, "CR2 %x", r.CR2)
					}
				})
			}
		}
	}
}

// reachUser makes an access twice: a miss and then a hit of the TLB.
func (r *rig) reachUser(acc string, code []byte) (got string) {
	for range 2 {
		r.R[eax], r.R[esi], r.R[edi], r.EIP = userPage+8, userPage+8, rigData, rigCode
		if acc == "push" {
			r.R[esp] = userPage + 12
		}
		if got = r.exec(code...); got == "" && acc == "exec" {
			got = r.run(1)
		}
		if got != "" {
			break
		}
	}
	return got
}

// TestUserAccess: SMEP and SMAP are nothing to the user, whatever AC is.
func TestUserAccess(t *testing.T) {
	for _, ac := range []uint32{0, flagAC} {
		r := newRig(t)
		p := r.apart(true, 7)
		p.put(rigCode, rigCode|7)
		r.CR4 |= cr4SMEP | cr4SMAP
		r.ring(3)
		r.flags(ac, 0)
		for acc, code := range accesses {
			p.put(rigData, rigData|7)
			r.put(userPage+8, 0x90, 0x90, 0x90, 0x90)
			if got := r.reachUser(acc, code); got != "" {
				t.Errorf("AC %x, %s: %q", ac, acc, got)
			}
		}
	}
}

// TestImplicitAccess: AC does not lift SMAP for what the processor itself reads and
// writes, at any CPL, even where an instruction has just been there.
func TestImplicitAccess(t *testing.T) {
	for _, row := range []struct {
		name string
		page uint32
		cpl  uint8
		code []byte
		want string
	}{
		{"LDT", rigLDT, 0, []byte{0x8e, 0xd8}, "14(1)"}, // mov ds,ax
		{"LDT by LAR", rigLDT, 0, []byte{0x0f, 0x02, 0xc8}, "14(1)"},
		{"TSS by LTR", rigGDT, 0, []byte{0x0f, 0x00, 0xd8}, "14(1)"},
		{"I/O bitmap", rigTSS, 3, []byte{0xec}, "14(1)"},
		{"LDT by the user", rigLDT, 3, []byte{0x8e, 0xd8}, "14(1)"},
	} {
		for _, cr4 := range []uint32{0, cr4SMAP} {
			for _, ac := range []uint32{0, flagAC} {
				r := newRig(t)
				p := r.apart(true, 7)
				if row.cpl == 3 {
					p.put(rigCode, rigCode|7)
				}
				p.put(row.page, uint64(row.page)|7)
				r.put64(rigLDT, segment(0, 0xffffffff, attrData0|attrRing3))
				r.ring(row.cpl)
				r.CR4 |= cr4
				r.flags(ac, 0)
				r.R[eax] = uint32(selLocal) | uint32(row.cpl)
				if row.name == "TSS by LTR" {
					r.R[eax] = selTSS2
				}
				if row.cpl == 0 && (cr4 == 0 || ac != 0) {
					if got := r.exec(cat([]byte{0x8b, 0x1d}, imm32(row.page))...); got != "" { // mov ebx,[page]
						t.Fatalf("%s: by an instruction: %q", row.name, got)
					}
				}
				got := r.exec(row.code...)
				if cr4 == 0 {
					r.wantf(got == "" || row.name == "I/O bitmap" && got == "13(0)", "%s without SMAP: %q", row.name, got)
				} else {
					r.wantf(got == row.want, "%s, AC %x: %q, want %q", row.name, ac, got, row.want)
				}
			}
		}
	}
}

// TestLift: STAC and CLAC, and what else changes AC, decide from the next
// instruction on, with all translations cached.
func TestLift(t *testing.T) {
	const popf = 0x9d
	stac, clac := []byte{0x0f, 0x01, 0xcb}, []byte{0x0f, 0x01, 0xca}
	read := accesses["read"]
	r := newRig(t)
	r.apart(false, 7)
	r.CR4 |= cr4SMAP
	r.Reload()
	for range 2 {
		for _, step := range []struct {
			code []byte
			want string
			ac   bool
		}{
			{read, "14(1)", false}, {stac, "", true}, {read, "", true}, {clac, "", false}, {read, "14(1)", false},
			{stac, "", true}, {read, "", true}, {[]byte{popf}, "", false}, {read, "14(1)", false},
		} {
			r.ring(0)
			r.flags(0, 0)
			if step.code[0] == popf {
				r.put32(r.R[esp], 2)
			}
			if got := r.exec(step.code...); got != step.want {
				t.Fatalf("% x: %q, want %q", step.code, got, step.want)
			}
			if ac := r.at.Flags&flagAC != 0; step.want != "" && ac != step.ac || step.want == "" && r.Flags&flagAC != 0 != step.ac {
				t.Fatalf("% x: AC %v", step.code, r.Flags&flagAC != 0)
			}
			if step.want != "" {
				r.flags(0, flagAC)
			}
		}
	}
	// In one block, and with a hit in between.
	r.ring(0)
	r.put(rigCode, cat(stac, read, clac, read)...)
	if got := r.run(4); got != "14(1)" || r.at.EIP != rigCode+11 {
		t.Errorf("in one block: %q at %x", got, r.at.EIP)
	}
}

// TestLiftRefused: STAC and CLAC are the kernel's (SDM vol. 2A, CLAC; vol. 2B, STAC).
func TestLiftRefused(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		want  string
	}{
		{"CPL 0", func(r *rig) {}, []byte{0x0f, 0x01, 0xcb}, ""},
		{"CPL 1", func(r *rig) { r.ring(1) }, []byte{0x0f, 0x01, 0xcb}, "6"},
		{"CPL 3", func(r *rig) { r.ring(3) }, []byte{0x0f, 0x01, 0xca}, "6"},
		{"real mode", func(r *rig) { r.real() }, []byte{0x0f, 0x01, 0xcb}, ""},
		{"virtual-8086 mode", func(r *rig) { r.v86(3) }, []byte{0x0f, 0x01, 0xca}, "6"},
		{"LOCK", func(r *rig) {}, []byte{0xf0, 0x0f, 0x01, 0xcb}, "6"},
		{"66", func(r *rig) {}, []byte{0x66, 0x0f, 0x01, 0xca}, "6"},
		{"without SMAP it is a flag", func(r *rig) {}, []byte{0x0f, 0x01, 0xcb}, ""},
	} {
		r := newRig(t)
		row.setup(r)
		if got := r.exec(row.code...); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
		r.wantf(row.want != "" || r.Flags&flagAC != 0, "%s: AC is not set", row.name)
	}
}

// TestProtectionOn: setting SMEP or SMAP counts at once for what is cached, and so
// does INVLPG for a page that may only be executed.
func TestProtectionOn(t *testing.T) {
	setCR4 := []byte{0x0f, 0x22, 0xe3} // mov cr4,ebx
	for acc, bit := range map[string]uint32{"read": cr4SMAP, "write": cr4SMAP, "exec": cr4SMEP} {
		r := newRig(t)
		r.apart(true, 7)
		r.put(userPage+8, 0x90, 0x90, 0x90, 0x90)
		if got := r.reachUser(acc, accesses[acc]); got != "" {
			t.Fatal(got)
		}
		r.EIP, r.R[ebx] = rigCode, r.CR4|bit
		if got := r.exec(setCR4...); got != "" {
			t.Fatal(got)
		}
		if got := r.reachUser(acc, accesses[acc]); got == "" {
			t.Errorf("%s after MOV CR4", acc)
		}
	}

	const large = 0x3fe00000
	jump := func(r *rig) string {
		r.R[eax], r.EIP = large+8, rigCode
		r.exec(accesses["exec"]...)
		return r.run(1)
	}
	r := newRig(t)
	p := r.apart(true, 7)
	r.CR4 |= cr4SMAP
	r.Reload()
	p.pde(large, userPage|0x87)
	r.put(userPage+8, 0x90, 0x90)
	if got := jump(r); got != "" {
		t.Fatal(got)
	}
	r.put64(rigPages+0x1000+large>>21*8, userPage|0x87|1<<63)
	r.EIP = rigCode
	r.exec(cat([]byte{0x0f, 0x01, 0x3d}, imm32(large+0x3000))...) // invlpg
	if got := jump(r); got != "14(11)" {
		t.Errorf("after INVLPG: %q", got)
	}
}

// TestCachedRights: a translation that one kind of access has cached grants nothing
// to another kind.
func TestCachedRights(t *testing.T) {
	for _, row := range []struct {
		cr4, ac     uint32
		first, then string
		want        string
	}{
		{cr4SMAP, 0, "exec", "read", "14(1)"},
		{cr4SMAP, 0, "exec", "write", "14(3)"},
		{cr4SMEP, 0, "write", "exec", "14(11)"},
		{cr4SMEP | cr4SMAP, flagAC, "write", "exec", "14(11)"},
	} {
		for _, pae := range []bool{false, true} {
			r := newRig(t)
			r.apart(pae, 7)
			r.put(userPage+8, 0x90, 0x90, 0x90, 0x90)
			r.CR4 |= row.cr4
			r.flags(row.ac, 0)
			if got := r.reachUser(row.first, accesses[row.first]); got != "" {
				t.Fatalf("%+v: %q", row, got)
			}
			if got := r.reachUser(row.then, accesses[row.then]); got != row.want {
				t.Errorf("%+v: %q", row, got)
			}
		}
	}
}

// TestSMEPErrorCode: with SMEP every fetch shows I/D, without NX as well.
func TestSMEPErrorCode(t *testing.T) {
	for cr4, want := range map[uint32]string{0: "14(0)", cr4SMEP: "14(10)"} {
		r := newRig(t)
		r.apart(false, 0).unmap(userPage)
		r.CR4 |= cr4
		r.Reload()
		if got := r.reachUser("exec", accesses["exec"]); got != want {
			t.Errorf("CR4 %x: %q, want %q", cr4, got, want)
		}
	}
}

// TestUMIP: the instructions that tell where system tables are (SDM vol. 3A 2.5).
func TestUMIP(t *testing.T) {
	at := imm32(rigData)
	for _, row := range []struct {
		name string
		code []byte
		v86  string // without UMIP
	}{
		{"SGDT", cat([]byte{0x0f, 0x01, 0x05}, at), ""},
		{"SIDT", cat([]byte{0x0f, 0x01, 0x0d}, at), ""},
		{"SLDT", []byte{0x0f, 0x00, 0xc0}, "6"},
		{"SLDT to memory", cat([]byte{0x0f, 0x00, 0x05}, at), "6"},
		{"STR", []byte{0x0f, 0x00, 0xc8}, "6"},
		{"STR to memory", cat([]byte{0x0f, 0x00, 0x0d}, at), "6"},
		{"SMSW", []byte{0x0f, 0x01, 0xe0}, ""},
		{"SMSW to memory", cat([]byte{0x0f, 0x01, 0x25}, at), ""},
	} {
		for _, umip := range []uint32{0, cr4UMIP} {
			for _, cpl := range []uint8{0, 1, 3} {
				r := newRig(t)
				r.ring(cpl)
				r.CR4 |= umip
				r.Reload()
				want := ""
				if umip != 0 && cpl != 0 {
					want = "13(0)"
				}
				if got := r.exec(row.code...); got != want {
					t.Errorf("%s, CPL %d, CR4 %x: %q, want %q", row.name, cpl, umip, got, want)
				}
			}
			r := newRig(t)
			r.v86(3)
			r.CR4 |= umip
			want := row.v86
			if umip != 0 && want == "" {
				want = "13(0)"
			}
			code := row.code
			if len(code) > 3 {
				code = []byte{code[0], code[1], code[2]&^7 | 6, 0, 2} // at DS:200h
			}
			if got := r.exec(code...); got != want {
				t.Errorf("%s, V86, CR4 %x: %q, want %q", row.name, umip, got, want)
			}
		}
		r := newRig(t)
		p := r.paging32()
		p.unmap(rigData)
		r.ring(3)
		r.CR4 |= cr4UMIP
		if got := r.exec(row.code...); got != "13(0)" {
			t.Errorf("%s to an absent page: %q", row.name, got)
		}
	}
}
