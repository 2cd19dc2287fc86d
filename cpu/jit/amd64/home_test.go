//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// alias maps the first 4 MB of memory twice, one behind the other.
func (g *guest) alias(t *testing.T) {
	const directory, large = 0x9000, 1<<7 | 7 // present, writable, the user's
	b := binary.LittleEndian.AppendUint32(nil, large)
	b = binary.LittleEndian.AppendUint32(b, large)
	if _, err := g.mem.WriteAt(b, directory); err != nil {
		t.Fatal(err)
	}
	g.CR4 |= 1 << 4 // PSE
	g.CR3 = directory
	g.CR0 |= 1 << 31
	g.Reload()
}

// TestHome: code that has been translated where it was hot first is translated at
// another linear address only when it is executed there several times; what it
// computes is the same.
func TestHome(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const functions, away = 200, 4 << 20
	const round = functions * 8 // instructions
	code := ring(functions, 3)
	plain, tested := newGuest(t, 8<<20, code), newGuest(t, 8<<20, code)
	plain.alias(t)
	tested.alias(t)
	tr, err := amd64.Attach(tested.CPU, 8, jit.Config{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		tested.Attach(nil, 0)
		tr.Close()
	}()
	for _, step := range []struct {
		name   string
		at     uint32 // where the code is executed
		rounds int
		want   uint64 // instructions translated until then
	}{
		{"at home", 0, 20, round},
		{"away, once", away, 1, round},
		{"at home again", 0, 20, round},
		{"away, often", away, 20, 2 * round},
		{"away again", away, 20, 2 * round},
	} {
		for _, g := range []*guest{plain, tested} {
			g.EIP = guestCode + step.at
			g.Reload()
			g.Run(step.rounds * round)
		}
		compareGuests(t, plain.CPU, tested.CPU, true)
		if got := tr.Stats.Insts; got != step.want {
			t.Errorf("%s: %d instructions have been translated, want %d", step.name, got, step.want)
		}
	}
}
