package overlay_test

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/statefs"
)

// numbered is a file system that does not change and finds its inodes.
type numbered struct {
	fs9p.FS
	nodes map[uint64]fs9p.Node
}

func number(t testing.TB, fs fs9p.FS) numbered {
	t.Helper()
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	x := numbered{fs, map[uint64]fs9p.Node{}}
	var visit func(n fs9p.Node)
	visit = func(n fs9p.Node) {
		x.nodes[n.QID().Path] = n
		if n.QID().Type&fs9p.QTDir == 0 {
			return
		}
		for _, d := range entries(t, n) {
			c, err := n.Walk(d.Name)
			if err != nil {
				t.Fatal(err)
			}
			visit(c)
		}
	}
	visit(root)
	return x
}

// Inode is part of fs9p.Numbered. One handle more is taken by a walk.
func (x numbered) Inode(path uint64) (fs9p.Node, error) {
	n := x.nodes[path]
	if n == nil {
		return nil, fs9p.ENOENT
	}
	return held{n}, nil
}

// held is a Node whose release is not the last one.
type held struct{ fs9p.Node }

func (held) Release() {}

// A lasting is a union whose upper is in a folder.
type lasting struct {
	*overlay.FS
	upper *statefs.FS
}

func openLasting(t testing.TB, dir string, lower fs9p.FS) *lasting {
	t.Helper()
	upper, err := statefs.Open(statefs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upper.Close() })
	fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	return &lasting{fs, upper}
}

// copyFolder copies a state folder as a process that dies leaves it. What is
// missing in it is taken from older, if that is not empty.
func copyFolder(t testing.TB, from, older string) string {
	t.Helper()
	to := t.TempDir()
	for _, from := range []string{older, from} {
		if from != "" {
			copyTree(t, from, to)
		}
	}
	return to
}

// copyTree copies a folder that may change meanwhile.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// identities tells the QID and the times of everything in a tree.
func identities(t testing.TB, fs fs9p.FS) string {
	t.Helper()
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	var b strings.Builder
	var visit func(path string, n fs9p.Node)
	visit = func(path string, n fs9p.Node) {
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %v %v %v\n", path, n.QID(), a.Mtime, a.Ctime)
		if n.QID().Type&fs9p.QTDir == 0 {
			return
		}
		for _, d := range entries(t, n) {
			c, err := n.Walk(d.Name)
			if err != nil {
				t.Fatal(err)
			}
			visit(path+"/"+d.Name, c)
			c.Release()
		}
	}
	visit("", root)
	return b.String()
}

// closeAll closes what a twin has open.
func (w *twin) closeAll() {
	for slot, fids := range w.open {
		for c, fid := range fids {
			c.Clunk(fid)
		}
		w.open[slot] = nil
	}
}

// TestLasting goes on with a union whose process has ended, or has died, as if
// it were the same.
func TestLasting(t *testing.T) {
	for seed := range int64(12) {
		rnd := rand.New(rand.NewSource(seed))
		lower := number(t, lowerFiles(t))
		dir := t.TempDir()
		fs := openLasting(t, dir, lower)
		w := newTwinOf(t, fs)
		for range 15 {
			for range rnd.Intn(10) {
				w.step(byte(rnd.Intn(256)), byte(rnd.Intn(256)), byte(rnd.Intn(256)))
			}
			w.closeAll()
			before := identities(t, fs)
			if rnd.Intn(2) == 0 {
				w.log = append(w.log, "died")
				dir = copyFolder(t, dir, "")
			} else {
				w.log = append(w.log, "ended")
				w.c[0].Close()
				if err := fs.upper.Close(); err != nil {
					t.Fatal(err)
				}
			}
			fs = openLasting(t, dir, lower)
			w.fs[0] = fs
			w.c[0] = fstest.Dial(t, fs9p.Config{FS: fs})
			if after := identities(t, fs); after != before {
				t.Fatalf("%s\nbefore\n%safter\n%s", strings.Join(w.log, "\n"), before, after)
			}
			w.end()
		}
	}
}

// TestTorn dies in the middle of changes: what was not finished has not begun.
func TestTorn(t *testing.T) {
	torn := 0
	for seed := range int64(6) {
		rnd := rand.New(rand.NewSource(seed))
		lower := number(t, lowerFiles(t))
		dir := t.TempDir()
		fs := openLasting(t, dir, lower)
		w := newTwinOf(t, fs)
		for range 40 {
			before, old, length := dump(t, fs), copyFolder(t, dir, ""), journalLength(t, dir)
			// Unlink, rename, link and the like change no content in place.
			op := []byte{2, 3, 4, 5, 6, 7, 8, 10, 11}[rnd.Intn(9)]
			w.step(op, byte(rnd.Intn(256)), byte(rnd.Intn(256)))
			now := journalLength(t, dir)
			if now == length {
				continue
			}
			torn++
			for _, at := range []int64{length + rnd.Int63n(now-length), now - 1} {
				dead := copyFolder(t, dir, old)
				cut(t, dead, at)
				if got := dump(t, openLasting(t, dead, lower)); got != before {
					t.Fatalf("%s\ncut at %d of %d to %d it shows\n%s, before it was\n%s", strings.Join(w.log, "\n"), at, length, now, got, before)
				}
			}
		}
	}
	if torn < 30 {
		t.Errorf("only %d changes were torn", torn)
	}
}

// journalLength is where the zeros begin behind the last change.
func journalLength(t *testing.T, dir string) int64 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return int64(n)
}

// cut puts garbage into the journal from a place on. Its first byte is none
// that could have been there.
func cut(t *testing.T, dir string, at int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	garbage := []byte("garbage")
	if _, err := f.ReadAt(garbage[:1], at); err != nil {
		t.Fatal(err)
	}
	garbage[0] ^= 0xff
	if _, err := f.WriteAt(garbage, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(at + 7); err != nil {
		t.Fatal(err)
	}
}

// TestPrivateAttributes keeps guests, and images, from the records.
func TestPrivateAttributes(t *testing.T) {
	lower := memfs.New(memfs.Config{})
	if err := lower.Add("f", memfs.Entry{Mode: 0o644, Xattrs: map[string][]byte{"user.a": []byte("b"), "alpinevm.overlay.names": []byte("ffff")}}); err != nil {
		t.Fatal(err)
	}
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := root.Walk("f")
	if err != nil {
		t.Fatal(err)
	}
	for _, copied := range []bool{false, true} {
		if copied {
			if err := n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
		}
		if names, err := n.Xattrs(); err != nil || fmt.Sprint(names) != "[user.a]" {
			t.Errorf("attributes %q, %v", names, err)
		}
		for _, name := range []string{"alpinevm.overlay.names", "alpinevm.overlay.origin"} {
			if _, err := n.Xattr(name); err != fs9p.ENODATA {
				t.Errorf("%s: %v", name, err)
			}
			if err := n.SetXattr(name, []byte("1"), 0); err != fs9p.EOPNOTSUPP {
				t.Errorf("set %s: %v", name, err)
			}
			if err := n.RemoveXattr(name); err != fs9p.ENODATA {
				t.Errorf("remove %s: %v", name, err)
			}
		}
	}
}
