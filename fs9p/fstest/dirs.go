package fstest

import (
	"fmt"
	"slices"

	"alpinevm/fs9p"
)

var dirScenarios = []scenario{
	{"readdir tells dot, dot dot and types", nil, func(c *Client, d uint32) {
		c.Put(d, "file", "")
		c.OK(c.Mkdir(d, "dir", 0o755))
		fid := c.MustOpen(d, "", fs9p.ORdonly|fs9p.ODirectory)
		list := c.Readdir(fid, 0, 8192)
		types := map[string]uint8{}
		for _, e := range list {
			types[e.Name] = e.Type
		}
		c.same(fmt.Sprint(types), "map[.:4 ..:4 dir:4 file:8]")
		c.same(list[0].Name, ".")
		c.same(list[0].QID, c.Stat(d).QID)
		c.same(list[1].Name, "..")
		c.same(list[1].QID, c.Stat(c.Root).QID)
		c.same(len(c.Readdir(fid, list[len(list)-1].Cookie, 8192)), 0)
	}},
	{"readdir of the types of special files", []Feature{Devices, Symlinks}, func(c *Client, d uint32) {
		c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: "link", Target: "x"}))
		c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: "fifo", Mode: fs9p.ModeFIFO | 0o600}))
		c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: "char", Mode: fs9p.ModeChar | 0o600, Major: 1, Minor: 3}))
		types := map[string]uint8{}
		for _, e := range c.Readdir(c.MustOpen(d, "", fs9p.ORdonly), 2, 8192) {
			types[e.Name] = e.Type
		}
		c.same(fmt.Sprint(types), "map[char:2 fifo:1 link:10]")
	}},
	{"readdir in small pieces", nil, func(c *Client, d uint32) {
		want := c.fill(d, 300)
		fid := c.MustOpen(d, "", fs9p.ORdonly)
		var got []string
		for cookie := uint64(2); ; {
			list := c.Readdir(fid, cookie, 100)
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				got, cookie = append(got, e.Name), e.Cookie
			}
		}
		slices.Sort(got)
		c.same(fmt.Sprint(got), fmt.Sprint(want))
		// Beginning anew tells what is there now.
		c.Put(d, "later", "")
		c.same(len(c.Readdir(fid, 0, 100_000)), 303)
	}},
	{"readdir while deleting", nil, func(c *Client, d uint32) {
		want := c.fill(d, 1000)
		fid := c.MustOpen(d, "", fs9p.ORdonly)
		var got []string
		for cookie := uint64(2); ; {
			list := c.Readdir(fid, cookie, 700)
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				got, cookie = append(got, e.Name), e.Cookie
				c.OK(c.Unlink(d, e.Name, 0))
			}
		}
		slices.Sort(got)
		c.same(fmt.Sprint(got), fmt.Sprint(want))
		c.same(len(c.List(d, "")), 0)
	}},
	{"cookies survive deletion", nil, func(c *Client, d uint32) {
		c.fill(d, 200)
		fid := c.MustOpen(d, "", fs9p.ORdonly)
		list := c.Readdir(fid, 2, 100_000)
		c.same(len(list), 200)
		for _, e := range list[:150] {
			c.OK(c.Unlink(d, e.Name, 0))
		}
		rest := c.Readdir(fid, list[99].Cookie, 100_000)
		for i, e := range rest {
			// Those that are gone may still be listed, but none may be missing.
			if e.Name == list[150].Name {
				for j, e := range rest[i:] {
					c.same(e.Name, list[150+j].Name)
				}
				c.same(len(rest)-i, 50)
				return
			}
		}
		c.TB.Fatal("an entry is missing")
	}},
	{"readdir while renaming", nil, func(c *Client, d uint32) {
		c.fill(d, 300)
		fid := c.MustOpen(d, "", fs9p.ORdonly)
		count, moved := map[string]int{}, 0
		for cookie := uint64(2); ; {
			list := c.Readdir(fid, cookie, 500)
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				cookie = e.Cookie
				if e.Name[0] == 'f' && count[e.Name] == 0 {
					c.OK(c.Rename(d, e.Name, d, "x"+e.Name))
					moved++
				}
				count[e.Name]++
			}
			if len(count) > 1000 {
				c.TB.Fatal("the listing does not end")
			}
		}
		c.same(moved, 300)
		c.same(len(c.List(d, "")), 300)
	}},
	{"links of directories", nil, func(c *Client, d uint32) {
		// 1 stands for a file system that does not count (Linux: btrfs, overlay).
		n := c.Stat(d).Attr.Nlink
		c.OK(c.Mkdir(d, "a", 0o755))
		c.OK(c.Mkdir(d, "b", 0o755))
		if got := c.Stat(d).Attr.Nlink; n != 1 && got != n+2 {
			c.TB.Errorf("%d links with two more subdirectories, %d before", got, n)
		}
		c.OK(c.Rename(d, "a", c.At(d, "b"), "a"))
		c.OK(c.Unlink(c.At(d, "b"), "a", fs9p.RemoveDir))
		c.OK(c.Unlink(d, "b", fs9p.RemoveDir))
		c.same(c.Stat(d).Attr.Nlink, n)
	}},
	{"a removed directory", []Feature{Unlinked}, func(c *Client, d uint32) {
		c.OK(c.Mkdir(d, "gone", 0o755))
		gone := c.At(d, "gone")
		list := c.MustOpen(gone, "", fs9p.ORdonly)
		c.OK(c.Unlink(d, "gone", fs9p.RemoveDir))
		c.Stat(gone)
		c.same(len(c.Readdir(list, 2, 4096)), 0)
		c.Want(c.Mkdir(gone, "x", 0o755), fs9p.ENOENT)
		_, e := c.Walk(gone, "x")
		c.Want(e, fs9p.ENOENT)
		c.OK(c.Mkdir(d, "gone", 0o755))
		c.Want(c.Mkdir(gone, "x", 0o755), fs9p.ENOENT)
	}},
}

// fill makes n empty files and gives their names, sorted.
func (c *Client) fill(d uint32, n int) []string {
	c.TB.Helper()
	var names []string
	for i := range n {
		name := fmt.Sprintf("f%04d", i)
		c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: name, Mode: fs9p.ModeRegular | 0o644}))
		names = append(names, name)
	}
	return names
}
