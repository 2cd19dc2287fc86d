package fstest

import (
	"fmt"
	"strings"

	"alpinevm/fs9p"
)

// setXattr does what v9fs does for setxattr(2).
func (c *Client) setXattr(file uint32, name, value string, flags uint32) fs9p.Errno {
	c.TB.Helper()
	fid := c.At(file, "")
	if e := c.fail(&fs9p.Txattrcreate{Fid: fid, Name: name, Size: uint64(len(value)), Flags: flags}); e != 0 {
		c.Clunk(fid)
		return e
	}
	for off := 0; off < len(value); off += 20_000 {
		if _, e := c.Write(fid, uint64(off), []byte(value[off:min(len(value), off+20_000)])); e != 0 {
			c.fail(&fs9p.Tclunk{Fid: fid})
			return e
		}
	}
	return c.fail(&fs9p.Tclunk{Fid: fid})
}

// xattr does what v9fs does for getxattr(2), or listxattr(2) where name is empty.
func (c *Client) xattr(file uint32, name string) (string, fs9p.Errno) {
	c.TB.Helper()
	fid := c.Fid()
	r, e := c.Call(&fs9p.Txattrwalk{Fid: file, NewFid: fid, Name: name})
	if e != 0 {
		return "", e
	}
	defer c.Clunk(fid)
	value := c.Slurp(fid)
	c.same(uint64(len(value)), r.(*fs9p.Rxattrwalk).Size)
	return value, 0
}

var xattrScenarios = []scenario{
	{"extended attributes", []Feature{Xattrs}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.At(d, "f")
		before, e := c.xattr(fid, "")
		c.OK(e)
		c.OK(c.setXattr(fid, "user.one", "first", 0))
		c.OK(c.setXattr(fid, "user.two", "\x00binary\xff", fs9p.XattrCreate))
		c.Want(c.setXattr(fid, "user.two", "x", fs9p.XattrCreate), fs9p.EEXIST)
		c.Want(c.setXattr(fid, "user.three", "x", fs9p.XattrReplace), fs9p.ENODATA)
		c.OK(c.setXattr(fid, "user.one", "other", fs9p.XattrReplace))
		v, e := c.xattr(fid, "user.one")
		c.OK(e)
		c.same(v, "other")
		v, _ = c.xattr(fid, "user.two")
		c.same(v, "\x00binary\xff")
		v, _ = c.xattr(fid, "")
		c.same(v, before+"user.one\x00user.two\x00")
		// A size of zero: an empty value, or removexattr where XATTR_REPLACE is given.
		c.OK(c.setXattr(fid, "user.empty", "", 0))
		v, e = c.xattr(fid, "user.empty")
		c.OK(e)
		c.same(v, "")
		c.OK(c.setXattr(fid, "user.empty", "", fs9p.XattrReplace))
		_, e = c.xattr(fid, "user.empty")
		c.Want(e, fs9p.ENODATA)
		c.Want(c.setXattr(fid, "user.empty", "", fs9p.XattrReplace), fs9p.ENODATA)
		// They belong to the file.
		c.OK(c.Rename(d, "f", d, "g"))
		v, _ = c.xattr(c.At(d, "g"), "user.one")
		c.same(v, "other")
	}},
	{"attributes of a directory", []Feature{Xattrs}, func(c *Client, d uint32) {
		c.OK(c.setXattr(d, "user.dir", "yes", 0))
		v, e := c.xattr(d, "user.dir")
		c.OK(e)
		c.same(v, "yes")
	}},
	{"sizes of attributes", []Feature{Xattrs}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.At(d, "f")
		long := strings.Repeat("v", 3000)
		c.OK(c.setXattr(fid, "user.long", long, 0))
		v, e := c.xattr(fid, "user.long")
		c.OK(e)
		c.same(v, long)
		name := "user." + strings.Repeat("n", 250)
		c.OK(c.setXattr(fid, name, "x", 0))
		v, _ = c.xattr(fid, name)
		c.same(v, "x")
		// The host may hold less, but says so.
		if e := c.setXattr(fid, "user.max", strings.Repeat("v", fs9p.MaxXattr), 0); e != 0 && e != fs9p.ENOSPC {
			c.Want(e, fs9p.ENOSPC)
		}
	}},
	{"attributes of a file that is open", []Feature{Xattrs, Unlinked}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.MustOpen(d, "f", fs9p.ORdwr)
		c.OK(c.Unlink(d, "f", 0))
		for i := range 3 {
			c.OK(c.setXattr(fid, fmt.Sprint("user.", i), "x", 0))
		}
		v, e := c.xattr(fid, "")
		c.OK(e)
		if !strings.HasSuffix(v, "user.0\x00user.1\x00user.2\x00") {
			c.TB.Fatalf("%q", v)
		}
	}},
}
