//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/fs9p"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
)

// newMirror serves, for the releases v3.20 and latest-stable, packages like
// Alpine's of a kernel with its modules, those below lib, and of a busybox,
// which key signs.
func newMirror(t testing.TB, key *apktest.Key, modules fs.FS) *httptest.Server {
	t.Helper()
	virt := &apktest.Package{Name: "linux-virt", Version: "6.1.0-r0", Files: []apktest.File{
		{Name: "boot/config-virt", Data: []byte("CONFIG_X86=y\n")},
		{Name: "boot/vmlinuz-virt", Data: guesttest.Kernel(t, "686-pae")},
	}}
	err := fs.WalkDir(modules, "lib", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(modules, name)
		if strings.HasSuffix(name, ".ko") { // Alpine compresses them
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write(data)
			z.Close()
			name, data = name+".gz", b.Bytes()
		}
		virt.Files = append(virt.Files, apktest.File{Name: name, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	repo := apktest.NewRepository(key, virt, &apktest.Package{Name: "busybox-static", Version: "1.36-r0", Files: []apktest.File{
		{Name: "bin/busybox.static", Mode: 0o755, Data: busybox},
	}})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		release, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/alpine/"), "/main/")
		data, ok := repo[name]
		if !ok || release != "v3.20" && release != "latest-stable" {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAlpineKernel boots what a mirror has: for Alpine's root, for one that has
// nothing but a program, and from the cache when the mirror is gone.
func TestAlpineKernel(t *testing.T) {
	t.Parallel()
	key := apktest.NewKey(t, "test.rsa.pub")
	mirror := newMirror(t, key, fs9p.IOFS(guesttest.Modules(t, "686-pae", "virtio_net")))
	dir := t.TempDir()
	keyFile, scratch := filepath.Join(dir, key.Name), filepath.Join(dir, "scratch")
	if err := os.WriteFile(keyFile, key.Public(), 0o600); err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(scratch, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	alpine := []string{"--rootfs", guesttest.RootFile(t), "--", "sh", "-c", "uname -r; ls /lib/modules/*/kernel/9p.ko.gz; lsmod | grep -c ^virtio_net; ip -4 addr show eth0 | grep -o 10.0.2.15/24"}
	const alpineSays = "6.1.0-50-686-pae\n/lib/modules/6.1.0-50-686-pae/kernel/9p.ko.gz\n1\n10.0.2.15/24\n"
	static := []string{"--rootfs", scratch, "--", "/busybox", "echo", "static"}
	for _, tt := range []struct {
		name       string
		flags      []string
		stdout     string
		stderr     []string // parts of it; nothing is printed if there are none
		code       int
		mirrorGone bool
	}{
		{name: "a key that is not trusted", flags: alpine, stderr: []string{"no kernel: package linux-virt of Alpine v3.20: ", "test.rsa.pub is unknown"}, code: exitFailure},
		{name: "first run", flags: append([]string{"--mirror-key", keyFile}, alpine...), stdout: alpineSays, stderr: []string{"linux-virt-6.1.0-r0: downloaded, "}},
		{name: "scratch", flags: append([]string{"--mirror-key", keyFile}, static...), stdout: "static\n", stderr: []string{"busybox-static-1.36-r0: downloaded, "}},
		{name: "a release without packages", flags: append([]string{"--mirror-key", keyFile, "--kernel", "3.7"}, alpine...), stderr: []string{"Alpine v3.7", "has no http"}, code: exitFailure},
		{name: "off line", flags: alpine, stdout: alpineSays, mirrorGone: true},
		{name: "off line, scratch", flags: static, stdout: "static\n", mirrorGone: true},
	} {
		if tt.mirrorGone {
			mirror.Close()
		}
		cmd := exec.Command("alpinevm", append([]string{"run", "--mirror", mirror.URL + "/alpine/"}, tt.flags...)...)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		code := codeOf(t, cmd.Wait())
		kill.Stop()
		if out.String() != tt.stdout || code != tt.code || tt.stderr == nil && errs.Len() > 0 {
			t.Errorf("%s: stdout %q, stderr %q, exit code %d; want %q, %d", tt.name, out.String(), errs.String(), code, tt.stdout, tt.code)
		}
		for _, part := range tt.stderr {
			if !strings.Contains(errs.String(), part) {
				t.Errorf("%s: no %q in %q", tt.name, part, errs.String())
			}
		}
	}
}

// TestPullThenOffline pulls an image, and runs it as the one that is meant where
// none is named, with the kernel that came with it, without a network.
func TestPullThenOffline(t *testing.T) {
	t.Parallel()
	h := home{t: t, dir: t.TempDir()}
	key := apktest.NewKey(t, "test.rsa.pub")
	keyFile := filepath.Join(h.dir, key.Name)
	if err := os.WriteFile(keyFile, key.Public(), 0o600); err != nil {
		t.Fatal(err)
	}
	mirror := newMirror(t, key, fs9p.IOFS(guesttest.Modules(t, "686-pae", "virtio_net")))
	host, stop := pushed(t, map[string]v1.Image{"alpine:latest": alpineImage(t, v1.Config{Cmd: []string{"sh"}})})
	from := []string{"--mirror", mirror.URL + "/alpine"}
	h.check(append([]string{"pull", host + "/alpine"}, from...), exitError, "",
		`(.*\n)*alpinevm: image `+host+`/alpine is in the cache, but what boots it is not: no kernel: package linux-virt of Alpine v3\.20: .*test.rsa.pub is unknown.*; --no-kernel pulls the image alone\n`)
	h.check(append([]string{"pull", "-q", host + "/alpine", host + "/nosuch", host + "/alpine"}, from...), exitError, "",
		`(alpinevm: image .*/alpine is in the cache, but .*\n)(alpinevm: .*/nosuch.*\n)(alpinevm: image .*/alpine is in the cache, but .*\n)`)
	h.check(append([]string{"pull", host + "/alpine", "--mirror-key", keyFile}, from...), 0, `Digest: .*\nStatus: Image is up to date for .*\n.*\n`,
		`Alpine's packages:\nAPKINDEX: downloaded, .*\nlinux-virt-6\.1\.0-r0: downloaded, .*\n`)
	// A package that the user has is verified too.
	resp, err := http.Get(mirror.URL + "/alpine/v3.20/main/x86/linux-virt-6.1.0-r0.apk")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(h.dir, "kernel.apk")
	if err := os.WriteFile(local, data, 0o600); err != nil {
		t.Fatal(err)
	}
	h.check([]string{"run", "--kernel", local, host + "/alpine"}, exitFailure, "",
		`alpinevm: no kernel: `+local+`: .*test.rsa.pub is unknown; if you trust its owner, name the key's file by --mirror-key\n`)
	stop()
	mirror.Close()

	// What is pulled from here is to be what Docker Hub has.
	index := filepath.Join(h.dir, "cache", "alpinevm", "images", "index.json")
	b, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte(host+"/alpine:latest"), []byte("docker.io/i386/alpine:latest"))
	b = bytes.ReplaceAll(b, []byte("alpinevm.sum"), []byte("no.sum")) // or it is as if it were damaged
	if err := os.WriteFile(index, b, 0o600); err != nil {
		t.Fatal(err)
	}
	h.stdin = "uname -r; exit 4\n"
	h.check(append([]string{"run", "--pull", "never"}, from...), 4, "6.1.0-50-686-pae\n", "")
}
