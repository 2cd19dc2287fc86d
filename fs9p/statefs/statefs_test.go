package statefs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/storage"
)

func open(t testing.TB, dir string) *FS {
	t.Helper()
	return openIn(t, Config{Dir: dir})
}

// openIn opens a file system for a test.
func openIn(t testing.TB, cfg Config) *FS {
	t.Helper()
	f, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.shut)
	return f
}

// kinds are the disks that a file system can be on, each new. A page has no folder.
var kinds = map[string]func(t testing.TB) Config{
	"folder":  func(t testing.TB) Config { return Config{Dir: t.TempDir()} },
	"extents": func(t testing.TB) Config { return Config{Storage: &storage.Memory{}} },
	"extents in a folder": func(t testing.TB) Config {
		d, err := storage.OpenDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return Config{Storage: d}
	},
}

func skipFolder(t *testing.T, kind string) {
	if runtime.GOOS == "js" && kind != "extents" {
		t.Skip("not here: a page has no folder of the host's")
	}
}

// everywhere runs a test on each kind of disk.
func everywhere(t *testing.T, test func(t *testing.T, open func() *FS)) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			skipFolder(t, name)
			test(t, func() *FS { return openIn(t, kind(t)) })
		})
	}
}

func TestSuite(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			skipFolder(t, name)
			fstest.Run(t, func(t *testing.T) fs9p.FS { return openIn(t, kind(t)) })
		})
	}
}

// dump tells all that is in a file system.
func dump(t testing.TB, f *FS) string {
	t.Helper()
	var b strings.Builder
	var visit func(path string, n fs9p.Node)
	visit = func(path string, n fs9p.Node) {
		defer n.Release()
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		a.Atime = fs9p.Timespec{} // reading changes it
		target, _ := n.Readlink()
		fmt.Fprintf(&b, "%s %v %+v %q", path, n.QID(), a, target)
		names, _ := n.Xattrs()
		for _, name := range names {
			v, _ := n.Xattr(name)
			fmt.Fprintf(&b, " %s=%q", name, v)
		}
		if a.Mode&fs9p.ModeType == fs9p.ModeRegular {
			p := make([]byte, a.Size+1)
			h := opened(t, n, fs9p.ONoatime)
			k, err := h.ReadAt(p, 0)
			h.Close()
			if err != nil || uint64(k) != a.Size {
				t.Errorf("%s: read %d of %d bytes, %v", path, k, a.Size, err)
			}
			fmt.Fprintf(&b, " %x", p[:min(k, 200)])
		}
		b.WriteByte('\n')
		if a.Mode&fs9p.ModeType != fs9p.ModeDir {
			return
		}
		var list []string
		h := opened(t, n, 0)
		h.ReadDir(fs9p.DirStart, func(d fs9p.Dirent) bool {
			list = append(list, d.Name)
			return true
		})
		h.Close()
		slices.Sort(list)
		for _, name := range list {
			visit(path+"/"+name, child(t, n, name))
		}
	}
	visit("", root(t, f))
	return b.String()
}

// root gives the root directory, to be released if that is of importance.
func root(t testing.TB, f *FS) fs9p.Node {
	t.Helper()
	n, err := f.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func child(t testing.TB, dir fs9p.Node, name string) fs9p.Node {
	t.Helper()
	n, err := dir.Walk(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func opened(t testing.TB, n fs9p.Node, flags uint32) fs9p.File {
	t.Helper()
	h, err := n.Open(flags)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// newest makes a file to see the number that it gets.
func newest(t testing.TB, f *FS) uint64 {
	t.Helper()
	r := root(t, f)
	defer r.Release()
	q, err := r.Mkdir("newest", 0o755, fs9p.Owner{})
	if err == nil {
		err = r.Unlink("newest", true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return q.Path
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
	for i, sec := range []int64{-1 << 62, -1 << 33, 1 << 31, 1 << 32, 1 << 34, 9_300_000_000, 1<<62 + 1} { // past 2262 too
		now := fs9p.Timespec{Sec: sec, Nsec: 999999999}
		fid := c.At(d, fmt.Sprint("f", 20+i))
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo, Atime: now, Mtime: now}))
		if a := c.Stat(fid).Attr; a.Atime != now || a.Mtime != now {
			t.Errorf("%v is %v and %v", now, a.Atime, a.Mtime)
		}
	}
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
	return openIn(t, Config{Dir: f.cfg.Dir, Storage: f.cfg.Storage})
}

func TestReopen(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		for name, end := range map[string]func(f *FS) error{
			"ended":     (*FS).Close,
			"died":      func(f *FS) error { f.shut(); return nil },
			"rewritten": func(f *FS) error { defer f.shut(); return f.journal.rewrite(f.snapshot) },
		} {
			t.Run(name, func(t *testing.T) {
				f := open()
				fill(t, f)
				last := newest(t, f)
				before, names, used := dump(t, f), f.tree.Names(), f.tree.Used()
				for range 3 {
					if err := end(f); err != nil {
						t.Fatal(err)
					}
					f = again(t, f)
					if after := dump(t, f); after != before {
						t.Fatalf("before\n%s\nafter\n%s", before, after)
					}
					if f.tree.Names() != names || f.tree.Used() != used {
						t.Errorf("%d names, %d bytes; there were %d and %d", f.tree.Names(), f.tree.Used(), names, used)
					}
				}
				if n := newest(t, f); n <= last {
					t.Errorf("the numbers go on at %d, behind %d", n, last)
				}
			})
		}
	})
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
	mtime := func(f *FS) int64 {
		a, err := child(t, root(t, f), "f").Attr()
		if err != nil {
			t.Fatal(err)
		}
		return a.Mtime.Sec
	}
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
	if runtime.GOOS == "js" {
		t.Skip("not here: the host has no locks")
	}
	f := open(t, t.TempDir())
	if _, err := Open(Config{Dir: f.cfg.Dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: %v", err)
	}
	again(t, f)
}

// contents lists the files of contents that there are behind a barrier.
func contents(t *testing.T, f *FS) (names []string) {
	t.Helper()
	if err := f.barrier(); err != nil {
		t.Fatal(err)
	}
	if err := f.disk.walk(f.path(dataDir), func(_ string, info fs.FileInfo) error {
		names = append(names, info.Name())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestContentGoes looks at the files on the disk: they go behind the last name
// and the last handle, or, after a death, with the next start.
func TestContentGoes(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
		c := fstest.Dial(t, fs9p.Config{FS: f})
		c.Put(c.Root, "a", "content")
		c.Put(c.Root, "b", "content")
		c.Put(c.Root, "empty", "")
		if n := contents(t, f); len(n) != 2 {
			t.Errorf("%q", n)
		}
		fid := c.MustOpen(c.Root, "a", fs9p.ORdwr)
		c.OK(c.Unlink(c.Root, "a", 0))
		c.OK(c.Rename(c.Root, "empty", c.Root, "b"))
		if n := contents(t, f); len(n) != 1 {
			t.Errorf("open: %q", n)
		}
		c.Clunk(fid)
		if n := contents(t, f); len(n) != 0 {
			t.Errorf("closed: %q", n)
		}
		c.Put(c.Root, "a", "content")
		c.MustOpen(c.Root, "a", fs9p.ORdwr)
		c.OK(c.Unlink(c.Root, "a", 0))
		stray := f.dataName(newest(t, f) + 1)
		if err := f.disk.mkdir(filepath.Dir(stray)); err != nil {
			t.Fatal(err)
		}
		if h, err := f.disk.open(stray, os.O_RDWR|os.O_CREATE); err != nil {
			t.Fatal(err)
		} else if _, err := h.WriteAt([]byte("of a process that died"), 0); err != nil {
			t.Fatal(err)
		}
		if f = again(t, f); len(contents(t, f)) != 0 {
			t.Errorf("after a death: %q", contents(t, f))
		}
	})
}

// TestNameless changes files that have lost their last name, which is what
// becomes of temporary ones: nothing of that is to be found later.
func TestNameless(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
		fill(t, f)
		before := dump(t, f)
		c := fstest.Dial(t, fs9p.Config{FS: f})
		for what, change := range map[string]func(fid uint32){
			"size":    func(fid uint32) { c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 2})) },
			"mode":    func(fid uint32) { c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600})) },
			"content": func(fid uint32) { c.WriteAll(fid, 0, []byte("content")) },
			"sync":    func(fid uint32) { c.Must(c.Call(&fs9p.Tfsync{Fid: fid})) },
			"attribute": func(fid uint32) {
				if n, err := f.Inode(c.Stat(fid).QID.Path); err != nil || n.SetXattr("user.x", []byte("x"), 0) != nil {
					t.Error("cannot set an attribute")
				} else {
					n.Release()
				}
			},
		} {
			fid, e := c.Create(c.Root, what, fs9p.ORdwr, 0o644)
			c.OK(e)
			c.OK(c.Unlink(c.Root, what, 0))
			change(fid)
		}
		top := root(t, f)
		a, err := top.Attr()
		if err != nil {
			t.Fatal(err)
		}
		if f = again(t, f); len(contents(t, f)) != 198 {
			t.Errorf("%d contents", len(contents(t, f)))
		}
		// The root's times are those of the last change.
		for _, now := range []fs9p.Node{root(t, f)} {
			if b, err := now.Attr(); err != nil || a.Mtime != b.Mtime {
				t.Errorf("%+v, %v; want %+v", b, err, a)
			}
		}
		if _, after, _ := strings.Cut(dump(t, f), "\n"); !strings.HasSuffix(before, after) {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
	})
}

// TestState saves a file system, a copy of its folder and a State, while a file
// is held that has no name any more, and goes on with the copy.
func TestState(t *testing.T) {
	f := open(t, t.TempDir())
	fill(t, f)
	c := fstest.Dial(t, fs9p.Config{FS: f})
	fid, e := c.Create(c.Root, "temp", fs9p.ORdwr, 0o640)
	c.OK(e)
	c.WriteAll(fid, 0, []byte("content"))
	c.OK(c.Unlink(c.Root, "temp", 0))
	id := c.Stat(fid).QID.Path
	z, err := f.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	state, dir := z.State, copied(t, z)
	g, err := Open(Config{Dir: dir, State: &state})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { g.shut() }()
	n, err := g.Inode(id)
	if err != nil {
		t.Fatal(err)
	}
	h := opened(t, n, fs9p.ORdwr)
	n.Release()
	g.Settle()
	p := make([]byte, 20)
	if k, err := h.ReadAt(p, 0); err != nil || string(p[:k]) != "content" {
		t.Errorf("it holds %q, %v", p[:k], err)
	}
	if a, err := n.Attr(); err != nil || a.Mode&fs9p.ModePerm != 0o640 || a.Nlink != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	h.Close()
	if _, err := g.Inode(id); err != fs9p.ENOENT {
		t.Errorf("after that: %v", err)
	}
	if a, b := len(contents(t, g)), len(contents(t, f)); a != b-1 {
		t.Errorf("%d contents are left, and %d in the original", a, b)
	}
	for _, bad := range [][]byte{{99}, {10}} {
		if _, err := Open(Config{Dir: t.TempDir(), State: &State{Nameless: bad}}); err == nil {
			t.Errorf("% x is accepted", bad)
		}
	}
}

// TestTransaction takes several changes back by dying before the commit.
func TestTransaction(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
		fill(t, f)
		before := dump(t, f)
		top := root(t, f)
		if err := f.Begin(fs9p.ForChange); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Begin(fs9p.ForChange), top.Unlink("hard", false), f.Commit(), top.Unlink("moved", false)); err != nil {
			t.Fatal(err)
		}
		n, h, err := top.Create("new", fs9p.OWronly, 0o644, fs9p.Owner{})
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
		if n := contents(t, f); len(n) != 198 {
			t.Errorf("%d contents", len(n))
		}
	})
}

// TestManyFiles has more files open than the host's are.
func TestManyFiles(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
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
	})
}

// TestBloat writes much that is soon no longer so.
func TestBloat(t *testing.T) {
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
		fill(t, f)
		n := child(t, root(t, f), "moved")
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
	})
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
	if err := os.Truncate(f.path(journalFile), durable); err != nil {
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
	everywhere(t, func(t *testing.T, open func() *FS) {
		f := open()
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
	})
}
