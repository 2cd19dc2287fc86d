//go:build linux || darwin || freebsd

package hostfs

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestTimes sets the times of everything that has some, to what a guest may
// want: one or both, before 1970, after 2038, 2106 and 2262. What the host's file
// system cannot hold it may clamp, but not wrap.
func TestTimes(t *testing.T) {
	kinds := map[string]func(c *fstest.Client) uint32{
		"file": func(c *fstest.Client) uint32 { c.Put(c.Root, "x", "x"); return c.At(c.Root, "x") },
		"dir":  func(c *fstest.Client) uint32 { c.OK(c.Mkdir(c.Root, "x", 0o755)); return c.At(c.Root, "x") },
		"link": func(c *fstest.Client) uint32 {
			c.Must(c.Call(&fs9p.Tsymlink{Fid: c.Root, Name: "x", Target: "target"}))
			return c.At(c.Root, "x")
		},
		"dangling link": func(c *fstest.Client) uint32 {
			c.Must(c.Call(&fs9p.Tsymlink{Fid: c.Root, Name: "x", Target: "nowhere"}))
			return c.At(c.Root, "x")
		},
		"device": func(c *fstest.Client) uint32 {
			c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "x", Mode: fs9p.ModeChar | 0o600, Major: 1, Minor: 3}))
			return c.At(c.Root, "x")
		},
		"open file": func(c *fstest.Client) uint32 { c.Put(c.Root, "x", "x"); return c.MustOpen(c.Root, "x", fs9p.ORdonly) },
		"file without a name": func(c *fstest.Client) uint32 {
			c.Put(c.Root, "x", "x")
			fid := c.MustOpen(c.Root, "x", fs9p.ORdwr)
			c.OK(c.Unlink(c.Root, "x", 0))
			return fid
		},
	}
	for kind, make := range kinds {
		for _, sec := range []int64{-2_000_000_000, -1, 0, 1<<31 - 1, 1 << 31, 1 << 32, 9_300_000_000, 10_000_000_000, 1 << 40} {
			t.Run(kind+"/"+strconv.FormatInt(sec, 10), func(t *testing.T) {
				dir := t.TempDir()
				check(t, os.WriteFile(filepath.Join(dir, "target"), nil, 0o600))
				c := dial(t, dir)
				target := c.StatAt(c.Root, "target").Attr
				fid := make(c)
				set := func(a fs9p.SetAttr) bool {
					t.Helper()
					switch e := c.Setattr(fid, a); {
					case e == fs9p.EOVERFLOW && strconv.IntSize == 32 && sec > 1<<31-1:
						return false
					default:
						c.OK(e)
					}
					return true
				}
				at, mt := fs9p.Timespec{Sec: sec, Nsec: 111_111_000}, fs9p.Timespec{Sec: sec, Nsec: 222_222_000}
				if !set(fs9p.SetAttr{Valid: fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo, Atime: at, Mtime: mt}) {
					return
				}
				a := c.Stat(fid).Attr
				holds(t, "mtime", a.Mtime, mt)
				if runtime.GOOS == "linux" {
					holds(t, "atime", a.Atime, at)
				}
				// One leaves the other.
				if kind == "file without a name" && runtime.GOOS != "linux" {
					return
				}
				other := fs9p.Timespec{Sec: 1_000_000_000}
				set(fs9p.SetAttr{Valid: fs9p.SetAtime | fs9p.SetAtimeTo, Atime: other})
				if got := c.Stat(fid).Attr.Mtime; got != a.Mtime {
					t.Errorf("mtime has become %v", got)
				}
				set(fs9p.SetAttr{Valid: fs9p.SetMtime})
				if got := c.Stat(fid).Attr.Mtime; got.Sec < 1_600_000_000 || got.Sec > 1<<33 {
					t.Errorf("the present is %v", got)
				}
				if got := c.StatAt(c.Root, "target").Attr; got.Mtime != target.Mtime || got.Ctime != target.Ctime {
					t.Errorf("what the link names has become %+v", got)
				}
			})
		}
	}
}

// holds checks that a time is what was asked for, or the last one that a file
// system has (ext4: 2446).
func holds(t *testing.T, what string, got, want fs9p.Timespec) {
	t.Helper()
	if clamped := want.Sec > 1<<31-1 && got.Sec >= 1<<31-1 && got.Sec < want.Sec; got != want && !clamped {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
