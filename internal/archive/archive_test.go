package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// archived is a small archive with one entry of each kind.
func archived(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	at := time.Unix(1e9, 0)
	for _, h := range []tar.Header{
		{Name: "top/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 7},
		{Name: "top/file", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 5, Uid: 1000, Gid: 100, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "x\x00y"}},
		{Name: "top/link", Typeflag: tar.TypeLink, Linkname: "top/file"},
		{Name: "top/sub/deep", Typeflag: tar.TypeReg, Mode: 0o600, Size: 5},
		{Name: "top/sym", Typeflag: tar.TypeSymlink, Linkname: "/nowhere"},
		{Name: "top/fifo", Typeflag: tar.TypeFifo, Mode: 0o600},
		{Name: "top/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3},
	} {
		h.ModTime, h.Format = at, tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(w, "hello")
		}
	}
	w.Close()
	return b.Bytes()
}

// listing describes an archive.
func listing(t *testing.T, b []byte) []string {
	t.Helper()
	var all []string
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if err == io.EOF {
			slices.Sort(all)
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, _ := io.ReadAll(r)
		all = append(all, fmt.Sprintf("%s %c %o %d:%d %q %s %q %d.%d", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid, data, h.Linkname, h.PAXRecords["SCHILY.xattr.user.a"], h.Devmajor, h.Devminor))
	}
}

// TestRoundTrip puts an archive into a file system and makes it again.
func TestRoundTrip(t *testing.T) {
	tree := &Tree{FS: memfs.New(memfs.Config{})}
	for range 2 { // the second time what is there is replaced
		entries, err := tree.Extract(t.Context(), tar.NewReader(bytes.NewReader(archived(t))), "/", Options{})
		if err != nil || len(entries) != 7 {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
	}
	var b bytes.Buffer
	if err := tree.Pack(t.Context(), &b, "/top", nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`top/ 5 750 7:0 ""  "" 0.0`, `top/fifo 6 600 0:0 ""  "" 0.0`, `top/file 0 4755 1000:100 "hello"  "x\x00y" 0.0`,
		`top/link 1 4755 1000:100 "" top/file "" 0.0`, `top/null 3 666 0:0 ""  "" 1.3`, `top/sub/ 5 755 0:0 ""  "" 0.0`,
		`top/sub/deep 0 600 0:0 "hello"  "" 0.0`, `top/sym 2 777 0:0 "" /nowhere "" 0.0`,
	}
	if got := listing(t, b.Bytes()); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b.Reset()
	if err := tree.Pack(t.Context(), &b, "/top/sub/.", nil); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, b.Bytes()); len(got) != 2 || !strings.HasPrefix(got[1], "sub/deep ") {
		t.Errorf("%q", got)
	}
	if err := tree.Remove(t.Context(), "/top"); err != nil {
		t.Fatal(err)
	}
	if s, err := tree.Stat(t.Context(), "/top"); err != nil || s.Exists {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestExtractRefused: what leads elsewhere, or is in the way.
func TestExtractRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		list  []tar.Header
		apart bool
		want  error
	}{
		{"out", []tar.Header{{Name: "../x", Typeflag: tar.TypeReg}}, false, ErrName},
		{"out by the middle", []tar.Header{{Name: "a/../../x", Typeflag: tar.TypeReg}}, false, ErrName},
		{"a file on a folder", []tar.Header{{Name: "dir", Typeflag: tar.TypeReg}}, false, fs9p.EISDIR},
		{"a folder on a file", []tar.Header{{Name: "file", Typeflag: tar.TypeDir}}, false, fs9p.ENOTDIR},
		{"below a link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/dir"}, {Name: "l/x", Typeflag: tar.TypeReg}}, true, errors.New("it is below a symbolic link of the archive")},
		{"a link to nothing", []tar.Header{{Name: "x", Typeflag: tar.TypeLink, Linkname: "nothing"}}, false, fs9p.ENOENT},
		{"absolute", []tar.Header{{Name: "/abs", Typeflag: tar.TypeReg}}, true, nil},
	} {
		fs := memfs.New(memfs.Config{})
		tree := &Tree{FS: fs}
		if err := errors.Join(tree.MakeDir(t.Context(), "dir"), fs9p.WriteFile(fs, "/file", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range tt.list {
			w.WriteHeader(&h)
		}
		w.Close()
		_, err := tree.Extract(t.Context(), tar.NewReader(&b), "/", Options{Apart: tt.apart})
		if (err == nil) != (tt.want == nil) || err != nil && !errors.Is(err, tt.want) && !strings.HasSuffix(err.Error(), tt.want.Error()) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
