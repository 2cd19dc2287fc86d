package fstest

import "alpinevm/fs9p"

// flock sends Tlock for the process proc and gives the status.
func (c *Client) flock(fid uint32, kind uint8, start, length uint64, proc uint32) uint8 {
	c.TB.Helper()
	r := c.Must(c.Call(&fs9p.Tlock{
		Fid: fid, Kind: kind, Start: start, Length: length, ProcID: proc, ClientID: "guest",
	}))
	return r.(*fs9p.Rlock).Status
}

func (c *Client) blockedBy(fid uint32, kind uint8, start, length uint64, proc uint32) fs9p.Rgetlock {
	c.TB.Helper()
	return *c.Must(c.Call(&fs9p.Tgetlock{
		Fid: fid, Kind: kind, Start: start, Length: length, ProcID: proc, ClientID: "guest",
	})).(*fs9p.Rgetlock)
}

const (
	locked  = uint8(fs9p.LockSuccess)
	blocked = uint8(fs9p.LockBlocked)
)

var lockScenarios = []scenario{
	{"locks among fids", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "0123456789")
		a, b := c.MustOpen(d, "f", fs9p.ORdwr), c.MustOpen(d, "f", fs9p.ORdwr)
		c.same(c.flock(a, fs9p.LockWrite, 0, 0, 1), locked)
		c.same(c.flock(b, fs9p.LockWrite, 0, 0, 2), blocked)
		c.same(c.flock(b, fs9p.LockRead, 5, 1, 2), blocked)
		c.same(c.flock(a, fs9p.LockRead, 0, 0, 1), locked) // weaker, same owner
		c.same(c.flock(b, fs9p.LockRead, 0, 0, 2), locked)
		c.same(c.flock(a, fs9p.LockWrite, 0, 0, 1), blocked)
		c.same(c.flock(b, fs9p.LockUnlock, 0, 0, 2), locked)
		c.same(c.flock(a, fs9p.LockWrite, 0, 0, 1), locked)
		c.Clunk(a)
		c.same(c.flock(b, fs9p.LockWrite, 0, 0, 2), locked)
	}},
	{"ranges of locks", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "0123456789")
		a, b := c.MustOpen(d, "f", fs9p.ORdwr), c.MustOpen(d, "f", fs9p.ORdwr)
		c.same(c.flock(a, fs9p.LockWrite, 10, 10, 1), locked)
		c.same(c.flock(b, fs9p.LockWrite, 0, 10, 2), locked)
		c.same(c.flock(b, fs9p.LockWrite, 20, 0, 2), locked)
		c.same(c.flock(b, fs9p.LockWrite, 19, 1, 2), blocked)
		c.same(c.flock(a, fs9p.LockUnlock, 14, 2, 1), locked) // leaves 10-13 and 16-19
		c.same(c.flock(b, fs9p.LockWrite, 14, 2, 2), locked)
		c.same(c.flock(b, fs9p.LockWrite, 13, 1, 2), blocked)
		c.same(c.flock(b, fs9p.LockWrite, 16, 1, 2), blocked)
		r := c.blockedBy(b, fs9p.LockWrite, 0, 0, 2)
		c.same(r, fs9p.Rgetlock{Kind: fs9p.LockWrite, Start: 10, Length: 4, ProcID: 1, ClientID: "guest"})
		// v9fs asks with the kind of an unlock.
		r = c.blockedBy(a, fs9p.LockUnlock, 100, 1, 1)
		c.same(r, fs9p.Rgetlock{Kind: fs9p.LockWrite, Start: 20, Length: 0, ProcID: 2, ClientID: "guest"})
		r = c.blockedBy(b, fs9p.LockRead, 14, 2, 2)
		c.same(r.Kind, uint8(fs9p.LockUnlock))
	}},
	{"locks are the file's, not the name's", []Feature{Links}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		c.Put(d, "other", "x")
		c.Must(c.Call(&fs9p.Tlink{Dir: d, Fid: c.At(d, "f"), Name: "g"}))
		c.same(c.flock(c.MustOpen(d, "f", fs9p.ORdwr), fs9p.LockWrite, 0, 0, 1), locked)
		c.same(c.flock(c.MustOpen(d, "g", fs9p.ORdwr), fs9p.LockWrite, 0, 0, 2), blocked)
		c.same(c.flock(c.MustOpen(d, "other", fs9p.ORdwr), fs9p.LockWrite, 0, 0, 2), locked)
	}},
	{"a lock is given up through the fid by any process", nil, func(c *Client, d uint32) {
		// flock(2) belongs to the open file, which processes share.
		c.Put(d, "f", "x")
		a, b := c.MustOpen(d, "f", fs9p.ORdwr), c.MustOpen(d, "f", fs9p.ORdwr)
		c.same(c.flock(a, fs9p.LockWrite, 0, 0, 1), locked)
		c.same(c.flock(a, fs9p.LockUnlock, 0, 0, 77), locked)
		c.same(c.flock(b, fs9p.LockWrite, 0, 0, 2), locked)
	}},
	{"an unlinked file's lock does not outlive it", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		a := c.MustOpen(d, "f", fs9p.ORdwr)
		c.same(c.flock(a, fs9p.LockWrite, 0, 0, 1), locked)
		c.OK(c.Unlink(d, "f", 0))
		c.Put(d, "f", "y")
		c.same(c.flock(c.MustOpen(d, "f", fs9p.ORdwr), fs9p.LockWrite, 0, 0, 2), locked)
	}},
}
