package statefs

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/storage"
)

// extentsOf opens the disk of a storage.
func extentsOf(t testing.TB, s storage.Storage) *extents {
	t.Helper()
	e, err := openExtents(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// all reads all files of a disk, and checks that no block is two files'.
func all(t testing.TB, e *extents) map[string]string {
	t.Helper()
	files, taken := map[string]string{}, int64(0)
	for name, f := range e.files {
		h, err := e.open(name, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(h, 0, f.size))
		if err != nil || int64(len(b)) != f.size {
			t.Fatalf("%s: %d bytes of %d, %v", name, len(b), f.size, err)
		}
		h.Close()
		files[name] = string(b)
		for _, r := range f.runs {
			taken += r.n
		}
	}
	for _, r := range e.limbo {
		taken += r.n
	}
	if taken != e.blocks.taken() {
		t.Errorf("files have %d blocks, and %d are taken", taken, e.blocks.taken())
	}
	return files
}

// scribble does something to a file of a disk and of its model.
func scribble(t testing.TB, e *extents, model map[string]string, rnd *rand.Rand) {
	t.Helper()
	name := fmt.Sprint("d/", rnd.Intn(8))
	old, there := model[name]
	switch rnd.Intn(12) {
	case 0:
		if err := e.remove(name); there != (err == nil) || !there && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("remove: %v", err)
		}
		delete(model, name)
		return
	case 1:
		to := fmt.Sprint("d/", rnd.Intn(8))
		if err := e.rename(name, to); there != (err == nil) {
			t.Fatalf("rename: %v", err)
		}
		if there && name != to {
			model[to] = old
			delete(model, name)
		}
		return
	}
	h, err := e.open(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := []byte(old)
	if rnd.Intn(4) == 0 {
		size := rnd.Intn(40_000)
		if err := h.Truncate(int64(size)); err != nil {
			t.Fatal(err)
		}
		model[name] = string(append(b, make([]byte, max(size-len(b), 0))...)[:size])
		return
	}
	p := bytes.Repeat([]byte{byte(1 + rnd.Intn(255))}, 1+rnd.Intn(3*blockSize))
	off := rnd.Intn(40_000)
	if _, err := h.WriteAt(p, int64(off)); err != nil {
		t.Fatal(err)
	}
	b = append(b, make([]byte, max(off+len(p)-len(b), 0))...)
	copy(b[off:], p)
	model[name] = string(b)
}

// TestExtents compares the disk with a model, through all that can happen to files,
// deaths of the process and new journals.
func TestExtents(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	s, model := &storage.Memory{}, map[string]string{}
	e := extentsOf(t, s)
	for i := range 3000 {
		scribble(t, e, model, rnd)
		switch {
		case i%100 == 50:
			if err := e.log.rewrite(e.snapshot); err != nil {
				t.Fatal(err)
			}
		case i%70 == 30:
			if err := e.syncDir("d"); err != nil {
				t.Fatal(err)
			}
		case i%30 == 20:
			s = s.Copy()
			e = extentsOf(t, s)
		}
		if i%10 == 0 || i > 2990 {
			if got := all(t, e); !maps.Equal(got, model) {
				t.Fatalf("after %d steps:\n%s", i, differences(got, model))
			}
		}
	}
}

// differences tells of which files two differ.
func differences(got, want map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want)) {
		at := 0
		for at < min(len(got[name]), len(want[name])) && got[name][at] == want[name][at] {
			at++
		}
		if got[name] != want[name] {
			fmt.Fprintf(&b, "%s: %d bytes, want %d; they differ at %d\n", name, len(got[name]), len(want[name]), at)
		}
	}
	return b.String()
}

// TestExtentsPower has the host fail again and again: a file that was synced and not
// touched since is what it was, and what is there is always whole.
func TestExtentsPower(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	s, model, synced := &storage.Memory{}, map[string]string{}, map[string]string{}
	e := extentsOf(t, s)
	for i := range 4000 {
		before := maps.Clone(model)
		scribble(t, e, model, rnd)
		maps.DeleteFunc(synced, func(name, text string) bool { return model[name] != before[name] })
		switch rnd.Intn(30) {
		case 0:
			if err := e.syncDir("d"); err != nil {
				t.Fatal(err)
			}
			synced = maps.Clone(model)
		case 1:
			e.compact()
		case 2:
			if err := errors.Join(e.sync(), e.log.rewrite(e.snapshot)); err != nil {
				t.Fatal(err)
			}
			synced = maps.Clone(model)
		case 3:
			crashed := s.Crash(rnd)
			got := all(t, extentsOf(t, crashed))
			for name, text := range synced {
				if got[name] != text {
					t.Fatalf("after %d steps:\n%s", i, differences(got, synced))
				}
			}
			if rnd.Intn(3) == 0 { // goes on with that
				s, e = crashed, extentsOf(t, crashed)
				model, synced = maps.Clone(got), maps.Clone(got)
			}
		}
	}
}

// TestStoragePower is the same with a file system of the guest: what an fsync was
// acknowledged for is there after any failure.
func TestStoragePower(t *testing.T) {
	rnd := rand.New(rand.NewSource(3))
	s := &storage.Memory{}
	f := openIn(t, Config{Storage: s})
	c := fstest.Dial(t, fs9p.Config{FS: f})
	synced := map[string]string{} // files that have not been touched since
	for i := range 600 {
		name := fmt.Sprint(rnd.Intn(20))
		delete(synced, name)
		switch rnd.Intn(6) {
		case 0:
			c.Call(&fs9p.Tunlinkat{Dir: c.Root, Name: name})
		case 1:
			to := fmt.Sprint(rnd.Intn(20))
			delete(synced, to)
			c.Call(&fs9p.Trenameat{OldDir: c.Root, OldName: name, NewDir: c.Root, NewName: to})
		case 2, 3:
			fid, e := c.Open(c.Root, name, fs9p.ORdwr)
			if e == 0 {
				c.WriteAll(fid, uint64(rnd.Intn(9000)), bytes.Repeat([]byte{byte(i)}, 1+rnd.Intn(9000)))
				c.Clunk(fid)
			}
		default:
			fid, e := c.Open(c.Root, name, fs9p.ORdwr)
			if e != 0 {
				fid, e = c.Create(c.Root, name, fs9p.ORdwr, 0o644)
				c.OK(e)
			}
			c.WriteAll(fid, 0, []byte(fmt.Sprint("content ", i)))
			if _, e := c.Call(&fs9p.Tfsync{Fid: fid}); e != 0 {
				t.Fatal(e)
			}
			c.Clunk(fid)
			synced[name] = c.Cat(c.Root, name)
		}
		if i%5 == 0 {
			g := openIn(t, Config{Storage: s.Crash(rnd)})
			d := fstest.Dial(t, fs9p.Config{FS: g})
			for name, text := range synced {
				if got := d.Cat(d.Root, name); got != text {
					t.Fatalf("after %d steps %s has %d bytes %.40q, want %d bytes %.40q", i, name, len(got), got, len(text), text)
				}
			}
			d.Close()
		}
	}
}

// TestStorageFull fills a storage: what takes room is refused and changes nothing, and
// what makes room is possible, in this use and in the next.
func TestStorageFull(t *testing.T) {
	s := &storage.Memory{Limit: 16 << 20}
	var told []string
	cfg := Config{Storage: s, Tell: func(s string) { told = append(told, s) }, Failed: func(err error) { t.Errorf("failed: %v", err) }}
	f := openIn(t, cfg)
	for round := range 3 {
		c := fstest.Dial(t, fs9p.Config{FS: f})
		fillUp(t, c, fmt.Sprint("big", round))
		before := dump(t, f)
		if len(told) == 0 || !strings.Contains(told[0], "is full") {
			t.Errorf("told %q", told)
		}
		if f = again(t, f); dump(t, f) != before {
			t.Error("something else is there after that")
		}
		c = fstest.Dial(t, fs9p.Config{FS: f})
		c.OK(c.Unlink(c.Root, fmt.Sprint("big", round), 0))
		for i := range 100 {
			c.Call(&fs9p.Tunlinkat{Dir: c.Root, Name: fmt.Sprint("big", round, i), Flags: 0x200})
		}
		c.OK(c.Mkdir(c.Root, fmt.Sprint("new", round), 0o755))
		c.Put(c.Root, fmt.Sprint("new file", round), strings.Repeat("x", 1<<20))
	}
}

// TestStorageDamaged changes every byte of a disk's journal: it is refused in one line,
// or nothing is lost.
func TestStorageDamaged(t *testing.T) {
	s := &storage.Memory{}
	e := extentsOf(t, s)
	model := map[string]string{}
	rnd := rand.New(rand.NewSource(4))
	for range 20 {
		scribble(t, e, model, rnd)
	}
	if err := e.sync(); err != nil {
		t.Fatal(err)
	}
	end, name := e.log.end, mapFiles[e.log.place.(*generations).now]
	s.Change(name, func(b []byte) []byte { return b[:end] }) // behind that there is nothing
	step := int64(1)
	if testing.Short() {
		step = 5
	}
	for at := int64(0); at < end; at += step {
		d := s.Copy()
		d.Change(name, func(b []byte) []byte { b[at] ^= 0x10; return b })
		e, err := openExtents(d)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("byte %d: %v", at, err)
			}
			continue
		}
		if got := all(t, e); !maps.Equal(got, model) {
			t.Fatalf("byte %d is changed, and that is not noticed:\n%s", at, differences(got, model))
		}
	}
	for _, size := range []int64{0, 100, framesAt, end - 1} {
		d := s.Copy()
		d.Change(name, func(b []byte) []byte { return b[:size] })
		if _, err := openExtents(d); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut at %d: %v", size, err)
		}
	}
}

// TestStorageFails has each write and sync of a storage fail in turn: what was
// acknowledged before is there, and nothing is acknowledged after.
func TestStorageFails(t *testing.T) {
	for n := range 60 {
		s := &storage.Memory{}
		f := openIn(t, Config{Storage: s})
		c := fstest.Dial(t, fs9p.Config{FS: f})
		c.Put(c.Root, "before", "content")
		c.Must(c.Call(&fs9p.Tfsync{Fid: c.MustOpen(c.Root, "before", fs9p.ORdwr)}))
		left := n
		s.Broken = func(string) error {
			if left--; left < 0 {
				return errors.New("the disk has gone")
			}
			return nil
		}
		acked := -1
		for i := range 20 {
			fid, e := c.Create(c.Root, fmt.Sprint(i), fs9p.ORdwr, 0o644)
			if e != 0 {
				break
			}
			if _, e := c.Write(fid, 0, []byte("content")); e != 0 {
				break
			}
			if _, e := c.Call(&fs9p.Tfsync{Fid: fid}); e != 0 {
				break
			}
			acked = i
		}
		if acked == 19 {
			t.Fatal("nothing has failed")
		}
		if f.failed == nil {
			t.Errorf("%d: the file system goes on", n)
		}
		g := openIn(t, Config{Storage: s.Crash(rand.New(rand.NewSource(int64(n))))})
		d := fstest.Dial(t, fs9p.Config{FS: g})
		for i := -1; i <= acked; i++ {
			name := fmt.Sprint(i)
			if i < 0 {
				name = "before"
			}
			if got := d.Cat(d.Root, name); got != "content" {
				t.Errorf("%d: %s has %q", n, name, got)
			}
		}
	}
}

// FuzzExtents replays any records: no block is two files' after that.
func FuzzExtents(f *testing.F) {
	file := &extentFile{number: 1, name: "a"}
	b := appendName(nil, recordCreate, file)
	b = appendRuns(b, 1, 9000, []run{{0, 0, 2}, {2, 5, 1}})
	f.Add(b)
	f.Add(appendRuns(slices.Clone(b), 1, 100, nil))
	f.Add(appendName(slices.Clone(b), recordRename, &extentFile{number: 1, name: "b"}))
	f.Add(appendNumber(slices.Clone(b), recordRemove, file))
	f.Add(appendRuns(b, 1, 1<<40, []run{{1 << 20, 1 << 20, 1 << 20}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := &extents{files: map[string]*extentFile{}, numbers: map[uint64]*extentFile{}}
		if e.replay(b) != nil {
			return
		}
		var runs []run
		for _, f := range e.files {
			runs = append(runs, f.runs...)
		}
		slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.block, b.block) })
		end, taken := int64(0), int64(0)
		for _, r := range runs {
			if r.block < end || !e.blocks.has(r.block) || !e.blocks.has(r.block+r.n-1) {
				t.Fatalf("block %d is two files', or nobody's", r.block)
			}
			end = r.block + r.n
			taken += r.n
		}
		if taken != e.blocks.taken() {
			t.Fatalf("%d blocks are taken, and %d are files'", e.blocks.taken(), taken)
		}
	})
}
