package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/seal"
)

// damages are what can become of a file.
var damages = map[string]func(b []byte) []byte{
	"emptied":        func([]byte) []byte { return nil },
	"cut":            func(b []byte) []byte { return b[:len(b)/2] },
	"longer":         func(b []byte) []byte { return append(b, 0) },
	"changed first":  func(b []byte) []byte { return flipped(b, 0) },
	"changed inside": func(b []byte) []byte { return flipped(b, len(b)/2) },
	"changed at a name": func(b []byte) []byte {
		return flipped(b, max(bytes.Index(b, []byte("localhost")), bytes.Index(b, []byte("127.0.0.1"))))
	},
	"changed last": func(b []byte) []byte { return flipped(b, len(b)-1) },
	"gone":         nil,
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	if at >= 0 && at < len(b) {
		b[at] ^= 2
	}
	return b
}

// cacheFiles lists the files of a store but for locks, which hold nothing.
func cacheFiles(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == locksDir {
			return filepath.SkipDir
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// copyCache copies a store, with the times of its files.
func copyCache(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, name)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, rel), b, 0o644); err != nil {
			return err
		}
		return os.Chtimes(filepath.Join(to, rel), info.ModTime(), info.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamage changes each file of a cache in each way, one at a time. With the
// registry there, what is needed is fetched again, once. Without it, the image
// runs, or the error names the file and the way out.
func TestDamage(t *testing.T) {
	srv := newServer(t)
	files := map[string]string{"f": strings.Repeat("data ", 100), "z": "zstd", "p": strings.Repeat("plain", 300)}
	img := image(t, "386", layer(t, "gzip", map[string]string{"f": files["f"]}), layer(t, "zstd", map[string]string{"z": files["z"]}), layer(t, "plain", map[string]string{"p": files["p"]}))
	srv.pushIndex(t, "a:1", map[string]v1.Image{"386": img, "arm64": image(t, "arm64")})
	ref := srv.host + "/a:1"
	good := filepath.Join(t.TempDir(), "good")
	pulled := newStore(t, good)
	first, _, err := pulled.Pull(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	// The image is also what a machine is made from.
	owner := t.TempDir()
	if err := pulled.Pin(ctx, first, owner); err != nil {
		t.Fatal(err)
	}
	whole := func(t *testing.T, s *Store, img *Image) {
		t.Helper()
		for name, want := range files {
			if got := cat(t, s, img, name); got != want {
				t.Errorf("%s: %.20q", name, got)
			}
		}
	}
	names := cacheFiles(t, good)
	if len(names) != 12 {
		t.Fatalf("the cache has %d files: %q", len(names), names)
	}
	for _, name := range names {
		for what, damage := range damages {
			t.Run(filepath.ToSlash(name)+"/"+what, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "cache")
				copyCache(t, good, dir)
				file := filepath.Join(dir, name)
				if damage == nil {
					os.Remove(file)
				} else if b, err := os.ReadFile(file); err != nil || os.WriteFile(file, damage(b), 0o644) != nil {
					t.Fatal(err)
				}

				// Without the registry.
				off := New(Config{Dir: dir, Keychain: nobody{}, Transport: failing{errors.New("the network was asked")}})
				img, err := off.Image(ctx, ref, Never)
				if err == nil {
					whole(t, off, img)
				} else {
					checkError(t, err, "image "+ref+": the file ", file, "damaged; alpinevm pull "+ref+" fetches it again")
				}
				if _, err := off.Image(ctx, ref, Missing); err != nil {
					checkError(t, err, "image "+ref+": the file ", file, "damaged or gone, and could not be fetched again: ")
				}
				if _, err := off.Images(ctx); err != nil {
					t.Errorf("images: %v", err)
				}
				if img, err := off.Pinned(ctx, owner); err == nil {
					whole(t, off, img)
				} else if !errors.Is(err, ErrMissing) {
					t.Errorf("pinned: %v", err)
				}
				if _, err := off.collect(ctx); err != nil {
					t.Errorf("collect: %v", err)
				}

				// With it.
				srv.forget()
				s := newStore(t, dir)
				img, err = s.Image(ctx, ref, Missing)
				if err != nil {
					t.Fatal(err)
				}
				whole(t, s, img)
				if n := srv.count("GET /v2/a/"); n > 6 {
					t.Errorf("%d requests", n)
				}
				if img, err := s.Pinned(ctx, owner); err != nil {
					t.Errorf("pinned: %v", err)
				} else {
					whole(t, s, img)
				}
				// And then it is repaired.
				if img, err = off.Image(ctx, ref, Never); err != nil {
					t.Fatal(err)
				}
				whole(t, off, img)
			})
		}
	}
}

// TestDamageOfPull pulls over a damaged cache, which asks the registry anyway.
func TestDamageOfPull(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	good := filepath.Join(t.TempDir(), "good")
	if _, _, err := newStore(t, good).Pull(ctx, srv.host+"/a:1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range cacheFiles(t, good) {
		dir := filepath.Join(t.TempDir(), "cache")
		copyCache(t, good, dir)
		file := filepath.Join(dir, name)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, flipped(b, len(b)/2))
		s := newStore(t, dir)
		img, _, err := s.Pull(ctx, srv.host+"/a:1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := cat(t, s, img, "f"); got != "data" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestDamageOfBoth has an index that is damaged in both places.
func TestDamageOfBoth(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	if _, _, err := s.Pull(ctx, srv.host+"/a:1"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.path(indexFile), nil)
	writeFile(t, s.path(indexCopy), []byte("{"))
	_, imageErr := s.Image(ctx, srv.host+"/a:1", Missing)
	_, listErr := s.Images(ctx)
	_, removeErr := s.Remove(ctx, srv.host+"/a:1", false)
	for _, err := range []error{imageErr, listErr, removeErr} {
		checkError(t, err, s.path(indexFile), "is damaged, and so is "+s.path(indexCopy)+"; remove both")
	}
	if len(files(t, s, layersDir)) != 1 {
		t.Error("layers were removed")
	}
	if err := errors.Join(os.Remove(s.path(indexFile)), os.Remove(s.path(indexCopy))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Image(ctx, srv.host+"/a:1", Missing); err != nil {
		t.Error(err)
	}
}

// TestUnsealed has a cache that was copied without the times of its files, and
// one that cannot be sealed: its files are read through, and used.
func TestUnsealed(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	img, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	file := s.layerFile(img, 0)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !seal.Holds(file) {
		t.Fatal("what was made is not sealed")
	}
	writeFile(t, file, b)
	if seal.Holds(file) {
		t.Fatal("what was written anew is sealed")
	}
	srv.Close()
	if _, err := s.Image(ctx, srv.host+"/a:1", Never); err != nil {
		t.Fatal(err)
	}
	if !seal.Holds(file) {
		t.Error("it was not sealed again")
	}
}

// TestGarbageKeepsPinned has a machine's image whose manifest, or configuration,
// is damaged: its layers may be nowhere else.
func TestGarbageKeepsPinned(t *testing.T) {
	for _, part := range []func(s *Store, img *Image) string{
		func(s *Store, img *Image) string { return s.blob(img.ID) },
		func(s *Store, img *Image) string {
			idx, err := s.index()
			if err != nil {
				t.Fatal(err)
			}
			return s.blob(idx.Manifests[0].Digest)
		},
	} {
		s := newStore(t, t.TempDir())
		img, err := s.Import(ctx, writeFile(t, filepath.Join(t.TempDir(), "root.tar"), archive(t, map[string]string{"f": "data"})))
		if err != nil {
			t.Fatal(err)
		}
		owner := t.TempDir()
		if err := s.Pin(ctx, img, owner); err != nil {
			t.Fatal(err)
		}
		writeFile(t, part(s, img), []byte("{}"))
		if _, err := s.collect(ctx); err != nil {
			t.Fatal(err)
		}
		if len(files(t, s, layersDir)) != 1 {
			t.Error("the layer is gone")
		}
		if _, err := s.Pinned(ctx, owner); !errors.Is(err, ErrMissing) {
			t.Errorf("pinned: %v", err)
		}
	}
}

// TestLocalErrors has errors of this machine, none of which is the network's.
func TestLocalErrors(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	for _, dir := range []string{blobsDir, layersDir, treesDir, ingestDir, locksDir} {
		s := newStore(t, t.TempDir())
		if err := os.MkdirAll(filepath.Dir(s.path(dir)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, s.path(dir), nil) // a file where a folder should be
		_, _, err := s.Pull(ctx, srv.host+"/a:1")
		checkError(t, err, "image "+srv.host+"/a:1: the ", s.cfg.Dir)
		for _, word := range []string{"connection", "network", srv.host + " "} {
			if err != nil && strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v", dir, err)
			}
		}
	}
}
