package fs9p

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// A queue runs the requests of a slow FS one after the other on a goroutine
// that exists while there are any. All of the Server's state but the queue
// belongs to that goroutine.
type queue struct {
	post func(func())

	mu      sync.Mutex
	waiting []func()
	running bool
	free    []*call  // whose replies have been delivered
	spare   [][]byte // of requests that have been served
}

// add puts f at the end of the queue. It does not wait.
func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running, q.waiting = false, nil
			q.mu.Unlock()
			return
		}
		work := q.waiting
		q.waiting = nil
		q.mu.Unlock()
		for _, f := range work {
			q.call(f)
		}
	}
}

// call runs f. A panic of it, which is a bug of the FS, goes to the machine
// goroutine, whose caller may have a terminal to put back.
func (q *queue) call(f func()) {
	defer func() {
		if v := recover(); v != nil {
			stack := debug.Stack()
			q.post(func() { panic(fmt.Sprintf("%v\n\n%s", v, stack)) })
		}
	}()
	f()
}

// keep copies a request, which the device uses again before it is served. A write
// is half a megabyte: memory for each would have the collector come all the time.
func (q *queue) keep(req []byte) []byte {
	q.mu.Lock()
	var b []byte
	if n := len(q.spare); n > 0 {
		b = q.spare[n-1]
		q.spare = q.spare[:n-1]
	}
	q.mu.Unlock()
	return append(b[:0], req...)
}

// release takes back what keep gave.
func (q *queue) release(b []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.spare) < maxFree {
		q.spare = append(q.spare, b)
	}
}

// take gives a call from the free list, or nil.
func (q *queue) take() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.free)
	if n == 0 {
		return nil
	}
	c := q.free[n-1]
	q.free = q.free[:n-1]
	return c
}

// deliver runs reply on the machine goroutine, after which c can be used again.
func (q *queue) deliver(c *call, reply func([]byte), resp []byte) {
	q.post(func() {
		reply(resp)
		c.reset()
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.free) < maxFree {
			q.free = append(q.free, c)
		}
	})
}
