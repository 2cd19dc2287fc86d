package oci

import (
	"errors"
	"fmt"
	"path"

	"alpinevm/internal/tarball"
)

// link gives the file at e.target one more name. The target may be of a lower
// layer; an absolute one is meant from the image's root.
func (b *builder) link(d *object, base string, e *entry) error {
	target, err := tarball.Clean(e.target)
	if err != nil {
		return err
	}
	if target == "" {
		return errLink
	}
	dir, file := path.Split(target)
	from, err := b.walk(dir, false)
	if err != nil {
		return err
	}
	there := from.dir.find(file)
	if there == nil {
		return errNoFile
	}
	if there.dir != nil {
		return errLink
	}
	return b.enter(d, base, there.object)
}

func linkError(e *entry, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: link to %s: %w", quote(e.name), quote(e.target), err)
}

// postpone keeps a hard link until its target has come. What has its name goes,
// so that what has it in the end came later and counts.
func (b *builder) postpone(d *object, base string, e *entry) error {
	if there := d.dir.find(base); there != nil {
		b.drop(there.object)
		d.dir.remove(there)
		b.names--
	}
	b.pending = append(b.pending, e)
	b.meta += len(e.name) + len(e.target)
	return b.checkMeta()
}

// maxChain is how many hard links may lead to each other before the file that
// they mean has come.
const maxChain = 16

// applyPending makes the hard links that were postponed. The one whose target
// has not come at all is the error.
func (b *builder) applyPending() error {
	var last error
	for range maxChain {
		left := b.pending[:0]
		for _, e := range b.pending {
			switch err := b.applyLate(e); {
			case errors.Is(err, errNoFile):
				left, last = append(left, e), err
			case err != nil:
				return err
			}
		}
		if b.pending = left; len(left) == 0 {
			b.pending = nil
			return nil
		}
	}
	return last
}

// applyLate makes a hard link unless its name has been taken meanwhile.
func (b *builder) applyLate(e *entry) error {
	clean, err := tarball.Clean(e.name)
	if err != nil {
		return linkError(e, err)
	}
	dir, base := path.Split(clean)
	d, err := b.walk(dir, true)
	if err != nil {
		return linkError(e, err)
	}
	if d.dir.find(base) != nil {
		return nil
	}
	return linkError(e, b.link(d, base, e))
}
