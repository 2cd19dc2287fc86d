package wisp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// end is one end of a pipe in memory.
type end struct {
	in, out chan []byte
	shut    chan struct{}
	once    *sync.Once
}

func pipe() (a, b *end) {
	x, y, shut, once := make(chan []byte, 4), make(chan []byte, 4), make(chan struct{}), &sync.Once{}
	return &end{x, y, shut, once}, &end{y, x, shut, once}
}

func (e *end) Receive(ctx context.Context) ([]byte, error) {
	select {
	case m := <-e.in:
		return m, nil
	case <-e.shut:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (e *end) Send(ctx context.Context, m []byte) error {
	select {
	case e.out <- bytes.Clone(m):
		return nil
	case <-e.shut:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.shut) })
	return nil
}

// relay starts a server and gives its client. v2 says what each of them knows.
func relay(t *testing.T, cfg Config, v2 bool) *Client {
	t.Helper()
	a, b := pipe()
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, network, host string, port uint16) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), b, v2, cfg)
	}()
	c, err := NewClient(context.Background(), a, v2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		<-done // with all its flows
	})
	return c
}

// listen gives a server's address, where each connection is f's.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, c *Client, network, address string) net.Conn {
	t.Helper()
	conn, err := c.DialContext(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func versions(t *testing.T, f func(t *testing.T, v2 bool)) {
	for _, v2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("v2=%v", v2), func(t *testing.T) { f(t, v2) })
	}
}

// TestFlows carries many flows at a time, to both sides, whole and in order.
func TestFlows(t *testing.T) {
	versions(t, func(t *testing.T, v2 bool) {
		c := relay(t, Config{}, v2)
		address := listen(t, func(c net.Conn) { io.Copy(c, c) })
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				data := make([]byte, 1<<20+i)
				rng := rand.New(rand.NewPCG(uint64(i), 1))
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				conn, err := c.DialContext(context.Background(), "tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				go conn.Write(data)
				got := make([]byte, len(data))
				if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, data) {
					t.Errorf("flow %d came back wrong: %v", i, err)
				}
			})
		}
		all.Wait()
	})
}

// TestHalfClose: who has no more to say is answered, where both ends know Flow.
func TestHalfClose(t *testing.T) {
	c := relay(t, Config{}, true)
	conn := dial(t, c, "tcp", listen(t, func(c net.Conn) {
		data, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%d bytes", len(data))
	}))
	conn.Write(make([]byte, 100_000))
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "100000 bytes" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := conn.Write([]byte("more")); err == nil {
		t.Error("a write after the end")
	}
}

// TestEnd: what a server has said before it closed is read to its end.
func TestEnd(t *testing.T) {
	versions(t, func(t *testing.T, v2 bool) {
		conn := dial(t, relay(t, Config{}, v2), "tcp", listen(t, func(c net.Conn) { c.Write(make([]byte, 300_000)) }))
		if got, err := io.ReadAll(conn); err != nil || len(got) != 300_000 {
			t.Error(len(got), err)
		}
	})
}

// TestUDP carries datagrams as they are.
func TestUDP(t *testing.T) {
	versions(t, func(t *testing.T, v2 bool) {
		s, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		go func() {
			buf := make([]byte, 2000)
			for {
				n, from, err := s.ReadFrom(buf)
				if err != nil {
					return
				}
				s.WriteTo(buf[:n], from)
			}
		}()
		conn := dial(t, relay(t, Config{}, v2), "udp", s.LocalAddr().String())
		buf := make([]byte, 2000)
		for _, n := range []int{1, 1200, 0, 7} {
			if _, err := conn.Write(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			if got, err := conn.Read(buf); got != n || err != nil {
				t.Errorf("%d bytes of %d, %v", got, n, err)
			}
		}
	})
}

// TestPressure: neither end takes more than it has room for from a sender that does
// not stop, and the other flows go on.
func TestPressure(t *testing.T) {
	c := relay(t, Config{}, true)
	var sent int
	var mu sync.Mutex
	conn := dial(t, c, "tcp", listen(t, func(c net.Conn) {
		buf := make([]byte, packetSize)
		for {
			n, err := c.Write(buf)
			if err != nil {
				return
			}
			mu.Lock()
			sent += n
			mu.Unlock()
		}
	}))
	conn.Write([]byte("go"))
	echo := dial(t, c, "tcp", listen(t, func(c net.Conn) { io.Copy(c, c) }))
	buf := make([]byte, 5)
	for range 200 { // the flood has had time to fill what there is
		echo.Write([]byte("hello"))
		if _, err := io.ReadFull(echo, buf); err != nil {
			t.Fatal(err)
		}
	}
	s := conn.(*stream)
	s.mu.Lock()
	queued, packets := s.queued, len(s.queue)
	s.mu.Unlock()
	if packets > grant || queued > grant*packetSize {
		t.Errorf("%d bytes in %d packets are kept of a flow that nobody reads", queued, packets)
	}
	// To the other side: a server that reads nothing.
	stuck := dial(t, c, "tcp", listen(t, func(c net.Conn) { <-make(chan struct{}) }))
	stuck.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := stuck.Write(make([]byte, 256<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n > 64<<20 {
		t.Errorf("%d bytes were taken for who reads nothing, %v", n, err)
	}
}

// TestRefused says why a flow could not be made.
func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	cfg := Config{Flows: 3, Dial: func(ctx context.Context, network, host string, port uint16) (net.Conn, error) {
		if host == "blocked.example" {
			return nil, &Error{ReasonBlocked}
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(port))))
	}}
	versions(t, func(t *testing.T, v2 bool) {
		c := relay(t, cfg, v2)
		read := func(address string) error {
			conn, err := c.DialContext(context.Background(), "tcp", address)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Read(make([]byte, 1))
			return err
		}
		var e *Error
		if err := read("blocked.example:80"); !errors.As(err, &e) || e.Reason != ReasonBlocked {
			t.Error(err)
		}
		if err := read(closed); !errors.As(err, &e) || e.Reason != ReasonRefused && e.Reason != ReasonNetwork {
			t.Error(err)
		}
		for _, bad := range []string{"none", "x:0", "x:y", ":80"} {
			if err := read(bad); err == nil {
				t.Error(bad)
			}
		}
		quiet := listen(t, func(c net.Conn) { io.Copy(io.Discard, c) })
		for range cfg.Flows {
			dial(t, c, "tcp", quiet).Write([]byte("x"))
		}
		for { // those before may still be on their way out
			err := read(quiet)
			if errors.As(err, &e) && e.Reason == ReasonThrottled {
				break
			}
			t.Fatal(err)
		}
	})
}

// TestIdle ends flows that carry nothing.
func TestIdle(t *testing.T) {
	c := relay(t, Config{Idle: 50 * time.Millisecond}, true)
	conn := dial(t, c, "tcp", listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }))
	var e *Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &e) || e.Reason != ReasonIdle || !e.Timeout() {
		t.Error(err)
	}
}

// TestLost ends all flows when the relay goes, and those that come.
func TestLost(t *testing.T) {
	c := relay(t, Config{}, true)
	conn := dial(t, c, "tcp", listen(t, func(c net.Conn) { io.Copy(io.Discard, c) }))
	conn.Write([]byte("x"))
	c.link.pipe.Close()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("a write without a relay")
	}
	<-c.Done()
	if _, err := c.DialContext(context.Background(), "tcp", "x:1"); err == nil {
		t.Error("a flow without a relay")
	}
}

// TestDeadline is about time outs, which do not end a flow.
func TestDeadline(t *testing.T) {
	conn := dial(t, relay(t, Config{}, true), "tcp", listen(t, func(c net.Conn) { io.Copy(c, c) }))
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	conn.SetReadDeadline(time.Time{})
	conn.Write([]byte("x"))
	if n, err := conn.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Error(n, err)
	}
}

// TestNotTheProtocol refuses other ends.
func TestNotTheProtocol(t *testing.T) {
	for _, m := range [][]byte{nil, {1}, make([]byte, 5), (&packet{kindContinue, 7, number(1)}).bytes(), (&packet{kindInfo, 0, []byte{2}}).bytes(), []byte("HTTP/1.1 200 OK")} {
		a, b := pipe()
		b.Send(context.Background(), m)
		if _, err := NewClient(context.Background(), a, true); err == nil {
			t.Errorf("%q was taken", m)
		}
	}
}

// FuzzServe has a server take anything: it ends, keeps its bounds, and does not panic.
func FuzzServe(f *testing.F) {
	hello := connect{streamTCP, 80, "x"}
	f.Add(true, (&packet{kindInfo, 0, info()}).bytes(), (&packet{kindConnect, 1, hello.bytes()}).bytes(), (&packet{kindData, 1, []byte("data")}).bytes())
	f.Add(false, (&packet{kindConnect, 1, hello.bytes()}).bytes(), (&packet{kindContinue, 1, number(1 << 31)}).bytes(), (&packet{kindClose, 1, nil}).bytes())
	f.Add(true, (&packet{kindInfo, 0, nil}).bytes(), (&packet{kindEnd, 1, nil}).bytes(), []byte{})
	f.Fuzz(func(t *testing.T, v2 bool, a, b, c []byte) {
		near, far := pipe()
		cfg := Config{Flows: 2, Dial: func(ctx context.Context, network, host string, port uint16) (net.Conn, error) {
			x, y := net.Pipe()
			go io.Copy(y, y)
			return x, nil
		}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Serve(context.Background(), far, v2, cfg)
		}()
		go func() {
			for {
				if _, err := near.Receive(context.Background()); err != nil {
					return
				}
			}
		}()
		for _, m := range [][]byte{a, b, c, c} {
			if near.Send(context.Background(), m) != nil {
				break
			}
		}
		near.Close()
		<-done
	})
}
