package ctl

import (
	"io"

	"alpinevm/fs9p"
)

// The host's end of a source is read in pieces of sourceChunk, sourceAhead of
// them before the guest takes the first: the guest starts a program for what it
// takes at a time, which costs as much as the transfer of 64 KiB.
const (
	sourceChunk = 64 << 10
	sourceAhead = 16
)

// A source is a stream to the guest. Its fields belong to the machine
// goroutine; the goroutine that reads r knows r and the channel only.
type source struct {
	post    func(func())
	r       io.Reader
	wait    bool        // r is read on the machine goroutine, when there is nothing
	want    chan []byte // buffers to be filled; nil before the first read
	ready   [][]byte    // filled, in order, not taken yet; the first may be taken in part
	whole   [][]byte    // the buffers that ready's are parts of; nil ones are not the pump's
	err     error       // what ended the stream
	ended   bool
	waiting []*sourceRead

	released bool
}

// A sourceRead is a read that waits.
type sourceRead struct {
	p       []byte
	done    func(n int, err error)
	nothing func() // answers it so
}

// start has r read ahead, or, where the machine waits for its streams, once.
func (s *source) start() {
	if s.wait {
		for len(s.ready) == 0 && !s.ended {
			b := make([]byte, sourceChunk)
			n, err := s.r.Read(b)
			s.deliver(b, n, err)
		}
		return
	}
	if s.want != nil || s.ended {
		return
	}
	s.want = make(chan []byte, sourceAhead)
	for range sourceAhead {
		s.want <- make([]byte, sourceChunk)
	}
	go s.pump(s.want)
}

func (s *source) pump(want <-chan []byte) {
	for b := range want {
		n, err := s.r.Read(b)
		s.post(func() { s.deliver(b, n, err) })
		if err != nil {
			return
		}
	}
}

// deliver takes what the pump has read.
func (s *source) deliver(b []byte, n int, err error) {
	if n > 0 {
		s.ready, s.whole = append(s.ready, b[:n]), append(s.whole, b)
	} else if err == nil {
		s.reuse(b)
	}
	if err != nil {
		s.ended = true
		if err != io.EOF {
			s.err = err
		}
	}
	for len(s.waiting) > 0 && (len(s.ready) > 0 || s.ended) {
		w := s.waiting[0]
		s.waiting = s.waiting[1:]
		w.done(s.take(w.p))
	}
}

// take reads what is there, or the end.
func (s *source) take(p []byte) (int, error) {
	n := 0
	for n < len(p) && len(s.ready) > 0 {
		k := copy(p[n:], s.ready[0])
		n += k
		if s.ready[0] = s.ready[0][k:]; len(s.ready[0]) == 0 {
			if b := s.whole[0]; b != nil && !s.ended {
				s.reuse(b)
			}
			s.ready, s.whole = s.ready[1:], s.whole[1:]
		}
	}
	if n == 0 && s.err != nil {
		return 0, fs9p.ErrnoOf(s.err)
	}
	return n, nil
}

// reuse gives a buffer back to the pump.
func (s *source) reuse(b []byte) {
	if !s.wait {
		s.want <- b
	}
}

// letsGo is part of waiter.
func (s *source) letsGo() bool { return s.released }

// release is part of waiter.
func (s *source) release(on bool) {
	s.released = on
	for on && len(s.waiting) > 0 {
		w := s.waiting[0]
		s.cancel(w)
		w.nothing()
	}
}

// cancel forgets a read; what it would have got stays. It reports false if the
// read does not wait.
func (s *source) cancel(w *sourceRead) bool {
	for i, have := range s.waiting {
		if have == w {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// A sourceFile is an opening of a source.
//
// Linux turns one read(2) into requests until its buffer is full or one of
// them is answered by nothing (p9_client_read), unless the file was opened
// with O_NONBLOCK. A program that reads a line of ten bytes into 4,096 would so
// wait for the next line. So the request that is sure to follow a short answer,
// at the offset where that ended, is answered by nothing if there is nothing:
// the program gets what there was. It does not take that for the end of the
// file, which is told by nothing to the first request of a read(2).
type sourceFile struct {
	inert
	s     *source
	flags uint32
	short bool   // the last answer was
	next  uint64 // and ended at this offset
}

func (f *sourceFile) StartRead(p []byte, off uint64, done func(n int, err error)) (int, func(), error) {
	s := f.s
	s.start()
	goesOn := f.short && off == f.next
	f.short = false
	if len(p) == 0 || goesOn && len(s.ready) == 0 {
		return 0, nil, nil
	}
	if len(s.ready) > 0 || s.ended {
		n, err := s.take(p)
		f.answered(n, len(p), off)
		return n, nil, err
	}
	if s.released {
		return 0, nil, nil
	}
	w := &sourceRead{p: p, nothing: func() { done(0, nil) }}
	w.done = func(n int, err error) {
		f.answered(n, len(p), off)
		done(n, err)
	}
	s.waiting = append(s.waiting, w)
	return 0, func() { s.cancel(w) }, nil
}

func (f *sourceFile) answered(n, asked int, off uint64) {
	f.short = 0 < n && n < asked && f.flags&fs9p.ONonblock == 0
	f.next = off + uint64(n)
}

func (f *sourceFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}
