package board

import (
	"runtime"
	"sync/atomic"
	"time"
)

// bell wakes one goroutine that waits: the machine's. A ring is remembered
// until it is heard, and several are one.
type bell struct {
	rung   atomic.Uint32
	asleep atomic.Uint32 // how the machine goroutine waits
	ch     chan struct{}
	timer  *time.Timer // the machine goroutine's
}

// How a goroutine waits: not at all, on the channel, in the operating system.
const (
	awake uint32 = iota
	onChannel
	inSystem
)

const shortWait = 9 * time.Millisecond

func newBell() *bell { return &bell{ch: make(chan struct{}, 1)} }

// ring may be called from any goroutine and never blocks.
func (b *bell) ring() {
	if b.rung.Swap(1) != 0 {
		return
	}
	switch b.asleep.Load() {
	case onChannel:
		select {
		case b.ch <- struct{}{}:
		default:
		}
	case inSystem:
		wakeSystem(&b.rung)
	}
}

// heard says whether the bell has been rung since it was last called.
func (b *bell) heard() bool { return b.rung.Load() != 0 && b.rung.Swap(0) != 0 }

// wait returns when the bell has been rung and not been heard yet, or after d,
// or now and then for no reason. It says whether a Go timer has ended it.
//
// A guest that ticks 250 times a second makes this a part of what it costs. A
// wait in the operating system costs half of what a Go timer does, which wakes
// other threads. It holds on to its processor for a while, though, so that it
// is for those who have several; and it must be short, since the runtime's
// monitor looks at what takes longer than 10 milliseconds, and then at
// everything 50,000 times a second for a while.
func (b *bell) wait(d time.Duration) (timed bool) {
	if waitsInSystem && d < shortWait && runtime.GOMAXPROCS(0) > 1 {
		// Without this the runtime's monitor would take the processor away
		// from the wait, each time with the wake-up of another thread.
		runtime.Gosched()
		b.asleep.Store(inSystem)
		if b.rung.Load() == 0 {
			waitSystem(&b.rung, d)
		}
		b.asleep.Store(awake)
		return false
	}
	if b.timer == nil {
		b.timer = time.NewTimer(d)
	} else {
		b.timer.Reset(d)
	}
	b.asleep.Store(onChannel)
	if b.rung.Load() == 0 {
		select {
		case <-b.ch:
		case <-b.timer.C:
			timed = true
		}
	}
	b.asleep.Store(awake)
	b.timer.Stop()
	return timed
}
