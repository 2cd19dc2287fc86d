package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"math/rand"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"alpinevm/internal/baretest"
)

// processorTime is what this process has used so far of the host's processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkIdle measures what a guest costs that waits: the share of one of the
// host's processors, and guest instructions. One has a kernel that ticks 250
// times a second while its program sleeps; of a tickless kernel, the other has
// the hardware's side, 18 interrupts a second. Each iteration is 10 seconds.
func BenchmarkIdle(b *testing.B) {
	b.Run("250Hz", func(b *testing.B) {
		cfg := guestConfig(b, "686-pae", "echo up; sleep 100000")
		cfg.Deterministic, cfg.Memory = false, DefaultMemory
		g := newGuest(b, cfg)
		g.stepUntil(runBudget, func() bool { return g.stdout.String() != "" })
		idle(b, g.Machine)
	})
	b.Run("18Hz", func(b *testing.B) {
		// baretest.Ticks with a divisor of 65,536, and without its end.
		program := strings.NewReplacer("b09ce640b02ee640", "b000e640b000e640", "1472f9", "14ebf9").Replace(strings.Join(strings.Fields(baretest.Ticks), ""))
		m, err := New(Config{Boot: Boot{Kernel: baretest.Flat(program)}})
		if err != nil {
			b.Fatal(err)
		}
		defer m.Close()
		idle(b, m)
	})
}

// idle runs m, which waits.
func idle(b *testing.B, m *Machine) {
	run := func(d time.Duration) {
		ctx, cancel := context.WithTimeout(b.Context(), d)
		defer cancel()
		if _, err := m.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.Fatal(err)
		}
	}
	run(5 * time.Second)
	cpu, instructions := processorTime(b), m.Instructions()
	for b.Loop() {
		run(10 * time.Second)
	}
	b.ReportMetric(100*(processorTime(b)-cpu).Seconds()/b.Elapsed().Seconds(), "%cpu")
	b.ReportMetric(float64(m.Instructions()-instructions)/b.Elapsed().Seconds(), "instructions/s")
}

// BenchmarkFiles measures what a program in the guest can do with files of its
// root: by the guest's clock, in time of the host's processor, which is the same
// on a host that does nothing else, and in guest instructions. One iteration is
// all of it.
func BenchmarkFiles(b *testing.B) {
	for b.Loop() {
		cfg := guestConfig(b, "686-pae", "echo start; fscheck -bench /srv")
		cfg.Deterministic, cfg.Memory, cfg.Session.Root = false, DefaultMemory, rootWithGuest(b)
		g := newGuest(b, cfg)
		seen, before, cpu := 0, uint64(0), time.Duration(0)
		e := g.stepUntil(1e12, func() bool {
			out := g.stdout.String()
			for {
				line, _, ok := strings.Cut(out[seen:], "\n")
				if !ok {
					return false
				}
				seen += len(line) + 1
				if f := strings.Fields(line); len(f) == 6 { // BenchmarkName 1 2 ns/op 3 MB/s
					v, err := strconv.ParseFloat(f[4], 64)
					if err != nil {
						b.Fatal(line)
					}
					name := strings.TrimPrefix(f[0], "Benchmark")
					b.ReportMetric(v, name+"-"+f[5])
					b.ReportMetric(float64(g.Instructions()-before)/1e6, name+"-Minstr")
					b.ReportMetric((processorTime(b) - cpu).Seconds(), name+"-cpu-s")
				}
				before, cpu = g.Instructions(), processorTime(b)
			}
		})
		g.want(*e, Exited, 0)
	}
}

// BenchmarkPipe sends 100 MB through a program in the guest. The time is that
// of a session, its boot included; the rest is without.
func BenchmarkPipe(b *testing.B) {
	data := make([]byte, 100_000_000)
	rand.New(rand.NewSource(1)).Read(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := guestConfig(b, "686-pae", "cat")
		cfg.Deterministic, cfg.Memory, cfg.Session.Stdin = false, DefaultMemory, bytes.NewReader(data)
		g := newGuest(b, cfg)
		g.stepUntil(runBudget, func() bool { return g.stdout.String() != "" })
		before, cpu := g.Instructions(), processorTime(b)
		e, err := g.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		g.want(e, Exited, 0)
		if g.stdout.String() != string(data) {
			b.Error("what came back differs")
		}
		b.ReportMetric(float64(len(data))/1e6/(processorTime(b)-cpu).Seconds(), "MB/cpu-s")
		b.ReportMetric(float64(g.Instructions()-before)/float64(len(data)/1000), "instructions/KB")
	}
}
