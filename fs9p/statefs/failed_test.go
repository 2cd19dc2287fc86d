package statefs

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestFailedSync has one fsync that fails, wherever there is one, and others
// behind it that do not: the first failure is the last. The machine is told,
// everything that would change something is refused, and so is every Sync, since
// it would be a lie; what is there can be read.
func TestFailedSync(t *testing.T) {
	value := []byte(strings.Repeat("v", 60_000))
	sync := func(c *fstest.Client, path string) fs9p.Errno {
		_, e := c.Call(&fs9p.Tfsync{Fid: c.MustOpen(c.Root, path, fs9p.ORdonly)})
		return e
	}
	for what, tt := range map[string]struct {
		of string // in the name of what is synced
		do func(c *fstest.Client, f *FS)
	}{
		"the journal, for a folder":   {"/journal", func(c *fstest.Client, f *FS) { c.Want(sync(c, ""), fs9p.EIO) }},
		"the journal, for a file":     {"/journal", func(c *fstest.Client, f *FS) { c.Want(sync(c, "file"), fs9p.EIO) }},
		"a content":                   {"/data/", func(c *fstest.Client, f *FS) { c.Want(sync(c, "file"), fs9p.EIO) }},
		"the folder of a new content": {"/data/02", func(c *fstest.Client, f *FS) { c.Want(sync(c, "file"), fs9p.EIO) }},
		"a content, as copied": {"/data/", func(c *fstest.Client, f *FS) {
			if err := f.Begin(fs9p.ForChange); err != nil {
				t.Fatal(err)
			}
			c.Put(c.Root, "copy", "content")
			if err := f.Commit(); err != nil {
				t.Fatal(err)
			}
			c.Want(sync(c, ""), fs9p.EIO)
		}},
		"the journal, where much waits to be removed": {"/journal", func(c *fstest.Client, f *FS) {
			for i := range maxDoomed + 10 {
				fid, e := c.Create(c.Root, fmt.Sprint(i), fs9p.OWronly, 0o644)
				if e == 0 {
					_, e = c.Write(fid, 0, []byte("content"))
				}
				if e == 0 {
					e = c.Unlink(c.Root, fmt.Sprint(i), 0)
				}
				if e == 0 {
					c.Clunk(fid)
					continue
				}
				if c.Want(e, fs9p.EIO); i < maxDoomed {
					t.Errorf("at file %d", i)
				}
				return
			}
		}},
		"the journal, to be made anew":     {"/journal", bloated(value)},
		"a new journal":                    {"/journal.new", bloated(value)},
		"the folder in which there is one": {"/state", bloated(value)},
		"the journal, at the end":          {"/journal", func(c *fstest.Client, f *FS) { c.Close(); f.Close() }},
	} {
		t.Run(what, func(t *testing.T) {
			d := newTestDisk()
			dir := filepath.Join(t.TempDir(), "state")
			var failed []error
			f, err := Open(Config{Dir: dir, disk: d, Failed: func(err error) { failed = append(failed, err) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.shut)
			c := fstest.Dial(t, fs9p.Config{FS: f})
			c.Put(c.Root, "file", "content")
			if what != "the folder of a new content" {
				c.OK(sync(c, "file"))
			}
			broken := errors.New("the cable is out")
			d.sync = func(name string) error {
				if !strings.Contains(filepath.ToSlash(name)+"/", tt.of+"/") && !strings.Contains(filepath.ToSlash(name), tt.of) ||
					tt.of == "/journal" && strings.HasSuffix(name, ".new") || tt.of == "/state" && name != dir || tt.of == "/data/02" && !strings.HasSuffix(name, "02") {
					return nil
				}
				d.sync = nil // the next one succeeds
				return broken
			}
			tt.do(c, f)
			if d.sync != nil {
				t.Fatal("nothing was synced")
			}
			if len(failed) != 1 || !errors.Is(failed[0], broken) || !errors.Is(failed[0], errFinal) {
				t.Fatalf("the machine was told %v", failed)
			}
			if what == "the journal, at the end" {
				return
			}
			for what, e := range map[string]fs9p.Errno{
				"sync":   sync(c, "file"),
				"folder": sync(c, ""),
				"mkdir":  c.Mkdir(c.Root, "new", 0o755),
				"unlink": c.Unlink(c.Root, "file", 0),
				"mode":   c.Setattr(c.At(c.Root, "file"), fs9p.SetAttr{Valid: fs9p.SetMode}),
				"size":   c.Setattr(c.At(c.Root, "file"), fs9p.SetAttr{Valid: fs9p.SetSize}),
			} {
				if e != fs9p.EIO {
					t.Errorf("%s: %v", what, e)
				}
			}
			if _, e := c.Write(c.MustOpen(c.Root, "file", fs9p.OWronly), 0, []byte("x")); e != fs9p.EIO {
				t.Errorf("write: %v", e)
			}
			if s := c.Cat(c.Root, "file"); s != "content" {
				t.Errorf("%q", s)
			}
			c.Close()
			if err := f.Close(); !errors.Is(err, broken) || len(failed) != 1 {
				t.Errorf("at the end: %v; the machine was told %v", err, failed)
			}
			// What was synced before that is there.
			if s := fstest.Dial(t, fs9p.Config{FS: open(t, dir)}); what != "the folder of a new content" && s.Cat(s.Root, "file") != "content" {
				t.Error("what was synced is lost")
			}
		})
	}
}

// bloated writes until the journal is made anew, for which it is synced.
func bloated(value []byte) func(c *fstest.Client, f *FS) {
	return func(c *fstest.Client, f *FS) {
		n, err := f.Attach("")
		for i := 0; i < 200 && err == nil; i++ {
			value[0] = byte(i)
			err = n.SetXattr("user.v", value, 0)
		}
		n.Release()
		if err != fs9p.EIO {
			c.TB.Errorf("got %v", err)
		}
	}
}

// TestFailedWrite has a disk that takes no data any more. A full one takes none
// either, but that can be mended.
func TestFailedWrite(t *testing.T) {
	for _, tt := range []struct {
		host  error
		of    string
		guest fs9p.Errno
		final bool
	}{
		{syscall.EIO, "data", fs9p.EIO, true},
		{syscall.EIO, "journal", fs9p.EIO, true},
		{syscall.EROFS, "data", fs9p.EIO, true},
		{syscall.EROFS, "journal", fs9p.EIO, true},
		{syscall.ENOSPC, "data", fs9p.ENOSPC, false},
		{syscall.EDQUOT, "data", fs9p.EDQUOT, false},
		{syscall.EFBIG, "data", fs9p.EFBIG, false},
		{syscall.ENOSPC, "journal", fs9p.ENOSPC, false},
		{syscall.EDQUOT, "journal", fs9p.EDQUOT, false},
	} {
		d := newTestDisk()
		dir := t.TempDir()
		failed := 0
		f, err := Open(Config{Dir: dir, disk: d, Failed: func(error) { failed++ }})
		if err != nil {
			t.Fatal(err)
		}
		c := fstest.Dial(t, fs9p.Config{FS: f})
		fid, e := c.Create(c.Root, "file", fs9p.ORdwr, 0o644)
		c.OK(e)
		d.write = func(name string) error {
			if strings.Contains(strings.TrimPrefix(name, dir), tt.of) {
				return tt.host
			}
			return nil
		}
		do := func(i int) fs9p.Errno {
			if tt.of == "journal" {
				return c.Mkdir(c.Root, fmt.Sprint("new", i), 0o755)
			}
			_, e := c.Write(fid, 0, []byte("content"))
			return e
		}
		if e := do(0); e != tt.guest {
			t.Errorf("%v in writing %s: %v", tt.host, tt.of, e)
		}
		d.write = nil
		if e := do(1); (e == fs9p.EIO) != tt.final || failed == 1 != tt.final {
			t.Errorf("after %v in writing %s: %v, told %d times", tt.host, tt.of, e, failed)
		}
		c.Close()
		if err := f.Close(); (err != nil) != tt.final {
			t.Errorf("after %v in writing %s, at the end: %v", tt.host, tt.of, err)
		}
	}
}
