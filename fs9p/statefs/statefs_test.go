package statefs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

func open(t testing.TB, dir string) *FS {
	t.Helper()
	f, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.shut() })
	return f
}

func TestSuite(t *testing.T) {
	fstest.Run(t, func(t *testing.T) fs9p.FS { return open(t, t.TempDir()) })
}

// dump tells all that is in a file system.
func dump(t testing.TB, f *FS) string {
	t.Helper()
	var b strings.Builder
	var visit func(path string, n *inode)
	visit = func(path string, n *inode) {
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		a.Atime = fs9p.Timespec{} // reading changes it
		fmt.Fprintf(&b, "%s %d %+v %q %v", path, n.id, a, n.target, n.xattrs)
		if n.kind() == fs9p.ModeRegular {
			p := make([]byte, a.Size+1)
			k, err := (&file{n, fs9p.ONoatime}).ReadAt(p, 0)
			if err != nil || uint64(k) != a.Size {
				t.Errorf("%s: read %d of %d bytes, %v", path, k, a.Size, err)
			}
			fmt.Fprintf(&b, " %x", p[:min(k, 200)])
		}
		b.WriteByte('\n')
		if n.dir == nil {
			return
		}
		for _, name := range names(n) {
			visit(path+"/"+name, n.dir.Entry(name).Node)
		}
	}
	visit("", f.root)
	return b.String()
}

// fill makes some of everything.
func fill(t testing.TB, f *FS) {
	t.Helper()
	c := fstest.Dial(t, fs9p.Config{FS: f})
	defer c.Close()
	c.OK(c.Mkdir(c.Root, "d", 0o1750))
	d := c.At(c.Root, "d")
	for i := range 200 {
		c.Put(d, fmt.Sprint("f", i), fmt.Sprint("content of ", i))
	}
	c.Must(c.Call(&fs9p.Tlink{Dir: c.Root, Fid: c.At(d, "f1"), Name: "hard"}))
	c.Must(c.Call(&fs9p.Tsymlink{Fid: d, Name: "soft", Target: "../hard"}))
	c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: "dev", Mode: fs9p.ModeBlock | 0o600, Major: 8, Minor: 300}))
	c.OK(c.Setattr(c.At(d, "f2"), fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetUID | fs9p.SetGID, Mode: 0o4711, UID: 7, GID: 8}))
	c.OK(c.Setattr(c.At(d, "f3"), fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: fs9p.Timespec{Sec: -1, Nsec: 5}}))
	c.OK(c.Unlink(d, "f4", 0))
	c.OK(c.Rename(d, "f5", c.Root, "moved"))
	c.OK(c.Rename(d, "f6", d, "f7"))
	c.WriteAll(c.MustOpen(d, "f8", fs9p.OWronly), 1<<20, []byte("far"))
	n, err := f.Attach("d")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Release()
	for i := range 3 {
		if err := n.SetXattr(fmt.Sprint("user.", i), bytes.Repeat([]byte{byte(i)}, i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.RemoveXattr("user.0"); err != nil {
		t.Fatal(err)
	}
}

// again opens what another FS has open, as after its process has died.
func again(t testing.TB, f *FS) *FS {
	t.Helper()
	f.shut()
	return open(t, f.cfg.Dir)
}

func TestReopen(t *testing.T) {
	for name, end := range map[string]func(f *FS) error{
		"ended":     (*FS).Close,
		"died":      func(f *FS) error { f.shut(); return nil },
		"rewritten": func(f *FS) error { defer f.shut(); return f.journal.rewrite(f.snapshot) },
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, t.TempDir())
			fill(t, f)
			before, last := dump(t, f), f.last
			for range 3 {
				if err := end(f); err != nil {
					t.Fatal(err)
				}
				f = open(t, f.cfg.Dir)
				if after := dump(t, f); after != before {
					t.Fatalf("before\n%s\nafter\n%s", before, after)
				}
				if f.last < last {
					t.Errorf("the numbers begin anew at %d, behind %d", f.last, last)
				}
				if f.names != 202 || f.meta != len("../hard")+3 {
					t.Errorf("%d names, %d bytes of attributes", f.names, f.meta)
				}
			}
		})
	}
}

// TestWrittenTimes has the times of files that are open for writing.
func TestWrittenTimes(t *testing.T) {
	now := time.Unix(1000, 0)
	f, err := Open(Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: f})
	fid, e := c.Create(c.Root, "f", fs9p.ORdwr, 0o644)
	c.OK(e)
	mtime := func(f *FS) int64 { return f.root.dir.Entry("f").Node.mtime.Sec }
	for i, settle := range []func(){
		func() { c.Must(c.Call(&fs9p.Tfsync{Fid: fid})) },
		func() { c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600})) },
		func() { c.Clunk(fid) },
	} {
		now = time.Unix(int64(2000+i), 0)
		c.WriteAll(fid, uint64(i), []byte("x"))
		settle()
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(f.cfg.Dir)); err != nil {
			t.Fatal(err)
		}
		if got := mtime(open(t, copied)); got != now.Unix() {
			t.Errorf("%d: %d", i, got)
		}
	}
}

func TestInUse(t *testing.T) {
	f := open(t, t.TempDir())
	if _, err := Open(Config{Dir: f.cfg.Dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
	again(t, f)
}

// content lists the files of contents that there are behind a barrier.
func content(t *testing.T, f *FS) (names []string) {
	t.Helper()
	if err := f.barrier(); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(f.path(dataDir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestContentGoes looks at the files on the disk: they go behind the last name
// and the last handle, or, after a death, with the next start.
func TestContentGoes(t *testing.T) {
	f := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: f})
	c.Put(c.Root, "a", "content")
	c.Put(c.Root, "b", "content")
	c.Put(c.Root, "empty", "")
	if n := content(t, f); len(n) != 2 {
		t.Errorf("%q", n)
	}
	fid := c.MustOpen(c.Root, "a", fs9p.ORdwr)
	c.OK(c.Unlink(c.Root, "a", 0))
	c.OK(c.Rename(c.Root, "empty", c.Root, "b"))
	if n := content(t, f); len(n) != 1 {
		t.Errorf("open: %q", n)
	}
	c.Clunk(fid)
	if n := content(t, f); len(n) != 0 {
		t.Errorf("closed: %q", n)
	}
	c.Put(c.Root, "a", "content")
	c.MustOpen(c.Root, "a", fs9p.ORdwr)
	c.OK(c.Unlink(c.Root, "a", 0))
	stray := f.dataName(f.last + 1)
	os.MkdirAll(filepath.Dir(stray), 0o700)
	if err := os.WriteFile(stray, []byte("of a process that died"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f = again(t, f); len(content(t, f)) != 0 {
		t.Errorf("after a death: %q", content(t, f))
	}
}

// TestTransaction takes several changes back by dying before the commit.
func TestTransaction(t *testing.T) {
	f := open(t, t.TempDir())
	fill(t, f)
	before := dump(t, f)
	if err := f.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Begin(), f.root.Unlink("hard", false), f.Commit(), f.root.Unlink("moved", false)); err != nil {
		t.Fatal(err)
	}
	n, h, err := f.root.Create("new", fs9p.OWronly, 0o644, fs9p.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt([]byte("new"), 0); err != nil {
		t.Fatal(err)
	}
	n.Release()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if f = again(t, f); dump(t, f) != before {
		t.Errorf("before\n%s\nafter\n%s", before, dump(t, f))
	}
	if n := content(t, f); len(n) != 198 {
		t.Errorf("%d contents", len(n))
	}
}

// TestManyFiles has more files open than the host's are.
func TestManyFiles(t *testing.T) {
	f := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: f})
	var fids []uint32
	for i := range 3 * maxOpen {
		fid, e := c.Create(c.Root, fmt.Sprint(i), fs9p.ORdwr, 0o644)
		c.OK(e)
		c.WriteAll(fid, 0, []byte(fmt.Sprint("file ", i)))
		fids = append(fids, fid)
	}
	for i, fid := range fids {
		c.WriteAll(fid, 5+uint64(len(fmt.Sprint(i))), []byte("!"))
		if s := c.Slurp(fid); s != fmt.Sprint("file ", i, "!") {
			t.Errorf("%d: %q", i, s)
		}
	}
	if n := len(f.files.byID); n > maxOpen || n != f.files.used.Len() {
		t.Errorf("%d files are open", n)
	}
}

// TestBloat writes much that is soon no longer so.
func TestBloat(t *testing.T) {
	f := open(t, t.TempDir())
	fill(t, f)
	n := f.root.dir.Entry("moved").Node
	value := bytes.Repeat([]byte("v"), 60_000)
	longest := int64(0)
	for i := range 400 {
		value[0] = byte(i)
		if err := n.SetXattr("user.v", value, 0); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, f.journal.end)
	}
	if longest > bloat+100_000 || f.journal.base < 60_000 {
		t.Errorf("the journal had up to %d bytes, and %d when it was made anew", longest, f.journal.base)
	}
	before := dump(t, f)
	if f = again(t, f); dump(t, f) != before {
		t.Error("after that something else is there")
	}
}

// TestDiskFull has a journal that cannot grow: a change is refused and nothing
// has changed, and later it is not.
func TestDiskFull(t *testing.T) {
	f := open(t, t.TempDir())
	fill(t, f)
	before := dump(t, f)
	whole, err := os.Open(f.journal.name)
	if err != nil {
		t.Fatal(err)
	}
	good := f.journal.file
	f.journal.file = whole // which cannot be written to
	f.journal.size = f.journal.end
	for what, do := range map[string]func() error{
		"unlink":     func() error { return f.root.Unlink("hard", false) },
		"mkdir":      func() error { _, err := f.root.Mkdir("new", 0o755, fs9p.Owner{}); return err },
		"begin":      f.Begin,
		"set":        func() error { return f.root.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o700}) },
		"attributes": func() error { return f.root.SetXattr("user.x", []byte("x"), 0) },
	} {
		if err := do(); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if after := dump(t, f); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	f.journal.file = good
	if info, err := good.Stat(); err != nil {
		t.Fatal(err)
	} else {
		f.journal.size = info.Size()
	}
	if err := f.root.Unlink("hard", false); err != nil {
		t.Errorf("with room again: %v", err)
	}

	// A commit that fails leaves the disk as it was before.
	before = dump(t, f)
	if err := errors.Join(f.Begin(), f.root.Unlink("moved", false)); err != nil {
		t.Fatal(err)
	}
	f.journal.file = whole
	if err := f.Commit(); err == nil {
		t.Error("a commit that cannot be")
	}
	if err := f.root.SetXattr("user.x", []byte("x"), 0); err != fs9p.EIO {
		t.Errorf("behind it: %v", err)
	}
	f.journal.file = good
	if f = again(t, f); dump(t, f) != before {
		t.Error("the disk has something else")
	}
}

// TestContentWaits keeps the content of files that are gone as long as the disk
// may have a journal in which they are not.
func TestContentWaits(t *testing.T) {
	f := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: f})
	c.Put(c.Root, "old", "old content")
	if err := f.barrier(); err != nil {
		t.Fatal(err)
	}
	durable := f.journal.end
	c.Put(c.Root, "new", "new content")
	c.OK(c.Rename(c.Root, "new", c.Root, "old"))
	if len(f.doomed) != 1 {
		t.Errorf("%d contents wait", len(f.doomed))
	}
	f.shut()
	if err := os.Truncate(f.journal.name, durable); err != nil {
		t.Fatal(err)
	}
	f = open(t, f.cfg.Dir)
	c = fstest.Dial(t, fs9p.Config{FS: f})
	if s := c.Cat(c.Root, "old"); s != "old content" {
		t.Errorf("%q", s)
	}
}

// TestContentDoesNotWaitLong removes many files, and large ones.
func TestContentDoesNotWaitLong(t *testing.T) {
	f := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: f})
	for range 2*maxDoomed + 10 {
		c.Put(c.Root, "f", "content")
		c.OK(c.Unlink(c.Root, "f", 0))
	}
	if len(f.doomed) > maxDoomed+1 {
		t.Errorf("%d contents wait", len(f.doomed))
	}
	for range 3 {
		fid, e := c.Create(c.Root, "f", fs9p.ORdwr, 0o644)
		c.OK(e)
		for off := uint64(0); off < maxDoomedBytes/2; off += 1 << 20 {
			c.WriteAll(fid, off, make([]byte, 1<<20))
		}
		c.Clunk(fid)
		c.OK(c.Unlink(c.Root, "f", 0))
	}
	if f.doomedBytes > maxDoomedBytes {
		t.Errorf("%d bytes wait", f.doomedBytes)
	}
}
