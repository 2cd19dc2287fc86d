package memfs

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

func TestSuite(t *testing.T) {
	fstest.Run(t, func(*testing.T) fs9p.FS { return New(Config{}) })
}

func TestLimits(t *testing.T) {
	fs := New(Config{Limit: 1 << 20, Files: 10})
	empty := fs.tree.Used()
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	fid, e := c.Create(c.Root, "f", fs9p.ORdwr, 0o644)
	c.OK(e)
	var off uint64
	for e = 0; e == 0; {
		var n int
		n, e = c.Write(fid, off, make([]byte, 100_000))
		off += uint64(n)
	}
	c.Want(e, fs9p.ENOSPC)
	if off < 1<<19 || off > 1<<20 {
		t.Errorf("%d bytes fit in 1 MiB", off)
	}
	st := c.Must(c.Call(&fs9p.Tstatfs{Fid: c.Root})).(*fs9p.Rstatfs).Statfs
	if st.BlocksFree > 20 || st.Blocks != 256 || st.Files != 10 || st.FilesFree != 9 {
		t.Errorf("%+v", st)
	}
	// The space of an unlinked file comes back with its last fid.
	c.OK(c.Unlink(c.Root, "f", 0))
	if fs.tree.Used() == empty {
		t.Error("an open file holds nothing")
	}
	c.Clunk(fid)
	if used := fs.tree.Used(); used != empty || fs.tree.Names() != 0 {
		t.Errorf("%d bytes and %d files held by an empty file system", used-empty, fs.tree.Names())
	}
	for i := range 10 {
		c.OK(c.Mkdir(c.Root, fmt.Sprint(i), 0o755))
	}
	c.Want(c.Mkdir(c.Root, "x", 0o755), fs9p.ENOSPC)
	c.OK(c.Rename(c.Root, "1", c.Root, "x"))
	c.OK(c.Unlink(c.Root, "x", fs9p.RemoveDir))
	// Attributes and link targets count too.
	before := fs.tree.Used()
	c.Must(c.Call(&fs9p.Tsymlink{Fid: c.Root, Name: "x", Target: "target"}))
	root, _ := fs.Attach("")
	c.OK(fs9p.ErrnoOf(root.SetXattr("user.a", make([]byte, 60_000), 0)))
	if n := fs.tree.Used() - before; n < 60_000 {
		t.Errorf("%d bytes held", n)
	}
	c.OK(fs9p.ErrnoOf(root.SetXattr("user.a", make([]byte, 10), 0)))
	c.OK(fs9p.ErrnoOf(root.RemoveXattr("user.a")))
	c.OK(c.Unlink(c.Root, "x", 0))
	if used := fs.tree.Used(); used != before {
		t.Errorf("%d bytes held", used-before)
	}
}

func TestClock(t *testing.T) {
	now := time.Unix(1000, 5)
	fs := New(Config{Now: func() time.Time { return now }})
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	c.Put(c.Root, "f", "x")
	now = now.Add(time.Second)
	c.Cat(c.Root, "f")
	a := c.StatAt(c.Root, "f").Attr
	if a.Mtime != (fs9p.Timespec{Sec: 1000, Nsec: 5}) || a.Atime != (fs9p.Timespec{Sec: 1001, Nsec: 5}) {
		t.Errorf("%+v", a)
	}
	// As with relatime, the second reading is not noted for a day.
	now = now.Add(time.Hour)
	c.Cat(c.Root, "f")
	if a := c.StatAt(c.Root, "f").Attr; a.Atime.Sec != 1001 {
		t.Errorf("%+v", a)
	}
	now = now.Add(24 * time.Hour)
	c.Slurp(c.MustOpen(c.Root, "f", fs9p.ORdonly|fs9p.ONoatime))
	if a := c.StatAt(c.Root, "f").Attr; a.Atime.Sec != 1001 {
		t.Errorf("%+v", a)
	}
	c.Cat(c.Root, "f")
	if a := c.StatAt(c.Root, "f").Attr; a.Atime.Sec != now.Unix() {
		t.Errorf("%+v", a)
	}
}

func TestAttachBelow(t *testing.T) {
	fs := New(Config{})
	if err := fs.Add("a/b/f", Entry{}); err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	root := c.Fid()
	c.Must(c.Call(&fs9p.Tattach{Fid: root, AFid: fstest.NoFid, Aname: "/a/b"}))
	if up := c.StatAt(root, "../..").QID; up != c.StatAt(c.Root, "a/b").QID {
		t.Error("dot dot leads out of what was attached")
	}
	_, e := c.Call(&fs9p.Tattach{Fid: c.Fid(), AFid: fstest.NoFid, Aname: "a/b/f"})
	c.Want(e, fs9p.ENOTDIR)
}

// FuzzServe sends whatever messages the input makes up, each behind a 16-bit
// length, in a session that holds a few fids. Every one is answered once, and
// the file system's accounts are right at the end.
func FuzzServe(f *testing.F) {
	seed := func(list ...fs9p.Message) {
		var b []byte
		for i, m := range list {
			wire := fs9p.Append(nil, uint16(i), m)
			b = append(binary.LittleEndian.AppendUint16(b, uint16(len(wire))), wire...)
		}
		f.Add(b)
	}
	seed(&fs9p.Tlcreate{Fid: 2, Name: "n", Flags: 2, Mode: 0o644}, &fs9p.Twrite{Fid: 2, Offset: 1 << 40, Data: []byte("x")},
		&fs9p.Tread{Fid: 2, Offset: 1 << 40, Count: 100}, &fs9p.Tlock{Fid: 2, Kind: 1, Length: 10}, &fs9p.Tclunk{Fid: 2})
	seed(&fs9p.Tlopen{Fid: 1}, &fs9p.Treaddir{Fid: 1, Count: 4096}, &fs9p.Tgetlock{Fid: 1}, &fs9p.Tfsync{Fid: 1})
	seed(&fs9p.Txattrcreate{Fid: 3, Name: "user.a", Size: 1}, &fs9p.Twrite{Fid: 3, Data: []byte("v")}, &fs9p.Tclunk{Fid: 3},
		&fs9p.Txattrwalk{Fid: 1, NewFid: 9, Name: "user.a"}, &fs9p.Tread{Fid: 9, Count: 10})
	seed(&fs9p.Tmkdir{Dir: 1, Name: "d", Mode: 0o755}, &fs9p.Twalk{Fid: 1, NewFid: 9, Names: []string{"d", ".."}},
		&fs9p.Trenameat{OldDir: 1, OldName: "d", NewDir: 9, NewName: "e"}, &fs9p.Tunlinkat{Dir: 1, Name: "e", Flags: 0x200})
	seed(&fs9p.Tsymlink{Fid: 1, Name: "s", Target: "t"}, &fs9p.Tmknod{Fid: 1, Name: "m", Mode: 0o20644, Major: 1, Minor: 3},
		&fs9p.Tlink{Dir: 1, Fid: 3, Name: "l"}, &fs9p.Trename{Fid: 3, Dir: 1, Name: "r"}, &fs9p.Tremove{Fid: 3})
	seed(&fs9p.Tsetattr{Fid: 3, Attr: fs9p.SetAttr{Valid: 0x1FF, Mode: 0o6777, Size: 1 << 50}}, &fs9p.Tgetattr{Fid: 3, Mask: 0x3FFF},
		&fs9p.Tstatfs{Fid: 3}, &fs9p.Treadlink{Fid: 3}, &fs9p.Tflush{OldTag: 1}, &fs9p.Tauth{}, &fs9p.Tattach{Fid: 9, AFid: 1<<32 - 1})
	seed(&fs9p.Tversion{Msize: 4096, Version: "9P2000.L"}, &fs9p.Tattach{Fid: 1, AFid: 1<<32 - 1}, &fs9p.Tversion{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := New(Config{Limit: 8 << 20, Files: 100})
		if err := fs.Add("file", Entry{}); err != nil {
			t.Fatal(err)
		}
		s := fs9p.New(fs9p.Config{FS: fs, MaxFids: 20})
		replies := 0
		serve := func(wire []byte) {
			before := replies
			s.Serve(wire, func(resp []byte) {
				replies++
				if resp == nil && len(wire) >= 7 {
					t.Errorf("no reply to % x", wire)
				}
			})
			if replies != before+1 {
				t.Errorf("%d replies to % x", replies-before, wire)
			}
		}
		serve(fs9p.Append(nil, 0, &fs9p.Tversion{Msize: 1 << 16, Version: "9P2000.L"}))
		serve(fs9p.Append(nil, 0, &fs9p.Tattach{Fid: 1, AFid: 1<<32 - 1}))
		serve(fs9p.Append(nil, 0, &fs9p.Twalk{Fid: 1, NewFid: 2}))
		serve(fs9p.Append(nil, 0, &fs9p.Twalk{Fid: 1, NewFid: 3, Names: []string{"file"}}))
		for len(b) >= 2 {
			n := min(int(binary.LittleEndian.Uint16(b)), len(b)-2)
			serve(b[2 : 2+n])
			b = b[2+n:]
		}
		s.Close()
		checkAccounts(t, fs)
	})
}

// checkAccounts counts what is in fs, in which no file is open, again.
func checkAccounts(t *testing.T, fs *FS) {
	t.Helper()
	var held int64
	for id, n := range fs.tree.Inodes() {
		if !n.Named() {
			t.Errorf("inode %d has no name and is there", id)
		}
		if c, ok := n.Content().(*content); ok {
			held += int64(cap(c.first.b)) + int64(c.rest.Len())*(chunkSize+costChunk)
		}
	}
	again := New(Config{})
	if err := fs.tree.Save(again.tree.Replay); err != nil {
		t.Fatal(err)
	}
	if again.tree.Names() != fs.tree.Names() || again.tree.Used()+held != fs.tree.Used() {
		t.Errorf("accounts say %d files, %d bytes; there are %d and %d", fs.tree.Names(), fs.tree.Used(), again.tree.Names(), again.tree.Used()+held)
	}
}
