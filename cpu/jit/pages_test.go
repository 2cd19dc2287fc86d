package jit

import (
	"math/rand/v2"
	"testing"
)

// TestResting lets pages rest and wakes them, of which many share a bucket and some a
// digest.
func TestResting(t *testing.T) {
	const n = 40
	p := newPages(1, n+1)
	p.list = make([]page, n+1)
	digest := func(i uint32) uint64 { return uint64(i%3)<<(64-restBits) | uint64(i/2) }
	order := map[uint64][]uint32{} // those that rest, by digest, the last one last
	rests := map[uint32]bool{}
	r := rand.New(rand.NewPCG(5, 6))
	for step := range 5000 {
		i := uint32(1 + r.IntN(n))
		d := digest(i)
		if rests[i] {
			p.wake(i)
			for k, j := range order[d] {
				if j == i {
					order[d] = append(order[d][:k:k], order[d][k+1:]...)
					break
				}
			}
		} else {
			p.rest(i, d)
			order[d] = append(order[d], i)
		}
		rests[i] = !rests[i]
		d = digest(uint32(1 + r.IntN(n)))
		want := uint32(0)
		if l := order[d]; len(l) > 0 {
			want = l[len(l)-1]
		}
		if got := p.find(d); got != want {
			t.Fatalf("step %d: page %d is found, want %d", step, got, want)
		}
	}
}
