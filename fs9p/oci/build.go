package oci

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/internal/tarball"
)

// Limits bound what an image may have. The zero value is DefaultLimits.
type Limits struct {
	// Names is how many names an image may have at a time: each takes some 200
	// bytes of memory while the tree is made.
	Names int
	// Meta is how many bytes names, targets of links, attributes and maps of
	// sparse files may have together.
	Meta int
}

// DefaultLimits is enough for the images that people make, and what Build takes
// then is below half a gigabyte. MaxLimits is the most that it takes at all.
var (
	DefaultLimits = Limits{Names: 1 << 20, Meta: 128 << 20}
	MaxLimits     = Limits{Names: 1 << 23, Meta: 1 << 30}
)

// TooManyError is the error of an image that has more than the limits.
type TooManyError struct{ Limits }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d names, or %d MiB of names, links and attributes", e.Names, e.Meta>>20)
}

// maxSteps bounds the names looked at on the way to entries or by whiteouts.
const maxSteps = 1 << 28

// A builder applies layers, one after the other.
type builder struct {
	limits      Limits
	root        *object
	layer       int32    // that is being applied
	pending     []*entry // hard links of it whose targets are still to come
	names, meta int
	steps       int
	bytes       uint64
	at          fs9p.Timespec // the time of the entry that is being applied
}

// Build applies the layers, the lowest first, and writes the tree that results
// to w. An error names the layer and the entry.
func Build(w io.Writer, layers []Layer, limits Limits) error {
	if limits == (Limits{}) {
		limits = DefaultLimits
	}
	b := &builder{limits: limits}
	b.root = b.directory(nil)
	for i, l := range layers {
		b.layer = int32(i)
		if err := b.applyLayer(newScanner(i, l)); err != nil {
			return fmt.Errorf("layer %d (%s): %w", i+1, l.Name, err)
		}
	}
	return b.write(w, len(layers))
}

// applyLayer applies the entries of a layer.
func (b *builder) applyLayer(s *scanner) error {
	for {
		e, err := s.entry()
		if err == io.EOF {
			return b.applyPending()
		}
		if err == nil {
			err = b.apply(e)
		}
		if err != nil {
			return err
		}
	}
}

// The names that mean something other than themselves (layer.md, "Whiteouts").
const (
	whiteout = ".wh."
	metadata = ".wh..wh." // AUFS's own; all are dropped
	opaque   = ".wh..wh..opq"
)

// apply adds the changes that an entry means.
func (b *builder) apply(e *entry) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", quote(e.name), err) }
	clean, err := tarball.Clean(e.name)
	if err != nil {
		return fail(err)
	}
	b.at = e.mtime
	dir, base := path.Split(clean)
	if strings.Contains("/"+dir, "/"+metadata) || strings.HasPrefix(base, metadata) && base != opaque {
		return nil
	}
	if strings.Contains("/"+dir, "/"+whiteout) {
		return fail(errReserve)
	}
	if hidden, ok := strings.CutPrefix(base, whiteout); ok {
		return b.hide(e, dir, hidden, base == opaque)
	}
	if clean == "" {
		if e.kind != fs9p.ModeDir {
			return fail(errNotDir)
		}
		b.root.describe(&e.attrs)
		return b.charge(e)
	}
	d, err := b.walk(dir, true)
	if err != nil {
		return fail(err)
	}
	if e.kind == 0 {
		err := b.link(d, base, e)
		if errors.Is(err, errNoFile) {
			return b.postpone(d, base, e)
		}
		return linkError(e, err)
	}
	if err := b.charge(e); err != nil {
		return fail(err)
	}
	if err := b.enter(d, base, b.object(e, d, base)); err != nil {
		return fail(err)
	}
	return nil
}

// charge counts what an entry holds against the bounds.
func (b *builder) charge(e *entry) error {
	b.meta += len(e.target) + len(e.extents)*extentSize
	for _, x := range e.xattrs {
		b.meta += len(x.name) + len(x.value)
	}
	b.bytes += uint64(e.stored)
	return b.checkMeta()
}

func (b *builder) checkMeta() error {
	if b.meta > b.limits.Meta {
		return &TooManyError{b.limits}
	}
	return nil
}

// object makes what an entry describes. A directory that is there keeps what is
// in it.
func (b *builder) object(e *entry, d *object, base string) *object {
	if e.kind != fs9p.ModeDir {
		return newObject(e)
	}
	if there := d.dir.find(base); there != nil && there.dir != nil {
		there.describe(&e.attrs)
		return there.object
	}
	o := newObject(e)
	o.dir = &folder{parent: d}
	return o
}

// enter gives o a name, in place of what had it.
func (b *builder) enter(d *object, base string, o *object) error {
	if there := d.dir.find(base); there != nil {
		if there.object != o {
			b.drop(there.object)
		}
		there.object, there.layer = o, b.layer
		return nil
	}
	b.meta += len(base)
	if b.names++; b.names > b.limits.Names {
		return &TooManyError{b.limits}
	}
	// base is a part of the whole name, which it would keep in memory.
	d.dir.add(name{strings.Clone(base), o, b.layer})
	return b.checkMeta()
}

// drop takes what is in a directory off the count of names.
func (b *builder) drop(o *object) {
	for _, d := range o.folders() {
		b.names -= len(d.dir.names)
	}
}

// maxFollow is how many symbolic links Linux follows on one path.
const maxFollow = 40

// walk goes to a directory from the root, and makes it where it is missing.
// Symbolic links on the way are followed; none leads out of the image.
func (b *builder) walk(dir string, make bool) (*object, error) {
	at, follows := b.root, 0
	todo := dir
	for todo != "" {
		if b.steps++; b.steps > maxSteps {
			return nil, errSteps
		}
		var part string
		part, todo, _ = strings.Cut(todo, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			at = at.dir.parent
			continue
		}
		n := at.dir.find(part)
		if n == nil {
			switch {
			case !make:
				return nil, errNoFile
			case len(part) > fs9p.MaxName:
				return nil, tarball.ErrLong
			}
			next := b.directory(at)
			if err := b.enter(at, part, next); err != nil {
				return nil, err
			}
			at = next
			continue
		}
		switch n.kind() {
		case fs9p.ModeDir:
			at = n.object
		case fs9p.ModeSymlink:
			if follows++; follows > maxFollow {
				return nil, errLoop
			}
			if strings.HasPrefix(n.target(), "/") {
				at = b.root
			}
			todo = n.target() + "/" + todo
		default:
			return nil, errNotDir
		}
	}
	return at, nil
}
