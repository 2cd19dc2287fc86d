package cpu

import "testing"

// TestChainAcrossSpaces: blocks that are chained across pages in one address
// space are not followed in another one, where the second page is a different
// one, nor after INVLPG of it.
func TestChainAcrossSpaces(t *testing.T) {
	const (
		from   = 0x200ffb // its jump ends with the page
		to     = 0x201000
		other  = 0x301000
		second = 0x380000 // directory of the second space; its table follows
	)
	setup := func(t *testing.T) (*rig, *pages) {
		r := newRig(t)
		p := r.paging32()
		for i := range uint32(2048) {
			r.put32(second+4*i, 0)
		}
		r.put32(second, second+0x1000|7)
		for i := range uint32(1024) {
			r.put32(second+0x1000+4*i, i<<12|7)
		}
		r.put32(second+0x1000+to>>12*4, other|7)
		r.put(from, 0xe9, 0, 0, 0, 0)        // jmp to
		r.put(to, 0xb8, 1, 0, 0, 0, 0xc3)    // mov eax, 1; ret
		r.put(other, 0xb8, 2, 0, 0, 0, 0xc3) // mov eax, 2; ret
		call := []byte{0xe8, 0, 0, 0, 0}     // call from
		copy(call[1:], imm32(uint32(from)-rigCode-5))
		r.put(rigCode, cat(call, []byte{0xeb, 0xf9})...) // again: call; jmp again
		return r, p
	}
	warm := func(r *rig) {
		for range 3 {
			r.EIP = rigCode
			if got := r.run(4); got != "" || r.R[eax] != 1 {
				r.t.Fatalf("first space: %q, EAX %d", got, r.R[eax])
			}
			r.run(1)
		}
	}
	t.Run("CR3", func(t *testing.T) {
		r, _ := setup(t)
		warm(r)
		// mov cr3, ebx inside the loop's page, then the loop again.
		r.put(rigCode+0x20, 0x0f, 0x22, 0xdb, 0xeb, 0xdb)
		r.R[ebx] = second
		r.EIP = rigCode + 0x20
		if got := r.run(6); got != "" || r.R[eax] != 2 {
			t.Errorf("second space: %q, EAX %d, want 2", got, r.R[eax])
		}
		r.R[ebx] = rigPages
		r.EIP = rigCode + 0x20
		if got := r.run(6); got != "" || r.R[eax] != 1 {
			t.Errorf("first space again: %q, EAX %d, want 1", got, r.R[eax])
		}
	})
	t.Run("INVLPG", func(t *testing.T) {
		r, p := setup(t)
		warm(r)
		r.put32(p.pt+to>>12*4, other|7)
		r.put(rigCode+0x20, cat([]byte{0x0f, 0x01, 0x3d}, imm32(to), []byte{0xeb, 0xd7})...)
		r.EIP = rigCode + 0x20
		if got := r.run(6); got != "" || r.R[eax] != 2 {
			t.Errorf("%q, EAX %d, want 2", got, r.R[eax])
		}
	})
	t.Run("instruction across the pages", func(t *testing.T) {
		r, _ := setup(t)
		r.put(0x200ffe, 0xb8, 1) // mov eax, imm32, of which the last three bytes lie in the second page
		r.put(to, 0, 0, 0, 0xc3)
		r.put(other, 0, 0, 2, 0xc3)
		call := []byte{0xe8, 0, 0, 0, 0}
		copy(call[1:], imm32(0x200ffe-rigCode-5))
		r.put(rigCode, cat(call, []byte{0xeb, 0xf9})...)
		for range 3 {
			r.EIP = rigCode
			if got := r.run(3); got != "" || r.R[eax] != 1 {
				t.Fatalf("first space: %q, EAX %x", got, r.R[eax])
			}
			r.run(1)
		}
		r.put(rigCode+0x20, 0x0f, 0x22, 0xdb, 0xeb, 0xdb)
		r.R[ebx] = second
		r.EIP = rigCode + 0x20
		if got := r.run(5); got != "" || r.R[eax] != 0x2000001 {
			t.Errorf("second space: %q, EAX %x, want 2000001", got, r.R[eax])
		}
	})
}

// TestShiftByZero: a shift by CL = 0 keeps the AF that a shift before it has
// cleared, also where the host's processor leaves it set.
func TestShiftByZero(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{
		0xb9, 0, 0, 0, 0, // MOV ECX, 0
		0xb8, 0x10, 0, 0, 0x80, // MOV EAX, 80000010h
		0xc1, 0xe8, 4, // SHR EAX, 4
		0xd2, 0xf8, // SAR AL, CL
		0x9c, // PUSHF
	})
	c.Run(5)
	if f := c.ram.Load32(c.R[esp]); f&flagAF != 0 || c.Arith()&flagAF != 0 {
		t.Errorf("PUSHF pushed %#x, EFLAGS is %#x", f, c.EFLAGS())
	}
}
