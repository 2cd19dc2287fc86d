package oci

import (
	"fmt"
	"io"
	"path"
	"strings"

	"alpinevm/fs9p"
)

// Bounds of what an image may have: names, bytes of link targets, attributes
// and extents, and names looked at on the way to entries or by whiteouts.
const (
	maxNames = 1 << 21
	maxMeta  = 512 << 20
	maxSteps = 1 << 28
	maxPath  = 4095 // PATH_MAX of Linux without the NUL
)

// A builder applies layers, one after the other.
type builder struct {
	root        *object
	layer       int // that is being applied
	names, meta int
	steps       int
	bytes       uint64
	at          fs9p.Timespec // the time of the entry that is being applied
}

// An object is an inode in the making.
type object struct {
	attrs
	content
	target string
	dir    *folder // of a directory only

	id, nlink uint32 // given by the writer
}

type folder struct {
	parent *object
	names  map[string]*name
}

// A name is a name in a folder. layer is the one that last made it.
type name struct {
	*object
	layer int
}

func (o *object) kind() uint32 { return o.mode & fs9p.ModeType }

// Build applies the layers, the lowest first, and writes the tree that results
// to w. An error names the layer and the entry.
func Build(w io.Writer, layers []Layer) error {
	b := &builder{}
	b.root = b.directory(nil)
	for i, l := range layers {
		b.layer = i
		s := newScanner(i, l)
		for {
			e, err := s.entry()
			if err == io.EOF {
				break
			}
			if err == nil {
				err = b.apply(e)
			}
			if err != nil {
				return fmt.Errorf("layer %d (%s): %w", i+1, l.Name, err)
			}
		}
	}
	return b.write(w, len(layers))
}

// directory makes one as it is made where a layer needs it but has no entry for
// it: 0755 and root's.
func (b *builder) directory(parent *object) *object {
	o := &object{
		attrs: attrs{mode: fs9p.ModeDir | 0o755, atime: b.at, mtime: b.at, ctime: b.at},
		dir:   &folder{parent: parent, names: map[string]*name{}},
	}
	if parent == nil {
		o.dir.parent = o
	}
	return o
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
	clean, err := cleanName(e.name)
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
		b.root.attrs = e.attrs
		return b.charge(e)
	}
	d, err := b.walk(dir, true)
	if err != nil {
		return fail(err)
	}
	if e.kind == 0 {
		if err := b.link(d, base, e); err != nil {
			return fmt.Errorf("%s: link to %s: %w", quote(e.name), quote(e.target), err)
		}
		return nil
	}
	if err := b.charge(e); err != nil {
		return fail(err)
	}
	if err := b.enter(d, base, b.object(e, d, base)); err != nil {
		return fail(err)
	}
	return nil
}

// cleanName gives the components of an entry's name, without "." and with one
// slash between two.
func cleanName(s string) (string, error) {
	if strings.HasPrefix(s, "/") && strings.Trim(s, "/") != "" {
		return "", errEscapes
	}
	return cleanPath(s)
}

func cleanPath(s string) (string, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return "", errName
	}
	if len(s) > maxPath {
		return "", errLong
	}
	var parts []string
	for c := range strings.SplitSeq(s, "/") {
		switch {
		case c == "..":
			return "", errEscapes
		case len(c) > fs9p.MaxName:
			return "", errLong
		case c != "" && c != ".":
			parts = append(parts, c)
		}
	}
	return strings.Join(parts, "/"), nil
}

// charge counts what an entry holds against the bounds.
func (b *builder) charge(e *entry) error {
	b.meta += len(e.target) + len(e.extents)*extentSize
	for _, x := range e.xattrs {
		b.meta += len(x.name) + len(x.value)
	}
	b.bytes += uint64(e.stored)
	if b.meta > maxMeta {
		return errMany
	}
	return nil
}

// object makes what an entry describes. A directory that is there keeps what is
// in it.
func (b *builder) object(e *entry, d *object, base string) *object {
	o := &object{attrs: e.attrs, content: e.content}
	switch e.kind {
	case fs9p.ModeSymlink:
		o.target = e.target
	case fs9p.ModeDir:
		if there := d.dir.names[base]; there != nil && there.dir != nil {
			there.attrs = e.attrs
			return there.object
		}
		o.dir = &folder{parent: d, names: map[string]*name{}}
	}
	return o
}

// enter gives o a name, in place of what had it.
func (b *builder) enter(d *object, base string, o *object) error {
	if there := d.dir.names[base]; there != nil {
		if there.object != o {
			b.drop(there.object)
		}
		*there = name{o, b.layer}
		return nil
	}
	if b.names++; b.names > maxNames {
		return errMany
	}
	d.dir.names[base] = &name{o, b.layer}
	return nil
}

// drop takes what is in a directory off the count of names.
func (b *builder) drop(o *object) {
	for _, d := range o.folders() {
		b.names -= len(d.dir.names)
	}
}

// folders lists o and the directories below it, each behind its parent; none
// where o is no directory.
func (o *object) folders() []*object {
	if o.dir == nil {
		return nil
	}
	list := []*object{o}
	for i := 0; i < len(list); i++ {
		for _, n := range list[i].dir.names {
			if n.dir != nil {
				list = append(list, n.object)
			}
		}
	}
	return list
}

// link gives the file at e.target one more name. The target may be of a lower
// layer; an absolute one is meant from the image's root.
func (b *builder) link(d *object, base string, e *entry) error {
	target, err := cleanPath(e.target)
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
	there := from.dir.names[file]
	if there == nil {
		return errNoFile
	}
	if there.dir != nil {
		return errLink
	}
	return b.enter(d, base, there.object)
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
			return nil, errMany
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
		n := at.dir.names[part]
		if n == nil {
			switch {
			case !make:
				return nil, errNoFile
			case len(part) > fs9p.MaxName:
				return nil, errLong
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
			if strings.HasPrefix(n.target, "/") {
				at = b.root
			}
			todo = n.target + "/" + todo
		default:
			return nil, errNotDir
		}
	}
	return at, nil
}
