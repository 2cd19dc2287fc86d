package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// BenchmarkSnapshot measures a guest of 512 MB at its prompt, which answers a line:
// until a cold boot does, how long a snapshot stops it, how large the file is, and
// until one that goes on from a file does.
func BenchmarkSnapshot(b *testing.B) {
	cfg := guestConfig(b, "686-pae", `echo ready; while read x; do echo "answer $x"; done; exit 0`)
	cfg.Deterministic, cfg.Memory = false, DefaultMemory
	cfg.Boot.Modules = guesttest.Modules(b, "686-pae")
	dir := b.TempDir()
	for b.Loop() {
		begin := time.Now()
		root := guesttest.Root(b, time.Now)
		cfg := fileConfig(cfg, root)
		in, typed, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		var out buffer
		cfg.Session.Stdin, cfg.Session.Stdout = in, &out
		m, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		stop := runs(b, m)
		answers(b, typed, &out)
		b.ReportMetric(ms(begin), "ms-cold")

		pause := make(chan time.Duration, 1)
		var s *Snapshot
		for s == nil {
			m.Kick(func() {
				from := time.Now()
				var err error
				if s, err = m.Capture(); err != nil && !errors.Is(err, ErrNotQuiet) {
					b.Error(err)
				}
				pause <- time.Since(from)
			})
			d := <-pause
			b.ReportMetric(float64(d)/1e6, "ms-pause")
		}
		var packed bytes.Buffer
		if err := s.Write(&packed); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(packed.Len())/1e6, "MB-packed")
		raw, err := os.Create(filepath.Join(dir, "raw"))
		if err != nil {
			b.Fatal(err)
		}
		if err := s.WriteRaw(raw); err != nil {
			b.Fatal(err)
		}
		s.Close()
		stop()
		m.Close()
		typed.Close()

		info, err := raw.Stat()
		if err != nil {
			b.Fatal(err)
		}
		begin = time.Now()
		goesOn(b, cfg, func() (*Snapshot, error) { return OpenSnapshot(raw, info.Size()) })
		b.ReportMetric(ms(begin), "ms-raw")
		begin = time.Now()
		goesOn(b, cfg, func() (*Snapshot, error) {
			return OpenSnapshot(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
		})
		b.ReportMetric(ms(begin), "ms-packed")
		raw.Close()
	}
}

func ms(since time.Time) float64 { return float64(time.Since(since)) / 1e6 }

// runs has a machine run on a goroutine of its own until stop.
func runs(b testing.TB, m *Machine) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		m.Run(ctx)
		close(ended)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// answers types a line, and waits for the answer to it.
func answers(b testing.TB, typed *os.File, out *buffer) {
	if _, err := typed.WriteString("line\n"); err != nil {
		b.Fatal(err)
	}
	for late := time.Now().Add(5 * time.Minute); !strings.Contains(out.String(), "answer line"); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(late) {
			b.Fatal("the guest does not answer")
		}
	}
}

// goesOn has a machine go on from a snapshot until it answers.
func goesOn(b testing.TB, cfg Config, open func() (*Snapshot, error)) {
	s, err := open()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	cfg = fileConfig(cfg, savedRoot(b, s))
	in, typed, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer typed.Close()
	var out buffer
	cfg.Session.Stdin, cfg.Session.Stdout = in, &out
	m, err := s.Clone(cfg)
	if err != nil {
		b.Fatal(err)
	}
	stop := runs(b, m)
	answers(b, typed, &out)
	stop()
	m.Close()
}
