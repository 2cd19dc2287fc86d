package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall/js"
	"time"
)

// socket is a WebSocket. It implements wisp.Pipe.
type socket struct {
	v      js.Value
	opened chan error

	mu    sync.Mutex
	came  chan struct{} // closed and made anew when there is something
	queue [][]byte
	gone  bool
}

// maxBuffered is how many bytes may be on their way before Send waits.
const maxBuffered = 1 << 20

// openSocket connects. protocol is one that the other end may agree to.
func openSocket(ctx context.Context, url, protocol string) (_ *socket, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = thrown(r)
		}
	}()
	// What the browser calls later has s, whatever is returned.
	s := &socket{v: js.Global().Get("WebSocket").New(url, []any{protocol}), opened: make(chan error, 1), came: make(chan struct{})}
	s.v.Set("binaryType", "arraybuffer")
	s.on("open", func(js.Value) { s.tell(nil) })
	s.on("error", func(js.Value) { s.tell(errors.New("it cannot be reached, or refuses this page")) })
	s.on("close", func(js.Value) {
		s.tell(errors.New("it has refused this page"))
		s.add(nil)
	})
	s.on("message", func(e js.Value) {
		if data := e.Get("data"); data.Type() == js.TypeObject {
			s.add(bytesOf(js.Global().Get("Uint8Array").New(data)))
		}
	})
	select {
	case err := <-s.opened:
		return s, err
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("it has not answered: %w", context.Cause(ctx))
	}
}

func (s *socket) on(event string, f func(js.Value)) {
	s.v.Set("on"+event, js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	}))
}

// tell says how opening it went, if nobody has.
func (s *socket) tell(err error) {
	select {
	case s.opened <- err:
	default:
	}
}

// add takes what has come; nil is the end.
func (s *socket) add(m []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m == nil {
		s.gone = true
	} else {
		s.queue = append(s.queue, m)
	}
	close(s.came)
	s.came = make(chan struct{})
}

// protocol is what the other end has agreed to.
func (s *socket) protocol() string { return s.v.Get("protocol").String() }

// Receive is part of wisp.Pipe.
func (s *socket) Receive(ctx context.Context) ([]byte, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			m := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return m, nil
		}
		gone, came := s.gone, s.came
		s.mu.Unlock()
		if gone {
			return nil, io.EOF
		}
		select {
		case <-came:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Send is part of wisp.Pipe.
func (s *socket) Send(ctx context.Context, m []byte) error {
	for s.v.Get("bufferedAmount").Int() > maxBuffered {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if s.v.Get("readyState").Int() != 1 {
		return io.ErrClosedPipe
	}
	s.v.Call("send", arrayOf(m))
	return nil
}

// Close is part of wisp.Pipe.
func (s *socket) Close() error {
	s.v.Call("close")
	return nil
}
