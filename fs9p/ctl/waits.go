package ctl

import (
	"slices"
	"time"
)

// waits are reads that wait for the host. They belong to the machine goroutine.
type waits struct {
	// Patience, where not 0, is how long a read waits; it is then answered by
	// nothing, and is to be made again. A process that waits in a file of v9fs
	// heeds a signal that ends it, but none at all once it has been sent SIGSTOP,
	// until it has its answer (Linux's TASK_KILLABLE and wants_signal); some
	// inits stop every process before they end it, and then wait. Needs a Post.
	Patience time.Duration

	post func(func())
	list []*wait
}

// A wait is a read that waits.
type wait struct {
	answer func(text string)
	late   *time.Timer // nil: it waits for ever
}

// Awaited tells whether a program of the guest waits.
func (l *waits) Awaited() bool { return len(l.list) > 0 }

// add adds a read.
func (l *waits) add(answer func(text string)) *wait {
	w := &wait{answer: answer}
	if l.Patience > 0 {
		w.late = time.AfterFunc(l.Patience, func() { l.post(func() { l.end(w, "") }) })
	}
	l.list = append(l.list, w)
	return w
}

// forget takes a read off the list. It reports false if it is not there.
func (l *waits) forget(w *wait) bool {
	i := slices.Index(l.list, w)
	if i < 0 {
		return false
	}
	l.list = slices.Delete(l.list, i, i+1)
	if w.late != nil {
		w.late.Stop()
	}
	return true
}

// end answers a read that still waits.
func (l *waits) end(w *wait, text string) {
	if l.forget(w) {
		w.answer(text)
	}
}
