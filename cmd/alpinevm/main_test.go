package main

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"alpinevm"
	"alpinevm/fs9p/hostfs"
	"alpinevm/internal/guesttest"
)

// TestMain makes the test binary the program itself, under its name, so that
// tests drive what users run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alpinevm": func() { dig(); main() }, "crash-in-raw-mode": crashInRawMode, "genrom": makeROM, "confined-lookout": confinedLookout})
}

// holeVariable names, in the environment, a folder that a guest is to have at
// /hole although nobody shares it: a hole in the emulator.
const holeVariable = "ALPINEVM_TEST_HOLE"

// dig makes the hole.
func dig() {
	folder := os.Getenv(holeVariable)
	if folder == "" {
		return
	}
	moreVolumes = func() []alpinevm.Volume {
		fs, err := hostfs.New(folder)
		if err != nil {
			panic(err)
		}
		return []alpinevm.Volume{{Target: "/hole", FS: fs}}
	}
}

// makeROM writes a ROM image of 64 KiB: "genrom FILE CODE". The reset vector
// jumps to the 16-bit code at its start.
func makeROM() {
	rom := make([]byte, 64<<10)
	code, err := hex.DecodeString(os.Args[2])
	if err != nil {
		panic(err)
	}
	copy(rom, code)
	copy(rom[0xfff0:], []byte{0xea, 0, 0, 0, 0xf0}) // jmp F000h:0
	if err := os.WriteFile(os.Args[1], rom, 0o666); err != nil {
		panic(err)
	}
}

// crashInRawMode panics while it has the terminal.
func crashInRawMode() {
	t := newTerminal(true)
	if err := t.raw(); err != nil {
		panic(err)
	}
	defer t.restore()
	panic("on purpose")
}

// TestScripts runs testdata/script: command lines and what they say.
func TestScripts(t *testing.T) {
	late := time.Now().Add(8 * time.Minute)
	testscript.Run(t, testscript.Params{Dir: filepath.Join("testdata", "script"), Deadline: late, Setup: func(e *testscript.Env) error {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		e.Setenv("XDG_CACHE_HOME", cache)
		e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
		e.Defer(func() { removeAll(e.Vars) })
		return setGuest(e)
	}})
}

// removeAll ends what runs in the background in an environment.
func removeAll(env []string) {
	list := exec.Command("alpinevm", "ps", "-q")
	list.Env = env
	names, _ := list.Output()
	if len(names) > 0 {
		rm := exec.Command("alpinevm", append([]string{"rm", "-f"}, strings.Fields(string(names))...)...)
		rm.Env = env
		rm.Run()
	}
}

// setGuest sets the variables that a script uses to the guest's files. A script whose
// files are not there is skipped.
func setGuest(e *testscript.Env) error {
	t := e.T().(testing.TB) // the script's own: the goroutine is its, not that of TestScripts
	script, err := os.ReadFile(filepath.Join("testdata", "script", path.Base(t.Name())+".txtar"))
	if err != nil {
		return err
	}
	for name, find := range map[string]func(testing.TB) string{
		"KERNEL":        func(t testing.TB) string { return guesttest.File(t, "686-pae/vmlinuz") },
		"MODULES":       func(t testing.TB) string { return guesttest.File(t, "686-pae/modules") },
		"OTHER_MODULES": func(t testing.TB) string { return guesttest.File(t, "686/modules") },
		"ROOT":          guesttest.RootFile,
	} {
		if regexp.MustCompile(`\$` + name + `\b`).Match(script) {
			e.Setenv(name, find(t))
		}
	}
	return nil
}
