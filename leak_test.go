package alpinevm

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// holdings is what this process holds of its host.
type holdings struct {
	goroutines, files, mappings int
	heap                        uint64
}

func held() holdings {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h := holdings{goroutines: runtime.NumGoroutine(), heap: stats.HeapAlloc}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.files = len(files)
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err == nil {
		h.mappings = strings.Count(string(maps), "\n")
	}
	return h
}

// TestLeaks makes, runs and closes twenty machines. They leave nothing behind.
func TestLeaks(t *testing.T) {
	cfg := guestConfig(t, "686", "echo")
	cfg.Deterministic = false
	cfg.Boot.Modules = guesttest.Modules(t, "686", "virtio_net")
	cfg.Network = &Network{}
	run := func() {
		c := cfg
		in, keys := io.Pipe()
		c.Consoles.Terminal = &Terminal{In: in, Out: io.Discard, Cols: 80, Rows: 25}
		c.Consoles.Serial = io.Discard
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		keys.Close()
		for m.Instructions() < 1e6 {
			m.Step()
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error("a second Close: ", err)
		}
	}
	run()
	before := held()
	for range 20 {
		run()
	}
	var after holdings
	for range 100 { // goroutines that were told to end get there
		if after = held(); after.goroutines <= before.goroutines {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if after.goroutines > before.goroutines || after.files > before.files || after.mappings > before.mappings+20 || after.heap > before.heap+8<<20 {
		t.Errorf("before %+v, after 20 machines %+v", before, after)
	}
	t.Logf("before %+v, after %+v", before, after)
}
