//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// TestJumpsInTurns calls two functions, through a register, whose addresses
// differ in some bits alone: each call but the first few finds its way without
// leaving generated code.
func TestJumpsInTurns(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const one, calls = guestCode + 0x1000, 2000
	for _, apart := range []uint32{0x40, 1 << 20, 2 << 20, 6 << 20} {
		imm := func(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }
		code := imm([]byte{0xbe}, one)              // mov esi, one
		code = imm(append(code, 0xbf), one+apart)   // mov edi, another
		code = append(code, 0xff, 0xd6, 0xff, 0xd7) // call esi; call edi
		code = append(code, 0xeb, 0xfa)             // jmp to the first call
		g := newGuest(t, 16<<20, code)
		for _, at := range []uint32{one, one + apart} {
			if _, err := g.mem.WriteAt([]byte{0x40, 0xc3}, int64(at)); err != nil { // inc eax; ret
				t.Fatal(err)
			}
		}
		tr, err := amd64.Attach(g.CPU, 2, jit.Config{})
		if err != nil {
			t.Fatal(err)
		}
		g.Run(2 + 7*calls/2)
		if got := g.R[0]; got != calls {
			t.Errorf("%#x apart: EAX is %d, want %d", apart, got, calls)
		}
		if got := tr.Stats.Jump; got > 50 {
			t.Errorf("%#x apart: %d of %d calls and returns have left generated code, want a few", apart, got, 2*calls)
		}
		g.Attach(nil, 0)
		tr.Close()
	}
}

// TestCallsWithoutEnd calls more often than the stack of calls has room for: a function
// itself, which then returns as often, and what never returns.
func TestCallsWithoutEnd(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const deep, rounds = 2_500_000, 4_000_000
	code := word32([]byte{0xb9}, deep)                                           // mov ecx, deep
	code = append(code, 0xe8, 7, 0, 0, 0)                                        // call the function
	code = append(code, 0xe8, 0, 0, 0, 0, 0x5a, 0xeb, 0xf8)                      // call the next; pop edx; jmp to the call
	code = append(code, 0x49, 0x74, 5, 0xe8, 0xf8, 0xff, 0xff, 0xff, 0x40, 0xc3) // dec ecx; jz over; call itself; inc eax; ret
	code[6] = byte(len(code) - 10 - 10)
	g := newGuest(t, 32<<20, code)
	g.R[4] = 30 << 20
	tr, err := amd64.Attach(g.CPU, 2, jit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		g.Attach(nil, 0)
		tr.Close()
	}()
	g.Run(2 + 3*deep - 1 + 2*deep)
	if got := g.R[0]; got != deep {
		t.Fatalf("EAX is %d behind %d calls of itself", got, deep)
	}
	g.Run(3 * rounds)
	if got, want := g.R[2], uint32(guestCode+15); got != want || g.R[4] != 30<<20 {
		t.Errorf("EDX is %#x, want %#x; ESP %#x", got, want, g.R[4])
	}
}
