//go:build linux && amd64

package amd64_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// BenchmarkCycle goes round through more and more code, whose blocks are all
// equally hot: per instruction, what the process spends of the host's processor,
// and how many instructions are translated.
func BenchmarkCycle(b *testing.B) {
	if err := amd64.Supported(); err != nil {
		b.Skip("not here: ", err)
	}
	for _, mb := range []int{1, 4, 8, 12, 16, 24, 32, 100} {
		b.Run(fmt.Sprintf("MB=%d", mb), func(b *testing.B) {
			n := mb << 20 / 32
			c := newGuest(b, 128<<20, ring(n, 1))
			tr, err := amd64.Attach(c.CPU, 16, jit.Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				c.Attach(nil, 0)
				tr.Close()
			}()
			round := n * 8
			for range 20 { // until all that can be is translated
				c.Run(round)
			}
			b.ResetTimer()
			before, insts, start := c.Retired, tr.Stats.Insts, userTime(b)
			for b.Loop() {
				c.Run(round)
			}
			ran := float64(c.Retired - before)
			b.ReportMetric(float64(userTime(b)-start)/ran, "cpu-ns/inst")
			b.ReportMetric(float64(tr.Stats.Insts-insts)/ran, "translated/inst")
			b.ReportMetric(float64(tr.Stats.Evicted), "evicted")
		})
	}
}

// userTime is the user time of the process in nanoseconds.
func userTime(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano()
}
