package ctl

import (
	"slices"
	"time"

	"alpinevm/fs9p"
)

// Signal adds a file that holds text, and that cannot be read before Fire has
// been called: reads wait.
func (fs *FS) Signal(name string, mode uint32, text string) *Signal {
	s := &Signal{text: text, post: fs.cfg.Post}
	fs.remember(name, s)
	n := fs.add(name, mode)
	n.size = uint64(len(text))
	n.open = func(uint32) (fs9p.File, error) { return signalFile{s: s}, nil }
	return s
}

// Signal is a message that the guest waits for. Its methods are called on the
// machine goroutine.
type Signal struct {
	// Asked, where not nil, is called on the machine goroutine whenever a
	// program of the guest reads.
	Asked func()
	// Patience, where not 0, is how long a read waits; it is then answered by
	// nothing, and is to be made again. A process that waits in a file of v9fs
	// heeds a signal that ends it, but none at all once it has been sent SIGSTOP,
	// until it has its answer (Linux's TASK_KILLABLE and wants_signal); some
	// inits stop every process before they end it, and then wait. Needs a Post.
	Patience time.Duration

	post    func(func())
	text    string
	fired   bool
	waiting []*signalRead
}

// A signalRead is a read that waits.
type signalRead struct {
	answer func(text string)
	late   *time.Timer // nil: it waits for ever
}

// Fire lets the file be read, from now on.
func (s *Signal) Fire() {
	s.fired = true
	for len(s.waiting) > 0 {
		s.end(s.waiting[0], s.text)
	}
}

// Awaited tells whether a program of the guest waits for the signal.
func (s *Signal) Awaited() bool { return len(s.waiting) > 0 }

// wait adds a read.
func (s *Signal) wait(answer func(text string)) *signalRead {
	w := &signalRead{answer: answer}
	if s.Patience > 0 {
		w.late = time.AfterFunc(s.Patience, func() { s.post(func() { s.end(w, "") }) })
	}
	s.waiting = append(s.waiting, w)
	return w
}

// forget takes a read off the list. It reports false if it is not there.
func (s *Signal) forget(w *signalRead) bool {
	i := slices.Index(s.waiting, w)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	if w.late != nil {
		w.late.Stop()
	}
	return true
}

// end answers a read that still waits.
func (s *Signal) end(w *signalRead, text string) {
	if s.forget(w) {
		w.answer(text)
	}
}

// A signalFile is an opening of a signal.
type signalFile struct {
	inert
	s *Signal
}

func (f signalFile) StartRead(p []byte, off uint64, done func(n int, err error)) (int, func(), error) {
	s := f.s
	if s.Asked != nil {
		s.Asked()
	}
	if s.fired {
		n, err := static(s.text).ReadAt(p, off)
		return n, nil, err
	}
	w := s.wait(func(text string) { done(static(text).ReadAt(p, off)) })
	return 0, func() { s.forget(w) }, nil
}

func (f signalFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}
