package bench

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"alpinevm"
)

// programs are the ones that come with the benchmark.
//
//go:embed testdata
var programs embed.FS

// Programs lists them.
func Programs() []string {
	entries, err := programs.ReadDir("testdata")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// GoBuild describes the benchmark: go build of a program with an empty cache
// (cold), after one changed file (warm) and with nothing changed (again). A
// program that has tests is tested instead of built; one that comes with the
// benchmark and has none is run then, and checks itself what it does.
type GoBuild struct {
	// Machine makes the configuration of the guest: kernel and root.
	Machine func() (alpinevm.Config, func(), error)
	// Toolchain is nil where Install, a shell script that the guest runs
	// first, installs one.
	Toolchain *Toolchain
	Install   string
	Program   string // one of Programs, or a folder with a module or main package
	Work      string // WorkTmpfs, WorkRoot or a folder of the host
	Guest     string // the guest's program: its file, needed for QEMU
	Vs        []string
	Runs      int
	Report    func(string)
}

// buildScript measures the steps. The program is in $SRC, the work folder is
// $W; $RUN is "run" if it is to be run. The version of the language is the one that the programs
// here are written in, which older releases of Alpine have too.
const buildScript = `export HOME=$W GOCACHE=$W/cache GOTMPDIR=$W/tmp GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local GOTELEMETRY=off CGO_ENABLED=0
rm -rf $W/cache $W/src $W/tmp
mkdir -p $W/tmp
cp -r $SRC $W/src
cd $W/src
chmod -R u+w .
[ -e go.mod ] || printf 'module program\n\ngo 1.22\n' >go.mod
step version go version
work="go build -o $W/out ."
ls *_test.go >/dev/null 2>&1 && work="go test ./..."
step cold $work
file=$(ls *.go | grep -v _test.go | head -n 1)
echo '
var _ = "changed"' >>"$file"
step warm $work
step again $work
[ "$RUN" != run ] || [ ! -e $W/out ] || step run $W/out
`

// Check refuses what Run refuses, before anybody builds a toolchain for it.
func (g *GoBuild) Check() error {
	if slices.Contains(g.Vs, QEMU) && g.Work != WorkTmpfs {
		return fmt.Errorf("--work %s: QEMU has no other place to work than %s", g.Work, WorkTmpfs)
	}
	if err := checkWork(g.Work); err != nil {
		return err
	}
	_, cleanup, err := g.source()
	if err == nil {
		cleanup()
	}
	return err
}

// Run measures. What was measured before an error or the end of ctx is in the
// Result all the same.
func (g *GoBuild) Run(ctx context.Context) (*Result, error) {
	r := &Result{Workload: "GoBuild/" + path.Base(filepath.ToSlash(g.Program))}
	if err := g.Check(); err != nil {
		return r, err
	}
	src, cleanup, err := g.source()
	if err != nil {
		return r, err
	}
	defer cleanup()
	qemu := slices.Contains(g.Vs, QEMU)
	if qemu {
		r.Notes = append(r.Notes, "guests have the toolchain in their initial root file system and work in memory", qemuNote(ctx))
	}
	return r, inTurn(g.Runs, g.Vs, g.Report, func(where string) error {
		switch {
		case where == Native:
			return g.native(ctx, src, r)
		case qemu:
			return g.bare(ctx, where, src, r)
		}
		return g.guest(ctx, where, src, r)
	})
}

// environment sets the variables of buildScript, each as a word for env(1). Of what
// a folder's program does when it is run nothing is known, not even that it ends.
func (g *GoBuild) environment(work, src string) []string {
	env := []string{"W=" + work, "SRC=" + src}
	if info, err := os.Stat(g.Program); err != nil || !info.IsDir() {
		env = append(env, "RUN=run")
	}
	return env
}

// source finds the program's folder; one that comes with us is unpacked.
func (g *GoBuild) source() (dir string, cleanup func(), err error) {
	if info, err := os.Stat(g.Program); err == nil && info.IsDir() {
		dir, err := filepath.Abs(g.Program)
		return dir, func() {}, err
	}
	sub, err := fs.Sub(programs, "testdata/"+g.Program)
	if err == nil {
		_, err = fs.Stat(sub, ".")
	}
	if err != nil {
		return "", nil, fmt.Errorf("--program %s: want a folder, or one of %s", g.Program, strings.Join(Programs(), ", "))
	}
	temp, err := os.MkdirTemp("", "alpinevm-bench-")
	if err != nil {
		return "", nil, err
	}
	if err := os.CopyFS(filepath.Join(temp, "src"), sub); err != nil {
		os.RemoveAll(temp)
		return "", nil, err
	}
	return filepath.Join(temp, "src"), func() { os.RemoveAll(temp) }, nil
}

// guest runs the script in a machine.
func (g *GoBuild) guest(ctx context.Context, where, src string, r *Result) error {
	cfg, closeAll, err := g.Machine()
	if err != nil {
		return err
	}
	defer closeAll()
	var s shares
	defer s.close()
	prepare, err := s.work(&cfg, g.Work)
	err = errors.Join(err, s.folder(&cfg, src, programDir, true))
	if g.Toolchain != nil {
		err = errors.Join(err, s.folder(&cfg, g.Toolchain.Dir, guestRoot, true))
		if filepath.Join(g.Toolchain.Dir, "src") != g.Toolchain.Src {
			err = errors.Join(err, s.folder(&cfg, g.Toolchain.Src, guestRoot+"/src", true))
		}
	}
	if err != nil {
		return err
	}
	cfg.Session.Args = []string{"/bin/sh", "-c", g.script(prepare)}
	return runSession(ctx, where, cfg, r, g.Report)
}

// native runs the same toolchain and script on the host.
func (g *GoBuild) native(ctx context.Context, src string, r *Result) error {
	w, err := os.MkdirTemp("", "alpinevm-native-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(w)
	// A GOROOT of links, with the source where the tools look for it.
	root := filepath.Join(w, "go")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"bin", "pkg", "VERSION", "go.env"} {
		if err := os.Symlink(filepath.Join(g.Toolchain.Dir, name), filepath.Join(root, name)); err != nil {
			return err
		}
	}
	if err := os.Symlink(g.Toolchain.Src, filepath.Join(root, "src")); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "/bin/sh", "-c", "set -e\n"+stepScript+buildScript)
	c.Env = slices.Concat(os.Environ(), []string{"RUN="}, g.environment(w, src))
	c.Env = append(c.Env, "GOROOT="+root, "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"),
		"GOOS=linux", "GOARCH=386", "GOMAXPROCS=1")
	return runNative(ctx, c, r, g.Report)
}
