package fs9p

import (
	"iter"
	"sort"
)

// Directory is what a back end that keeps its names in memory knows of one
// directory; N is its node. It maps names to nodes and remembers the order in
// which they were entered: a cookie is an entry's place in that order and is
// never used again, so that a listing goes on where it was, whatever is deleted
// meanwhile. A nil Directory is what a file of another type has.
type Directory[N any] struct {
	Parent N // of the root, itself

	names map[string]*Entry[N]
	order []*Entry[N] // by cookie
	next  uint64      // the cookie given last
	dead  int         // removed ones in order
}

// Entry is a name in a Directory. Another node may be put in its place.
type Entry[N any] struct {
	Name string
	Node N

	cookie  uint64
	removed bool
}

// Cookie is the entry's place in a listing.
func (e *Entry[N]) Cookie() uint64 { return e.cookie }

// NewDirectory makes an empty Directory.
func NewDirectory[N any]() *Directory[N] {
	return &Directory[N]{names: map[string]*Entry[N]{}, next: DirStart}
}

// Entry gives the entry of that name, or nil.
func (d *Directory[N]) Entry(name string) *Entry[N] { return d.names[name] }

// Lookup gives the entry of that name; the error is ENOTDIR, ENAMETOOLONG or
// ENOENT.
func (d *Directory[N]) Lookup(name string) (*Entry[N], error) {
	if d == nil {
		return nil, ENOTDIR
	}
	if len(name) > MaxName {
		return nil, ENAMETOOLONG
	}
	if e := d.names[name]; e != nil {
		return e, nil
	}
	return nil, ENOENT
}

// Len is the number of entries.
func (d *Directory[N]) Len() int {
	if d == nil {
		return 0
	}
	return len(d.names)
}

// Add enters a name that is not there.
func (d *Directory[N]) Add(name string, node N) {
	d.next++
	e := &Entry[N]{Name: name, Node: node, cookie: d.next}
	d.names[name] = e
	d.order = append(d.order, e)
}

// Remove takes an entry out.
func (d *Directory[N]) Remove(e *Entry[N]) {
	delete(d.names, e.Name)
	*e = Entry[N]{Name: e.Name, cookie: e.cookie, removed: true} // which holds no node
	d.dead++
	if d.dead < 32 || d.dead < len(d.order)/2 {
		return
	}
	live := d.order[:0]
	for _, e := range d.order {
		if !e.removed {
			live = append(live, e)
		}
	}
	clear(d.order[len(live):])
	d.order, d.dead = live, 0
}

// After gives the entries behind the one with that cookie, in their order.
func (d *Directory[N]) After(cookie uint64) iter.Seq[*Entry[N]] {
	return func(yield func(*Entry[N]) bool) {
		i := sort.Search(len(d.order), func(i int) bool { return d.order[i].cookie > cookie })
		for _, e := range d.order[i:] {
			if !e.removed && !yield(e) {
				return
			}
		}
	}
}

// Replaceable says why rename(2) must not put a file in the place of another:
// EISDIR, ENOTDIR or ENOTEMPTY. Of each the Directory is given, nil if it has
// none.
func Replaceable[N any](old, moved *Directory[N]) error {
	switch {
	case moved == nil && old != nil:
		return EISDIR
	case moved != nil && old == nil:
		return ENOTDIR
	case old.Len() > 0:
		return ENOTEMPTY
	}
	return nil
}
