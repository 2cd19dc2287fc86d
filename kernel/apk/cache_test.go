package apk

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alpinevm/internal/apktest"
)

// kernelPackage is a package like linux-virt.
func kernelPackage(version string) *apktest.Package {
	return &apktest.Package{Name: "linux-virt", Version: version, Files: []apktest.File{
		{Name: "boot/vmlinuz-virt", Data: bytes.Repeat([]byte(version), 10000)},
		{Name: "lib/modules/" + version + "/modules.dep", Data: []byte("\n")},
	}}
}

// server is a repository of release v3.20 that can fail.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	files    apktest.Repository
	fail     func(file string) int // gives the status of an answer, 0 for what is asked for
	requests atomic.Int64
}

func newServer(t testing.TB, files apktest.Repository) *server {
	s := &server{files: files, fail: func(string) int { return 0 }}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		name, ok := strings.CutPrefix(r.URL.Path, "/v3.20/main/")
		data, found := s.files[name]
		code := s.fail(name)
		if code == 0 && (!ok || !found) {
			code = http.StatusNotFound
		}
		if code != 0 {
			http.Error(w, "no", code)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

func newCache(t testing.TB, s *server, key *apktest.Key) *Cache {
	t.Helper()
	keys := Keys{}
	if err := keys.Add(key.Name, key.Public()); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Dir: t.TempDir(), Mirror: s.URL, Keys: keys})
	c.pause = time.Millisecond
	return c
}

// tarFiles are the regular files of an archive.
func tarFiles(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[h.Name] = string(b)
		}
	}
}

// stored lists the files in a cache's folder.
func stored(t *testing.T, c *Cache) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(c.cfg.Dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func there(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestPackage(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0"), kernelPackage("6.6.100-r0"), kernelPackage("6.6.9-r3")))
	c := newCache(t, s, key)
	ctx := context.Background()
	var began []string
	c.cfg.Progress = func(what string, size int64) (func(int64), func(error)) {
		began = append(began, what)
		n := int64(0)
		return func(k int64) { n += k }, func(err error) {
			if err != nil || n != size {
				t.Errorf("progress of %s ends with %v after %d of %d bytes", what, err, n, size)
			}
		}
	}
	if _, err := c.Package(ctx, "v3.20", "linux-virt", "", Never); !errors.Is(err, ErrMissing) || s.requests.Load() != 0 {
		t.Errorf("from an empty cache: %v after %d requests", err, s.requests.Load())
	}
	p, err := c.Package(ctx, "v3.20", "linux-virt", "", Missing)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"boot/vmlinuz-virt": strings.Repeat("6.6.100-r0", 10000), "lib/modules/6.6.100-r0/modules.dep": "\n"}
	if got := tarFiles(t, p.Data); p.Version != "6.6.100-r0" || p.Arch != "x86" || !maps.Equal(got, want) {
		t.Errorf("%+v with the files %v", p, slices.Collect(maps.Keys(got)))
	}
	if !slices.Equal(began, []string{"APKINDEX", "linux-virt-6.6.100-r0"}) {
		t.Errorf("progress of %v", began)
	}
	for _, version := range []string{"6.6.57-r0", "6.6.57"} {
		if p, err := c.Package(ctx, "v3.20", "linux-virt", version, Missing); err != nil || p.Version != "6.6.57-r0" {
			t.Errorf("version %s: %+v, %v", version, p, err)
		}
	}
	s.Close()
	n := s.requests.Load()
	for _, policy := range []Policy{Missing, Never} {
		if q, err := c.Package(ctx, "v3.20", "linux-virt", "", policy); err != nil || *q != *p {
			t.Errorf("off line: %+v, %v", q, err)
		}
	}
	if s.requests.Load() != n {
		t.Error("a package in the cache was asked for")
	}
}

// TestPackageRefused has everything go wrong that can. Nothing is cached then.
func TestPackageRefused(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	good := apktest.NewRepository(key, kernelPackage("6.6.57-r0"))
	other := kernelPackage("6.6.57-r0")
	other.Files[0].Data = []byte("another kernel")
	const index, file = "x86/APKINDEX.tar.gz", "x86/linux-virt-6.6.57-r0.apk"
	damaged := func(name string, at int) func(*server) {
		return func(s *server) {
			b := bytes.Clone(good[name])
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 0x10
			s.files[name] = b
		}
	}
	cut := func(name string, n int) func(*server) {
		return func(s *server) { s.files[name] = good[name][:n] }
	}
	for _, tt := range []struct {
		name   string
		config func(*server)
		is     error
		text   string // in the message
		tries  int64
	}{
		{"another key of that name", func(s *server) {
			s.files = apktest.NewRepository(apktest.NewKey(t, key.Name), kernelPackage("6.6.57-r0"))
		}, ErrSignature, "test.rsa.pub did not sign this", 1},
		{"unknown key", func(s *server) {
			s.files = apktest.NewRepository(apktest.NewKey(t, "other.rsa.pub"), kernelPackage("6.6.57-r0"))
		}, ErrSignature, "other.rsa.pub is unknown", 1},
		{"damaged index", damaged(index, -100), ErrSignature, "did not sign", 1},
		{"index of another format", func(s *server) { s.files[index] = []byte("<html>log in</html>") }, ErrFormat, "login page", 1},
		{"truncated index", cut(index, len(good[index])-50), ErrSignature, "did not sign", 1},
		{"index that ends in its signature", cut(index, 100), ErrTruncated, "truncated", 3},
		{"unsigned index", func(s *server) { s.files[index] = unsigned(t, good[index]) }, ErrSignature, "not signed", 1},
		{"another package", func(s *server) { s.files[file] = apktest.NewRepository(key, other)[file] }, ErrHash, "control files", 2},
		{"another data stream", func(s *server) {
			s.files[file] = splice(t, good[file], apktest.NewRepository(key, other)[file])
		}, ErrHash, "the data are", 2},
		{"damaged data", damaged(file, -300), nil, "dropped", 2},
		{"truncated data", cut(file, len(good[file])-50), ErrTruncated, "truncated", 4},
		{"truncated between the streams", func(s *server) { s.files[file] = splice(t, good[file], nil) }, ErrTruncated, "truncated", 4},
		{"an empty package", cut(file, 0), ErrTruncated, "truncated", 4},
		{"a larger package", func(s *server) { s.files[file] = append(bytes.Clone(good[file]), make([]byte, 1000)...) }, ErrFormat, "too large", 2},
		{"no such package", func(s *server) { s.files = apktest.NewRepository(key, other); delete(s.files, file) }, nil, "has no http", 2},
		{"no such version", func(s *server) { s.files = apktest.NewRepository(key, kernelPackage("6.6.1-r0")) }, ErrNotFound, "linux-virt 6.6.57, only 6.6.1-r0", 1},
		{"no such name", func(s *server) { s.files = apktest.NewRepository(key) }, ErrNotFound, "no such package: linux-virt", 1},
		{"no such release", func(s *server) { delete(s.files, index) }, nil, "has no http", 1},
		{"too many requests", func(s *server) { s.fail = func(string) int { return 429 } }, nil, "too many requests", 3},
		{"error of the server", func(s *server) { s.fail = func(string) int { return 503 } }, nil, "503", 3},
		{"no access", func(s *server) { s.fail = func(string) int { return 403 } }, nil, "403", 1},
		{"no network", func(s *server) { s.Close() }, nil, "refuses connections", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, maps.Clone(good))
			tt.config(s)
			c := newCache(t, s, key)
			_, err := c.Package(context.Background(), "v3.20", "linux-virt", "6.6.57", Missing)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %v, want %v with %q", err, tt.is, tt.text)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "package linux-virt of Alpine v3.20: ") || !strings.Contains(err.Error(), "; ")) {
				t.Errorf("error %q is no line with a next step", err)
			}
			if got := s.requests.Load(); got != tt.tries {
				t.Errorf("%d requests, want %d", got, tt.tries)
			}
			if names := stored(t, c); len(names) > 0 {
				t.Errorf("left in the cache: %v", names)
			}
		})
	}
}

// dataAt is where the data stream of a package begins, or the second stream of
// an index.
func streamAt(t testing.TB, b []byte, n int) int {
	t.Helper()
	s := newStreams(bytes.NewReader(b))
	for range n {
		if _, err := s.readStream(); err != nil {
			t.Fatal(err)
		}
	}
	return s.taken()
}

// unsigned is an index without its signature.
func unsigned(t testing.TB, index []byte) []byte { return index[streamAt(t, index, 1):] }

// splice puts the data of b, if there are any, behind the control files of a.
func splice(t testing.TB, a, b []byte) []byte {
	if b != nil {
		b = b[streamAt(t, b, 2):]
	}
	return append(bytes.Clone(a[:streamAt(t, a, 2)]), b...)
}

func TestPackageRetries(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	n := 0
	s.fail = func(string) int {
		if n++; n%3 != 0 {
			return 502
		}
		return 0
	}
	if _, err := newCache(t, s, key).Package(context.Background(), "v3.20", "linux-virt", "", Missing); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.fail = func(string) int { cancel(); return 502 }
	c := newCache(t, s, key)
	c.pause = time.Hour
	if _, err := c.Package(ctx, "v3.20", "linux-virt", "", Missing); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("canceled: %v", err)
	}
}

// TestPackageUpdate: a policy of Always finds the new version, and the old one
// is dropped unless another name stands for it.
func TestPackageUpdate(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	ctx := context.Background()
	old, err := c.Package(ctx, "v3.20", "linux-virt", "", Missing)
	if err != nil {
		t.Fatal(err)
	}
	beside := strings.TrimSuffix(old.Data, ".tar") + ".tree"
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.files = apktest.NewRepository(key, kernelPackage("6.6.58-r0"))
	s.mu.Unlock()
	if p, err := c.Package(ctx, "v3.20", "linux-virt", "", Missing); err != nil || p.Version != "6.6.57-r0" {
		t.Errorf("without being asked for the latest: %+v, %v", p, err)
	}
	p, err := c.Package(ctx, "v3.20", "linux-virt", "", Always)
	if err != nil || p.Version != "6.6.58-r0" {
		t.Fatalf("%+v, %v", p, err)
	}
	if there(old.Data) || there(beside) {
		t.Error("the old version is still there")
	}
	pinned, err := c.Package(ctx, "v3.20", "linux-virt", "6.6.58-r0", Missing)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.files = apktest.NewRepository(key, kernelPackage("6.6.59-r0"))
	s.mu.Unlock()
	if _, err := c.Package(ctx, "v3.20", "linux-virt", "", Always); err != nil {
		t.Fatal(err)
	}
	if !there(pinned.Data) {
		t.Error("a version that is named elsewhere is gone")
	}
}

// TestPackageTogether has many ask at once for the same.
func TestPackageTogether(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Always)
			if err != nil {
				t.Error(err)
				return
			}
			if len(tarFiles(t, p.Data)) != 2 {
				t.Error("not complete")
			}
		})
	}
	wg.Wait()
	if names := stored(t, c); len(names) != 3 {
		t.Errorf("in the cache: %v", names)
	}
}

// TestAbandoned removes what a killed process has left, but not what another
// one may be writing.
func TestAbandoned(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	making := filepath.Join(c.cfg.Dir, "new")
	if err := os.MkdirAll(making, 0o755); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(making, "old"), filepath.Join(making, "fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("part"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Now().Add(-2*abandoned), time.Now().Add(-2*abandoned)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing); err != nil {
		t.Fatal(err)
	}
	if there(old) || !there(fresh) {
		t.Errorf("old %v, fresh %v", there(old), there(fresh))
	}
}

// TestCacheCannotBeWritten names the cache.
func TestCacheCannotBeWritten(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	c.cfg.Dir = filepath.Join(c.cfg.Dir, "file")
	if err := os.WriteFile(c.cfg.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err == nil || !strings.Contains(err.Error(), "cannot be written") || !strings.Contains(err.Error(), "XDG_CACHE_HOME") {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	key := apktest.NewKey(t, "somebody.rsa.pub")
	repo := apktest.NewRepository(key, kernelPackage("6.6.57-r0"))
	forged := apktest.NewRepository(apktest.NewKey(t, "somebody.rsa.pub"), kernelPackage("6.6.57-r0"))["x86/linux-virt-6.6.57-r0.apk"]
	unknown := apktest.NewRepository(apktest.NewKey(t, "nobody.rsa.pub"), kernelPackage("6.6.57-r0"))["x86/linux-virt-6.6.57-r0.apk"]
	file := filepath.Join(t.TempDir(), "kernel.apk")
	good := repo["x86/linux-virt-6.6.57-r0.apk"]
	keys := Keys{}
	if err := keys.Add(key.Name, key.Public()); err != nil {
		t.Fatal(err)
	}
	c := New(Config{Dir: t.TempDir(), Keys: keys})
	for _, tt := range []struct {
		name      string
		data      []byte
		text      string
		isPackage bool
	}{
		{"good", good, "", true},
		{"a forged signature", forged, "somebody.rsa.pub did not sign this; the file was changed", true},
		{"an unknown key", unknown, "nobody.rsa.pub is unknown; if you trust its owner, name the key's file by --mirror-key", true},
		{"truncated", good[:len(good)-100], "truncated", true},
		{"no package", []byte("\x7fELF, not a package"), "not an Alpine package", false},
	} {
		if err := os.WriteFile(file, tt.data, 0o600); err != nil {
			t.Fatal(err)
		}
		c.cfg.Dir = t.TempDir()
		if is, err := IsPackage(file); err != nil || is != tt.isPackage {
			t.Errorf("%s: a package: %v, %v", tt.name, is, err)
		}
		for range 2 {
			p, err := c.Open(file)
			if tt.text != "" {
				if err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%s: %v, want %q", tt.name, err, tt.text)
				}
				continue
			}
			if err != nil || p.Name != "linux-virt" || p.Version != "6.6.57-r0" || len(tarFiles(t, p.Data)) != 2 {
				t.Errorf("%s: %+v, %v", tt.name, p, err)
			}
		}
	}
	if _, err := IsPackage(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
