package board

import (
	"testing"
	"time"
)

// TestQuiet tells guests that only tick from those that do more. Each guest
// ticks for ten seconds, 4 milliseconds apart unless it says otherwise.
func TestQuiet(t *testing.T) {
	const tick, work = 3000, 15000
	for _, tt := range []struct {
		name  string
		apart time.Duration
		ran   func(n int) uint64 // instructions in tick n
		quiet bool               // at the end
	}{
		{"ticks", 0, func(int) uint64 { return tick }, true},
		{"as Linux at a prompt", 0, func(n int) uint64 {
			if n%50 == 0 {
				return 10500
			}
			return tick
		}, true},
		{"asleep 30 milliseconds at a time", 0, func(n int) uint64 {
			if n%8 == 0 {
				return work
			}
			return tick
		}, false},
		{"busy", 0, func(int) uint64 { return 300_000 }, false},
		{"without ticks", time.Second, func(int) uint64 { return tick }, false},
		{"a moment ago busy", 0, func(n int) uint64 {
			if n >= 2490 && n < 2498 {
				return work
			}
			return tick
		}, false},
	} {
		q := newQuiet()
		if q.slack() != 0 {
			t.Errorf("%s: quiet from the start", tt.name)
		}
		apart := tt.apart
		if apart == 0 {
			apart = 4 * time.Millisecond
		}
		retired := uint64(0)
		for n := 1; n <= 2500; n++ {
			retired += tt.ran(n)
			q.halted(retired, apart)
		}
		if got := q.slack() > 0; got != tt.quiet {
			t.Errorf("%s: quiet %v, want %v", tt.name, got, tt.quiet)
		}
	}
}

// TestHostClock lets a clock be behind the host's and follows it back.
func TestHostClock(t *testing.T) {
	const ms = time.Millisecond
	host := time.Duration(0)
	c := &hostClock{host: func() time.Duration { return host }, speed: 1}
	now := func(want time.Duration) {
		t.Helper()
		if got := c.Now(); got != want {
			t.Errorf("%v on the clock at %v, want %v", got, host, want)
		}
	}
	skip := func(at time.Duration, want bool) {
		t.Helper()
		if got := c.skip(at); got != want {
			t.Errorf("skip to %v at %v: %v", at, host, got)
		}
	}
	host = 5 * ms
	now(5 * ms)
	c.hold(8*ms, 20*ms) // woken early
	now(5 * ms)
	skip(8*ms, false)

	host = 21 * ms
	c.hold(8*ms, 20*ms)
	now(8 * ms)
	skip(12*ms, true)
	now(12 * ms)
	host = 22 * ms // a tick of a millisecond
	now(13 * ms)
	skip(16*ms, true)
	now(16 * ms)
	skip(20*ms, true)
	now(20 * ms)
	skip(24*ms, false) // two of the four are still to come
	now(22 * ms)

	host = 60 * ms
	c.hold(24*ms, 20*ms) // the host was busy: not all is made up for
	now(40 * ms)
	skip(39*ms, true) // overdue
	now(40 * ms)
	c.hold(40*ms, 0)
	now(40 * ms)

	// A guest that is busy is up to date after eight times as long.
	for range 200 {
		before := c.Now()
		c.budget(never)
		host += ms
		c.ran(1000)
		if c.Now() <= before {
			t.Fatalf("the clock went from %v to %v", before, c.Now())
		}
	}
	now(260 * ms)
}
