package alpinevm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/linux"
)

// clientFaults names the checks of fs9p/fstest/guest that v9fs of Linux 6.1
// does not pass, by cache mode, whatever the server does: it fails the same
// ones against QEMU's.
var clientFaults = map[string][]string{
	linux.CacheOwned: {
		"blocks of a sparse file",      // v9fs_write_end counts a hole as written
		"times to the nanosecond",      // the superblock's granularity is left at a second
		"changes have a time",          // setxattr(2) leaves the attributes that are cached
		"default access control lists", // mkdir below one takes a null pointer, so the server refuses them (linux.ACLFault)
	},
	linux.CacheShared: {
		"reads without msync",       // a read does not look for dirty pages
		"writes beside mapped ones", // a write has dirty pages written over it
		"times to the nanosecond",
	},
}

// TestFiles runs the guest form of the acceptance suite of 9P file systems on a
// copy-on-write root, which the guest caches, and on a folder of the host, which
// it does not; on kernels with paging in three levels and in two, since half of
// the suite is about mapped files and programs.
func TestFiles(t *testing.T) {
	for flavour, dirs := range map[string][]string{"686-pae": {"/srv", "/shared"}, "686": {"/srv"}} {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			cfg := sessionConfig(t, flavour, "for dir in "+strings.Join(dirs, " ")+`; do
				echo "== $dir"; grep " $dir " /proc/mounts || head -n1 /proc/mounts; fscheck $dir
			done; echo "== end"; echo last >/shared/written`)
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			shared, err := hostfs.New(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer shared.Close()
			cfg.Session.Root, cfg.Volumes = rootWithGuest(t), []Volume{{FS: shared, Target: "/shared"}}
			g := newGuest(t, cfg)
			g.want(g.run(), Exited, 0)
			parts := inspected(t, g.stdout.String())
			for _, dir := range dirs {
				checkFiles(t, dir, parts[dir])
			}
			if b, err := os.ReadFile(filepath.Join(dir, "written")); err != nil || string(b) != "last\n" {
				t.Errorf("what the guest wrote last to the host's folder: %q, %v", b, err)
			}
		})
	}
}

// checkFiles looks at the suite's report about a folder, which begins with the
// folder's mount.
func checkFiles(t *testing.T, dir string, report []string) {
	t.Helper()
	mode := linux.CacheOwned
	if dir == "/shared" {
		mode = linux.CacheShared
	}
	if f := strings.Fields(report[0]); len(f) < 4 || f[2] != "9p" || !slices.Contains(strings.Split(f[3], ","), mode) {
		t.Errorf("%s is on %q, want cache mode %s", dir, report[0], mode)
	}
	passed := 0
	faults := slices.Clone(clientFaults[mode])
	for _, l := range report[1:] {
		if strings.HasPrefix(l, "ok ") {
			passed++
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(l, "FAIL "), ": ")
		if i := slices.Index(faults, name); i >= 0 {
			faults = slices.Delete(faults, i, i+1)
		} else {
			t.Errorf("%s: %s", dir, l)
		}
	}
	for _, name := range faults {
		t.Errorf("%s: %s: passed, though not by the client as it was", dir, name)
	}
	if passed < 40 {
		t.Errorf("%s: only %d checks passed", dir, passed)
	}
}

// rootWithGuest is Alpine's root file system under a copy-on-write layer in
// memory, with the program fs9p/fstest/guest as fscheck.
func rootWithGuest(t testing.TB) fs9p.FS {
	t.Helper()
	lower := guesttest.Root(t, nil)
	if err := lower.Add("usr/bin/fscheck", memfs.Entry{Mode: fs9p.ModeRegular | 0o755, Data: buildGuest(t, "fs9p/fstest/guest")}); err != nil {
		t.Fatal(err)
	}
	root, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// buildGuest cross-compiles the package in dir to a static program for the guest.
func buildGuest(t testing.TB, dir string) *os.File {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		if _, err := os.Stat(s); err != nil { // go test is to know that it depends on them
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, "./"+dir)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
