package bench

import (
	"archive/tar"
	"context"
	"flag"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
)

// standIn is a go command that takes no time: it builds by copying.
const standIn = `#!/bin/sh
case $1 in
version) echo go version stand-in ;;
build) cat *.go >$3 ;;
*) exit 2 ;;
esac
`

var realToolchain = flag.Bool("bench.toolchain", false, "have the guest install and use the host's Go toolchain, packaged, which takes minutes")

// apkMirror serves packages as the community repository of Alpine 3.20, signed
// with a key of its own, to a guest with a way to the host's loopback.
func apkMirror(t *testing.T, packages ...*apktest.Package) APK {
	t.Helper()
	key := apktest.NewKey(t, "bench's.rsa.pub")
	repository, empty := apktest.NewRepository(key, packages...), apktest.NewRepository(key)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		files := repository
		name, ok := strings.CutPrefix(r.URL.Path, "/v3.20/community/")
		if !ok {
			name, files = strings.TrimPrefix(r.URL.Path, "/v3.20/main/"), empty
		}
		if data, ok := files[name]; ok {
			w.Write(data)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(mirror.Close)
	_, port, err := net.SplitHostPort(mirror.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return APK{Mirror: "http://10.0.2.2:" + port, Keys: map[string][]byte{key.Name: key.Public()}}
}

// TestRealToolchain is TestAPKToolchain with a toolchain that compiles.
func TestRealToolchain(t *testing.T) {
	if !*realToolchain {
		t.Skip("not here: it takes minutes; ask for it by -bench.toolchain")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	report := func(s string) { t.Log(s) }
	chain, err := HostToolchain(t.Context(), filepath.Join(cache, "alpinevm", "toolchain"), report)
	if err != nil {
		t.Fatal(err)
	}
	p := &apktest.Package{Name: "go", Version: "1.99-r0", Files: []apktest.File{{Name: "usr/bin/go", Type: tar.TypeSymlink, Link: "../lib/go/bin/go"}}}
	for dir, at := range map[string]string{chain.Dir: "usr/lib/go", chain.Src: "usr/lib/go/src"} {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dir, name)
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "testdata" || rel == "cmd"):
				return fs.SkipDir
			case d.IsDir() || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(name)
			p.Files = append(p.Files, apktest.File{Name: path.Join(at, filepath.ToSlash(rel)), Mode: int64(info.Mode().Perm()), Data: data})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	program := t.TempDir()
	if err := os.WriteFile(filepath.Join(program, "main.go"), []byte("package main\n\nfunc main() { println(1) }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	machine := rootMachine(t)
	g := GoBuild{Machine: func() (alpinevm.Config, func(), error) {
		cfg, end, err := machine()
		cfg.Memory = 1 << 30
		return cfg, end, err
	}, Install: apkMirror(t, p).Install(), Program: program, Work: WorkTmpfs, Report: report}
	r, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, []string{Guest}, "install", "version", "cold", "warm", "again")
}

// TestAPKToolchain has the guest install its toolchain from a repository, whose
// key it is given, and build with it.
func TestAPKToolchain(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	a := apkMirror(t, &apktest.Package{Name: "go", Version: "1.99-r0", Files: []apktest.File{
		{Name: "usr/bin/go", Mode: 0o755, Data: []byte(standIn)},
	}})
	g := GoBuild{Machine: rootMachine(t), Install: a.Install(), Program: "hello", Work: WorkTmpfs, Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := g.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, []string{Guest}, "install", "version", "cold", "warm", "again")
}

// TestBareBuild has what go-build compares with QEMU fail for want of a
// compiler: the guest's own words are told, and no figure but what came before.
func TestBareBuild(t *testing.T) {
	program := guestProgram(t)
	dir := t.TempDir()
	for name, data := range map[string]string{
		"bin/go":              "#!/bin/sh\n[ $1 = version ] || { echo no space left; exit 7; }\n",
		"src/fmt/print.go":    "package fmt\n",
		"src/fmt/fmt_test.go": "package fmt\n",
		"VERSION":             "go1.99\n", "pkg/tool/linux_386/compile": "",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	chain, err := FolderToolchain(dir)
	if err != nil {
		t.Fatal(err)
	}
	image, cache := guesttest.Kernel(t, "686-pae"), guesttest.Cache(t)
	cfg := alpinevm.Config{Memory: 128 << 20, Boot: alpinevm.Boot{Kernel: image, Cache: cache}, Session: &alpinevm.Session{Root: guesttest.Root(t, nil)}}
	g := GoBuild{Toolchain: chain, Guest: program, Program: "hello", Report: func(s string) { t.Log(s) }}
	src, cleanup, err := g.source()
	if err != nil {
		t.Fatal(err)
	}
	defer cleanup()
	bare, err := g.bareConfig(cfg, src)
	if err != nil {
		t.Fatal(err)
	}
	if has := string(bare.Boot.Initrd); strings.Contains(has, "fmt_test.go") || !strings.Contains(has, "usr/local/go/src/fmt/print.go") {
		t.Error("the initial root file system holds tests, or no standard library")
	}
	r := &Result{Workload: "Test"}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	err = runBare(ctx, Guest, bare, r, g.Report)
	if err == nil || !strings.Contains(err.Error(), "cold exit status 7") || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	checkSteps(t, r, []string{Guest}, "version")
	if _, err := g.bareConfig(alpinevm.Config{Session: &alpinevm.Session{Busybox: []byte("none")}}, src); !strings.Contains(err.Error(), kernel.ErrTools.Error()) {
		t.Error(err)
	}
}
