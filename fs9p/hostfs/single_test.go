//go:build unix

package hostfs

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
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

// TestSingleFollowsItsName: the guest holds the file, as it does what it has
// mounted; on the host all kinds of things come to have its name. A regular file
// is seen, nothing else is, and nothing of it.
func TestSingleFollowsItsName(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "shared")
	put := func(content string) { check(t, os.WriteFile(name, []byte(content), 0o644)) }
	put("first")
	s, err := NewFile(name)
	check(t, err)
	c := fstest.Dial(t, fs9p.Config{FS: s})
	fid := c.At(c.Root, "shared")
	was := c.Stat(fid)
	away := func() { check(t, os.Rename(name, filepath.Join(dir, "away"))) }
	for _, tt := range []struct {
		name string
		do   func()
		want string // what the file holds; nothing: there is none
	}{
		{"saved as an editor does", func() {
			check(t, os.WriteFile(name+"~", []byte("second"), 0o644))
			check(t, os.Rename(name+"~", name))
		}, "second"},
		{"written in place", func() { put("third") }, "third"},
		{"removed", func() { check(t, os.Remove(name)) }, ""},
		{"made again", func() { put("fourth") }, "fourth"},
		{"renamed, and made again", func() { away(); put("fifth") }, "fifth"},
		{"a folder with a file of the same name", func() {
			away()
			check(t, os.Mkdir(name, 0o755))
			check(t, os.WriteFile(filepath.Join(name, "shared"), []byte("inner"), 0o644))
			check(t, os.WriteFile(filepath.Join(name, "secret"), []byte("secret"), 0o644))
		}, ""},
		{"no folder any more", func() { check(t, os.RemoveAll(name)); put("sixth") }, "sixth"},
		{"a symbolic link to a file beside it", func() { away(); check(t, os.Symlink("away", name)) }, ""},
		{"a symbolic link to a folder", func() { check(t, os.Remove(name)); check(t, os.Symlink(".", name)) }, ""},
		{"a symbolic link that leads out", func() { check(t, os.Remove(name)); check(t, os.Symlink("/etc/passwd", name)) }, ""},
		{"a fifo", func() { check(t, os.Remove(name)); check(t, syscall.Mkfifo(name, 0o666)) }, ""},
		{"another file", func() { check(t, os.Remove(name)); put("seventh") }, "seventh"},
	} {
		tt.do()
		if tt.want == "" {
			_, e := c.Call(&fs9p.Tgetattr{Fid: fid})
			c.Want(e, fs9p.ENOENT)
			_, e = c.Walk(c.Root, "shared")
			c.Want(e, fs9p.ENOENT)
			for _, flags := range []uint32{fs9p.ORdonly, fs9p.ORdwr, fs9p.ORdwr | fs9p.OTrunc, fs9p.ODirectory} {
				if _, e = c.Open(fid, "", flags); e == 0 {
					t.Errorf("%s: opened", tt.name)
				}
			}
			for _, inner := range []string{"shared", "secret", "..", "."} {
				if _, e := c.Walk(fid, inner); e == 0 {
					t.Errorf("%s: walked to %s", tt.name, inner)
				}
			}
			c.Want(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o777}), fs9p.ENOENT)
			c.Want(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize}), fs9p.ENOENT)
			if list := c.List(c.Root, ""); len(list) != 0 {
				t.Errorf("%s: listed %q", tt.name, list)
			}
			continue
		}
		for _, fid := range []uint32{fid, c.At(c.Root, "shared")} {
			if got := c.Cat(fid, ""); got != tt.want {
				t.Errorf("%s: %q", tt.name, got)
			}
			if r := c.Stat(fid); r.Attr.Size != uint64(len(tt.want)) || r.QID != was.QID {
				t.Errorf("%s: %+v, was %v", tt.name, r, was.QID)
			}
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "away")); err != nil || string(b) != "sixth" {
		t.Errorf("what was renamed holds %q, %v", b, err)
	}
}

// TestSingleOpen: who has the file open when the host replaces it goes on with
// what it has, to the last change.
func TestSingleOpen(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "shared")
	check(t, os.WriteFile(name, []byte("old"), 0o644))
	check(t, os.Link(name, filepath.Join(dir, "backup")))
	s, err := NewFile(name)
	check(t, err)
	c := fstest.Dial(t, fs9p.Config{FS: s})
	fid := c.At(c.Root, "shared")
	held := c.MustOpen(fid, "", fs9p.ORdwr)
	check(t, os.WriteFile(name+"~", []byte("the new one"), 0o644))
	check(t, os.Rename(name+"~", name))
	check(t, os.Chmod(filepath.Join(dir, "backup"), os.ModeSetuid|0o755))
	if a := c.Stat(held).Attr; a.Size != 3 {
		t.Errorf("what is open has %d bytes", a.Size)
	}
	c.WriteAll(held, 0, []byte("OLD"))
	c.OK(c.Setattr(held, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 2}))
	c.OK(c.Setattr(held, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}))
	if got := c.Cat(fid, ""); got != "the new one" {
		t.Errorf("what has the name holds %q", got)
	}
	if a := c.Stat(fid).Attr; a.Mode&fs9p.ModePerm != 0o644 || a.Size != 11 {
		t.Errorf("what has the name is %+v", a)
	}
	fi, err := os.Stat(filepath.Join(dir, "backup"))
	check(t, err)
	if b, _ := os.ReadFile(filepath.Join(dir, "backup")); string(b) != "OL" || fi.Mode() != 0o600 {
		t.Errorf("what was open holds %q, %v", b, fi.Mode())
	}
	c.Clunk(held, fid)
	c.Close()
	if s.fs.files != 0 || s.fs.inodes() != 0 {
		t.Errorf("%d files and %d inodes are left", s.fs.files, s.fs.inodes())
	}
	check(t, s.Close())
}

func TestNewFile(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	check(t, os.Symlink("folder", filepath.Join(dir, "link")))
	for _, name := range []string{"missing", "folder", "link"} {
		if _, err := NewFile(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was opened as a file", name)
		}
	}
}
