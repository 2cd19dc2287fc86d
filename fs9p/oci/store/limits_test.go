package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"alpinevm/fs9p/oci"
)

// TestLimits has images that unpack to more than they may, from a registry and
// from files.
func TestLimits(t *testing.T) {
	zeros := strings.Repeat("\x00", 2<<20)
	bomb := image(t, "386", layer(t, "gzip", map[string]string{"f": zeros}))
	twice := image(t, "386", layer(t, "gzip", map[string]string{"f": zeros}), layer(t, "plain", map[string]string{"g": zeros}))
	many := map[string]string{}
	for i := range 20 {
		many[fmt.Sprint(i)] = ""
	}
	const large = "; if you trust it, allow that with --large-image"
	for _, tt := range []struct {
		name   string
		img    v1.Image
		bounds bounds
		want   string
	}{
		{"in bounds", twice, bounds{image: 5 << 20, ratio: 100, ratioFrom: 3 << 20}, ""},
		{"size", bomb, bounds{image: 1 << 20}, "it is larger than 1.05MB" + large},
		{"size together", twice, bounds{image: 3 << 20}, "it is larger than 3.15MB" + large},
		{"ratio", bomb, bounds{image: 1 << 30, ratio: 100, ratioFrom: 1 << 20}, "more than 100 times as much" + large},
		{"no ratio", bomb, bounds{image: 1 << 30, ratioFrom: 1 << 20}, ""},
		{"names", image(t, "386", layer(t, "plain", many)), bounds{image: 1 << 30, tree: oci.Limits{Names: 10, Meta: 1 << 20}}, "it has more than 10 names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := newServer(t)
			srv.push(t, "a:1", tt.img)
			layoutDir := writeLayout(t, filepath.Join(t.TempDir(), "layout"), true, tt.img)
			saved := writeFile(t, filepath.Join(t.TempDir(), "saved.tar.gz"), gzipped(dockerSave(t, map[string]v1.Image{"a:1": tt.img})))
			for from, get := range map[string]func(*Store) (*Image, error){
				"registry": func(s *Store) (*Image, error) { return s.Image(ctx, srv.host+"/a:1", Missing) },
				"layout":   func(s *Store) (*Image, error) { return s.Load(ctx, layoutDir) },
				"archive":  func(s *Store) (*Image, error) { return s.Load(ctx, saved) },
			} {
				s := newStore(t, t.TempDir())
				s.bounds = tt.bounds
				_, err := get(s)
				if tt.want == "" {
					if err != nil {
						t.Errorf("%s: %v", from, err)
					}
					continue
				}
				checkError(t, err, tt.want)
				if left := files(t, s, ingestDir); len(left) > 0 {
					t.Errorf("%s: left in ingest: %v", from, left)
				}
			}
		})
	}

	// Even with Large there is an end.
	s := New(Config{Dir: t.TempDir(), Keychain: nobody{}, Large: true})
	s.bounds.image = 1 << 20
	_, err := s.Load(ctx, writeLayout(t, filepath.Join(t.TempDir(), "layout"), true, bomb))
	checkError(t, err, "it is larger than 1.05MB")
	if strings.Contains(err.Error(), "--large-image") {
		t.Error(err)
	}
}

// TestClaimedSize has a manifest whose layer is said to be larger than any: it
// is not asked for.
func TestClaimedSize(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	for _, claim := range []int64{100 << 30, 1 << 62} {
		srv.put(t, "a:1", srv.pushParts(t, "a", img, func(m map[string]any) {
			m["layers"].([]any)[0].(map[string]any)["size"] = claim
		}), types.OCIManifestSchema1)
		srv.forget()
		_, _, err := newStore(t, t.TempDir()).Pull(ctx, srv.host+"/a:1")
		checkError(t, err, "it is larger than 34.4GB; if you trust it")
		if n := srv.count("GET /v2/a/blobs/" + digest.String()); n > 0 {
			t.Errorf("%d requests for the layer", n)
		}
	}
}

// TestFreeSpace has a disk that has no room, at first or after a while.
func TestFreeSpace(t *testing.T) {
	srv := newServer(t)
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": strings.Repeat("\x00", 8<<20)}))
	srv.push(t, "a:1", img)
	for name, left := range map[string][]int64{
		"for the download":    {1000},
		"for the layer":       {1 << 30, 1 << 30, 2000},
		"for all of a layer":  {1 << 30, 1 << 30, 1 << 30, 1 << 30, 3000},
		"but for the reserve": {5000, 5000},
	} {
		s := newStore(t, t.TempDir())
		s.bounds.step, s.bounds.reserve = 1<<20, 4000
		asked := 0
		s.cfg.Free = func(dir string) (int64, bool) {
			if dir != s.cfg.Dir {
				t.Errorf("asked for %s", dir)
			}
			asked++
			return left[min(asked, len(left))-1], true
		}
		_, _, err := s.Pull(ctx, srv.host+"/a:1")
		var space *spaceError
		checkError(t, err, "the disk of "+s.cfg.Dir+" has no room for it (", "are free, and ", " or more are needed); make room there", "alpinevm rmi")
		if !errors.As(err, &space) || asked != len(left) {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
		if n := len(files(t, s, layersDir)) + len(files(t, s, ingestDir)); n > 0 {
			t.Errorf("%s: %d files are left", name, n)
		}
	}
}
