package fs9p

import "sync"

// A queue runs the requests of a slow FS one after the other on a goroutine
// that exists while there are any. All of the Server's state but the queue
// belongs to that goroutine.
type queue struct {
	post func(func())

	mu      sync.Mutex
	waiting []func()
	running bool
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
			f()
		}
	}
}

// posted wraps reply so that it runs on the machine goroutine.
func (q *queue) posted(reply func([]byte)) func([]byte) {
	return func(resp []byte) { q.post(func() { reply(resp) }) }
}
