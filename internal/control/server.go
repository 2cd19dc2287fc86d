package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// maxClients bounds how many connections are served at once.
const maxClients = 256

// askTime is how long a client has for its request.
const askTime = 10 * time.Second

// Server serves a machine's socket. Its Handle answers a request; an error of it
// is told to the client.
type Server struct {
	Handle func(r *Request, c *Conn) error

	l net.Listener

	mu     sync.Mutex
	path   string
	closed bool
	conns  map[net.Conn]bool
	wait   sync.WaitGroup
}

// ErrInUse is of a socket that somebody serves.
var ErrInUse = errors.New("it is in use")

// Path is the socket's name.
func (s *Server) Path() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.path
}

// Moved tells that the socket has another name.
func (s *Server) Moved(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = path
}

// Listen makes a socket that the user alone can connect to, and takes the place of
// one that nobody serves.
func Listen(path string) (*Server, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrInUse)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it may have another name then
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		os.Remove(path)
		return nil, err
	}
	return &Server{l: l, path: path, conns: map[net.Conn]bool{}}, nil
}

// Serve serves until Close.
func (s *Server) Serve() {
	for {
		c, err := s.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files are open, say
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if s.add(c) {
			go func() {
				defer s.wait.Done()
				s.serve(c)
				s.drop(c)
			}()
		} else {
			c.Close()
		}
	}
}

func (s *Server) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= maxClients {
		return false
	}
	s.conns[c] = true
	s.wait.Add(1)
	return true
}

func (s *Server) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	c.Close()
}

// serve answers one client.
func (s *Server) serve(nc net.Conn) {
	c := &Conn{Conn: nc}
	if err := ownPeer(nc); err != nil {
		c.Send(KindError, []byte(err.Error()))
		return
	}
	c.SetReadDeadline(time.Now().Add(askTime))
	kind, p, err := c.Next()
	if err != nil || kind != KindRequest {
		return
	}
	c.SetReadDeadline(time.Time{})
	r, err := ParseRequest(p)
	if err == nil {
		err = s.Handle(r, c)
	}
	if err != nil {
		c.Send(KindError, []byte(err.Error()))
	}
}

// closeWait is how long Close lets clients be told how it ended.
const closeWait = 2 * time.Second

// Stop takes the socket away: who comes now finds none.
func (s *Server) Stop() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if was {
		return nil
	}
	err := s.l.Close()
	os.Remove(s.Path()) // where that fails, the next Listen does it
	return err
}

// Close takes the socket away. Who is still connected has a moment to be told
// what there is to tell.
func (s *Server) Close() error {
	err := s.Stop()
	done := make(chan struct{})
	go func() { s.wait.Wait(); close(done) }()
	select {
	case <-done:
		return err
	case <-time.After(closeWait):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
	return err
}
