package statefs

import (
	"encoding/binary"
	"errors"

	"alpinevm/fs9p"
)

// The kinds of changes.
const (
	opMake    = 1 + iota // an inode, with its first name
	opLink               // another name
	opUnlink             // a name less
	opRename             // another name in place of one
	opAttr               // attributes, all of them
	opXattr              // an extended attribute
	opRmXattr            // one less
	opLast               // the inode number given last
)

// A record is a change. Which fields it has depends on the kind; see code.
type record struct {
	op      uint8
	id      uint64 // of the inode
	dir, to uint64 // directories
	name    string
	newName string
	value   string // a target, or an attribute's value
	rdev    uint64
	attrs   // of opMake the mode and the owners
	when    fs9p.Timespec
}

// attrs are the attributes that guests set.
type attrs struct {
	mode, uid, gid      uint32
	atime, mtime, ctime fs9p.Timespec
}

// A coder appends fields to b, or takes them from its front.
type coder struct {
	b    []byte
	read bool
	bad  bool
}

func (c *coder) u64(v *uint64) {
	if !c.read {
		c.b = binary.AppendUvarint(c.b, *v)
		return
	}
	u, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		return
	}
	*v, c.b = u, c.b[n:]
}

func (c *coder) u32(v *uint32) {
	u := uint64(*v)
	c.u64(&u)
	if u > 1<<32-1 {
		c.bad = true
	}
	*v = uint32(u)
}

func (c *coder) time(t *fs9p.Timespec) {
	u := uint64(t.Sec)<<1 ^ uint64(t.Sec>>63) // zigzag
	c.u64(&u)
	t.Sec = int64(u>>1) ^ -int64(u&1)
	c.u32(&t.Nsec)
}

func (c *coder) str(s *string) {
	n := uint64(len(*s))
	c.u64(&n)
	if !c.read {
		c.b = append(c.b, *s...)
		return
	}
	if c.bad || n > uint64(len(c.b)) {
		c.bad = true
		return
	}
	*s, c.b = string(c.b[:n]), c.b[n:]
}

func (r *record) code(c *coder) {
	switch r.op {
	case opMake:
		c.u64(&r.id)
		c.u64(&r.dir)
		c.str(&r.name)
		c.u32(&r.mode)
		c.u32(&r.uid)
		c.u32(&r.gid)
		c.u64(&r.rdev)
		c.str(&r.value)
		c.time(&r.when)
	case opLink:
		c.u64(&r.id)
		c.u64(&r.dir)
		c.str(&r.name)
		c.time(&r.when)
	case opUnlink:
		c.u64(&r.dir)
		c.str(&r.name)
		c.time(&r.when)
	case opRename:
		c.u64(&r.dir)
		c.str(&r.name)
		c.u64(&r.to)
		c.str(&r.newName)
		c.time(&r.when)
	case opAttr:
		c.u64(&r.id)
		c.u32(&r.mode)
		c.u32(&r.uid)
		c.u32(&r.gid)
		c.time(&r.atime)
		c.time(&r.mtime)
		c.time(&r.ctime)
	case opXattr:
		c.u64(&r.id)
		c.str(&r.name)
		c.str(&r.value)
		c.time(&r.when)
	case opRmXattr:
		c.u64(&r.id)
		c.str(&r.name)
		c.time(&r.when)
	case opLast:
		c.u64(&r.id)
	default:
		c.bad = true
	}
}

func (r *record) appendTo(b []byte) []byte {
	c := coder{b: append(b, r.op)}
	r.code(&c)
	return c.b
}

// errRecord is the error of a journal that does not make sense.
var errRecord = errors.New("the journal is damaged")

// replay makes the changes of a frame.
func (f *FS) replay(frame []byte) error {
	c := coder{b: frame, read: true}
	for len(c.b) > 0 {
		r := record{op: c.b[0]}
		c.b = c.b[1:]
		if r.code(&c); c.bad {
			return errRecord
		}
		if err := f.apply(&r); err != nil {
			return err
		}
	}
	return nil
}
