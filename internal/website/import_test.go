package website

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
	"alpinevm/internal/chunked"
)

// packedRoot is an archive of a root, plain and by gzip.
func packedRoot(t *testing.T) (plain, packed []byte) {
	t.Helper()
	var b, z bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 3},
		{Name: "etc/f", Typeflag: tar.TypeReg, Mode: 0o640, Size: 9000, Uid: 7},
		{Name: "etc/g", Typeflag: tar.TypeLink, Linkname: "etc/f"},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "etc/f"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	c := gzip.NewWriter(&z)
	if err := errors.Join(w.Close()); err != nil {
		t.Fatal(err)
	}
	c.Write(b.Bytes())
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), z.Bytes()
}

// TestImport keeps what an archive holds, under a name that is free: all of it or
// nothing.
func TestImport(t *testing.T) {
	plain, packed := packedRoot(t)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1
	busybox := &chunked.File{}
	s := &storage.Memory{}
	for _, tt := range []struct {
		name string
		m    *Machine
		data []byte
		want string
	}{
		{"nothing", &Machine{Busybox: busybox}, nil, "cannot be imported"},
		{"no archive", &Machine{Busybox: busybox}, []byte(strings.Repeat("no archive ", 200)), "cannot be imported"},
		{"cut in a file", &Machine{Busybox: busybox}, plain[:6000], "cut short"},
		{"without its end", &Machine{Busybox: busybox}, plain[:bytes.LastIndexByte(plain, 'x')/512*512+512], "cut short"},
		{"cut packed", &Machine{Busybox: busybox}, packed[:len(packed)-20], "cut short"},
		{"changed", &Machine{Busybox: busybox}, flipped, "cannot be imported"},
		{"empty", &Machine{Busybox: busybox}, make([]byte, 1024), "nothing in it"},
		{"without a busybox", &Machine{}, packed, "needs a page of its own image"},
		{"packed", &Machine{Busybox: busybox}, packed, ""},
		{"again", &Machine{Busybox: busybox}, packed, "of this name already"},
	} {
		err := Import(t.Context(), s, tt.m, bytes.NewReader(tt.data))
		if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	m := &Machine{Root: Tree{Archive: chunked.File{Size: 1, Chunks: []string{"a"}}}, Args: []string{"of the image"}}
	if has, err := Kept(s, m); err != nil || has != Whole || !m.alone() || m.Args != nil {
		t.Fatalf("%v, %v; the machine is %+v", has, err, m)
	}
	f, err := statefs.Open(statefs.Config{Storage: s})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root := fs9p.IOFS(f)
	info, err := fs.Stat(root, "l")
	if err != nil || info.Size() != 9000 || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestImportFails: what is left of an import that failed is not part of another machine.
func TestImportFails(t *testing.T) {
	plain, _ := packedRoot(t)
	s := &storage.Memory{}
	if err := Import(t.Context(), s, &Machine{}, bytes.NewReader(plain)); err == nil {
		t.Fatal("a root without a busybox")
	}
	if has, err := Kept(s, &Machine{}); err != nil || has != Fresh {
		t.Fatalf("%v, %v", has, err)
	}
	f, err := statefs.Open(statefs.Config{Storage: s})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if list, err := fs.ReadDir(fs9p.IOFS(f), "."); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
