package fstest

import (
	"strings"

	"alpinevm/fs9p"
)

// Row is one line of the table of messages: what a server answers to a
// T-message in one situation.
type Row struct {
	Type  fs9p.MsgType
	Name  string
	Want  fs9p.Errno // 0 for success
	needs []Feature
	do    func(c *Client, d uint32) fs9p.Errno // d is a directory as furnish makes it
}

// Messages names every T-message of 9P2000.L with the errors it gives.
var Messages = []Row{
	{fs9p.MsgTversion, "unknown dialect", fs9p.EPROTO, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fresh(func(c *Client) fs9p.Errno {
			r := c.Must(c.Call(&fs9p.Tversion{Msize: 8192, Version: "9P2000.u"})).(*fs9p.Rversion)
			if r.Version != "unknown" {
				c.TB.Errorf("version %q", r.Version)
			}
			_, e := c.Call(&fs9p.Tattach{Fid: 1, AFid: NoFid})
			return e
		})
	}},
	{fs9p.MsgTversion, "msize too small", fs9p.EMSGSIZE, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fresh(func(c *Client) fs9p.Errno {
			_, e := c.Call(&fs9p.Tversion{Msize: 100, Version: "9P2000.L"})
			return e
		})
	}},
	{fs9p.MsgTversion, "drops fids", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fresh(func(c *Client) fs9p.Errno {
			fid := c.Attach(0)
			c.Must(c.Call(&fs9p.Tversion{Msize: 8192, Version: "9P2000.L"}))
			_, e := c.Call(&fs9p.Tgetattr{Fid: fid})
			return e
		})
	}},
	{fs9p.MsgTauth, "refused", fs9p.EOPNOTSUPP, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tauth{AFid: c.Fid(), Uname: "root"})
	}},
	{fs9p.MsgTattach, "fid in use", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tattach{Fid: d, AFid: NoFid})
	}},
	{fs9p.MsgTattach, "with an afid", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tattach{Fid: c.Fid(), AFid: d})
	}},
	{fs9p.MsgTattach, "NOFID", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tattach{Fid: NoFid, AFid: NoFid})
	}},
	{fs9p.MsgTattach, "missing tree", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tattach{Fid: c.Fid(), AFid: NoFid, Aname: "/nowhere"})
	}},
	{fs9p.MsgTflush, "nothing to flush", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tflush{OldTag: 61000})
	}},
	{fs9p.MsgTwalk, "missing", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: d, NewFid: c.Fid(), Names: []string{"missing"}})
	}},
	{fs9p.MsgTwalk, "through a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: c.At(d, "file"), NewFid: c.Fid(), Names: []string{"x"}})
	}},
	{fs9p.MsgTwalk, "through a symbolic link", fs9p.ENOTDIR, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: c.At(d, "slink"), NewFid: c.Fid(), Names: []string{"x"}})
	}},
	{fs9p.MsgTwalk, "half way", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.Fid()
		r, e := c.Call(&fs9p.Twalk{Fid: d, NewFid: fid, Names: []string{"dir", "missing", "x"}})
		if e != 0 {
			return e
		}
		if n := len(r.(*fs9p.Rwalk).QIDs); n != 1 {
			c.TB.Errorf("%d QIDs", n)
		}
		if e := c.fail(&fs9p.Tgetattr{Fid: fid}); e != fs9p.EBADF {
			c.TB.Errorf("newfid was bound: %v", errnoName(e))
		}
		return 0
	}},
	{fs9p.MsgTwalk, "slash in a name", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: d, NewFid: c.Fid(), Names: []string{"dir/inner"}})
	}},
	{fs9p.MsgTwalk, "name of 256 bytes", fs9p.ENAMETOOLONG, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: d, NewFid: c.Fid(), Names: []string{strings.Repeat("x", 256)}})
	}},
	{fs9p.MsgTwalk, "newfid in use", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: d, NewFid: c.Root})
	}},
	{fs9p.MsgTwalk, "unknown fid", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Twalk{Fid: c.Fid(), NewFid: c.Fid()})
	}},
	{fs9p.MsgTwalk, "open fid onto itself", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.MustOpen(d, "file", fs9p.ORdonly)
		return c.fail(&fs9p.Twalk{Fid: fid, NewFid: fid})
	}},
	{fs9p.MsgTwalk, "clone of an open fid is not open", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(c.MustOpen(d, "file", fs9p.ORdonly), "")
		return c.fail(&fs9p.Tread{Fid: fid, Count: 1})
	}},
	{fs9p.MsgTstatfs, "names", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		r, e := c.Call(&fs9p.Tstatfs{Fid: d})
		if e == 0 {
			if s := r.(*fs9p.Rstatfs).Statfs; s.NameLen != 255 || s.BlockSize == 0 || s.Blocks < s.BlocksFree {
				c.TB.Errorf("%+v", s)
			}
		}
		return e
	}},
	{fs9p.MsgTstatfs, "unknown fid", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tstatfs{Fid: c.Fid()})
	}},
	{fs9p.MsgTlopen, "twice", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: c.MustOpen(d, "file", fs9p.ORdonly)})
	}},
	{fs9p.MsgTlopen, "directory for writing", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: d, Flags: fs9p.ORdwr})
	}},
	{fs9p.MsgTlopen, "O_DIRECTORY of a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: c.At(d, "file"), Flags: fs9p.ODirectory})
	}},
	{fs9p.MsgTlopen, "symbolic link", fs9p.ELOOP, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: c.At(d, "slink")})
	}},
	{fs9p.MsgTlopen, "O_TMPFILE", fs9p.EOPNOTSUPP, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: d, Flags: fs9p.OTmpfile | fs9p.ODirectory | fs9p.ORdwr})
	}},
	{fs9p.MsgTlopen, "fifo", fs9p.ENXIO, []Feature{Devices}, func(c *Client, d uint32) fs9p.Errno {
		c.Must(c.Call(&fs9p.Tmknod{Fid: d, Name: "fifo", Mode: fs9p.ModeFIFO | 0o644}))
		return c.fail(&fs9p.Tlopen{Fid: c.At(d, "fifo")})
	}},
	{fs9p.MsgTlopen, "flags without a meaning here", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlopen{Fid: c.At(d, "file"), Flags: fs9p.ODirect | fs9p.ONoatime | fs9p.ONofollow |
			fs9p.ONonblock | fs9p.OCreate | fs9p.OExcl | 0o100000 | 0o2000000 | 0o400 | 0o4010000})
	}},
	{fs9p.MsgTlopen, "O_PATH reads nothing", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tread{Fid: c.MustOpen(d, "file", fs9p.OPath), Count: 1})
	}},
	{fs9p.MsgTlcreate, "exists, O_EXCL", fs9p.EEXIST, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: "file", Flags: fs9p.OExcl | fs9p.ORdwr})
	}},
	{fs9p.MsgTlcreate, "exists", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		fid, e := c.Create(d, "file", fs9p.ORdwr, 0o600)
		if e == 0 {
			if s := c.Slurp(fid); s != "hello" {
				c.TB.Errorf("file holds %q", s)
			}
		}
		return e
	}},
	{fs9p.MsgTlcreate, "directory exists", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: "dir", Flags: fs9p.OWronly})
	}},
	{fs9p.MsgTlcreate, "symbolic link exists", fs9p.ELOOP, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: "slink", Flags: fs9p.OWronly})
	}},
	{fs9p.MsgTlcreate, "in a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: c.At(d, "file"), Name: "x"})
	}},
	{fs9p.MsgTlcreate, "name of 256 bytes", fs9p.ENAMETOOLONG, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: strings.Repeat("x", 256)})
	}},
	{fs9p.MsgTlcreate, "slash in the name", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: "../x"})
	}},
	{fs9p.MsgTlcreate, "dot dot", fs9p.EEXIST, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: ".."})
	}},
	{fs9p.MsgTlcreate, "O_TMPFILE", fs9p.EOPNOTSUPP, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlcreate{Fid: d, Name: "x", Flags: fs9p.OTmpfile | fs9p.ORdwr})
	}},
	{fs9p.MsgTlcreate, "in a removed directory", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		gone := c.At(d, "empty")
		c.OK(c.Unlink(d, "empty", fs9p.RemoveDir))
		return c.fail(&fs9p.Tlcreate{Fid: gone, Name: "x", Flags: fs9p.ORdwr})
	}},
	{fs9p.MsgTsymlink, "exists", fs9p.EEXIST, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tsymlink{Fid: d, Name: "file", Target: "x"})
	}},
	{fs9p.MsgTsymlink, "no target", fs9p.ENOENT, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tsymlink{Fid: d, Name: "s"})
	}},
	{fs9p.MsgTsymlink, "target of 4096 bytes", fs9p.ENAMETOOLONG, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tsymlink{Fid: d, Name: "s", Target: strings.Repeat("x", 4096)})
	}},
	{fs9p.MsgTmknod, "exists", fs9p.EEXIST, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tmknod{Fid: d, Name: "file", Mode: fs9p.ModeRegular | 0o644})
	}},
	{fs9p.MsgTmknod, "directory", fs9p.EPERM, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tmknod{Fid: d, Name: "x", Mode: fs9p.ModeDir | 0o755})
	}},
	{fs9p.MsgTmknod, "no type there is", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tmknod{Fid: d, Name: "x", Mode: 0o070000})
	}},
	{fs9p.MsgTmknod, "regular file", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		e := c.fail(&fs9p.Tmknod{Fid: d, Name: "x", Mode: fs9p.ModeRegular | 0o644})
		c.Put(d, "x", "made")
		if s := c.Cat(d, "x"); s != "made" {
			c.TB.Errorf("holds %q", s)
		}
		return e
	}},
	{fs9p.MsgTmkdir, "exists", fs9p.EEXIST, nil, func(c *Client, d uint32) fs9p.Errno { return c.Mkdir(d, "file", 0o755) }},
	{fs9p.MsgTmkdir, "in a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Mkdir(c.At(d, "file"), "x", 0o755)
	}},
	{fs9p.MsgTmkdir, "name of 256 bytes", fs9p.ENAMETOOLONG, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Mkdir(d, strings.Repeat("é", 128), 0o755)
	}},
	{fs9p.MsgTlink, "exists", fs9p.EEXIST, []Feature{Links}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlink{Dir: d, Fid: c.At(d, "file"), Name: "hard"})
	}},
	{fs9p.MsgTlink, "directory", fs9p.EPERM, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlink{Dir: d, Fid: c.At(d, "dir"), Name: "x"})
	}},
	{fs9p.MsgTlink, "unlinked file", fs9p.ENOENT, []Feature{Links, Unlinked}, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		c.OK(c.Unlink(d, "file", 0))
		return c.fail(&fs9p.Tlink{Dir: d, Fid: fid, Name: "x"})
	}},
	{fs9p.MsgTrename, "onto another", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		e := c.fail(&fs9p.Trename{Fid: fid, Dir: c.At(d, "dir"), Name: "inner"})
		if s := c.Cat(d, "dir/inner"); s != "hello" {
			c.TB.Errorf("inner holds %q", s)
		}
		if e == 0 {
			e = c.fail(&fs9p.Trename{Fid: fid, Dir: d, Name: "back"})
		}
		return e
	}},
	{fs9p.MsgTrename, "a name that is gone", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		c.OK(c.Rename(d, "file", d, "elsewhere"))
		return c.fail(&fs9p.Trename{Fid: fid, Dir: d, Name: "x"})
	}},
	{fs9p.MsgTrename, "the root", fs9p.EBUSY, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Trename{Fid: c.Root, Dir: d, Name: "x"})
	}},
	{fs9p.MsgTrenameat, "missing", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno { return c.Rename(d, "missing", d, "x") }},
	{fs9p.MsgTrenameat, "file over directory", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "file", d, "empty")
	}},
	{fs9p.MsgTrenameat, "directory over file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "dir", d, "file")
	}},
	{fs9p.MsgTrenameat, "over a full directory", fs9p.ENOTEMPTY, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "empty", d, "dir")
	}},
	{fs9p.MsgTrenameat, "over an empty directory", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "dir", d, "empty")
	}},
	{fs9p.MsgTrenameat, "into itself", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "dir", c.At(d, "dir"), "x")
	}},
	{fs9p.MsgTrenameat, "over what it is in", fs9p.ENOTEMPTY, nil, func(c *Client, d uint32) fs9p.Errno {
		c.OK(c.Mkdir(c.At(d, "dir"), "sub", 0o755))
		return c.Rename(c.At(d, "dir"), "sub", d, "dir")
	}},
	{fs9p.MsgTrenameat, "onto itself", 0, nil, func(c *Client, d uint32) fs9p.Errno { return c.Rename(d, "file", d, "file") }},
	{fs9p.MsgTrenameat, "dot", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno { return c.Rename(d, ".", d, "x") }},
	{fs9p.MsgTrenameat, "into a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "dir", c.At(d, "file"), "x")
	}},
	{fs9p.MsgTrenameat, "name of 256 bytes", fs9p.ENAMETOOLONG, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Rename(d, "file", d, strings.Repeat("x", 256))
	}},
	{fs9p.MsgTrenameat, "into a removed directory", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		gone := c.At(d, "empty")
		c.OK(c.Unlink(d, "empty", fs9p.RemoveDir))
		return c.Rename(d, "file", gone, "x")
	}},
	{fs9p.MsgTunlinkat, "missing", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno { return c.Unlink(d, "missing", 0) }},
	{fs9p.MsgTunlinkat, "directory", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno { return c.Unlink(d, "empty", 0) }},
	{fs9p.MsgTunlinkat, "AT_REMOVEDIR of a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Unlink(d, "file", fs9p.RemoveDir)
	}},
	{fs9p.MsgTunlinkat, "full directory", fs9p.ENOTEMPTY, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Unlink(d, "dir", fs9p.RemoveDir)
	}},
	{fs9p.MsgTunlinkat, "in a file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Unlink(c.At(d, "file"), "x", 0)
	}},
	{fs9p.MsgTunlinkat, "dot dot", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Unlink(d, "..", fs9p.RemoveDir)
	}},
	{fs9p.MsgTunlinkat, "flags", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno { return c.Unlink(d, "file", 1) }},
	{fs9p.MsgTreadlink, "file", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Treadlink{Fid: c.At(d, "file")})
	}},
	{fs9p.MsgTreadlink, "symbolic link", 0, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		r, e := c.Call(&fs9p.Treadlink{Fid: c.At(d, "slink")})
		if e == 0 && r.(*fs9p.Rreadlink).Target != "file" {
			c.TB.Errorf("target %q", r.(*fs9p.Rreadlink).Target)
		}
		return e
	}},
	{fs9p.MsgTgetattr, "unknown fid", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno { return c.fail(&fs9p.Tgetattr{Fid: c.Fid()}) }},
	{fs9p.MsgTsetattr, "size of a directory", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Setattr(d, fs9p.SetAttr{Valid: fs9p.SetSize})
	}},
	{fs9p.MsgTsetattr, "size of a symbolic link", fs9p.EINVAL, []Feature{Symlinks}, func(c *Client, d uint32) fs9p.Errno {
		return c.Setattr(c.At(d, "slink"), fs9p.SetAttr{Valid: fs9p.SetSize})
	}},
	{fs9p.MsgTsetattr, "size that is negative", fs9p.EFBIG, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.Setattr(c.At(d, "file"), fs9p.SetAttr{Valid: fs9p.SetSize, Size: 1 << 63})
	}},
	{fs9p.MsgTxattrwalk, "no such attribute", fs9p.ENODATA, []Feature{Xattrs}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Txattrwalk{Fid: d, NewFid: c.Fid(), Name: "user.none"})
	}},
	{fs9p.MsgTxattrwalk, "newfid in use", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Txattrwalk{Fid: d, NewFid: c.Root})
	}},
	{fs9p.MsgTxattrcreate, "replace what is not there", fs9p.ENODATA, []Feature{Xattrs}, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Txattrcreate{Fid: c.At(d, "file"), Name: "user.x", Size: 1, Flags: fs9p.XattrReplace})
	}},
	{fs9p.MsgTxattrcreate, "value too long", fs9p.ENOSPC, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Txattrcreate{Fid: c.At(d, "file"), Name: "user.x", Size: fs9p.MaxXattr + 1})
	}},
	{fs9p.MsgTxattrcreate, "name too long", fs9p.ERANGE, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Txattrcreate{Fid: c.At(d, "file"), Name: strings.Repeat("x", 256), Size: 1})
	}},
	{fs9p.MsgTxattrcreate, "more than was said", fs9p.ENOSPC, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		c.Must(c.Call(&fs9p.Txattrcreate{Fid: fid, Name: "user.x", Size: 1}))
		_, e := c.Write(fid, 0, []byte("ab"))
		return e
	}},
	{fs9p.MsgTreaddir, "not open", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Treaddir{Fid: d, Count: 4096})
	}},
	{fs9p.MsgTreaddir, "file", fs9p.ENOTDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Treaddir{Fid: c.MustOpen(d, "file", fs9p.ORdonly), Count: 4096})
	}},
	{fs9p.MsgTreaddir, "no room for one entry", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Treaddir{Fid: c.MustOpen(d, "dir", fs9p.ORdonly), Offset: 2, Count: 20})
	}},
	{fs9p.MsgTread, "not open", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tread{Fid: c.At(d, "file"), Count: 1})
	}},
	{fs9p.MsgTread, "open for writing", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tread{Fid: c.MustOpen(d, "file", fs9p.OWronly), Count: 1})
	}},
	{fs9p.MsgTread, "directory", fs9p.EISDIR, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tread{Fid: c.MustOpen(d, "dir", fs9p.ORdonly), Count: 1})
	}},
	{fs9p.MsgTread, "offset that is negative", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tread{Fid: c.MustOpen(d, "file", fs9p.ORdonly), Offset: 1 << 63, Count: 1})
	}},
	{fs9p.MsgTwrite, "open for reading", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		_, e := c.Write(c.MustOpen(d, "file", fs9p.ORdonly), 0, []byte("x"))
		return e
	}},
	{fs9p.MsgTwrite, "offset that is negative", fs9p.EFBIG, nil, func(c *Client, d uint32) fs9p.Errno {
		_, e := c.Write(c.MustOpen(d, "file", fs9p.ORdwr), 1<<63-1, []byte("x"))
		return e
	}},
	{fs9p.MsgTfsync, "not open", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tfsync{Fid: c.At(d, "file")})
	}},
	{fs9p.MsgTfsync, "file", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tfsync{Fid: c.MustOpen(d, "file", fs9p.ORdwr), Datasync: 1})
	}},
	{fs9p.MsgTfsync, "directory", 0, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tfsync{Fid: c.MustOpen(d, "dir", fs9p.ORdonly)})
	}},
	{fs9p.MsgTlock, "not open", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlock{Fid: c.At(d, "file"), Kind: fs9p.LockRead})
	}},
	{fs9p.MsgTlock, "kind of lock", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlock{Fid: c.MustOpen(d, "file", fs9p.ORdwr), Kind: 3})
	}},
	{fs9p.MsgTlock, "range past the end", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tlock{Fid: c.MustOpen(d, "file", fs9p.ORdwr), Start: 1<<64 - 1, Length: 2})
	}},
	{fs9p.MsgTgetlock, "kind of lock", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tgetlock{Fid: c.MustOpen(d, "file", fs9p.ORdwr), Kind: 3})
	}},
	{fs9p.MsgTclunk, "unknown fid", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno { return c.fail(&fs9p.Tclunk{Fid: c.Fid()}) }},
	{fs9p.MsgTclunk, "twice", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		c.Clunk(fid)
		return c.fail(&fs9p.Tclunk{Fid: fid})
	}},
	{fs9p.MsgTclunk, "attribute that is not all there", fs9p.EINVAL, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "file")
		c.Must(c.Call(&fs9p.Txattrcreate{Fid: fid, Name: "user.x", Size: 2}))
		c.Write(fid, 0, []byte("a"))
		return c.fail(&fs9p.Tclunk{Fid: fid})
	}},
	{fs9p.MsgTremove, "file", fs9p.ENOENT, nil, func(c *Client, d uint32) fs9p.Errno {
		c.Must(c.Call(&fs9p.Tremove{Fid: c.At(d, "file")}))
		_, e := c.Walk(d, "file")
		return e
	}},
	{fs9p.MsgTremove, "full directory, and the fid is gone", fs9p.EBADF, nil, func(c *Client, d uint32) fs9p.Errno {
		fid := c.At(d, "dir")
		c.Want(c.fail(&fs9p.Tremove{Fid: fid}), fs9p.ENOTEMPTY)
		return c.fail(&fs9p.Tclunk{Fid: fid})
	}},
	{fs9p.MsgTremove, "the root", fs9p.EBUSY, nil, func(c *Client, d uint32) fs9p.Errno {
		return c.fail(&fs9p.Tremove{Fid: c.Attach(0)})
	}},
}

// fail sends a message of which only the error matters.
func (c *Client) fail(m fs9p.Message) fs9p.Errno {
	c.TB.Helper()
	_, e := c.Call(m)
	return e
}

// fresh runs f in a session of its own, after which the old one is set up anew.
func (c *Client) fresh(f func(*Client) fs9p.Errno) fs9p.Errno {
	c.TB.Helper()
	e := f(c)
	c.Must(c.Call(&fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"}))
	c.Must(c.Call(&fs9p.Tattach{Fid: c.Root, AFid: NoFid}))
	return e
}
