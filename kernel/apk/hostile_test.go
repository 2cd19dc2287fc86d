package apk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/apktest"
	"alpinevm/internal/seal"
)

// TestDamage changes each file of a cache in each way. With the mirror there it
// is fetched again; without it the error names the file, and never the network
// alone.
func TestDamage(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	ctx := context.Background()
	pull := func(c *Cache, p Policy) (*Package, error) {
		return c.Package(ctx, "v3.20", "linux-virt", "", p)
	}
	c := newCache(t, s, key)
	good, err := pull(c, Missing)
	if err != nil {
		t.Fatal(err)
	}
	want := tarFiles(t, good.Data)
	names := stored(t, c)
	if len(names) != 3 {
		t.Fatalf("in the cache: %v", names)
	}
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	for _, name := range names {
		original, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, damage := range map[string]func() error{
			"emptied":        func() error { return os.WriteFile(name, nil, 0o644) },
			"cut":            func() error { return os.Truncate(name, int64(len(original)/2)) },
			"longer":         func() error { return os.WriteFile(name, append(bytes.Clone(original), '\n'), 0o644) },
			"changed first":  func() error { return os.WriteFile(name, flip(original, 0), 0o644) },
			"changed inside": func() error { return os.WriteFile(name, flip(original, len(original)/2), 0o644) },
			"changed last":   func() error { return os.WriteFile(name, flip(original, len(original)-1), 0o644) },
			"gone":           func() error { return os.Remove(name) },
		} {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			off := New(Config{Dir: c.cfg.Dir, Mirror: s.URL, Keys: c.cfg.Keys, Transport: failing{errors.New("off line")}})
			off.pause = time.Millisecond
			// The sum is not asked for while the seal of the data holds, and a ref
			// that is gone is one that never was.
			needed := !strings.HasSuffix(name, ".sum")
			for _, policy := range []Policy{Never, Missing} {
				p, err := pull(off, policy)
				switch {
				case !needed && (err != nil || *p != *good):
					t.Errorf("%s %s: %v", filepath.Base(name), what, err)
				case needed && err == nil:
					t.Errorf("%s %s: it was used", filepath.Base(name), what)
				case needed && !strings.Contains(err.Error(), "the file "+name+" of the cache is damaged") && !(what == "gone" && strings.Contains(name, "refs")):
					t.Errorf("%s %s: %v", filepath.Base(name), what, err)
				}
			}
			s.requests.Store(0)
			p, err := pull(c, Missing)
			if err != nil {
				t.Fatalf("%s %s: %v", filepath.Base(name), what, err)
			}
			if got := tarFiles(t, p.Data); len(got) != len(want) || got["boot/vmlinuz-virt"] != want["boot/vmlinuz-virt"] || *p != *good {
				t.Errorf("%s %s: it was not repaired", filepath.Base(name), what)
			}
			if n := s.requests.Load(); n > 2 {
				t.Errorf("%s %s: %d requests", filepath.Base(name), what, n)
			}
			if _, err := pull(off, Never); err != nil {
				t.Errorf("%s %s: it was not repaired for good: %v", filepath.Base(name), what, err)
			}
			if err := os.WriteFile(name, original, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := pull(c, Missing); err != nil { // and seals it
				t.Fatal(err)
			}
		}
	}
}

// TestUnsealed has a cache that was copied without the times of its files.
func TestUnsealed(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	p, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Data, b, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Never); err != nil || !seal.Holds(p.Data) {
		t.Errorf("sealed %v, %v", seal.Holds(p.Data), err)
	}
}

// TestMirrorIsCut has a mirror that cuts every answer.
func TestMirrorIsCut(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	files := apktest.NewRepository(key, kernelPackage("6.6.57-r0"))
	sent := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/v3.20/main/")
		data := files[name]
		from := 0
		if first, _, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ok {
			from, _ = strconv.Atoi(first)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		w.Header().Set("ETag", `"1"`)
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		n := min(200, len(data)-from)
		w.Write(data[from : from+n])
		sent[name] += n
		w.(http.Flusher).Flush()
		if from+n < len(data) {
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	c := newCache(t, &server{Server: srv}, key)
	p, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err != nil {
		t.Fatal(err)
	}
	if len(tarFiles(t, p.Data)) != 2 {
		t.Error("not complete")
	}
	srv.Close() // and its handlers have ended
	for name, n := range sent {
		if n != len(files[name]) {
			t.Errorf("%s: %d bytes were sent of %d", name, n, len(files[name]))
		}
	}
}

// TestMirrorChanges has an index that is another one behind the cut: it is read
// anew.
func TestMirrorChanges(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	old, files := apktest.NewRepository(key, kernelPackage("6.6.57-r0")), apktest.NewRepository(key, kernelPackage("6.6.58-r0"))
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		name := strings.TrimPrefix(r.URL.Path, "/v3.20/main/")
		if requests == 1 {
			w.Header().Set("ETag", `"old"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(old[name])))
			w.Write(old[name][:100])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("ETag", `"new"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(files[name]))
	}))
	defer srv.Close()
	p, err := newCache(t, &server{Server: srv}, key).Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err != nil || p.Version != "6.6.58-r0" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestMirrorBusy has a mirror that asks for pauses.
func TestMirrorBusy(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	files := apktest.NewRepository(key, kernelPackage("6.6.57-r0"))
	for _, code := range []int{429, 503} {
		refused := map[string]bool{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !refused[r.URL.Path] {
				refused[r.URL.Path] = true
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(code)
				return
			}
			w.Write(files[strings.TrimPrefix(r.URL.Path, "/v3.20/main/")])
		}))
		c := newCache(t, &server{Server: srv}, key)
		var told []string
		c.cfg.Progress = func(what string, _ int64) (func(int64), func(error)) {
			told = append(told, what)
			return func(int64) {}, func(error) {}
		}
		_, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
		srv.Close()
		if err != nil || len(refused) != 2 || !strings.HasPrefix(told[0], "the pause of 0s") {
			t.Errorf("%d: %v, told %q", code, err, told)
		}
	}
}

// TestMirrorSendsInside has a mirror that sends us to where it must not.
func TestMirrorSendsInside(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	}))
	defer srv.Close()
	_, err := newCache(t, &server{Server: srv}, key).Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err == nil || !strings.Contains(err.Error(), " sends us to 169.254.169.254, an address of this machine's own link; if you trust it, allow that with --private-redirects") {
		t.Error(err)
	}
}

// TestMirrorProxy has a proxy that refuses, for mirrors with TLS and without.
func TestMirrorProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }))
	defer proxy.Close()
	at := strings.TrimPrefix(proxy.URL, "http://")
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(v, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	for mirror, want := range map[string]string{
		"https://mirror.example/alpine": "the proxy " + at + " refuses to connect us to mirror.example (403 Forbidden); check HTTPS_PROXY",
		"http://mirror.example/alpine":  "mirror.example, or the proxy " + at + ", answers 403 Forbidden; check the mirror, and the network's proxy",
	} {
		c := New(Config{Dir: t.TempDir(), Mirror: mirror})
		if _, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mirror, err)
		}
	}
}

// TestDiskIsFull has a disk without room for the package.
func TestDiskIsFull(t *testing.T) {
	key := apktest.NewKey(t, "test.rsa.pub")
	s := newServer(t, apktest.NewRepository(key, kernelPackage("6.6.57-r0")))
	c := newCache(t, s, key)
	c.cfg.Free = func(string) (int64, bool) { return reserve + 1000, true }
	_, err := c.Package(context.Background(), "v3.20", "linux-virt", "", Missing)
	if err == nil || !strings.Contains(err.Error(), "the disk of "+c.cfg.Dir+" has no room for it (67 MB are free); make room there") {
		t.Error(err)
	}
	if names := stored(t, c); len(names) > 0 {
		t.Errorf("left in the cache: %v", names)
	}
}

// TestIndexIsBounded has an index of more packages than there are.
func TestIndexIsBounded(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		for range maxPackages + 1 {
			if _, err := io.WriteString(w, "P:a\nV:1\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"); err != nil {
				return
			}
		}
		w.Close()
	}()
	defer r.Close()
	if _, err := parseRecords(r); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "more than 200000 packages") {
		t.Error(err)
	}
}
