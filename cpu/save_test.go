package cpu

import (
	"bytes"
	"testing"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// twin makes a rig that goes on from where r is.
func (r *rig) twin() *rig {
	r.t.Helper()
	two := newRig(r.t)
	from, _ := r.mem.View(0, rigRAM, false)
	to, _ := two.mem.View(0, rigRAM, true)
	copy(to, from)
	if err := two.Restore(r.Save()); err != nil {
		r.t.Fatal(err)
	}
	return two
}

// TestSaveRestore: whatever the instruction at which the state is saved, a
// processor that it is restored into does what the saved one does: in the middle
// of a repeated instruction, in the shadow of STI, under single step, with an NMI
// or a Yield that waits.
func TestSaveRestore(t *testing.T) {
	code := cat(
		[]byte{0xb9, 5, 0, 0, 0},                         // mov ecx, 5
		[]byte{0xf3, 0xa4},                               // rep movsb
		[]byte{0x40, 0xfb, 0x43},                         // inc eax; sti; inc ebx
		[]byte{0x8e, 0xd0, 0x41},                         // mov ss, eax; inc ecx
		[]byte{0xd9, 0xe8, 0xd9, 0xeb},                   // fld1; fldpi
		[]byte{0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d}, // pushf; or dword [esp], 100h; popf: TF
		intn(0x60), []byte{0xf4},
	)
	const steps = 40
	for _, event := range []struct {
		name string
		do   func(c *CPU)
	}{
		{"nothing", func(*CPU) {}},
		{"NMI", (*CPU).NMI},
		{"INTR", func(c *CPU) { c.SetINTR(true) }},
		{"Yield", (*CPU).Yield},
	} {
		for k := range steps {
			one := newRig(t)
			one.put(rigCode, code...)
			one.put(rigData, 1, 2, 3, 4, 5)
			one.R[esi], one.R[edi], one.R[eax] = rigData, rigData+0x100, selData0-1
			one.CPU.Run(k)
			event.do(one.CPU)
			two := one.twin()
			var ends [2][3]uint64 // Yield and HLT end a Run early
			for i, r := range []*rig{one, two} {
				r.faults = nil
				for j := range ends[i] {
					r.CPU.Run(steps)
					ends[i][j] = r.Retired
				}
			}
			a, b := one.Save(), two.Save()
			a.Fault, b.Fault = Fault{}, Fault{}
			if a != b || ends[0] != ends[1] || one.all() != two.all() {
				t.Fatalf("%s, saved after %d: goes on to %x at %x, %s; the restored one to %x at %x, %s", event.name, k, a.R, a.EIP, one.all(), b.R, b.EIP, two.all())
			}
			m, _ := one.mem.View(0, rigRAM, false)
			n, _ := two.mem.View(0, rigRAM, false)
			if !bytes.Equal(m, n) {
				t.Fatalf("%s, saved after %d: memory differs", event.name, k)
			}
		}
	}
}

// TestRestoreRefuses: a state that no processor can have saved, and that could
// lead the engine astray, is refused and changes nothing.
func TestRestoreRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		f    func(s *State)
	}{
		{"a slot of no register", func(s *State) { s.R[x86.NoReg] = 4 }},
		{"the last slot", func(s *State) { s.R[15] = 1 }},
		{"CPL", func(s *State) { s.CPL = 4 }},
		{"arithmetic flags in Flags", func(s *State) { s.Flags |= x86.FlagZF }},
		{"EFLAGS bit 1", func(s *State) { s.Flags &^= 2 }},
		{"EFLAGS bit 31", func(s *State) { s.Flags |= 1 << 31 }},
		{"CR0", func(s *State) { s.CR0 |= 1 << 8 }},
		{"paging without protection", func(s *State) { s.CR0 = s.CR0&^cr0PE | cr0PG }},
		{"CR4", func(s *State) { s.CR4 |= 1 << 30 }},
		{"EFER", func(s *State) { s.EFER |= 1 << 8 }},
		{"MXCSR", func(s *State) { s.FPU.MXCSR |= 1 << 16 }},
		{"Retired", func(s *State) { s.Retired = ^uint64(0) }},
	} {
		r := newRig(t)
		before := r.Save()
		s := before
		row.f(&s)
		if err := r.Restore(s); err == nil || r.Save() != before {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	// Cached translations come from nowhere but the page tables.
	r := newRig(t)
	s := r.Save()
	for h := range s.TLB {
		for i := range s.TLB[h] {
			s.TLB[h][i] = TLBEntry{uint32(i) << 12, uint32(i) << 12, uint32(i) << 12, 0xf0000000}
		}
	}
	if err := r.Restore(s); err != nil {
		t.Fatal(err)
	}
	r.R[ebx] = rigData
	if got := r.exec(0x89, 0x03); got != "" || r.get32(rigData) != r.R[eax] || r.TLB[NoTLB][rigData>>12].W != NoTag {
		t.Errorf("%q with translations out of a file", got)
	}
}

// TestCoreElsewhere: the Core lies where Config says.
func TestCoreElsewhere(t *testing.T) {
	m, err := mem.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	core := new(Core)
	c, err := newCPU(t, Config{Mem: m, Core: core})
	if err != nil {
		t.Fatal(err)
	}
	m.WriteAt([]byte{0x40, 0xf4}, 0x8000) // inc ax; hlt
	c.loadReal(segCS, 0x800)
	c.EIP = 0
	c.Reload()
	if x := c.Run(10); x.Reason != Halt || core.R[eax] != 1 || core.Retired != 2 {
		t.Errorf("%v, EAX %d, %d retired", x, core.R[eax], core.Retired)
	}
}
