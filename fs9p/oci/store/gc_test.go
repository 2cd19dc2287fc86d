package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestRemove(t *testing.T) {
	srv := newServer(t)
	shared := layer(t, "gzip", map[string]string{"shared": "1"})
	one := image(t, "386", shared, layer(t, "zstd", map[string]string{"one": "1"}))
	two := image(t, "386", shared, layer(t, "gzip", map[string]string{"two": "2"}))
	srv.push(t, "a:one", one)
	srv.push(t, "a:uno", one)
	srv.push(t, "a:two", two)
	s := newStore(t, t.TempDir())
	for _, tag := range []string{"one", "uno", "two"} {
		if _, _, err := s.Pull(ctx, srv.host+"/a:"+tag); err != nil {
			t.Fatal(err)
		}
	}
	id := func(img v1.Image) string {
		h, err := img.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		return h.String()
	}
	check := func(name string, force bool, names []string, image string, blobs, layers, trees int) {
		t.Helper()
		r, err := s.Remove(ctx, name, force)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Names, names) || r.Image != image || (r.Bytes > 0) != (image != "") {
			t.Errorf("removed %+v", r)
		}
		if b, l, tr := len(files(t, s, blobsDir)), len(files(t, s, layersDir)), len(files(t, s, treesDir)); b != blobs || l != layers || tr != trees {
			t.Errorf("%s: %d blobs, %d layers and %d trees are left; want %d, %d, %d", name, b, l, tr, blobs, layers, trees)
		}
	}
	if _, err := s.Remove(ctx, "missing", false); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	if _, err := s.Remove(ctx, id(one), false); err == nil || !strings.Contains(err.Error(), "the image has 2 names") {
		t.Errorf("an ID of two names: %v", err)
	}
	check(srv.host+"/a:uno", false, []string{srv.host + "/a:uno"}, "", 7, 3, 2)
	if err := os.WriteFile(s.path(ingestDir, "garbage"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(id(two)[7:19], false, []string{srv.host + "/a:two"}, id(two), 4, 2, 1)
	if left := files(t, s, ingestDir); len(left) > 0 {
		t.Errorf("left in ingest: %v", left)
	}
	if _, _, err := s.Pull(ctx, srv.host+"/a:uno"); err != nil {
		t.Fatal(err)
	}
	check(id(one), true, []string{srv.host + "/a:one", srv.host + "/a:uno"}, id(one), 0, 0, 0)
	if list, err := s.Images(ctx); err != nil || len(list) > 0 {
		t.Errorf("%d images, %v", len(list), err)
	}
}

// TestRemoveInUse removes an image while its files are open, and while another
// process pulls.
func TestRemoveInUse(t *testing.T) {
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386", layer(t, "gzip", map[string]string{"f": "data"})))
	s := newStore(t, t.TempDir())
	img, _, err := s.Pull(ctx, srv.host+"/a:1")
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.Open(ctx, img)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	unlock, err := newStore(t, s.cfg.Dir).share(ctx, lockUse) // as a pull does
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Remove(ctx, srv.host+"/a:1", false); err != nil || r.Bytes != 0 {
		t.Errorf("during a pull: %+v, %v", r, err)
	}
	unlock()
	if n, err := s.collect(ctx); err != nil || n == 0 {
		t.Errorf("later: %d bytes, %v", n, err)
	}
	if b, err := fs9pReadFile(root, "f"); err != nil || string(b) != "data" {
		t.Errorf("read %q, %v", b, err)
	}
}

// checkWhole checks that every file in its place is what its name says.
func checkWhole(t *testing.T, s *Store) {
	t.Helper()
	for _, dir := range []string{blobsDir, layersDir} {
		for _, name := range files(t, s, dir) {
			f, err := os.Open(s.path(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			h, _, err := v1.SHA256(f)
			f.Close()
			if err != nil || h.Hex != name {
				t.Errorf("%s/%s holds %s, %v", dir, name, h.Hex, err)
			}
		}
	}
	if _, err := s.index(); err != nil {
		t.Error(err)
	}
}

// TestTwoPulls has several stores in one folder pull the same at once.
func TestTwoPulls(t *testing.T) {
	srv := newServer(t)
	var layers []v1.Layer
	for i := range 6 {
		layers = append(layers, layer(t, []string{"gzip", "zstd", "plain"}[i%3], map[string]string{fmt.Sprint("f", i): strings.Repeat(fmt.Sprint(i), 50_000)}))
	}
	srv.push(t, "a:1", image(t, "386", layers...))
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := newStore(t, dir)
			img, _, err := s.Pull(ctx, srv.host+"/a:1")
			if err != nil {
				t.Error(err)
				return
			}
			root, err := s.Open(ctx, img)
			if err != nil {
				t.Error(err)
				return
			}
			defer root.Close()
			if b, err := fs9pReadFile(root, "f5"); err != nil || len(b) != 50_000 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	wg.Wait()
	if n := srv.count("GET /v2/a/blobs/"); n != 7 {
		t.Errorf("%d downloads of 7 blobs", n)
	}
	s := newStore(t, dir)
	checkWhole(t, s)
	if left := files(t, s, ingestDir); len(left) > 0 {
		t.Errorf("left in ingest: %v", left)
	}
}

// The environment by which TestKilled makes a process of this test that pulls.
const (
	envPullRef = "STORE_TEST_PULL_REF"
	envPullDir = "STORE_TEST_PULL_DIR"
)

func TestMain(m *testing.M) {
	if ref := os.Getenv(envPullRef); ref != "" {
		s := New(Config{Dir: os.Getenv(envPullDir), Keychain: nobody{}, Progress: printing{}})
		if _, _, err := s.Pull(context.Background(), ref); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// printing prints a line a chunk, so that the killer sees how far it is.
type printing struct{ silent }

func (p printing) Begin(verb, what string, _ int64) Step {
	fmt.Println(verb, what)
	return p
}

func (printing) Add(int64) { fmt.Println("more") }

// TestKilled kills pulls at many points. What is left must be whole, and the
// next pull must get the image.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	srv := newServer(t)
	srv.push(t, "a:1", image(t, "386",
		layer(t, "gzip", map[string]string{"f": strings.Repeat("gzip", 500_000)}),
		layer(t, "plain", map[string]string{"g": strings.Repeat("plain", 300_000)})))
	srv.answer(func(w http.ResponseWriter, r *http.Request) bool {
		time.Sleep(2 * time.Millisecond)
		return false
	})
	dir := filepath.Join(t.TempDir(), "cache")
	ref := srv.host + "/a:1"
	s := newStore(t, dir)
	died := 0
	for lines := 1; ; lines++ {
		os.RemoveAll(s.path(blobsDir)) // so that each has the same to do
		os.RemoveAll(s.path(layersDir))
		os.RemoveAll(s.path(treesDir))
		os.Remove(s.path(indexFile))
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), envPullRef+"="+ref, envPullDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		in := bufio.NewScanner(out)
		seen := 0
		for seen < lines && in.Scan() {
			seen++
		}
		if seen == lines {
			cmd.Process.Kill()
		}
		if err := cmd.Wait(); err == nil {
			break
		}
		died++
		checkWhole(t, s)
		if img, err := s.Cached(ctx, ref); err == nil {
			cat(t, s, img, "f") // it was killed behind the end
		}
	}
	if died < 5 {
		t.Errorf("only %d pulls died", died)
	}
	os.RemoveAll(s.path(blobsDir))
	img, _, err := s.Pull(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if got := cat(t, s, img, "f"); len(got) != 2_000_000 {
		t.Errorf("%d bytes", len(got))
	}
	checkWhole(t, s)
	if left := files(t, s, ingestDir); len(left) > 0 {
		t.Errorf("left in ingest: %v", left)
	}
}
