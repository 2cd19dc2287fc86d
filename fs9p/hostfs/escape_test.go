//go:build unix

package hostfs

import (
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// trap makes a folder to serve beside one that must not be touched.
func trap(t *testing.T) (dir, outside string, untouched func()) {
	base := t.TempDir()
	dir, outside = filepath.Join(base, "shared"), filepath.Join(base, "outside")
	check(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	check(t, os.Mkdir(outside, 0o755))
	secret := filepath.Join(outside, "secret")
	check(t, os.WriteFile(secret, []byte("secret"), 0o600))
	check(t, os.Chtimes(secret, fixed, fixed))
	return dir, outside, func() {
		t.Helper()
		list, err := os.ReadDir(outside)
		check(t, err)
		fi, err := os.Stat(secret)
		check(t, err)
		b, _ := os.ReadFile(secret)
		if len(list) != 1 || string(b) != "secret" || fi.Mode() != 0o600 || !fi.ModTime().Equal(fixed) {
			t.Fatalf("the folder outside holds %v; secret: %q, %v", list, b, fi)
		}
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	dir, outside, untouched := trap(t)
	for name, target := range map[string]string{
		"abs": outside, "rel": "../outside", "file": "../outside/secret", "inside": "sub", "self": ".", "up": "..",
	} {
		check(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	c := dial(t, dir)
	for _, name := range []string{"abs", "rel", "file", "inside", "self", "up"} {
		fid := c.At(c.Root, name)
		if q := c.Stat(fid).QID; q.Type != fs9p.QTSymlink {
			t.Errorf("%s is %v", name, q)
		}
		_, e := c.Walk(fid, "secret")
		c.Want(e, fs9p.ENOTDIR)
		for _, flags := range []uint32{fs9p.ORdonly, fs9p.ORdwr, fs9p.OWronly | fs9p.OTrunc} {
			_, e = c.Open(c.Root, name, flags)
			c.Want(e, fs9p.ELOOP)
		}
		_, e = c.Create(c.Root, name, fs9p.ORdwr|fs9p.OTrunc, 0o666)
		c.Want(e, fs9p.ELOOP)
		c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o777})
		c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMtime})
		c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID, UID: uint32(os.Getuid())})
		c.Call(&fs9p.Txattrcreate{Fid: c.At(fid, ""), Name: "user.x"})
		c.Must(c.Call(&fs9p.Tlink{Dir: c.Root, Fid: fid, Name: name + "2"}))
	}
	for _, name := range []string{"..", "../outside", "sub/../../outside", "/", "\x00"} {
		if _, e := c.Create(c.Root, name, fs9p.ORdwr, 0o666); e == 0 {
			t.Errorf("created %q", name)
		}
		if e := c.Rename(c.Root, "sub", c.Root, name); e == 0 {
			t.Errorf("renamed to %q", name)
		}
	}
	if c.StatAt(c.Root, "..").QID != c.Stat(c.Root).QID {
		t.Error("dot dot leads out")
	}
	untouched()
}

// TestSwapped puts links out of the folder in the place of directories that
// the guest holds.
func TestSwapped(t *testing.T) {
	dir, outside, untouched := trap(t)
	check(t, os.WriteFile(filepath.Join(dir, "sub", "secret"), []byte("mine"), 0o644))
	fs := open(t, dir)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	sub := c.At(c.Root, "sub")
	file := c.At(c.Root, "sub/secret")
	check(t, os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "elsewhere")))
	check(t, os.Symlink(outside, filepath.Join(dir, "sub")))
	attack := func() {
		c.Create(sub, "new", fs9p.OWronly, 0o666)
		c.Mkdir(sub, "newdir", 0o777)
		c.Unlink(sub, "secret", 0)
		c.Rename(sub, "secret", c.Root, "taken")
		c.Rename(c.Root, "elsewhere", sub, "given")
		c.Setattr(file, fs9p.SetAttr{Valid: fs9p.SetSize})
		c.Setattr(file, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o777})
		c.Setattr(file, fs9p.SetAttr{Valid: fs9p.SetMtime})
		c.Call(&fs9p.Tlink{Dir: c.Root, Fid: file, Name: "linked"})
		if fid, e := c.Walk(file, ""); e == 0 {
			c.Call(&fs9p.Tlopen{Fid: fid, Flags: fs9p.ORdwr | fs9p.OTrunc})
		}
		untouched()
	}
	attack()
	// The same with the directory's descriptor closed.
	for fs.folders.Len() > 0 {
		fs.closeFolder(fs.folders.Back().Value.(*inode))
	}
	attack()
}

// TestRace swaps while the guest works. Whatever comes of it, it is inside.
func TestRace(t *testing.T) {
	dir, outside, untouched := trap(t)
	c := dial(t, dir)
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		sub, away, link := filepath.Join(dir, "sub"), filepath.Join(dir, "away"), filepath.Join(dir, "link")
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Symlink(outside, link)
			os.Rename(sub, away)
			os.Rename(link, sub)
			os.Remove(sub)
			os.Rename(away, sub)
		}
	})
	for range 300 {
		fid, e := c.Walk(c.Root, "sub")
		if e != 0 {
			continue
		}
		if f, e := c.Create(fid, "new", fs9p.OWronly, 0o666); e == 0 {
			c.Write(f, 0, []byte("x"))
			c.Clunk(f)
		}
		c.Unlink(fid, "secret", 0)
		c.Rename(fid, "new", c.Root, "new")
		c.Rename(c.Root, "new", fid, "newer")
		c.Unlink(fid, "newer", 0)
		c.Clunk(fid)
	}
	close(stop)
	done.Wait()
	untouched()
}

// TestFIFO: one that takes a file's place must not stop the server.
func TestFIFO(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	check(t, os.WriteFile(path, nil, 0o600))
	c := dial(t, dir)
	fid := c.At(c.Root, "f")
	check(t, os.Remove(path))
	check(t, syscall.Mkfifo(path, 0o600))
	_, e := c.Call(&fs9p.Tlopen{Fid: fid, Flags: fs9p.ORdwr})
	if e == 0 {
		t.Error("opened")
	}
	_, e = c.Open(c.Root, "f", fs9p.ORdonly)
	c.Want(e, fs9p.ENXIO)
	if a := c.StatAt(c.Root, "f").Attr; a.Mode&fs9p.ModeType != fs9p.ModeFIFO {
		t.Errorf("%+v", a)
	}
}

// TestDevicesAreNotMade: not even by root.
func TestDevicesAreNotMade(t *testing.T) {
	dir := t.TempDir()
	c := dial(t, dir)
	c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "sda", Mode: fs9p.ModeBlock | 0o666, Major: 8}))
	fi, err := os.Lstat(filepath.Join(dir, "sda"))
	check(t, err)
	if !fi.Mode().IsRegular() || fi.Mode().Perm() != 0o600 || fi.Size() != 0 {
		t.Errorf("on the host: %v", fi)
	}
	if a := c.StatAt(c.Root, "sda").Attr; a.Mode != fs9p.ModeBlock|0o666 || a.Rdev != fs9p.MakeDev(8, 0) {
		t.Errorf("in the guest: %+v", a)
	}
	_, e := c.Call(&fs9p.Tlopen{Fid: c.At(c.Root, "sda"), Flags: fs9p.ORdwr})
	c.Want(e, fs9p.ENXIO)
}

// TestInodeNumberComesBack: the host gives a new file the number of one that
// is gone, while the guest still holds that.
func TestInodeNumberComesBack(t *testing.T) {
	c := dial(t, t.TempDir())
	for range 20 {
		c.OK(c.Mkdir(c.Root, "d", 0o700))
		gone := c.At(c.Root, "d")
		was := c.Stat(gone)
		c.OK(c.Unlink(c.Root, "d", fs9p.RemoveDir))
		c.OK(c.Mkdir(c.Root, "d", 0o755))
		if now := c.StatAt(c.Root, "d").QID; now == was.QID {
			t.Fatal("the same QID")
		}
		if r := c.Stat(gone); r.QID != was.QID || r.Attr.Mode != was.Attr.Mode || r.Attr.Nlink != 0 {
			t.Fatalf("what is gone has become %+v", r)
		}
		c.OK(c.Unlink(c.Root, "d", fs9p.RemoveDir))
	}
}

// TestServedTwice: two servers of one folder do not disturb each other.
func TestServedTwice(t *testing.T) {
	dir := t.TempDir()
	a, b := dial(t, dir), dial(t, dir)
	a.Put(a.Root, "f", "one")
	fid := b.MustOpen(b.Root, "f", fs9p.ORdwr)
	a.OK(a.Unlink(a.Root, "f", 0))
	if s := b.Slurp(fid); s != "one" {
		t.Errorf("%q", s)
	}
	_, e := b.Walk(b.Root, "f")
	b.Want(e, fs9p.ENOENT)
	log1, e := a.Create(a.Root, "log", fs9p.OWronly|fs9p.OAppend, 0o644)
	a.OK(e)
	log2 := b.MustOpen(b.Root, "log", fs9p.OWronly|fs9p.OAppend)
	a.WriteAll(log1, 0, []byte("a"))
	b.WriteAll(log2, 0, []byte("b"))
	a.WriteAll(log1, 0, []byte("a"))
	if s := b.Cat(b.Root, "log"); s != "aba" {
		t.Errorf("%q", s)
	}
}

// TestIOFS: who reads the folder as the host's programs do cannot leave it.
func TestIOFS(t *testing.T) {
	dir, outside, untouched := trap(t)
	check(t, os.Symlink(outside, filepath.Join(dir, "out")))
	check(t, os.Symlink("../../outside", filepath.Join(dir, "sub", "out")))
	check(t, os.WriteFile(filepath.Join(dir, "sub", "file"), []byte("inside"), 0o600))
	fs, err := New(dir)
	check(t, err)
	defer fs.Close()
	if b, err := iofs.ReadFile(fs.IOFS(), "sub/file"); string(b) != "inside" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for _, name := range []string{"out/secret", "sub/out/secret", "../outside/secret"} {
		if b, err := iofs.ReadFile(fs.IOFS(), name); err == nil {
			t.Errorf("%s: %q", name, b)
		}
	}
	untouched()
}
