package board

import (
	"testing"
	"time"
)

// simulated is a host that runs guest instructions at a speed, and whose clock ticks
// by a grain.
type simulated struct {
	now     time.Duration // what is true
	grain   time.Duration
	retired uint64
	clock   *hostClock
}

func simulate(grain time.Duration) *simulated {
	s := &simulated{grain: grain}
	s.clock = &hostClock{host: func() time.Duration { return s.now / grain * grain }, grain: grain, retired: func() uint64 { return s.retired }, speed: 0.02}
	return s
}

// run runs steps until that time, at a speed of so many instructions a nanosecond.
func (s *simulated) run(until time.Duration, speed float64) (steps int) {
	for ; s.now < until; steps++ {
		n := s.clock.budget(never)
		s.retired += uint64(n)
		s.now += max(time.Duration(float64(n)/speed), 1)
		s.clock.ran(uint64(n))
	}
	return steps
}

// TestCoarseClock makes as long steps by a clock of a browser as by a fine one, also
// when the guest's speed changes.
func TestCoarseClock(t *testing.T) {
	steps := func(grain time.Duration) (n int) {
		s := simulate(grain)
		for i, speed := range []float64{0.04, 1.5, 0.3, 2, 0.04} {
			n += s.run(time.Duration(i+1)*500*time.Millisecond, speed)
		}
		return n
	}
	fine := steps(time.Nanosecond)
	for _, grain := range []time.Duration{5 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond, time.Millisecond} {
		if n := steps(grain); n > 2*fine || n < fine/2 {
			t.Errorf("%d steps with ticks of %v, %d with a fine clock", n, grain, fine)
		}
	}
}

// TestBetweenTicks reads a coarse clock often: it goes on, by the instructions, and is
// never a tick away from what is true.
func TestBetweenTicks(t *testing.T) {
	const grain = 100 * time.Microsecond
	for name, speed := range map[string]float64{"as estimated": 1, "slower": 0.2, "faster": 5} {
		t.Run(name, func(t *testing.T) {
			s := simulate(grain)
			s.clock.speed = 1
			before, distinct := time.Duration(-1), 0
			for s.now < 50*time.Millisecond {
				s.retired += 1000
				s.now += time.Duration(1000 / speed)
				now := s.clock.Now()
				if now < before {
					t.Fatalf("from %v to %v", before, now)
				}
				if d := now - s.now; d >= grain || d <= -grain {
					t.Fatalf("%v at %v", now, s.now)
				}
				if now != before {
					distinct++
				}
				before = now
			}
			if ticks := int(s.now / grain); distinct < 2*ticks {
				t.Errorf("%d times were told in %d ticks", distinct, ticks)
			}
		})
	}
}

// TestGrain finds what a clock ticks by.
func TestGrain(t *testing.T) {
	now := time.Duration(0)
	ticking := func() time.Duration {
		now += 7 * time.Microsecond
		return now / (100 * time.Microsecond) * (100 * time.Microsecond)
	}
	if g := grainOf(ticking); g != 100*time.Microsecond {
		t.Error(g)
	}
}
