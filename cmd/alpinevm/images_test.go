//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"alpinevm/internal/guesttest"
)

// alpineImage is an image of Alpine's root file system and a layer with one
// more file.
func alpineImage(t testing.TB, c v1.Config) v1.Image {
	t.Helper()
	base, err := tarball.LayerFromFile(guesttest.RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	const script = "#!/bin/sh\necho entry \"$@\"\nexec \"$@\"\n"
	w.WriteHeader(&tar.Header{Name: "entry", Mode: 0o755, Size: int64(len(script))})
	io.WriteString(w, script)
	w.WriteHeader(&tar.Header{Name: "etc/.wh.motd"})
	w.Close()
	top, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, base, top)
	if err != nil {
		t.Fatal(err)
	}
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: "386", Created: v1.Time{Time: time.Now().Add(-50 * time.Hour)}, Config: c, RootFS: rootFS(t, img),
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func rootFS(t testing.TB, img v1.Image) v1.RootFS {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c.RootFS
}

// pushed starts a registry on this host and pushes images to it, by name.
func pushed(t *testing.T, images map[string]v1.Image) (host string, stop func()) {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(slow{w}, r) }))
	t.Cleanup(srv.Close)
	host = strings.Replace(strings.TrimPrefix(srv.URL, "http://"), "127.0.0.1", "localhost", 1)
	for s, img := range images {
		push(t, host+"/"+s, img)
	}
	return host, srv.Close
}

// push brings an image to a registry.
func push(t testing.TB, s string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

// slow is a network on which a megabyte takes a second.
type slow struct{ http.ResponseWriter }

func (s slow) Write(p []byte) (int, error) {
	done := 0
	for chunk := range slices.Chunk(p, 64<<10) {
		time.Sleep(time.Duration(len(chunk)) * time.Microsecond)
		n, err := s.ResponseWriter.Write(chunk)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// TestImages goes with an image from a registry to a guest and to its removal.
func TestImages(t *testing.T) {
	kernel, modules := guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	img := alpineImage(t, v1.Config{
		Entrypoint: []string{"/entry"}, Cmd: []string{"sh", "-c", "id -un; pwd; echo $A $B; ls -d /data/deep; test -e /etc/motd || echo no motd"},
		Env: []string{"A=image", "B=image"}, WorkingDir: "/var/new", User: "guest:users", Volumes: map[string]struct{}{"/data/deep": {}},
	})
	host, stop := pushed(t, map[string]v1.Image{"alpine:3.20": img})
	ref := host + "/alpine:3.20"
	id, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	check := func(args []string, wantCode int, wantOut, wantErr string) {
		t.Helper()
		stdout, stderr, code := run(t, nil, args...)
		if code != wantCode || !match(wantOut, stdout) || !match(wantErr, stderr) {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d, %q, %q", args, code, stdout, stderr, wantCode, wantOut, wantErr)
		}
	}
	guest := func(args ...string) []string {
		return append([]string{"run", "--network", "none", "--kernel", kernel, "--modules", modules}, args...)
	}
	check([]string{"images"}, 0, `REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n`, "")
	check(guest("--pull", "never", ref), 125, "", `alpinevm: image `+ref+`: it is not in the cache; alpinevm pull fetches it.*\n`)
	check(guest("--pull", "often", ref), 125, "", `alpinevm: pull policy "often": want always, missing or never\n`)

	// The first run pulls.
	check(guest(ref), 0,
		`entry sh -c id -un.*\nguest\n/var/new\nimage image\n/data/deep\nno motd\n`,
		`image `+ref+`:\n([0-9a-f]{12}: (downloaded, [0-9.]+k?M?B|unpacked)\n){4}[0-9a-f]{12}: indexed\n`)
	check([]string{"pull", "--no-kernel", ref}, 0, "Digest: "+digest.String()+"\nStatus: Image is up to date for "+ref+"\n"+ref+"\n", "")
	check([]string{"pull", "--no-kernel", "-q", ref}, 0, "", "")
	check([]string{"images"}, 0, `REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n`+host+`/alpine +3\.20 +`+id.Hex[:12]+` +2 days ago +[0-9.]+MB\n`, "")
	check([]string{"images", "-q", host + "/alpine"}, 0, id.Hex[:12]+"\n", "")
	check([]string{"images", "--digests", "--no-trunc", ref}, 0, `REPOSITORY +TAG +DIGEST .*\n.*`+digest.String()+` +`+id.String()+` .*\n`, "")
	check([]string{"images", "other"}, 0, `REPOSITORY.*\n`, "")

	// Off line.
	stop()
	check(guest("-e", "B=flag", "-u", "0", "-w", "/tmp", "--entrypoint", "/bin/busybox", id.Hex[:12], "--", "sh", "-c", "uname -m; id -u; pwd; echo $A $B"), 0,
		`i[56]86\n0\n/tmp\nimage flag\n`, "")
	check(guest("--entrypoint", "", ref), 125, "", `alpinevm: image `+ref+`: it names no command to run; .*\n`)
	check(guest("--pull", "always", ref), 125, "", `alpinevm: image `+ref+`: .* refuses connections; .*\n`)
	check(guest("-u", "nosuch", ref), 125, "", `alpinevm: --user nosuch: .*\n`)

	check([]string{"rmi", "nosuch", ref}, 1, "Untagged: "+ref+"\nDeleted: "+id.String()+"\n", `alpinevm: image nosuch: it is not in the cache; .*\n`)
	check([]string{"images", "-q"}, 0, "", "")
}

// TestImageFiles runs images that are files.
func TestImageFiles(t *testing.T) {
	kernel, modules := guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	img := alpineImage(t, v1.Config{Cmd: []string{"echo", "from the image"}})
	ref, err := name.NewTag("alpine:3.20")
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved.tar")
	if err := tarball.WriteToFile(saved, ref, img); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "-q", "--network", "none", "--kernel", kernel, "--modules", modules, "--rootfs", saved}
	if stdout, stderr, code := run(t, nil, args...); stdout != "from the image\n" || stderr != "" || code != 0 {
		t.Errorf("stdout %q, stderr %q, exit code %d", stdout, stderr, code)
	}
}

// TestOtherPlatform pulls an image for another platform, which has to be wanted.
func TestOtherPlatform(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	host, _ := pushed(t, map[string]v1.Image{"a:1": img})
	for _, tt := range []struct {
		args []string
		code int
		want string // on standard error
	}{
		{nil, exitError, `alpinevm: image .*: there is no image for linux/386; it has linux/amd64; .*--platform linux/amd64\n`},
		{[]string{"--platform", "linux/386"}, exitError, `alpinevm: image .*: there is no image for linux/386; .*\n`},
		{[]string{"--platform", "linux/amd64"}, 0, `alpinevm: --platform linux/amd64: this machine runs the 32-bit programs of the image alone\nimage .*\n.* indexed\n`},
		{[]string{"--platform", "linux/amd64", "-q"}, 0, ""},
	} {
		_, stderr, code := run(t, nil, append(append([]string{"pull", "--no-kernel"}, tt.args...), host+"/a:1")...)
		if code != tt.code || !match(tt.want, stderr) {
			t.Errorf("%q: exit code %d, %q", tt.args, code, stderr)
		}
	}
}

// TestPullBars pulls on a terminal: there are bars while it takes time, and
// then they are gone.
func TestPullBars(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	img, err := random.Image(1<<20, 2)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c.OS, c.Architecture = "linux", "386"
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	host, _ := pushed(t, map[string]v1.Image{"bars": img})
	p := sitDown(t, 100, 24, "alpinevm", "pull", "--no-kernel", host+"/bars")
	p.expect(`image ` + host + `/bars:`)
	p.expect(`download +[0-9a-f]{12} .*KB / 1\.0 MB`)
	p.expect(`Digest: sha256:[0-9a-f]{64}\r\nStatus: Downloaded newer image for ` + host + `/bars:latest\r\n`)
	p.leave(0)
}
