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
		err = errMany
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
	n := d.dir.names[base]
	if n == nil {
		return nil
	}
	if n.dir != nil {
		b.prune(n.object)
		if len(n.dir.names) > 0 && n.layer < b.layer {
			n.attrs = b.directory(nil).attrs
			n.layer = b.layer
		}
	}
	if n.layer < b.layer {
		delete(d.dir.names, base)
		b.names--
	}
	return nil
}

// prune removes all that lower layers have made below the directory d.
func (b *builder) prune(d *object) {
	folders := d.folders()
	for i := len(folders) - 1; i >= 0; i-- {
		names := folders[i].dir.names
		b.steps += len(names) + 1
		for k, n := range names {
			if n.layer < b.layer && (n.dir == nil || len(n.dir.names) == 0) {
				delete(names, k)
				b.names--
			} else if n.layer < b.layer {
				n.attrs = b.directory(nil).attrs
				n.layer = b.layer
			}
		}
	}
}
