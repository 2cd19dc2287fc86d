//go:build unix

package hostfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// TestUnderOverlay changes many files of a folder that is the lower of an
// overlay: their numbers leave it room for its own.
func TestUnderOverlay(t *testing.T) {
	dir := t.TempDir()
	const n = 64
	for i := range n {
		d := filepath.Join(dir, fmt.Sprint("d", i))
		check(t, os.Mkdir(d, 0o755))
		check(t, os.WriteFile(filepath.Join(d, "file"), []byte("lower"), 0o644))
	}
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: open(t, dir)})
	check(t, err)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	seen := map[uint64]bool{}
	for i := range n {
		d := c.At(c.Root, fmt.Sprint("d", i))
		file := c.At(d, "file")
		was := c.Stat(file).QID
		c.Put(d, "new", "upper")
		c.WriteAll(c.MustOpen(d, "file", fs9p.OWronly), 0, []byte("UP"))
		if got := c.Cat(d, "file"); got != "UPwer" || c.Stat(file).QID != was {
			t.Fatalf("%q, %v, was %v", got, c.Stat(file).QID, was)
		}
		c.OK(c.Rename(d, "file", c.Root, fmt.Sprint("f", i)))
		for _, q := range []fs9p.QID{was, c.Stat(d).QID, c.StatAt(d, "new").QID} {
			if seen[q.Path] {
				t.Fatalf("two files have the QID %v", q)
			}
			seen[q.Path] = true
		}
	}
}
