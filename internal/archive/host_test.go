package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestHost takes a folder of the host to another place of it.
func TestHost(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(from, name) }
	if err := errors.Join(os.MkdirAll(at("d/sub"), 0o755), os.WriteFile(at("d/a"), []byte("a"), 0o640), os.WriteFile(at("d/sub/b"), []byte("b"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink("a", at("d/l")); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := PackHost(&b, at("d"), "x"); err != nil {
		t.Fatal(err)
	}
	packed := b.Bytes()
	for range 2 {
		if err := UnpackHost(bytes.NewReader(packed), to, "y"); err != nil {
			t.Fatal(err)
		}
	}
	if err := UnpackHost(bytes.NewReader(packed), to, ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"y/a": "a", "y/sub/b": "b", "a": "a", "sub/b": "b"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestHostEscapes: what a guest has made reaches nothing outside.
func TestHostEscapes(t *testing.T) {
	for name, list := range map[string][]tar.Header{
		"a name":     {{Name: "x/../../out", Typeflag: tar.TypeReg}},
		"a link":     {{Name: "x/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "x/l", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "x/l/out", Typeflag: tar.TypeReg}},
		"a far link": {{Name: "x/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "x/l", Typeflag: tar.TypeSymlink, Linkname: "../../.."}, {Name: "x/l/out", Typeflag: tar.TypeReg}},
		"hard link":  {{Name: "x/", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "x/l", Typeflag: tar.TypeLink, Linkname: "x/../../outside"}},
	} {
		top := t.TempDir()
		inside := filepath.Join(top, "in")
		if err := errors.Join(os.Mkdir(inside, 0o755), os.WriteFile(filepath.Join(top, "outside"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range list {
			w.WriteHeader(&h)
		}
		w.Close()
		err := UnpackHost(&b, inside, "x")
		if _, e := os.Lstat(filepath.Join(top, "out")); !errors.Is(e, os.ErrNotExist) {
			t.Errorf("%s: %v, and it is there", name, err)
		}
		if list, _ := os.ReadDir(top); len(list) != 2 {
			t.Errorf("%s: %d entries", name, len(list))
		}
	}
}

// TestHostPower: set-id bits and devices stay in the guest.
func TestHostPower(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "x/", Typeflag: tar.TypeDir, Mode: 0o6755}, {Name: "x/suid", Typeflag: tar.TypeReg, Mode: 0o6755}, {Name: "x/null", Typeflag: tar.TypeChar, Mode: 0o666, Devmajor: 1, Devminor: 3},
	} {
		w.WriteHeader(&h)
	}
	w.Close()
	dir := t.TempDir()
	if err := UnpackHost(&b, dir, "x"); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(filepath.Join(dir, "x"))
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, name := range []string{"x", "x/suid"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
