package linux

import (
	"errors"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// tree makes a file system of "folder/", "link -> target" and "file".
func tree(t *testing.T, entries ...string) *memfs.FS {
	t.Helper()
	m := memfs.New(memfs.Config{})
	for _, e := range entries {
		name, target, link := strings.Cut(e, " -> ")
		entry := memfs.Entry{Mode: fs9p.ModeRegular | 0o644}
		switch {
		case link:
			entry = memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: target}
		case strings.HasSuffix(name, "/"):
			entry = memfs.Entry{Mode: fs9p.ModeDir | 0o755}
		}
		if err := m.Add(strings.TrimSuffix(name, "/"), entry); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestPlaceVolumes: every volume is where its target leads to in the guest, and
// none is hidden.
func TestPlaceVolumes(t *testing.T) {
	type volume struct {
		target string
		holds  []string
		file   string
	}
	for _, tt := range []struct {
		name    string
		root    []string
		volumes []volume
		want    string // tags and places, in order
		err     string
	}{
		{"nothing", nil, nil, "", ""},
		{"plain", []string{"a/"}, []volume{{"/a/b", nil, ""}, {"/a", nil, ""}}, "1 /a, 0 /a/b", ""},
		{"an absolute link in another", nil, []volume{{"/a", []string{"link -> /data"}, ""}, {"/a/link/sub", nil, ""}}, "0 /a, 1 /data/sub", ""},
		{"a relative link in another", nil, []volume{{"/a", []string{"link -> ../data/x"}, ""}, {"/a/link/sub", nil, ""}}, "0 /a, 1 /data/x/sub", ""},
		{"a link as the last part", nil, []volume{{"/a", []string{"link -> /data"}, ""}, {"/a/link", nil, ""}}, "0 /a, 1 /data", ""},
		{"a link that leads into a third", nil, []volume{{"/a", []string{"link -> /b/c"}, ""}, {"/b/c", []string{"d -> e"}, ""}, {"/a/link/d/f", nil, ""}},
			"0 /a, 1 /b/c, 2 /b/c/e/f", ""},
		{"links from one into the other and back", nil, []volume{{"/a", []string{"x -> /b/y"}, ""}, {"/b", []string{"y -> /a/z"}, ""}, {"/a/x/c", nil, ""}},
			"0 /a, 1 /b, 2 /a/z/c", ""},
		{"a link of the root that goes deeper than another", []string{"link -> /srv/data/sub", "srv/"}, []volume{{"/srv/data", nil, ""}, {"/link", nil, ""}},
			"0 /srv/data, 1 /srv/data/sub", ""},
		{"a link of the root that a volume hides", []string{"a/", "a/link -> /lost"}, []volume{{"/a", []string{"link/"}, ""}, {"/a/link/b", nil, ""}},
			"0 /a, 1 /a/link/b", ""},
		{"a file", nil, []volume{{"/a", []string{"link -> /etc"}, ""}, {"/a/link/conf", []string{"inner"}, "inner"}}, "0 /a, 1 /etc/conf", ""},
		{"up and out of it", nil, []volume{{"/a/b", []string{"link -> ../../../../c"}, ""}, {"/a/b/link/d", nil, ""}}, "0 /a/b, 1 /c/d", ""},
		{"the same place", []string{"link -> a"}, []volume{{"/a", nil, ""}, {"/link", nil, ""}}, "", "/link: it is /a in the guest, as /a is"},
		{"the same place by way of another", nil, []volume{{"/a", []string{"x -> /b"}, ""}, {"/b", nil, ""}, {"/a/x", nil, ""}}, "", "/a/x: it is /b in the guest, as /b is"},
		{"the root", nil, []volume{{"/a", []string{"x -> /"}, ""}, {"/a/x", nil, ""}}, "", "/a/x: it is the root in the guest"},
		{"a loop", nil, []volume{{"/a", []string{"x -> y", "y -> x"}, ""}, {"/a/x/z", nil, ""}}, "", "/a/x/z: too many symbolic links"},
		{"two that move each other", []string{"n/", "m/", "n/y -> /m"}, []volume{{"/m/x", []string{"y -> /z"}, ""}, {"/n/y", []string{"x -> /n"}, ""}},
			"", "the symbolic links in volumes lead each to where another one is mounted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var volumes []Volume
			for _, v := range tt.volumes {
				volumes = append(volumes, Volume{Target: v.target, FS: tree(t, v.holds...), File: v.file})
			}
			mounts, _, err := placeVolumes(fs9p.IOFS(tree(t, tt.root...)), volumes)
			var fault *FieldError
			if errors.As(err, &fault) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%v, want %q", err, tt.err)
			}
			var got []string
			for _, m := range mounts {
				got = append(got, strings.TrimPrefix(m.Source, volumeTag)+" "+m.Target)
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
