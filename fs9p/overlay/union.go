package overlay

import "alpinevm/fs9p"

// A union is a directory of both layers. How many entries it has, and how many
// of these are directories, is counted as it changes: there can be very many,
// and the guest asks with every look at the directory.

// hidden counts what the upper directory of a union does to the lower one.
type hidden struct {
	whiteouts int32 // entries of the upper that are whiteouts
	names     int32 // entries of the lower that are not to be seen
	dirs      int32 // directories of these
}

func (n *node) isUnion() bool { return n.isDir() && n.upper != nil && n.lower != nil }

// hide counts more of what is hidden in the union n.
func (n *node) hide(more hidden) {
	if !n.isUnion() {
		return
	}
	key := n.upper.QID().Path
	h := n.fs.records.hidden.At(key)
	h.whiteouts += more.whiteouts
	h.names += more.names
	h.dirs += more.dirs
	if h == (hidden{}) {
		n.fs.records.hidden.Delete(key)
	} else {
		n.fs.records.hidden.Put(key, h)
	}
}

// hides is what becomes hidden with the entry c of the lower.
func hides(c *node) hidden {
	if c.isDir() {
		return hidden{names: 1, dirs: 1}
	}
	return hidden{names: 1}
}

// countLinks makes the links in a, which is of the upper directory of a union,
// those of the union: 2 and its subdirectories, or 1 where the lower does not
// count.
func (n *node) countLinks(a *fs9p.Attr) error {
	l, err := n.lower.Attr()
	if err != nil {
		return err
	}
	if l.Nlink < 2 {
		a.Nlink = 1
		return nil
	}
	a.Nlink += l.Nlink - 2 - uint64(n.fs.records.hidden.At(n.upper.QID().Path).dirs)
	return nil
}

// empty tells whether a directory has no entries.
func (n *node) empty() (bool, error) {
	if n.isUnion() {
		upper, ok := n.upper.(fs9p.Counted)
		lower, ok2 := n.lower.(fs9p.Counted)
		if ok && ok2 {
			h := n.fs.records.hidden.At(n.upper.QID().Path)
			return upper.Entries() == int(h.whiteouts) && lower.Entries() == int(h.names), nil
		}
	}
	empty, d := true, dirFile{n: n}
	defer d.Close()
	err := d.ReadDir(0, func(fs9p.Dirent) bool {
		empty = false
		return false
	})
	return empty, err
}

// removeUpper removes the entry of c, of which nothing is to be seen any more, in
// a directory of the upper; with the whiteouts in it.
func (c *node) removeUpper(dir fs9p.Node, name string) error {
	if !c.isDir() {
		return dir.Unlink(name, false)
	}
	key := c.upper.QID().Path
	h := c.fs.records.hidden.At(key)
	if h.whiteouts > 0 {
		if p, ok := dir.(fs9p.Pruner); ok {
			if err := p.Prune(name); err != nil {
				return err
			}
			c.fs.records.hidden.Delete(key)
			return nil
		}
		if err := c.removeWhiteouts(); err != nil {
			return err
		}
	}
	if err := dir.Unlink(name, true); err != nil {
		return err
	}
	c.fs.records.hidden.Delete(key)
	return nil
}

// removeWhiteouts takes the whiteouts out of an upper directory that has nothing
// else in it.
func (c *node) removeWhiteouts() error {
	var names []string
	open := dirFile{n: c}
	defer open.Close()
	err := read(&open.upper, c.upper, 0, func(d fs9p.Dirent) bool {
		names = append(names, d.Name)
		return true
	})
	for _, name := range names {
		if err == nil {
			err = c.upper.Unlink(name, false)
		}
	}
	return err
}
