package statefs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// copied is a folder of what was frozen, whose use it ends.
func copied(t testing.TB, z *Frozen) string {
	t.Helper()
	from, err := z.Folder()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Copy(from, dir); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// changes are all ways in which a file's content can change; f is a file of 200 KB.
var changes = []struct {
	name string
	do   func(c *fstest.Client)
}{
	{"nothing", func(*fstest.Client) {}},
	{"write", func(c *fstest.Client) { write(c, "f", 1000, "other") }},
	{"write to an open file", func(c *fstest.Client) {
		fid := c.MustOpen(c.Root, "held", fs9p.ORdwr)
		c.WriteAll(fid, 3, []byte("other"))
		c.WriteAll(fid, 8, []byte("again"))
		c.Clunk(fid)
	}},
	{"append", func(c *fstest.Client) { write(c, "f", 200_000, "more") }},
	{"make longer", func(c *fstest.Client) { truncate(c, "f", 300_000) }},
	{"make shorter", func(c *fstest.Client) { truncate(c, "f", 3) }},
	{"make shorter, then longer", func(c *fstest.Client) { truncate(c, "f", 3); truncate(c, "f", 200_000) }},
	{"empty", func(c *fstest.Client) { truncate(c, "f", 0) }},
	{"empty, then write", func(c *fstest.Client) {
		fid := c.MustOpen(c.Root, "f", fs9p.OWronly|fs9p.OTrunc)
		c.WriteAll(fid, 0, []byte("new"))
		c.Clunk(fid)
	}},
	{"remove", func(c *fstest.Client) { c.OK(c.Unlink(c.Root, "f", 0)) }},
	{"replace", func(c *fstest.Client) { c.OK(c.Rename(c.Root, "held", c.Root, "f")) }},
	{"fill one that was empty", func(c *fstest.Client) { write(c, "empty", 0, "filled") }},
	{"make another", func(c *fstest.Client) { c.Put(c.Root, "another", "text") }},
}

func write(c *fstest.Client, name string, off uint64, text string) {
	fid := c.MustOpen(c.Root, name, fs9p.OWronly)
	c.WriteAll(fid, off, []byte(text))
	c.Clunk(fid)
}

func truncate(c *fstest.Client, name string, size uint64) {
	c.OK(c.Setattr(c.At(c.Root, name), fs9p.SetAttr{Valid: fs9p.SetSize, Size: size}))
}

// frozenGuest is a file system in use that has just been frozen, and what it held.
func frozenGuest(t *testing.T) (c *fstest.Client, f *FS, z *Frozen, before string) {
	t.Helper()
	f = open(t, t.TempDir())
	c = fstest.Dial(t, fs9p.Config{FS: f})
	c.Put(c.Root, "f", strings.Repeat("0123456789", 20_000))
	c.Put(c.Root, "held", "held before")
	c.Put(c.Root, "empty", "")
	c.MustOpen(c.Root, "held", fs9p.ORdwr)
	before = dump(t, f)
	z, err := f.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	return c, f, z, before
}

// TestFreeze changes a file system that was frozen in every way: what was frozen
// stays what it was, before and after it was asked for, and so does each copy of it
// when another one changes.
func TestFreeze(t *testing.T) {
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			c, f, z, before := frozenGuest(t)
			tt.do(c)
			if err := f.barrier(); err != nil { // which removes what was doomed
				t.Fatal(err)
			}
			first, second := t.TempDir(), t.TempDir()
			from, err := z.Folder()
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{first, second} {
				if err := Copy(from, dir); err != nil {
					t.Fatal(err)
				}
			}
			changed := dump(t, f)
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(f.path(frozenDir)); err == nil {
				t.Errorf("left behind: %v", left)
			}
			g := open(t, first)
			if got := dump(t, g); got != before {
				t.Errorf("frozen:\n%swant:\n%s", got, before)
			}
			tt.do(fstest.Dial(t, fs9p.Config{FS: g}))
			if err := g.barrier(); err != nil {
				t.Fatal(err)
			}
			if got := dump(t, f); got != changed {
				t.Errorf("the original has come to be\n%swant:\n%s", got, changed)
			}
			if got := dump(t, open(t, second)); got != before {
				t.Errorf("the other copy:\n%swant:\n%s", got, before)
			}
		})
	}
}

// frozenContent is a content of Frozen as Create wants it.
type frozenContent struct {
	z    *Frozen
	id   uint64
	size int64
}

func (c frozenContent) Size() uint64 { return uint64(c.size) }

func (c frozenContent) ReadAt(p []byte, off uint64) (int, error) {
	return len(p), c.z.ReadAt(c.id, p, int64(off))
}

func (c frozenContent) Ranges(yield func(off, n uint64) bool) error {
	_, err := c.z.Ranges(c.id, func(off, n int64) { yield(uint64(off), uint64(n)) })
	return err
}

func contentsOf(t *testing.T, z *Frozen) func(func(uint64, fs9p.Content) bool) {
	return func(yield func(uint64, fs9p.Content) bool) {
		for _, id := range z.Numbers() {
			size, err := z.Ranges(id, func(int64, int64) {})
			if err != nil {
				t.Error(err)
			}
			if !yield(id, frozenContent{z, id, size}) {
				return
			}
		}
	}
}

// TestCreate makes a file system of what another one is told to have, with files
// without a name and with holes.
func TestCreate(t *testing.T) {
	c, f, z, _ := frozenGuest(t)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	fid, e := c.Create(c.Root, "sparse", fs9p.ORdwr, 0o600)
	c.OK(e)
	c.WriteAll(fid, 1<<28, []byte("far"))
	c.Clunk(fid)
	fid, e = c.Create(c.Root, "gone", fs9p.ORdwr, 0o600)
	c.OK(e)
	c.WriteAll(fid, 0, []byte("nameless"))
	c.OK(c.Unlink(c.Root, "gone", 0))
	id := c.Stat(fid).QID.Path
	z, err := f.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	g, err := Create(Config{Dir: dir}, z.Tree(), contentsOf(t, z))
	if err != nil {
		t.Fatal(err)
	}
	n, err := g.Inode(id)
	if err != nil {
		t.Fatal(err)
	}
	h := opened(t, n, fs9p.ORdonly)
	p := make([]byte, 20)
	if k, err := h.ReadAt(p, 0); err != nil || string(p[:k]) != "nameless" {
		t.Errorf("%q, %v", p[:k], err)
	}
	h.Close()
	n.Release()
	g.Settle()
	for _, fs := range []*FS{f, g} {
		sparse := opened(t, child(t, root(t, fs), "sparse"), fs9p.ORdonly)
		if k, err := sparse.ReadAt(p, 1<<28); err != nil || string(p[:k]) != "far" {
			t.Errorf("%q, %v", p[:k], err)
		}
		sparse.Close()
	}
	if n, err := Usage(dir); err != nil || n > 4<<20 && runtime.GOOS != "js" { // which does not tell of holes
		t.Errorf("it takes %d bytes, %v", n, err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	c.OK(c.Unlink(c.Root, "sparse", 0)) // which nobody dumps
	g = open(t, dir)
	d := fstest.Dial(t, fs9p.Config{FS: g})
	d.OK(d.Unlink(d.Root, "sparse", 0))
	strip := func(s string) string { return s[strings.Index(s, "\n"):] } // of the root, whose times differ
	if got, want := strip(dump(t, g)), strip(dump(t, f)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, bad := range [][]byte{{99}, {10}} {
		if _, err := Create(Config{Dir: t.TempDir()}, bad, func(func(uint64, fs9p.Content) bool) {}); err == nil {
			t.Errorf("% x is accepted", bad)
		}
	}
	if _, err := Create(Config{Dir: t.TempDir()}, nil, func(yield func(uint64, fs9p.Content) bool) { yield(1, frozenContent{z: z}) }); err == nil {
		t.Error("a content of a folder is accepted")
	}
}

// TestFreezeBusy asks for what was frozen while the file system is written to by
// another goroutine.
func TestFreezeBusy(t *testing.T) {
	f := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: f})
	const files = 64
	text := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 5000+i) }
	for i := range files {
		c.Put(c.Root, fmt.Sprint(i), string(text(i)))
	}
	for round := range 4 {
		before := dump(t, f)
		z, err := f.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		taken := make(chan error, 1)
		go func() {
			_, err := z.Folder()
			taken <- err
		}()
		places := rand.New(rand.NewPCG(uint64(round), 2))
		for range 4 * files {
			write(c, fmt.Sprint(places.IntN(files)), places.Uint64N(5000), "changed")
		}
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
		if got := dump(t, open(t, copied(t, z))); got != before {
			t.Fatalf("round %d: what was frozen has changed", round)
		}
	}
}

// TestFreezeDied: what a process that died has frozen goes with the next use.
func TestFreezeDied(t *testing.T) {
	c, f, z, before := frozenGuest(t)
	if _, err := z.Folder(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	f.shut()
	g := open(t, f.cfg.Dir)
	if _, err := os.Stat(g.path(frozenDir)); err == nil {
		t.Error("it is left")
	}
	if got := dump(t, g); got != before {
		t.Errorf("%s\nwant %s", got, before)
	}
}
