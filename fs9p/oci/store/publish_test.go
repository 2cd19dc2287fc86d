package store

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"net/http/httptest"
	"strings"
)

// TestPublish makes an image, and has it come back out of an archive and a
// registry as what it was.
func TestPublish(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "file", Typeflag: tar.TypeReg, Mode: 0o644})
	w.Close()
	file := filepath.Join(t.TempDir(), "root.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New())
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/box:1"

	s := newStore(t, t.TempDir())
	img, err := s.Make(t.Context(), file, v1.ConfigFile{Author: "us", Config: v1.Config{Cmd: []string{"sh"}, User: "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(t.Context(), img, ref); err != nil {
		t.Fatal(err)
	}
	if img, err = s.Cached(t.Context(), ref); err != nil || img.Config.User != "nobody" {
		t.Fatalf("%+v, %v", img, err)
	}
	if err := s.Tag(t.Context(), img, ref+"@"+img.Digest.String()); err == nil {
		t.Error("a digest was given as a name")
	}

	var saved bytes.Buffer
	if err := s.Save(t.Context(), &saved, map[string]*Image{ref: img}); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "saved.tar")
	if err := os.WriteFile(archive, saved.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := newStore(t, t.TempDir()).Load(t.Context(), archive)
	if err != nil || loaded.ID != img.ID || len(loaded.Tags) != 1 || loaded.Tags[0] != ref {
		t.Errorf("%+v, %v", loaded, err)
	}

	digest, err := s.Push(t.Context(), img, ref)
	if err != nil {
		t.Fatal(err)
	}
	pulled, _, err := newStore(t, t.TempDir()).Pull(t.Context(), ref)
	if err != nil || pulled.ID != img.ID || pulled.Source != digest {
		t.Errorf("%+v, %v; pushed %s", pulled, err, digest)
	}
	if _, err := s.Push(t.Context(), img, "127.0.0.1:1/x"); err == nil || !strings.Contains(err.Error(), "refuses connections") {
		t.Error(err)
	}
}
