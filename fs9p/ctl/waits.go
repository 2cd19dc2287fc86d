package ctl

import (
	"slices"
	"time"

	"alpinevm/fs9p"
)

// waits are reads that wait for the host. They belong to the machine goroutine.
type waits struct {
	// Patience is Config's.
	Patience time.Duration

	post     func(func())
	list     []*wait
	released bool
}

func (fs *FS) waits() waits { return waits{post: fs.cfg.Post, Patience: fs.cfg.Patience} }

// A wait is a read that waits.
type wait struct {
	answer  func(text string)
	late    *time.Timer // nil: it waits for ever
	opening fs9p.File   // of a Queue
}

// Awaited tells whether a program of the guest waits.
func (l *waits) Awaited() bool { return len(l.list) > 0 }

// add adds a read.
func (l *waits) add(answer func(text string)) *wait {
	w := &wait{answer: answer}
	w.late = late(l.Patience, l.post, func() { l.end(w, "") })
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

// letsGo is part of waiter.
func (l *waits) letsGo() bool { return l.released }

// release is part of waiter.
func (l *waits) release(on bool) {
	l.released = on
	for on && len(l.list) > 0 {
		l.end(l.list[0], "")
	}
}

// end answers a read that still waits.
func (l *waits) end(w *wait, text string) {
	if l.forget(w) {
		w.answer(text)
	}
}

// late has f called on the machine goroutine after the time of a Patience; nil
// where that is 0.
func late(patience time.Duration, post func(func()), f func()) *time.Timer {
	if patience == 0 {
		return nil
	}
	return time.AfterFunc(patience, func() { post(f) })
}
