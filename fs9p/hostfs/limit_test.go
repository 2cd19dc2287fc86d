package hostfs

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestLimit fills a folder that may hold so much, in each way in which files get
// larger, and makes room in each in which there is some again.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), make([]byte, 5000), 0o600); err != nil { // two units
		t.Fatal(err)
	}
	f := open(t, dir)
	if err := f.SetLimit(10 * limitUnit); err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: f})
	held := func(what string, units int64) {
		t.Helper()
		if f.held != units*limitUnit {
			t.Errorf("%s: %d bytes are held, want %d units", what, f.held, units)
		}
	}
	held("there", 2)
	page := func(n int) []byte { return bytes.Repeat([]byte{'x'}, n*limitUnit) }

	create := func(name string) uint32 {
		t.Helper()
		fid, e := c.Create(c.Root, name, fs9p.ORdwr, 0o600)
		c.OK(e)
		return fid
	}
	refused := func(what string, fid uint32, off uint64) {
		t.Helper()
		if _, e := c.Write(fid, off, []byte{1}); e != fs9p.ENOSPC {
			t.Errorf("%s: %v", what, e)
		}
	}
	a := create("a")
	c.WriteAll(a, 0, page(6))
	held("written", 8)
	if n, err := c.Write(a, 5*limitUnit, page(8)); n != 3*limitUnit || err != 0 {
		t.Errorf("a write that has room for a part: %d, %v", n, err)
	}
	held("in part", 10)
	if n, err := c.Write(a, 0, page(8)); n != 8*limitUnit || err != 0 {
		t.Errorf("what is there is written anew: %d, %v", n, err)
	}
	refused("at the end", a, 8*limitUnit)
	refused("far behind it", a, 1<<40)
	c.Want(c.Setattr(a, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 1 << 30}), fs9p.ENOSPC)
	held("full", 10)
	if s, err := f.Statfs(); err != nil || s.BlockSize != 0 && (s.BlocksFree != 0 || s.BlocksAvail != 0 || s.Blocks > 10*limitUnit/uint64(s.BlockSize)) {
		t.Errorf("%+v, %v", s, err)
	}

	c.OK(c.Setattr(a, fs9p.SetAttr{Valid: fs9p.SetSize, Size: limitUnit}))
	held("made smaller", 3)
	c.OK(c.Unlink(c.Root, "there", 0))
	held("removed", 1)
	b := create("b")
	c.WriteAll(b, 0, page(4))
	held("another one", 5)
	c.Clunk(b)
	c.OK(c.Rename(c.Root, "b", c.Root, "a")) // a is open
	held("replaced", 5)
	c.WriteAll(a, 0, page(2))
	held("what has no name", 6)
	c.Clunk(a)
	held("closed", 4)
	c.Must(c.Call(&fs9p.Tlink{Dir: c.Root, Fid: c.At(c.Root, "a"), Name: "more"}))
	if err := f.SetLimit(10 * limitUnit); err != nil {
		t.Fatal(err)
	}
	held("two names", 4)
	c.OK(c.Unlink(c.Root, "a", 0))
	held("one of two names", 4)
	c.Clunk(c.MustOpen(c.Root, "more", fs9p.OWronly|fs9p.OTrunc))
	held("emptied", 0)
	end := c.MustOpen(c.Root, "more", fs9p.OWronly|fs9p.OAppend)
	c.WriteAll(end, 0, page(3))
	held("appended", 3)
	c.Close()
}
