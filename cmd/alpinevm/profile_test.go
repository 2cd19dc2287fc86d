//go:build linux

package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// TestProfileInterrupted: a profile is written of a machine that is switched off, too.
func TestProfileInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "profile")
	cmd := exec.Command("alpinevm", runArgs(t, "--profile", file, "--profile-every", "10_000", "--", "sh", "-c", "trap 'sleep 1; echo told' TERM; echo up; while :; do :; done")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	r := bufio.NewReader(out)
	for _, want := range []string{"up\n", "told\n"} { // the second signal, when it cannot be the first one yet, switches it off
		if line, err := r.ReadString('\n'); line != want {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
		cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.Wait()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatalf("%v; %s", err, &errs)
	}
	for _, s := range p.Sample {
		if s.Label["process"][0] == "sh" && s.Label["ring"][0] == "user" {
			return
		}
	}
	t.Errorf("of %d samples none is the shell's; %s", len(p.Sample), &errs)
}
