package hostfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// files makes n empty files in a folder of the host.
func files(t testing.TB, dir string, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("f%05d", i))
		check(t, os.WriteFile(filepath.Join(dir, names[i]), nil, 0o600))
	}
	return names
}

// TestListingsAreSmall: what an open directory keeps does not grow with the
// directory, however many are open; and each goes on where it was.
func TestListingsAreSmall(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not here: a listing is read whole, the last ones are kept")
	}
	const entries, fids = 2000, 300
	dir := t.TempDir()
	want := files(t, dir, entries)
	fs := open(t, dir)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	before := heap()
	var open []uint32
	cookies := map[uint32]uint64{}
	names := map[uint32]int{}
	for range fids {
		fid := c.MustOpen(c.Root, "", fs9p.ORdonly)
		open = append(open, fid)
		list := c.Readdir(fid, 0, 10_000)
		names[fid], cookies[fid] = len(list), list[len(list)-1].Cookie
		if len(list) > maxEntries+2 {
			t.Fatalf("%d entries in an answer", len(list))
		}
	}
	if grown := int(heap()-before) / fids; grown > 16<<10 {
		t.Errorf("%d bytes an open directory of %d entries", grown, entries)
	}
	if fs.listings.recent.Len() > maxListings {
		t.Errorf("%d streams are open", fs.listings.recent.Len())
	}
	// The one that was opened first has long lost its stream.
	for _, fid := range []uint32{open[0], open[fids-1]} {
		seen := names[fid] - 2 // but for the dots
		for {
			list := c.Readdir(fid, cookies[fid], 100_000)
			if len(list) == 0 {
				break
			}
			seen, cookies[fid] = seen+len(list), list[len(list)-1].Cookie
		}
		if seen != entries {
			t.Errorf("%d entries, want %d", seen, entries)
		}
	}
	got := c.List(c.Root, "")
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the list has %d names", len(got))
	}
	c.Clunk(open...)
	if s := &fs.listings; s.marks != 0 || s.recent.Len() != 0 {
		t.Errorf("%d marks in %d listings are left", s.marks, s.recent.Len())
	}
}

// TestSeekInListing goes back to every place, also to those that were dropped.
func TestSeekInListing(t *testing.T) {
	const entries = 300
	dir := t.TempDir()
	files(t, dir, entries)
	fs := open(t, dir)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	fid := c.MustOpen(c.Root, "", fs9p.ORdonly)
	list := c.Readdir(fid, 2, 100_000)
	if len(list) != entries {
		t.Fatalf("%d entries", len(list))
	}
	for i := entries - 1; i >= 0; i -= 7 {
		rest := c.Readdir(fid, list[i].Cookie, 100_000)
		if len(rest) != entries-1-i || len(rest) > 0 && rest[0] != list[i+1] {
			t.Fatalf("behind entry %d there are %d", i, len(rest))
		}
		c.Readdir(fid, list[entries-2].Cookie, 100_000)
	}
	for _, cookie := range []uint64{maxPassed + 3, 1 << 40, 1<<63 - 1} {
		_, e := c.Call(&fs9p.Treaddir{Fid: fid, Offset: cookie, Count: 4096})
		c.Want(e, fs9p.EINVAL)
	}
	if more := c.Readdir(fid, entries+3, 100_000); len(more) != 0 {
		t.Errorf("behind the last there are %d", len(more))
	}
	// Without the marks there are the place where it is, and the beginning.
	at := c.Readdir(fid, list[100].Cookie, 300)
	fs.listings.drop(fs.listings.recent.Front().Value.(*listing))
	if next := c.Readdir(fid, at[len(at)-1].Cookie, 300); next[0] != list[101+len(at)] {
		t.Errorf("it goes on with %v", next[0])
	}
	// Others are looked for, also where the directory was opened anew.
	for _, fid := range []uint32{fid, c.MustOpen(c.Root, "", fs9p.ORdonly)} {
		for _, i := range []int{5, 200, 7, entries - 1} {
			fs.listings.drop(fs.listings.recent.Front().Value.(*listing))
			if rest := c.Readdir(fid, list[i].Cookie, 100_000); len(rest) != entries-1-i || len(rest) > 0 && rest[0] != list[i+1] {
				t.Errorf("behind entry %d there are %d", i, len(rest))
			}
		}
	}
	if again := c.Readdir(fid, 2, 100_000); len(again) != entries {
		t.Errorf("from the beginning %d", len(again))
	}
}

// TestMarksAreBounded: they are dropped of what was listed longest ago.
func TestMarksAreBounded(t *testing.T) {
	s := &listings{}
	fs := &FS{}
	var all []*listing
	for range 3 {
		l := &listing{n: &inode{fs: fs}}
		l.marks, s.marks = []mark{start}, s.marks+1
		s.use(l)
		for range maxMarks/2 - 2 {
			l.at++
			l.marks, s.marks = append(l.marks, start), s.marks+1
			s.shrink(l)
		}
		all = append(all, l)
	}
	if len(all[0].marks) != 0 || len(all[1].marks) == 0 || len(all[2].marks) != maxMarks/2-1 || s.marks > maxMarks {
		t.Errorf("%d, %d, %d of %d", len(all[0].marks), len(all[1].marks), len(all[2].marks), s.marks)
	}
	l := all[2]
	for range maxMarks {
		l.at++
		l.marks, s.marks = append(l.marks, start), s.marks+1
		s.shrink(l)
	}
	if s.marks > maxMarks || s.marks != len(l.marks) || l.first+uint64(len(l.marks))-1 != l.at {
		t.Errorf("%d marks, %d of one listing from %d to %d", s.marks, len(l.marks), l.first, l.at)
	}
}

// TestDepth: what is too deep has too long a name, however it came there; what
// is not is found again, whatever has been closed.
func TestDepth(t *testing.T) {
	if runtime.GOOS == "js" || runtime.GOOS == "windows" {
		t.Skip("not here: names of the host end sooner")
	}
	fs := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	chain := func(top uint32, n int) uint32 {
		at := c.At(top, "")
		for range n {
			c.OK(c.Mkdir(at, "d", 0o755))
			c.Must(c.Call(&fs9p.Twalk{Fid: at, NewFid: at, Names: []string{"d"}}))
		}
		return at
	}
	closeAll := func() {
		for fs.folders.Len() > 0 {
			fs.closeFolder(fs.folders.Back().Value.(*inode))
		}
	}
	deep := chain(c.Root, maxDepth)
	tooDeep := func(fid uint32) {
		t.Helper()
		c.Want(c.Mkdir(fid, "d", 0o755), fs9p.ENAMETOOLONG)
		_, e := c.Create(fid, "f", fs9p.ORdwr, 0o644)
		c.Want(e, fs9p.ENAMETOOLONG)
		_, e = c.Walk(fid, "x")
		c.Want(e, fs9p.ENAMETOOLONG)
		c.Want(c.Rename(c.Root, "file", fid, "x"), fs9p.ENAMETOOLONG)
	}
	c.OK(c.Mkdir(c.Root, "other", 0o755))
	c.Put(c.Root, "file", "")
	tooDeep(deep)
	closeAll()
	c.Stat(deep)
	// A chain that is moved under another one.
	moved := chain(c.At(c.Root, "other"), maxDepth-1)
	parent := c.At(deep, "..")
	c.OK(c.Rename(c.Root, "other", parent, "under"))
	tooDeep(moved)
	closeAll()
	_, e := c.Call(&fs9p.Tgetattr{Fid: moved})
	c.Want(e, fs9p.ENAMETOOLONG)
	_, e = c.Open(moved, "", fs9p.ORdonly)
	if e == 0 {
		_, e = c.Call(&fs9p.Treaddir{Fid: c.MustOpen(moved, "", fs9p.ORdonly), Count: 4096})
	}
	c.Want(e, fs9p.ENAMETOOLONG)
	// And back.
	c.OK(c.Rename(parent, "under", c.Root, "other"))
	c.Stat(moved)
	tooDeep(moved)
	c.Put(c.At(moved, "../.."), "f", "x")
}

// TestReleaseIsShort: a chain of directories that only its end held is let go
// of piece by piece.
func TestReleaseIsShort(t *testing.T) {
	fs := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	at := c.At(c.Root, "")
	for range maxDepth {
		c.OK(c.Mkdir(at, "d", 0o755))
		c.Must(c.Call(&fs9p.Twalk{Fid: at, NewFid: at, Names: []string{"d"}}))
	}
	held := fs.inodes()
	if held < maxDepth {
		t.Fatalf("%d inodes", held)
	}
	c.Clunk(at)
	if gone := held - fs.inodes(); gone > 200 || gone == 0 {
		t.Errorf("one request let go of %d inodes", gone)
	}
	for range maxDepth {
		c.Clunk(c.At(c.Root, "d"))
	}
	if fs.inodes() != 0 {
		t.Errorf("%d inodes are left", fs.inodes())
	}
}

// TestTooMuch: what a guest can make a folder hold has an end, which is told,
// and takes nothing away that was there.
func TestTooMuch(t *testing.T) {
	for _, tt := range []struct {
		name string
		fs   func(*FS)
		do   func(c *fstest.Client, i int) fs9p.Errno // its kind of thing, for the i-th time
		want fs9p.Errno
		most int // that succeed
	}{
		{"inodes", func(fs *FS) { fs.limit.inodes = 50 }, func(c *fstest.Client, i int) fs9p.Errno {
			_, e := c.Walk(c.Root, fmt.Sprintf("f%05d", i))
			return e
		}, fs9p.ENFILE, 50},
		{"open files", func(fs *FS) { fs.limit.files = 40 }, func(c *fstest.Client, i int) fs9p.Errno {
			_, e := c.Open(c.Root, fmt.Sprintf("f%05d", i), fs9p.ORdwr)
			return e
		}, fs9p.ENFILE, 40},
		{"one file open", func(fs *FS) { fs.limit.files = 40 }, func(c *fstest.Client, i int) fs9p.Errno {
			_, e := c.Open(c.Root, "f00001", fs9p.ORdwr)
			return e
		}, fs9p.ENFILE, 40},
		{"new files open", func(fs *FS) { fs.limit.files = 40 }, func(c *fstest.Client, i int) fs9p.Errno {
			_, e := c.Create(c.Root, fmt.Sprint("new", i), fs9p.ORdwr, 0o600)
			return e
		}, fs9p.ENFILE, 40},
		{"devices", func(fs *FS) { fs.kept.maxBytes = 20 * extraCost }, func(c *fstest.Client, i int) fs9p.Errno {
			_, e := c.Call(&fs9p.Tmknod{Fid: c.Root, Name: fmt.Sprint("new", i), Mode: fs9p.ModeChar | 0o600, Major: 1})
			return e
		}, fs9p.ENOSPC, 20},
		{"set-id bits", func(fs *FS) { fs.kept.maxBytes = 20 * extraCost }, func(c *fstest.Client, i int) fs9p.Errno {
			return c.Setattr(c.At(c.Root, fmt.Sprintf("f%05d", i)), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o4755})
		}, fs9p.ENOSPC, 20},
		{"attributes of many", func(fs *FS) { fs.kept.maxBytes = 20 * (extraCost + xattrCost + 20) }, func(c *fstest.Client, i int) fs9p.Errno {
			return setXattr(c, c.At(c.Root, fmt.Sprintf("f%05d", i)), "trusted.x", "", 0)
		}, fs9p.ENOSPC, 20},
		{"attributes of one", func(fs *FS) { fs.kept.maxBytes = 100_000 }, func(c *fstest.Client, i int) fs9p.Errno {
			return setXattr(c, c.Root, fmt.Sprint("trusted.", i), strings.Repeat("v", 5000), 0)
		}, fs9p.ENOSPC, 19},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			files(t, dir, 100)
			fs := open(t, dir)
			tt.fs(fs)
			c := fstest.Dial(t, fs9p.Config{FS: fs})
			n := 0
			for ; n < 100; n++ {
				if e := tt.do(c, n); e != 0 {
					c.Want(e, tt.want)
					break
				}
			}
			if n > tt.most || n < tt.most*3/4 {
				t.Errorf("%d times, want about %d", n, tt.most)
			}
			list, err := os.ReadDir(dir)
			check(t, err)
			made := 0
			for _, e := range list {
				if strings.HasPrefix(e.Name(), "new") {
					made++
				}
			}
			if made > n {
				t.Errorf("%d files were made, %d are told of", made, n)
			}
			c.Close()
			if fs.files != 0 || fs.inodes() != len(fs.dying) {
				t.Errorf("%d files and %d inodes are left", fs.files, fs.inodes())
			}
		})
	}
}

// TestKeptIsCharged: what is charged is what it takes, whatever it is.
func TestKeptIsCharged(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(k *keeper, i uint64) error
	}{
		{"devices", func(k *keeper, i uint64) error { return k.change(i, func(e *extra) { e.special = fs9p.ModeChar }) }},
		{"empty attributes", func(k *keeper, i uint64) error {
			return k.change(i, func(e *extra) { e.xattrs = map[string][]byte{fmt.Sprint("trusted.", i): nil} })
		}},
		{"many attributes", func(k *keeper, i uint64) error {
			return k.change(i/100, func(e *extra) {
				if e.xattrs == nil {
					e.xattrs = map[string][]byte{}
				}
				e.xattrs[fmt.Sprint("trusted.", i)] = []byte("x")
			})
		}},
		{"large attributes", func(k *keeper, i uint64) error {
			return k.change(i, func(e *extra) { e.xattrs = map[string][]byte{"trusted.x": make([]byte, 40_000)} })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeeper()
			k.maxBytes = 4 << 20
			before := heap()
			n := uint64(0)
			for ; tt.do(&k, n) == nil; n++ {
			}
			grown := heap() - before
			if grown > uint64(k.bytes)+64<<10 {
				t.Errorf("%d things take %d bytes, and are charged %d", n, grown, k.bytes)
			}
			for mark := range n + 1 {
				k.forget(mark)
			}
			if k.bytes != 0 {
				t.Errorf("%d bytes are charged for nothing", k.bytes)
			}
		})
	}
	k := newKeeper()
	k.maxOwners = 1000
	for i := range uint64(1000) {
		check(t, k.own(i, fs9p.Owner{}))
	}
	check(t, k.own(5, fs9p.Owner{UID: 1}))
	if err := k.own(1000, fs9p.Owner{}); err != fs9p.ENOSPC {
		t.Errorf("one owner more: %v", err)
	}
	k.forget(7)
	check(t, k.own(1000, fs9p.Owner{}))
}

// TestNumbersAreBounded: files come and go where the host does not tell them
// apart, and no number is given twice.
func TestNumbersAreBounded(t *testing.T) {
	s := newNumbers(1)
	seen := map[uint64]bool{}
	for i := range uint64(3 * maxLives) {
		mark := s.mark(key{dev: 1, ino: i % (maxLives + 100)})
		id := s.of(mark)
		if seen[id] {
			t.Fatalf("file %d has the number of one before", i)
		}
		seen[id] = true
		s.retire(mark)
		if len(s.lives) > maxLives {
			t.Fatalf("%d lives are known", len(s.lives))
		}
	}
	a := newNumbers(5)
	b := newNumbers(9)
	if a.mark(key{dev: 5, ino: 7, gen: 3}) != b.mark(key{dev: 9, ino: 7, gen: 3}) {
		t.Error("a number changes with that of the device")
	}
}
