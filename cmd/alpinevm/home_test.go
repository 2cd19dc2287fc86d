package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what a user sees at once or, at the
// start, within seconds. The machine may be busy.
const patience = 4 * time.Minute

// home is an environment of its own for the program.
type home struct {
	t     *testing.T
	dir   string
	stdin string
}

func (h home) command(args ...string) *exec.Cmd {
	cmd := exec.Command("alpinevm", args...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(h.dir, "cache"), "XDG_STATE_HOME="+filepath.Join(h.dir, "state"))
	return cmd
}

// check runs the program and compares what it says with patterns.
func (h home) check(args []string, wantCode int, wantOut, wantErr string) {
	h.t.Helper()
	cmd := h.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(h.stdin), &out, &errs
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	if code := codeOf(h.t, cmd.Wait()); code != wantCode || !match(wantOut, out.String()) || !match(wantErr, errs.String()) {
		h.t.Errorf("%q: exit code %d, stdout %q, stderr %q; want %d, %q, %q", args, code, out.String(), errs.String(), wantCode, wantOut, wantErr)
	}
}

// codeOf is the exit code that a Cmd's error stands for.
func codeOf(t *testing.T, err error) int {
	t.Helper()
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// match tells whether all of s matches a regular expression.
func match(pattern, s string) bool {
	return regexp.MustCompile(`\A(?:` + pattern + `)\z`).MatchString(s)
}
