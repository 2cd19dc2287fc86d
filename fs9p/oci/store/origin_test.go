package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// put pushes a manifest as it is.
func (s *server) put(t testing.TB, ref string, raw []byte, mediaType types.MediaType) v1.Descriptor {
	t.Helper()
	repo, tag, _ := strings.Cut(ref, ":")
	r, err := http.NewRequest(http.MethodPut, s.URL+"/v2/"+repo+"/manifests/"+tag, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", string(mediaType))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("put %s: %s %s", ref, resp.Status, b)
	}
	h, n, _ := v1.SHA256(bytes.NewReader(raw))
	return v1.Descriptor{MediaType: mediaType, Digest: h, Size: n}
}

// pushParts pushes what an image consists of but for its manifest, which it
// gives, edited.
func (s *server) pushParts(t testing.TB, repo string, img v1.Image, edit func(m map[string]any)) []byte {
	t.Helper()
	s.push(t, repo+":parts", img)
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	return edited(t, raw, edit)
}

func edited(t testing.TB, raw []byte, edit func(m map[string]any)) []byte {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// says has the server call manifests something else.
func (s *server) says(contentType string) {
	handler := s.handler
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		if w.Header().Del("Content-Type"); contentType != "" {
			w.Header().Set("Content-Type", contentType)
		} else {
			w.Header()["Content-Type"] = nil
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
		return true
	})
}

// TestContentTypes has registries that call manifests what they like.
func TestContentTypes(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	bare := func(m map[string]any) { delete(m, "mediaType") }
	srv.put(t, "a:image", srv.pushParts(t, "a", img, func(map[string]any) {}), types.OCIManifestSchema1)
	srv.put(t, "a:bare", srv.pushParts(t, "a", img, bare), types.OCIManifestSchema1)
	idx := srv.pushIndex(t, "a:index", map[string]v1.Image{"386": img, "arm64": image(t, "arm64")})
	raw, err := idx.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	srv.put(t, "a:bareindex", edited(t, raw, bare), types.OCIImageIndex)
	srv.put(t, "a:docker", srv.pushParts(t, "a", img, func(m map[string]any) {
		m["mediaType"] = types.DockerManifestSchema2
		m["config"].(map[string]any)["mediaType"] = types.DockerConfigJSON
	}), types.DockerManifestSchema2)
	for _, tag := range []string{"image", "bare", "index", "bareindex", "docker"} {
		for _, said := range []string{
			"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
			"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json;charset=UTF-8",
			"APPLICATION/VND.DOCKER.DISTRIBUTION.MANIFEST.V2+JSON", "application/json", "application/json; charset=utf-8",
			"text/plain", "application/octet-stream", "nonsense; ;", "",
		} {
			// Who says of an index without a name of its own that it is an image
			// is not believed either: it holds manifests.
			srv.says(said)
			s := newStore(t, t.TempDir())
			got, _, err := s.Pull(ctx, srv.host+"/a:"+tag)
			if err != nil {
				t.Errorf("%s said to be %q: %v", tag, said, err)
				continue
			}
			if data := cat(t, s, got, "f"); data != "data" {
				t.Errorf("%s said to be %q: %q", tag, said, data)
			}
			// The manifest in the cache is read without anybody's word.
			srv.answer(nil)
			if again, err := s.Image(ctx, srv.host+"/a:"+tag, Never); err != nil || again.Digest != got.Digest {
				t.Errorf("%s said to be %q, from the cache: %v", tag, said, err)
			}
		}
	}
}

// TestNoImage has what registries hold beside images, and what is none of it.
func TestNoImage(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	srv.put(t, "a:both", srv.pushParts(t, "a", img, func(m map[string]any) { m["manifests"] = []any{} }), types.OCIManifestSchema1)
	srv.put(t, "a:old", []byte(`{"schemaVersion":1,"name":"a","fsLayers":[{"blobSum":"sha256:0"}]}`), types.DockerManifestSchema1Signed)
	srv.put(t, "a:helm", srv.pushParts(t, "a", img, func(m map[string]any) {
		m["config"].(map[string]any)["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
	}), types.OCIManifestSchema1)
	srv.put(t, "a:other", []byte(`{"mediaType":"application/vnd.example+json"}`), "application/vnd.example+json")
	srv.put(t, "a:html", []byte(`<html>log in`), "text/html; charset=utf-8")
	srv.put(t, "a:empty", nil, types.OCIManifestSchema1)
	for tag, want := range map[string]string{
		"both":  "what came is an index and an image at once; choose another tag",
		"old":   "an image of docker's schema 1, of before 2016; push it again",
		"helm":  `not a container image, its configuration is of type "application/vnd.cncf.helm.config.v1+json"; choose another tag`,
		"other": `not a container image: "application/vnd.example+json"; choose another tag`,
		"html":  `what came is no manifest ("text/html"); check the registry's name; a proxy or a login page`,
		"empty": "what came is no manifest",
	} {
		_, _, err := newStore(t, t.TempDir()).Pull(ctx, srv.host+"/a:"+tag)
		checkError(t, err, "image "+srv.host+"/a:"+tag+": ", want)
	}
}

// TestConfigTypes has configurations of the types that tools have given them.
func TestConfigTypes(t *testing.T) {
	srv := newServer(t)
	for i, mediaType := range []string{
		"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json; x=y", "application/octet-stream",
		"application/json", "application/json; charset=utf-8", "text/plain", "",
	} {
		ref := fmt.Sprintf("a%d:1", i)
		srv.put(t, ref, srv.pushParts(t, fmt.Sprintf("a%d", i), image(t, "386", layer(t, "gzip", map[string]string{"f": mediaType})), func(m map[string]any) {
			m["config"].(map[string]any)["mediaType"] = mediaType
		}), types.OCIManifestSchema1)
		s := newStore(t, t.TempDir())
		img, _, err := s.Pull(ctx, srv.host+"/"+ref)
		if err != nil {
			t.Errorf("%q: %v", mediaType, err)
			continue
		}
		if got := cat(t, s, img, "f"); got != mediaType {
			t.Errorf("%q: %q", mediaType, got)
		}
	}
}

// TestPlatforms has indexes whose entries say of their platforms little, or in
// other words.
func TestPlatforms(t *testing.T) {
	srv := newServer(t)
	manifestOf := func(data, os, arch string) v1.Descriptor {
		img := withPlatform(t, image(t, "386", layer(t, "gzip", map[string]string{"f": data})), os, arch)
		raw := srv.pushParts(t, "a", img, func(map[string]any) {})
		return srv.put(t, "a:"+strings.ReplaceAll(data, " ", "-"), raw, types.OCIManifestSchema1)
	}
	linux := func(arch string) *v1.Platform { return &v1.Platform{OS: "linux", Architecture: arch} }
	ours, amd, arm := manifestOf("ours", "linux", "386"), manifestOf("amd", "linux", "amd64"), manifestOf("arm", "linux", "arm64")
	other, plain := manifestOf("other words", "LINUX", "i686"), manifestOf("no word", "", "")
	windows := manifestOf("windows", "windows", "386")
	chart := srv.put(t, "a:chart", srv.pushParts(t, "a", image(t, "386"), func(m map[string]any) {
		m["config"].(map[string]any)["mediaType"] = "application/vnd.example.config+json"
	}), types.OCIManifestSchema1)
	with := func(d v1.Descriptor, p *v1.Platform) v1.Descriptor {
		d.Platform = p
		return d
	}
	index := func(name string, list ...v1.Descriptor) v1.Descriptor {
		raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list})
		if err != nil {
			t.Fatal(err)
		}
		return srv.put(t, "a:"+name, raw, types.OCIImageIndex)
	}
	nested := index("nested", amd, ours)
	var many []v1.Descriptor
	for i := range 100 {
		many = append(many, with(manifestOf(fmt.Sprint("many ", i), "linux", "s390x"), nil))
	}
	index("i", with(arm, nil), with(amd, nil), with(ours, nil))
	for _, tt := range []struct {
		name string
		list []v1.Descriptor
		want string // data, or a part of the error
	}{
		{"no platforms", []v1.Descriptor{arm, amd, ours}, "ours"},
		{"empty platforms", []v1.Descriptor{with(amd, &v1.Platform{}), with(ours, &v1.Platform{})}, "ours"},
		{"an operating system alone", []v1.Descriptor{with(amd, linux("")), with(ours, linux(""))}, "ours"},
		{"what is said counts first", []v1.Descriptor{ours, with(amd, linux("386"))}, "amd"},
		{"i386", []v1.Descriptor{with(amd, linux("x86_64")), with(ours, linux("i386"))}, "ours"},
		{"x86, in capitals", []v1.Descriptor{with(ours, &v1.Platform{OS: "Linux", Architecture: "X86"})}, "ours"},
		{"other words in the configuration", []v1.Descriptor{amd, other}, "other words"},
		{"no word in the configuration", []v1.Descriptor{amd, plain}, "no word"},
		{"an artifact beside it", []v1.Descriptor{chart, ours}, "ours"},
		{"an attestation beside it", []v1.Descriptor{with(ours, &v1.Platform{OS: "unknown", Architecture: "unknown"}), ours}, "ours"},
		{"an index without a platform", []v1.Descriptor{arm, nested}, "ours"},
		{"an index with a platform", []v1.Descriptor{with(nested, linux("386"))}, "ours"},
		{"none", []v1.Descriptor{arm, windows, with(arm, linux("ppc64le"))}, "there is no image for linux/386; it has linux/ppc64le, linux/arm64, windows/386; choose"},
		{"artifacts alone", []v1.Descriptor{chart}, "it says of no platform that it is for it"},
		{"too many", many, "an index of more than 64 manifests"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			index("t", tt.list...)
			s := newStore(t, t.TempDir())
			img, _, err := s.Pull(ctx, srv.host+"/a:t")
			if err != nil {
				checkError(t, err, tt.want)
				return
			}
			if got := cat(t, s, img, "f"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// withPlatform gives an image another platform.
func withPlatform(t testing.TB, img v1.Image, os, arch string) v1.Image {
	t.Helper()
	return configured(t, img, func(c *v1.ConfigFile) { c.OS, c.Architecture = os, arch })
}

// TestOtherPlatform insists on an image for another platform.
func TestOtherPlatform(t *testing.T) {
	srv := newServer(t)
	amd := image(t, "amd64", layer(t, "gzip", map[string]string{"f": "32-bit programs"}))
	srv.push(t, "a:1", amd)
	srv.pushIndex(t, "b:1", map[string]v1.Image{"amd64": amd, "386": image(t, "386", layer(t, "gzip", map[string]string{"f": "ours"}))})
	dir := t.TempDir()
	usual, insisting := newStore(t, dir), New(Config{Dir: dir, Keychain: nobody{}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"}})
	_, err := usual.Image(ctx, srv.host+"/a:1", Missing)
	checkError(t, err, "it has linux/amd64; choose", "--platform linux/amd64")
	for ref, want := range map[string]string{"a:1": "32-bit programs", "b:1": "32-bit programs"} {
		img, err := insisting.Image(ctx, srv.host+"/"+ref, Missing)
		if err != nil {
			t.Fatal(err)
		}
		if got := cat(t, insisting, img, "f"); got != want {
			t.Errorf("%s: %q", ref, got)
		}
	}
	// What is in the cache for one platform is not there for the other.
	if _, err := usual.Image(ctx, srv.host+"/b:1", Never); !errors.Is(err, ErrMissing) {
		t.Errorf("from the cache: %v", err)
	}
	img, err := usual.Image(ctx, srv.host+"/b:1", Missing)
	if err != nil {
		t.Fatal(err)
	}
	if got := cat(t, usual, img, "f"); got != "ours" {
		t.Errorf("%q", got)
	}
	if _, err := usual.Remove(ctx, srv.host+"/a:1", false); err != nil {
		t.Errorf("remove: %v", err)
	}
	layoutDir := writeLayout(t, t.TempDir(), false, amd)
	if _, err := usual.Load(ctx, layoutDir); err == nil {
		t.Error("a layout for amd64 is taken")
	}
	if _, err := insisting.Load(ctx, layoutDir); err != nil {
		t.Errorf("a layout for amd64: %v", err)
	}
}

// TestBusyRegistry has a registry that asks for pauses, for each kind of what
// it is asked for. How long they are is package fetch's matter.
func TestBusyRegistry(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "plain", map[string]string{"f": "data"})))
	for _, status := range []int{429, 503} {
		for _, after := range []string{"0", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat)} {
			var mu sync.Mutex
			refused := map[string]int{}
			srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if refused[r.URL.Path]++; refused[r.URL.Path] > 2 {
					return false
				}
				w.Header().Set("Retry-After", after)
				w.WriteHeader(status)
				return true
			})
			s := newStore(t, t.TempDir())
			img, _, err := s.Pull(ctx, srv.host+"/a:1")
			if err != nil {
				t.Fatalf("%d, %s: %v", status, after, err)
			}
			mu.Lock()
			if got := cat(t, s, img, "f"); got != "data" || len(refused) != 4 {
				t.Errorf("%d, %s: %q, refused %v", status, after, got, refused)
			}
			mu.Unlock()
		}
	}
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(429)
		return true
	})
	_, _, err := newStore(t, t.TempDir()).Pull(ctx, srv.host+"/a:1")
	checkError(t, err, "has had too many requests from here; it asks to wait 1m30s")
}

// TestCutEachTime has a registry that cuts every download.
func TestCutEachTime(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "plain", map[string]string{"f": strings.Repeat("0123456789", 20_000)}))
	srv.push(t, "a:1", img)
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	r, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, ranges := range []bool{true, false} {
		var requests, sent atomic.Int64
		srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, digest.String()) || r.Method != http.MethodGet {
				return false
			}
			requests.Add(1)
			from, n := 0, 30_000
			if first, _, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ok && ranges {
				from, _ = strconv.Atoi(first)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
				w.WriteHeader(http.StatusPartialContent)
			} else {
				n *= int(requests.Load()) // or it would be without an end
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			}
			n = min(n, len(data)-from)
			w.Write(data[from : from+n])
			sent.Add(int64(n))
			w.(http.Flusher).Flush()
			if from+n < len(data) {
				panic(http.ErrAbortHandler)
			}
			return true
		})
		s := newStore(t, t.TempDir())
		got, _, err := s.Pull(ctx, srv.host+"/a:1")
		if err != nil {
			t.Fatal(err)
		}
		if f := cat(t, s, got, "f"); len(f) != 200_000 {
			t.Errorf("%d bytes", len(f))
		}
		if want := (len(data) + 29_999) / 30_000; int(requests.Load()) != want || ranges && int(sent.Load()) != len(data) {
			t.Errorf("ranges %v: %d requests, want %d; %d bytes were sent of %d", ranges, requests.Load(), want, sent.Load(), len(data))
		}
	}
}

// TestWrongPart has a registry whose first answer is cut and wrong.
func TestWrongPart(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "plain", map[string]string{"f": strings.Repeat("x", 100_000)}))
	srv.push(t, "a:1", img)
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	var requests atomic.Int64
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, digest.String()) || r.Method != http.MethodGet {
			return false
		}
		if requests.Add(1) > 1 {
			return false
		}
		size, _ := layers[0].Size()
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(make([]byte, 50_000))
		panic(http.ErrAbortHandler)
	})
	s := newStore(t, t.TempDir())
	if _, _, err := s.Pull(ctx, srv.host+"/a:1"); err != nil || requests.Load() != 3 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
}

// TestSentInside has a registry that sends us to addresses that are not public,
// by each way that it has.
func TestSentInside(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	srv.push(t, "a:1", img)
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	srv.put(t, "a:foreign", srv.pushParts(t, "a", img, func(m map[string]any) {
		m["layers"].([]any)[0].(map[string]any)["urls"] = []string{"https://10.255.255.1/layer"}
	}), types.OCIManifestSchema1)
	to := func(part string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			http.Redirect(w, r, "https://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
			return true
		}
	}
	for _, tt := range []struct {
		name, ref string
		answer    func(w http.ResponseWriter, r *http.Request) bool
		want      []string
	}{
		{"a manifest", "a:1", to("/manifests/"), []string{srv.host + " sends us to 169.254.169.254, an address of this machine's own link; ", "--private-redirects"}},
		{"a blob", "a:1", to("/blobs/" + digest.String()), []string{srv.host + " sends us to 169.254.169.254, an address of this machine's own link; "}},
		{"the first request", "a:1", to("/v2/"), []string{srv.host + " sends us to 169.254.169.254, "}},
		{"a layer elsewhere", "a:foreign", func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, digest.String()) {
				return false
			}
			w.WriteHeader(404)
			return true
		}, []string{srv.host + " sends us to 10.255.255.1, an address of a private network; "}},
		{"a token", "a:1", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://10.255.255.1/token",service="x"`)
			w.WriteHeader(401)
			return true
		}, []string{"10.255.255.1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv.answer(tt.answer)
			_, _, err := newStore(t, t.TempDir()).Pull(ctx, srv.host+"/"+tt.ref)
			checkError(t, err, append([]string{"image " + srv.host + "/" + tt.ref + ": "}, tt.want...)...)
		})
	}
}

// TestLayerElsewhere has a layer that the registry does not hold itself.
func TestLayerElsewhere(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.URL.Path != "/good" {
			w.WriteHeader(404)
			return
		}
		b, _ := layers[0].Compressed()
		io.Copy(w, b)
	}))
	defer elsewhere.Close()
	srv.put(t, "a:1", srv.pushParts(t, "a", img, func(m map[string]any) {
		m["layers"].([]any)[0].(map[string]any)["urls"] = []string{elsewhere.URL + "/bad", elsewhere.URL + "/good"}
	}), types.OCIManifestSchema1)
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, digest.String()) {
			w.WriteHeader(404)
			return true
		}
		return false
	})
	s := newStore(t, t.TempDir())
	got, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	if data := cat(t, s, got, "f"); data != "data" {
		t.Errorf("%q", data)
	}
}

// TestMissingPart has an image that was not pushed whole.
func TestMissingPart(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	srv.pushIndex(t, "a:1", map[string]v1.Image{"386": img})
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	config, _ := img.ConfigName()
	manifest, _ := img.Digest()
	for _, h := range []v1.Hash{digest, config, manifest} {
		srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, h.String()) {
				w.WriteHeader(404)
				return true
			}
			return false
		})
		_, _, err := newStore(t, t.TempDir()).Pull(ctx, srv.host+"/a:1")
		checkError(t, err, "its part "+h.Hex[:12]+" is not there; it was not pushed whole")
	}
}

// TestProxyRefuses has a proxy in the way, whose fault it is.
func TestProxyRefuses(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }))
	defer proxy.Close()
	for _, v := range []string{"HTTPS_PROXY", "https_proxy"} {
		t.Setenv(v, proxy.URL)
	}
	for _, v := range []string{"NO_PROXY", "no_proxy"} {
		t.Setenv(v, "")
	}
	_, _, err := newStore(t, t.TempDir()).Pull(ctx, "registry.example/a:1")
	checkError(t, err, "image registry.example/a:1: the proxy "+strings.TrimPrefix(proxy.URL, "http://")+" refuses to connect us to registry.example (403 Forbidden); check HTTPS_PROXY")
	proxy.Close()
	_, _, err = newStore(t, t.TempDir()).Pull(ctx, "registry.example/a:1")
	checkError(t, err, "image registry.example/a:1: the proxy "+strings.TrimPrefix(proxy.URL, "http://")+" refuses connections; check HTTPS_PROXY")
}
