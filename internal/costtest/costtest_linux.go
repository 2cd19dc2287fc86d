package costtest

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// passes is how often work is done at most: what is too long by chance is not so each time.
const passes = 5

// Measure does a piece of work, and is told its name.
type Measure func(name string, work func())

// Check calls run, which begins from nothing and hands each piece of its work to measure,
// until each has once taken limit at most: time of a processor, on a machine of the speed
// that limits are for (see Slowness). Equal names are counted.
func Check(t testing.TB, limit time.Duration, run func(measure Measure)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	limit = time.Duration(float64(limit) * Slowness())
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector's work is nobody's
	collect := collector()
	var over map[string]time.Duration
	for range passes {
		now := map[string]time.Duration{}
		seen := map[string]int{}
		run(func(name string, work func()) {
			seen[name]++
			collect()
			from := threadTime(t)
			work()
			if d := threadTime(t) - from; d > limit {
				now[fmt.Sprintf("%s (%d)", name, seen[name])] = d
			}
		})
		if over == nil {
			over = now
		}
		maps.DeleteFunc(over, func(name string, _ time.Duration) bool { return now[name] == 0 })
		if len(over) == 0 || t.Failed() {
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(over)) {
		t.Errorf("%s takes %v of a processor in each of %d passes, want %v at most", name, over[name], passes, limit)
	}
}

// collector collects garbage, where there is much, when it is called, as it is a hundred times
// for each time that it looks.
func collector() func() {
	const (
		often = 100
		much  = 256 << 20 // bytes
	)
	calls, last := 0, uint64(0)
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	return func() {
		if calls++; calls%often != 0 {
			return
		}
		metrics.Read(allocated)
		if now := allocated[0].Value.Uint64(); now-last > much {
			runtime.GC()
			last = now
		}
	}
}

// threadTime is the CPU time of the calling thread, to a few microseconds.
func threadTime(t testing.TB) time.Duration {
	t.Helper()
	const thread = 1 // RUSAGE_THREAD of getrusage(2)
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// referenceTime is what reference takes on the machine that limits are for, an AMD EPYC of
// 2024, with nothing beside it.
const referenceTime = 2 * time.Millisecond

// Slowness is how many times as long this machine takes for the same work, 1 at least; it
// takes the race detector in.
var Slowness = sync.OnceValue(func() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	least := time.Hour
	for range passes {
		var from, to syscall.Rusage
		const thread = 1
		if syscall.Getrusage(thread, &from) != nil {
			return 1
		}
		reference()
		_ = syscall.Getrusage(thread, &to)
		least = min(least, time.Duration(to.Utime.Nano()+to.Stime.Nano()-from.Utime.Nano()-from.Stime.Nano()))
	}
	return max(raceSlowness, float64(least)/float64(referenceTime))
})

// reference is work such as a file system does: it allocates, keeps and finds.
func reference() {
	kept := map[string][]byte{}
	for i := range 10_000 {
		kept[fmt.Sprint(i)] = make([]byte, 64)
	}
	for i := range 10_000 {
		kept[fmt.Sprint(i)][i%64]++
	}
}
