package fstest

import (
	"bytes"
	"math/rand"

	"alpinevm/fs9p"
)

var dataScenarios = []scenario{
	{"write and read", nil, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr|fs9p.OExcl, 0o644)
		c.OK(e)
		c.WriteAll(fid, 0, []byte("hello"))
		c.WriteAll(fid, 5, []byte(", world"))
		c.WriteAll(fid, 0, []byte("J"))
		c.same(c.Slurp(fid), "Jello, world")
		p, e := c.Read(fid, 7, 3)
		c.OK(e)
		c.same(string(p), "wor")
		p, e = c.Read(fid, 12, 100)
		c.OK(e)
		c.same(string(p), "")
		c.same(c.Stat(fid).Attr.Size, uint64(12))
		n, e := c.Write(fid, 3, nil)
		c.OK(e)
		c.same(n, 0)
	}},
	{"random writes and truncations against a model", nil, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o644)
		c.OK(e)
		rnd := rand.New(rand.NewSource(1))
		var model []byte
		grow := func(n int) {
			if n > len(model) {
				model = append(model, make([]byte, n-len(model))...)
			}
		}
		for range 300 {
			switch off := rnd.Intn(400_000); rnd.Intn(4) {
			case 0:
				c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: uint64(off)}))
				grow(off)
				model = model[:off:off]
			default:
				p := make([]byte, rnd.Intn(90_000))
				rnd.Read(p)
				c.WriteAll(fid, uint64(off), p)
				if len(p) > 0 {
					grow(off + len(p))
				}
				copy(model[min(off, len(model)):], p)
			}
			off, n := rnd.Intn(400_000), rnd.Intn(100_000)
			p, e := c.Read(fid, uint64(off), uint32(n))
			c.OK(e)
			want := model[min(off, len(model)):min(off+n, len(model))]
			if !bytes.Equal(p, want) {
				c.TB.Fatalf("read %d at %d differs from what was written", n, off)
			}
		}
		if got := c.Slurp(fid); got != string(model) {
			c.TB.Fatal("the file differs from what was written")
		}
	}},
	{"holes read as zeros", nil, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o644)
		c.OK(e)
		c.WriteAll(fid, 200_000, []byte("end"))
		c.same(c.Slurp(fid), string(make([]byte, 200_000))+"end")
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 200_001}))
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 200_003}))
		p, _ := c.Read(fid, 200_000, 10)
		c.same(string(p), "e\x00\x00")
	}},
	{"offsets beyond 4 GiB", []Feature{Sparse}, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o644)
		c.OK(e)
		const far = 4<<30 + 12345
		c.WriteAll(fid, 1, []byte("near"))
		c.WriteAll(fid, far, []byte("far"))
		a := c.Stat(fid).Attr
		c.same(a.Size, uint64(far+3))
		if a.Blocks > 1<<20 {
			c.TB.Errorf("%d blocks for a few bytes", a.Blocks)
		}
		p, _ := c.Read(fid, far-2, 100)
		c.same(string(p), "\x00\x00far")
		p, _ = c.Read(fid, 0, 5)
		c.same(string(p), "\x00near")
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 3}))
		c.same(c.Slurp(fid), "\x00ne")
	}},
	{"O_TRUNC", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "hello")
		fid := c.MustOpen(d, "f", fs9p.ORdwr|fs9p.OTrunc)
		c.same(c.Slurp(fid), "")
		c.same(c.Stat(fid).Attr.Size, uint64(0))
	}},
	{"O_APPEND from two fids", nil, func(c *Client, d uint32) {
		c.Put(d, "log", "0")
		a := c.MustOpen(d, "log", fs9p.OWronly|fs9p.OAppend)
		b := c.MustOpen(d, "log", fs9p.OWronly|fs9p.OAppend)
		// The offsets are what clients that do not know of each other would send.
		c.WriteAll(a, 1, []byte("a"))
		c.WriteAll(b, 1, []byte("b"))
		c.WriteAll(a, 2, []byte("a"))
		c.WriteAll(b, 0, []byte("b"))
		c.same(c.Cat(d, "log"), "0abab")
		fid, e := c.Create(d, "new", fs9p.OWronly|fs9p.OAppend, 0o644)
		c.OK(e)
		c.WriteAll(fid, 0, []byte("x"))
		c.WriteAll(fid, 0, []byte("y"))
		c.same(c.Cat(d, "new"), "xy")
	}},
	{"unlink while open", []Feature{Unlinked}, func(c *Client, d uint32) {
		c.Put(d, "f", "kept")
		seen := c.At(d, "f") // a fid that is not open
		fid := c.MustOpen(d, "f", fs9p.ORdwr)
		c.OK(c.Unlink(d, "f", 0))
		c.same(len(c.List(d, "")), 0)
		c.same(c.Slurp(fid), "kept")
		c.WriteAll(fid, 4, []byte(" on"))
		c.same(c.Slurp(fid), "kept on")
		c.same(c.Stat(fid).Attr.Nlink, uint64(0))
		c.same(c.Stat(seen).Attr.Size, uint64(7))
		c.OK(c.Setattr(seen, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 2}))
		c.same(c.Slurp(fid), "ke")
		again := c.At(seen, "")
		c.Must(c.Call(&fs9p.Tlopen{Fid: again, Flags: fs9p.ORdonly}))
		c.same(c.Slurp(again), "ke")
		c.Put(d, "f", "another")
		c.same(c.Slurp(fid), "ke")
	}},
	{"rename over an open file", []Feature{Unlinked}, func(c *Client, d uint32) {
		c.Put(d, "old", "old content")
		c.Put(d, "new", "new content")
		fid := c.MustOpen(d, "old", fs9p.ORdwr)
		moved := c.MustOpen(d, "new", fs9p.ORdwr)
		c.OK(c.Rename(d, "new", d, "old"))
		c.same(c.Slurp(fid), "old content")
		c.same(c.Stat(fid).Attr.Nlink, uint64(0))
		c.WriteAll(moved, 0, []byte("NEW"))
		c.same(c.Cat(d, "old"), "NEW content")
		c.WriteAll(fid, 0, []byte("OLD"))
		c.same(c.Cat(d, "old"), "NEW content")
		_, e := c.Walk(d, "new")
		c.Want(e, fs9p.ENOENT)
	}},
	{"rename while open", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "content")
		unopened := c.At(d, "f")
		fid := c.MustOpen(d, "f", fs9p.ORdwr)
		c.OK(c.Mkdir(d, "sub", 0o755))
		c.OK(c.Rename(d, "f", c.At(d, "sub"), "g"))
		c.Put(d, "f", "a new one")
		c.same(c.Slurp(fid), "content")
		c.Must(c.Call(&fs9p.Tlopen{Fid: unopened, Flags: fs9p.ORdwr}))
		c.WriteAll(unopened, 0, []byte("C"))
		c.same(c.Cat(d, "sub/g"), "Content")
		c.same(c.Cat(d, "f"), "a new one")
	}},
	{"one file through two names", []Feature{Links}, func(c *Client, d uint32) {
		c.Put(d, "a", "one")
		c.Must(c.Call(&fs9p.Tlink{Dir: d, Fid: c.At(d, "a"), Name: "b"}))
		fid := c.MustOpen(d, "b", fs9p.ORdwr)
		c.WriteAll(fid, 3, []byte(" two"))
		c.same(c.Cat(d, "a"), "one two")
		c.same(c.StatAt(d, "a").QID, c.StatAt(d, "b").QID)
		c.same(c.StatAt(d, "a").Attr.Nlink, uint64(2))
		c.OK(c.Unlink(d, "a", 0))
		c.same(c.Stat(fid).Attr.Nlink, uint64(1))
		c.same(c.Cat(d, "b"), "one two")
	}},
	{"fsync and statfs", nil, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o644)
		c.OK(e)
		c.WriteAll(fid, 0, make([]byte, 100_000))
		c.Must(c.Call(&fs9p.Tfsync{Fid: fid}))
		s := c.Must(c.Call(&fs9p.Tstatfs{Fid: fid})).(*fs9p.Rstatfs).Statfs
		if s.BlocksAvail > s.BlocksFree || s.FilesFree > s.Files {
			c.TB.Errorf("%+v", s)
		}
	}},
}

// same fails the test where a result is not what is wanted.
func (c *Client) same(got, want any) {
	c.TB.Helper()
	if got != want {
		c.TB.Fatalf("got %.200v, want %.200v", got, want)
	}
}
