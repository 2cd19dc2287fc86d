package board

import (
	"testing"
	"time"
)

// TestTurnGiven: a timer that has gone off was a turn, so that an idle guest's ticks cost one
// turn of the event loop and not two.
func TestTurnGiven(t *testing.T) {
	turns, posted := newTurns(), 0
	post := turns.post
	turns.post = func() { posted++; post() }
	long := time.Now().Add(-time.Hour)

	turns.last = long
	turns.take()
	if posted != 1 {
		t.Fatalf("after an hour: %d turns", posted)
	}
	turns.last = long
	turns.given()
	turns.take()
	if posted != 1 {
		t.Fatal("behind a timer: one more turn")
	}
}

// TestBellTimed: only a timer's end says so.
func TestBellTimed(t *testing.T) {
	b := newBell()
	if !b.wait(time.Millisecond) {
		t.Error("nobody rings: not timed")
	}
	b.ring()
	if b.wait(time.Hour) {
		t.Error("rung: timed")
	}
}
