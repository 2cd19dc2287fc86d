package storage

import (
	"errors"
	"io"
	"math/rand"
	"runtime"
	"testing"
)

// TestStorage does to files all that can be done, and opens them again.
func TestStorage(t *testing.T) {
	dir := t.TempDir()
	memory := &Memory{}
	for name, open := range map[string]func() (Storage, error){
		"folder": func() (Storage, error) { return OpenDir(dir) },
		"memory": func() (Storage, error) { return memory, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.Open("a")
			if err != nil {
				t.Fatal(err)
			}
			look := func(want string) {
				t.Helper()
				size, err := f.Size()
				b := make([]byte, size+3)
				n, e := f.ReadAt(b, 0)
				if err != nil || e != io.EOF || string(b[:n]) != want {
					t.Errorf("%q, %v, %v; want %q", b[:n], err, e, want)
				}
			}
			look("")
			for _, step := range []struct {
				do   func() error
				want string
			}{
				{func() error { _, err := f.WriteAt([]byte("text"), 2); return err }, "\x00\x00text"},
				{func() error { _, err := f.WriteAt([]byte("XY"), 1); return err }, "\x00XYext"},
				{func() error { return f.Truncate(3) }, "\x00XY"},
				{func() error { return f.Truncate(5) }, "\x00XY\x00\x00"},
				{f.Sync, "\x00XY\x00\x00"},
				{func() error { return errors.Join(f.Close(), s.Close()) }, ""},
			} {
				if err := step.do(); err != nil {
					t.Fatal(err)
				}
				if step.want != "" {
					look(step.want)
				}
			}
			if s, err = open(); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if f, err = s.Open("a"); err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			look("\x00XY\x00\x00")
		})
	}
}

// TestInUse opens a folder that is in use, and a file of it that is open.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(dir); !errors.Is(err, ErrInUse) && runtime.GOOS != "js" { // which has no locks
		t.Errorf("the folder: %v", err)
	}
	f, err := s.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open("a"); !errors.Is(err, ErrInUse) {
		t.Errorf("the file: %v", err)
	}
	if err := errors.Join(f.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenDir(dir); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// TestCrash has what was synced there after a failure, and what was not in part.
func TestCrash(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	var m Memory
	f, _ := m.Open("a")
	f.WriteAt(make([]byte, 2000), 0)
	f.Sync()
	f.WriteAt([]byte("x"), 0)
	f.WriteAt([]byte("y"), 1500)
	seen := map[string]bool{}
	for range 64 {
		c := m.Crash(rnd)
		g, _ := c.Open("a")
		b := make([]byte, 2000)
		if n, _ := g.ReadAt(b, 0); n != 2000 {
			t.Fatalf("%d bytes are left", n)
		}
		seen[string([]byte{b[0], b[1500]})] = true
	}
	if len(seen) != 4 {
		t.Errorf("%v", seen)
	}
	g, _ := m.Copy().Open("a")
	b := make([]byte, 2000)
	if g.ReadAt(b, 0); b[0] != 'x' || b[1500] != 'y' {
		t.Error("what was written is not there for another process")
	}
}
