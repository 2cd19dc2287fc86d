package overlay_test

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// tell tells what a Node is, but for atime.
func tell(t testing.TB, n fs9p.Node) string {
	t.Helper()
	a, err := n.Attr()
	if err != nil {
		t.Fatal(err)
	}
	a.Atime = fs9p.Timespec{}
	s := fmt.Sprintf("%v %+v", n.QID(), a)
	switch a.Mode & fs9p.ModeType {
	case fs9p.ModeRegular:
		s += fmt.Sprintf(" %x", digest(t, n, a.Size))
	case fs9p.ModeDir:
		up, err := n.Walk("..")
		if err != nil {
			t.Fatal(err)
		}
		defer up.Release()
		s += fmt.Sprintf(" in %v:", up.QID())
		for _, d := range entries(t, n) {
			s += " " + d.Name
		}
	}
	return s
}

// everything gives what there is in a tree, by number.
func everything(t testing.TB, fs fs9p.FS) map[uint64]string {
	t.Helper()
	found := map[uint64]string{}
	var visit func(n fs9p.Node)
	visit = func(n fs9p.Node) {
		defer n.Release()
		found[n.QID().Path] = tell(t, n)
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
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	visit(root)
	return found
}

// checkNumbers finds everything by number, when nobody holds anything.
func checkNumbers(t testing.TB, fs fs9p.Numbered, want map[uint64]string) {
	t.Helper()
	for id, s := range want {
		n, err := fs.Inode(id)
		if err != nil {
			t.Fatalf("%s is not found: %v", s, err)
		}
		if got := tell(t, n); got != s {
			t.Fatalf("%s is found as %s", s, got)
		}
		n.Release()
	}
}

// TestNumbers finds files by number after all that can happen to them.
func TestNumbers(t *testing.T) {
	for seed := range int64(40) {
		rnd := rand.New(rand.NewSource(seed))
		w := newTwin(t)
		for range 60 {
			w.step(byte(rnd.Intn(256)), byte(rnd.Intn(256)), byte(rnd.Intn(256)))
		}
		w.closeAll()
		fs := w.fs[0].(*overlay.FS)
		all := everything(t, fs)
		checkNumbers(t, fs, all)
		for id := uint64(1); id < 400; id += 2 { // those of the upper, ours among them
			if n, err := fs.Inode(id); err == nil {
				if all[id] == "" {
					t.Fatalf("%d is none of the guest's, and found as %s", id, tell(t, n))
				}
				n.Release()
			}
		}
	}
}

// TestSaved saves a union while files are held, with names and without, and goes
// on with what is made of that.
func TestSaved(t *testing.T) {
	nameless := 0
	for seed := range int64(100) {
		rnd := rand.New(rand.NewSource(seed))
		lower := number(t, lowerFiles(t))
		upper := memfs.New(memfs.Config{})
		fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
		if err != nil {
			t.Fatal(err)
		}
		w := newTwinOf(t, fs)
		for range 6 {
			for range 25 {
				w.step(byte(rnd.Intn(256)), byte(rnd.Intn(256)), byte(rnd.Intn(256)))
			}
			// The fids that are open, as a table of numbers.
			held := map[int]uint64{}
			want := map[uint64]string{}
			for slot, fids := range w.open {
				if fids != nil {
					held[slot] = w.c[0].Stat(fids[w.c[0]]).QID.Path
				}
			}
			for _, id := range held {
				n, err := fs.Inode(id)
				if err != nil {
					t.Fatal(err)
				}
				if a, _ := n.Attr(); a.Nlink == 0 {
					nameless++
				}
				want[id] = tell(t, n)
				n.Release()
			}
			below, above := upper.Save(), fs.Save()
			if upper, err = memfs.Restore(memfs.Config{}, below); err != nil {
				t.Fatal(err)
			}
			if fs, err = overlay.New(overlay.Config{Upper: upper, Lower: lower, State: above}); err != nil {
				t.Fatalf("%s\n: %v", strings.Join(w.log, "\n"), err)
			}
			w.log = append(w.log, "saved and restored")
			checkNumbers(t, fs, want)
			w.fs[0] = fs
			w.c[0] = fstest.Dial(t, fs9p.Config{FS: numbers{fs}})
			for slot, id := range held {
				fid := w.c[0].Fid()
				w.c[0].Must(w.c[0].Call(&fs9p.Tattach{Fid: fid, AFid: fstest.NoFid, Aname: fmt.Sprint(id)}))
				w.c[0].Must(w.c[0].Call(&fs9p.Tlopen{Fid: fid, Flags: w.how[slot]}))
				w.open[slot] = kept{w.c[0]: fid, w.c[1]: w.open[slot][w.c[1]]}
			}
			fs.Settle()
			w.end()
		}
		w.closeAll()
		checkNumbers(t, fs, everything(t, fs))
		if saved := fs.Save(); len(saved.Files) != 0 {
			t.Fatalf("%d files without a name are held by nobody", len(saved.Files))
		}
	}
	if nameless < 10 {
		t.Errorf("only %d files had no name", nameless)
	}
}

// numbers is an FS that can be attached to any inode, by number.
type numbers struct{ *overlay.FS }

func (n numbers) Attach(aname string) (fs9p.Node, error) {
	var id uint64
	if _, err := fmt.Sscan(aname, &id); err != nil {
		return n.FS.Attach(aname)
	}
	return n.FS.Inode(id)
}

// TestHostileState has states that no FS has saved.
func TestHostileState(t *testing.T) {
	for _, files := range [][]overlay.NamelessFile{
		{{ID: 4, Parent: 4}},
		{{ID: 4, Parent: 6}, {ID: 6, Parent: 4}},
		{{ID: 1 << 40}, {ID: 1<<63 + 1, Upper: 5, Parent: 1 << 40}},
		{{ID: 4, Upper: 1}}, {{ID: 4, Upper: 1 << 50}}, {{ID: 0, Upper: 3}},
	} {
		fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: number(t, lowerFiles(t)), State: &overlay.State{Files: files}})
		if err != nil {
			continue
		}
		for id := range uint64(40) {
			if n, err := fs.Inode(id); err == nil {
				n.Walk("..")
				n.Attr()
				n.Release()
			}
		}
		fs.Settle()
	}
}
