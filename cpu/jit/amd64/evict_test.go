//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// TestEviction goes round through several times the code that there is room for,
// of which some changes now and then: what goes is unlinked from what stays, and
// the same is computed. Most of what is executed stays translated where a little
// has no room, and no more is translated than is worth it.
func TestEviction(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const (
		room = 4096 // blocks: the fewest there are
		size = 32   // of a function of ring, one block
	)
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for _, tt := range []struct {
		name      string
		functions int
		threshold uint8
		change    bool
		// bounds on instructions translated, in rounds through all
		most float64
	}{
		{"it has room", room * 3 / 4, 8, false, 1},
		{"a little has none", room * 9 / 8, 8, false, 4},
		{"most has none", room * 4, 8, false, 6},
		{"all is hot at once", room * 2, 0, false, float64(rounds) + 1},
		{"it changes", room * 2, 2, true, float64(rounds) + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := ring(tt.functions, 7)
			plain, tested := newGuest(t, 8<<20, code), newGuest(t, 8<<20, code)
			tr, err := amd64.Attach(tested.CPU, tt.threshold, jit.Config{Strict: true, Blocks: room})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				tested.Attach(nil, 0)
				tr.Close()
			}()
			rnd := rand.New(rand.NewPCG(1, 2))
			for range rounds {
				plain.Run(tt.functions * 8)
				tested.Run(tt.functions * 8)
				if !tt.change {
					continue
				}
				for range 20 {
					at := uint32(guestCode + size*rnd.IntN(tt.functions) + 1) // the constant that is added
					v := binary.LittleEndian.AppendUint32(nil, rnd.Uint32())
					plain.WriteCode(at, v)
					tested.WriteCode(at, v)
				}
			}
			compareGuests(t, plain.CPU, tested.CPU, true)
			s := &tr.Stats
			if evicts := tt.functions > room; evicts != (s.Evicted > 0) {
				t.Errorf("%d blocks evicted", s.Evicted)
			}
			if got := float64(s.Insts) / float64(tt.functions*8); got > tt.most {
				t.Errorf("each instruction was translated %.1f times in %d rounds, want %.0f at most", got, rounds, tt.most)
			}
			t.Logf("%d blocks translated, %d evicted, %d entries", s.Blocks, s.Evicted, s.Entries)
		})
	}
}
