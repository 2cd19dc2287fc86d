package board

import (
	"runtime"
	"syscall/js"
	"time"
)

// A page's or Node's own work (input, answers from the network, timers) is done only
// while all goroutines are blocked. A machine that computes lets it be done after
// turnTime, or, while such work has brought something for the guest, hastyTime.
const (
	turnTime  = 8 * time.Millisecond
	hastyTime = 2 * time.Millisecond
	hasty     = 50 * time.Millisecond // how long it is likely to bring more
)

// stepTime is about how long a step is at most, on either clock. Nothing comes from outside
// between turns, and what stands around a step takes several microseconds: half of that
// are looks at the host's clock, and its last block, which is cut, is made anew.
const stepTime = time.Millisecond

// tickSlack is eleven ticks of Debian's kernels: to be woken takes longer here.
const tickSlack = 44 * time.Millisecond

// turns gives the event loop its turns.
type turns struct {
	last, brought time.Time
	done          chan struct{}
	post          func()
}

func newTurns() *turns {
	t := &turns{last: time.Now(), done: make(chan struct{}, 1)}
	back := js.FuncOf(func(js.Value, []js.Value) any {
		t.done <- struct{}{}
		return nil
	})
	// A message to oneself comes at once, where a timer takes 4 milliseconds. Node
	// reads all messages before it looks at its timers, but has another way.
	if immediate := js.Global().Get("setImmediate"); immediate.Type() == js.TypeFunction {
		t.post = func() { immediate.Invoke(back) }
		return t
	}
	channel := js.Global().Get("MessageChannel").New()
	channel.Get("port1").Set("onmessage", back)
	to := channel.Get("port2")
	t.post = func() { to.Call("postMessage", js.Null()) }
	return t
}

// kicked is told that something has come from outside.
func (t *turns) kicked() { t.brought = time.Now() }

// given is told that a timer has gone off, which is a turn of the event loop.
func (t *turns) given() { t.last = time.Now() }

// take gives a turn if it is time.
func (t *turns) take() {
	now := time.Now()
	every := turnTime
	if now.Sub(t.brought) < hasty {
		every = hastyTime
	}
	if now.Sub(t.last) < every {
		runtime.Gosched()
		return
	}
	t.post()
	<-t.done
	t.last = time.Now()
}
