package overlay_test

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
)

// lowerFiles is what the lower file system of these tests holds.
func lowerFiles(t testing.TB) *memfs.FS {
	t.Helper()
	fs := memfs.New(memfs.Config{})
	add := func(name string, e memfs.Entry) {
		t.Helper()
		if err := fs.Add(name, e); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name, content string) {
		t.Helper()
		add(name, memfs.Entry{Mode: 0o644, UID: 5, Data: strings.NewReader(content)})
	}
	add("d0", memfs.Entry{Mode: fs9p.ModeDir | 0o755, Xattrs: map[string][]byte{"user.k": []byte("v")}})
	for i := range 4 {
		file(fmt.Sprintf("d0/f%d", i), fmt.Sprintf("lower file %d", i))
		file(fmt.Sprintf("d0/d1/f%d", i), fmt.Sprintf("deeper file %d", i))
	}
	add("d0/d1/d2", memfs.Entry{Mode: fs9p.ModeDir | 0o700})
	add("d1", memfs.Entry{Mode: fs9p.ModeDir | 0o1777})
	add("f0", memfs.Entry{Mode: 0o4755, Data: strings.NewReader("setuid"), Xattrs: map[string][]byte{"user.a": []byte("b")}})
	add("f1", memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: "d0/f0"})
	add("f2", memfs.Entry{Mode: fs9p.ModeChar | 0o600, Rdev: fs9p.MakeDev(5, 1)})
	file("big", strings.Repeat("0123456789abcdef", 30_000))
	file("d1/f0", "three names")
	for _, name := range []string{"d1/f1", "d0/f3"} {
		if err := fs.AddLink(name, "d1/f0"); err != nil && name != "d0/f3" {
			t.Fatal(err)
		}
	}
	return fs
}

func union(t testing.TB) *overlay.FS { return unionOn(t, memfs.New(memfs.Config{})) }

func unionOn(t testing.TB, upper fs9p.Numbered) *overlay.FS {
	t.Helper()
	fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lowerFiles(t)})
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestSuite(t *testing.T) {
	fstest.Run(t, func(t *testing.T) fs9p.FS { return union(t) })
}

// TestSuiteOfStorage runs the suite where the upper is in a few files, as in a browser.
func TestSuiteOfStorage(t *testing.T) {
	fstest.Run(t, func(t *testing.T) fs9p.FS {
		upper, err := statefs.Open(statefs.Config{Storage: &storage.Memory{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { upper.Close() })
		return unionOn(t, upper)
	})
}

// TestSuiteInLower runs the suite in directories that are the lower's.
func TestSuiteInLower(t *testing.T) {
	fstest.Run(t, func(t *testing.T) fs9p.FS {
		lower := lowerFiles(t)
		for i := range 200 {
			if err := lower.Add(fmt.Sprintf("t%d", i), memfs.Entry{Mode: fs9p.ModeDir | 0o755}); err != nil {
				t.Fatal(err)
			}
		}
		fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
		if err != nil {
			t.Fatal(err)
		}
		// What the suite makes covers what was there.
		root, err := fs.Attach("")
		if err != nil {
			t.Fatal(err)
		}
		defer root.Release()
		for i := range 200 {
			if err := root.Unlink(fmt.Sprintf("t%d", i), true); err != nil {
				t.Fatal(err)
			}
		}
		return fs
	})
}

func TestLowerIsSeen(t *testing.T) {
	lower := lowerFiles(t)
	before := dump(t, lower)
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(t, fs); got != before {
		t.Errorf("the union shows\n%s, the lower is\n%s", got, before)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	ids := map[string]fs9p.QID{}
	for _, path := range []string{"f0", "d0", "d0/d1", "d1/f0", "d0/f2", "big"} {
		ids[path] = c.StatAt(c.Root, path).QID
	}
	held := c.MustOpen(c.Root, "big", fs9p.ORdonly)
	c.Read(held, 0, 100)
	// Everything changes, but its identity.
	c.WriteAll(c.MustOpen(c.Root, "f0", fs9p.OWronly), 0, []byte("S"))
	c.WriteAll(c.MustOpen(c.Root, "big", fs9p.OWronly), 100_000, []byte("changed"))
	c.WriteAll(c.MustOpen(c.Root, "d1/f1", fs9p.OWronly), 0, []byte("T"))
	c.OK(c.Rename(c.Root, "d0", c.At(c.Root, "d1"), "moved"))
	c.OK(c.Setattr(c.At(c.Root, "d1/moved/f2"), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}))
	for path, q := range ids {
		now := strings.Replace(path, "d0", "d1/moved", 1)
		if got := c.StatAt(c.Root, now).QID; got != q {
			t.Errorf("%s was %v and is %v", path, q, got)
		}
	}
	if s := c.Cat(c.Root, "d1/f0"); s != "Three names" {
		t.Errorf("through another link: %q", s)
	}
	p, _ := c.Read(held, 99_998, 9)
	if string(p) != "efchanged" {
		t.Errorf("through a fid that was open: %q", p)
	}
	if s := c.Cat(c.Root, "big"); len(s) != 480_000 || s[:16] != "0123456789abcdef" || s[479_999] != 'f' {
		t.Errorf("%d bytes", len(s))
	}
	if got := dump(t, lower); got != before {
		t.Errorf("the lower has become\n%s, it was\n%s", got, before)
	}
}

// TestBorrowing checks that changing a byte of a large file does not copy it.
func TestBorrowing(t *testing.T) {
	lower := memfs.New(memfs.Config{})
	if err := lower.Add("large", memfs.Entry{Mode: 0o644, Data: bytes.NewReader(make([]byte, 100<<20))}); err != nil {
		t.Fatal(err)
	}
	upper := memfs.New(memfs.Config{Limit: 1 << 20})
	fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	fid := c.MustOpen(c.Root, "large", fs9p.ORdwr)
	c.WriteAll(fid, 50<<20, []byte("x"))
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 60 << 20}))
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 100 << 20}))
	p, e := c.Read(fid, 50<<20-1, 3)
	c.OK(e)
	if string(p) != "\x00x\x00" {
		t.Errorf("%q", p)
	}
}

// TestFull checks that a lack of room leaves everything as it was.
func TestFull(t *testing.T) {
	lower := lowerFiles(t)
	for room := range 12 {
		upper := memfs.New(memfs.Config{Files: 2 + room})
		fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
		if err != nil {
			t.Fatal(err)
		}
		before := dump(t, fs)
		c := fstest.Dial(t, fs9p.Config{FS: fs})
		d0, d1 := c.At(c.Root, "d0"), c.At(c.Root, "d1")
		for name, do := range map[string]func() fs9p.Errno{
			"rename file": func() fs9p.Errno { return c.Rename(d0, "f0", d1, "f9") },
			"rename over": func() fs9p.Errno { return c.Rename(d0, "f0", d1, "f0") },
			"rename dir":  func() fs9p.Errno { return c.Rename(d0, "d1", d1, "d9") },
			"unlink":      func() fs9p.Errno { return c.Unlink(d0, "f1", 0) },
			"unlink link": func() fs9p.Errno { return c.Unlink(d1, "f1", 0) },
			"mkdir":       func() fs9p.Errno { return c.Mkdir(d0, "new", 0o755) },
			"link": func() fs9p.Errno {
				_, e := c.Call(&fs9p.Tlink{Dir: d0, Fid: c.At(d0, "f0"), Name: "new"})
				return e
			},
		} {
			switch e := do(); {
			case e == 0:
				// There was room. Start again for the next.
				return
			case e != fs9p.ENOSPC:
				t.Fatalf("%s: %v", name, e)
			}
			if got := dump(t, fs); got != before {
				t.Fatalf("%s failed in room for %d and left\n%s; it was\n%s", name, room, got, before)
			}
		}
	}
}

// dump tells all that can be seen of a tree: for the same tree, the same text.
func dump(t testing.TB, fs fs9p.FS) string {
	t.Helper()
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	var b strings.Builder
	inodes := map[uint64]int{}
	var visit func(path string, n fs9p.Node)
	visit = func(path string, n fs9p.Node) {
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		id, seen := inodes[n.QID().Path]
		if !seen {
			id = len(inodes)
			inodes[n.QID().Path] = id
		}
		fmt.Fprintf(&b, "%s: inode %d mode %o owner %d:%d links %d device %d", path, id, a.Mode, a.UID, a.GID, a.Nlink, a.Rdev)
		names, _ := n.Xattrs()
		slices.Sort(names)
		for _, name := range names {
			v, _ := n.Xattr(name)
			fmt.Fprintf(&b, " %s=%q", name, v)
		}
		switch a.Mode & fs9p.ModeType {
		case fs9p.ModeSymlink:
			target, _ := n.Readlink()
			fmt.Fprintf(&b, " -> %s", target)
		case fs9p.ModeRegular:
			fmt.Fprintf(&b, " %x", digest(t, n, a.Size))
		}
		b.WriteByte('\n')
		if a.Mode&fs9p.ModeType == fs9p.ModeDir {
			for _, d := range entries(t, n) {
				c, err := n.Walk(d.Name)
				if err != nil {
					t.Fatalf("%s/%s is listed, but %v", path, d.Name, err)
				}
				if c.QID() != d.QID {
					t.Errorf("%s/%s is listed as %v, but is %v", path, d.Name, d.QID, c.QID())
				}
				visit(path+"/"+d.Name, c)
				c.Release()
			}
		}
	}
	visit("", root)
	return b.String()
}

func digest(t testing.TB, n fs9p.Node, size uint64) uint64 {
	t.Helper()
	f, err := n.Open(fs9p.ORdonly)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, size+1)
	k, err := f.ReadAt(p, 0)
	if err != nil || uint64(k) != size {
		t.Fatalf("read %d of %d bytes, %v", k, size, err)
	}
	sum := uint64(14695981039346656037)
	for _, c := range p[:k] {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}

func entries(t testing.TB, n fs9p.Node) []fs9p.Dirent {
	t.Helper()
	f, err := n.Open(fs9p.ORdonly | fs9p.ODirectory)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []fs9p.Dirent
	if err := f.ReadDir(fs9p.DirStart, func(d fs9p.Dirent) bool {
		list = append(list, d)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b fs9p.Dirent) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// A twin does the same to a union and to a plain copy of what it shows.
type twin struct {
	t    testing.TB
	c    [2]*fstest.Client
	fs   [2]fs9p.FS
	open [4]kept
	how  [4]uint32 // flags with which open was opened
	log  []string
}

// kept is a file that stays open: its fids, by client.
type kept map[*fstest.Client]uint32

func newTwin(t testing.TB) *twin { return newTwinOf(t, union(t)) }

// newTwinOf makes a twin of a union that shows lowerFiles.
func newTwinOf(t testing.TB, fs fs9p.FS) *twin {
	w := &twin{t: t, fs: [2]fs9p.FS{fs, lowerFiles(t)}}
	for i, fs := range w.fs {
		w.c[i] = fstest.Dial(t, fs9p.Config{FS: fs})
	}
	return w
}

// both does one thing in both, which must come to the same.
func (w *twin) both(what string, do func(c *fstest.Client) string) {
	w.t.Helper()
	w.log = append(w.log, what)
	if a, b := do(w.c[0]), do(w.c[1]); a != b {
		w.t.Fatalf("%s\n: the union says %.200q, a plain file system %.200q", strings.Join(w.log, "\n"), a, b)
	}
}

// step does what three numbers choose.
func (w *twin) step(op, x, y byte) {
	w.t.Helper()
	dirs := []string{"", "d0", "d1", "d0/d1", "d0/d1/d2", "d1/d0", "d1/d1", "d1/d2"}
	dir := func(b byte) string { return dirs[b%8] }
	name := func(b byte) string { return []string{"f0", "f1", "f2", "f3", "d0", "d1", "d2", "big"}[b>>3%8] }
	// in walks to a directory, and clunks the fid when do is done.
	in := func(c *fstest.Client, path string, do func(fid uint32) fs9p.Errno) string {
		fid, e := c.Walk(c.Root, path)
		if e != 0 {
			return "walk: " + e.Error()
		}
		defer c.Clunk(fid)
		return fmt.Sprint(do(fid))
	}
	call := func(m func(fid uint32) fs9p.Message, c *fstest.Client) func(fid uint32) fs9p.Errno {
		return func(fid uint32) fs9p.Errno {
			_, e := c.Call(m(fid))
			return e
		}
	}
	xd, xn, yd, yn := dir(x), name(x), dir(y), name(y)
	file := strings.TrimPrefix(xd+"/"+xn, "/")
	slot := int(y) % len(w.open)
	if fids := w.open[slot]; fids != nil {
		w.both(fmt.Sprintf("use %d", slot), func(c *fstest.Client) string {
			a := c.Stat(fids[c]).Attr
			p, e := c.Read(fids[c], 0, 1<<20)
			n, e2 := c.Write(fids[c], uint64(x), []byte("through an open fid"))
			valid := []uint32{fs9p.SetMode, fs9p.SetSize, fs9p.SetUID, fs9p.SetMtime}[x%4]
			e3 := c.Setattr(fids[c], fs9p.SetAttr{Valid: valid, Mode: uint32(y), UID: uint32(y), Size: uint64(y)})
			return fmt.Sprint(a.Mode, a.Nlink, a.UID, string(p), e, n, e2, e3)
		})
	}
	switch op % 14 {
	case 0:
		w.both(fmt.Sprintf("write %s", file), func(c *fstest.Client) string {
			fid, e := c.Open(c.Root, file, fs9p.ORdwr)
			if e != 0 {
				return e.Error()
			}
			defer c.Clunk(fid)
			_, e = c.Write(fid, uint64(y)*300, bytes.Repeat([]byte{x}, int(y)))
			return fmt.Sprint(e)
		})
	case 1:
		w.both(fmt.Sprintf("create %s", file), func(c *fstest.Client) string {
			return in(c, xd, func(fid uint32) fs9p.Errno {
				f, e := c.Create(fid, xn, fs9p.ORdwr|uint32(y%2)*fs9p.OTrunc|uint32(y/2%2)*fs9p.OExcl, 0o640)
				if e == 0 {
					c.Clunk(f)
				}
				return e
			})
		})
	case 2:
		w.both(fmt.Sprintf("mkdir %s", file), func(c *fstest.Client) string {
			return in(c, xd, call(func(fid uint32) fs9p.Message { return &fs9p.Tmkdir{Dir: fid, Name: xn, Mode: 0o750} }, c))
		})
	case 3, 4:
		w.both(fmt.Sprintf("unlink %s", file), func(c *fstest.Client) string {
			return in(c, xd, call(func(fid uint32) fs9p.Message {
				return &fs9p.Tunlinkat{Dir: fid, Name: xn, Flags: uint32(y%2) * fs9p.RemoveDir}
			}, c))
		})
	case 5, 6, 7:
		w.both(fmt.Sprintf("rename %s to %s/%s", file, yd, yn), func(c *fstest.Client) string {
			return in(c, yd, func(to uint32) fs9p.Errno {
				e := fs9p.ENOENT
				in(c, xd, func(from uint32) fs9p.Errno {
					e = c.Rename(from, xn, to, yn)
					return e
				})
				return e
			})
		})
	case 8:
		w.both(fmt.Sprintf("link %s to %s/%s", file, yd, yn), func(c *fstest.Client) string {
			return in(c, yd, func(to uint32) fs9p.Errno {
				e := fs9p.ENOENT
				in(c, file, func(from uint32) fs9p.Errno {
					_, e = c.Call(&fs9p.Tlink{Dir: to, Fid: from, Name: yn})
					return e
				})
				return e
			})
		})
	case 9:
		w.both(fmt.Sprintf("change %s", file), func(c *fstest.Client) string {
			return in(c, file, call(func(fid uint32) fs9p.Message {
				valid := []uint32{fs9p.SetMode, fs9p.SetSize, fs9p.SetUID, fs9p.SetMtime}[y%4]
				return &fs9p.Tsetattr{Fid: fid, Attr: fs9p.SetAttr{Valid: valid, Mode: uint32(y), UID: uint32(y), Size: uint64(y)}}
			}, c))
		})
	case 10:
		w.both(fmt.Sprintf("symlink %s", file), func(c *fstest.Client) string {
			return in(c, xd, call(func(fid uint32) fs9p.Message { return &fs9p.Tsymlink{Fid: fid, Name: xn, Target: fmt.Sprint(y)} }, c))
		})
	case 11:
		w.both(fmt.Sprintf("set attribute of %s", file), func(c *fstest.Client) string {
			return in(c, file, func(fid uint32) fs9p.Errno {
				if _, e := c.Call(&fs9p.Txattrcreate{Fid: fid, Name: fmt.Sprint("user.", y%3), Size: 1}); e != 0 {
					return e
				}
				_, e := c.Write(fid, 0, []byte{y})
				return e
			})
		})
	case 12:
		if w.open[slot] != nil {
			w.both(fmt.Sprintf("close %d", slot), func(c *fstest.Client) string {
				c.Clunk(w.open[slot][c])
				return ""
			})
			w.open[slot] = nil
			return
		}
		fids := kept{}
		w.both(fmt.Sprintf("open %d: %s", slot, file), func(c *fstest.Client) string {
			fid, e := c.Open(c.Root, file, uint32(y/8%2)*fs9p.ORdwr)
			if e == 0 {
				fids[c] = fid
			}
			return fmt.Sprint(e)
		})
		if len(fids) == 2 {
			w.open[slot], w.how[slot] = fids, uint32(y/8%2)*fs9p.ORdwr
		}
	case 13:
		w.both(fmt.Sprintf("look at the tree, %s", file), func(c *fstest.Client) string {
			fid, e := c.Walk(c.Root, file)
			if e != 0 {
				return e.Error()
			}
			defer c.Clunk(fid)
			a := c.Stat(fid).Attr
			return fmt.Sprint(a.Mode, a.UID, a.Nlink)
		})
	}
}

// end compares all that there is.
func (w *twin) end() {
	w.t.Helper()
	if a, b := dump(w.t, w.fs[0]), dump(w.t, w.fs[1]); a != b {
		w.t.Fatalf("%s\nthe union shows\n%s, a plain file system\n%s", strings.Join(w.log, "\n"), a, b)
	}
}

func TestAgainstPlain(t *testing.T) {
	for seed := range int64(150) {
		rnd := rand.New(rand.NewSource(seed))
		w := newTwin(t)
		for range 120 {
			w.step(byte(rnd.Intn(256)), byte(rnd.Intn(256)), byte(rnd.Intn(256)))
		}
		w.end()
	}
}

func FuzzAgainstPlain(f *testing.F) {
	f.Add([]byte("\x05\x01\x02\x03\x02\x01\x00\x07\x09"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := newTwin(t)
		for ; len(b) >= 3; b = b[3:] {
			w.step(b[0], b[1], b[2])
		}
		w.end()
	})
}

// TestTimes keeps times of all centuries, past 2262 too, through a copy.
func TestTimes(t *testing.T) {
	lower := memfs.New(memfs.Config{})
	c := fstest.Dial(t, fs9p.Config{FS: lower})
	all := []int64{-1 << 62, -1 << 33, -1, 0, 1 << 31, 1 << 32, 9_300_000_000, 1 << 40, 1 << 62}
	when := func(sec int64) fs9p.Timespec { return fs9p.Timespec{Sec: sec, Nsec: 123456789} }
	for i, sec := range all {
		name := fmt.Sprint("f", i)
		c.Put(c.Root, name, "x")
		c.OK(c.Setattr(c.At(c.Root, name), fs9p.SetAttr{
			Valid: fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo, Atime: when(sec), Mtime: when(sec + 1),
		}))
	}
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	c = fstest.Dial(t, fs9p.Config{FS: fs})
	for i, sec := range all {
		fid := c.At(c.Root, fmt.Sprint("f", i))
		for _, copied := range []bool{false, true} {
			if copied {
				c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}))
			}
			if a := c.Stat(fid).Attr; a.Atime != when(sec) || a.Mtime != when(sec+1) {
				t.Errorf("copied %v: %v and %v, want %d and one more", copied, a.Atime, a.Mtime, sec)
			}
		}
	}
}
