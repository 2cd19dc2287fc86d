// Package generics is a small module with generic code and tests.
package generics

import "cmp"

// Heap is a binary min-heap.
type Heap[T cmp.Ordered] struct{ items []T }

// Push adds v.
func (h *Heap[T]) Push(v T) {
	h.items = append(h.items, v)
	for i := len(h.items) - 1; i > 0; {
		p := (i - 1) / 2
		if h.items[p] <= h.items[i] {
			return
		}
		h.items[p], h.items[i] = h.items[i], h.items[p]
		i = p
	}
}

// Pop removes the least item.
func (h *Heap[T]) Pop() (v T, ok bool) {
	n := len(h.items)
	if n == 0 {
		return v, false
	}
	v = h.items[0]
	h.items[0] = h.items[n-1]
	h.items = h.items[:n-1]
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h.items) {
			return v, true
		}
		if c+1 < len(h.items) && h.items[c+1] < h.items[c] {
			c++
		}
		if h.items[i] <= h.items[c] {
			return v, true
		}
		h.items[i], h.items[c] = h.items[c], h.items[i]
		i = c
	}
}
