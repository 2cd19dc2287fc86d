//go:build unix

package hostfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/internal/statetest"
)

// TestState: another server of the folder knows who is who, and what the host
// does not hold.
func TestState(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "a/b/host"), []byte("host"), 0o644))
	fs := open(t, dir)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	c.Put(c.At(c.Root, "a"), "guest", "guest")
	c.OK(c.Setattr(c.At(c.Root, "a/guest"), fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetUID, Mode: 0o4755, UID: 1234}))
	c.OK(setXattr(c, c.At(c.Root, "a/b"), "trusted.x", "value", 0))
	c.Must(c.Call(&fs9p.Tmknod{Fid: c.Root, Name: "null", Mode: fs9p.ModeChar | 0o666, Major: 1, Minor: 3}))
	c.Must(c.Call(&fs9p.Tsymlink{Fid: c.Root, Name: "link", Target: "a/b"}))
	c.OK(c.Mkdir(c.Root, "gone", 0o711))
	c.Put(c.Root, "moved", "moved")
	c.Put(c.Root, "replaced", "replaced")
	c.Put(c.Root, "unlinked", "unlinked")
	held := map[string]uint32{}
	for _, name := range []string{".", "a", "a/b/host", "a/guest", "a/b", "null", "link", "gone", "moved", "replaced", "unlinked"} {
		held[name] = c.At(c.Root, name)
	}
	c.OK(c.Unlink(c.Root, "gone", fs9p.RemoveDir))
	c.OK(c.Unlink(c.Root, "unlinked", 0))
	was := map[string]*fs9p.Rgetattr{}
	for name, fid := range held {
		was[name] = c.Stat(fid)
	}
	state := statetest.Copy(t, fs.Save())
	if again := statetest.Copy(t, fs.Save()); fmt.Sprint(again) != fmt.Sprint(state) {
		t.Errorf("the same state is\n%+v\nand\n%+v", state, again)
	}
	check(t, os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "elsewhere")))
	check(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
	check(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "replaced")))

	fs2 := open(t, dir)
	check(t, fs2.Restore(state))
	stale := map[string]fs9p.Errno{"moved": fs9p.ENOENT, "replaced": fs9p.ESTALE, "unlinked": fs9p.ESTALE}
	for name, r := range was {
		for range 2 { // two fids on one file
			n, err := fs2.Inode(r.QID.Path)
			if want := stale[name]; want != 0 {
				if fs9p.ErrnoOf(err) != want {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			a, err := n.Attr()
			if name == "." { // what the host did changed its times
				a = r.Attr
			}
			if r.Attr.Atime = a.Atime; err != nil || a != r.Attr || n.QID() != r.QID {
				t.Errorf("%s is %v %+v, %v\nwas %v %+v", name, n.QID(), a, err, r.QID, r.Attr)
			}
			defer n.Release()
		}
	}
	if _, err := fs2.Inode(12345); err != fs9p.ENOENT {
		t.Errorf("a number that none has: %v", err)
	}
	fs2.Settle()
	c2 := fstest.Dial(t, fs9p.Config{FS: fs2})
	if v, e := xattr(c2, c2.At(c2.Root, "a/b"), "trusted.x"); e != 0 || v != "value" {
		t.Errorf("the attribute is %q, %v", v, e)
	}
	if a := c2.StatAt(c2.Root, "null").Attr; a.Mode != fs9p.ModeChar|0o666 || a.Rdev != fs9p.MakeDev(1, 3) {
		t.Errorf("the device is %+v", a)
	}
	if q := c2.StatAt(c2.Root, "a/b/host").QID; q != was["a/b/host"].QID {
		t.Errorf("the QID is %v", q)
	}
	if err := fs2.Restore(state); !errors.Is(err, ErrState) {
		t.Errorf("a second restore: %v", err)
	}
}

// TestHostileState: what was made up is refused, or comes to nothing.
func TestHostileState(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "d"), 0o755))
	for name, s := range map[string]State{
		"a folder in itself":        {Inodes: []InodeState{{ID: 5, Mark: 1, Kind: fs9p.ModeDir, Parent: 5, Name: "d"}}},
		"two in each other":         {Inodes: []InodeState{{ID: 5, Mark: 1, Parent: 6, Name: "d"}, {ID: 6, Mark: 2, Parent: 5, Name: "d"}}},
		"one above the top":         {Inodes: []InodeState{{ID: 5, Mark: 1, Parent: 7, Name: ".."}}},
		"a name that leads out":     {Inodes: []InodeState{{ID: 5, Mark: 1, Parent: 6, Name: "../../etc"}, {ID: 6, Mark: open(t, dir).top.mark()}}},
		"gone without a parent":     {Inodes: []InodeState{{ID: 5, Gone: true, Kind: fs9p.ModeDir}}},
		"gone in a file":            {Inodes: []InodeState{{ID: 5, Gone: true, Parent: 6, Name: "x"}, {ID: 6, Gone: true}}},
		"set-id bits that are none": {Extras: []ExtraState{{SetID: 1 << 31}}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := open(t, dir)
			if err := fs.Restore(s); err != nil {
				return
			}
			for _, id := range []uint64{5, 6, 7} {
				n, err := fs.Inode(id)
				if err != nil {
					continue
				}
				if a, err := n.Attr(); err == nil && a.Mode&fs9p.ModeType == fs9p.ModeDir && n.QID().Path == 5 {
					t.Errorf("%d is %+v", id, a)
				}
				n.Walk("..")
				n.Walk("d")
			}
		})
	}
	fs := open(t, dir)
	for name, s := range map[string]State{
		"too many inodes": {Inodes: make([]InodeState, maxInodes+1)},
		"too many lives":  {Lives: make([]LifeState, maxLives+1)},
		"too large":       {Extras: []ExtraState{{Xattrs: []XattrState{{Value: make([]byte, maxExtras+1)}}}}},
	} {
		if err := fs.Restore(s); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
