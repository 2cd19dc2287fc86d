package fs9p

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// Bounds of what a guest can have under way at a slow FS.
const (
	maxQueued      = 512     // requests; a ring holds fewer
	maxQueuedBytes = 8 << 20 // of requests; one more may begin below it
	maxReplyBytes  = 4 << 20 // of replies that the machine goroutine has yet to take, likewise
)

// A queue runs the requests of a slow FS one after the other on a goroutine
// that exists while there are any. The session belongs to that goroutine.
//
// A request is in one of four states: it waits; the FS is at it; its reply is on
// the way to the machine goroutine; or it has been given up, whatever the FS
// does, and nobody hears of it any more.
type queue struct {
	s *Server

	// The machine goroutine's.
	calls []*call // that have to be answered, in the order in which they came
	held  int     // bytes of the requests that have been kept
	used  bool    // there may be a session
	done  chan struct{}
	bury  *call // a step of Server.bury

	mu      sync.Mutex
	taken   sync.Cond // replies has sunk, or closing was set
	waiting []*call
	running bool
	closing bool
	replies int // bytes on the way to the machine goroutine
}

// queued is what the queue knows of a call.
type queued struct {
	req     []byte  // a copy of the message
	flushes []*call // Tflushes that are answered behind it
	work    func()  // what is to be done in place of a request
}

func newQueue(s *Server) *queue {
	q := &queue{s: s, bury: &call{queued: queued{work: func() { s.bury(buryStep) }}}}
	q.taken.L = &q.mu
	return q
}

// full is Server.Full. A request that was given up counts while the FS is at it,
// but nobody can wait for its reply.
func (q *queue) full() bool {
	return len(q.calls) >= maxQueued || len(q.calls) > 0 && q.held >= maxQueuedBytes
}

// quiet is Server.Quiet. The session can then be looked at.
func (q *queue) quiet() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.calls) == 0 && !q.running
}

// add takes the request req, which c has been made for.
func (q *queue) add(c *call, req []byte) {
	switch {
	case q.done != nil:
		q.s.answer(c, nil)
		return
	case q.full():
		q.s.trace(c.tag, req)
		q.s.refuse(c, EAGAIN)
		return
	case c.typ == MsgTflush:
		q.s.trace(c.tag, req)
		q.flush(c)
		return
	case c.typ == MsgTversion:
		q.abort()
	}
	// The device uses its buffer again. A write is half a megabyte: new memory
	// for each would have the collector come all the time.
	c.req = append(c.req[:0], req...)
	c.in.b = c.req[headerLen:]
	q.held += len(c.req)
	q.calls = append(q.calls, c)
	q.used = true
	q.enter(c)
}

// enter puts c at the end of what waits.
func (q *queue) enter(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, c)
	if !q.running {
		q.running = true
		go q.run()
	}
}

// takeBack takes c out of what waits. It reports false if c is not there.
func (q *queue) takeBack(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, c)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// forget takes c off the list of what has to be answered.
func (q *queue) forget(c *call) {
	if i := slices.Index(q.calls, c); i >= 0 {
		q.calls = slices.Delete(q.calls, i, i+1)
	}
}

// giveUp says that there will be no answer to c. It is used again once the FS
// has done with it.
func (q *queue) giveUp(c *call) {
	q.forget(c)
	reply := c.reply
	c.reply = nil
	reply(nil)
}

// cancel is the end of a request that waits. It reports false if c does not.
func (q *queue) cancel(c *call) bool {
	if !q.takeBack(c) {
		return false
	}
	q.forget(c)
	q.held -= len(c.req)
	q.s.answer(c, nil)
	return true
}

// harmless are the requests that leave nothing behind for a client that has not
// heard of their end: they can be given up while the FS is at them.
var harmless = [256]bool{
	MsgTflush: true, MsgTread: true, MsgTreaddir: true, MsgTreadlink: true,
	MsgTgetattr: true, MsgTstatfs: true, MsgTgetlock: true, MsgTfsync: true,
}

// flush obeys flush(5): it does not wait its turn. What it names is given up
// where that can be; what has begun to change something is waited for, as the
// client has to know of it.
func (q *queue) flush(c *call) {
	var m Tflush
	if m.code(&c.in); c.in.bad {
		q.s.refuse(c, EBADMSG)
		return
	}
	if i := slices.IndexFunc(q.calls, func(old *call) bool { return old.tag == m.OldTag }); i >= 0 {
		switch old := q.calls[i]; {
		case q.cancel(old):
		case harmless[old.typ]:
			q.giveUp(old)
		default:
			old.flushes = append(old.flushes, c)
			q.calls = append(q.calls, c)
			return
		}
	}
	q.s.refuse(c, nil)
}

// abort gives up what waits, for a Tversion (version(5)).
func (q *queue) abort() {
	for _, c := range slices.Clone(q.calls) {
		q.cancel(c)
	}
}

// reset is Server.Reset.
func (q *queue) reset() {
	if !q.used || q.done != nil {
		return
	}
	for _, c := range q.calls {
		c.reply = nil
	}
	q.end(func() { q.s.begin(0) })
	q.used = false
}

// close is Server.Close.
func (q *queue) close() <-chan struct{} {
	if q.done != nil {
		return q.done
	}
	done := make(chan struct{})
	q.done = done
	for _, c := range slices.Clone(q.calls) {
		q.giveUp(c)
	}
	q.mu.Lock()
	q.closing = true
	q.taken.Signal()
	q.mu.Unlock()
	q.end(func() { q.s.end(); close(done) })
	return done
}

// end has work done in place of everything that waits. Nobody wants to hear of
// what has been under way.
func (q *queue) end(work func()) {
	q.calls = nil
	q.mu.Lock()
	for _, c := range q.waiting {
		q.held -= len(c.req)
	}
	q.waiting = nil
	q.mu.Unlock()
	q.enter(&call{queued: queued{work: work}})
}

func (q *queue) run() {
	for c := q.next(); c != nil; c = q.next() {
		q.do(c)
	}
}

// next gives what is to be done, nil if that is nothing and run is to return.
func (q *queue) next() *call {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.replies >= maxReplyBytes && !q.closing {
		q.taken.Wait()
	}
	switch {
	case len(q.waiting) > 0:
	case q.s.over.count > 0:
		return q.bury
	default:
		q.running, q.waiting = false, nil
		return nil
	}
	c := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return c
}

// do serves c. A panic, which is a bug of the FS, goes to the machine goroutine,
// whose caller may have a terminal to put back.
func (q *queue) do(c *call) {
	defer func() {
		if v := recover(); v != nil {
			stack := debug.Stack()
			q.s.cfg.Post(func() { panic(fmt.Sprintf("%v\n\n%s", v, stack)) })
		}
	}()
	if c.work != nil {
		c.work()
		return
	}
	q.s.trace(c.tag, c.req)
	q.s.serve(c)
}

// deliver has the machine goroutine answer c.
func (q *queue) deliver(c *call, resp []byte) {
	q.mu.Lock()
	q.replies += len(resp)
	q.mu.Unlock()
	q.s.cfg.Post(func() { q.answered(c, resp) })
}

// answered is the end of c, on the machine goroutine.
func (q *queue) answered(c *call, resp []byte) {
	q.mu.Lock()
	q.replies -= len(resp)
	q.taken.Signal()
	q.mu.Unlock()
	q.held -= len(c.req)
	q.forget(c)
	flushes := c.flushes
	q.s.answer(c, resp)
	for _, f := range flushes {
		q.forget(f)
		q.s.refuse(f, nil)
	}
}
