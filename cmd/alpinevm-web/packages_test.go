//go:build !js

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPackages runs tests of packages that the page's program is made of where it runs: in
// WebAssembly, in Node. What they test of the host's own files and sockets is not there.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: compiles many tests; the full run does")
	}
	nodeProgram(t)
	for _, tt := range []struct{ what, run string }{
		{"./cpu/mem", "."}, {"./cpu/softfloat", "."},
		{"./fs9p/ctl", "."}, {"./fs9p/internal/tree", "."}, {"./fs9p/memfs", "."}, {"./fs9p/oci", "."}, {"./fs9p/storage", "TestOPFS"},
		{"./net/wisp", "."}, {"./net/httpgate", "."}, {"./net/standin", "."},
	} {
		c := exec.Command("go", "test", "-short", "-run", tt.run, "-exec", filepath.Join(goroot(t), "lib", "wasm", "go_js_wasm_exec"), tt.what)
		c.Dir = filepath.Join("..", "..")
		c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
		if text, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", tt.what, err, text)
		}
	}
}
