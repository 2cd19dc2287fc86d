// Package gdb lets gdb, and what speaks its remote serial protocol (gdb's manual,
// appendix E), debug a machine from outside of the guest: one client at a time, in
// all-stop mode, with the processor as the only thread. The client may read and write
// registers and memory at linear addresses, set breakpoints and watchpoints, of which
// the guest sees nothing, step and go on. While it holds the machine the guest has no
// time. A client that is gone leaves the machine running, without its breakpoints.
//
// Whoever connects controls the guest: it is for its owner to say who can.
package gdb

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"sync"
	"time"

	"alpinevm/cpu"
)

// Stop is why a machine is held.
type Stop struct {
	Requested  bool            // by Hold
	Breakpoint bool            // at Addr; else, without Watch, a step has ended
	Watch      *cpu.Watchpoint // Addr was accessed
	Addr       uint32
}

// Server serves debuggers of one machine.
type Server struct {
	l      net.Listener
	t      Target
	closed chan struct{}
	close  sync.Once
	ends   sync.WaitGroup

	place   chan struct{} // is taken by the client that there is
	refusal chan struct{} // and these by those that are being told so

	client *client // on the machine's goroutine; nil: there is none
}

// Bounds of time and number.
const (
	writeTimeout  = 30 * time.Second // of a client that does not read
	refuseTimeout = time.Second
	closeTimeout  = time.Second
	maxRefusals   = 8
)

// Serve serves those who connect until Close, which closes l.
func Serve(l net.Listener, t Target) *Server {
	s := &Server{l: l, t: t, closed: make(chan struct{}), place: make(chan struct{}, 1), refusal: make(chan struct{}, maxRefusals)}
	s.ends.Go(s.accept)
	return s
}

func (s *Server) accept() {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			select {
			case <-s.closed:
				return
			case <-time.After(refuseTimeout): // no descriptor is left, say
				continue
			}
		}
		if !s.in(s.place, conn, s.serve) && !s.in(s.refusal, conn, refuse) {
			conn.Close()
		}
	}
}

// in has a connection served if there is room.
func (s *Server) in(room chan struct{}, conn net.Conn, serve func(net.Conn)) bool {
	select {
	case room <- struct{}{}:
		s.ends.Go(func() {
			serve(conn)
			<-room
		})
		return true
	default:
		return false
	}
}

// refuse tells a client that there is another one: gdb shows it as the failure of its
// first request.
func refuse(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(refuseTimeout))
	r := bufio.NewReader(conn)
	for {
		it, err := readItem(r, nil)
		if err != nil {
			return
		}
		if it.kind != aPacket {
			continue
		}
		if _, err := conn.Write(append([]byte("+"), framed([]byte("E.the machine has a debugger already, and takes one at a time"))...)); err != nil {
			return
		}
	}
}

// Stopped is told each time that the machine has come to be held, on its goroutine.
func (s *Server) Stopped(stop Stop) {
	if c := s.client; c != nil {
		c.stopped(c.session.stopped(stop))
	}
}

// Exited is told that the machine has ended with a code; Killed, by a signal. Both are
// told on its goroutine.
func (s *Server) Exited(code uint8) { s.ended(fmt.Sprintf("W%02x", code)) }

// Killed is Exited for an end by a signal.
func (s *Server) Killed(signal int) { s.ended(fmt.Sprintf("X%02x", signal)) }

func (s *Server) ended(reply string) {
	if c := s.client; c != nil {
		c.stopped(reply)
	}
}

// Close ends the connection that there is, and serves nobody any more. The machine
// does not run.
func (s *Server) Close() {
	s.close.Do(func() {
		s.ended(fmt.Sprintf("X%02x", SigKILL)) // unless an end was told
		close(s.closed)
		s.l.Close()
	})
	s.ends.Wait()
}

// client is a connection with one debugger.
type client struct {
	s       *Server
	conn    net.Conn
	session *session
	// stops are replies to what had the machine go on: one, and one more while that is
	// about to be sent.
	stops chan string
	noAck bool
	last  []byte // what was sent last

	waiting bool // for the machine to stop; on its goroutine
}

// stopped sends the reply that the client waits for, if it does.
func (c *client) stopped(reply string) {
	if c.waiting {
		c.waiting = false
		c.stops <- reply // there is room: a packet may be answered by one
	}
}

// tellStop sends the stop that is still to be told, if there is one.
func (c *client) tellStop() bool {
	select {
	case reply := <-c.stops:
		return c.send(reply)
	default:
		return true
	}
}

// do has f run on the machine's goroutine, and waits for that. It reports false where
// the machine is gone.
func (c *client) do(f func()) bool {
	done := make(chan struct{})
	c.s.t.Kick(func() {
		f()
		close(done)
	})
	select {
	case <-done:
		return true
	case <-c.s.closed:
		return false
	}
}

// serve serves a client until it leaves or the server is closed.
func (s *Server) serve(conn net.Conn) {
	c := &client{s: s, conn: conn, stops: make(chan string, 2)}
	over := make(chan struct{})
	defer s.leave(c)
	defer conn.Close()
	defer close(over)
	items := make(chan item)
	s.ends.Go(func() { read(conn, items, over) })
	s.ends.Go(func() {
		select {
		case <-s.closed:
			c.hurry()
		case <-over:
		}
	})
	if !c.do(func() {
		c.session = newSession(s.t)
		s.client = c
		s.t.Hold()
		c.session.last = newSession(s.t).last
	}) {
		return
	}
	for {
		ok := true
		select {
		case it, more := <-items:
			ok = more && c.take(it)
		case reply := <-c.stops:
			ok = c.send(reply)
		case <-s.closed:
			c.tellStop()
			return
		}
		if !ok {
			return
		}
	}
}

// leave lets the machine go on without the client.
func (s *Server) leave(c *client) {
	c.do(func() {
		if c.session != nil && !c.session.detached {
			c.session.detach()
		}
		if s.client == c {
			s.client = nil
		}
	})
}

// read reads what a client sends until it ends or over is closed.
func read(conn net.Conn, items chan<- item, over <-chan struct{}) {
	defer close(items)
	r := bufio.NewReader(conn)
	buf := make([]byte, 0, PacketSize)
	for {
		it, err := readItem(r, buf)
		if err != nil {
			return
		}
		it.data = bytes.Clone(it.data)
		select {
		case items <- it:
		case <-over:
			return
		}
	}
}

// take does what a client asks for. It reports false at the end of the connection.
func (c *client) take(it item) bool {
	switch it.kind {
	case nak:
		return c.last == nil || c.write(c.last)
	case interrupt:
		return c.do(c.s.t.Hold)
	case damaged:
		return !c.noAck && c.write([]byte("-"))
	case tooLong:
		return c.acknowledge() && c.send(errInvalid)
	case aPacket:
		return c.acknowledge() && c.packet(it.data)
	}
	return true
}

// packet handles one.
func (c *client) packet(p []byte) bool {
	var reply string
	var wait, detached bool
	if !c.tellStop() || !c.do(func() {
		reply, wait = c.session.handle(p)
		c.waiting = c.waiting || wait
		detached = c.session.detached
	}) {
		return false
	}
	if wait {
		return true
	}
	if !c.send(reply) || detached {
		return false
	}
	c.noAck = c.noAck || string(p) == "QStartNoAckMode"
	return true
}

// hurry has a write that is under way end soon, as the server is closed.
func (c *client) hurry() { c.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) }

func (c *client) acknowledge() bool { return c.noAck || c.write([]byte("+")) }

func (c *client) send(reply string) bool {
	c.last = framed([]byte(reply))
	return c.write(c.last)
}

func (c *client) write(p []byte) bool {
	c.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	select {
	case <-c.s.closed:
		c.hurry()
	default:
	}
	_, err := c.conn.Write(p)
	return err == nil
}
