package kernel

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"alpinevm/internal/guesttest/guestfile"
)

// alpineRoot reads Alpine's root file system, or skips the test.
func alpineRoot(t *testing.T) fstest.MapFS {
	t.Helper()
	f, err := os.Open(guestfile.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	root := fstest.MapFS{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return root
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.Trim(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" || name == "." {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeSymlink {
			data = []byte(h.Linkname)
		}
		root[name] = &fstest.MapFile{Data: data, Mode: mode}
	}
}

// busybox makes a program with a table of applets; static or with an interpreter.
func busybox(interp string, list ...string) []byte {
	b := elfImage([]byte("code\x00"+strings.Join(list, "\x00")+"\x00\x00"), 0)
	if interp != "" {
		at := len(b)
		b = append(b, interp+"\x00"...)
		p := b[elfHeaderSize:]
		binary.LittleEndian.PutUint32(p, elfInterp)
		binary.LittleEndian.PutUint32(p[4:], uint32(at))
		binary.LittleEndian.PutUint32(p[16:], uint32(len(interp)+1))
	}
	return b
}

// fullTable is the applet table of a busybox that suffices.
func fullTable() []string { return append([]string{"[", "[["}, applets[:]...) }

func TestAlpineTools(t *testing.T) {
	root := alpineRoot(t)
	tools, err := RootTools(root)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(tools.Busybox, root["bin/busybox"].Data) {
		t.Error("not the root's busybox")
	}
	if !bytes.Equal(tools.Loader["/lib/ld-musl-i386.so.1"], root["lib/ld-musl-i386.so.1"].Data) || len(tools.Loader) != 1 {
		t.Error("not the root's loader")
	}
}

func TestStaticTools(t *testing.T) {
	data, err := os.ReadFile(guestfile.Path(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	tools, err := StaticTools(data)
	if err != nil || len(tools.Loader) != 0 {
		t.Errorf("%v, %d files", err, len(tools.Loader))
	}
}

func TestToolsRefuse(t *testing.T) {
	static := busybox("", fullTable()...)
	for _, row := range []struct {
		name string
		root fstest.MapFS
		want error
	}{
		{"none", fstest.MapFS{}, fs.ErrNotExist},
		{"script", fstest.MapFS{"bin/busybox": {Data: []byte("#!/bin/sh")}}, ErrTools},
		{"loader absent", fstest.MapFS{"bin/busybox": {Data: busybox("/lib/ld-musl-i386.so.1", fullTable()...)}}, fs.ErrNotExist},
		{"applet missing", fstest.MapFS{"bin/busybox": {Data: busybox("", append([]string{"[", "[["}, applets[1:]...)...)}}, ErrTools},
		{"truncated", fstest.MapFS{"bin/busybox": {Data: static[:60]}}, ErrTools},
		{"link in a circle", fstest.MapFS{"bin": {Data: []byte("sbin"), Mode: fs.ModeSymlink}, "sbin": {Data: []byte("/bin"), Mode: fs.ModeSymlink}}, nil},
	} {
		_, err := RootTools(row.root)
		if err == nil || (row.want != nil && !errors.Is(err, row.want)) {
			t.Errorf("%s: error %v, want %v", row.name, err, row.want)
		}
	}
	ok := fstest.MapFS{
		"bin":              {Data: []byte("usr/bin"), Mode: fs.ModeSymlink},
		"usr/bin/busybox":  {Data: []byte("../../../bin/bb"), Mode: fs.ModeSymlink},
		"usr/bin/bb":       {Data: static},
		"usr/lib/whatever": {},
	}
	if _, err := RootTools(ok); err != nil {
		t.Errorf("through links: %v", err)
	}
	if _, err := StaticTools(busybox("/lib/ld.so")); !errors.Is(err, ErrTools) {
		t.Errorf("dynamic busybox: %v", err)
	}
	if _, err := StaticTools(elfImage([]byte("no table"), 0)); err != nil {
		t.Errorf("busybox without a table: %v", err)
	}
}

func FuzzTools(f *testing.F) {
	f.Add(busybox("", fullTable()...))
	f.Add(busybox("/lib/ld-musl-i386.so.1", "[", "[["))
	f.Fuzz(func(t *testing.T, data []byte) {
		root := fstest.MapFS{"bin/busybox": {Data: data}, "lib/ld-musl-i386.so.1": {Data: []byte("loader")}}
		if tools, err := RootTools(root); err == nil && len(tools.Busybox) == 0 {
			t.Error("empty tools")
		}
	})
}
