//go:build unix

package hostfs

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestSingle shares one file of a folder: the others cannot be found, and
// nothing can be done to the folder.
func TestSingle(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "shared"), []byte("shared"), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	check(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	s, err := NewFile(filepath.Join(dir, "shared"))
	check(t, err)
	c := fstest.Dial(t, fs9p.Config{FS: s})
	if got := c.List(c.Root, "."); !slices.Equal(got, []string{"shared"}) {
		t.Errorf("the folder lists %q", got)
	}
	if got := c.Cat(c.Root, "shared"); got != "shared" {
		t.Errorf("the file holds %q", got)
	}
	for _, name := range []string{"secret", "sub", "../" + filepath.Base(dir), "../../etc"} {
		if _, e := c.Walk(c.Root, name); e != fs9p.ENOENT {
			t.Errorf("walk to %s: %v", name, e)
		}
	}
	up := c.At(c.Root, "..")
	_, e := c.Walk(up, "secret")
	c.Want(e, fs9p.ENOENT)
	_, e = c.Create(c.Root, "new", fs9p.ORdwr, 0o644)
	c.Want(e, fs9p.EPERM)
	c.Want(c.Mkdir(c.Root, "new", 0o755), fs9p.EPERM)
	c.Want(c.Unlink(c.Root, "shared", 0), fs9p.EPERM)
	c.Want(c.Unlink(c.Root, "secret", 0), fs9p.EPERM)
	c.Want(c.Rename(c.Root, "shared", c.Root, "other"), fs9p.EPERM)
	c.Want(c.Rename(c.Root, "secret", c.Root, "shared"), fs9p.EPERM)
	c.Want(c.Setattr(c.At(c.Root, "."), fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o777}), fs9p.EPERM)

	file := c.MustOpen(c.Root, "shared", fs9p.OWronly|fs9p.OTrunc)
	c.WriteAll(file, 0, []byte("changed"))
	if b, err := os.ReadFile(filepath.Join(dir, "shared")); err != nil || string(b) != "changed" {
		t.Errorf("the host's file holds %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "secret")); err != nil || string(b) != "secret" {
		t.Errorf("the file beside it holds %q, %v", b, err)
	}
}
