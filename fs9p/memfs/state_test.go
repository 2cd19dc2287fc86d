package memfs

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// text is a Source.
type text struct{ strings.Reader }

func (s *text) ReadAt(p []byte, off uint64) (int, error) {
	n, err := s.Reader.ReadAt(p, int64(off))
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (s *text) Close() error { return nil }

// furnish puts files of all kinds of content into fs, and gives their names.
func furnish(t *testing.T, fs *FS) []string {
	t.Helper()
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	defer c.Server.Close()
	c.Put(c.Root, "empty", "")
	c.Put(c.Root, "small", "small")
	c.Put(c.Root, "large", strings.Repeat("0123456789abcde\n", 20_000))
	c.Put(c.Root, "sparse", "begin")
	f := c.MustOpen(c.Root, "sparse", fs9p.ORdwr)
	c.WriteAll(f, 3*chunkSize-2, []byte("middle"))
	c.OK(c.Setattr(f, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 8 << 40}))
	c.Put(c.Root, "borrowed", "")
	n, err := fs.Inode(c.StatAt(c.Root, "borrowed").QID.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Release()
	if err := fs.Back(n, borrowed(), 200_000); err != nil {
		t.Fatal(err)
	}
	c.WriteAll(c.MustOpen(c.Root, "borrowed", fs9p.OWronly), 100_000, []byte("written"))
	return []string{"empty", "small", "large", "sparse", "borrowed"}
}

func borrowed() fs9p.Source { return &text{*strings.NewReader(strings.Repeat("borrowed", 25_000))} }

// look tells what files hold, as far as anybody would read.
func look(t *testing.T, fs *FS, names []string) string {
	t.Helper()
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	defer c.Server.Close()
	var b strings.Builder
	for _, name := range names {
		fid := c.MustOpen(c.Root, name, fs9p.ORdonly|fs9p.ONoatime)
		a := c.Stat(fid)
		p, e := c.Read(fid, 0, 400_000)
		fmt.Fprintf(&b, "%s %v %+v %v %x\n", name, a.QID, a.Attr, e, sha256.Sum256(p))
	}
	return b.String()
}

// TestState saves and restores a file system, more than once, and goes on with
// all of them: none sees what happens in another.
func TestState(t *testing.T) {
	fs := New(Config{})
	names := furnish(t, fs)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	open, e := c.Create(c.Root, "unlinked", fs9p.ORdwr, 0o600)
	c.OK(e)
	c.WriteAll(open, 0, []byte("still held"))
	id := c.Stat(open).QID.Path
	c.OK(c.Unlink(c.Root, "unlinked", 0))
	state, want := fs.Save(), look(t, fs, names)
	clone := func() *FS {
		fs, err := Restore(Config{}, state)
		if err != nil {
			t.Fatal(err)
		}
		c := fstest.Dial(t, fs9p.Config{FS: fs})
		defer c.Server.Close()
		n, err := fs.Inode(c.StatAt(c.Root, "borrowed").QID.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Release()
		h, err := n.Open(fs9p.ONoatime)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadAt(make([]byte, 10), 0); err != fs9p.EIO {
			t.Errorf("what is not there yet: %v", err)
		}
		h.Close()
		if err := fs.Back(n, borrowed(), fs.Borrowed(n)); err != nil {
			t.Fatal(err)
		}
		return fs
	}
	clones := []*FS{clone(), clone(), clone()}
	for i, fs := range append(clones, fs) {
		if got := look(t, fs, names); got != want {
			t.Errorf("clone %d has\n%.3000s\nand should have\n%.3000s", i, got, want)
		}
		n, err := fs.Inode(id)
		if err != nil {
			t.Fatalf("clone %d: the file without a name: %v", i, err)
		}
		h, err := n.Open(fs9p.ORdonly)
		if err != nil {
			t.Fatal(err)
		}
		n.Release()
		fs.Settle()
		p := make([]byte, 20)
		if k, err := h.ReadAt(p, 0); err != nil || string(p[:k]) != "still held" {
			t.Errorf("clone %d: the file without a name holds %q, %v", i, p[:k], err)
		}
		h.Close()
		if fs != clones[0] {
			continue
		}
		// The first changes what it shares with the others.
		c := fstest.Dial(t, fs9p.Config{FS: fs})
		for _, name := range names {
			for _, off := range []uint64{0, 1000, 3*chunkSize - 1} {
				c.WriteAll(c.MustOpen(c.Root, name, fs9p.OWronly), off, []byte("changed"))
			}
			c.OK(c.Setattr(c.At(c.Root, name), fs9p.SetAttr{Valid: fs9p.SetSize, Size: 1003}))
		}
		for _, name := range names {
			c.OK(c.Unlink(c.Root, name, 0))
		}
		c.Server.Close()
		if n := fs.tree.Used(); n != New(Config{}).tree.Used() {
			t.Errorf("the empty clone holds %d bytes", n)
		}
	}
	c.Clunk(open)
	for i, fs := range []*FS{fs, clones[1]} {
		if _, err := fs.Inode(id); err != fs9p.ENOENT {
			t.Errorf("%d: the file that nobody holds: %v", i, err)
		}
	}
}

// TestStateRefused has states that are none.
func TestStateRefused(t *testing.T) {
	good := func() State {
		fs := New(Config{})
		furnish(t, fs)
		return fs.Save()
	}
	if _, err := Restore(Config{}, good()); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(s *State){
		"no names":         func(s *State) { s.Tree = nil },
		"cut names":        func(s *State) { s.Tree = s.Tree[:len(s.Tree)-1] },
		"no file":          func(s *State) { s.Files[0].ID = 1 },
		"twice":            func(s *State) { s.Files = append(s.Files, s.Files...) },
		"negative size":    func(s *State) { s.Files[0].Size = 1 << 63 },
		"long beginning":   func(s *State) { s.Files[0].First = make([]byte, chunkSize+1) },
		"behind the end":   func(s *State) { s.Files[0].First = make([]byte, 100) },
		"borrows too much": func(s *State) { s.Files[0].Borrowed = s.Files[0].Size + 1 },
		"short chunk":      func(s *State) { s.Files[0].Size, s.Files[0].Chunks = 1<<40, []ChunkState{{1, []byte("x")}} },
		"chunk 0":          func(s *State) { s.Files[0].Chunks = []ChunkState{{0, make([]byte, chunkSize)}} },
		"distant chunk":    func(s *State) { s.Files[0].Chunks = []ChunkState{{1 << 50, make([]byte, chunkSize)}} },
	} {
		s := good()
		spoil(&s)
		if _, err := Restore(Config{}, s); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	if _, err := Restore(Config{Limit: 10_000}, good()); fs9p.ErrnoOf(err) != fs9p.ENOSPC {
		t.Errorf("too large: %v", err)
	}
}
