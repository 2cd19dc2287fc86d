package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptT is a test that remembers how it ended. Skipping and failing end its
// goroutine, as they do for a real one.
type scriptT struct {
	testing.TB
	name string
	ends *[]string
}

func (s scriptT) Name() string  { return s.name }
func (s scriptT) Parallel()     {}
func (s scriptT) Verbose() bool { return false }
func (s scriptT) Helper()       {}

func (s scriptT) end(how string) {
	*s.ends = append(*s.ends, s.name+" "+how)
	runtime.Goexit()
}

func (s scriptT) Skip(args ...any)            { s.end("skipped: " + fmt.Sprint(args...)) }
func (s scriptT) Skipf(f string, args ...any) { s.Skip(fmt.Sprintf(f, args...)) }
func (s scriptT) Fatal(args ...any)           { s.end("failed: " + fmt.Sprint(args...)) }
func (s scriptT) FailNow()                    { s.end("failed") }

func (s scriptT) Run(name string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(scriptT{s.TB, s.name + "/" + name, s.ends})
	}()
	<-done
}

// TestScriptsWithoutGuest: a script whose guest is not there is skipped by its name.
func TestScriptsWithoutGuest(t *testing.T) {
	for _, env := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(env, t.TempDir())
	}
	var ends []string
	testscript.RunT(scriptT{t, t.Name(), &ends}, testscript.Params{
		Files: []string{filepath.Join("testdata", "script", "args.txtar")}, Setup: setGuest,
	})
	if len(ends) != 1 || !strings.HasPrefix(ends[0], t.Name()+"/args skipped: no ") {
		t.Errorf("it ended as %q", ends)
	}
}
