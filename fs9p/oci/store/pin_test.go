package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestPin keeps an image for a folder while its tag moves and goes.
func TestPin(t *testing.T) {
	srv := newServer(t)
	ref := srv.host + "/a:1"
	s := newStore(t, t.TempDir())
	owner, other := t.TempDir(), t.TempDir()
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "old"})))
	img, _, err := s.Pull(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pinned(ctx, owner); !errors.Is(err, ErrMissing) {
		t.Errorf("before: %v", err)
	}
	for _, o := range []string{owner, owner, other} {
		if err := s.Pin(ctx, img, o); err != nil {
			t.Fatal(err)
		}
	}
	var inUse *InUseError
	if _, err := s.Remove(ctx, ref, false); !errors.As(err, &inUse) || !slices.Equal(inUse.Owners, []string{owner, other}) {
		t.Errorf("remove: %v", err)
	}
	if list, err := s.Images(ctx); err != nil || len(list) != 1 || list[0].String() != ref {
		t.Errorf("images: %v, %v", list, err)
	}

	// The tag moves: the image has no name, and stays.
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "new"})))
	if _, _, err := s.Pull(ctx, ref); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Remove(ctx, ref, false); err != nil || r.Bytes == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	list, err := s.Images(ctx)
	if err != nil || len(list) != 1 || list[0].ID != img.ID || list[0].Name.Repository() != "" {
		t.Errorf("images: %v, %v", list, err)
	}
	for _, force := range []bool{false, true} {
		if _, err := s.Remove(ctx, img.ID.Hex, force); !errors.As(err, &inUse) {
			t.Errorf("remove the ID: %v", err)
		}
	}
	pinned, err := s.Pinned(ctx, owner)
	if err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, pinned, "f"); got != "old" {
		t.Errorf("pinned: %q", got)
	}

	// One owner goes by itself, the other one says so.
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if err := s.Unpin(ctx, owner); err != nil {
		t.Fatal(err)
	}
	if n := len(files(t, s, blobsDir)) + len(files(t, s, layersDir)) + len(files(t, s, treesDir)); n > 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestPinForce takes an image's name away, but not the image.
func TestPinForce(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	img, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	owner := t.TempDir()
	if err := s.Pin(ctx, img, owner); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Remove(ctx, srv.host+"/a:1", true); err != nil || len(r.Names) != 1 || r.Image != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if img, err = s.Pinned(ctx, owner); err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, img, "f"); got != "data" {
		t.Errorf("%q", got)
	}
}

// TestPinFile keeps images that come from files, which can go then.
func TestPinFile(t *testing.T) {
	dir := t.TempDir()
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}))
	root := archive(t, map[string]string{"f": "data"})
	for what, name := range map[string]string{
		"docker":  writeFile(t, filepath.Join(dir, "docker.tar"), dockerSave(t, map[string]v1.Image{"a:1": img})),
		"layout":  writeLayout(t, filepath.Join(dir, "layout"), true, img),
		"tar":     writeFile(t, filepath.Join(dir, "root.tar"), root),
		"tar.gz":  writeFile(t, filepath.Join(dir, "root.tar.gz"), gzipped(root)),
		"tar.zst": writeFile(t, filepath.Join(dir, "root.tar.zst"), zstded(t, root)),
	} {
		s := newStore(t, filepath.Join(t.TempDir(), "cache"))
		load := s.Load
		if is, err := IsImage(name); err != nil {
			t.Fatal(err)
		} else if !is {
			load = s.Import
		}
		from, err := load(ctx, name)
		if err != nil {
			t.Fatal(what, err)
		}
		owner := t.TempDir()
		if err := s.Pin(ctx, from, owner); err != nil {
			t.Fatal(what, err)
		}
		if _, err := s.collect(ctx); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
		pinned, err := s.Pinned(ctx, owner)
		if err != nil {
			t.Fatal(what, err)
		}
		if got := cat(t, s, pinned, "f"); got != "data" || pinned.ID != from.ID {
			t.Errorf("%s: %q, %v is now %v", what, got, from.ID, pinned.ID)
		}
		if left := files(t, s, ingestDir); len(left) > 0 {
			t.Errorf("%s: left in ingest: %v", what, left)
		}
	}
}

func TestImportRefused(t *testing.T) {
	dir := t.TempDir()
	good := gzipped(archive(t, map[string]string{"f": "data"}))
	for name, want := range map[string]string{
		filepath.Join(dir, "missing"):                                                           "no such file",
		writeFile(t, filepath.Join(dir, "text"), []byte("text")):                                "text",
		writeFile(t, filepath.Join(dir, "cut.gz"), good[:len(good)-9]):                          "unexpected EOF",
		writeFile(t, filepath.Join(dir, "out.tar"), archive(t, map[string]string{"../f": "x"})): `"../f"`,
	} {
		s := newStore(t, filepath.Join(t.TempDir(), "cache"))
		_, err := s.Import(ctx, name)
		checkError(t, err, want)
		if n := len(files(t, s, treesDir)) + len(files(t, s, ingestDir)); n > 0 {
			t.Errorf("%s: %d files are left", name, n)
		}
	}
}
