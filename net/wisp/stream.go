package wisp

import (
	"context"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// link is what streams share: one pipe.
type link struct {
	pipe   Pipe
	flow   bool // both ends know Flow
	server bool // this one is the relay

	mu      sync.Mutex
	streams map[uint32]*stream
	lost    error // not nil: no more streams
}

func (l *link) send(p packet) error {
	ctx, stop := context.WithTimeout(context.Background(), sendTime)
	defer stop()
	return l.pipe.Send(ctx, p.bytes())
}

// sendTime bounds how long a message may take to be on its way.
const sendTime = time.Minute

// get finds a stream.
func (l *link) get(id uint32) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[id]
}

func (l *link) forget(id uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, id)
}

// fail ends all streams.
func (l *link) fail(err error) {
	l.mu.Lock()
	l.lost = err
	all := l.streams
	l.streams = nil
	l.mu.Unlock()
	l.pipe.Close()
	for _, s := range all {
		s.fail(err)
	}
}

// stream is a flow. It implements net.Conn, and CloseWrite as a TCP connection has it.
type stream struct {
	link    *link
	id      uint32
	network string // "tcp" or "udp"
	address addr

	mu       sync.Mutex
	change   chan struct{} // closed and made anew at each change
	queue    [][]byte      // what has come and was not read
	queued   int           // bytes of it
	taken    int           // packets read that the other end has not heard of
	window   int           // packets that the other end takes; -1: any number
	ended    bool          // no more comes
	halfShut bool          // no more goes
	err      error         // why it is over
	reading  deadline
	writing  deadline
}

type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }

// deadline is a time after which a call fails; zero: never.
type deadline struct{ at time.Time }

func newStream(l *link, id uint32, network, address string, window int) *stream {
	return &stream{link: l, id: id, network: network, address: addr{network, address}, change: make(chan struct{}), window: window}
}

// changed wakes whoever waits. mu is held.
func (s *stream) changed() {
	close(s.change)
	s.change = make(chan struct{})
}

// wait waits for a change, with mu held before and after.
func (s *stream) wait(d *deadline) error {
	change, at := s.change, d.at
	s.mu.Unlock()
	defer s.mu.Lock()
	if at.IsZero() {
		<-change
		return nil
	}
	left := time.Until(at)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-change:
	case <-t.C:
	}
	return nil
}

// Read is part of net.Conn. A datagram that is longer than p loses its end.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for len(s.queue) == 0 {
		var err error
		switch {
		case s.err != nil && s.err != net.ErrClosed && s.ended:
			err = io.EOF
		case s.err != nil:
			err = s.err
		case s.ended:
			err = io.EOF
		default:
			err = s.wait(&s.reading)
		}
		if err != nil {
			s.mu.Unlock()
			return 0, err
		}
	}
	first := s.queue[0]
	n := copy(p, first)
	s.queued -= n
	if n < len(first) && s.network == "tcp" {
		s.queue[0] = first[n:]
		s.mu.Unlock()
		return n, nil
	}
	s.queued -= len(first) - n
	s.queue = s.queue[1:]
	s.taken++
	more := 0
	if s.grants() && s.taken >= grant/2 && s.err == nil {
		more, s.taken = s.taken, 0
		if !s.link.flow {
			more = grant - len(s.queue)
		}
	}
	s.mu.Unlock()
	if more > 0 {
		s.link.send(packet{kindContinue, s.id, number(uint32(more))})
	}
	return n, nil
}

// grants tells whether the other end heeds CONTINUE: how many packets more it may
// send, with Flow, or else how many in all.
func (s *stream) grants() bool { return s.network == "tcp" && (s.link.flow || s.link.server) }

// Write is part of net.Conn.
func (s *stream) Write(p []byte) (n int, err error) {
	for first := true; first || n < len(p); first = false {
		part := p[n:min(n+packetSize, len(p))]
		if s.network == "udp" {
			part = p
		}
		if err := s.take(); err != nil {
			return n, err
		}
		if err := s.link.send(packet{kindData, s.id, part}); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// take waits until a packet may be sent.
func (s *stream) take() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.err != nil:
			return s.err
		case s.halfShut:
			return net.ErrClosed
		case s.window < 0 || s.network == "udp":
			return nil
		case s.window > 0:
			s.window--
			return nil
		}
		if err := s.wait(&s.writing); err != nil {
			return err
		}
	}
}

// CloseWrite says that no more comes. An end that does not know Flow is not told.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	if s.halfShut || s.err != nil {
		s.mu.Unlock()
		return nil
	}
	s.halfShut = true
	s.changed()
	s.mu.Unlock()
	if s.link.flow {
		return s.link.send(packet{kindEnd, s.id, nil})
	}
	return nil
}

// Close is part of net.Conn.
func (s *stream) Close() error {
	if s.over(net.ErrClosed, true) {
		s.link.send(packet{kindClose, s.id, []byte{byte(ReasonVoluntary)}})
	}
	return nil
}

// over ends the stream here, and says whether it was not over. drop forgets what has come.
func (s *stream) over(err error, drop bool) bool {
	s.link.forget(s.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.err
	if s.err == nil || err == net.ErrClosed {
		s.err = err
	}
	if drop {
		s.queue, s.queued = nil, 0
	}
	s.changed()
	return was == nil
}

// fail ends the stream by an error.
func (s *stream) fail(err error) { s.over(err, false) }

// closed is a CLOSE of the other end.
func (s *stream) closed(r Reason) {
	s.mu.Lock()
	if r == ReasonVoluntary {
		s.ended = true
	}
	s.mu.Unlock()
	s.over(&Error{r}, false)
}

// finish is an END of the other end.
func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changed()
}

// granted is a CONTINUE of the other end.
func (s *stream) granted(n uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window < 0 {
		return
	}
	if !s.link.flow {
		s.window = 0
	}
	s.window = min(s.window+int(min(n, maxWindow)), maxWindow)
	s.changed()
}

// came is data of the other end. It says whether there was room.
func (s *stream) came(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.ended {
		return true
	}
	if s.network == "udp" && len(s.queue) >= grant {
		return true // as datagrams are lost
	}
	if s.network == "tcp" && (s.grants() && len(s.queue) >= 2*grant || s.queued+len(data) > queueBytes) {
		return false
	}
	s.queue = append(s.queue, slices.Clone(data))
	s.queued += len(data)
	s.changed()
	return true
}

// LocalAddr is part of net.Conn.
func (s *stream) LocalAddr() net.Addr { return addr{s.network, "relay"} }

// RemoteAddr is part of net.Conn.
func (s *stream) RemoteAddr() net.Addr { return s.address }

// SetDeadline is part of net.Conn.
func (s *stream) SetDeadline(t time.Time) error {
	s.set(&s.reading, t)
	s.set(&s.writing, t)
	return nil
}

// SetReadDeadline is part of net.Conn.
func (s *stream) SetReadDeadline(t time.Time) error { s.set(&s.reading, t); return nil }

// SetWriteDeadline is part of net.Conn.
func (s *stream) SetWriteDeadline(t time.Time) error { s.set(&s.writing, t); return nil }

func (s *stream) set(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	s.changed()
}
