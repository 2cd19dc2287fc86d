package oci

import (
	"encoding/binary"
)

// A tree is a file of these parts, all numbers little-endian:
//
//	header    headerSize bytes, see (*header).code
//	records   recordSize bytes each, see (*record).code; the first is the root
//	dirents   direntSize bytes each, see (*dirent).code; those of a directory
//	          together and in the order of their names
//	strings   names, targets, attributes (see xattrs.go) and extents
//	checksum  4 bytes: CRC-32C of all before it
//
// Inodes are numbered from 1 in the order of the file, which depends on nothing
// but the layers, so that a number means the same inode in every tree of them.
const (
	headerSize = 48
	recordSize = 104
	direntSize = 16
	extentSize = 24
	sumSize    = 4

	rootID = 1
)

// magic begins a tree; the digit is the version of the format and of the rules
// by which Build makes one.
const magic = "alpinevm tree 1\n"

// A header tells how large the parts are.
type header struct {
	inodes, layers   uint32
	dirents, strings uint64
	bytes            uint64 // in the files of all layers
}

// A record is what the tree says about an inode.
type record struct {
	mode, uid, gid, nlink, rdev uint32
	layer                       uint32 // of the content
	count                       uint32 // of dirents, of extents, or of bytes in the target
	xattrLen                    uint32
	parent                      uint32 // of a directory
	mtimeNsec, atimeNsec        uint32
	ctimeNsec                   uint32
	mtime, atime, ctime         int64
	size                        uint64
	// off is the first dirent's index; the content's place in its layer; or,
	// of a symbolic link and of a file with extents, a place in strings.
	off    uint64
	stored uint64 // bytes of the content that are no hole
	xattrs uint64 // a place in strings
}

// A dirent is a name in a directory.
type dirent struct {
	name uint64 // a place in strings, and the length in the upper 16 bits
	id   uint32
	kind uint32 // the type bits of the mode
}

// An extent is a part of a sparse file: length bytes at logical are at physical
// in the layer.
type extent struct{ logical, length, physical uint64 }

// A coder reads or writes the fields of a record, one after the other.
type coder struct {
	b     []byte
	write bool
}

func (c *coder) u32(v *uint32) {
	if c.write {
		binary.LittleEndian.PutUint32(c.b, *v)
	} else {
		*v = binary.LittleEndian.Uint32(c.b)
	}
	c.b = c.b[4:]
}

func (c *coder) u64(v *uint64) {
	if c.write {
		binary.LittleEndian.PutUint64(c.b, *v)
	} else {
		*v = binary.LittleEndian.Uint64(c.b)
	}
	c.b = c.b[8:]
}

func (c *coder) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	*v = int64(u)
}

// code follows the magic.
func (h *header) code(c coder) {
	c.u32(&h.inodes)
	c.u32(&h.layers)
	c.u64(&h.dirents)
	c.u64(&h.strings)
	c.u64(&h.bytes)
}

func (n *record) code(c coder) {
	for _, v := range []*uint32{
		&n.mode, &n.uid, &n.gid, &n.nlink, &n.rdev, &n.layer, &n.count, &n.xattrLen,
		&n.parent, &n.mtimeNsec, &n.atimeNsec, &n.ctimeNsec,
	} {
		c.u32(v)
	}
	c.i64(&n.mtime)
	c.i64(&n.atime)
	c.i64(&n.ctime)
	c.u64(&n.size)
	c.u64(&n.off)
	c.u64(&n.stored)
	c.u64(&n.xattrs)
}

func (d *dirent) code(c coder) {
	c.u64(&d.name)
	c.u32(&d.id)
	c.u32(&d.kind)
}

func (x *extent) code(c coder) {
	c.u64(&x.logical)
	c.u64(&x.length)
	c.u64(&x.physical)
}

// nameAt packs a name's place and length, at takes it apart.
func nameAt(off uint64, n int) uint64 { return off | uint64(n)<<48 }

func (d *dirent) at() (off uint64, n int) { return d.name & (1<<48 - 1), int(d.name >> 48) }
