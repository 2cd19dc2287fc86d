package fs9p_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"alpinevm/fs9p"
	suite "alpinevm/fs9p/fstest"
)

// TestFromIOFS shows file systems of several kinds through the server, and back.
func TestFromIOFS(t *testing.T) {
	files := map[string]string{"t0/file": "hello", "t0/dir/inner": "inside", "t0/big": string(bytes.Repeat([]byte("0123456789"), 30000)), "empty": ""}
	inMemory := fstest.MapFS{}
	dir := t.TempDir()
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, data := range files {
		inMemory[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o640}
		at := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(at), 0o755)
		if err := os.WriteFile(at, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(data))
	}
	z.Close()
	archive, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		f    fs.FS
	}{{"memory", inMemory}, {"folder", os.DirFS(dir)}, {"zip", archive}} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "folder" && runtime.GOOS == "js" {
				t.Skip("not here: a page has no folder of the host's")
			}
			shown := fs9p.FromIOFS(tt.f)
			suite.RunReadOnly(t, shown)
			back := fs9p.IOFS(shown)
			if err := fstest.TestFS(back, "t0/file", "t0/dir/inner", "t0/big", "empty"); err != nil {
				t.Error(err)
			}
			c := suite.Dial(t, fs9p.Config{FS: shown}) // a server that is not read-only itself
			for name, data := range files {
				if got := c.Cat(c.Root, name); got != data {
					t.Errorf("%s: %d bytes, want %d", name, len(got), len(data))
				}
			}
			fid := c.MustOpen(c.Root, "t0/big", fs9p.ORdonly)
			for _, off := range []uint64{250000, 5, 299999, 0} { // back and forth
				if p, e := c.Read(fid, off, 1); e != 0 || len(p) != 1 || p[0] != files["t0/big"][off] {
					t.Errorf("at %d: %q, %v", off, p, e)
				}
			}
			if p, e := c.Read(fid, 1<<40, 10); len(p) != 0 || e != 0 {
				t.Errorf("behind the end: %q, %v", p, e)
			}
			if _, e := c.Walk(c.Root, "../../etc"); e != fs9p.ENOENT {
				t.Errorf("out of the root: %v", e)
			}
			if e := c.Unlink(c.Root, "empty", 0); e != fs9p.EROFS {
				t.Errorf("a file was removed: %v", e)
			}
			if _, e := c.Create(c.Root, "new", fs9p.ORdwr, 0o600); e != fs9p.EROFS {
				t.Errorf("a file was made: %v", e)
			}
		})
	}
}

// counting is a file system whose one file is another one each time.
type counting struct{ n int }

func (c *counting) Open(name string) (fs.File, error) {
	c.n++
	return fstest.MapFS{"count": {Data: fmt.Appendf(nil, "%d", c.n)}}.Open(name)
}

// TestFromIOFSMadeByGo: what a file holds is made when it is opened.
func TestFromIOFSMadeByGo(t *testing.T) {
	c := suite.Dial(t, fs9p.Config{FS: fs9p.FromIOFS(&counting{})})
	first, second := c.Cat(c.Root, "count"), c.Cat(c.Root, "count")
	if first == second || first == "" {
		t.Errorf("%q, then %q", first, second)
	}
}
