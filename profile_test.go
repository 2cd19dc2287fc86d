package alpinevm

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

// hotProgram builds testdata/hot for the guest.
func hotProgram(t *testing.T) []byte {
	t.Helper()
	if _, err := os.Stat("testdata/hot/main.go"); err != nil { // go test is to know that it depends on it
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hot")
	build := exec.Command("go", "build", "-o", file, "./testdata/hot")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// profiled runs a Go program and a loop of the shell's in a guest, and gives the
// profile as it is written, and what instructions have retired.
func profiled(t *testing.T, program []byte, engine Engine) (written []byte, instructions uint64) {
	t.Helper()
	share := memfs.New(memfs.Config{Now: guesttest.Epoch})
	if err := share.Add("hot", memfs.Entry{Mode: fs9p.ModeRegular | 0o755, Data: bytes.NewReader(program)}); err != nil {
		t.Fatal(err)
	}
	cfg := sessionConfig(t, "686-pae", "cd /opt/here; ./hot 20000000; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; ls -lR /etc >/dev/null")
	cfg.Volumes = []Volume{{FS: share, Target: "/opt/here", ReadOnly: true}}
	cfg.Engine = engine
	cfg.Debug.Profile = NewProfile(50_000)
	g := newGuest(t, cfg)
	if end := g.stepUntil(20e9, nil); end == nil || end.Cause != Exited || end.Code != 0 {
		t.Fatalf("%v; %s", end, g.describe())
	}
	var b bytes.Buffer
	if err := g.WriteProfile(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), g.Instructions()
}

// tally gives the instructions of each stack of a profile, the innermost function
// first, behind its process and ring.
func tally(t *testing.T, written []byte) map[string]int64 {
	t.Helper()
	p, err := profile.ParseData(written)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, s := range p.Sample {
		key := s.Label["process"][0] + " " + s.Label["ring"][0]
		for _, l := range s.Location {
			key += " " + strings.ReplaceAll(l.Line[0].Function.Name, " ", "_")
		}
		sums[key] += s.Value[1]
	}
	return sums
}

// TestProfile: a profile tells which functions of which processes, and of the kernel,
// a guest has executed, the same on each engine and in each repeatable run.
func TestProfile(t *testing.T) {
	program := hotProgram(t)
	written, instructions := profiled(t, program, "")
	again, _ := profiled(t, program, EngineInterpreter)
	sums := tally(t, written)
	if !maps.Equal(sums, tally(t, again)) {
		t.Error("the interpreter has another profile")
	}
	var all, hot, ofHot, loop, kernel, named, deep int64
	for key, n := range sums {
		f := strings.Fields(key)
		all += n
		switch {
		case f[0] == "hot" && f[1] == "user":
			if ofHot += n; f[2] == "main.hot" {
				hot += n
			}
		case f[0] == "sh" && f[1] == "user" && f[2] == "[sh]":
			loop += n
		case f[1] == "kernel":
			if kernel += n; !strings.HasPrefix(f[2], "[") {
				named += n
			}
			if len(f) > 5 {
				deep += n
			}
		}
	}
	t.Logf("%d instructions, %d in the profile; %d of %d of the program are in its function, %d in the shell, %d in the kernel, %d of them with a name and %d with callers", instructions, all, hot, ofHot, loop, kernel, named, deep)
	if uint64(all) > instructions || uint64(all) < instructions/2 {
		t.Errorf("%d of %d instructions are in the profile", all, instructions)
	}
	if hot < 60e6 || hot < ofHot/10*9 {
		t.Errorf("%d of %d instructions of the program are in main.hot", hot, ofHot)
	}
	if loop < 1e6 || named < kernel/10*9 || deep < kernel/10 {
		t.Errorf("%d instructions in the shell, %d of %d of the kernel have a name, %d callers", loop, named, kernel, deep)
	}
	file := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(file, written, 0o600); err != nil {
		t.Fatal(err)
	}
	top := exec.Command("go", "tool", "pprof", "-top", file)
	top.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	if out, err := top.CombinedOutput(); err != nil || !strings.Contains(string(out), " main.hot\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestNoProfile: who has not asked for one is told.
func TestNoProfile(t *testing.T) {
	if err := (&Machine{}).WriteProfile(&bytes.Buffer{}); !errors.Is(err, ErrNoProfile) {
		t.Error(err)
	}
}
