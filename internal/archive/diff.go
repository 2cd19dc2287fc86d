package archive

import (
	"context"
	"errors"
	"path"
	"slices"

	"alpinevm/fs9p"
)

// ErrNoLower is the error of a file system that is no union of two.
var ErrNoLower = errors.New("its files were unpacked into memory: there is nothing to compare them with; one of an image, or with a name, has it")

// Change is what has become of a name: Added, Changed or Deleted.
type Change struct {
	Kind byte
	Name string // absolute
}

// Kinds of changes, by docker diff's letters.
const (
	Added   = 'A'
	Changed = 'C'
	Deleted = 'D'
)

// diffStep is how many entries are looked at in one go.
const diffStep = 64

// union is a file system of two, of which the lower one does not change. Its nodes
// tell whether they are still an inode of that.
type union interface{ Lower() fs9p.FS }

type still interface{ Still(lower fs9p.Node) bool }

// Diff tells what differs from the lower of two file systems, all below skip left
// out. A folder has changed where something in it has; of one that is gone there is
// one change, of one that is new one for all that is in it.
func (t *Tree) Diff(ctx context.Context, skip func(name string) bool, emit func(Change) error) error {
	u, ok := t.FS.(union)
	if !ok {
		return ErrNoLower
	}
	d := &differ{t: t, ctx: ctx, skip: skip, emit: emit}
	var top, lower fs9p.Node
	err := t.do(ctx, func() (err error) {
		if top, err = t.FS.Attach(""); err == nil {
			if lower, err = u.Lower().Attach(""); err != nil {
				top.Release()
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	_, err = d.folder(top, lower, "/")
	return err
}

// differ is a comparison at work.
type differ struct {
	t    *Tree
	ctx  context.Context
	skip func(string) bool
	emit func(Change) error
}

// entry is what was found out of a name in a folder.
type entry struct {
	name         string
	kind         byte // 0: nothing has become of it
	dir, inLower bool // it is a folder now; it was one
}

// folder compares a folder with what it was, which is nil where it is new, releases
// both, and tells whether anything in it has changed.
func (d *differ) folder(n, lower fs9p.Node, name string) (changed bool, err error) {
	defer d.t.do(context.WithoutCancel(d.ctx), func() error {
		n.Release()
		if lower != nil {
			lower.Release()
		}
		return nil
	})
	var names []string
	err = d.t.do(d.ctx, func() (err error) {
		if names, err = list(n); err == nil && lower != nil {
			var old []string
			old, err = list(lower)
			names = append(names, old...)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for part := range slices.Chunk(names, diffStep) {
		var found []entry
		if err := d.t.do(d.ctx, func() (err error) { found, err = look(n, lower, part); return err }); err != nil {
			return false, err
		}
		for _, e := range found {
			below, err := d.entry(n, lower, name, e)
			if err != nil {
				return false, err
			}
			changed = changed || below
		}
	}
	return changed, nil
}

// entry tells of an entry of a folder and of all that is in it.
func (d *differ) entry(n, lower fs9p.Node, folder string, e entry) (changed bool, err error) {
	name := path.Join(folder, e.name)
	if d.skip != nil && d.skip(name) {
		return false, nil
	}
	if e.dir {
		var now, was fs9p.Node
		err := d.t.do(d.ctx, func() (err error) {
			if now, err = n.Walk(e.name); err == nil && e.inLower {
				if was, err = lower.Walk(e.name); err != nil {
					now.Release()
				}
			}
			return err
		})
		switch {
		case errors.Is(err, fs9p.ENOENT): // it has gone meanwhile
			return false, nil
		case err != nil:
			return false, err
		}
		below, err := d.folder(now, was, name)
		if err != nil {
			return false, err
		}
		if below && e.kind == 0 {
			e.kind = Changed
		}
	}
	if e.kind == 0 {
		return false, nil
	}
	return true, d.emit(Change{e.kind, name})
}

// look finds out of names what they are in a folder and were in the lower one.
func look(n, lower fs9p.Node, names []string) ([]entry, error) {
	var found []entry
	for _, name := range names {
		now, err := walk(n, name)
		if err != nil {
			return nil, err
		}
		var was fs9p.Node
		if lower != nil {
			if was, err = walk(lower, name); err != nil {
				if now != nil {
					now.Release()
				}
				return nil, err
			}
		}
		e := entry{name: name}
		e.kind, err = compare(now, was)
		e.dir = now != nil && isDir(now)
		e.inLower = e.dir && was != nil && isDir(was)
		for _, x := range []fs9p.Node{now, was} {
			if x != nil {
				x.Release()
			}
		}
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

func isDir(n fs9p.Node) bool { return n.QID().Type&fs9p.QTDir != 0 }

// walk finds an entry; nil where there is none.
func walk(n fs9p.Node, name string) (fs9p.Node, error) {
	c, err := n.Walk(name)
	if errors.Is(err, fs9p.ENOENT) {
		return nil, nil
	}
	return c, err
}

// compare tells what has become of an inode, nil being none. A folder has not
// changed by having been written to.
func compare(now, was fs9p.Node) (byte, error) {
	switch {
	case now == nil && was == nil:
		return 0, nil
	case now == nil:
		return Deleted, nil
	case was == nil:
		return Added, nil
	}
	if s, ok := now.(still); ok && s.Still(was) {
		return 0, nil
	}
	a, err := now.Attr()
	if err != nil {
		return 0, err
	}
	b, err := was.Attr()
	if err != nil {
		return 0, err
	}
	if a.Mode&fs9p.ModeType == fs9p.ModeDir && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID {
		return 0, nil
	}
	return Changed, nil
}
