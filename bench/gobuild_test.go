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
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
)

// standIn is a go command that takes no time. What it builds tells that it was
// built of a main function, and that its source was changed.
const standIn = `#!/bin/sh
case $1 in
version) echo go version stand-in ;;
build) grep -q 'func main' *.go && printf '#!/bin/sh\ngrep changed %s\n' $PWD/*.go >$3 && chmod +x $3 ;;
test) echo ok ;;
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
	checkSteps(t, r, []string{Guest}, "install", "version", "cold", "warm", "again", "run")
}

// standInChain is a toolchain whose go command is a script.
func standInChain(t *testing.T, script string) *Toolchain {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"bin/go": script, "src/fmt/print.go": "package fmt\n", "src/fmt/fmt_test.go": "package fmt\n",
		"VERSION": "go1.99\n", "go.env": "", "pkg/tool/linux_386/compile": "",
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
	return chain
}

// TestBuildSteps has each program, and a folder's, go through the steps: what has
// tests is tested, what comes with the benchmark and has none is run.
func TestBuildSteps(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: no /bin/sh")
	}
	t.Setenv("RUN", "run") // the caller's variables are none of ours
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte("package main\n\nfunc main() { select {} }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	steps := []string{"version", "cold", "warm", "again"}
	for program, want := range map[string][]string{
		"hello": append(steps[:4:4], "run"), "server": append(steps[:4:4], "run"), "generics": steps, folder: steps,
	} {
		g := GoBuild{Toolchain: standInChain(t, standIn), Program: program, Report: func(s string) { t.Log(s) }}
		src, cleanup, err := g.source()
		if err != nil {
			t.Fatal(err)
		}
		r := &Result{Workload: "Test"}
		err = g.native(t.Context(), src, r)
		cleanup()
		if err != nil {
			t.Fatal(err)
		}
		checkSteps(t, r, []string{Native}, want...)
	}
}

// TestProgramsWork builds the programs with the host's Go, for the host, and has
// each check itself.
func TestProgramsWork(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("not here: no go in the PATH")
	}
	for _, name := range Programs() {
		g := &GoBuild{Program: name}
		dir, cleanup, err := g.source()
		if err != nil {
			t.Fatal(err)
		}
		defer cleanup()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module program\n\ngo 1.22\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		args, want := []string{"run", "."}, "hello"
		if tests, err := filepath.Glob(filepath.Join(dir, "*_test.go")); err == nil && len(tests) > 0 {
			args, want = []string{"test", "./..."}, "ok"
		}
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOWORK=off", "GOPROXY=off")
		if out, err := c.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestBareBuild has what go-build compares with QEMU fail for want of a
// compiler: the guest's own words are told, and no figure but what came before.
func TestBareBuild(t *testing.T) {
	program := guestProgram(t)
	chain := standInChain(t, "#!/bin/sh\n[ $1 = version ] || { echo no space left; exit 7; }\n")
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
