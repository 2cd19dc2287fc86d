//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
)

// readmeCommand matches a command of README's table that runs something in README's
// own root.
var readmeCommand = regexp.MustCompile("`([^`]*alpinevm run [^`]*\\$R [^`]*-- [^`]*)`")

// TestReadme: what README shows on its own root works there.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := readmeCommand.FindAllSubmatch(text, -1)
	if len(found) < 3 {
		t.Fatalf("there are only %d commands", len(found))
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		command := strings.ReplaceAll(string(f[1]), `\|`, "|")
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("sh", "-c", command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "K=--kernel "+guesttest.File(t, "686-pae/vmlinuz")+" --modules "+guesttest.File(t, "686-pae/modules"),
				"R=--rootfs "+guesttest.RootFile(t))
			if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
