package alpinevm

import (
	"math/rand/v2"
	"testing"

	"alpinevm/cpu"
)

// instant is what a processor is at between two instructions.
type instant struct {
	user, repeating bool
	fault           uint32 // where the last page fault was
	fpu             cpu.FPU
}

func (g *traveller) instant() instant {
	s := &g.board.CPU().State
	return instant{s.CPL != 0, s.Paused == s.Retired, s.CR2, s.FPU}
}

// TestSnapshotAmid saves a guest where it is least at rest, and has another machine
// go on from there: to the same end, to the byte and to the instruction.
func TestSnapshotAmid(t *testing.T) {
	const each = 3
	l := onFiles("", computeScript, addProgram)
	first := l.begin(t)
	want := first.finish()
	first.want(want.end, Exited, 0)
	for _, tt := range []struct {
		name string
		is   func(before, now *instant) bool
	}{
		{"a repeated instruction", func(_, now *instant) bool { return now.repeating }},
		{"a page fault", func(before, now *instant) bool { return before.user && !now.user && before.fault != now.fault }},
		{"a system call", func(before, now *instant) bool { return before.user && !now.user && before.fault == now.fault }},
		{"work of the x87", func(before, now *instant) bool {
			return now.user && now.fpu.Used != 0 && now.fpu.Mant != before.fpu.Mant
		}},
		{"work of SSE", func(before, now *instant) bool { return now.user && now.fpu.XMM != before.fpu.XMM }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			places := rand.New(rand.NewPCG(7, 8))
			g, found := l.begin(t), 0
			var before journey
			for part := range uint64(each) {
				// The first third of the way is the boot.
				g.runTo(max(g.Instructions()+1, want.retired*(each+2*part)/(3*each)+places.Uint64N(want.retired/10)))
				if !g.runUntil(tt.is, want.retired*19/20, places) {
					break
				}
				found++
				before = before.plus(g.seen())
				g = l.throughFile(t, g, part%2 == 0)
			}
			if found == 0 {
				t.Fatal("there was no such place")
			}
			t.Logf("%d places", found)
			sameJourney(t, before.plus(g.finish()), want)
		})
	}
}

// runUntil runs the machine to a place of a kind, instruction by instruction here
// and there, at most to that count of instructions.
func (g *traveller) runUntil(is func(before, now *instant) bool, last uint64, places *rand.Rand) bool {
	g.t.Helper()
	for g.Instructions() < last {
		g.runTo(g.Instructions() + 10_000 + places.Uint64N(10_000))
		now := g.instant()
		for range 300 {
			before := now
			g.runTo(g.Instructions() + 1)
			if now = g.instant(); is(&before, &now) {
				return true
			}
		}
	}
	return false
}
