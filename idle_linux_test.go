package alpinevm

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// BenchmarkIdle measures what a guest costs whose kernel ticks 250 times a
// second while its program sleeps: the share of one of the host's processors,
// and guest instructions. Each iteration is 10 seconds.
func BenchmarkIdle(b *testing.B) {
	cfg := guestConfig(b, "686-pae", "echo up; sleep 100000")
	cfg.Deterministic, cfg.Memory = false, DefaultMemory
	g := newGuest(b, cfg)
	g.stepUntil(runBudget, func() bool { return g.stdout.String() != "" })
	run := func(d time.Duration) {
		ctx, cancel := context.WithTimeout(b.Context(), d)
		defer cancel()
		if _, err := g.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Fatal(err)
		}
	}
	used := func() time.Duration {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	run(5 * time.Second)
	cpu, instructions := used(), g.Instructions()
	for b.Loop() {
		run(10 * time.Second)
	}
	b.ReportMetric(100*(used()-cpu).Seconds()/b.Elapsed().Seconds(), "%cpu")
	b.ReportMetric(float64(g.Instructions()-instructions)/b.Elapsed().Seconds(), "instructions/s")
}
