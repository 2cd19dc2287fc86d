package wisp

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Config is what a server allows.
type Config struct {
	// Dial makes the connections; network is "tcp" or "udp". Where its error is an
	// *Error the client is told its reason.
	Dial func(ctx context.Context, network, host string, port uint16) (net.Conn, error)
	// Flows are how many a client may have at a time; 0: 256.
	Flows int
	// Idle is how long a flow may have nothing to carry; 0: five minutes.
	Idle time.Duration
	// DialTime bounds a connection's making; 0: half a minute.
	DialTime time.Duration
}

// Serve is the relay of one client, at the other end of a pipe, which it takes over. v2
// says that the client has named Protocol. It ends with the pipe, or with ctx, and then
// all flows have.
func Serve(ctx context.Context, p Pipe, v2 bool, cfg Config) error {
	if cfg.Flows == 0 {
		cfg.Flows = 256
	}
	if cfg.Idle == 0 {
		cfg.Idle = 5 * time.Minute
	}
	if cfg.DialTime == 0 {
		cfg.DialTime = 30 * time.Second
	}
	ctx, stop := context.WithCancel(ctx)
	s := &server{cfg: cfg, ctx: ctx, link: &link{pipe: p, server: true, streams: map[uint32]*stream{}}}
	defer func() {
		stop()
		s.link.fail(ErrLost)
		s.flows.Wait()
	}()
	if err := s.greet(v2); err != nil {
		return err
	}
	for {
		m, err := p.Receive(ctx)
		if err != nil {
			return err
		}
		p, err := parse(m)
		if err != nil {
			return err
		}
		if err := s.handle(p); err != nil {
			return err
		}
	}
}

type server struct {
	cfg   Config
	ctx   context.Context
	link  *link
	flows sync.WaitGroup
	alive atomic.Int64 // flows, also those that the client has closed and whose connection is not
}

func (s *server) greet(v2 bool) error {
	if v2 {
		if err := s.link.send(packet{kindInfo, 0, info()}); err != nil {
			return err
		}
		m, err := s.link.pipe.Receive(s.ctx)
		if err != nil {
			return err
		}
		p, err := parse(m)
		if err == nil && p.kind != kindInfo {
			err = errPacket
		}
		if err != nil {
			return err
		}
		extensions, err := parseInfo(p.data)
		if err != nil {
			return err
		}
		s.link.flow = hasFlow(extensions)
	}
	return s.link.send(packet{kindContinue, 0, number(grant)})
}

// handle takes a packet. An error ends the client.
func (s *server) handle(p packet) error {
	if p.kind != kindConnect {
		if st := s.link.get(p.stream); st != nil {
			st.handle(p)
		}
		return nil
	}
	c, err := parseConnect(p.data)
	if err != nil {
		return s.link.send(packet{kindClose, p.stream, []byte{byte(ReasonInvalid)}})
	}
	network, window := "tcp", -1
	if c.stream == streamUDP {
		network = "udp"
	}
	if s.link.flow {
		window = grant
	}
	s.link.mu.Lock()
	_, twice := s.link.streams[p.stream]
	full := s.alive.Load() >= int64(s.cfg.Flows)
	var st *stream
	if !twice && !full && p.stream != 0 {
		st = newStream(s.link, p.stream, network, net.JoinHostPort(c.host, strconv.Itoa(int(c.port))), window)
		s.link.streams[p.stream] = st
	}
	s.link.mu.Unlock()
	switch {
	case twice || p.stream == 0:
		return errPacket
	case full:
		return s.link.send(packet{kindClose, p.stream, []byte{byte(ReasonThrottled)}})
	}
	s.alive.Add(1)
	s.flows.Go(func() {
		defer s.alive.Add(-1)
		s.carry(st, network, c)
	})
	return nil
}

// carry makes a stream's connection and joins the two.
func (s *server) carry(st *stream, network string, c connect) {
	ctx, stop := context.WithTimeout(s.ctx, s.cfg.DialTime)
	conn, err := s.cfg.Dial(ctx, network, c.host, c.port)
	stop()
	if err != nil {
		st.end(reasonOf(err))
		return
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { conn.Close() })()
	idle := time.AfterFunc(s.cfg.Idle, func() { st.end(ReasonIdle); conn.Close() })
	defer idle.Stop()
	var both sync.WaitGroup
	both.Go(func() {
		err := join(conn, st, network, func() { idle.Reset(s.cfg.Idle) })
		if half, ok := conn.(interface{ CloseWrite() error }); ok && err == nil && network == "tcp" && s.link.flow {
			half.CloseWrite()
		} else {
			conn.Close()
		}
	})
	both.Go(func() {
		err := join(st, conn, network, func() { idle.Reset(s.cfg.Idle) })
		switch {
		case err != nil:
			st.end(reasonOf(err))
		case s.link.flow && network == "tcp":
			st.CloseWrite()
		default:
			st.end(ReasonVoluntary)
		}
	})
	both.Wait()
	st.end(ReasonVoluntary)
}

// join copies until there is no more, and says each time that there was something.
func join(to io.Writer, from io.Reader, network string, some func()) error {
	size := packetSize
	if network == "udp" {
		size = 64 << 10
	}
	buf := make([]byte, size)
	for {
		n, err := from.Read(buf)
		if n > 0 || err == nil {
			some()
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// end ends a stream and tells the client why.
func (s *stream) end(r Reason) {
	if s.over(&Error{r}, true) {
		s.link.send(packet{kindClose, s.id, []byte{byte(r)}})
	}
}

// handle is a packet of the other end.
func (s *stream) handle(p packet) {
	switch p.kind {
	case kindData:
		if !s.came(p.data) {
			s.end(ReasonThrottled)
		}
	case kindContinue:
		if len(p.data) >= 4 {
			s.granted(uint32(p.data[0]) | uint32(p.data[1])<<8 | uint32(p.data[2])<<16 | uint32(p.data[3])<<24)
		}
	case kindEnd:
		if s.link.flow {
			s.finish()
		}
	case kindClose:
		r := ReasonUnknown
		if len(p.data) > 0 {
			r = Reason(p.data[0])
		}
		s.closed(r)
	}
}

// reasonOf is what the client is told of an error.
func reasonOf(err error) Reason {
	var e *Error
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &e):
		return e.Reason
	case errors.As(err, &dns):
		return ReasonUnreachable
	case errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ReasonRefused
	}
	return ReasonNetwork
}
