package alpinevm

import (
	"bytes"
	"errors"
	"flag"
	"go/build"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
)

var (
	snapshotPoints  = flag.Int("snapshot.points", 20, "at how many places a guest under load is saved to a file and restored")
	snapshotGoBuild = flag.String("snapshot.gobuild", "", "the folder of a Go toolchain for linux/386, as alpinevm bench go-build --toolchain host makes one: TestSnapshot has a guest build with it")
)

// load is work for a guest that is saved and goes on elsewhere while it is at it.
type load struct {
	name   string
	code   int    // of the end
	budget uint64 // of instructions
	// config is of a guest that has just been made, again of one that goes on from a
	// snapshot, of which cfg was.
	config func(t *testing.T) Config
	again  func(t *testing.T, cfg Config, s *Snapshot) Config
}

// fromFile is the again of a guest whose root is in memory.
func fromFile(t *testing.T, cfg Config, s *Snapshot) Config { return fileConfig(cfg, savedRoot(t, s)) }

// onFiles is a load whose guest runs a script, and has files besides Alpine's.
func onFiles(name, script string, files func(t *testing.T, root *memfs.FS)) load {
	return load{name, 0, runBudget, func(t *testing.T) Config {
		cfg := sessionConfig(t, "686-pae", script)
		cfg.Memory = 2 * MinMemory
		root := guesttest.Root(t, guesttest.Epoch)
		if files != nil {
			files(t, root)
		}
		return fileConfig(cfg, root)
	}, fromFile}
}

// busyLoad uses every device.
func busyLoad() load {
	l := onFiles("every device", busyScript, nil)
	l.code = 42
	plain := l.config
	l.config = func(t *testing.T) Config {
		cfg := plain(t)
		cfg.Memory = MinMemory
		cfg.Session.Stdin = strings.NewReader(strings.Repeat("a line of the standard input\n", 4000))
		cfg.Boot.Modules = guesttest.Modules(t, "686-pae", "virtio-rng")
		return cfg
	}
	return l
}

// packagesLoad has apk install packages of a repository that is in the root.
func packagesLoad() load {
	var key *apktest.Key
	var repository apktest.Repository
	return onFiles("packages", addScript, func(t *testing.T, root *memfs.FS) {
		if key == nil {
			key = apktest.NewKey(t, "test.rsa.pub")
			many := bigPackage()
			many.Files = many.Files[:300]
			repository = apktest.NewRepository(key, append(helloPackages(1), many)...)
		}
		addFile(t, root, "etc/apk/keys/"+key.Name, 0o644, key.Public())
		addFile(t, root, "etc/apk/repositories", 0o644, []byte("/srv/repository\n"))
		for _, name := range slices.Sorted(maps.Keys(repository)) { // the same inodes each time
			addFile(t, root, "srv/repository/"+name, 0o644, repository[name])
		}
	})
}

const addScript = `set -e; cd /; apk add --no-cache hello big trigger && apk info -v | sort
cat /var/log/scripts; find /usr/share/hello /usr/share/big -type f | sort | xargs md5sum | md5sum; md5sum /lib/apk/db/installed; apk audit --system`

// addProgram puts testdata/load into a root.
func addProgram(t *testing.T, root *memfs.FS) {
	program, err := io.ReadAll(buildGuest(t, "testdata/load"))
	if err != nil {
		t.Fatal(err)
	}
	addFile(t, root, "usr/bin/load", 0o755, program)
}

func addFile(t *testing.T, root *memfs.FS, name string, mode uint32, data []byte) {
	t.Helper()
	if err := root.Add(name, memfs.Entry{Mode: fs9p.ModeRegular | mode, Data: bytes.NewReader(data)}); err != nil {
		t.Fatal(err)
	}
}

const (
	fileScript    = `set -e; cd /root; load fsync locks mappings nameless transfer; ls`
	computeScript = `set -e; load faults rep sse x87; awk 'BEGIN { for (i = 1; i < 20000; i++) s += sin(i) / i; printf "%.17g\n", s }'`
)

// goBuildScript builds a program, and what of the standard library it needs.
const goBuildScript = `set -e; mkdir -p /root/w/src; cd /root/w/src
export PATH=/usr/local/go/bin:$PATH HOME=/root/w GOCACHE=/root/w/cache GOTMPDIR=/root/w GOPROXY=off GOTOOLCHAIN=local GOTELEMETRY=off CGO_ENABLED=0
printf 'module hello\n\ngo 1.24\n' >go.mod
printf 'package main\n\nfunc main() { println("hello, world") }\n' >main.go
go build -o hello .; ./hello 2>&1; md5sum hello`

// goBuildLoad is go build, in a root below which the toolchain is.
func goBuildLoad() load {
	var lower *memfs.FS
	over := func(cfg Config, upper *memfs.FS, held *overlay.State) (Config, error) {
		root, err := overlay.New(overlay.Config{Upper: upper, Lower: lower, State: held})
		session := *cfg.Session
		session.Root = root
		cfg.Session = &session
		cfg.Kept = []Kept{
			{"upper", func() (any, error) { return upper.Save(), nil }, upper.Settle},
			{"overlay", func() (any, error) { return *root.Save(), nil }, root.Settle},
		}
		return cfg, err
	}
	return load{"go build", 0, 1 << 40, func(t *testing.T) Config {
		if *snapshotGoBuild == "" {
			t.Skip("not here: -snapshot.gobuild is not set")
		}
		if lower == nil {
			lower = guesttest.Root(t, guesttest.Epoch)
			addFolder(t, lower, "usr/local/go", *snapshotGoBuild)
			addFolder(t, lower, "usr/local/go/src", filepath.Join(build.Default.GOROOT, "src"))
		}
		cfg := sessionConfig(t, "686-pae", goBuildScript)
		cfg.Memory = 512 << 20
		cfg, err := over(cfg, memfs.New(memfs.Config{Now: guesttest.Epoch}), nil)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}, func(t *testing.T, cfg Config, s *Snapshot) Config {
		var state memfs.State
		var held overlay.State
		if err := errors.Join(s.Decode("upper", &state), s.Decode("overlay", &held)); err != nil {
			t.Fatal(err)
		}
		upper, err := memfs.Restore(memfs.Config{Now: guesttest.Epoch}, state)
		if err == nil {
			cfg, err = over(cfg, upper, &held)
		}
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}}
}

// addFolder puts a folder of the host into a root, but what only tests and the
// toolchain itself need.
func addFolder(t *testing.T, root *memfs.FS, to, dir string) {
	t.Helper()
	files := os.DirFS(dir)
	if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || name == "cmd"):
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := files.Open(name)
		if err != nil {
			return err
		}
		defer data.Close()
		return root.Add(to+"/"+name, memfs.Entry{Mode: fs9p.ModeRegular | uint32(info.Mode().Perm()), Data: data})
	}); err != nil {
		t.Fatal(err)
	}
}

// loads are what TestSnapshot has guests do.
func loads() []load {
	return []load{
		busyLoad(),
		onFiles("boot", "exit 0", nil),
		packagesLoad(),
		onFiles("files", fileScript, addProgram),
		onFiles("computing", computeScript, addProgram),
		goBuildLoad(),
	}
}

// TestSnapshot runs guests under load to their ends, once without interruption and
// once by way of files, raw and packed ones in turn, at many places: both do the
// same, to the byte and to the instruction.
func TestSnapshot(t *testing.T) {
	for _, l := range loads() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			first := l.begin(t)
			want := first.finishIn(l.budget)
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if want.end.Cause != Exited || want.end.Code != l.code {
				t.Fatalf("%+v, %s, %s", want.end, want.output, want.errors)
			}
			t.Logf("%d million instructions", want.retired/1e6)
			places := rand.New(rand.NewPCG(5, 6))
			points := map[uint64]bool{}
			for range *snapshotPoints {
				points[places.Uint64N(want.retired-1)+1] = true
			}
			g := l.begin(t)
			var before journey
			for i, n := range slices.Sorted(maps.Keys(points)) {
				g.runTo(n)
				before = before.plus(g.seen())
				g = l.throughFile(t, g, i%2 == 0)
			}
			sameJourney(t, before.plus(g.finishIn(l.budget)), want)
		})
	}
}

// begin starts the guest.
func (l *load) begin(t *testing.T) *traveller {
	t.Helper()
	g := newTraveller(t, l.config(t), false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	return g
}

// throughFile closes a machine, and gives one that goes on from its snapshot.
func (l *load) throughFile(t *testing.T, g *traveller, raw bool) *traveller {
	t.Helper()
	captured, err := g.Capture()
	if err != nil {
		t.Fatal(err)
	}
	s := throughFile(t, captured, raw)
	next := newTravellerFrom(t, l.again(t, g.cfg, s), false, s)
	if err := errors.Join(s.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return next
}

// finishIn is finish, within a number of instructions.
func (g *traveller) finishIn(budget uint64) journey {
	g.t.Helper()
	end := *g.stepUntil(budget, nil)
	j := g.seen()
	j.end = end
	return j
}

func sameJourney(t *testing.T, got, want journey) {
	t.Helper()
	if got.retired != want.retired || got.end != want.end {
		t.Errorf("%d instructions to %+v, without snapshots %d to %+v", got.retired, got.end, want.retired, want.end)
	}
	for _, x := range []struct{ name, got, want string }{
		{"log", got.serial, want.serial}, {"output", got.output, want.output}, {"errors", got.errors, want.errors},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s", x.name, firstDifference(x.got, x.want))
		}
	}
}
