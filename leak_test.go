package alpinevm

import (
	"io"
	"runtime"
	"testing"
	"time"
	"weak"

	"alpinevm/internal/guesttest"
	"alpinevm/internal/leaktest"
)

// TestLeaks makes, runs and closes twenty machines. They leave nothing behind.
func TestLeaks(t *testing.T) {
	const (
		machines = 20
		heapEach = 400 << 10 // bytes of Go's heap
	)
	cfg := guestConfig(t, "686", "echo")
	cfg.Deterministic = false
	cfg.Boot.Modules = guesttest.Modules(t, "686", "virtio_net")
	cfg.Network = &Network{}
	run := func() weak.Pointer[Machine] {
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
		return weak.Make(m)
	}
	run() // what the process makes once
	before, heap := leaktest.Now(), heapInUse()
	var closed []weak.Pointer[Machine]
	for range machines {
		closed = append(closed, run())
	}
	// RAM and translator of one machine have more than 256 MiB of addresses.
	before.Check(t, machines/2*256<<20)
	var kept int
	var grown int64
	for range 100 { // a collection may leave something to the next one
		kept, grown = 0, int64(heapInUse()-heap)
		for _, m := range closed {
			if m.Value() != nil {
				kept++
			}
		}
		if kept == 0 && grown <= machines*heapEach {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if kept > 0 || grown > machines*heapEach {
		t.Errorf("%d closed machines are kept in Go's heap, which has grown by %d KiB, %d KiB at most", kept, grown>>10, machines*heapEach>>10)
	}
	runtime.KeepAlive(cfg) // it was there before
}

// heapInUse is what Go's heap holds, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
