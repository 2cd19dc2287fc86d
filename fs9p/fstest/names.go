package fstest

import (
	"fmt"
	"slices"
	"strings"

	"alpinevm/fs9p"
)

var nameScenarios = []scenario{
	{"names of 255 bytes", nil, func(c *Client, d uint32) {
		long, other := strings.Repeat("n", 255), strings.Repeat("é", 127)+"x"
		c.Put(d, long, "long")
		c.same(c.Cat(d, long), "long")
		c.OK(c.Rename(d, long, d, other))
		c.OK(c.Mkdir(d, long, 0o755))
		list := c.List(d, "")
		slices.Sort(list)
		c.same(strings.Join(list, "/"), long+"/"+other)
		c.OK(c.Unlink(d, other, 0))
		c.OK(c.Unlink(d, long, fs9p.RemoveDir))
	}},
	{"names that are not UTF-8", nil, func(c *Client, d uint32) {
		for _, name := range []string{"\xff\xfe", "new\nline", " ", "...", "-", "*?\\"} {
			fid, e := c.Create(d, name, fs9p.OWronly, 0o644)
			if e != 0 {
				// A host's file system may not take them all.
				c.Want(e, fs9p.EINVAL)
				continue
			}
			c.WriteAll(fid, 0, []byte(name))
			c.same(c.Cat(d, name), name)
			c.OK(c.Unlink(d, name, 0))
		}
	}},
	{"qid.path is not used again", nil, func(c *Client, d uint32) {
		seen := map[uint64]bool{}
		for i := range 50 {
			c.Put(d, "f", "x")
			q := c.StatAt(d, "f").QID
			if seen[q.Path] {
				c.TB.Fatalf("file %d has the QID of one before", i)
			}
			seen[q.Path] = true
			c.OK(c.Unlink(d, "f", 0))
			c.OK(c.Mkdir(d, "d", 0o755))
			q = c.StatAt(d, "d").QID
			if seen[q.Path] {
				c.TB.Fatalf("directory %d has the QID of one before", i)
			}
			seen[q.Path] = true
			c.OK(c.Unlink(d, "d", fs9p.RemoveDir))
		}
	}},
	{"a QID is the same wherever it is told", nil, func(c *Client, d uint32) {
		fid := c.At(d, "")
		made := c.Must(c.Call(&fs9p.Tlcreate{Fid: fid, Name: "f", Flags: fs9p.ORdwr, Mode: 0o644})).(*fs9p.Rlcreate).QID
		c.same(c.Stat(fid).QID, made)
		c.same(c.StatAt(d, "f").QID, made)
		walked := c.Must(c.Call(&fs9p.Twalk{Fid: d, NewFid: c.Fid(), Names: []string{"f"}})).(*fs9p.Rwalk).QIDs[0]
		c.same(walked, made)
		dir := c.MustOpen(d, "", fs9p.ORdonly)
		for _, e := range c.Readdir(dir, 2, 4096) {
			c.same(e.QID, made)
		}
		c.OK(c.Rename(d, "f", d, "g"))
		c.same(c.StatAt(d, "g").QID, made)
		c.WriteAll(fid, 0, []byte("changed"))
		c.same(c.Stat(fid).QID, made)
		sub := c.Must(c.Call(&fs9p.Tmkdir{Dir: d, Name: "sub", Mode: 0o755})).(*fs9p.Rmkdir).QID
		c.same(c.StatAt(d, "sub").QID, sub)
		c.same(sub.Type, uint8(fs9p.QTDir))
		c.same(c.Stat(d).QID, c.StatAt(d, "sub/..").QID)
	}},
	{"walk", nil, func(c *Client, d uint32) {
		c.OK(c.Mkdir(d, "a", 0o755))
		c.OK(c.Mkdir(c.At(d, "a"), "b", 0o755))
		c.Put(c.At(d, "a/b"), "f", "deep")
		c.same(c.Cat(d, "a/b/f"), "deep")
		c.same(c.Cat(d, "a/b/../../a/b/f"), "deep")
		c.same(c.Cat(d, "a/./b/f"), "deep")
		c.same(c.StatAt(c.Root, "../..").QID, c.Stat(c.Root).QID)
		fid := c.At(d, "a")
		c.Must(c.Call(&fs9p.Twalk{Fid: fid, NewFid: fid, Names: []string{"b"}}))
		c.same(c.Stat(fid).QID, c.StatAt(d, "a/b").QID)
	}},
	{"symbolic links are text", []Feature{Symlinks}, func(c *Client, d uint32) {
		for i, target := range []string{"/etc/passwd", "../../../../..", "loop", "a//b/", strings.Repeat("x", 4095)} {
			name := fmt.Sprint("s", i)
			q := c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: name, Target: target})).(*fs9p.Rsymlink).QID
			c.same(q.Type, uint8(fs9p.QTSymlink))
			fid := c.At(d, name)
			c.same(c.Must(c.Call(&fs9p.Treadlink{Fid: fid})).(*fs9p.Rreadlink).Target, target)
			a := c.Stat(fid).Attr
			c.same(a.Mode&fs9p.ModeType, uint32(fs9p.ModeSymlink))
			c.same(a.Size, uint64(len(target)))
			_, e := c.Walk(fid, "x")
			c.Want(e, fs9p.ENOTDIR)
			c.Want(c.fail(&fs9p.Tlopen{Fid: fid}), fs9p.ELOOP)
		}
		c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: "a", Target: "b"}))
		c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: "b", Target: "a"}))
		_, e := c.Walk(c.At(d, "a"), "b")
		c.Want(e, fs9p.ENOTDIR)
		c.OK(c.Rename(d, "a", d, "c"))
		c.same(c.Must(c.Call(&fs9p.Treadlink{Fid: c.At(d, "c")})).(*fs9p.Rreadlink).Target, "b")
		c.OK(c.Unlink(d, "c", 0))
		c.OK(c.Unlink(d, "s0", 0))
	}},
	{"devices, fifos and sockets", []Feature{Devices}, func(c *Client, d uint32) {
		for _, dev := range []struct {
			name               string
			mode, major, minor uint32
		}{
			{"null", fs9p.ModeChar | 0o666, 1, 3},
			{"sda", fs9p.ModeBlock | 0o660, 8, 0},
			{"large", fs9p.ModeChar | 0o600, 0xABC, 0xFEDCB},
			{"fifo", fs9p.ModeFIFO | 0o622, 0, 0},
			{"socket", fs9p.ModeSocket | 0o777, 0, 0},
		} {
			q := c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: dev.name, Mode: dev.mode, Major: dev.major, Minor: dev.minor})).(*fs9p.Rmknod).QID
			r := c.StatAt(d, dev.name)
			c.same(r.QID, q)
			c.same(r.Attr.Mode, dev.mode)
			c.same(r.Attr.Rdev, fs9p.MakeDev(dev.major, dev.minor))
			c.same(fs9p.Major(r.Attr.Rdev), dev.major)
			c.same(fs9p.Minor(r.Attr.Rdev), dev.minor)
			_, e := c.Open(d, dev.name, fs9p.ORdonly)
			c.Want(e, fs9p.ENXIO)
			c.OK(c.Rename(d, dev.name, d, dev.name+"2"))
			c.same(c.StatAt(d, dev.name+"2").Attr.Rdev, fs9p.MakeDev(dev.major, dev.minor))
			c.OK(c.Unlink(d, dev.name+"2", 0))
		}
	}},
	{"rename moves directories", nil, func(c *Client, d uint32) {
		c.OK(c.Mkdir(d, "a", 0o755))
		c.OK(c.Mkdir(d, "b", 0o755))
		a, b := c.At(d, "a"), c.At(d, "b")
		c.OK(c.Mkdir(a, "sub", 0o755))
		sub := c.At(a, "sub")
		c.Put(sub, "f", "moved")
		c.OK(c.Rename(a, "sub", b, "sub2"))
		c.same(c.Cat(d, "b/sub2/f"), "moved")
		c.Put(sub, "g", "through the old fid")
		c.same(c.Cat(b, "sub2/g"), "through the old fid")
		c.same(c.StatAt(sub, "..").QID, c.Stat(b).QID)
		_, e := c.Walk(a, "sub")
		c.Want(e, fs9p.ENOENT)
		// An empty directory is replaced, and is no more.
		c.OK(c.Mkdir(a, "empty", 0o755))
		empty := c.At(a, "empty")
		c.OK(c.Rename(b, "sub2", a, "empty"))
		c.same(c.Cat(a, "empty/f"), "moved")
		c.Want(c.Mkdir(empty, "x", 0o755), fs9p.ENOENT)
		c.same(len(c.List(b, "")), 0)
		// Deep loops are found too.
		c.OK(c.Mkdir(sub, "deep", 0o755))
		c.Want(c.Rename(a, "empty", c.At(sub, "deep"), "x"), fs9p.EINVAL)
	}},
	{"rename of one file's two names does nothing", []Feature{Links}, func(c *Client, d uint32) {
		c.Put(d, "a", "one")
		c.Must(c.Call(&fs9p.Tlink{Dir: d, Fid: c.At(d, "a"), Name: "b"}))
		c.OK(c.Rename(d, "a", d, "b"))
		list := c.List(d, "")
		slices.Sort(list)
		c.same(fmt.Sprint(list), "[a b]")
		c.same(c.StatAt(d, "a").Attr.Nlink, uint64(2))
	}},
	{"hard links are counted", []Feature{Links}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.At(d, "f")
		for i := range 10 {
			c.Must(c.Call(&fs9p.Tlink{Dir: d, Fid: fid, Name: fmt.Sprint("l", i)}))
			c.same(c.Stat(fid).Attr.Nlink, uint64(i+2))
		}
		c.OK(c.Rename(d, "l1", d, "l2"))
		c.OK(c.Mkdir(d, "sub", 0o755))
		c.OK(c.Rename(d, "l1", c.At(d, "sub"), "l1"))
		c.same(c.Stat(fid).Attr.Nlink, uint64(11))
		c.Put(d, "other", "y")
		c.OK(c.Rename(d, "other", d, "l3"))
		c.same(c.Stat(fid).Attr.Nlink, uint64(10))
		c.OK(c.Unlink(d, "f", 0))
		c.same(c.Stat(fid).Attr.Nlink, uint64(9))
	}},
	{"create, rename, unlink, a thousand times", nil, func(c *Client, d uint32) {
		for i := range 1000 {
			fid, e := c.Create(d, "tmp", fs9p.OWronly|fs9p.OExcl, 0o600)
			c.OK(e)
			c.WriteAll(fid, 0, []byte("data"))
			c.Clunk(fid)
			c.OK(c.Rename(d, "tmp", d, "final"))
			if i%3 == 1 {
				c.OK(c.Unlink(d, "final", 0))
			}
		}
		c.OK(c.Unlink(d, "final", 0))
		c.same(len(c.List(d, "")), 0)
	}},
}
