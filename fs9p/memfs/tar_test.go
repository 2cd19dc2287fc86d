package memfs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/internal/guesttest/guestfile"
)

// archive writes a tar archive of headers whose content is in contents, by name.
func archive(t testing.TB, headers []tar.Header, contents map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Size = int64(len(contents[h.Name]))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(contents[h.Name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zip(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func TestLoadTar(t *testing.T) {
	when := time.Unix(1_000_000_000, 123_456_789)
	big := strings.Repeat("0123456789abcdef", 20_000)
	headers := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o711, Uid: 3, ModTime: when, Format: tar.FormatPAX},
		{Typeflag: tar.TypeDir, Name: "./bin/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "./bin/su", Mode: 0o4755, Uid: 1, Gid: 2, ModTime: when, Format: tar.FormatPAX,
			PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x02", "SCHILY.xattr.user.x": "y"}},
		{Typeflag: tar.TypeLink, Name: "./bin/hard", Linkname: "./bin/su"},
		{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "/bin/busybox", Mode: 0o777},
		{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		{Typeflag: tar.TypeBlock, Name: "dev/sda", Mode: 0o660, Gid: 6, Devmajor: 8, Devminor: 300},
		{Typeflag: tar.TypeFifo, Name: "dev/initctl", Mode: 0o600},
		{Typeflag: tar.TypeReg, Name: "big", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "zeros", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "replaced", Mode: 0o600},
		{Typeflag: tar.TypeReg, Name: "replaced", Mode: 0o644},
		{Typeflag: tar.TypeSymlink, Name: "lib", Linkname: "usr/lib"},
		{Typeflag: tar.TypeReg, Name: "lib/through", Mode: 0o644},
		{Typeflag: tar.TypeSymlink, Name: "abs", Linkname: "/../usr/./lib"},
		{Typeflag: tar.TypeReg, Name: "abs/too", Mode: 0o644},
		{Typeflag: tar.TypeDir, Name: "bin", Mode: 0o750},
		{Typeflag: 'V', Name: "label"},
		{Typeflag: 'D', Name: "/dump", Mode: 0o750},
		{Typeflag: tar.TypeLink, Name: "early", Linkname: "/x/../late"},
		{Typeflag: tar.TypeLink, Name: "early2", Linkname: "early"},
		{Typeflag: tar.TypeReg, Name: "/x/../late", Mode: 0o600},
	}
	b := archive(t, headers, map[string]string{
		"./bin/su": "setuid", "big": big, "zeros": string(make([]byte, 300_000)), "replaced": "twice",
		"lib/through": "1", "abs/too": "2", "/x/../late": "late",
	})
	for name, b := range map[string][]byte{"plain": b, "gzip": zip(b), "zstd": zstded(t, b)} {
		t.Run(name, func(t *testing.T) {
			fs := New(Config{})
			if err := fs.LoadTar(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			c := fstest.Dial(t, fs9p.Config{FS: fs})
			checkLoaded(t, c, big, when)
		})
	}
}

func checkLoaded(t *testing.T, c *fstest.Client, big string, when time.Time) {
	a := c.Stat(c.Root).Attr
	if a.Mode != fs9p.ModeDir|0o711 || a.UID != 3 || a.Mtime != fs9p.TimespecOf(when) {
		t.Errorf("root: %+v", a)
	}
	a = c.StatAt(c.Root, "bin/su").Attr
	if a.Mode != fs9p.ModeRegular|0o4755 || a.UID != 1 || a.GID != 2 || a.Mtime != fs9p.TimespecOf(when) || a.Nlink != 2 {
		t.Errorf("su: %+v", a)
	}
	if c.StatAt(c.Root, "bin/hard").QID != c.StatAt(c.Root, "bin/su").QID {
		t.Error("the hard link is another file")
	}
	for path, want := range map[string]string{
		"bin/su": "setuid", "big": big, "zeros": string(make([]byte, 300_000)), "replaced": "twice",
		"usr/lib/through": "1", "usr/lib/too": "2", "early2": "late",
	} {
		if got := c.Cat(c.Root, path); got != want {
			t.Errorf("%s: %d bytes, want %d", path, len(got), len(want))
		}
	}
	if a := c.StatAt(c.Root, "zeros").Attr; a.Blocks != 0 {
		t.Errorf("a file of zeros takes %d blocks", a.Blocks)
	}
	for path, want := range map[string][2]uint64{
		"bin":         {fs9p.ModeDir | 0o750, 0},
		"usr":         {fs9p.ModeDir | 0o755, 0},
		"bin/sh":      {fs9p.ModeSymlink | 0o777, 0},
		"dev/null":    {fs9p.ModeChar | 0o666, fs9p.MakeDev(1, 3)},
		"dev/sda":     {fs9p.ModeBlock | 0o660, fs9p.MakeDev(8, 300)},
		"dev/initctl": {fs9p.ModeFIFO | 0o600, 0},
		"replaced":    {fs9p.ModeRegular | 0o644, 0},
		"dump":        {fs9p.ModeDir | 0o750, 0},
		"late":        {fs9p.ModeRegular | 0o600, 0},
	} {
		if a := c.StatAt(c.Root, path).Attr; uint64(a.Mode) != want[0] || a.Rdev != want[1] {
			t.Errorf("%s: mode %o, device %#x", path, a.Mode, a.Rdev)
		}
	}
	r := c.Must(c.Call(&fs9p.Treadlink{Fid: c.At(c.Root, "bin/sh")})).(*fs9p.Rreadlink)
	if r.Target != "/bin/busybox" {
		t.Errorf("sh -> %s", r.Target)
	}
	fid := c.Fid()
	c.Must(c.Call(&fs9p.Txattrwalk{Fid: c.At(c.Root, "bin/hard"), NewFid: fid, Name: "security.capability"}))
	if v := c.Slurp(fid); v != "\x01\x02" {
		t.Errorf("capability %q", v)
	}
}

// TestSparseTar reads what GNU tar made of a file with two holes.
func TestSparseTar(t *testing.T) {
	b, err := os.ReadFile("testdata/sparse.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	fs := New(Config{})
	if err := fs.LoadTar(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	a := c.StatAt(c.Root, "sparse").Attr
	if a.Size != 50_000_000 || a.Blocks > 1000 {
		t.Errorf("%+v", a)
	}
	fid := c.MustOpen(c.Root, "sparse", fs9p.ORdonly)
	p, e := c.Read(fid, 20_000_000-2, 8)
	c.OK(e)
	if string(p) != "\x00\x00middle" {
		t.Errorf("%q", p)
	}
}

func TestTarRefused(t *testing.T) {
	reg := func(name string) []tar.Header { return []tar.Header{{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}} }
	for _, row := range []struct {
		headers []tar.Header
		want    string
	}{
		{reg("../evil"), `"../evil": the name leads out`},
		{reg("a/../../evil"), `"a/../../evil": the name leads out`},
		{reg("a/.."), `"a/..": EISDIR`},
		{reg("/../evil"), `"/../evil": the name leads out`},
		{[]tar.Header{{Typeflag: 'M', Name: "f"}}, `"f": the rest of a file that began in another volume`},
		{[]tar.Header{{Typeflag: 'Z', Name: "f"}}, `"f": an entry of a kind that is no file ('Z')`},
		{reg(strings.Repeat("n", 256)), "ENAMETOOLONG"},
		{[]tar.Header{{Typeflag: tar.TypeLink, Name: "l", Linkname: "missing"}}, `"l": link to "missing": ENOENT`},
		{[]tar.Header{{Typeflag: tar.TypeLink, Name: "l", Linkname: "../../etc/passwd"}}, "leads out"},
		{[]tar.Header{{Typeflag: tar.TypeDir, Name: "d", Mode: 0o755}, {Typeflag: tar.TypeLink, Name: "l", Linkname: "d"}}, "EPERM"},
		{[]tar.Header{{Typeflag: tar.TypeDir, Name: "d/e", Mode: 0o755}, {Typeflag: tar.TypeReg, Name: "d"}}, "ENOTEMPTY"},
		{[]tar.Header{{Typeflag: tar.TypeReg, Name: "f"}, {Typeflag: tar.TypeReg, Name: "f/g"}}, "ENOTDIR"},
		{[]tar.Header{
			{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "b"}, {Typeflag: tar.TypeSymlink, Name: "b", Linkname: "a"},
			{Typeflag: tar.TypeReg, Name: "a/f"},
		}, "ELOOP"},
		{[]tar.Header{{Typeflag: tar.TypeReg, Name: "."}}, "EISDIR"},
	} {
		fs := New(Config{})
		err := fs.LoadTar(bytes.NewReader(archive(t, row.headers, nil)))
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v: %v, want %s", row.headers[len(row.headers)-1].Name, err, row.want)
		}
	}
	whole := zip(archive(t, reg("f"), map[string]string{"f": strings.Repeat("random?", 10_000)}))
	for _, cut := range []int{3, 100, len(whole) - 4} {
		if err := New(Config{}).LoadTar(bytes.NewReader(whole[:cut])); err == nil {
			t.Errorf("accepted when cut to %d of %d bytes", cut, len(whole))
		}
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-6] ^= 1
	if err := New(Config{}).LoadTar(bytes.NewReader(damaged)); err == nil {
		t.Error("accepted with a wrong checksum")
	}
	err := New(Config{Limit: 10_000}).LoadTar(bytes.NewReader(whole))
	if fs9p.ErrnoOf(err) != fs9p.ENOSPC {
		t.Errorf("beyond the limit: %v", err)
	}
}

// TestAlpine loads the real thing.
func TestAlpine(t *testing.T) {
	f, err := os.Open(guestfile.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fs := New(Config{})
	if err := fs.LoadTar(f); err != nil {
		t.Fatal(err)
	}
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	if a := c.StatAt(c.Root, "bin/busybox").Attr; a.Mode != fs9p.ModeRegular|0o755 || a.Size < 500_000 {
		t.Errorf("busybox: %+v", a)
	}
	if s := c.Cat(c.Root, "etc/hostname"); s != "localhost\n" {
		t.Errorf("hostname %q", s)
	}
	if a := c.StatAt(c.Root, "tmp").Attr; a.Mode != fs9p.ModeDir|0o1777 {
		t.Errorf("tmp: %+v", a)
	}
	if a := c.StatAt(c.Root, "etc/shadow").Attr; a.Mode&0o777 != 0o640 || a.GID != 42 {
		t.Errorf("shadow: %+v", a)
	}
}

func FuzzTar(f *testing.F) {
	f.Add(archive(f, []tar.Header{
		{Typeflag: tar.TypeDir, Name: "d", Mode: 0o755}, {Typeflag: tar.TypeReg, Name: "d/f", Mode: 0o644},
		{Typeflag: tar.TypeLink, Name: "l", Linkname: "d/f"}, {Typeflag: tar.TypeSymlink, Name: "s", Linkname: "d"},
		{Typeflag: tar.TypeReg, Name: "s/g", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}},
	}, map[string]string{"d/f": "content"}))
	f.Add(zip(archive(f, []tar.Header{{Typeflag: tar.TypeChar, Name: "/c", Devmajor: 1 << 20}}, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := New(Config{Limit: 1 << 20, Files: 1000})
		if err := fs.LoadTar(bytes.NewReader(b)); err != nil && !strings.HasPrefix(err.Error(), "memfs: ") {
			t.Errorf("error without its phase: %v", err)
		}
		checkAccounts(t, fs)
	})
}
