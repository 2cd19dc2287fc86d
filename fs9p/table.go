package fs9p

import "hash/maphash"

// Table is a map that a guest fills and empties. Go's own map keeps the memory
// of its largest day, and making it anew takes as long as it is large. So a
// large Table is many small maps, and each is made anew when little is left in
// it: memory goes with the entries, and no operation goes through more than
// some thousand. The zero Table is empty.
type Table[K comparable, V any] struct {
	n     int
	parts []part[K, V] // one, or tableParts
	seed  maphash.Seed // of the distribution over parts
}

// part is a map and the most entries that it has had.
type part[K comparable, V any] struct {
	m    map[K]V
	most int
}

const (
	tableParts = 1 << 10
	tableSplit = 1 << 14 // entries from which on there are tableParts parts
	tableJoin  = 1 << 13 // and below which there is one again
	partKeeps  = 8       // entries for which a map is not made anew
)

func (t *Table[K, V]) part(k K) *part[K, V] {
	if len(t.parts) == 1 {
		return &t.parts[0]
	}
	return &t.parts[maphash.Comparable(t.seed, k)%tableParts]
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Find gives the value of k, and whether there is one.
func (t *Table[K, V]) Find(k K) (V, bool) {
	if t.n == 0 {
		var none V
		return none, false
	}
	v, ok := t.part(k).m[k]
	return v, ok
}

// At gives the value of k, zero where there is none.
func (t *Table[K, V]) At(k K) V {
	v, _ := t.Find(k)
	return v
}

// Put sets the value of k.
func (t *Table[K, V]) Put(k K, v V) {
	if len(t.parts) == 0 {
		t.parts = make([]part[K, V], 1)
	}
	p := t.part(k)
	before := len(p.m)
	if p.m == nil {
		p.m = map[K]V{}
	}
	p.m[k] = v
	p.most = max(p.most, len(p.m))
	if t.n += len(p.m) - before; t.n > tableSplit && len(t.parts) == 1 {
		t.spread(tableParts)
	}
}

// Delete removes the entry of k, if there is one.
func (t *Table[K, V]) Delete(k K) {
	if t.n == 0 {
		return
	}
	p := t.part(k)
	before := len(p.m)
	delete(p.m, k)
	t.n += len(p.m) - before
	switch {
	case t.n == 0:
		t.parts = nil
	case t.n < tableJoin && len(t.parts) > 1:
		t.spread(1)
	case p.most > partKeeps && len(p.m) < p.most/4:
		p.shrink()
	}
}

// shrink makes the map anew.
func (p *part[K, V]) shrink() {
	m := make(map[K]V, len(p.m))
	for k, v := range p.m {
		m[k] = v
	}
	p.m, p.most = m, len(m)
}

// spread distributes the entries over so many parts.
func (t *Table[K, V]) spread(parts int) {
	old := t.parts
	t.seed = maphash.MakeSeed()
	t.parts = make([]part[K, V], parts)
	for _, from := range old {
		for k, v := range from.m {
			p := t.part(k)
			if p.m == nil {
				p.m = map[K]V{}
			}
			p.m[k] = v
			p.most++
		}
	}
}

// All goes through the entries in no order. The table must not change meanwhile,
// but for the entry that is at hand.
func (t *Table[K, V]) All() func(yield func(K, V) bool) {
	return func(yield func(K, V) bool) {
		for _, p := range t.parts {
			for k, v := range p.m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}
