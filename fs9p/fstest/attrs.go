package fstest

import (
	"alpinevm/fs9p"
)

// mode gives the mode of path, type included.
func (c *Client) mode(d uint32, path string) uint32 {
	c.TB.Helper()
	return c.StatAt(d, path).Attr.Mode
}

func (c *Client) chmod(fid, mode uint32) {
	c.TB.Helper()
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMode, Mode: mode}))
}

var attrScenarios = []scenario{
	{"modes", []Feature{Modes}, func(c *Client, d uint32) {
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o4711)
		c.OK(e)
		c.same(c.Stat(fid).Attr.Mode, uint32(fs9p.ModeRegular|0o4711))
		c.chmod(fid, 0o640)
		c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular|0o640))
		c.chmod(fid, fs9p.ModeDir|0o600) // the type is not looked at
		c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular|0o600))
		c.chmod(fid, 0)
		c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular))
		// What a mode forbids is the guest kernel's business.
		c.WriteAll(fid, 0, []byte("x"))
		c.chmod(fid, 0o200)
		c.OK(c.Mkdir(d, "dir", 0o1777))
		c.same(c.mode(d, "dir"), uint32(fs9p.ModeDir|0o1777))
		c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: "n", Mode: fs9p.ModeRegular | 0o600}))
		c.same(c.mode(d, "n"), uint32(fs9p.ModeRegular|0o600))
	}},
	{"set-id bits", []Feature{Modes}, func(c *Client, d uint32) {
		const all = fs9p.ModeSetUID | fs9p.ModeSetGID
		fid, e := c.Create(d, "f", fs9p.ORdwr, 0o755)
		c.OK(e)
		c.WriteAll(fid, 0, []byte("hello"))
		for _, step := range []struct {
			name string
			do   func()
		}{
			{"write", func() { c.WriteAll(fid, 0, []byte("x")) }},
			{"truncate", func() { c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize, Size: 2})) }},
			{"chown", func() { c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID | fs9p.SetGID}) }},
			{"O_TRUNC", func() { c.MustOpen(d, "f", fs9p.OWronly|fs9p.OTrunc) }},
		} {
			c.chmod(fid, 0o755|all)
			c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular|0o755|all))
			step.do()
			if m := c.mode(d, "f"); m != fs9p.ModeRegular|0o755 {
				c.TB.Errorf("%s: mode %o", step.name, m)
			}
			// Without execution by the group, set-group-ID means a mandatory lock.
			c.chmod(fid, 0o745|all)
			step.do()
			if m := c.mode(d, "f"); m != fs9p.ModeRegular|0o745|fs9p.ModeSetGID {
				c.TB.Errorf("%s: mode %o", step.name, m)
			}
		}
		// A mode that comes with the change is the client's word.
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize | fs9p.SetMode, Mode: 0o4755}))
		c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular|0o4755))
		c.Slurp(fid)
		c.same(c.mode(d, "f"), uint32(fs9p.ModeRegular|0o4755))
		c.OK(c.Mkdir(d, "dir", 0o2755))
		c.Setattr(c.At(d, "dir"), fs9p.SetAttr{Valid: fs9p.SetGID})
		c.same(c.mode(d, "dir"), uint32(fs9p.ModeDir|0o2755))
	}},
	{"owners of new files", []Feature{Owners}, func(c *Client, d uint32) {
		c.chmod(d, 0o777)
		nobody, _ := c.Walk(c.Attach(65534), "t0")
		owner := func(path string) [2]uint32 {
			a := c.StatAt(d, path).Attr
			return [2]uint32{a.UID, a.GID}
		}
		c.Must(c.Call(&fs9p.Tlcreate{Fid: c.At(nobody, ""), Name: "file", Mode: 0o644, GID: 100}))
		c.same(owner("file"), [2]uint32{65534, 100})
		c.Must(c.Call(&fs9p.Tmkdir{Dir: nobody, Name: "dir", Mode: 0o755, GID: 101}))
		c.same(owner("dir"), [2]uint32{65534, 101})
		c.Must(c.Call(&fs9p.Tmknod{Fid: nobody, Name: "node", Mode: fs9p.ModeRegular | 0o600, GID: 102}))
		c.same(owner("node"), [2]uint32{65534, 102})
		c.Must(c.Call(&fs9p.Tlcreate{Fid: c.At(c.At(nobody, "dir"), ""), Name: "deep", Mode: 0o644, GID: 5}))
		c.same(owner("dir/deep"), [2]uint32{65534, 5})
		c.Must(c.Call(&fs9p.Tlcreate{Fid: c.At(d, ""), Name: "rootfile", Mode: 0o644, GID: 7}))
		c.same(owner("rootfile"), [2]uint32{0, 7})
		mounter := c.Fid()
		c.Must(c.Call(&fs9p.Tattach{Fid: mounter, AFid: NoFid, UID: NoUID, Uname: "nobody"}))
		c.Must(c.Call(&fs9p.Tmkdir{Dir: c.At(mounter, "t0"), Name: "mounter", Mode: 0o755}))
		c.same(owner("mounter"), [2]uint32{0, 0})
	}},
	{"owner of new symbolic links", []Feature{Owners, Symlinks}, func(c *Client, d uint32) {
		c.chmod(d, 0o777)
		nobody, _ := c.Walk(c.Attach(65534), "t0")
		c.Must(c.Call(&fs9p.Tsymlink{Fid: nobody, Name: "s", Target: "x", GID: 9}))
		a := c.StatAt(d, "s").Attr
		c.same([2]uint32{a.UID, a.GID}, [2]uint32{65534, 9})
		c.OK(c.Setattr(c.At(d, "s"), fs9p.SetAttr{Valid: fs9p.SetUID, UID: 12}))
		c.same(c.StatAt(d, "s").Attr.UID, uint32(12))
	}},
	{"set-group-ID directories", []Feature{Owners, Modes}, func(c *Client, d uint32) {
		c.OK(c.Mkdir(d, "shared", 0o2775))
		shared := c.At(d, "shared")
		c.OK(c.Setattr(shared, fs9p.SetAttr{Valid: fs9p.SetGID, GID: 50}))
		c.Must(c.Call(&fs9p.Tlcreate{Fid: c.At(shared, ""), Name: "f", Mode: 0o644, GID: 3}))
		c.same(c.StatAt(shared, "f").Attr.GID, uint32(50))
		c.same(c.mode(shared, "f"), uint32(fs9p.ModeRegular|0o644))
		c.Must(c.Call(&fs9p.Tmkdir{Dir: shared, Name: "sub", Mode: 0o755, GID: 3}))
		c.same(c.StatAt(shared, "sub").Attr.GID, uint32(50))
		c.same(c.mode(shared, "sub"), uint32(fs9p.ModeDir|0o2755))
	}},
	{"chown", []Feature{Owners}, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.At(d, "f")
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID | fs9p.SetGID, UID: 1000, GID: 2000}))
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID | fs9p.SetGID, UID: 1001, GID: NoUID}))
		a := c.StatAt(d, "f").Attr
		c.same([2]uint32{a.UID, a.GID}, [2]uint32{1001, 2000})
		c.OK(c.Rename(d, "f", d, "g"))
		c.same(c.StatAt(d, "g").Attr.UID, uint32(1001))
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID, UID: 0}))
		c.same(c.StatAt(d, "g").Attr.UID, uint32(0))
	}},
	{"times to the nanosecond", nil, func(c *Client, d uint32) {
		c.Put(d, "f", "x")
		fid := c.At(d, "f")
		at, mt := fs9p.Timespec{Sec: 1234567890, Nsec: 123456789}, fs9p.Timespec{Sec: 987654321, Nsec: 1}
		c.OK(c.Setattr(fid, fs9p.SetAttr{
			Valid: fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo, Atime: at, Mtime: mt,
		}))
		a := c.Stat(fid).Attr
		if a.Atime.Sec != at.Sec || a.Mtime.Sec != mt.Sec ||
			a.Atime.Nsec/100 != at.Nsec/100 || a.Mtime.Nsec/100 != mt.Nsec/100 { // Windows counts 100 ns
			c.TB.Fatalf("%+v", a)
		}
		// One alone leaves the other.
		old := fs9p.Timespec{Sec: -86400}
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: old}))
		a = c.Stat(fid).Attr
		c.same(a.Mtime, old)
		c.same(a.Atime.Sec, at.Sec)
		// Without _SET it is the present.
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMtime, Mtime: old}))
		if m := c.Stat(fid).Attr.Mtime; m.Sec < 1_600_000_000 {
			c.TB.Fatalf("present: %+v", m)
		}
		// Directories have times, and writing changes them.
		c.OK(c.Setattr(d, fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: old}))
		c.same(c.Stat(d).Attr.Mtime, old)
		c.Put(d, "g", "y")
		if m := c.Stat(d).Attr.Mtime; m == old {
			c.TB.Fatal("a new entry did not change its directory's time")
		}
		c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetMtime | fs9p.SetMtimeTo, Mtime: old}))
		c.WriteAll(c.MustOpen(d, "f", fs9p.OWronly), 0, []byte("z"))
		if m := c.Stat(fid).Attr.Mtime; m == old {
			c.TB.Fatal("a write did not change the time")
		}
	}},
	{"several attributes at once", []Feature{Modes}, func(c *Client, d uint32) {
		c.Put(d, "f", "hello")
		fid := c.At(d, "f")
		c.OK(c.Setattr(fid, fs9p.SetAttr{
			Valid: fs9p.SetMode | fs9p.SetSize | fs9p.SetMtime | fs9p.SetMtimeTo | fs9p.SetCtime,
			Mode:  0o604, Size: 3, Mtime: fs9p.Timespec{Sec: 5},
		}))
		a := c.Stat(fid).Attr
		c.same(a.Mode, uint32(fs9p.ModeRegular|0o604))
		c.same(a.Size, uint64(3))
		c.same(a.Mtime.Sec, int64(5))
	}},
	{"getattr says what is valid", nil, func(c *Client, d uint32) {
		r := c.Must(c.Call(&fs9p.Tgetattr{Fid: d, Mask: 0x3FFF})).(*fs9p.Rgetattr)
		if r.Valid&fs9p.AttrBasic != fs9p.AttrBasic {
			c.TB.Errorf("valid %#x", r.Valid)
		}
		c.same(r.Attr.Mode&fs9p.ModeType, uint32(fs9p.ModeDir))
		if r.Attr.BlockSize == 0 || r.Attr.Mtime.Sec == 0 {
			c.TB.Errorf("%+v", r.Attr)
		}
	}},
}
