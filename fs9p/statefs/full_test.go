package statefs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// openFull opens a file system on a disk, and gives what the user is told.
func openFull(t *testing.T, dir string, d *testDisk) (*FS, *[]string) {
	t.Helper()
	var told []string
	f, err := Open(Config{Dir: dir, disk: d, Tell: func(s string) { told = append(told, s) }, Failed: func(err error) { t.Errorf("failed: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.shut)
	return f, &told
}

// fillUp writes to a file until there is no room, and makes directories until
// there is none for these.
func fillUp(t *testing.T, c *fstest.Client, name string) {
	t.Helper()
	fid, e := c.Create(c.Root, name, fs9p.ORdwr, 0o644)
	c.OK(e)
	n := 0
	for off := uint64(0); e == 0; off += uint64(n) {
		n, e = c.Write(fid, off, make([]byte, 100_000))
	}
	c.Want(e, fs9p.ENOSPC)
	for off := c.Stat(fid).Attr.Size; ; off += testBlock {
		if _, e := c.Write(fid, off, make([]byte, testBlock)); e != 0 {
			c.Want(e, fs9p.ENOSPC)
			break
		}
	}
	c.Clunk(fid)
	for i, e := 0, fs9p.Errno(0); e == 0; i++ {
		if e = c.Mkdir(c.Root, fmt.Sprint(name, i), 0o755); e != 0 {
			c.Want(e, fs9p.ENOSPC)
		}
	}
}

// TestFull fills a disk to the last block: what would take room is refused and
// has changed nothing; what makes room is possible, in this use and in the next
// ones, however the last one ended; and then there is room for everything.
func TestFull(t *testing.T) {
	for how, end := range map[string]func(*FS) error{
		"goes on": func(*FS) error { return nil },
		"ended":   (*FS).Close,
		"died":    func(f *FS) error { f.shut(); return nil },
	} {
		for what, free := range map[string]func(c *fstest.Client){
			"unlink":   func(c *fstest.Client) { c.OK(c.Unlink(c.Root, "big", 0)) },
			"truncate": func(c *fstest.Client) { c.OK(c.Setattr(c.At(c.Root, "big"), fs9p.SetAttr{Valid: fs9p.SetSize})) },
			"O_TRUNC":  func(c *fstest.Client) { c.Clunk(c.MustOpen(c.Root, "big", fs9p.OWronly|fs9p.OTrunc)) },
			"rename":   func(c *fstest.Client) { c.OK(c.Rename(c.Root, "small", c.Root, "big")) },
		} {
			t.Run(how+"/"+what, func(t *testing.T) {
				d := newTestDisk()
				f, told := openFull(t, t.TempDir(), d)
				d.most = d.taken() + 2000
				c := fstest.Dial(t, fs9p.Config{FS: f})
				c.Put(c.Root, "small", "small")
				fillUp(t, c, "big")
				if d.left() != 0 || len(*told) != 1 || !strings.Contains((*told)[0], f.cfg.Dir) {
					t.Errorf("%d bytes left, and the user told %q", d.left(), *told)
				}
				before := dump(t, f)
				for range 3 {
					if err := end(f); err != nil {
						t.Fatal(err)
					}
					if how != "goes on" {
						f, _ = openFull(t, f.cfg.Dir, d)
					}
					if d.left() != 0 {
						t.Fatalf("%d bytes are left", d.left())
					}
					if after := dump(t, f); after != before {
						t.Fatalf("before\n%s\nafter\n%s", before, after)
					}
				}
				c = fstest.Dial(t, fs9p.Config{FS: f})
				top := root(t, f)
				for what, do := range map[string]func() error{
					"mkdir": func() error { _, err := top.Mkdir("new", 0o755, fs9p.Owner{}); return err },
					"link": func() error {
						n := child(t, top, "big")
						defer n.Release()
						return top.Link("new", n)
					},
					"begin":      func() error { return f.Begin(fs9p.ForChange) },
					"set":        func() error { return top.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o700}) },
					"attributes": func() error { return top.SetXattr("user.x", []byte("x"), 0) },
				} {
					if err := do(); err != fs9p.ENOSPC {
						t.Errorf("%s: %v", what, err)
					}
				}
				free(c)
				if d.left() < 1<<20 {
					t.Errorf("there is room for %d bytes", d.left())
				}
				c.OK(c.Mkdir(c.Root, "new", 0o755))
				c.Put(c.Root, "new file", "content")
			})
		}
	}
}

// TestFullRemovals removes very many names on a full disk. What makes room is
// possible to the end, and what only hides something does not take that away.
func TestFullRemovals(t *testing.T) {
	d := newTestDisk()
	f, _ := openFull(t, t.TempDir(), d)
	c := fstest.Dial(t, fs9p.Config{FS: f})
	for i := range 3000 {
		c.Put(c.Root, fmt.Sprint(i), "content")
	}
	d.most = d.taken() + 300
	fillUp(t, c, "big")
	hidden := 0
	for ; ; hidden++ { // as overlay does for a file of the lower
		if err := f.Begin(fs9p.ForRemoval); err != nil {
			if err != fs9p.ENOSPC {
				t.Fatal(err)
			}
			break
		}
		err := root(t, f).SetXattr("user.whiteout", []byte(fmt.Sprint(hidden)), 0)
		if err := errors.Join(err, f.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	if hidden < 1000 {
		t.Errorf("%d files could be hidden", hidden)
	}
	for i := range 3000 {
		c.OK(c.Unlink(c.Root, fmt.Sprint(i), 0))
	}
	c.Put(c.Root, "new", "content")
}

// TestLargeChange is one of many parts on a disk that is nearly full: it is
// refused while it is made, and what was there before goes on.
func TestLargeChange(t *testing.T) {
	d := newTestDisk()
	f, _ := openFull(t, t.TempDir(), d)
	d.most = d.taken() + 50
	top := root(t, f)
	if err := f.Begin(fs9p.ForChange); err != nil {
		t.Fatal(err)
	}
	parts, err := 0, error(nil)
	for ; err == nil; parts++ {
		err = top.SetXattr(fmt.Sprint("user.", parts), make([]byte, 60_000), 0)
	}
	if err != fs9p.ENOSPC || parts < 3 {
		t.Errorf("part %d: %v", parts, err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	before := dump(t, f)
	f.shut()
	if f, _ = openFull(t, f.cfg.Dir, d); dump(t, f) != before {
		t.Error("after that something else is there")
	}
}

// TestTornCommit has a commit that cannot be written: the disk has what was
// there before, and nothing can be changed any more.
func TestTornCommit(t *testing.T) {
	d := newTestDisk()
	dir := t.TempDir()
	var failed error
	f, err := Open(Config{Dir: dir, disk: d, Failed: func(err error) { failed = err }})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, f)
	before, top := dump(t, f), root(t, f)
	if err := errors.Join(f.Begin(fs9p.ForChange), top.Unlink("moved", false)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	d.write = func(string) error { return broken }
	if err := f.Commit(); err != fs9p.EIO || !errors.Is(failed, broken) {
		t.Errorf("a commit that cannot be: %v, failed: %v", err, failed)
	}
	d.write = nil
	if err := top.SetXattr("user.x", []byte("x"), 0); err != fs9p.EIO {
		t.Errorf("behind it: %v", err)
	}
	f.shut()
	if f, _ = openFull(t, dir, newTestDisk()); dump(t, f) != before {
		t.Error("the disk has something else")
	}
}
