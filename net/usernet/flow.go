package usernet

import (
	"sync"
	"sync/atomic"
	"time"
)

// buffers is what one flow may keep in memory, in bytes.
type buffers struct {
	receive, send int // of the stack
	relay         int // of each direction's copy
}

// The sum of all flows: 8 * 896 KiB + 760 * 44 KiB of TCP and 256 * 64 KiB of UDP is
// 58 MB. With the two queues of the link of 4 MiB each, datagrams that wait and
// incomplete ones, 2 MiB each, that is under 72 MB. What is remembered of peers, names
// and pairs of both comes to 10 MB more.
var (
	bigBuffers   = buffers{receive: 512 << 10, send: 256 << 10, relay: 64 << 10}
	smallBuffers = buffers{receive: 24 << 10, send: 12 << 10, relay: 4 << 10}
)

// bigFlows is how many flows at a time have big buffers: the first ones.
const bigFlows = 8

// flowTable counts the flows and ends those that are idle.
type flowTable struct {
	max   int
	start time.Time

	mu     sync.Mutex
	flows  map[*flow]struct{}
	big    int
	timer  *time.Timer
	closed bool
}

// flow is one connection or one UDP flow.
type flow struct {
	table *flowTable
	big   bool
	idle  time.Duration
	last  atomic.Int64 // when it was used, since table.start
	end   func()       // ends it, nil while there is nothing to end
}

func newFlowTable(max int) *flowTable {
	return &flowTable{max: max, start: time.Now(), flows: map[*flow]struct{}{}}
}

// reserve returns a new flow, or nil if there are too many.
func (t *flowTable) reserve(idle time.Duration) *flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.flows) >= t.max {
		return nil
	}
	f := &flow{table: t, big: t.big < bigFlows, idle: idle}
	if f.big {
		t.big++
	}
	f.touch()
	t.flows[f] = struct{}{}
	if t.timer == nil {
		t.timer = time.AfterFunc(sweepInterval(idle), t.sweep)
	}
	return f
}

// sweepInterval is how often to look for flows that have been idle that long.
func sweepInterval(idle time.Duration) time.Duration {
	return max(min(idle/4, 10*time.Second), time.Millisecond)
}

// release gives up a flow. It may be called again.
func (t *flowTable) release(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.flows[f]; !ok {
		return
	}
	delete(t.flows, f)
	if f.big {
		t.big--
	}
}

// sweep ends the idle flows. It comes again while there are any flows.
func (t *flowTable) sweep() {
	var idle []func()
	t.mu.Lock()
	next := time.Duration(0)
	now := int64(time.Since(t.start))
	for f := range t.flows {
		if f.end != nil && now-f.last.Load() > int64(f.idle) {
			idle = append(idle, f.end)
			f.end = nil
		}
		if d := sweepInterval(f.idle); next == 0 || d < next {
			next = d
		}
	}
	if next == 0 || t.closed {
		t.timer = nil
	} else {
		t.timer.Reset(next)
	}
	t.mu.Unlock()
	for _, end := range idle {
		end()
	}
}

// close ends all flows and refuses new ones.
func (t *flowTable) close() {
	var all []func()
	t.mu.Lock()
	t.closed = true
	for f := range t.flows {
		if f.end != nil {
			all = append(all, f.end)
			f.end = nil
		}
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	for _, end := range all {
		end()
	}
}

func (t *flowTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.flows)
}

// onEnd names what ends the flow early. It reports false, and end is never
// called, if the table is closed.
func (f *flow) onEnd(end func()) bool {
	f.table.mu.Lock()
	defer f.table.mu.Unlock()
	if f.table.closed {
		return false
	}
	f.end = end
	return true
}

// touch says that the flow is in use.
func (f *flow) touch() { f.last.Store(int64(time.Since(f.table.start))) }

func (f *flow) release() { f.table.release(f) }

// buffers is what the flow may keep.
func (f *flow) buffers() buffers {
	if f.big {
		return bigBuffers
	}
	return smallBuffers
}
