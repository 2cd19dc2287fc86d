package fs9p_test

import (
	"io/fs"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// TestWriteFile puts a file in the place of what there may be.
func TestWriteFile(t *testing.T) {
	text := func(s string) memfs.Entry { return memfs.Entry{Mode: 0o600, Data: strings.NewReader(s)} }
	for _, tt := range []struct {
		name  string
		entry memfs.Entry
		err   fs9p.Errno
	}{
		{"other", text(""), 0},
		{"etc/hosts", text("old"), 0},
		{"etc/hosts", memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: "/real"}, 0},
		{"etc/.alpinevm-new", text("left by one that was killed"), 0},
		{"etc", memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: "elsewhere"}, 0},
		{"etc/hosts/sub", text(""), fs9p.EISDIR},
	} {
		m := memfs.New(memfs.Config{})
		for name, e := range map[string]memfs.Entry{"real": text("stays"), tt.name: tt.entry} {
			if err := m.Add(name, e); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := fs9p.WriteFile(m, "/etc/hosts", []byte("new"), 0o644); fs9p.ErrnoOf(err) != tt.err {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		files := fs9p.IOFS(m)
		if info, err := files.Lstat("etc/hosts"); err != nil || info.Mode() != 0o644 && tt.err == 0 {
			t.Errorf("%s: %v, %v", tt.name, info, err)
		}
		for file, want := range map[string]string{"etc/hosts": "new", "real": "stays"} {
			if b, err := fs.ReadFile(files, file); (err != nil || string(b) != want) && tt.err == 0 {
				t.Errorf("%s: %s holds %q, %v", tt.name, file, b, err)
			}
		}
		if _, err := fs.Stat(files, "etc/.alpinevm-new"); err == nil {
			t.Errorf("%s: the file in the making is left", tt.name)
		}
	}
}

// TestMakeFolders follows links within the tree, and makes what is missing.
func TestMakeFolders(t *testing.T) {
	m := memfs.New(memfs.Config{})
	for name, target := range map[string]string{"abs": "/real", "rel": "../real/x", "loop": "loop"} {
		if err := m.Add(name, memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: target}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Add("file", memfs.Entry{Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, made string
		ok         bool
	}{
		{"/a/b", "a/b", true}, {"c/d/", "c/d", true}, {"/abs/e", "real/e", true}, {"/rel/f", "real/x/f", true}, {"/", ".", true},
		{"/a/b", "a/b", true}, {"/../g", "g", true}, {"/loop/x", "", false}, {"/file/x", "", false},
	} {
		n, err := fs9p.MakeFolders(m, tt.name)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil {
			continue
		}
		n.Release()
		if info, err := fs9p.IOFS(m).Lstat(tt.made); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
