package alpinevm

import (
	"bytes"
	"math/rand"
	"testing"
)

// BenchmarkPipe sends 100 MB through a program in the guest. The time is that
// of a session, its boot included; instructions are counted without.
func BenchmarkPipe(b *testing.B) {
	data := make([]byte, 100_000_000)
	rand.New(rand.NewSource(1)).Read(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cfg := guestConfig(b, "686-pae", "cat")
		cfg.Deterministic, cfg.Memory, cfg.Stdin = false, DefaultMemory, bytes.NewReader(data)
		g := newGuest(b, cfg)
		g.stepUntil(runBudget, func() bool { return g.stdout.String() != "" })
		before := g.Instructions()
		e, err := g.Run(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		g.want(e, Exited, 0)
		if !bytes.Equal(g.stdout.b.Bytes(), data) {
			b.Error("what came back differs")
		}
		b.ReportMetric(float64(g.Instructions()-before)/float64(len(data)/1000), "instructions/KB")
	}
}
