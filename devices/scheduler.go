package devices

import (
	"slices"
	"time"
)

// Scheduler implements Timers on a Clock. The machine asks Next how far it
// may run and calls Run when that time has come. Machines have some ten
// timers, so those that are armed stand in a sorted slice.
type Scheduler struct {
	// Sooner, if not nil, is called when the earliest time becomes earlier,
	// so that a machine in the middle of a step can end it in time.
	Sooner func()

	clock Clock
	armed []*timer // by time, then by creation
	made  int
	runs  uint64
}

type timer struct {
	s     *Scheduler
	name  string
	f     func()
	order int
	at    time.Duration
	armed bool
	ran   uint64 // the Run that called f last
}

// NewScheduler makes a Scheduler without timers.
func NewScheduler(c Clock) *Scheduler { return &Scheduler{clock: c} }

// Now implements Clock.
func (s *Scheduler) Now() time.Duration { return s.clock.Now() }

// New implements Timers.
func (s *Scheduler) New(name string, f func()) Timer {
	s.made++
	return &timer{s: s, name: name, f: f, order: s.made}
}

// Next tells the time of the earliest timer; ok is false if none is armed.
func (s *Scheduler) Next() (t time.Duration, ok bool) {
	if len(s.armed) == 0 {
		return 0, false
	}
	return s.armed[0].at, true
}

// Run calls the timers that are due at now, those included that become due
// meanwhile, but each at most once: one that sets itself to a time in the past
// waits for the next Run, so that Run always ends.
func (s *Scheduler) Run(now time.Duration) {
	s.runs++
	for {
		i := slices.IndexFunc(s.armed, func(t *timer) bool { return t.at > now || t.ran != s.runs })
		if i < 0 || s.armed[i].at > now {
			return
		}
		t := s.armed[i]
		t.Stop()
		t.ran = s.runs
		t.f()
	}
}

// Armed names the timers that are armed, the earliest first.
func (s *Scheduler) Armed() []string {
	var names []string
	for _, t := range s.armed {
		names = append(names, t.name)
	}
	return names
}

// Set implements Timer.
func (t *timer) Set(at time.Duration) {
	s := t.s
	first, ok := s.Next()
	t.Stop()
	t.at, t.armed = at, true
	i, _ := slices.BinarySearchFunc(s.armed, t, compareTimers)
	s.armed = slices.Insert(s.armed, i, t)
	if (!ok || at < first) && s.Sooner != nil {
		s.Sooner()
	}
}

// Stop implements Timer.
func (t *timer) Stop() {
	if !t.armed {
		return
	}
	i, found := slices.BinarySearchFunc(t.s.armed, t, compareTimers)
	if !found {
		panic("BUG: an armed timer is not in the queue")
	}
	t.s.armed = slices.Delete(t.s.armed, i, i+1)
	t.armed = false
}

func compareTimers(a, b *timer) int {
	switch {
	case a.at != b.at && a.at < b.at:
		return -1
	case a.at != b.at:
		return 1
	}
	return a.order - b.order
}

// ManualClock is a Clock that moves only when it is told to. Its zero value
// stands at 0.
type ManualClock struct{ now time.Duration }

// Now implements Clock.
func (c *ManualClock) Now() time.Duration { return c.now }

// Move puts the clock to t, which is not earlier than its time.
func (c *ManualClock) Move(t time.Duration) {
	if t < c.now {
		panic("BUG: a clock that goes backwards")
	}
	c.now = t
}

// MoveThrough moves the clock to t and runs each timer of s on the way at its
// own time.
func (c *ManualClock) MoveThrough(s *Scheduler, t time.Duration) {
	for {
		next, ok := s.Next()
		if !ok || next > t {
			break
		}
		c.Move(max(next, c.now))
		s.Run(c.now)
	}
	c.Move(t)
}
