package statefs

import (
	"errors"
	"testing"

	"alpinevm/fs9p"
)

// TestLimit fills a file system to its limit, makes room, and finds the same room in
// the next use.
func TestLimit(t *testing.T) {
	const limit = 1 << 20
	dir := t.TempDir()
	open := func() *FS {
		t.Helper()
		f, err := Open(Config{Dir: dir, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	fill := func(f *FS, name string) (written uint64) {
		t.Helper()
		root, err := f.Attach("")
		if err != nil {
			t.Fatal(err)
		}
		defer root.Release()
		n, file, err := root.Create(name, fs9p.OWronly, 0o600, fs9p.Owner{})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Release()
		defer file.Close()
		for data := make([]byte, 100<<10); written <= 2*limit; {
			for i := range data {
				data[i] = byte(i*7 + int(written)) // nothing that a disk packs
			}
			k, err := file.WriteAt(data, written)
			if errors.Is(err, fs9p.ENOSPC) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			written += uint64(k)
		}
		if _, err := file.WriteAt(make([]byte, 10), 0); written > 0 && err != nil {
			t.Errorf("what is there cannot be written over: %v", err)
		}
		return written
	}
	f := open()
	s, err := f.Statfs()
	if err != nil || s.Blocks*uint64(s.BlockSize) > limit || s.BlocksAvail > s.Blocks {
		t.Errorf("an empty one: %+v, %v", s, err)
	}
	first := fill(f, "a")
	if first < limit/2 || first > limit {
		t.Errorf("%d bytes went in", first)
	}
	if s, err := f.Statfs(); err != nil || s.BlocksAvail > 1 {
		t.Errorf("a full one: %+v, %v", s, err)
	}
	if n := fill(f, "b"); n > 8<<10 {
		t.Errorf("%d more bytes went in", n)
	}
	root, err := f.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := root.Unlink(name, false); err != nil {
			t.Fatal(err)
		}
	}
	root.Release()
	if n := fill(f, "c"); n < limit/2 {
		t.Errorf("%d bytes went in once there was room", n)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open()
	defer f.Close()
	if n := fill(f, "d"); n > 64<<10 {
		t.Errorf("%d bytes went in when it was opened again", n)
	}
	root, err = f.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	n, err := root.Walk("d")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Release()
	if err := n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize, Size: 4 * limit}); !errors.Is(err, fs9p.ENOSPC) {
		t.Errorf("a hole beyond the limit: %v", err)
	}
}
