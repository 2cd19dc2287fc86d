package oci

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
)

// item is an entry of a test's layer. Its type is that of the header, or
// follows from the name: a slash at the end is a directory.
type item struct {
	tar.Header
	data string
}

func regular(name, data string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, data}
}
func dir(name string) item {
	return item{tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}, ""}
}
func symlink(name, target string) item {
	return item{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}
func link(name, target string) item {
	return item{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, ""}
}

// typed is an entry whose type archive/tar has no name for, or none of its own.
func typed(flag byte, name, data string) item {
	if flag == tar.TypeXGlobalHeader {
		return item{tar.Header{Typeflag: flag, PAXRecords: map[string]string{"comment": name}}, data}
	}
	return item{tar.Header{Typeflag: flag, Name: name, Mode: 0o644}, data}
}

// paxRecords are an extended header of keys and values.
func paxRecords(pairs ...string) string {
	all := ""
	for ; len(pairs) > 0; pairs = pairs[2:] {
		record := " " + pairs[0] + "=" + pairs[1] + "\n"
		n := len(record) + len(fmt.Sprint(len(record)))
		if len(fmt.Sprint(n)) > len(fmt.Sprint(len(record))) {
			n++
		}
		all += fmt.Sprint(n) + record
	}
	return all
}

// mode gives an item other permissions.
func (i item) mode(m int64) item {
	i.Mode = m
	return i
}

// archive writes a layer.
func archive(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		if i.Typeflag != tar.TypeXGlobalHeader {
			i.Size = int64(len(i.data))
		}
		if i.ModTime.IsZero() && i.Typeflag != tar.TypeXGlobalHeader {
			i.ModTime = time.Unix(1000, 0)
		}
		if err := w.WriteHeader(&i.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, i.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// layersOf makes layers of archives.
func layersOf(archives ...[]byte) []Layer {
	var layers []Layer
	for i, b := range archives {
		layers = append(layers, Layer{fmt.Sprintf("L%d", i+1), bytes.NewReader(b), int64(len(b))})
	}
	return layers
}

// open builds and opens.
func open(layers []Layer) (*FS, error) {
	var b bytes.Buffer
	if err := Build(&b, layers, Limits{}); err != nil {
		return nil, err
	}
	return Open(bytes.NewReader(b.Bytes()), int64(b.Len()), layers)
}

// readAll reads a file in small pieces.
func readAll(n fs9p.Node) (string, error) {
	f, err := n.Open(fs9p.ORdonly)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b []byte
	p := make([]byte, 1000)
	for {
		n, err := f.ReadAt(p, uint64(len(b)))
		if err != nil || n == 0 || len(b) > 1<<22 {
			return string(b), err
		}
		b = append(b, p[:n]...)
	}
}

// list lists a directory's names, in pieces of one.
func list(n fs9p.Node) ([]fs9p.Dirent, error) {
	f, err := n.Open(fs9p.ODirectory)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []fs9p.Dirent
	cookie := uint64(0)
	for {
		got := false
		err := f.ReadDir(cookie, func(d fs9p.Dirent) bool {
			all, cookie, got = append(all, d), d.Cookie, true
			return false
		})
		if err != nil || !got {
			return all, err
		}
	}
}

// dump tells all that is in a file system, one line an inode's name. It checks
// what listing says against what walking finds.
func dump(t testing.TB, fs fs9p.FS) []string {
	t.Helper()
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"/ " + describe(t, root)}
	dumpDir(t, root, "", &lines)
	return lines
}

func dumpDir(t testing.TB, n fs9p.Node, at string, lines *[]string) {
	t.Helper()
	entries, err := list(n)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b fs9p.Dirent) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range entries {
		c, err := n.Walk(d.Name)
		if err != nil {
			t.Fatalf("%s/%s is listed: %v", at, d.Name, err)
		}
		a, err := c.Attr()
		if err != nil {
			t.Fatal(err)
		}
		if c.QID() != d.QID || fs9p.DirentType(a.Mode) != d.Type {
			t.Errorf("%s/%s: listed as %+v, walked to %+v", at, d.Name, d, c.QID())
		}
		*lines = append(*lines, at+"/"+d.Name+" "+describe(t, c))
		if d.QID.Type&fs9p.QTDir != 0 {
			up, err := c.Walk("..")
			if err != nil || up.QID() != n.QID() {
				t.Errorf("%s/%s/..: %v", at, d.Name, err)
			}
			dumpDir(t, c, at+"/"+d.Name, lines)
		}
	}
}

// describe tells an inode in a line.
func describe(t testing.TB, n fs9p.Node) string {
	t.Helper()
	a, err := n.Attr()
	if err != nil {
		t.Fatal(err)
	}
	s := fmt.Sprintf("%06o %d:%d n%d", a.Mode, a.UID, a.GID, a.Nlink)
	switch a.Mode & fs9p.ModeType {
	case fs9p.ModeRegular:
		data, err := readAll(n)
		if err != nil || uint64(len(data)) != a.Size {
			t.Errorf("read %d bytes of %d: %v", len(data), a.Size, err)
		}
		if len(data) > 40 {
			data = fmt.Sprintf("%.40q and %d bytes", data, len(data))
		}
		s += " " + data
	case fs9p.ModeSymlink:
		target, err := n.Readlink()
		if err != nil || uint64(len(target)) != a.Size {
			t.Errorf("readlink: %q of %d bytes: %v", target, a.Size, err)
		}
		s += " -> " + target
	case fs9p.ModeChar, fs9p.ModeBlock:
		s += fmt.Sprintf(" %d,%d", fs9p.Major(a.Rdev), fs9p.Minor(a.Rdev))
	}
	names, err := n.Xattrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range names {
		v, err := n.Xattr(k)
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf(" %s=%q", k, v)
	}
	return s
}

// brief is what dump tells, without modes of the usual kind and owners.
func brief(lines []string) []string {
	var out []string
	for _, l := range lines {
		name, rest, _ := strings.Cut(l, " ")
		mode, rest, _ := strings.Cut(rest, " ")
		_, rest, _ = strings.Cut(rest, " ")
		switch mode {
		case "040755":
			name, mode = strings.TrimSuffix(name, "/")+"/", ""
		case "100644", "120777":
			mode = ""
		default:
			mode = " " + mode
		}
		links, rest, _ := strings.Cut(rest, " ")
		if links == "n1" || mode == "" && strings.HasSuffix(name, "/") {
			links = ""
		} else {
			links = " " + links
		}
		if rest != "" {
			rest = " " + rest
		}
		out = append(out, name+mode+links+rest)
	}
	return out
}

func TestLayers(t *testing.T) {
	var long []string
	for range 40 {
		long = append(long, strings.Repeat("d", 90))
	}
	longName := strings.Join(long, "/")
	for _, tt := range []struct {
		name   string
		layers [][]item
		want   []string
	}{
		{"no layers", nil, []string{"/"}},
		{"empty layer", [][]item{{}}, []string{"/"}},
		{"dots and slashes", [][]item{{dir("."), dir("./a"), regular("./a//b", "1"), regular("a/./c", "2")}},
			[]string{"/", "/a/", "/a/b 1", "/a/c 2"}},
		{"root", [][]item{{dir("./").mode(0o700), dir("//").mode(0o711)}}, []string{"/ 040711 n2"}},
		{"missing parents", [][]item{{regular("a/b/c", "1")}}, []string{"/", "/a/", "/a/b/", "/a/b/c 1"}},
		{"order of names", [][]item{{regular("b", ""), regular("a.x", ""), dir("a"), regular("a/y", "")}},
			[]string{"/", "/a/", "/a/y", "/a.x", "/b"}},
		{"duplicates", [][]item{{regular("a", "1"), regular("a", "2").mode(0o600), dir("d"), regular("d/x", ""), regular("d", "file"), symlink("l", "x"), dir("l")}},
			[]string{"/", "/a 100600 2", "/d file", "/l/"}},
		{"upper replaces", [][]item{{regular("a", "1"), dir("d"), regular("d/x", "x"), regular("e", "")}, {regular("a", "22"), regular("d/y", "y"), dir("e"), regular("e/f", "")}},
			[]string{"/", "/a 22", "/d/", "/d/x x", "/d/y y", "/e/", "/e/f"}},
		{"folder's attributes", [][]item{{dir("d").mode(0o700), regular("d/x", "")}, {dir("d").mode(0o1777)}},
			[]string{"/", "/d 041777 n2", "/d/x"}},
		{"implicit keeps attributes", [][]item{{dir("d").mode(0o700)}, {regular("d/x", "")}}, []string{"/", "/d 040700 n2", "/d/x"}},
		{"whiteout", [][]item{{regular("a", ""), regular("b", ""), dir("d"), regular("d/x", "")}, {regular(".wh.a", ""), regular(".wh.d", ""), regular(".wh.missing", ""), regular("no/.wh.x", "")}},
			[]string{"/", "/b"}},
		{"whiteout is for lower layers", [][]item{{regular("a", "1")}, {regular("a", "2"), regular(".wh.a", "")}, {regular(".wh.b", ""), regular("b", "3")}},
			[]string{"/", "/a 2", "/b 3"}},
		{"whiteout in the only layer", [][]item{{regular("a", "1"), regular(".wh.a", "")}}, []string{"/", "/a 1"}},
		{"folder hidden and made anew", [][]item{{dir("d").mode(0o700), regular("d/x", "")}, {regular(".wh.d", ""), dir("d"), regular("d/y", "")}},
			[]string{"/", "/d/", "/d/y"}},
		{"folder made anew and hidden", [][]item{{dir("d").mode(0o700), regular("d/x", ""), regular("d/e/z", "")}, {dir("d"), regular("d/y", ""), regular(".wh.d", "")}},
			[]string{"/", "/d/", "/d/y"}},
		{"implicit and hidden", [][]item{{dir("d").mode(0o700), regular("d/x", ""), dir("d/e").mode(0o700), regular("d/e/z", "")}, {regular("d/e/y", ""), regular(".wh.d", "")}},
			[]string{"/", "/d/", "/d/e/", "/d/e/y"}},
		{"opaque first", [][]item{{dir("d"), regular("d/x", ""), regular("d/s/t", "")}, {dir("d"), regular("d/.wh..wh..opq", ""), regular("d/y", "")}},
			[]string{"/", "/d/", "/d/y"}},
		{"opaque last", [][]item{{dir("d"), regular("d/x", ""), regular("d/s/t", "")}, {dir("d"), regular("d/y", ""), regular("d/s/u", ""), regular("d/.wh..wh..opq", "")}},
			[]string{"/", "/d/", "/d/s/", "/d/s/u", "/d/y"}},
		{"opaque root", [][]item{{regular("a", ""), dir("d")}, {regular(".wh..wh..opq", ""), regular("b", "")}}, []string{"/", "/b"}},
		{"metadata of AUFS", [][]item{{regular(".wh..wh.aufs", ""), dir(".wh..wh.plnk"), regular(".wh..wh.plnk/1.2", "x"), regular("a", "")}}, []string{"/", "/a"}},
		{"whiteout of a folder below a file", [][]item{{regular("a", "")}, {regular("a/.wh.b", "")}}, []string{"/", "/a"}},
		{"hard links", [][]item{{regular("a", "1"), dir("d"), link("d/b", "a"), link("c", "./d/b"), link("a", "c")}},
			[]string{"/", "/a n3 1", "/c n3 1", "/d/", "/d/b n3 1"}},
		{"hard link across layers", [][]item{{regular("a", "1")}, {link("b", "/a")}, {regular("a", "2")}},
			[]string{"/", "/a 2", "/b 1"}},
		{"hard link to what is then hidden", [][]item{{regular("a", "1")}, {link("b", "a"), regular(".wh.a", "")}}, []string{"/", "/b 1"}},
		{"hard link to a symbolic link", [][]item{{symlink("s", "nowhere"), link("t", "s")}},
			[]string{"/", "/s n2 -> nowhere", "/t n2 -> nowhere"}},
		{"hard link replaces", [][]item{{regular("a", "1"), dir("d"), regular("d/x", "")}, {link("d", "a")}}, []string{"/", "/a n2 1", "/d n2 1"}},
		{"symbolic links", [][]item{{symlink("abs", "/etc/passwd"), symlink("out", "../../../etc"), symlink("loop", "loop"), symlink("a", "b"), symlink("b", "a")}},
			[]string{"/", "/a -> b", "/abs -> /etc/passwd", "/b -> a", "/loop -> loop", "/out -> ../../../etc"}},
		{"through symbolic links", [][]item{{dir("usr/lib"), symlink("lib", "usr/lib"), symlink("abs", "/usr/../lib"), symlink("up", "../../../usr")},
			{regular("lib/x", "1"), regular("abs/y", "2"), regular("up/z", "3"), regular("up/lib/w", "4"), link("hard", "up/z")}, {regular("lib/.wh.x", ""), regular("abs/sub/f", "")}},
			[]string{"/", "/abs -> /usr/../lib", "/hard n2 3", "/lib -> usr/lib", "/up -> ../../../usr", "/usr/", "/usr/lib/", "/usr/lib/sub/", "/usr/lib/sub/f", "/usr/lib/w 4", "/usr/lib/y 2", "/usr/z n2 3"}},
		{"through a link to nothing", [][]item{{symlink("l", "new/place"), regular("l/f", "")}}, []string{"/", "/l -> new/place", "/new/", "/new/place/", "/new/place/f"}},
		{"devices", [][]item{{
			{tar.Header{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3}, ""},
			{tar.Header{Typeflag: tar.TypeBlock, Name: "sda", Mode: 0o660, Devmajor: 4095, Devminor: 1<<20 - 1}, ""},
			{tar.Header{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o600}, ""}}},
			[]string{"/", "/fifo 010600", "/null 020666 1,3", "/sda 060660 4095,1048575"}},
		{"special bits", [][]item{{regular("su", "").mode(0o6755), dir("tmp").mode(0o1777)}}, []string{"/", "/su 106755", "/tmp 041777 n2"}},
		{"attributes", [][]item{
			{{tar.Header{Typeflag: tar.TypeReg, Name: "f", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x02", "SCHILY.xattr.user.a": ""}}, "x"},
				{tar.Header{Typeflag: tar.TypeDir, Name: "d", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.user.lower": "1"}}, ""}},
			{{tar.Header{Typeflag: tar.TypeDir, Name: "d", Mode: 0o755, PAXRecords: map[string]string{"SCHILY.xattr.user.upper": "2"}}, ""}}},
			[]string{"/", `/d/ user.upper="2"`, `/f x security.capability="\x01\x00\x02" user.a=""`}},
		{"absolute names", [][]item{{dir("/"), dir("/etc").mode(0o700), regular("/etc/passwd", "1"), regular("//a///b", "2"), symlink("/s", "/etc"), link("/h", "/etc/passwd")},
			{regular("/s/new", "3"), regular("/a/.wh.b", ""), regular("/a/c", "4")}},
			[]string{"/", "/a/", "/a/c 4", "/etc 040700 n2", "/etc/new 3", "/etc/passwd n2 1", "/h n2 1", "/s -> /etc"}},
		{"absolute opaque", [][]item{{regular("d/x", "")}, {regular("/d/.wh..wh..opq", ""), regular("/d/y", "")}}, []string{"/", "/d/", "/d/y"}},
		{"two dots that stay inside", [][]item{{regular("a/../b", "1"), dir("c/d/..").mode(0o700), regular("/e/./../e/f", "2"), link("g", "c/../b"), dir("h/..").mode(0o711), regular("i/../.wh.j", "")}},
			[]string{"/ 040711 n4", "/b n2 1", "/c 040700 n2", "/e/", "/e/f 2", "/g n2 1"}},
		{"two dots and symbolic links", [][]item{{dir("usr/lib"), symlink("lib", "usr/lib"), regular("lib/../x", "1")}}, []string{"/", "/lib -> usr/lib", "/usr/", "/usr/lib/", "/x 1"}},
		{"hard link before its target", [][]item{{link("a", "d/t"), regular("d/t", "1"), link("b", "a")}}, []string{"/", "/a n3 1", "/b n3 1", "/d/", "/d/t n3 1"}},
		{"hard links before their targets", [][]item{{link("a", "b"), link("b", "c"), link("c", "t"), regular("t", "1")}}, []string{"/", "/a n4 1", "/b n4 1", "/c n4 1", "/t n4 1"}},
		{"hard link before its target, through a link", [][]item{{link("a", "l/t"), symlink("l", "d"), regular("d/t", "1")}}, []string{"/", "/a n2 1", "/d/", "/d/t n2 1", "/l -> d"}},
		{"hard link whose name is taken before its target comes", [][]item{{link("a", "t"), regular("a", "own"), regular("t", "1")}}, []string{"/", "/a own", "/t 1"}},
		{"hard link that takes a name before its target comes", [][]item{{dir("a"), regular("a/x", "")}, {regular("b", ""), link("a", "t"), link("b", "t"), regular("t", "1")}}, []string{"/", "/a n3 1", "/b n3 1", "/t n3 1"}},
		{"types that are no files", [][]item{{typed('V', "label", ""), typed(tar.TypeXGlobalHeader, "global", ""), typed('A', "f", "user::rwx"), typed('E', "f", "attribute"), regular("f", "1"), typed('V', "label 2", "x")}},
			[]string{"/", "/f 1"}},
		{"types that are files", [][]item{{typed('7', "f", "1"), typed('D', "d/", "Yf\x00\x00").mode(0o700), typed('D', "e", "Yf\x00\x00").mode(0o755), regular("e/f", "2")}},
			[]string{"/", "/d 040700 n2", "/e/", "/e/f 2", "/f 1"}},
		{"Solaris's extended headers", [][]item{{
			typed('X', "x", paxRecords("path", "long/one", "uid", "1000", "SUN.holesdata", " 0 10")), typed('A', "f", "user::rwx"), regular("f", "1"), regular("g", "2"),
			typed('X', "x", paxRecords("linkpath", "long/one")), link("h", "cut"), typed('X', "x", paxRecords("size", "3", "SCHILY.xattr.user.k", "v=1\n 4")), regular("i", "123")}},
			[]string{"/", "/g 2", "/h n2 1", `/i 123 user.k="v=1\n 4"`, "/long/", "/long/one n2 1"}},
		{"long names", [][]item{{regular(longName+"/f", "1"), symlink("l", longName)}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var archives [][]byte
			for _, items := range tt.layers {
				archives = append(archives, archive(t, items...))
			}
			fs, err := open(layersOf(archives...))
			if err != nil {
				t.Fatal(err)
			}
			got := brief(dump(t, fs))
			if tt.want == nil {
				if len(got) != 43 || !strings.HasSuffix(got[41], "/f 1") || !strings.HasSuffix(got[42], "-> "+longName) {
					t.Errorf("got %d names:\n%s", len(got), strings.Join(got, "\n"))
				}
				return
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		item item
		want string
	}{
		{regular("../etc/passwd", ""), `layer 2 (L2): "../etc/passwd": the name leads out of the image`},
		{regular("a/../../b", ""), `"a/../../b": the name leads out of the image`},
		{regular("a/..", ""), `"a/..": a file where a directory should be`},
		{regular("/../etc/passwd", ""), `"/../etc/passwd": the name leads out of the image`},
		{dir("a/b/../../.."), `"a/b/../../../": the name leads out of the image`},
		{regular("..", ""), `"..": the name leads out of the image`},
		{regular("../.wh.x", ""), `"../.wh.x": the name leads out of the image`},
		{regular(".wh...", ""), `".wh...": a name that is reserved for whiteouts`},
		{regular(".wh.", ""), `".wh.": a name that is reserved for whiteouts`},
		{regular("a/.wh.b/c", ""), `"a/.wh.b/c": a name that is reserved for whiteouts`},
		{regular(strings.Repeat("n", 256), ""), "a name that is too long"},
		{regular(strings.Repeat("n/", 2100)+"n", ""), "a name that is too long"},
		{link("a", "../../etc/shadow"), `"a": link to "../../etc/shadow": the name leads out of the image`},
		{link("a", "missing"), `"a": link to "missing": no such file in this layer or those below it`},
		{link("a", "no/file"), `no such file`},
		{link("a", "a"), `"a": link to "a": no such file`},
		{link("a", "lower"), `a hard link to a directory`},
		{link("a", "."), `a hard link to a directory`},
		{link(".", "file"), `".": a file where a directory should be`},
		{regular(".", ""), `".": a file where a directory should be`},
		{regular("file/x", ""), `"file/x": a file where a directory should be`},
		{regular("loop/x", ""), `"loop/x": too many symbolic links on the way`},
		{symlink("a", strings.Repeat("t", 5000)), "no target, or one that is too long"},
		{item{tar.Header{Typeflag: tar.TypeChar, Name: "dev", Devmajor: 4096}, ""}, `"dev": a number that Linux has no room for`},
		{item{tar.Header{Typeflag: tar.TypeBlock, Name: "dev", Devminor: 1 << 20}, ""}, `"dev": a number`},
		{item{tar.Header{Typeflag: tar.TypeReg, Name: "f", Uid: -1}, ""}, `"f": a number`},
		{item{tar.Header{Typeflag: 'Z', Name: "f"}, ""}, `"f": an entry of a kind that is no file ('Z')`},
		{typed('M', "f", "the rest"), `"f": the rest of a file that began in another volume`},
		{typed('X', "f", "12 path=f\n"), `"f": a bad extended header`},
		{typed('X', "f", "9 path=f"), `"f": a bad extended header`},
		{typed('X', "f", "0 "), `"f": a bad extended header`},
		{typed('X', "f", strings.Repeat("x", 1<<20+1)), `"f": a bad extended header of 1048577 bytes`},
		{item{pax("SCHILY.xattr."+strings.Repeat("k", 256), "v"), ""}, "an extended attribute that Linux has no room for"},
		{item{pax("SCHILY.xattr.user.k", strings.Repeat("v", 65537)), ""}, `an extended attribute that Linux has no room for: "user.k"`},
	} {
		lower := archive(t, dir("lower"), regular("file", ""), symlink("loop", "pool"), symlink("pool", "loop"))
		_, err := open(layersOf(lower, archive(t, tt.item)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: %v; want %q", tt.item.Name, err, tt.want)
		}
	}
}

// TestSolarisRefused has extended headers that the entry behind them cannot have.
func TestSolarisRefused(t *testing.T) {
	for records, want := range map[string]string{
		"15 size=100000\n":  `"f": a bad extended header: a size of 100000 bytes beside one of 4`,
		"9 uid=me\n":        `"f": a bad extended header: uid "me"`,
		"12 mtime=1x\n":     `"f": a bad extended header: mtime "1x"`,
		"16 path=../evil\n": `"../evil": the name leads out of the image`,
	} {
		_, err := open(layersOf(archive(t, typed('X', "x", records), regular("f", "data"))))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", records, err)
		}
	}
}

// TestNULInName has names that archive/tar does not write.
func TestNULInName(t *testing.T) {
	for _, key := range []string{"path", "linkpath"} {
		b := archive(t, regular("before", "data"), item{tar.Header{Typeflag: tar.TypeReg, Name: "f", PAXRecords: map[string]string{"A.long": "0123456789"}}, ""})
		// The record is replaced by one of the same length.
		record := []byte("21 A.long=0123456789\n")
		evil := fmt.Appendf(nil, "21 %s=", key)
		evil = append(evil, "passwd\x00...................."[:len(record)-1-len(evil)]...)
		at := bytes.Index(b, record)
		if at < 0 {
			t.Fatal("no PAX record")
		}
		copy(b[at:], append(evil, '\n'))
		_, err := open(layersOf(b))
		if err == nil || !strings.Contains(err.Error(), `layer 1 (L1): "passwd\x00`) || !strings.Contains(err.Error(), "not a file name") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestTruncated(t *testing.T) {
	b := archive(t, regular("a", strings.Repeat("x", 1000)), regular("b", strings.Repeat("y", 1000)))
	for _, n := range []int{1, 511, 513, 1024, 1511, 2047, 2048 + 999} {
		if _, err := open(layersOf(b[:n])); err == nil || !strings.Contains(err.Error(), "layer 1 (L1): ") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	bad := bytes.Clone(b)
	bad[1536+100] ^= 1
	if _, err := open(layersOf(bad)); err == nil || !strings.Contains(err.Error(), "at byte 1536") {
		t.Errorf("a bad header: %v", err)
	}
}

func TestTimes(t *testing.T) {
	when := time.Unix(1_700_000_000, 123_456_789)
	b := archive(t,
		item{tar.Header{Typeflag: tar.TypeReg, Name: "new/f", ModTime: when, AccessTime: when.Add(time.Hour), ChangeTime: when.Add(time.Minute), Format: tar.FormatPAX}, ""},
		item{tar.Header{Typeflag: tar.TypeReg, Name: "old", ModTime: time.Unix(-5, 0), Format: tar.FormatGNU}, ""})
	fs, err := open(layersOf(b))
	if err != nil {
		t.Fatal(err)
	}
	attr := func(names ...string) fs9p.Attr {
		n, _ := fs.Attach("")
		for _, name := range names {
			if n, err = n.Walk(name); err != nil {
				t.Fatal(err)
			}
		}
		a, err := n.Attr()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	sec := when.Unix()
	for _, tt := range []struct {
		a                   fs9p.Attr
		atime, mtime, ctime fs9p.Timespec
	}{
		{attr("new", "f"), fs9p.Timespec{Sec: sec + 3600, Nsec: 123_456_789}, fs9p.Timespec{Sec: sec, Nsec: 123_456_789}, fs9p.Timespec{Sec: sec + 60, Nsec: 123_456_789}},
		{attr("new"), fs9p.Timespec{Sec: sec, Nsec: 123_456_789}, fs9p.Timespec{Sec: sec, Nsec: 123_456_789}, fs9p.Timespec{Sec: sec, Nsec: 123_456_789}},
		{attr("old"), fs9p.Timespec{Sec: -5}, fs9p.Timespec{Sec: -5}, fs9p.Timespec{Sec: -5}},
	} {
		if tt.a.Atime != tt.atime || tt.a.Mtime != tt.mtime || tt.a.Ctime != tt.ctime {
			t.Errorf("%+v, want %+v", tt.a, tt)
		}
	}
}

// pax is the header of a file with one PAX record.
func pax(k, v string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: "f", PAXRecords: map[string]string{k: v}}
}
