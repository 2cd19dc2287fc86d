package oci

import (
	"bufio"
	"hash"
	"hash/crc32"
	"io"

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

// A plan is the order of the objects of a tree, and what its parts hold.
type plan struct {
	objects []*object // by id, from 1
	dirents uint64
	strings uint64 // bytes of what belongs to objects
	names   uint64 // bytes of names, which lie behind them
}

// number gives every object its id and counts its names: the root first, then
// the entries of each directory in the order of their names.
func (b *builder) number() *plan {
	p := &plan{}
	add := func(o *object) {
		p.objects = append(p.objects, o)
		o.id = uint32(len(p.objects))
		p.strings += o.stringsLen()
	}
	add(b.root)
	b.root.nlink = 2
	for i := 0; i < len(p.objects); i++ {
		o := p.objects[i]
		if o.dir == nil {
			continue
		}
		o.dir.sort()
		p.dirents += uint64(len(o.dir.names))
		for _, n := range o.dir.names {
			p.names += uint64(len(n.text))
			if n.id == 0 {
				add(n.object)
			}
			n.nlink++
			if n.dir != nil {
				n.nlink++
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
	w.header(&header{
		inodes: uint32(len(p.objects)), layers: uint32(layers),
		dirents: p.dirents, strings: p.strings + p.names, bytes: b.bytes,
	})
	w.records(p)
	w.dirents(p)
	w.strings(p)
	c := coder{b: w.scratch[:], write: true}
	sum := w.sum.Sum32()
	c.u32(&sum)
	w.bytes(w.scratch[:sumSize])
	if w.err == nil {
		w.err = buf.Flush()
	}
	return w.err
}

func (w *writer) header(h *header) {
	w.bytes([]byte(magic))
	h.code(coder{b: w.scratch[:], write: true})
	w.bytes(w.scratch[:headerSize-len(magic)])
}

func (w *writer) records(p *plan) {
	dirent, at := uint64(0), uint64(0)
	for _, o := range p.objects {
		r := o.record(dirent, at)
		r.code(coder{b: w.scratch[:], write: true})
		w.bytes(w.scratch[:recordSize])
		at += o.stringsLen()
		if o.dir != nil {
			dirent += uint64(len(o.dir.names))
		}
	}
}

func (w *writer) dirents(p *plan) {
	at := p.strings
	for _, o := range p.objects {
		if o.dir == nil {
			continue
		}
		for _, n := range o.dir.names {
			d := dirent{nameAt(at, len(n.text)), n.id, n.kind()}
			d.code(coder{b: w.scratch[:], write: true})
			w.bytes(w.scratch[:direntSize])
			at += uint64(len(n.text))
		}
	}
}

func (w *writer) strings(p *plan) {
	for _, o := range p.objects {
		w.bytes([]byte(o.target()))
		for _, x := range o.extents() {
			x.code(coder{b: w.scratch[:], write: true})
			w.bytes(w.scratch[:extentSize])
		}
		for _, x := range o.xattrs() {
			w.bytes(appendXattr(nil, x))
		}
	}
	for _, o := range p.objects {
		if o.dir == nil {
			continue
		}
		for _, n := range o.dir.names {
			w.bytes([]byte(n.text))
		}
	}
}

// stringsLen is how many bytes of the strings belong to o: the target or the
// extents, and the attributes behind them.
func (o *object) stringsLen() uint64 {
	return uint64(len(o.target())+len(o.extents())*extentSize) + uint64(o.xattrsLen())
}

func (o *object) xattrsLen() int {
	n := 0
	for _, x := range o.xattrs() {
		n += xattrLen(x)
	}
	return n
}

// record makes the record of an object, whose first dirent is first and whose
// strings are at.
func (o *object) record(first, at uint64) record {
	r := record{
		mode: o.mode, uid: o.uid, gid: o.gid, nlink: o.nlink,
		mtime: o.mtime, mtimeNsec: o.mtimeNsec,
		atime: o.mtime, atimeNsec: o.mtimeNsec,
		ctime: o.mtime, ctimeNsec: o.mtimeNsec,
	}
	if o.rare != nil {
		r.rdev = o.rare.rdev
		r.atime, r.atimeNsec = o.rare.atime.Sec, o.rare.atime.Nsec
		r.ctime, r.ctimeNsec = o.rare.ctime.Sec, o.rare.ctime.Nsec
	}
	switch o.kind() {
	case fs9p.ModeDir:
		r.parent = o.dir.parent.id
		r.off, r.count = first, uint32(len(o.dir.names))
	case fs9p.ModeSymlink:
		r.off, r.count = at, uint32(len(o.target()))
	case fs9p.ModeRegular:
		r.layer = uint32(o.layer)
		r.size, r.stored, r.off = uint64(o.size), uint64(o.stored()), uint64(o.off)
		if n := len(o.extents()); n > 0 {
			r.off, r.count = at, uint32(n)
		}
	}
	if n := o.xattrsLen(); n > 0 {
		r.xattrs = at + o.stringsLen() - uint64(n)
		r.xattrLen = uint32(n)
	}
	return r
}
