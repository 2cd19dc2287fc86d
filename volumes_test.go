package alpinevm

import (
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// TestVolumesThroughLinks looks at them in a guest.
func TestVolumesThroughLinks(t *testing.T) {
	cfg := sessionConfig(t, "686-pae", `cat /a/link/sub/one /data/sub/one /srv/deep/two /link/two; pwd`)
	cfg.Session.Root = rootWithGuest(t)
	if err := fs9p.WriteFile(cfg.Session.Root, "data/keep", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	link(t, cfg.Session.Root, "link", "/srv/deep")
	cfg.Session.Dir = "/a/link/sub"
	cfg.Volumes = []Volume{
		{Target: "/link", FS: memfs.New(memfs.Config{})},
		{Target: "/a/link/sub", FS: memfs.New(memfs.Config{})},
		{Target: "/a", FS: memfs.New(memfs.Config{})},
		{Target: "/srv", FS: memfs.New(memfs.Config{})},
	}
	for i, name := range []string{"two", "one"} {
		if err := fs9p.WriteFile(cfg.Volumes[i].FS, name, []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link(t, cfg.Volumes[2].FS, "link", "/data")
	if err := fs9p.WriteFile(cfg.Volumes[3].FS, "deep/keep", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, cfg)
	g.want(g.run(), Exited, 0)
	if got, want := g.stdout.String(), "one\none\ntwo\ntwo\n/data/sub\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// link makes a symbolic link at the top of a file system.
func link(t *testing.T, fsys fs9p.FS, name, target string) {
	t.Helper()
	root, err := fsys.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Release()
	if _, err := root.Symlink(name, target, fs9p.Owner{}); err != nil {
		t.Fatal(err)
	}
}
