package board

import (
	"sync/atomic"
	"time"
)

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
	// overdue says that the step that budget has begun has taken much longer
	// than it should.
	overdue() bool
	// begin makes it at, before the machine runs.
	begin(at time.Duration)
	// hold takes the time back to at if it is past that, but by no more than
	// most. It is not to be called behind a Now that told a later time.
	hold(at, most time.Duration)
	// stop makes the time stand still until goOn.
	stop()
	goOn()
}

// A step is at most about this long, on either clock.
const stepTime = 100 * time.Microsecond

// hostClock is the host's monotonic clock, behind which it can be for a while.
// speed is a running estimate that makes a step end near the time it should.
type hostClock struct {
	host  func() time.Duration // the host's time
	lag   atomic.Int64         // nanoseconds behind it; written by the machine goroutine
	away  atomic.Int64         // nanoseconds for which it has stood still
	still atomic.Int64         // 1 more than the time at which it stands still; 0: it does not
	last  time.Duration        // when ran was last called
	speed float64              // instructions a nanosecond
}

func newHostClock() *hostClock {
	start := time.Now()
	return &hostClock{host: func() time.Duration { return time.Since(start) }, speed: 0.02}
}

// Now may be called from any goroutine.
func (c *hostClock) Now() time.Duration {
	if still := c.still.Load(); still != 0 {
		return time.Duration(still - 1)
	}
	return c.host() - time.Duration(c.lag.Load()+c.away.Load())
}

func (c *hostClock) stop() { c.still.Store(int64(c.Now()) + 1) }

func (c *hostClock) goOn() {
	now := c.still.Load() - 1
	c.away.Store(int64(c.host()) - c.lag.Load() - now)
	c.still.Store(0)
}

func (c *hostClock) begin(at time.Duration) {
	host := c.host
	ahead := at - host()
	c.host = func() time.Duration { return host() + ahead }
	c.lag.Store(0)
	c.away.Store(0)
}

func (c *hostClock) hold(at, most time.Duration) {
	if late := c.Now() - at; late > 0 {
		c.lag.Add(int64(min(late, most)))
	}
}

// skip makes up for what a hold has taken back.
func (c *hostClock) skip(at time.Duration) bool {
	lag := c.lag.Load()
	if lag == 0 {
		return false
	}
	d := int64(at - c.Now())
	c.lag.Store(max(lag-max(d, 0), 0))
	return d <= lag
}

func (c *hostClock) budget(at time.Duration) int {
	c.last = c.Now()
	left := min(at-c.last, stepTime)
	return max(int(float64(left)*c.speed), 50)
}

// overdue is asked while the guest runs: its instructions differ in cost by a
// factor of a hundred, so that a budget can be far from what it should be.
func (c *hostClock) overdue() bool { return c.Now()-c.last > stepTime }

func (c *hostClock) ran(n uint64) {
	d := c.Now() - c.last
	if lag := c.lag.Load(); lag > 0 && d > 0 {
		c.lag.Store(max(lag-int64(d/8), 0)) // a guest that is busy catches up too
	}
	if n < 100 || d <= 0 {
		return
	}
	// One step that the host has interrupted must not count for much.
	s := min(max(float64(n)/float64(d), 0.001), 10)
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

func (c *countClock) begin(at time.Duration) {
	c.skipped += at - c.Now()
}

func (c *countClock) overdue() bool { return false }

func (c *countClock) ran(uint64) {}

func (c *countClock) stop() {}

func (c *countClock) goOn() {}

func (c *countClock) hold(time.Duration, time.Duration) {}
