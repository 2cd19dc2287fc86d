package statefs

import (
	"maps"
	"slices"
)

// frameSize is how many bytes of records snapshot puts into a frame, about.
const frameSize = 64 << 10

// snapshot writes the records that make all that is there.
func (f *FS) snapshot(write func(records []byte) error) error {
	var b []byte
	put := func(r *record) error {
		if b = r.appendTo(b); len(b) < frameSize {
			return nil
		}
		err := write(b)
		b = b[:0]
		return err
	}
	if err := put(&record{op: opLast, id: f.last}); err != nil {
		return err
	}
	// Every inode is made with the first of its names that is met.
	made := map[*inode]bool{f.root: true}
	todo := []*inode{f.root}
	for i := 0; i < len(todo); i++ {
		n := todo[i]
		if n.dir == nil {
			continue
		}
		for e := range n.dir.After(0) {
			c := e.Node
			r := record{op: opLink, id: c.id, dir: n.id, name: e.Name}
			if !made[c] {
				made[c] = true
				todo = append(todo, c)
				r.op, r.attrs, r.rdev, r.value = opMake, c.attrs, c.rdev, c.target
			}
			if err := put(&r); err != nil {
				return err
			}
		}
	}
	// The attributes come last, since every name changes times.
	for _, n := range todo {
		for _, k := range slices.Sorted(maps.Keys(n.xattrs)) {
			if err := put(&record{op: opXattr, id: n.id, name: k, value: n.xattrs[k]}); err != nil {
				return err
			}
		}
		if err := put(&record{op: opAttr, id: n.id, attrs: n.attrs}); err != nil {
			return err
		}
	}
	if len(b) == 0 {
		return nil
	}
	return write(b)
}
