package launch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
)

// TestReadme compiles the program in README.md as it is, in a module of its own, and
// runs it with the files of a guest in place of an image's name.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, ok := strings.Cut(string(text), "```go\npackage main\n")
	program, _, end := strings.Cut(program, "```")
	if !ok || !end {
		t.Fatal("README.md has no program")
	}
	program = "package main\n" + program
	if n := strings.Count(program[strings.Index(program, "func main"):], "\n"); n > 10 {
		t.Errorf("its main has %d lines", n)
	}
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	build := func(name, text string) string {
		t.Helper()
		dir := t.TempDir()
		out := filepath.Join(dir, name+".exe")
		for name, text := range map[string]string{"main.go": text, "go.mod": "module readme\n\ngo 1.26\n", "go.sum": string(sums)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{
			{"mod", "edit", "-require", "alpinevm@v0.0.0", "-replace", "alpinevm=" + top},
			{"build", "-mod=mod", "-o", out, "."},
		} {
			cmd := exec.Command("go", args...)
			cmd.Dir = dir
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("go %q: %v: %s", args, err, said)
			}
		}
		return out
	}
	build("readme", program)
	if testing.Short() {
		t.Skip("boots a guest")
	}
	const image = `"alpine:3.20"`
	files := fmt.Sprintf("%q, launch.Kernel(%q, %q)", guesttest.RootFile(t), guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules"))
	if strings.Count(program, image) != 1 {
		t.Fatalf("it does not name %s once", image)
	}
	out, err := exec.Command(build("run", strings.Replace(program, image, files, 1))).Output()
	if err != nil || !bytes.Equal(out, []byte("i686\n<nil>\n")) {
		t.Errorf("%q, %v", out, err)
	}
}
