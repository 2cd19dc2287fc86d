//go:build !js

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTurns runs the tests of the board's turns where there is an event loop that gets
// them. For others of its tests a WebAssembly memory has no room.
func TestTurns(t *testing.T) {
	nodeProgram(t)
	c := exec.Command("go", "test", "-count=1", "-v", "-run", "^(TestTurnGiven|TestBellTimed)$", "-exec", filepath.Join(goroot(t), "lib", "wasm", "go_js_wasm_exec"), "./internal/board")
	c.Dir = filepath.Join("..", "..")
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	text, err := c.CombinedOutput()
	if n := strings.Count(string(text), "--- PASS"); err != nil || n != 2 {
		t.Fatalf("%d passed, %v: %s", n, err, text)
	}
}
