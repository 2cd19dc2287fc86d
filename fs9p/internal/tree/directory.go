package tree

import (
	"iter"
	"slices"
	"sort"

	"alpinevm/fs9p"
)

// A directory maps names to inodes and remembers the order in which they were
// entered: a cookie is an entry's place in that order and is never used again,
// so that a listing goes on where it was, whatever is deleted meanwhile. A nil
// directory is what a file of another type has.
//
// Adding, finding, removing and listing one entry take about the same time in
// every directory, and the memory that a directory takes goes with its entries.
type directory struct {
	parent *Inode // of the root, itself
	names  fs9p.Table[string, *entry]
	runs   []run  // by cookie
	next   uint64 // the cookie given last
}

// An entry is a name in a directory. Another inode may be put in its place.
type entry struct {
	name   string
	node   *Inode
	cookie uint64
}

// A run is some entries in the order of their cookies, at least one.
type run []*entry

// runLen is the most entries of a run.
const runLen = 256

func newDirectory() *directory { return &directory{next: fs9p.DirStart} }

// lookup gives the entry of that name; the error is ENOTDIR, ENAMETOOLONG or
// ENOENT.
func (d *directory) lookup(name string) (*entry, error) {
	if d == nil {
		return nil, fs9p.ENOTDIR
	}
	if len(name) > fs9p.MaxName {
		return nil, fs9p.ENAMETOOLONG
	}
	if e := d.names.At(name); e != nil {
		return e, nil
	}
	return nil, fs9p.ENOENT
}

// len is the number of entries.
func (d *directory) len() int {
	if d == nil {
		return 0
	}
	return d.names.Len()
}

// add enters a name that is not there.
func (d *directory) add(name string, n *Inode) {
	d.next++
	e := &entry{name, n, d.next}
	d.names.Put(name, e)
	last := len(d.runs) - 1
	if last < 0 || len(d.runs[last]) == runLen {
		d.runs = append(d.runs, nil)
		last++
	}
	d.runs[last] = append(d.runs[last], e)
}

// remove takes an entry out.
func (d *directory) remove(e *entry) {
	d.names.Delete(e.name)
	i, j := d.find(e.cookie)
	r := slices.Delete(d.runs[i], j, j+1)
	if cap(r) > 4*len(r) {
		r = slices.Clip(slices.Clone(r))
	}
	if d.runs[i] = r; len(r) > 0 {
		return
	}
	d.runs = slices.Delete(d.runs, i, i+1)
	if cap(d.runs) > 4*len(d.runs) {
		d.runs = slices.Clip(slices.Clone(d.runs))
	}
}

// find gives the run and the place in it of the first entry whose cookie is not
// below that one; a run that is not there where there is none.
func (d *directory) find(cookie uint64) (i, j int) {
	i = sort.Search(len(d.runs), func(i int) bool {
		r := d.runs[i]
		return r[len(r)-1].cookie >= cookie
	})
	if i < len(d.runs) {
		r := d.runs[i]
		j = sort.Search(len(r), func(j int) bool { return r[j].cookie >= cookie })
	}
	return i, j
}

// after gives the entries behind the one with that cookie, in their order. The
// directory must not change meanwhile.
func (d *directory) after(cookie uint64) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		if cookie >= d.next {
			return
		}
		i, j := d.find(cookie + 1)
		for ; i < len(d.runs); i, j = i+1, 0 {
			for _, e := range d.runs[i][j:] {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// replaceable says why rename(2) must not put a file in the place of another:
// EISDIR, ENOTDIR or ENOTEMPTY.
func replaceable(old, moved *directory) error {
	switch {
	case moved == nil && old != nil:
		return fs9p.EISDIR
	case moved != nil && old == nil:
		return fs9p.ENOTDIR
	case old.len() > 0:
		return fs9p.ENOTEMPTY
	}
	return nil
}
