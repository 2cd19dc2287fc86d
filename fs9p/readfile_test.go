package fs9p_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// endless is a file that says it is empty and has no end.
type endless struct{ fs9p.FS }

func (e endless) Attach(aname string) (fs9p.Node, error) {
	n, err := e.FS.Attach(aname)
	return endlessNode{n}, err
}

type endlessNode struct{ fs9p.Node }

func (n endlessNode) Walk(name string) (fs9p.Node, error) {
	c, err := n.Node.Walk(name)
	return endlessNode{c}, err
}

func (n endlessNode) Open(flags uint32) (fs9p.File, error) {
	f, err := n.Node.Open(flags)
	return endlessFile{f}, err
}

type endlessFile struct{ fs9p.File }

func (endlessFile) ReadAt(p []byte, _ uint64) (int, error) { return len(p), nil }

// TestReadFile has the host read what guests and images put in the place of a
// file that is read whole.
func TestReadFile(t *testing.T) {
	const limit = 1000
	m := memfs.New(memfs.Config{})
	root, err := m.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	sized := func(name string, size uint64) {
		n, f, err := root.Create(name, fs9p.ORdwr, 0o644, fs9p.Owner{})
		if err == nil {
			err = errors.Join(n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize, Size: size}), f.Close())
			n.Release()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sized("empty", 0)
	sized("fits", limit)
	sized("over", limit+1)
	sized("tera", 8<<40)
	sized("most", 1<<63-1)
	_, dirErr := root.Mkdir("dir", 0o755, fs9p.Owner{})
	_, fifoErr := root.Mknod("fifo", fs9p.ModeFIFO|0o644, 0, fs9p.Owner{})
	_, loopErr := root.Symlink("loop", "loop", fs9p.Owner{})
	_, linkErr := root.Symlink("link", "/dir/../tera", fs9p.Owner{})
	if err := errors.Join(dirErr, fifoErr, loopErr, linkErr); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		tree fs9p.FS
		size int
		want error
	}{
		{"empty", m, 0, nil},
		{"fits", m, limit, nil},
		{"over", m, 0, fs9p.ErrTooLarge},
		{"tera", m, 0, fs9p.ErrTooLarge},
		{"most", m, 0, fs9p.ErrTooLarge},
		{"link", m, 0, fs9p.ErrTooLarge},
		{"empty", endless{m}, 0, fs9p.ErrTooLarge},
		{"dir", m, 0, fs9p.EISDIR},
		{"fifo", m, 0, fs9p.ENXIO},
		{"loop", m, 0, fs9p.ELOOP},
		{"missing", m, 0, fs.ErrNotExist},
		{strings.Repeat("dir/", 1500) + "f", m, 0, fs9p.ENAMETOOLONG},
	} {
		b, err := fs9p.ReadFile(fs9p.IOFS(tt.tree), tt.name, limit)
		if len(b) != tt.size || !errors.Is(err, tt.want) {
			t.Errorf("%.20s: %d bytes, %v; want %d, %v", tt.name, len(b), err, tt.size, tt.want)
		}
		if tt.want == fs9p.ErrTooLarge && (!strings.Contains(err.Error(), tt.name) || !strings.Contains(err.Error(), "1000 bytes")) {
			t.Errorf("%s: %q has no name or no limit", tt.name, err)
		}
	}
	// One who knows no limit has one all the same.
	for _, name := range []string{"tera", "most"} {
		if _, err := fs.ReadFile(fs9p.IOFS(m), name); !errors.Is(err, fs9p.ErrTooLarge) {
			t.Errorf("fs.ReadFile of %s: %v", name, err)
		}
		sub, err := fs.Sub(fs9p.IOFS(m), "dir")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.ReadFile(sub, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("in a folder: %v", err)
		}
	}
}

// crowded is a folder of more entries than anybody can hold.
type crowded struct{ fs9p.FS }

func (c crowded) Attach(aname string) (fs9p.Node, error) {
	n, err := c.FS.Attach(aname)
	return crowdedNode{n}, err
}

type crowdedNode struct{ fs9p.Node }

func (n crowdedNode) Open(flags uint32) (fs9p.File, error) {
	f, err := n.Node.Open(flags)
	return crowdedFile{f}, err
}

type crowdedFile struct{ fs9p.File }

func (crowdedFile) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	for i := max(cookie, fs9p.DirStart) + 1; emit(fs9p.Dirent{Cookie: i, Type: 8, Name: "f"}); i++ {
	}
	return nil
}

func TestReadDirBounded(t *testing.T) {
	if _, err := fs.ReadDir(fs9p.IOFS(crowded{memfs.New(memfs.Config{})}), "."); !errors.Is(err, fs9p.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}
