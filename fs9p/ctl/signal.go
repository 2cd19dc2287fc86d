package ctl

import "alpinevm/fs9p"

// Signal adds a file that holds text, and that cannot be read before Fire has
// been called: reads wait.
func (fs *FS) Signal(name string, mode uint32, text string) *Signal {
	s := &Signal{text: text, waits: fs.waits()}
	fs.remember(name, s)
	n := fs.add(name, mode)
	n.size = uint64(len(text))
	n.open = func(uint32) (fs9p.File, error) { return signalFile{s: s}, nil }
	return s
}

// Signal is a message that the guest waits for. Its methods are called on the
// machine goroutine.
type Signal struct {
	waits
	// Asked, where not nil, is called on the machine goroutine whenever a
	// program of the guest reads.
	Asked func()

	text  string
	fired bool
}

// Fired tells whether Fire was called.
func (s *Signal) Fired() bool { return s.fired }

// Fire lets the file be read, from now on.
func (s *Signal) Fire() {
	s.fired = true
	for len(s.list) > 0 {
		s.end(s.list[0], s.text)
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
	if s.released {
		return 0, nil, nil
	}
	w := s.add(func(text string) { done(static(text).ReadAt(p, off)) })
	return 0, func() { s.forget(w) }, nil
}

func (f signalFile) StartWrite([]byte, uint64, func(int, error)) (int, func(), error) {
	return 0, nil, fs9p.EBADF
}
