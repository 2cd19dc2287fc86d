package alpinevm

import "time"

// timebase is the one source of guest time. The TSC, the PIT, the PM timer and
// the RTC derive from it.
type timebase interface {
	// Now is guest time since the machine was made.
	Now() time.Duration
	// skip lets time pass to at while the guest waits in HLT; it says false
	// where time passes by itself and the caller has to sleep.
	skip(at time.Duration) bool
	// budget is how many instructions surely fit in before at, at least 1.
	budget(at time.Duration) int
	// ran reports n instructions executed.
	ran(n uint64)
}

// A step is at most about this long, on either clock.
const stepTime = 100 * time.Microsecond

// hostClock is the host's monotonic clock. speed is a running estimate that
// makes a step end near the time it should.
type hostClock struct {
	start time.Time
	last  time.Duration // when ran was last called
	speed float64       // instructions a nanosecond
}

func newHostClock() *hostClock { return &hostClock{start: time.Now(), speed: 0.02} }

func (c *hostClock) Now() time.Duration      { return time.Since(c.start) }
func (c *hostClock) skip(time.Duration) bool { return false }

func (c *hostClock) budget(at time.Duration) int {
	c.last = c.Now()
	left := min(at-c.last, stepTime)
	return max(int(float64(left)*c.speed), 50)
}

func (c *hostClock) ran(n uint64) {
	d := c.Now() - c.last
	if n < 100 || d <= 0 {
		return
	}
	// One step that the host has interrupted must not count for much.
	s := min(max(float64(n)/float64(d), 0.001), 2)
	c.speed += (s - c.speed) / 8
}

// countClock derives time from retired instructions, so that a run can be
// repeated to the instruction. HLT jumps to the next timer.
type countClock struct {
	retired func() uint64
	skipped time.Duration
}

// countRate is the speed of the processor on a countClock: nanoseconds an
// instruction.
const countRate = 10

func (c *countClock) Now() time.Duration {
	return c.skipped + time.Duration(c.retired()*countRate)
}

func (c *countClock) skip(at time.Duration) bool {
	if d := at - c.Now(); d > 0 {
		c.skipped += d
	}
	return true
}

func (c *countClock) budget(at time.Duration) int {
	left := min(at-c.Now(), stepTime)
	return max(int((left+countRate-1)/countRate), 1)
}

func (c *countClock) ran(uint64) {}
