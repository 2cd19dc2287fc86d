package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// hostShare is the part of the host's memory, or of what a control group has of
// it, that we and the guest take at most, in tenths: behind it the kernel would
// choose which process to end.
const hostShare = 9

// memoryTick is how often we look at what we take.
const memoryTick = 250 * time.Millisecond

// memoryLimit bounds what this process takes of the host's memory.
type memoryLimit struct {
	most  int64 // bytes, with the guest's
	meter meter
}

// tooLarge is the cause of an end by the limit.
type tooLarge struct{ used, most int64 }

func (t tooLarge) Error() string {
	return fmt.Sprintf("with the guest we take %s of the host's memory, %s is the most (--host-memory): it was switched off",
		units.BytesSize(float64(t.used)), units.BytesSize(float64(t.most)))
}

// newMemoryLimit makes the limit for a guest with so much memory. beside is what
// we may take beside it. It is made before the process is confined.
func newMemoryLimit(guest, beside int64) *memoryLimit {
	l := &memoryLimit{most: guest + beside, meter: newMeter()}
	if have, ok := totalMemory(); ok {
		l.most = min(l.most, have/10*hostShare)
	}
	return l
}

// watch says when the limit is exceeded, until done is closed.
func (l *memoryLimit) watch(done <-chan struct{}) <-chan error {
	exceeded := make(chan error, 1)
	go func() {
		tick := time.NewTicker(memoryTick)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if l.meter.used() <= l.most {
				continue
			}
			debug.FreeOSMemory() // garbage does not count
			if used := l.meter.used(); used > l.most {
				exceeded <- tooLarge{used, l.most}
				return
			}
		}
	}()
	return exceeded
}

// A meter tells what this process takes of the host's memory.
type meter struct{ statm *os.File } // proc(5), where there is one

func newMeter() meter {
	f, _ := os.Open("/proc/self/statm")
	return meter{f}
}

// used is in bytes. Without proc(5) it is what Go's heap takes.
func (m meter) used() int64 {
	if m.statm != nil {
		var b [128]byte
		n, _ := m.statm.ReadAt(b[:], 0)
		if fields := bytes.Fields(b[:n]); len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// totalMemory is what the host has, or the control group that we are in (cgroups(7)).
func totalMemory() (bytes int64, ok bool) {
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int64
		if n, _ := fmt.Sscanf(string(data), "MemTotal: %d kB", &kb); n == 1 {
			bytes, ok = kb<<10, true
		}
	}
	own, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(own)) {
		group, v2 := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; v2; group = filepath.Dir(group) {
			data, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "memory.max"))
			if n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64); err == nil && n > 0 && (!ok || n < bytes) {
				bytes, ok = n, true
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	return bytes, ok
}
