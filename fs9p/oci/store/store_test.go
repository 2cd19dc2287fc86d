package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"alpinevm/fs9p"
	"alpinevm/internal/tarball"
)

// archive writes a tar archive of files.
func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packed is a layer in one of the three forms in which layers come.
type packed struct {
	v1.Layer
	diffID v1.Hash
}

func (p packed) DiffID() (v1.Hash, error) { return p.diffID, nil }

func (p packed) Uncompressed() (io.ReadCloser, error) {
	r, err := p.Compressed()
	if err != nil {
		return nil, err
	}
	return tarball.Decompress(r)
}

func layer(t testing.TB, form string, files map[string]string) v1.Layer {
	t.Helper()
	plain := archive(t, files)
	diffID, _, err := v1.SHA256(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	mediaType := types.OCILayer
	switch form {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(plain)
		w.Close()
	case "zstd":
		mediaType = types.OCILayerZStd
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		w.Close()
	case "xz":
		mediaType = "application/vnd.oci.image.layer.v1.tar+xz"
		b.Write(xzed(t, plain))
	case "plain":
		mediaType = types.OCIUncompressedLayer
		b.Write(plain)
	}
	return packed{static.NewLayer(b.Bytes(), mediaType), diffID}
}

// image makes one for a platform.
func image(t testing.TB, arch string, layers ...v1.Layer) v1.Image {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return configured(t, img, func(c *v1.ConfigFile) {
		c.OS, c.Architecture = "linux", arch
		c.Created = v1.Time{Time: time.Unix(1_700_000_000, 0)}
		c.Config = v1.Config{Cmd: []string{"/bin/sh"}, Env: []string{"A=b"}}
	})
}

// configured gives an image another configuration.
func configured(t testing.TB, img v1.Image, edit func(*v1.ConfigFile)) v1.Image {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	edit(c)
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

// server is a registry on this host.
type server struct {
	*httptest.Server
	host     string
	handler  http.Handler
	mu       sync.Mutex
	requests []string
	// intercept may answer a request; it does by returning true.
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

func newServer(t testing.TB) *server {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := &server{handler: handler}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		f := s.intercept
		s.mu.Unlock()
		if f == nil || !f(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	s.host = strings.TrimPrefix(s.URL, "http://")
	return s
}

// answer sets intercept.
func (s *server) answer(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// count tells how many requests began so.
func (s *server) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// forget forgets the requests up to now.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *server) push(t testing.TB, ref string, img v1.Image) {
	t.Helper()
	r, err := name.ParseReference(s.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(r, img); err != nil {
		t.Fatal(err)
	}
}

// pushIndex pushes images for several platforms, by architecture.
func (s *server) pushIndex(t testing.TB, ref string, images map[string]v1.Image) v1.ImageIndex {
	t.Helper()
	idx := v1.ImageIndex(mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	for _, arch := range slices.Sorted(maps.Keys(images)) {
		p := &v1.Platform{OS: "linux", Architecture: arch}
		if arch == "arm64" {
			p.Variant = "v8"
		}
		if arch == "unknown" {
			p.OS = "unknown"
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: images[arch], Descriptor: v1.Descriptor{Platform: p}})
	}
	r, err := name.ParseReference(s.host + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(r, idx); err != nil {
		t.Fatal(err)
	}
	return idx
}

// nobody has no credentials.
type nobody struct{}

func (nobody) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// newStore makes a store that does not wait long.
func newStore(t testing.TB, dir string) *Store {
	s := New(Config{Dir: dir, Keychain: nobody{}})
	s.pause = time.Millisecond
	return s
}

// cat reads a file of an image.
func cat(t testing.TB, s *Store, img *Image, file string) string {
	t.Helper()
	root, err := s.Open(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	b, err := fs9pReadFile(root, file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fs9pReadFile(f fs9p.FS, name string) ([]byte, error) {
	file, err := fs9p.IOFS(f).Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// files lists the files of a store's folder.
func files(t testing.TB, s *Store, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(s.path(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

var ctx = context.Background()

func TestPull(t *testing.T) {
	srv := newServer(t)
	idx := srv.pushIndex(t, "lib/a:1", map[string]v1.Image{
		"amd64": image(t, "amd64", layer(t, "gzip", map[string]string{"f": "64"})),
		"386": image(t, "386", layer(t, "gzip", map[string]string{"f": "32", "g": "gzip"}),
			layer(t, "zstd", map[string]string{"z": "zstd"}), layer(t, "plain", map[string]string{"p": "plain", ".wh.g": ""})),
		"unknown": image(t, "unknown"),
	})
	ref := srv.host + "/lib/a:1"
	s := newStore(t, filepath.Join(t.TempDir(), "new", "cache"))

	if _, err := s.Image(ctx, ref, Never); !errors.Is(err, ErrMissing) || srv.count("GET /v2/lib/a") > 0 {
		t.Errorf("never: %v", err)
	}
	img, fresh, err := s.Pull(ctx, ref)
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	for name, want := range map[string]string{"f": "32", "z": "zstd", "p": "plain"} {
		if got := cat(t, s, img, name); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if digest, _ := idx.Digest(); img.Source != digest || img.Digest == digest {
		t.Errorf("digests: %+v", img)
	}
	if img.String() != ref || !slices.Equal(img.Config.Cmd, []string{"/bin/sh"}) || img.Created.Unix() != 1_700_000_000 {
		t.Errorf("%+v", img)
	}
	if img, fresh, err := s.Pull(ctx, ref); err != nil || fresh || img.Source.Hex == "" {
		t.Errorf("the second pull: %v, %v", fresh, err)
	}
	if n := srv.count("GET /v2/lib/a/manifests/"); n != 2 {
		t.Errorf("%d manifests were read", n)
	}
	list, err := s.Images(ctx)
	if err != nil || len(list) != 1 || list[0].String() != ref || list[0].Size != int64(len("32gzipzstdplain")) || time.Since(list[0].Pulled) > time.Hour {
		t.Errorf("images: %+v, %v", list, err)
	}
	for _, name := range []string{img.ID.Hex[:12], "sha256:" + img.ID.Hex, srv.host + "/lib/a@" + img.Source.String(), srv.host + "/lib/a@" + img.Digest.String()} {
		if got, err := s.Cached(ctx, name); err != nil || got.Digest != img.Digest {
			t.Errorf("by %s: %v", name, err)
		}
	}

	// Off line.
	srv.Close()
	img, err = s.Image(ctx, ref, Missing)
	if err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, img, "f"); got != "32" {
		t.Errorf("off line: %q", got)
	}
	if _, err := s.Image(ctx, ref, Always); err == nil || !strings.Contains(err.Error(), "refuses connections") {
		t.Errorf("always: %v", err)
	}
	if left := files(t, s, ingestDir); len(left) > 0 {
		t.Errorf("left in ingest: %v", left)
	}
}

// TestPullNewer has a tag that moves.
func TestPullNewer(t *testing.T) {
	srv := newServer(t)
	s := newStore(t, t.TempDir())
	ref := srv.host + "/a"
	for i := range 3 {
		want := fmt.Sprint("version ", i)
		srv.push(t, "a:latest", image(t, "386", layer(t, "gzip", map[string]string{"f": want})))
		img, fresh, err := s.Pull(ctx, ref)
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		if got := cat(t, s, img, "f"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if list, err := s.Images(ctx); err != nil || len(list) != 1 {
		t.Errorf("%d images, %v", len(list), err)
	}
}

func TestPlatform(t *testing.T) {
	srv := newServer(t)
	amd := image(t, "amd64")
	srv.pushIndex(t, "a:1", map[string]v1.Image{"amd64": amd, "arm64": image(t, "arm64"), "unknown": image(t, "unknown")})
	srv.push(t, "b:1", amd)
	srv.push(t, "chart:1", mutate.ConfigMediaType(image(t, "386"), "application/vnd.cncf.helm.config.v1+json"))
	s := newStore(t, t.TempDir())
	for ref, want := range map[string]string{
		"a:1":     "there is no image for linux/386; it has linux/amd64, linux/arm64/v8; choose",
		"b:1":     "there is no image for linux/386; it has linux/amd64; choose",
		"chart:1": `not a container image, its configuration is of type "application/vnd.cncf.helm.config.v1+json"; choose`,
	} {
		if _, _, err := s.Pull(ctx, srv.host+"/"+ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if list, _ := s.Images(ctx); len(list) > 0 {
		t.Errorf("%d images", len(list))
	}
}

// TestWrongBytes has a registry that serves something else than it promised.
func TestWrongBytes(t *testing.T) {
	srv := newServer(t)
	good := image(t, "386", layer(t, "gzip", map[string]string{"f": strings.Repeat("x", 10_000)}))
	srv.push(t, "a:1", good)
	layers, _ := good.Layers()
	digest, _ := layers[0].Digest()
	config, _ := good.ConfigName()
	for _, h := range []v1.Hash{digest, config} {
		for _, tt := range []struct{ name, data string }{
			{"other", "something else"}, {"nothing", ""}, {"too long", strings.Repeat("x", 1<<20)},
		} {
			srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == "GET" && strings.HasSuffix(r.URL.Path, h.String()) {
					io.WriteString(w, tt.data)
					return true
				}
				return false
			})
			s := newStore(t, t.TempDir())
			if _, _, err := s.Pull(ctx, srv.host+"/a:1"); err == nil || !strings.Contains(err.Error(), "digest") && !strings.Contains(err.Error(), "broke") {
				t.Errorf("%s: %v", tt.name, err)
			}
			if there(s.blob(h), -1) || len(files(t, s, layersDir)) > 0 || len(files(t, s, ingestDir)) > 0 {
				t.Errorf("%s: something was kept", tt.name)
			}
			if list, _ := s.Images(ctx); len(list) > 0 {
				t.Errorf("%s: there is an image", tt.name)
			}
		}
	}
}

// lying is a layer whose diff ID is that of another.
type lying struct{ v1.Layer }

func (lying) DiffID() (v1.Hash, error) {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}, nil
}

func TestWrongDiffID(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", lying{layer(t, "gzip", map[string]string{"f": "x"})}))
	s := newStore(t, t.TempDir())
	if _, _, err := s.Pull(ctx, srv.host+"/a:1"); !errors.Is(err, ErrDigest) || len(files(t, s, layersDir)) > 0 {
		t.Error(err)
	}
}

// TestHostileLayer refuses names that would escape.
func TestHostileLayer(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"../../etc/cron.d/x": "evil"})))
	s := newStore(t, t.TempDir())
	_, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err == nil || !strings.Contains(err.Error(), `"../../etc/cron.d/x": the name leads out of the image`) {
		t.Error(err)
	}
}

func TestRetries(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "plain", map[string]string{"f": strings.Repeat("x", 100_000)}))
	srv.push(t, "a:1", img)
	for name, fail := range map[string]func(w http.ResponseWriter){
		"503": func(w http.ResponseWriter) { w.WriteHeader(503) },
		"cut": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "103424")
			w.Write(make([]byte, 5))
		},
		"reset": func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex // layers are asked for at once
			failures := map[string]int{}
			srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				again := r.Method == "GET" && r.URL.Path != "/v2/" && failures[r.URL.Path] < attempts-1
				if again {
					failures[r.URL.Path]++
				}
				mu.Unlock()
				if !again {
					return false
				}
				fail(w)
				return true
			})
			s := newStore(t, t.TempDir())
			got, _, err := s.Pull(ctx, srv.host+"/a:1")
			if err != nil {
				t.Fatal(err)
			}
			if data := cat(t, s, got, "f"); len(data) != 100_000 {
				t.Errorf("%d bytes", len(data))
			}
			if len(failures) != 3 {
				t.Errorf("failed: %v", failures)
			}
		})
	}
}

// TestOpenRepairs damages what can be made anew.
func TestOpenRepairs(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	img, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func() error{
		"tree":    func() error { return os.WriteFile(s.treeFile(img), []byte("no tree"), 0o644) },
		"no tree": func() error { return os.Remove(s.treeFile(img)) },
		"layers":  func() error { return os.RemoveAll(s.path(layersDir, img.diffIDs[0].Hex)) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if got := cat(t, s, img, "f"); got != "data" {
			t.Errorf("%s: %q", name, got)
		}
	}
	// Without a blob the image is not there, and pulling gets it again.
	if err := errors.Join(os.Remove(s.blob(img.ID)), os.Remove(s.blob(img.layers[0].Digest)), os.Remove(s.path(layersDir, img.diffIDs[0].Hex))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cached(ctx, srv.host+"/a:1"); !errors.Is(err, ErrMissing) {
		t.Errorf("without a blob: %v", err)
	}
	if img, err = s.Image(ctx, srv.host+"/a:1", Missing); err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, img, "f"); got != "data" {
		t.Errorf("%q", got)
	}
}
