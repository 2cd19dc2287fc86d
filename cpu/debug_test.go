package cpu

import "testing"

// TestCodeBreakpoint: a fault before the instruction, which RF holds off once.
func TestCodeBreakpoint(t *testing.T) {
	r := newRig(t)
	r.put(rigCode, 0x90, 0x90, 0x40, 0x90) // nop; nop; inc eax; nop
	r.put(rigIntr+0x10, 0xcf)              // iret
	r.DR[0] = rigCode + 2
	r.DR[7] |= 1
	r.Reload()
	if got := r.run(3); got != "1" || r.stack(0) != rigCode+2 || r.R[eax] != 0 || r.DR[6] != dr6Fixed|1 {
		t.Fatalf("%q at %x, EAX %d, DR6 %x", got, r.stack(0), r.R[eax], r.DR[6])
	}
	// The handler returns with RF set: the instruction runs, and RF is
	// clear behind it.
	r.put32(r.R[esp]+8, r.stack(2)|flagRF)
	if got := r.run(2); got != "" || r.R[eax] != 1 || r.Flags&flagRF != 0 {
		t.Fatalf("%q, EAX %d, EFLAGS %x", got, r.R[eax], r.Flags)
	}
	// Without RF it fires again.
	r.EIP = rigCode
	r.Reload()
	if got := r.run(3); got != "1" {
		t.Errorf("second time: %q", got)
	}
}

// TestDataBreakpoint: kinds, lengths and overlap.
func TestDataBreakpoint(t *testing.T) {
	load := func(off uint32) []byte { return cat([]byte{0xa1}, imm32(rigData+off)) }
	store := func(off uint32) []byte { return cat([]byte{0xa3}, imm32(rigData+off)) }
	for _, row := range []struct {
		name      string
		kind, len uint32
		code      []byte
		hit       bool
	}{
		{"write, store", breakWrite, 3, store(8), true},
		{"write, load", breakWrite, 3, load(8), false},
		{"access, load", breakAccess, 3, load(8), true},
		{"access, store", breakAccess, 3, store(8), true},
		{"one byte, inside", breakWrite, 0, store(5), true},
		{"one byte, first", breakWrite, 0, store(8), true},
		{"below", breakWrite, 3, store(4), false},
		{"above", breakWrite, 3, store(12), false},
		{"overlap from below", breakWrite, 3, store(5), true},
		{"overlap from above", breakWrite, 3, store(11), true},
		{"two bytes", breakWrite, 1, store(10), false},
		{"fetch is not an access", breakAccess, 3, []byte{0x90}, false},
		{"push", breakAccess, 3, []byte{0x50}, false},
	} {
		for _, global := range []uint32{1, 2} {
			r := newRig(t)
			r.DR[2] = rigData + 8
			r.DR[7] |= global<<4 | row.kind<<24 | row.len<<26
			r.Reload()
			r.put(rigCode, cat(row.code, []byte{0x90, 0x90})...)
			got := r.run(2)
			if (got == "1") != row.hit {
				t.Errorf("%s: got %q", row.name, got)
			}
			if got != "" {
				r.wantf(r.stack(0) == rigCode+uint32(len(row.code)) && r.DR[6] == dr6Fixed|4, "%s: saved EIP %x, DR6 %x", row.name, r.stack(0), r.DR[6])
			}
		}
	}
}

// TestDataBreakpointFault: an access that faults hits nothing.
func TestDataBreakpointFault(t *testing.T) {
	r := newRig(t)
	p := r.paging32()
	p.unmap(0x200000)
	r.DR[0] = 0x200000
	r.DR[7] |= 1 | breakWrite<<16
	r.Reload()
	r.put(rigIntr+0xe0, 0x90, 0x90)
	r.put(rigCode, cat([]byte{0xa3}, imm32(0x200000))...)
	r.run(3)
	r.wantf(r.all() == "[14(2)]", "delivered %s", r.all())
}

// TestSingleStep: a trap behind each instruction that began with TF set.
func TestSingleStep(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		n     int
		want  string
		eip   uint32
	}{
		{"NOP", nil, []byte{0x90, 0x90}, 2, "[1]", rigCode + 1},
		{"jump", nil, []byte{0xeb, 0x10}, 2, "[1]", rigCode + 0x12},
		{"REP, each iteration", func(r *rig) { r.R[ecx], r.R[edi] = 3, rigData }, []byte{0xf3, 0xaa}, 2, "[1]", rigCode},
		{"REP INS", func(r *rig) { r.R[ecx], r.R[edi] = 3, rigData }, []byte{0xf3, 0x6c}, 2, "[1]", rigCode},
		{"fault comes first", nil, []byte{0x0f, 0x0b}, 2, "[6]", rigCode},
		{"INT n drops the trap", nil, intn(0x60), 2, "[96]", rigCode + 2},
		{"MOV SS holds it off", func(r *rig) { r.R[eax] = selData0 }, []byte{0x8e, 0xd0, 0x90}, 3, "[1]", rigCode + 3},
		{"POPF that clears TF", func(r *rig) { r.put32(rigStack0, 2) }, []byte{0x9d, 0x90}, 2, "[1]", rigCode + 1},
		{"HLT", nil, []byte{0xf4, 0x90}, 2, "[1]", rigCode + 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			r.flags(flagTF, 0)
			if row.setup != nil {
				row.setup(r)
			}
			r.put(rigCode, row.code...)
			r.run(row.n)
			if r.all() != row.want {
				t.Fatalf("delivered %s, want %s", r.all(), row.want)
			}
			r.wantf(r.stack(0) == row.eip, "saved EIP %x, want %x", r.stack(0), row.eip)
			if row.want == "[1]" {
				r.wantf(r.DR[6] == dr6Fixed|dr6BS, "DR6 %x", r.DR[6])
				r.wantf(r.Flags&flagTF == 0, "TF is set in the handler")
			}
		})
	}
	t.Run("POPF that sets TF traps behind the next instruction", func(t *testing.T) {
		r := newRig(t)
		r.put32(rigStack0, 2|flagTF)
		r.put(rigCode, 0x9d, 0x90, 0x90)
		if got := r.run(3); got != "1" || r.stack(0) != rigCode+2 {
			t.Errorf("%q at %x", got, r.stack(0))
		}
	})
	t.Run("IRET that sets TF", func(t *testing.T) {
		r := newRig(t)
		r.put32(rigStack0, rigTarget)
		r.put32(rigStack0+4, selCode3)
		r.put32(rigStack0+8, 2|flagTF)
		r.put32(rigStack0+12, rigStack3)
		r.put32(rigStack0+16, selData3)
		r.put(rigTarget, 0x90, 0x90)
		r.put(rigCode, 0xcf)
		if got := r.run(3); got != "1" || r.stack(0) != rigTarget+1 || r.stack(2)&flagTF == 0 {
			t.Errorf("%q at %x, EFLAGS %x", got, r.stack(0), r.stack(2))
		}
	})
	t.Run("the trap comes before an interrupt", func(t *testing.T) {
		r := newRig(t)
		r.flags(flagTF|flagIF, 0)
		r.put(rigCode, 0x90, 0x90)
		r.run(1)
		r.SetINTR(true)
		r.run(1)
		r.wantf(r.all() == "[1]", "delivered %s", r.all())
	})
}

// TestDebugRegisters: aliases, fixed bits and general detect.
func TestDebugRegisters(t *testing.T) {
	mov := func(to bool, n byte) []byte {
		op := byte(0x21)
		if to {
			op = 0x23
		}
		return []byte{0x0f, op, 0xc0 | n<<3}
	}
	r := newRig(t)
	for n, want := range map[byte]uint32{0: 0xffffffff, 3: 0xffffffff, 6: 0xffffefff, 7: 0xffff27ff, 4: 0xffffefff, 5: 0xffff27ff} {
		r.DR[7] = dr7Fixed
		r.Reload()
		r.R[eax] = 0xffffffff
		if n == 7 || n == 5 {
			r.R[eax] &^= dr7GD
			want &^= dr7GD
		}
		r.EIP = 0x8000 // away from what the registers point at
		if got := r.exec(mov(true, n)...); got != "" {
			t.Fatal(got)
		}
		r.DR[7] &^= 0xff
		want7 := want
		if n == 7 || n == 5 {
			want7 &^= 0xff
		}
		r.Reload()
		r.exec(mov(false, n)...)
		r.wantf(r.R[eax] == want7, "DR%d reads %x, want %x", n, r.R[eax], want7)
	}
	r = newRig(t)
	r.CR4 |= cr4DE
	for _, n := range []byte{4, 5} {
		r.ring(0)
		if got := r.exec(mov(false, n)...); got != "6" {
			t.Errorf("DR%d with DE: %q", n, got)
		}
	}
	r = newRig(t)
	r.DR[7] |= dr7GD
	if got := r.exec(mov(false, 0)...); got != "1" || r.DR[6] != dr6Fixed|dr6BD || r.DR[7]&dr7GD != 0 || r.stack(0) != rigCode {
		t.Errorf("general detect: %q, DR6 %x, DR7 %x", got, r.DR[6], r.DR[7])
	}
}

// TestAlignment: #AC needs CR0.AM, EFLAGS.AC and CPL 3, and knows sizes (SDM
// vol. 3A table 6-7).
func TestAlignment(t *testing.T) {
	for _, row := range []struct {
		name string
		code []byte
		off  uint32
		want string
	}{
		{"dword", []byte{0x8b, 0x03}, 2, "17(0)"},
		{"dword store", []byte{0x89, 0x03}, 1, "17(0)"},
		{"aligned dword", []byte{0x8b, 0x03}, 4, ""},
		{"word", []byte{0x66, 0x8b, 0x03}, 1, "17(0)"},
		{"aligned word", []byte{0x66, 0x8b, 0x03}, 2, ""},
		{"byte", []byte{0x8a, 0x03}, 1, ""},
		{"CMPXCHG8B", []byte{0x0f, 0xc7, 0x0b}, 4, "17(0)"},
		{"CMPXCHG8B aligned", []byte{0x0f, 0xc7, 0x0b}, 8, ""},
		{"PUSH", []byte{0x50}, 0, "17(0)"},
	} {
		for _, on := range []bool{true, false} {
			r := newRig(t)
			r.ring(3)
			r.CR0 |= cr0AM
			if on {
				r.flags(flagAC, 0)
			}
			r.R[ebx] = rigData + row.off
			if row.name == "PUSH" {
				r.R[esp] -= 2
			}
			want := row.want
			if !on {
				want = ""
			}
			if got := r.exec(row.code...); got != want {
				t.Errorf("%s, AC=%v: %q, want %q", row.name, on, got, want)
			}
		}
	}
	r := newRig(t)
	r.CR0 |= cr0AM
	r.flags(flagAC, 0)
	r.R[ebx] = rigData + 1
	if got := r.exec(0x8b, 0x03); got != "" {
		t.Errorf("ring 0: %q", got)
	}
	// Descriptor tables are exempt.
	r = newRig(t)
	r.ring(3)
	r.CR0 |= cr0AM
	r.flags(flagAC, 0)
	for i := range uint32(0x100) {
		r.put(0x7001+i, r.ram.Load8(rigGDT+i))
	}
	r.GDTR.Base = 0x7001
	r.R[eax] = selData3
	if got := r.exec(movSegAX(segDS)...); got != "" {
		t.Errorf("descriptor at an odd address: %q", got)
	}
}

// TestRepeatedBreakpoint: RF holds off a breakpoint on a repeated instruction
// until its last iteration, through interrupts as well.
func TestRepeatedBreakpoint(t *testing.T) {
	r := newRig(t)
	r.R[ecx], r.R[edi] = 4, rigData
	r.put(rigCode, 0xf3, 0xaa, 0x90) // rep stosb; nop
	r.DR[0] = rigCode
	r.DR[7] |= 1
	r.flags(flagRF, 0)
	r.Reload()
	if got := r.run(2); got != "" || r.R[ecx] != 2 || r.Flags&flagRF == 0 {
		t.Fatalf("%q, ECX %d, EFLAGS %x", got, r.R[ecx], r.Flags)
	}
	r.CPU.NMI()
	if got := r.run(1); got != "2" || r.stack(0) != rigCode || r.stack(2)&flagRF == 0 {
		t.Fatalf("%q at %x, saved EFLAGS %x", got, r.stack(0), r.stack(2))
	}
	r.put(rigIntr+0x20, 0xcf)
	if got := r.run(4); got != "" || r.R[ecx] != 0 || r.EIP != rigCode+3 || r.Flags&flagRF != 0 {
		t.Errorf("%q, ECX %d, EIP %x, EFLAGS %x", got, r.R[ecx], r.EIP, r.Flags)
	}
}

// TestInterruptedRepeat: an interrupt between two iterations saves RF set.
func TestInterruptedRepeat(t *testing.T) {
	for _, code := range [][]byte{{0xf3, 0xaa}, {0xf3, 0x6c}} {
		r := newRig(t)
		r.R[ecx], r.R[edi] = 4, rigData
		r.put(rigCode, code...)
		r.run(2)
		r.CPU.NMI()
		if got := r.run(1); got != "2" || r.stack(0) != rigCode || r.stack(2)&flagRF == 0 || r.R[ecx] != 2 {
			t.Errorf("%x: %q at %x, saved EFLAGS %x, ECX %d", code, got, r.stack(0), r.stack(2), r.R[ecx])
		}
	}
}
