package cpu_test

import (
	"runtime/debug"
	"testing"
)

// TestMain puts the collector off for as long as there is room: a test makes hundreds of
// machines, and to clear the table of one is dear while the collector is at work, which
// here shares the only thread.
func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(3 << 30) // of the 4 GiB that a WebAssembly memory has
	m.Run()
}
