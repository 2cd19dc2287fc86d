package oci

import (
	"errors"
	"fmt"
)

// hide obeys a whiteout: the name base in dir, or all names if opaque, are not
// seen where a lower layer made them. What this layer makes stays, in whatever
// order the archive has the two.
func (b *builder) hide(e *entry, dir, base string, opaque bool) error {
	d, err := b.walk(dir, false)
	switch {
	case errors.Is(err, errNoFile), errors.Is(err, errNotDir):
		return nil // there is nothing to hide
	case err == nil && b.steps > maxSteps:
		err = errSteps
	case err == nil && !opaque && (base == "" || base == "." || base == ".."):
		err = errReserve
	}
	if err != nil {
		return fmt.Errorf("%s: %w", quote(e.name), err)
	}
	if opaque {
		b.prune(d)
		return nil
	}
	n := d.dir.find(base)
	if n == nil {
		return nil
	}
	if n.dir != nil {
		b.prune(n.object)
		if len(n.dir.names) > 0 {
			b.adopt(n)
		}
	}
	if n.layer < b.layer {
		d.dir.remove(n)
		b.names--
	}
	return nil
}

// prune removes all that lower layers have made below the directory d.
func (b *builder) prune(d *object) {
	folders := d.folders()
	for i := len(folders) - 1; i >= 0; i-- {
		f := folders[i].dir
		b.steps += len(f.names) + 1
		b.names -= f.removeIf(func(n *name) bool {
			return n.layer < b.layer && (n.dir == nil || len(n.dir.names) == 0)
		})
		for k := range f.names {
			b.adopt(&f.names[k])
		}
	}
}

// adopt makes a directory that a lower layer has made one that this layer has
// made without describing it.
func (b *builder) adopt(n *name) {
	if n.layer < b.layer {
		b.plain(n.object)
		n.layer = b.layer
	}
}
