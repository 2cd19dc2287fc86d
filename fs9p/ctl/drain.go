package ctl

import (
	"bytes"
	"io"
	"sync"

	"alpinevm/fs9p"
)

// drainRoom is how much the guest can write ahead of the host.
const drainRoom = 1 << 20

// Drain is a stream from the guest.
type Drain struct {
	w    io.Writer
	post func(func())
	wait bool // w is written on the machine goroutine

	mu      sync.Mutex
	idle    sync.Cond // broadcast when nothing is queued or being written
	queue   [][]byte
	held    int // bytes in queue and being written
	running bool
	err     error // of a write; nothing is written after it

	waiting []*drainWrite // the machine goroutine's
}

// A drainWrite is a write that waits for room.
type drainWrite struct {
	p    []byte
	done func(n int, err error)
}

func newDrain(w io.Writer, post func(func())) *Drain {
	d := &Drain{w: w, post: post}
	d.idle.L = &d.mu
	return d
}

// Flush waits until all that the guest's finished writes held has been written,
// and gives the first error of writing it.
func (d *Drain) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.running {
		d.idle.Wait()
	}
	return d.err
}

// Busy says whether some of what the guest's finished writes held has yet to be
// written. Post is called once more after that.
func (d *Drain) Busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// put queues as much of p as there is room for.
func (d *Drain) put(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, errno(d.err)
	}
	if d.wait {
		if _, d.err = d.w.Write(p); d.err != nil {
			return 0, errno(d.err)
		}
		return len(p), nil
	}
	n := min(len(p), drainRoom-d.held)
	if n == 0 {
		return 0, nil
	}
	d.queue = append(d.queue, bytes.Clone(p[:n]))
	d.held += n
	if !d.running {
		d.running = true
		go d.run()
	}
	return n, nil
}

// errno is EPIPE unless the host's error says something of its own.
func errno(err error) error {
	if e := fs9p.ErrnoOf(err); e != fs9p.EIO {
		return e
	}
	return fs9p.EPIPE
}

// run writes what is queued, and ends when nothing is.
func (d *Drain) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 && d.err == nil {
		p := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()
		_, err := d.w.Write(p)
		d.mu.Lock()
		d.held -= len(p)
		if err != nil {
			d.err = err
		}
		d.post(d.room)
	}
	if d.err != nil {
		d.queue, d.held = nil, 0
	}
	d.running = false
	d.idle.Broadcast()
	d.post(d.room)
}

// room gives writes that wait the room that there is now, or the error. It
// runs on the machine goroutine.
func (d *Drain) room() {
	for len(d.waiting) > 0 {
		w := d.waiting[0]
		n, err := d.put(w.p)
		if n == 0 && err == nil {
			return
		}
		d.waiting = d.waiting[1:]
		w.done(n, err)
	}
}

func (d *Drain) cancel(w *drainWrite) {
	for i, have := range d.waiting {
		if have == w {
			d.waiting = append(d.waiting[:i:i], d.waiting[i+1:]...)
			return
		}
	}
}

// A drainFile is an opening of a Drain.
type drainFile struct {
	inert
	d *Drain
}

func (drainFile) writable() {}

func (f drainFile) StartRead([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}

// waitingWrite bounds what is copied of a write that waits.
const waitingWrite = 64 << 10

// StartWrite takes what there is room for; Linux sends the rest again.
func (f drainFile) StartWrite(p []byte, _ uint64, done func(n int, err error)) (int, func(), error) {
	d := f.d
	if len(p) == 0 {
		return 0, nil, nil
	}
	if len(d.waiting) == 0 {
		if n, err := d.put(p); n > 0 || err != nil {
			return n, nil, err
		}
	}
	w := &drainWrite{p: bytes.Clone(p[:min(len(p), waitingWrite)]), done: done}
	d.waiting = append(d.waiting, w)
	return 0, func() { d.cancel(w) }, nil
}
