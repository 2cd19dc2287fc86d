//go:build linux && amd64

package amd64_test

import (
	"bytes"
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
	"alpinevm/internal/leaktest"
)

// TestManyMachines: twenty processors with translators in one process, under the
// collector and the profiler all the time, compute what the interpreter does, and
// all their memory is given back.
func TestManyMachines(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const (
		machines = 20
		count    = 1_000_000
	)
	before := leaktest.Now()
	profiled := pprof.StartCPUProfile(io.Discard)
	if profiled != nil {
		t.Logf("the profiler is another's: %v", profiled)
	}
	stop := make(chan struct{})
	var collector, running sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	t.Run("all", func(t *testing.T) { // at whose end their memory is closed
		for i := range machines {
			code := ring(200+i, uint64(i/2)) // pairs execute almost the same
			plain, tested := newGuest(t, 4<<20, code), newGuest(t, 4<<20, code)
			tr, err := amd64.Attach(tested.CPU, uint8(i%4), jit.Config{Strict: i%2 == 0})
			if err != nil {
				t.Fatal(err)
			}
			running.Go(func() {
				defer tr.Close()
				plain.Run(count)
				for tested.Retired < count {
					tested.Run(min(1000*(i+1), int(count-tested.Retired)))
				}
				compareGuests(t, plain.CPU, tested.CPU, i%2 == 0)
				tested.Attach(nil, 0)
				if tr.Stats.Entries == 0 {
					t.Error("nothing was translated")
				}
			})
		}
		running.Wait()
	})
	close(stop)
	collector.Wait()
	if profiled == nil {
		pprof.StopCPUProfile()
	}
	// The tables of each translator have more than 256 MiB of addresses.
	before.Check(t, machines/2*256<<20)
}

// compareGuests compares registers and counts, the page with data, and flags
// where the translation is strict.
func compareGuests(t *testing.T, plain, tested *cpu.CPU, strict bool) {
	t.Helper()
	if plain.R != tested.R || plain.EIP != tested.EIP || plain.Retired != tested.Retired || strict && plain.EFLAGS() != tested.EFLAGS() {
		t.Errorf("R %x, EIP %x, EFLAGS %x, %d retired; interpreter %x, %x, %x, %d", tested.R, tested.EIP, tested.EFLAGS(), tested.Retired, plain.R, plain.EIP, plain.EFLAGS(), plain.Retired)
	}
	if !bytes.Equal(plain.CodeBytes(guestData, 4096), tested.CodeBytes(guestData, 4096)) {
		t.Error("memory differs")
	}
}
