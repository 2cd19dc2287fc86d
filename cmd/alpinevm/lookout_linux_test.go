package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/internal/confine"
)

// TestLookout replaces, removes and fills the file that a confined process looks
// at by its lookout.
func TestLookout(t *testing.T) {
	for _, l := range confine.Probe() {
		if l.Err != nil {
			t.Skipf("not here: %s: %v", l.Name, l.Err)
		}
	}
	file := filepath.Join(t.TempDir(), "resolv.conf")
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	replace("nameserver 10.0.0.1\n")
	cmd := exec.Command("confined-lookout", file)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for _, tt := range []struct {
		name   string
		change func()
		want   string
	}{
		{"at first", func() {}, `20 "nameserver 10.0.0.1\n", false`},
		{"replaced", func() { replace("nameserver 10.0.0.2\n") }, `20 "nameserver 10.0.0.2\n", false`},
		{"empty", func() { replace("") }, `0 "", false`},
		{"removed", func() { os.Remove(file) }, `nothing, false`},
		{"there again", func() { replace("x") }, `1 "x", false`},
		{"huge", func() { replace(strings.Repeat("#", lookoutMost+1)) }, fmt.Sprintf("%d %q, false", lookoutMost, strings.Repeat("#", 20))},
	} {
		tt.change()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); line != tt.want+"\n" {
			t.Errorf("%s: %q, %v; want %s", tt.name, line, err, tt.want)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil { // both processes have ended
		t.Errorf("then %q, %v", rest, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
