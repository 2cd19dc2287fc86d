package generics

import (
	"cmp"
	"slices"
)

// Pair holds two values.
type Pair[A, B any] struct {
	First  A
	Second B
}

// Apply gives what f makes of each item.
func Apply[A, B any](items []A, f func(A) B) []B {
	out := make([]B, len(items))
	for i, a := range items {
		out[i] = f(a)
	}
	return out
}

// Fold combines the items from the first to the last.
func Fold[A, B any](items []A, start B, f func(B, A) B) B {
	for _, a := range items {
		start = f(start, a)
	}
	return start
}

// Zip pairs items, as many as the shorter slice has.
func Zip[A, B any](as []A, bs []B) []Pair[A, B] {
	out := make([]Pair[A, B], min(len(as), len(bs)))
	for i := range out {
		out[i] = Pair[A, B]{as[i], bs[i]}
	}
	return out
}

// Group collects items by a key, in the order of the keys.
func Group[K cmp.Ordered, A any](items []A, key func(A) K) []Pair[K, []A] {
	var m Map[K, []A]
	for _, a := range items {
		k := key(a)
		list, _ := m.Get(k)
		m.Set(k, append(list, a))
	}
	out := make([]Pair[K, []A], 0, m.Len())
	m.Each(func(k K, list []A) bool {
		out = append(out, Pair[K, []A]{k, list})
		return true
	})
	return out
}

// SortBy sorts by a key.
func SortBy[A any, K cmp.Ordered](items []A, key func(A) K) {
	slices.SortStableFunc(items, func(a, b A) int { return cmp.Compare(key(a), key(b)) })
}
