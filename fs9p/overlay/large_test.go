package overlay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
)

// A counter counts what a file system is asked for.
type counter struct {
	fs9p.Numbered
	calls int
}

func (c *counter) Attach(aname string) (fs9p.Node, error) {
	n, err := c.Numbered.Attach(aname)
	return c.node(n, err)
}

func (c *counter) Inode(path uint64) (fs9p.Node, error) {
	n, err := c.Numbered.Inode(path)
	return c.node(n, err)
}

func (c *counter) node(n fs9p.Node, err error) (fs9p.Node, error) {
	if err != nil {
		return nil, err
	}
	return countedNode{n, c}, nil
}

type countedNode struct {
	fs9p.Node
	c *counter
}

func (n countedNode) Walk(name string) (fs9p.Node, error) {
	n.c.calls++
	child, err := n.Node.Walk(name)
	return n.c.node(child, err)
}

func (n countedNode) Entries() int { return n.Node.(fs9p.Counted).Entries() }

func (n countedNode) Open(flags uint32) (fs9p.File, error) {
	f, err := n.Node.Open(flags)
	if err != nil {
		return nil, err
	}
	return countedFile{f, n.c}, nil
}

type countedFile struct {
	fs9p.File
	c *counter
}

func (f countedFile) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	return f.File.ReadDir(cookie, func(d fs9p.Dirent) bool {
		f.c.calls++
		return emit(d)
	})
}

// TestLargeUnion empties a union of very many files, looking at it after each,
// as rm -r does, and removes it. No step takes longer for what is in it; more
// files are hidden than a file has links on other file systems.
func TestLargeUnion(t *testing.T) {
	const files = 70_000
	m := memfs.New(memfs.Config{})
	for i := range files {
		if err := m.Add(fmt.Sprint("d/", i), memfs.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := m.Add(fmt.Sprint("d/sub", i), memfs.Entry{Mode: fs9p.ModeDir | 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	lower := &counter{Numbered: m}
	upper := memfs.New(memfs.Config{})
	fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	d, err := root.Walk("d")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release()
	// step does one thing, and looks at the directory.
	step := func(links uint64, do func() error) {
		t.Helper()
		lower.calls = 0
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if a, err := d.Attr(); err != nil || a.Nlink != links {
			t.Fatalf("%d links, %v; want %d", a.Nlink, err, links)
		}
		if lower.calls > 10 {
			t.Fatalf("the lower is asked %d times", lower.calls)
		}
	}
	step(6, func() error { _, err := d.Mkdir("new", 0o755, fs9p.Owner{}); return err })
	step(6, func() error { return d.Rename("sub1", d, "moved") })
	step(5, func() error { return d.Unlink("moved", true) })
	step(4, func() error { return d.Unlink("sub0", true) })
	step(5, func() error { _, err := d.Mkdir("sub0", 0o755, fs9p.Owner{}); return err })
	step(4, func() error { return d.Unlink("sub0", true) })
	step(3, func() error { return d.Unlink("new", true) })
	for i := range files {
		step(3, func() error { return d.Unlink(fmt.Sprint(i), false) })
	}
	if err := root.Unlink("d", true); err != fs9p.ENOTEMPTY {
		t.Fatalf("with a directory in it: %v", err)
	}
	step(2, func() error { return d.Unlink("sub2", true) })
	step(0, func() error { return root.Unlink("d", true) })
	if _, err := root.Walk("d"); err != fs9p.ENOENT {
		t.Errorf("it is still there: %v", err)
	}
	// What hid the files goes, some with each step.
	for range files / 100 {
		step(0, func() error { return root.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o755}) })
	}
	if st, err := upper.Statfs(); err != nil || st.Files-st.FilesFree > 40_000 {
		t.Errorf("%d names are left, %v", st.Files-st.FilesFree, err)
	}
}

// TestSparseCopy changes a byte of a file of terabytes that is nearly all holes,
// with an upper that cannot borrow.
func TestSparseCopy(t *testing.T) {
	lower := memfs.New(memfs.Config{})
	c := fstest.Dial(t, fs9p.Config{FS: lower})
	c.Put(c.Root, "sparse", "begin")
	fid := c.MustOpen(c.Root, "sparse", fs9p.ORdwr)
	const size = 8 << 40
	c.WriteAll(fid, size/2, []byte("middle"))
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: size}))
	c.Close()
	fs := openLasting(t, t.TempDir(), lower)
	c = fstest.Dial(t, fs9p.Config{FS: fs})
	fid, e := c.Open(c.Root, "sparse", fs9p.ORdwr)
	if e == fs9p.EFBIG {
		t.Skip("not here: the host's file system has no files of 8 TiB")
	}
	c.OK(e)
	c.WriteAll(fid, size-1, []byte("!"))
	a := c.Stat(fid).Attr
	if a.Size != size || a.Blocks > 10_000 {
		t.Errorf("%d bytes in %d blocks", a.Size, a.Blocks)
	}
	for off, want := range map[uint64]string{0: "begin\x00", size/2 - 1: "\x00middle", size - 3: "\x00\x00!"} {
		if p, e := c.Read(fid, off, uint32(len(want))); e != 0 || string(p) != want {
			t.Errorf("at %d: %q, %v", off, p, e)
		}
	}
}

// A pit is a directory in which there is another one, without end.
type pit struct {
	fs9p.ReadOnly
	depth uint64
	held  *int
}

func (p pit) Attach(string) (fs9p.Node, error) { *p.held++; return p, nil }
func (p pit) Statfs() (fs9p.Statfs, error)     { return fs9p.Statfs{}, nil }
func (p pit) QID() fs9p.QID                    { return fs9p.QID{Type: fs9p.QTDir, Path: p.depth + 1} }
func (p pit) Release()                         { *p.held-- }
func (p pit) Readlink() (string, error)        { return "", fs9p.EINVAL }
func (p pit) Open(uint32) (fs9p.File, error)   { return nil, fs9p.EIO }
func (p pit) Xattr(string) ([]byte, error)     { return nil, fs9p.ENODATA }
func (p pit) Xattrs() ([]string, error)        { return nil, nil }
func (p pit) Attr() (fs9p.Attr, error)         { return fs9p.Attr{Mode: fs9p.ModeDir | 0o755, Nlink: 3}, nil }
func (p pit) Walk(string) (fs9p.Node, error)   { *p.held++; p.depth++; return p, nil }

// TestDeep goes down as far as it can, and lets go of the last directory: all
// above it are held for its sake, and go with it.
func TestDeep(t *testing.T) {
	held := 0
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: pit{held: &held}})
	if err != nil {
		t.Fatal(err)
	}
	at, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for ; depth < 1_000_000; depth++ {
		next, err := at.Walk("d")
		if err == fs9p.ENAMETOOLONG {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at.Release()
		at = next
	}
	if depth < 4000 || depth > 10_000 || held < depth {
		t.Errorf("a depth of %d, %d are held", depth, held)
	}
	at.Release()
	if held != 1 {
		t.Errorf("%d are still held", held)
	}
}

// TestFullUnion fills a union, in memory, to the last name, and removes what
// there is of both layers.
func TestFullUnion(t *testing.T) {
	lower := memfs.New(memfs.Config{})
	for i := range 100 {
		if err := lower.Add(fmt.Sprint("lower/", i), memfs.Entry{Data: strings.NewReader("content")}); err != nil {
			t.Fatal(err)
		}
	}
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{Files: 1 << 16}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	c.OK(c.Mkdir(c.Root, "upper", 0o755))
	upper, low := c.At(c.Root, "upper"), c.At(c.Root, "lower")
	n := 0
	for e := fs9p.Errno(0); e == 0; n++ {
		if e = c.Mkdir(upper, fmt.Sprint(n), 0o755); e != 0 {
			c.Want(e, fs9p.ENOSPC)
		}
	}
	for i := range 100 {
		c.OK(c.Unlink(low, fmt.Sprint(i), 0))
	}
	c.OK(c.Unlink(c.Root, "lower", fs9p.RemoveDir))
	for i := range n - 1 {
		c.OK(c.Unlink(upper, fmt.Sprint(i), fs9p.RemoveDir))
	}
	c.OK(c.Mkdir(upper, "again", 0o755))
}

// TestPurposes checks what changes are said to be for: what makes room is told
// from what only hides something.
func TestPurposes(t *testing.T) {
	said := &purposes{FS: memfs.New(memfs.Config{})}
	lower := lowerFiles(t)
	fs, err := overlay.New(overlay.Config{Upper: said, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	c.Put(c.Root, "full", "content")
	c.Put(c.Root, "other", "content")
	c.Put(c.Root, "third", "content")
	c.Put(c.Root, "empty", "")
	c.Must(c.Call(&fs9p.Tlink{Dir: c.Root, Fid: c.At(c.Root, "other"), Name: "linked"}))
	c.WriteAll(c.MustOpen(c.Root, "d0/f0", fs9p.OWronly), 0, []byte("x"))
	size := func(name string, n uint64) func() {
		return func() { c.OK(c.Setattr(c.At(c.Root, name), fs9p.SetAttr{Valid: fs9p.SetSize, Size: n})) }
	}
	unlink := func(dir, name string) func() { return func() { c.OK(c.Unlink(c.At(c.Root, dir), name, 0)) } }
	for _, tt := range []struct {
		what string
		do   func()
		want fs9p.Purpose
	}{
		{"mkdir", func() { c.OK(c.Mkdir(c.Root, "dir", 0o755)) }, fs9p.ForChange},
		{"chmod", func() { c.OK(c.Setattr(c.At(c.Root, "full"), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600})) }, fs9p.ForChange},
		{"grow", size("full", 100), fs9p.ForChange},
		{"cut", size("full", 3), fs9p.ForRoom},
		{"cut what is the lower's", size("f0", 3), fs9p.ForChange},
		{"O_TRUNC", func() { c.MustOpen(c.Root, "third", fs9p.OWronly|fs9p.OTrunc) }, fs9p.ForRoom},
		{"unlink", unlink("", "full"), fs9p.ForRoom},
		{"unlink of a copy", unlink("d0", "f0"), fs9p.ForRoom},
		{"unlink of one of two names", unlink("", "linked"), fs9p.ForRemoval},
		{"unlink of what is empty", unlink("", "empty"), fs9p.ForRemoval},
		{"unlink of what is the lower's", unlink("d0", "f1"), fs9p.ForRemoval},
		{"rmdir", func() { c.OK(c.Unlink(c.Root, "dir", fs9p.RemoveDir)) }, fs9p.ForRemoval},
		{"rename", func() { c.OK(c.Rename(c.Root, "third", c.Root, "fourth")) }, fs9p.ForChange},
		{"rename over", func() { c.OK(c.Rename(c.Root, "fourth", c.Root, "other")) }, fs9p.ForRoom},
	} {
		said.all = nil
		tt.do()
		if len(said.all) == 0 || said.all[len(said.all)-1] != tt.want {
			t.Errorf("%s is for %v, want %d", tt.what, said.all, tt.want)
		}
	}
}

// purposes is an upper that remembers what changes are for.
type purposes struct {
	*memfs.FS
	all []fs9p.Purpose
}

func (p *purposes) Begin(purpose fs9p.Purpose) error {
	p.all = append(p.all, purpose)
	return p.FS.Begin(purpose)
}

// TestStartsFull opens an upper that was used before and that can take nothing.
func TestStartsFull(t *testing.T) {
	dir := t.TempDir()
	lower := number(t, lowerFiles(t))
	fs := openLasting(t, dir, lower)
	w := newTwinOf(t, fs)
	for i := range 100 {
		w.step(byte(i*7), byte(i*31), byte(i*77))
	}
	w.closeAll()
	want := dump(t, fs)
	w.c[0].Close()
	if err := fs.upper.Close(); err != nil {
		t.Fatal(err)
	}
	upper, err := statefs.Open(statefs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer upper.Close()
	again, err := overlay.New(overlay.Config{Upper: full{upper}, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(t, again); got != want {
		t.Errorf("there is\n%s\nand was\n%s", got, want)
	}
}

// full is an upper in which nothing can be changed.
type full struct{ *statefs.FS }

func (full) Begin(fs9p.Purpose) error { return errors.Join(fs9p.ENOSPC) }
