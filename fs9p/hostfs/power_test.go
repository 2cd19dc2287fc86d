//go:build unix

package hostfs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// hostMode is what the host itself says of a file.
func hostMode(t *testing.T, name string) uint32 {
	t.Helper()
	fi, err := os.Lstat(name)
	check(t, err)
	return modeOf(fi)
}

// TestSetIDStaysInTheGuest: there is no way to a set-id bit on the host, and
// the guest sees what it has set.
func TestSetIDStaysInTheGuest(t *testing.T) {
	const bits = fs9p.ModeSetUID | fs9p.ModeSetGID
	chmod := func(c *fstest.Client, fid, mode uint32) {
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: mode}))
	}
	for _, tt := range []struct {
		name string
		do   func(c *fstest.Client) // makes x with 0755 and the bits
	}{
		{"create", func(c *fstest.Client) { _, e := c.Create(c.Root, "x", fs9p.ORdwr, 0o755|bits); c.OK(e) }},
		{"mknod", func(c *fstest.Client) {
			c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "x", Mode: fs9p.ModeRegular | 0o755 | bits}))
		}},
		{"mkdir", func(c *fstest.Client) { c.OK(c.Mkdir(c.Root, "x", 0o755|bits)) }},
		{"mkdir in a set-group-ID directory", func(c *fstest.Client) {
			c.OK(c.Mkdir(c.Root, "up", 0o2777))
			up := c.At(c.Root, "up")
			c.OK(c.Mkdir(up, "y", 0o4755))
			c.OK(c.Rename(up, "y", c.Root, "x"))
		}},
		{"chmod", func(c *fstest.Client) { c.Put(c.Root, "x", ""); chmod(c, c.At(c.Root, "x"), 0o755|bits) }},
		{"chmod of a directory", func(c *fstest.Client) {
			c.OK(c.Mkdir(c.Root, "x", 0o700))
			chmod(c, c.At(c.Root, "x"), 0o755|bits)
		}},
		{"chmod of an open file", func(c *fstest.Client) {
			c.Put(c.Root, "x", "")
			chmod(c, c.MustOpen(c.Root, "x", fs9p.ORdonly), 0o755|bits)
		}},
		{"chmod through another name", func(c *fstest.Client) {
			c.Put(c.Root, "y", "")
			c.Must(c.Call(&fs9p.Tlink{Dir: c.Root, Fid: c.At(c.Root, "y"), Name: "x"}))
			chmod(c, c.At(c.Root, "y"), 0o755|bits)
		}},
		{"rename", func(c *fstest.Client) {
			_, e := c.Create(c.Root, "y", fs9p.ORdwr, 0o755|bits)
			c.OK(e)
			c.OK(c.Rename(c.Root, "y", c.Root, "x"))
		}},
		{"with a chown", func(c *fstest.Client) {
			c.Put(c.Root, "x", "")
			c.OK(c.Setattr(c.At(c.Root, "x"), fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetUID, Mode: 0o755 | bits, UID: uint32(os.Getuid())}))
		}},
		{"with a truncation", func(c *fstest.Client) {
			c.Put(c.Root, "x", "some")
			c.OK(c.Setattr(c.At(c.Root, "x"), fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetSize, Mode: 0o755 | bits}))
		}},
		{"again, after a write", func(c *fstest.Client) {
			fid, e := c.Create(c.Root, "x", fs9p.ORdwr, 0o755|bits)
			c.OK(e)
			c.WriteAll(fid, 0, []byte("x"))
			chmod(c, fid, 0o755|bits)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			c := dial(t, dir)
			tt.do(c)
			if m := c.StatAt(c.Root, "x").Attr.Mode & fs9p.ModePerm; m != 0o755|bits {
				t.Errorf("the guest sees %o", m)
			}
			check(t, filepath.Walk(dir, func(name string, fi os.FileInfo, err error) error {
				if m := modeOf(fi); name != dir && m&bits != 0 {
					t.Errorf("on the host %s is %o", name, m)
				}
				return err
			}))
			if m := hostMode(t, filepath.Join(dir, "x")); m&0o777 != 0o755 {
				t.Errorf("on the host x is %o", m)
			}
		})
	}
}

// TestSetIDOfTheHost: what the host has set stays, until the guest changes what
// it stands for.
func TestSetIDOfTheHost(t *testing.T) {
	const file, dir = "file", "dir"
	for _, tt := range []struct {
		name, of   string
		mode       os.FileMode
		do         func(c *fstest.Client, fid uint32)
		host, seen uint32
	}{
		{"look", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) { c.Stat(fid) }, 0o4755, 0o4755},
		{"the same mode", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o4755}))
		}, 0o4755, 0o4755},
		{"a mode without", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o755}))
		}, 0o755, 0o755},
		{"one more bit", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o6755}))
		}, 0o4755, 0o6755},
		{"write", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.WriteAll(c.MustOpen(fid, "", fs9p.OWronly), 0, []byte("changed"))
		}, 0o755, 0o755},
		{"write, and set it again", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.WriteAll(c.MustOpen(fid, "", fs9p.OWronly), 0, []byte("changed"))
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o4755}))
		}, 0o755, 0o4755},
		{"truncate, and set it", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetSize, Mode: 0o4755}))
		}, 0o755, 0o4755},
		{"an attribute that is kept", file, os.ModeSetuid | 0o755, func(c *fstest.Client, fid uint32) {
			c.OK(setXattr(c, fid, "trusted.x", "1", 0))
		}, 0o4755, 0o4755},
		{"a file in a set-group-ID directory", dir, os.ModeSetgid | 0o775, func(c *fstest.Client, fid uint32) {
			c.Put(fid, "f", "")
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o2775}))
		}, 0o2775, 0o2775},
		{"the group of a directory", dir, os.ModeSetgid | 0o775, func(c *fstest.Client, fid uint32) {
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetGID, GID: uint32(os.Getgid())}))
		}, 0o775, 0o2775},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			name := filepath.Join(base, tt.of)
			if tt.of == dir {
				check(t, os.Mkdir(name, 0o755))
			} else {
				check(t, os.WriteFile(name, []byte("some"), 0o755))
			}
			check(t, os.Chmod(name, tt.mode))
			c := dial(t, base)
			tt.do(c, c.At(c.Root, tt.of))
			if m := hostMode(t, name) & fs9p.ModePerm; m != tt.host {
				t.Errorf("on the host %o, want %o", m, tt.host)
			}
			if m := c.StatAt(c.Root, tt.of).Attr.Mode & fs9p.ModePerm; m != tt.seen {
				t.Errorf("in the guest %o, want %o", m, tt.seen)
			}
		})
	}
}

// TestSpecialFilesAreNotMade: not even by root.
func TestSpecialFilesAreNotMade(t *testing.T) {
	for _, tt := range []struct {
		name string
		mode uint32
		rdev uint64
	}{
		{"block", fs9p.ModeBlock | 0o660, fs9p.MakeDev(8, 0)},
		{"char", fs9p.ModeChar | 0o6666, fs9p.MakeDev(1, 1)},
		{"fifo", fs9p.ModeFIFO | 0o666, 0},
		{"socket", fs9p.ModeSocket | 0o1777, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			c := dial(t, dir)
			c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "x", Mode: tt.mode, Major: fs9p.Major(tt.rdev), Minor: fs9p.Minor(tt.rdev)}))
			fid := c.At(c.Root, "x")
			if m := hostMode(t, filepath.Join(dir, "x")); m != fs9p.ModeRegular|0o600 {
				t.Errorf("on the host: %o", m)
			}
			if a := c.Stat(fid).Attr; a.Mode != tt.mode || a.Rdev != tt.rdev || a.Size != 0 {
				t.Errorf("in the guest: %+v", a)
			}
			_, e := c.Call(&fs9p.Tlopen{Fid: c.At(fid, ""), Flags: fs9p.ORdwr})
			c.Want(e, fs9p.ENXIO)
			c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o4700}))
			if a := c.Stat(fid).Attr; a.Mode != tt.mode&fs9p.ModeType|0o4700 {
				t.Errorf("in the guest: %o", a.Mode)
			}
			if m := hostMode(t, filepath.Join(dir, "x")); m != fs9p.ModeRegular|0o600 {
				t.Errorf("on the host: %o", m)
			}
		})
	}
}

// TestXattrsWithPower: of all that a guest may set only what means nothing is
// the host's.
func TestXattrsWithPower(t *testing.T) {
	capability := "\x01\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"
	acl := "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x04\x00\x05\x00\xff\xff\xff\xff\x20\x00\x05\x00\xff\xff\xff\xff"
	for _, tt := range []struct{ name, value string }{
		{"security.capability", capability},
		{"security.selinux", "system_u:object_r:bin_t:s0\x00"},
		{"security.ima", "\x01"},
		{"trusted.overlay.opaque", "y"},
		{"trusted.md5", "\x00\xff"},
		{"system.posix_acl_access", acl},
		{"system.posix_acl_default", acl},
		{"user.overlay.redirect", "/etc"},
		{"user.containers.override_stat", "0:0:4755"},
		{"user.virtfs.uid", "\x00\x00\x00\x00"},
		{"user.mime_type", "text/plain"},
	} {
		for _, kind := range []string{"file", "dir"} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				dir := t.TempDir()
				c := dial(t, dir)
				c.Put(c.Root, "file", "x")
				c.OK(c.Mkdir(c.Root, "dir", 0o755))
				fid := c.At(c.Root, kind)
				c.OK(setXattr(c, fid, tt.name, tt.value, fs9p.XattrCreate))
				c.Want(setXattr(c, fid, tt.name, "", fs9p.XattrCreate), fs9p.EEXIST)
				v, e := xattr(c, fid, tt.name)
				c.OK(e)
				if v != tt.value {
					t.Errorf("read %q", v)
				}
				if list, _ := xattr(c, fid, ""); list != tt.name+"\x00" {
					t.Errorf("listed %q", list)
				}
				onHost := hostXattrs(t, filepath.Join(dir, kind))
				if want := tt.name == "user.mime_type" && runtime.GOOS == "linux"; want != (len(onHost) > 0) {
					t.Errorf("on the host: %q", onHost)
				}
				c.OK(c.Rename(c.Root, kind, c.Root, "moved"))
				v, e = xattr(c, c.At(c.Root, "moved"), tt.name)
				c.OK(e)
				if v != tt.value {
					t.Errorf("after a rename %q", v)
				}
				c.OK(setXattr(c, fid, tt.name, "", fs9p.XattrReplace)) // removexattr
				_, e = xattr(c, fid, tt.name)
				c.Want(e, fs9p.ENODATA)
				c.Want(setXattr(c, fid, tt.name, "", fs9p.XattrReplace), fs9p.ENODATA)
			})
		}
	}
	c := dial(t, t.TempDir())
	for _, name := range []string{"system.nfs4_acl", "btrfs.compression", "com.apple.quarantine", "plain"} {
		c.Want(setXattr(c, c.Root, name, "x", 0), fs9p.EOPNOTSUPP)
	}
	// The next file of the name has none.
	c.Put(c.Root, "f", "x")
	c.OK(setXattr(c, c.At(c.Root, "f"), "trusted.x", "1", 0))
	c.OK(c.Unlink(c.Root, "f", 0))
	c.Put(c.Root, "f", "x")
	if list, _ := xattr(c, c.At(c.Root, "f"), ""); list != "" {
		t.Errorf("a new file has %q", list)
	}
}

// TestNoDefaultACL: a guest whose kernel crashes on one gets none.
func TestNoDefaultACL(t *testing.T) {
	for _, refused := range []bool{false, true} {
		c := fstest.Dial(t, fs9p.Config{FS: open(t, t.TempDir()), NoDefaultACL: refused})
		set, read := fs9p.Errno(0), fs9p.Errno(0)
		if refused {
			set, read = fs9p.EOPNOTSUPP, fs9p.ENODATA
		}
		c.Want(setXattr(c, c.Root, "system.posix_acl_default", "list", 0), set)
		_, e := xattr(c, c.Root, "system.posix_acl_default")
		c.Want(e, read)
		c.OK(setXattr(c, c.Root, "system.posix_acl_access", "list", 0))
	}
}

// TestChangesOfTheGuestHaveATime: what only the guest sees is a change too.
func TestChangesOfTheGuestHaveATime(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(c *fstest.Client, fid uint32) fs9p.Errno
	}{
		{"chmod of a device", func(c *fstest.Client, fid uint32) fs9p.Errno {
			return c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600})
		}},
		{"chown", func(c *fstest.Client, fid uint32) fs9p.Errno {
			return c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID, UID: 1234})
		}},
		{"set-id bits", func(c *fstest.Client, fid uint32) fs9p.Errno {
			return c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o4600})
		}},
		{"an attribute", func(c *fstest.Client, fid uint32) fs9p.Errno { return setXattr(c, fid, "trusted.x", "1", 0) }},
		{"the end of an attribute", func(c *fstest.Client, fid uint32) fs9p.Errno {
			return setXattr(c, fid, "security.x", "", fs9p.XattrReplace)
		}},
	} {
		for _, kind := range []string{"char", "file", "dir", "link"} {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				if kind == "link" && strings.Contains(tt.name, "-id") || kind == "link" && strings.Contains(tt.name, "chmod") {
					return // symbolic links have no mode
				}
				dir := t.TempDir()
				c := dial(t, dir)
				switch kind {
				case "char":
					c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "x", Mode: fs9p.ModeChar | 0o666, Major: 1, Minor: 3}))
				case "file":
					c.Put(c.Root, "x", "x")
				case "dir":
					c.OK(c.Mkdir(c.Root, "x", 0o755))
				case "link":
					c.Must(c.Call(&fs9p.Tsymlink{Fid: c.Root, Name: "x", Target: "y"}))
				}
				fid := c.At(c.Root, "x")
				c.OK(setXattr(c, fid, "security.x", "1", 0))
				before := c.Stat(fid).Attr
				waitForTick(t, dir)
				c.OK(tt.do(c, fid))
				after := c.Stat(fid).Attr
				if !before.Ctime.Before(after.Ctime) {
					t.Errorf("ctime was %v, is %v", before.Ctime, after.Ctime)
				}
				if before.Mtime != after.Mtime {
					t.Errorf("mtime was %v, is %v", before.Mtime, after.Mtime)
				}
			})
		}
	}
}

// waitForTick waits until the clock that the host's file times come from has gone on.
func waitForTick(t *testing.T, dir string) {
	t.Helper()
	name := filepath.Join(dir, "tick")
	defer os.Remove(name)
	var first string
	for i := 0; ; i++ {
		check(t, os.WriteFile(name, []byte{byte(i)}, 0o600))
		fi, err := os.Stat(name)
		check(t, err)
		if now := fmt.Sprint(attrOf(fi).Ctime); first == "" {
			first = now
		} else if now != first {
			return
		}
	}
}
