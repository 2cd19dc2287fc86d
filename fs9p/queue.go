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
	free    []*call // whose replies have been delivered
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
