package board

import (
	"io"
	"slices"
)

// outletRoom is how much output waits for the host before the machine stops
// stepping, in bytes.
const outletRoom = 64 << 10

// outlet carries what a device prints to an io.Writer that may block. The
// device fills it on the machine goroutine; a goroutine of its own writes. It
// never refuses: a machine whose outlet is full does not step, so that what the
// guest sees does not depend on the host's speed.
type outlet struct {
	w       io.Writer
	kick    func(func())
	waiting []byte // not yet handed to the writer
	spare   []byte
	writing bool
	err     error // of the last write; later output is dropped
	work    chan []byte
}

// newOutlet starts the goroutine, which ends with close. A nil w drops
// everything.
func newOutlet(w io.Writer, kick func(func())) *outlet {
	o := &outlet{w: w, kick: kick}
	if w != nil {
		o.work = make(chan []byte, 1)
		go o.write(o.work)
	}
	return o
}

func (o *outlet) write(work <-chan []byte) {
	for p := range work {
		_, err := o.w.Write(p)
		o.kick(func() {
			o.writing, o.spare = false, p[:0]
			if err != nil && o.err == nil {
				o.err = err
			}
			o.pump()
		})
	}
}

// put takes p over.
func (o *outlet) put(p []byte) {
	if o.w == nil || o.err != nil {
		return
	}
	o.waiting = append(o.waiting, p...)
	o.pump()
}

// pump hands what waits to the writer, if it is free.
func (o *outlet) pump() {
	if o.writing || len(o.waiting) == 0 || o.work == nil {
		return
	}
	if o.err != nil {
		o.waiting = o.waiting[:0]
		return
	}
	o.writing = true
	o.work <- o.waiting
	o.waiting, o.spare = o.spare, nil
}

// full says that the machine has to wait for the host.
func (o *outlet) full() bool { return len(o.waiting) >= outletRoom }

// empty says that all has been written.
func (o *outlet) empty() bool { return !o.writing && len(o.waiting) == 0 }

// save gives what waits. What the writer has is the host's already.
func (o *outlet) save() []byte { return slices.Clone(o.waiting) }

// close ends the goroutine.
func (o *outlet) close() {
	if o.work != nil {
		close(o.work)
		o.work = nil
	}
}
