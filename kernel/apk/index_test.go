package apk

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"alpinevm/internal/apktest"
)

func TestAlpineKeys(t *testing.T) {
	keys := AlpineKeys()
	for _, id := range []string{"4a6a0840", "5243ef4b", "61666e3f"} {
		if keys["alpine-devel@lists.alpinelinux.org-"+id+".rsa.pub"] == nil {
			t.Errorf("no key %s", id)
		}
	}
	for _, bad := range []string{"", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if err := keys.Add("bad", []byte(bad)); err == nil {
			t.Errorf("key %q was taken", bad)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	// In order; those on a line are equal.
	order := []string{
		"0.1_alpha", "0.1_alpha2", "0.1_beta1", "0.1_pre2", "0.1_rc1", "0.1", "0.1_git20240101", "0.1_p1", "0.1.1", "0.9", "1", "1.0", "1.0-r1", "1.0-r10",
		"1.0a", "1.0.03", "1.0.1", "1.0.1b", "1.0.9-r3", "1.0.57-r0", "1.0.100-r0", "1.1", "1.2", "1.10", "2.0_rc1", "2.0", "10.0", "20240705-r0",
	}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := CompareVersions(a, b); got != want {
				t.Errorf("%s and %s: %d, want %d", a, b, got, want)
			}
		}
	}
	if CompareVersions("1.0", "1.0-r0") != 0 {
		t.Error("no release is release 0")
	}
}

func TestParseRecords(t *testing.T) {
	const sum = "C:Q1AQIDBAUGBwgJCgsMDQ4PEBESExQ=\n"
	for _, tt := range []struct {
		name, text string
		want       []Info
	}{
		{"one", sum + "P:musl\nV:1.2.5-r0\nA:x86\nS:409163\nI:675840\nT:the libc\n\n", []Info{{Name: "musl", Version: "1.2.5-r0", Arch: "x86", Size: 409163}}},
		{"no last empty line", sum + "P:a\nV:1\n\n" + sum + "P:b\nV:2", []Info{{Name: "a", Version: "1"}, {Name: "b", Version: "2"}}},
		{"no checksum", "P:a\nV:1\n\n", nil},
		{"another checksum", "C:Q2AQIDBAUGBwgJCgsMDQ4PEBESExQ=\nP:a\nV:1\n\n", nil},
		{"short checksum", "C:Q1AQID\nP:a\nV:1\n\n", nil},
		{"a name with a folder", sum + "P:../a\nV:1\n\n", nil},
		{"a version with a folder", sum + "P:a\nV:1/../..\n\n", nil},
		{"no version", sum + "P:a\n\n", nil},
		{"nothing", "", nil},
	} {
		x, err := parseRecords(strings.NewReader(tt.text))
		if err != nil || len(x.Packages) != len(tt.want) {
			t.Errorf("%s: %+v, %v", tt.name, x, err)
			continue
		}
		for i, p := range x.Packages {
			if p.Checksum[19] != 20 {
				t.Errorf("%s: checksum %s", tt.name, p.Checksum)
			}
			if p.Checksum = (Checksum{}); p != tt.want[i] {
				t.Errorf("%s: %+v, want %+v", tt.name, p, tt.want[i])
			}
		}
	}
	if _, err := parseRecords(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without end was taken")
	}
}

// seeds are a repository of one small package for the fuzz targets, and its key.
func seeds(f *testing.F) (Keys, apktest.Repository) {
	key := apktest.NewKey(f, "test.rsa.pub")
	keys := Keys{}
	if err := keys.Add(key.Name, key.Public()); err != nil {
		f.Fatal(err)
	}
	return keys, apktest.NewRepository(key, &apktest.Package{Name: "a", Version: "1-r0", Files: []apktest.File{{Name: "etc/a", Data: []byte("a\n")}}})
}

// FuzzParseIndex parses anything as an index. Only what is signed is taken.
func FuzzParseIndex(f *testing.F) {
	keys, repo := seeds(f)
	good := repo["x86/APKINDEX.tar.gz"]
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(good[streamAt(f, good, 1):])
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := ParseIndex(data, keys)
		if err == nil && !bytes.Equal(data, good) {
			t.Errorf("an index that nobody signed was taken: %+v", x)
		}
	})
}

// FuzzOpen unpacks anything as a package.
func FuzzOpen(f *testing.F) {
	_, repo := seeds(f)
	good := repo["x86/a-1-r0.apk"]
	f.Add(good)
	f.Add(good[:len(good)-20])
	f.Add(good[streamAt(f, good, 1):])
	f.Add(append(bytes.Clone(good), good...))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := open(bytes.NewReader(data))
		if err != nil {
			return
		}
		if !validName(o.Name) || !validName(o.Version) {
			t.Errorf("%+v", o.Info)
		}
		o.unpack(io.Discard)
	})
}

// FuzzParseRecords parses the text of an index.
func FuzzParseRecords(f *testing.F) {
	f.Add([]byte("C:Q1AQIDBAUGBwgJCgsMDQ4PEBESExQ=\nP:a\nV:1\nS:-1\n\nx\n:\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseRecords(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, p := range x.Packages {
			if !validName(p.Name) || !validName(p.Version) {
				t.Errorf("%+v", p)
			}
			if got, err := x.Find(p.Name, p.Version); err != nil || got.Name != p.Name {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}
