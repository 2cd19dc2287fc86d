package fstest

import (
	"slices"
	"testing"

	"alpinevm/fs9p"
)

// Feature is something that a back end may lack on some hosts.
type Feature string

// The features that Run can be told to leave out; their tests are skipped by name.
const (
	Devices  Feature = "devices"  // mknod of what is no regular file
	Symlinks Feature = "symlinks" // symbolic links
	Links    Feature = "links"    // hard links
	Modes    Feature = "modes"    // permission bits
	Owners   Feature = "owners"   // chown, owners of new files
	Xattrs   Feature = "xattrs"   // extended attributes
	Sparse   Feature = "sparse"   // holes that cost nothing, so that offsets can be large
	Unlinked Feature = "unlinked" // open files outlive their last name
)

// A scenario is one thing that a guest does.
type scenario struct {
	name  string
	needs []Feature
	run   func(c *Client, d uint32) // d is an empty directory
}

// Run tests the back end that newFS makes: a writable file system. It is called
// once for each test; its root need not be empty.
func Run(t *testing.T, newFS func(t *testing.T) fs9p.FS, without ...Feature) {
	skip := func(t *testing.T, needs []Feature) {
		for _, f := range needs {
			if slices.Contains(without, f) {
				t.Skipf("not here: the back end has no %s", f)
			}
		}
	}
	t.Run("messages", func(t *testing.T) {
		c := Dial(t, fs9p.Config{FS: newFS(t)})
		for _, row := range Messages {
			t.Run(row.Type.String()+"/"+row.Name, func(t *testing.T) {
				skip(t, row.needs)
				c.TB = t
				d := c.Dir()
				c.furnish(d, without)
				if got := row.do(c, d); got != row.Want {
					t.Errorf("got %v, want %v", errnoName(got), errnoName(row.Want))
				}
			})
		}
	})
	for _, list := range [][]scenario{dataScenarios, nameScenarios, dirScenarios, attrScenarios, lockScenarios, xattrScenarios} {
		for _, sc := range list {
			t.Run(sc.name, func(t *testing.T) {
				skip(t, sc.needs)
				c := Dial(t, fs9p.Config{FS: newFS(t)})
				sc.run(c, c.Dir())
			})
		}
	}
	t.Run("read only", func(t *testing.T) {
		fs := newFS(t)
		c := Dial(t, fs9p.Config{FS: fs})
		d := c.Dir()
		c.furnish(d, without)
		c.Close()
		RunReadOnly(t, fs)
	})
	t.Run("msize", func(t *testing.T) {
		c := Dial(t, fs9p.Config{FS: newFS(t), Msize: 8192})
		d := c.Dir()
		c.Put(d, "f", "hello")
		c.Must(c.Call(&fs9p.Tversion{Msize: 1 << 20, Version: "9P2000.L"}))
		fid := c.MustOpen(c.Attach(0), "t0/f", fs9p.ORdwr)
		c.WriteAll(fid, 0, make([]byte, 7000))
		c.WriteAll(fid, 7000, make([]byte, 7000))
		if p, _ := c.Read(fid, 0, 1<<20); len(p) != 8192-11 {
			t.Errorf("read %d bytes with an msize of 8192", len(p))
		}
		_, e := c.Write(fid, 0, make([]byte, 8192))
		c.Want(e, fs9p.EMSGSIZE)
	})
}

// RunReadOnly checks what a read-only server lets through. fs has t0/file, which
// holds "hello".
func RunReadOnly(t *testing.T, fs fs9p.FS) {
	t.Helper()
	c := Dial(t, fs9p.Config{FS: fs, ReadOnly: true})
	d := c.At(c.Root, "t0")
	f := c.At(d, "file")
	if s := c.Cat(d, "file"); s != "hello" {
		t.Errorf("file holds %q", s)
	}
	for _, m := range []fs9p.Message{
		&fs9p.Tlopen{Fid: f, Flags: fs9p.ORdwr},
		&fs9p.Tlopen{Fid: f, Flags: fs9p.OTrunc},
		&fs9p.Tlcreate{Fid: d, Name: "n"},
		&fs9p.Tmkdir{Dir: d, Name: "n"},
		&fs9p.Tsymlink{Fid: d, Name: "n", Target: "x"},
		&fs9p.Tmknod{Fid: d, Name: "n"},
		&fs9p.Tlink{Dir: d, Fid: f, Name: "n"},
		&fs9p.Trename{Fid: f, Dir: d, Name: "n"},
		&fs9p.Trenameat{OldDir: d, OldName: "file", NewDir: d, NewName: "n"},
		&fs9p.Tunlinkat{Dir: d, Name: "file"},
		&fs9p.Tremove{Fid: f},
		&fs9p.Tsetattr{Fid: f, Attr: fs9p.SetAttr{Valid: fs9p.SetMode}},
		&fs9p.Txattrcreate{Fid: f, Name: "user.x", Size: 1},
	} {
		if _, e := c.Call(m); e != fs9p.EROFS {
			t.Errorf("%T: %v", m, errnoName(e))
		}
	}
}

// furnish fills the directory d for the table of messages:
//
//	file   "hello"    dir/inner  "inside"    empty/
//	slink -> file     hard       a second name of file2
func (c *Client) furnish(d uint32, without []Feature) {
	c.TB.Helper()
	c.Put(d, "file", "hello")
	c.OK(c.Mkdir(d, "dir", 0o755))
	c.Put(c.At(d, "dir"), "inner", "inside")
	c.OK(c.Mkdir(d, "empty", 0o755))
	if !slices.Contains(without, Symlinks) {
		c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: "slink", Target: "file"}))
	}
	if !slices.Contains(without, Links) {
		c.Put(d, "file2", "two names")
		c.Must(c.Call(&fs9p.Tlink{Dir: d, Fid: c.At(d, "file2"), Name: "hard"}))
	}
}
