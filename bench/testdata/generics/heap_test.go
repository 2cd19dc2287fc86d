package generics

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHeapSorts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Heap[float64]
	var want []float64
	for range 1000 {
		v := r.Float64()
		want = append(want, v)
		h.Push(v)
	}
	slices.Sort(want)
	for i, w := range want {
		if v, ok := h.Pop(); !ok || v != w {
			t.Fatalf("item %d: %v, want %v", i, v, w)
		}
	}
}
