package hostfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

var fixed = time.Unix(1_000_000_000, 0)

func open(t testing.TB, dir string) *FS {
	t.Helper()
	fs, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

func dial(t testing.TB, dir string) *fstest.Client {
	return fstest.Dial(t, fs9p.Config{FS: open(t, dir)})
}

// without is what the portable parts do not have.
func without() []fstest.Feature {
	switch runtime.GOOS {
	case "windows", "js":
		return []fstest.Feature{
			fstest.Devices, fstest.Symlinks, fstest.Links, fstest.Modes, fstest.Xattrs, fstest.Sparse, fstest.Unlinked,
		}
	}
	return nil
}

func TestSuite(t *testing.T) {
	fstest.Run(t, func(t *testing.T) fs9p.FS { return open(t, t.TempDir()) }, without()...)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHostSees(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "from-host"), []byte("host"), 0o640))
	c := dial(t, dir)
	if s := c.Cat(c.Root, "from-host"); s != "host" {
		t.Errorf("%q", s)
	}
	fi, err := os.Stat(filepath.Join(dir, "from-host"))
	check(t, err)
	want := attrOf(fi)
	if a := c.StatAt(c.Root, "from-host").Attr; a.UID != want.UID || a.GID != want.GID || a.Mtime != want.Mtime {
		t.Errorf("%+v, the host says %+v", a, want)
	}
	c.Put(c.Root, "from-guest", "guest")
	if b, err := os.ReadFile(filepath.Join(dir, "from-guest")); err != nil || string(b) != "guest" {
		t.Errorf("%q, %v", b, err)
	}
	// What the host does is seen, and does not mix up files.
	held := c.MustOpen(c.Root, "from-guest", fs9p.ORdwr)
	path := c.At(c.Root, "from-guest")
	check(t, os.Rename(filepath.Join(dir, "from-host"), filepath.Join(dir, "from-guest")))
	if s := c.Cat(c.Root, "from-guest"); s != "host" {
		t.Errorf("%q", s)
	}
	if s := c.Slurp(held); s != "guest" {
		t.Errorf("through an open fid: %q", s)
	}
	// What had the name is there as long as it is open, and not mixed up with
	// what has it now.
	if a := c.Stat(path).Attr; a.Size != 5 || a.Nlink != 0 {
		t.Errorf("what is open: %+v", a)
	}
	again := c.MustOpen(path, "", fs9p.ORdwr|fs9p.OTrunc)
	if s := c.Slurp(held); s != "" {
		t.Errorf("what was truncated: %q", s)
	}
	c.Clunk(held, again, path)
	path = c.At(c.Root, "from-guest")
	check(t, os.WriteFile(filepath.Join(dir, "new"), []byte("host"), 0o640))
	check(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "from-guest")))
	_, e := c.Call(&fs9p.Tgetattr{Fid: path})
	c.Want(e, fs9p.ESTALE)
	_, e = c.Call(&fs9p.Tlopen{Fid: path, Flags: fs9p.ORdwr | fs9p.OTrunc})
	c.Want(e, fs9p.ESTALE)
	if s := c.Cat(c.Root, "from-guest"); s != "host" {
		t.Errorf("another file was truncated: %q", s)
	}
}

func TestNew(t *testing.T) {
	if _, err := New(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a folder that is not there was opened")
	}
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	if _, err := New(file); err == nil {
		t.Error("a file was opened as a folder")
	}
	fs := open(t, t.TempDir())
	check(t, fs.Close())
}

func TestAttachBelow(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	c := dial(t, dir)
	root := c.Fid()
	c.Must(c.Call(&fs9p.Tattach{Fid: root, AFid: fstest.NoFid, Aname: "a/b"}))
	if c.StatAt(root, "../../..").QID != c.StatAt(c.Root, "a/b").QID {
		t.Error("dot dot leads out of what was attached")
	}
	_, e := c.Call(&fs9p.Tattach{Fid: c.Fid(), AFid: fstest.NoFid, Aname: "../../../../etc"})
	c.Want(e, fs9p.ENOENT)
}

// TestManyDirectories holds more directories than are kept open.
func TestManyDirectories(t *testing.T) {
	c := dial(t, t.TempDir())
	dir := c.Root
	var fids []uint32
	for i := range maxFolders + 100 {
		name := fmt.Sprint("d", i)
		c.OK(c.Mkdir(dir, name, 0o755))
		fid := c.At(dir, name)
		c.Put(fid, "file", name)
		fids = append(fids, fid)
		if i%60 == 0 {
			dir = fid // some are deep
		}
	}
	for i := len(fids) - 1; i >= 0; i-- {
		if s := c.Cat(fids[i], "file"); s != fmt.Sprint("d", i) {
			t.Fatalf("directory %d holds %q", i, s)
		}
	}
	// A chain that moves is found at its new place.
	c.OK(c.Rename(c.Root, "d0", c.Root, "moved"))
	for i := range fids {
		c.Cat(fids[i], "file")
	}
}

// TestNoLeak counts what is left when all fids are gone.
func TestNoLeak(t *testing.T) {
	fs := open(t, t.TempDir())
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	for i := range 20 {
		name := fmt.Sprint("f", i)
		c.Put(c.Root, name, "x")
		fid := c.MustOpen(c.Root, name, fs9p.ORdwr)
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID, UID: 77}))
		c.OK(c.Unlink(c.Root, name, 0))
		c.Slurp(fid)
		c.OK(c.Mkdir(c.Root, name, 0o755))
		dir := c.At(c.Root, name)
		c.OK(c.Unlink(c.Root, name, fs9p.RemoveDir))
		c.Clunk(fid, dir)
	}
	c.Close()
	if fs.live.Len() != 1 || fs.inodes() != 0 || len(fs.dying) != 0 || fs.top.refs != 1 || fs.files != 0 || fs.folders.Len() != 0 {
		t.Errorf("%d inodes live, %d there, %d dying, the top is held %d times, %d files and %d directories open",
			fs.live.Len(), fs.inodes(), len(fs.dying), fs.top.refs, fs.files, fs.folders.Len())
	}
	if s := fs.kept; s.owners.Len() != 0 || s.extras.Len() != 0 || s.bytes != 0 {
		t.Errorf("of files that are gone %d owners and %d extras of %d bytes are kept", s.owners.Len(), s.extras.Len(), s.bytes)
	}
	check(t, fs.Close())
}

// setXattr does what v9fs does for setxattr(2).
func setXattr(c *fstest.Client, file uint32, name, value string, flags uint32) fs9p.Errno {
	c.TB.Helper()
	fid := c.At(file, "")
	if _, e := c.Call(&fs9p.Txattrcreate{Fid: fid, Name: name, Size: uint64(len(value)), Flags: flags}); e != 0 {
		c.Clunk(fid)
		return e
	}
	if value != "" {
		if _, e := c.Write(fid, 0, []byte(value)); e != 0 {
			return e
		}
	}
	_, e := c.Call(&fs9p.Tclunk{Fid: fid})
	return e
}

// xattr does what v9fs does for getxattr(2), or listxattr(2) where name is empty.
func xattr(c *fstest.Client, file uint32, name string) (string, fs9p.Errno) {
	c.TB.Helper()
	fid := c.Fid()
	if _, e := c.Call(&fs9p.Txattrwalk{Fid: file, NewFid: fid, Name: name}); e != 0 {
		return "", e
	}
	defer c.Clunk(fid)
	return c.Slurp(fid), 0
}
