package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"alpinevm/internal/guesttest"
)

// TestMain makes the test binary the program itself, under its name, so that
// tests drive what users run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alpinevm": main, "crash-in-raw-mode": crashInRawMode})
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
	testscript.Run(t, testscript.Params{Dir: filepath.Join("testdata", "script"), Setup: func(e *testscript.Env) error {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		e.Setenv("XDG_CACHE_HOME", cache)
		e.Setenv("KERNEL", guesttest.File(t, "686-pae/vmlinuz"))
		e.Setenv("MODULES", guesttest.File(t, "686-pae/modules"))
		e.Setenv("OTHER_MODULES", guesttest.File(t, "686/modules"))
		e.Setenv("ROOT", guesttest.RootFile(t))
		return nil
	}})
}
