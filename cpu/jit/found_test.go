package jit

import (
	"math/rand/v2"
	"testing"
)

// TestFound compares the table with a map, on keys of which many have one home, while
// it grows.
func TestFound(t *testing.T) {
	f, want := newFound(4), map[uint32]uint32{}
	r := rand.New(rand.NewPCG(3, 4))
	homes := map[uint32]int{}
	for step := range 20000 {
		key := uint32(r.IntN(200)) << uint(r.IntN(3)*10)
		if block := f.first(key); block != want[key] {
			t.Fatalf("step %d: key %#x has block %d, want %d", step, key, block, want[key])
		}
		homes[f.home(key)]++
		if f.taken != len(want) || 2*f.taken > len(f.entries) {
			t.Fatalf("step %d: %d entries of %d are taken, want %d", step, f.taken, len(f.entries), len(want))
		}
		if r.IntN(2) == 0 && len(want) < 100 {
			if before := f.put(key, uint32(step+1)); before != want[key] {
				t.Fatalf("step %d: key %#x led to block %d, want %d", step, key, before, want[key])
			}
			want[key] = uint32(step + 1)
		} else {
			f.remove(key)
			delete(want, key)
		}
	}
	for key, block := range want {
		if f.first(key) != block {
			t.Errorf("key %#x has block %d, want %d", key, f.first(key), block)
		}
		f.remove(key)
	}
	for i, e := range f.entries {
		if e.block != 0 {
			t.Errorf("entry %d is left: %+v", i, e)
		}
	}
	if len(homes) < 64 {
		t.Errorf("%d homes: this test tests little", len(homes))
	}
}
