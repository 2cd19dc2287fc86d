package ctl

import (
	"fmt"
	"slices"

	"alpinevm/fs9p"
)

// linesRoom is how many lines wait for the guest. Those that come when there are
// as many are lost.
const linesRoom = 64

// Lines adds a file by which the host tells the guest numbers, one an opening: the
// first read of an opening waits for a number, and the file then says it in width
// decimal digits and a line feed.
func (fs *FS) Lines(name string, mode uint32, width int) *Lines {
	l := &Lines{width: width}
	fs.remember(name, l)
	n := fs.add(name, mode)
	n.size = uint64(width) + 1
	n.open = func(uint32) (fs9p.File, error) { return &linesFile{l: l}, nil }
	return l
}

// Lines is a queue of numbers to the guest. Its methods are called on the machine
// goroutine.
type Lines struct {
	width    int
	queue    []string
	waiting  []*linesRead
	released bool
}

// A linesRead is a read that waits.
type linesRead struct {
	f      *linesFile
	answer func()
}

// Tell queues a number. One that has more digits than a line is a bug.
func (l *Lines) Tell(number int) {
	line := fmt.Sprintf("%0*d\n", l.width, number)
	if len(line) != l.width+1 || number < 0 {
		panic(fmt.Sprintf("BUG: ctl: %d in %d digits", number, l.width))
	}
	if len(l.queue) < linesRoom {
		l.queue = append(l.queue, line)
	}
	for {
		i := slices.IndexFunc(l.waiting, func(w *linesRead) bool { return w.f.line != "" || len(l.queue) > 0 })
		if i < 0 {
			return
		}
		w := l.waiting[i]
		l.forget(w)
		w.answer()
	}
}

// Clear forgets what the guest has not read.
func (l *Lines) Clear() { l.queue = nil }

// letsGo is part of waiter.
func (l *Lines) letsGo() bool { return l.released }

// release is part of waiter.
func (l *Lines) release(on bool) {
	l.released = on
	for on && len(l.waiting) > 0 {
		w := l.waiting[0]
		l.forget(w)
		w.answer()
	}
}

// forget takes a read off the list.
func (l *Lines) forget(w *linesRead) {
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// A linesFile is an opening of it.
type linesFile struct {
	inert
	l    *Lines
	line string // empty before the first read has ended
}

func (f *linesFile) StartRead(p []byte, off uint64, done func(n int, err error)) (int, func(), error) {
	l := f.l
	if f.line == "" && len(l.queue) == 0 && !l.released {
		w := &linesRead{f: f, answer: func() { done(f.read(p, off)) }}
		l.waiting = append(l.waiting, w)
		return 0, func() { l.forget(w) }, nil
	}
	n, err := f.read(p, off)
	return n, nil, err
}

// read reads the line, which is taken from the queue where there is none yet.
func (f *linesFile) read(p []byte, off uint64) (int, error) {
	if f.line == "" && len(f.l.queue) > 0 {
		f.line, f.l.queue = f.l.queue[0], f.l.queue[1:]
	}
	return static(f.line).ReadAt(p, off)
}

func (f *linesFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}
