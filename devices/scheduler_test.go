package devices

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestSchedulerOrder(t *testing.T) {
	var c ManualClock
	s := NewScheduler(&c)
	var got []string
	add := func(name string) Timer { return s.New(name, func() { got = append(got, name) }) }
	a, b, d := add("a"), add("b"), add("d")
	d.Set(5)
	b.Set(5)
	a.Set(5)
	a.Set(7)
	d.Set(5)
	if at, ok := s.Next(); !ok || at != 5 {
		t.Errorf("Next = %v, %v", at, ok)
	}
	s.Run(4)
	if len(got) != 0 {
		t.Errorf("early: %v", got)
	}
	s.Run(7)
	if want := []string{"b", "d", "a"}; !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
	if _, ok := s.Next(); ok {
		t.Error("timers are armed after they ran")
	}
	a.Set(9)
	a.Stop()
	a.Stop()
	s.Run(10)
	if len(got) != 3 {
		t.Error("a stopped timer ran")
	}
}

func TestSchedulerSetDuringRun(t *testing.T) {
	var c ManualClock
	s := NewScheduler(&c)
	var got []string
	var a, b, d Timer
	a = s.New("a", func() { got = append(got, "a"); a.Set(0); b.Set(0); d.Stop() })
	b = s.New("b", func() { got = append(got, "b") })
	d = s.New("d", func() { got = append(got, "d") })
	a.Set(3)
	d.Set(3)
	s.Run(3)
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
	if at, ok := s.Next(); !ok || at != 0 {
		t.Errorf("a is due again at %v, %v", at, ok)
	}
	if want := []string{"a"}; !slices.Equal(s.Armed(), want) {
		t.Errorf("armed: %v", s.Armed())
	}
}

func TestSchedulerSooner(t *testing.T) {
	var c ManualClock
	s := NewScheduler(&c)
	n := 0
	s.Sooner = func() { n++ }
	a, b := s.New("a", func() {}), s.New("b", func() {})
	for i, step := range []struct {
		do   func()
		want int
	}{
		{func() { a.Set(10) }, 1}, {func() { b.Set(10) }, 1}, {func() { b.Set(20) }, 1},
		{func() { b.Set(9) }, 2}, {func() { b.Stop() }, 2}, {func() { a.Set(5) }, 3},
	} {
		if step.do(); n != step.want {
			t.Errorf("step %d: called %d times, want %d", i, n, step.want)
		}
	}
}

func TestManualClockMovesThroughTimers(t *testing.T) {
	var c ManualClock
	s := NewScheduler(&c)
	var at []time.Duration
	var tick Timer
	tick = s.New("tick", func() { at = append(at, c.Now()); tick.Set(c.Now() + 10) })
	tick.Set(10)
	c.MoveThrough(s, 35)
	if want := []time.Duration{10, 20, 30}; !slices.Equal(at, want) || c.Now() != 35 {
		t.Errorf("ran at %v, now %v", at, c.Now())
	}
}

func TestRate(t *testing.T) {
	pit := Rate{715909 * 20, 12}
	for _, c := range []struct {
		r     Rate
		t     time.Duration
		ticks uint64
	}{
		{pit, 0, 0}, {pit, 838, 0}, {pit, 839, 1}, {pit, -5, 0},
		{pit, 12 * time.Second, 14318180}, {pit, 12*time.Second - 1, 14318179},
		{Rate{32768, 1}, time.Second, 32768},
		{Rate{32768, 1}, 100 * 365 * 24 * time.Hour, 32768 * 100 * 365 * 86400},
		{Rate{math.MaxUint64, 1}, math.MaxInt64, math.MaxUint64},
	} {
		if got := c.r.Ticks(c.t); got != c.ticks {
			t.Errorf("%v.Ticks(%v) = %d, want %d", c.r, c.t, got, c.ticks)
		}
	}
	for _, n := range []uint64{0, 1, 2, 3, 1193182, 65536, 1 << 40} {
		at := pit.Time(n)
		if pit.Ticks(at) != n || n > 0 && pit.Ticks(at-1) != n-1 {
			t.Errorf("Time(%d) = %d: Ticks gives %d, and %d just before", n, at, pit.Ticks(at), pit.Ticks(at-1))
		}
	}
	if pit.Time(math.MaxUint64) != math.MaxInt64 {
		t.Error("a time out of range is not the largest")
	}
}
