package cputest

import (
	"errors"
	"testing"
)

// newSilicon starts the oracle, or skips where the host has none.
func newSilicon(t testing.TB) *Silicon {
	s, err := NewSilicon(t.TempDir())
	if errors.Is(err, ErrNoSilicon) {
		t.Skipf("not here: %v; the recorded vectors stand in", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// fill makes a batch of one instruction.
func fill(code ...byte) []Case {
	cases := make([]Case, Batch)
	for i := range cases {
		cases[i] = oneCase(i, code...)
	}
	return cases
}

// TestSilicon checks the oracle itself with instructions whose outcome is
// beyond doubt.
func TestSilicon(t *testing.T) {
	s := newSilicon(t)
	rows := []struct {
		name   string
		code   []byte
		vector uint8
		eip    uint32 // relative to the instruction
		eax    uint32
		cr2    uint32
	}{
		{"add eax,-128", []byte{0x83, 0xC0, 0x80}, noVector, 3, 0xFFFFFF80, 0},
		{"div eax", []byte{0xF7, 0xF0}, 0, 0, 0, 0},
		{"int3", []byte{0xCC}, 3, 1, 0, 0},
		{"ud2", []byte{0x0F, 0x0B}, 6, 0, 0, 0},
		{"hlt", []byte{0xF4}, 13, 0, 0, 0},
		{"mov eax,[absent]", []byte{0xA1, 0xFE, 0x2F, 0x00, 0x11}, 14, 0, 0, pageRO + pageSize},
		{"mov [read-only],eax", []byte{0xA3, 0x00, 0x20, 0x00, 0x11}, 14, 0, 0, pageRO},
		{"mov eax,gs:[limit]", []byte{0x65, 0x67, 0xA1, 0xFD, 0x1F}, 13, 0, 0, 0},
		{"jmp $-1", []byte{0xEB, 0xFD}, 3, 0, 0, 0},
	}
	for _, r := range rows {
		cases := fill(r.code...)[:1]
		var out [1]Outcome
		if err := s.Run(cases, out[:]); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		o := &out[0]
		if o.Vector != r.vector || o.EIP != cases[0].Addr+r.eip || o.R[0] != r.eax || o.CR2 != r.cr2 {
			t.Errorf("%s: vector %d, EIP %#x, EAX %#x, CR2 %#x", r.name, o.Vector, o.EIP, o.R[0], o.CR2)
		}
	}
}

func BenchmarkSilicon(b *testing.B) {
	for _, bb := range []struct {
		name string
		code []byte
	}{{"retires", []byte{0x83, 0xC0, 0x80}}, {"faults", []byte{0x0F, 0x0B}}} {
		b.Run(bb.name, func(b *testing.B) { run(b, newSilicon(b), bb.code) })
	}
}

func BenchmarkMachine(b *testing.B) { run(b, newMachine(b), []byte{0x83, 0xC0, 0x80}) }

// run measures one case.
func run(b *testing.B, e Engine, code []byte) {
	cases, out := fill(code...), make([]Outcome, Batch)
	for n := 0; n < b.N; n += Batch {
		if err := e.Run(cases, out); err != nil {
			b.Fatal(err)
		}
	}
}
