package alpinevm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// BenchmarkClones has a hundred machines go on from one file, all at a time, until
// each has answered, and says how much memory each has of its own.
func BenchmarkClones(b *testing.B) {
	const clones = 100
	cfg := guestConfig(b, "686-pae", `echo ready; while read x; do echo "answer $x"; done; exit 0`)
	cfg.Deterministic, cfg.Memory = false, DefaultMemory
	cfg.Boot.Modules = guesttest.Modules(b, "686-pae")
	s := promptFile(b, cfg)
	defer s.Close()
	for b.Loop() {
		before, begin := proportional(b), time.Now()
		ctx, stop := context.WithCancel(b.Context())
		var running sync.WaitGroup
		var outs []*buffer
		var typed []*os.File
		for range clones {
			cfg := fileConfig(cfg, savedRoot(b, s))
			in, keys, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			out := new(buffer)
			cfg.Session.Stdin, cfg.Session.Stdout = in, out
			m, err := s.Clone(cfg)
			if err != nil {
				b.Fatal(err)
			}
			outs, typed = append(outs, out), append(typed, keys)
			keys.WriteString("line\n")
			running.Go(func() {
				m.Run(ctx)
				m.Close()
			})
		}
		for late := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
			n := 0
			for _, out := range outs {
				if strings.Contains(out.String(), "answer line") {
					n++
				}
			}
			if n == clones {
				break
			}
			if time.Now().After(late) {
				b.Fatalf("%d of %d answer", n, clones)
			}
		}
		b.ReportMetric(ms(begin), "ms-all")
		b.ReportMetric(float64(proportional(b)-before)/clones/1e6, "MB-each")
		stop()
		running.Wait()
		for _, k := range typed {
			k.Close()
		}
	}
}

// promptFile makes a raw snapshot of a guest that waits for a line.
func promptFile(b *testing.B, cfg Config) *Snapshot {
	b.Helper()
	cfg = fileConfig(cfg, guesttest.Root(b, time.Now))
	in, typed, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer typed.Close()
	var out buffer
	cfg.Session.Stdin, cfg.Session.Stdout = in, &out
	m, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	stop := runs(b, m)
	answers(b, typed, &out)
	s, err := m.CaptureRunning(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	stop()
	raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	if err := s.WriteRaw(raw); err != nil {
		b.Fatal(err)
	}
	info, err := raw.Stat()
	if err != nil {
		b.Fatal(err)
	}
	opened, err := OpenSnapshot(raw, info.Size())
	if err != nil {
		b.Fatal(err)
	}
	return opened
}

// proportional is the process's share of memory, in bytes (proc(5), smaps_rollup).
func proportional(b *testing.B) uint64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Fatal(err)
	}
	var kb uint64
	_, rest, _ := strings.Cut(string(text), "\nPss:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb << 10
}
