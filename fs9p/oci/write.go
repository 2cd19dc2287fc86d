package oci

import (
	"bufio"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"alpinevm/fs9p"
)

// A writer puts a tree into a file.
type writer struct {
	w       io.Writer
	sum     hash.Hash32
	scratch [recordSize]byte
	err     error
}

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		w.sum.Write(b)
		_, w.err = w.w.Write(b)
	}
}

// A plan is the order of the objects of a tree, and what the parts hold.
type plan struct {
	objects []*object // by id, from 1
	names   [][]string
	dirents uint64
	strings []byte
}

// number gives every object its id and counts its names: the root first, then
// the entries of each directory in the order of their names.
func (b *builder) number() *plan {
	p := &plan{}
	add := func(o *object) {
		o.id = uint32(len(p.objects) + 1)
		p.objects = append(p.objects, o)
		p.names = append(p.names, nil)
	}
	add(b.root)
	b.root.nlink = 2
	for i := 0; i < len(p.objects); i++ {
		o := p.objects[i]
		if o.dir == nil {
			continue
		}
		p.names[i] = slices.Sorted(maps.Keys(o.dir.names))
		p.dirents += uint64(len(p.names[i]))
		for _, name := range p.names[i] {
			c := o.dir.names[name].object
			if c.id == 0 {
				add(c)
			}
			c.nlink++
			if c.dir != nil {
				c.nlink++
				o.nlink++
			}
		}
	}
	return p
}

// write writes the tree.
func (b *builder) write(to io.Writer, layers int) error {
	p := b.number()
	buf := bufio.NewWriterSize(to, 128<<10)
	w := &writer{w: buf, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}

	// The strings have to be known before the header says how many they are.
	records := make([]record, len(p.objects))
	first := uint64(0)
	for i, o := range p.objects {
		records[i] = p.record(o, first)
		first += uint64(len(p.names[i]))
	}
	dirents := make([]dirent, 0, p.dirents)
	for i, o := range p.objects {
		for _, name := range p.names[i] {
			c := o.dir.names[name]
			dirents = append(dirents, dirent{nameAt(uint64(len(p.strings)), len(name)), c.id, c.kind()})
			p.strings = append(p.strings, name...)
		}
	}
	head := header{
		inodes: uint32(len(records)), layers: uint32(layers),
		dirents: uint64(len(dirents)), strings: uint64(len(p.strings)), bytes: b.bytes,
	}
	w.bytes([]byte(magic))
	head.code(coder{b: w.scratch[:], write: true})
	w.bytes(w.scratch[:headerSize-len(magic)])
	for i := range records {
		records[i].code(coder{b: w.scratch[:], write: true})
		w.bytes(w.scratch[:recordSize])
	}
	for i := range dirents {
		dirents[i].code(coder{b: w.scratch[:], write: true})
		w.bytes(w.scratch[:direntSize])
	}
	w.bytes(p.strings)
	c := coder{b: w.scratch[:], write: true}
	sum := w.sum.Sum32()
	c.u32(&sum)
	w.bytes(w.scratch[:sumSize])
	if w.err == nil {
		w.err = buf.Flush()
	}
	return w.err
}

// record makes the record of an object; its first dirent is first.
func (p *plan) record(o *object, first uint64) record {
	r := record{
		mode: o.mode, uid: o.uid, gid: o.gid, nlink: o.nlink, rdev: o.rdev,
		mtime: o.mtime.Sec, mtimeNsec: o.mtime.Nsec,
		atime: o.atime.Sec, atimeNsec: o.atime.Nsec,
		ctime: o.ctime.Sec, ctimeNsec: o.ctime.Nsec,
	}
	switch o.kind() {
	case fs9p.ModeDir:
		r.parent = o.dir.parent.id
		r.off, r.count = first, uint32(len(o.dir.names))
	case fs9p.ModeSymlink:
		r.off, r.count = p.add([]byte(o.target)), uint32(len(o.target))
	case fs9p.ModeRegular:
		r.layer = uint32(o.layer)
		r.size, r.stored, r.off = uint64(o.size), uint64(o.stored), uint64(o.off)
		if len(o.extents) > 0 {
			r.off, r.count = uint64(len(p.strings)), uint32(len(o.extents))
			var b [extentSize]byte
			for _, x := range o.extents {
				x.code(coder{b: b[:], write: true})
				p.strings = append(p.strings, b[:]...)
			}
		}
	}
	if len(o.xattrs) > 0 {
		r.xattrs = uint64(len(p.strings))
		for _, x := range o.xattrs {
			p.strings = appendXattr(p.strings, x)
		}
		r.xattrLen = uint32(uint64(len(p.strings)) - r.xattrs)
	}
	return r
}

// add puts b into the strings.
func (p *plan) add(b []byte) uint64 {
	p.strings = append(p.strings, b...)
	return uint64(len(p.strings) - len(b))
}
