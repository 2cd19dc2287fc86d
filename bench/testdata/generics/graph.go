package generics

import "cmp"

// Graph has edges of a length between points of any comparable type.
type Graph[P comparable, N Number] map[P][]Pair[P, N]

// Join adds an edge that goes both ways.
func (g Graph[P, N]) Join(a, b P, length N) {
	g[a] = append(g[a], Pair[P, N]{b, length})
	g[b] = append(g[b], Pair[P, N]{a, length})
}

// Distances are those of all points that can be reached from one (Dijkstra,
// "A note on two problems in connexion with graphs", 1959).
func (g Graph[P, N]) Distances(from P) map[P]N {
	done := map[P]N{}
	next := queue[Pair[P, N]]{less: func(a, b Pair[P, N]) bool { return cmp.Less(a.Second, b.Second) }}
	for next.push(Pair[P, N]{from, 0}); len(next.items) > 0; {
		p := next.pop()
		if _, ok := done[p.First]; ok {
			continue
		}
		done[p.First] = p.Second
		for _, e := range g[p.First] {
			next.push(Pair[P, N]{e.First, p.Second + e.Second})
		}
	}
	return done
}

// queue gives the least item first, found by looking at all.
type queue[A any] struct {
	less  func(a, b A) bool
	items []A
}

func (q *queue[A]) push(a A) { q.items = append(q.items, a) }

func (q *queue[A]) pop() A {
	least, last := 0, len(q.items)-1
	for i := range q.items {
		if q.less(q.items[i], q.items[least]) {
			least = i
		}
	}
	a := q.items[least]
	q.items[least] = q.items[last]
	q.items = q.items[:last]
	return a
}
