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

// hostClock is the host's monotonic clock, behind which it can be for a while.
// speed is a running estimate that makes a step end near the time it should.
//
// A host's clock may be coarse: a browser's ticks every 100 microseconds or every
// millisecond, that of Windows every half. Between two ticks the guest's time goes
// by the instructions.
type hostClock struct {
	host    func() time.Duration // the host's time
	grain   time.Duration        // what it ticks by
	retired func() uint64
	lag     atomic.Int64  // nanoseconds behind it; written by the machine goroutine
	away    atomic.Int64  // nanoseconds for which it has stood still
	still   atomic.Int64  // 1 more than the time at which it stands still; 0: it does not
	began   time.Duration // the time when budget was last called

	speed   float64       // instructions a nanosecond
	counted uint64        // instructions of the steps that the estimate has not had yet,
	took    time.Duration // and their time

	ticked   time.Duration // the time at the last tick that was seen
	tickedAt uint64        // the count of instructions then
	told     time.Duration // the latest time that a coarse clock has told
}

const (
	// coarse is the grain from which on time between two ticks matters.
	coarse = 10 * time.Microsecond
	// estimateTime and estimateTicks are how long a time the estimate of speed is
	// made of: of a step alone a coarse clock says 0, or a tick too much.
	estimateTime  = time.Millisecond
	estimateTicks = 8
)

func newHostClock(retired func() uint64) *hostClock {
	start := time.Now()
	host := func() time.Duration { return time.Since(start) }
	return &hostClock{host: host, grain: grainOf(host), retired: retired, speed: 0.02}
}

// ticks is the time as the host's clock tells it. It may be called from any goroutine.
func (c *hostClock) ticks() time.Duration {
	if still := c.still.Load(); still != 0 {
		return time.Duration(still - 1)
	}
	return c.host() - time.Duration(c.lag.Load()+c.away.Load())
}

// Now may be called from any goroutine, but that of a coarse clock on the machine
// goroutine alone.
func (c *hostClock) Now() time.Duration {
	now := c.ticks()
	if c.grain < coarse {
		return now
	}
	if now != c.ticked {
		c.ticked, c.tickedAt = now, c.retired()
	}
	since := time.Duration(float64(c.retired()-c.tickedAt) / c.speed)
	c.told = max(c.told, now+min(since, c.grain-1))
	return c.told
}

func (c *hostClock) stop() { c.still.Store(int64(c.Now()) + 1) }

func (c *hostClock) goOn() {
	now := c.still.Load() - 1
	c.away.Store(int64(c.host()) - c.lag.Load() - now)
	c.still.Store(0)
}

// grainOf is the smallest step of a clock, of a few: it may take as many.
func grainOf(host func() time.Duration) time.Duration {
	grain := time.Duration(1<<63 - 1)
	for range 3 {
		from := host()
		to := host()
		for to == from {
			to = host()
		}
		grain = min(grain, to-from)
	}
	return grain
}

func (c *hostClock) begin(at time.Duration) {
	host := c.host
	ahead := at - host()
	c.host = func() time.Duration { return host() + ahead }
	c.lag.Store(0)
	c.away.Store(0)
	c.told, c.ticked = at, 0
}

func (c *hostClock) hold(at, most time.Duration) {
	if late := c.ticks() - at; late > 0 {
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
	c.began = c.ticks()
	left := min(at-c.Now(), stepTime)
	return max(int(float64(left)*c.speed), 50)
}

// overdue is asked while the guest runs: its instructions differ in cost by a
// factor of a hundred, so that a budget can be far from what it should be.
func (c *hostClock) overdue() bool { return c.ticks()-c.began > stepTime }

func (c *hostClock) ran(n uint64) {
	d := c.ticks() - c.began
	if lag := c.lag.Load(); lag > 0 && d > 0 {
		c.lag.Store(max(lag-int64(d/8), 0)) // a guest that is busy catches up too
	}
	if n < 100 {
		return
	}
	c.counted += n
	c.took += d
	if c.took < max(estimateTime, estimateTicks*c.grain) {
		return
	}
	// One step that the host has interrupted must not count for much.
	s := min(max(float64(c.counted)/float64(c.took), 0.001), 10)
	c.speed += (s - c.speed) / 4
	c.counted, c.took = 0, 0
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
