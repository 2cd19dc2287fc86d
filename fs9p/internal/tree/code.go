package tree

import (
	"encoding/binary"
	"errors"

	"alpinevm/fs9p"
)

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

// code codes the fields that a change of its kind has.
func (c *Change) code(k *coder) {
	switch c.op {
	case opMake:
		k.u64(&c.id)
		k.u64(&c.dir)
		k.str(&c.name)
		c.codeNew(k)
	case opOrphan:
		k.u64(&c.id)
		c.codeNew(k)
	case opLink:
		k.u64(&c.id)
		k.u64(&c.dir)
		k.str(&c.name)
		k.time(&c.when)
	case opUnlink, opPrune:
		k.u64(&c.dir)
		k.str(&c.name)
		k.time(&c.when)
	case opRename:
		k.u64(&c.dir)
		k.str(&c.name)
		k.u64(&c.to)
		k.str(&c.newName)
		k.time(&c.when)
	case opAttr:
		k.u64(&c.id)
		k.u32(&c.mode)
		k.u32(&c.uid)
		k.u32(&c.gid)
		k.time(&c.atime)
		k.time(&c.mtime)
		k.time(&c.ctime)
	case opXattr:
		k.u64(&c.id)
		k.str(&c.name)
		k.str(&c.value)
		k.time(&c.when)
	case opRmXattr:
		k.u64(&c.id)
		k.str(&c.name)
		k.time(&c.when)
	case opLast:
		k.u64(&c.id)
	case opNext:
		k.u64(&c.id)
		k.u64(&c.to)
	case opBirth:
		k.u64(&c.id)
		k.time(&c.when)
	default:
		k.bad = true
	}
}

// codeNew codes what a new inode is.
func (c *Change) codeNew(k *coder) {
	k.u32(&c.mode)
	k.u32(&c.uid)
	k.u32(&c.gid)
	k.u64(&c.rdev)
	k.str(&c.value)
	k.time(&c.when)
}

// AppendTo appends the change, coded, to b.
func (c *Change) AppendTo(b []byte) []byte {
	k := coder{b: append(b, byte(c.op))}
	c.code(&k)
	return k.b
}

// ErrCoded is the error of bytes that are no changes.
var ErrCoded = errors.New("it holds what is no change")

// Replay makes the changes in b, which AppendTo and Save have made. The Store
// does not hear of them, and no limits hold. Those before an error have been
// made.
func (t *Tree) Replay(b []byte) error {
	_, err := t.replay(b, false)
	return err
}

// ReplaySome makes of the changes in b those that fit what is there, and tells
// how many do not.
func (t *Tree) ReplaySome(b []byte) (skipped int, err error) { return t.replay(b, true) }

func (t *Tree) replay(b []byte, some bool) (skipped int, err error) {
	t.replaying = true
	defer func() { t.replaying = false }()
	k := coder{b: b, read: true}
	for len(k.b) > 0 {
		c := Change{op: op(k.b[0])}
		k.b = k.b[1:]
		if c.code(&k); k.bad {
			return skipped, ErrCoded
		}
		if err := t.apply(&c); err != nil {
			if !some {
				return skipped, err
			}
			skipped++
		}
	}
	return skipped, nil
}
