package usernet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// noise is n bytes, the same each time.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestTCPBothWays(t *testing.T) {
	data := noise(4 << 20)
	addr := hostTCP(t, func(c *net.TCPConn) {
		var writes sync.WaitGroup
		defer writes.Wait() // before it is closed
		writes.Go(func() {
			c.Write(data)
			c.CloseWrite()
		})
		h := sha256.New()
		io.Copy(h, c)
		if !bytes.Equal(h.Sum(nil), sum(data)) {
			t.Error("the host got other bytes")
		}
	})
	g := newGuest(t, Config{HostLoopback: true})
	c := g.mustDial(addr)
	go func() {
		c.Write(data)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the guest got %d bytes of %d, %v", len(got), len(data), err)
	}
	eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 }) // and with it what the guest sends
	if in, out := g.largestIn.Load(), g.largestOut.Load(); in < 8000 || out < 8000 {
		t.Errorf("the largest frames had %d bytes in and %d bytes out: no segmentation offload", in, out)
	}
	if g.partialIn.Load() == 0 {
		t.Error("no checksum was left to the guest")
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func TestTCPHalfClose(t *testing.T) {
	t.Run("guest first", func(t *testing.T) {
		addr := hostTCP(t, func(c *net.TCPConn) {
			got, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			c.Write(append(got, " world"...))
		})
		g := newGuest(t, Config{HostLoopback: true})
		c := g.mustDial(addr)
		c.Write([]byte("hello"))
		c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "hello world" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("host first", func(t *testing.T) {
		got := make(chan string, 1)
		addr := hostTCP(t, func(c *net.TCPConn) {
			c.Write([]byte("bye"))
			c.CloseWrite()
			b, _ := io.ReadAll(c)
			got <- string(b)
		})
		g := newGuest(t, Config{HostLoopback: true})
		c := g.mustDial(addr)
		if b, err := io.ReadAll(c); string(b) != "bye" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		c.Write([]byte("later"))
		c.CloseWrite()
		if s := <-got; s != "later" {
			t.Errorf("the host got %q", s)
		}
		eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
	})
}

func TestTCPRefused(t *testing.T) {
	g := newGuest(t, Config{HostLoopback: true})
	if _, err := g.dial("10.0.2.2:1"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("dial: %v", err)
	}
	if g.net.Flows() != 0 {
		t.Errorf("%d flows", g.net.Flows())
	}
}

func TestTCPDialErrors(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"refused", syscall.ECONNREFUSED, "refused"},
		{"host unreachable", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "no route"},
		{"network unreachable", syscall.ENETUNREACH, "unreachable"},
		{"timeout", context.DeadlineExceeded, "no route"},
		{"anything else", errors.New("proxy is down"), "refused"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGuest(t, Config{Dialer: dialerFunc(func(context.Context, string, string) (net.Conn, error) {
				return nil, row.err
			})})
			_, err := g.dial("1.2.3.1:80")
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("dial: %v, want %q", err, row.want)
			}
			eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
		})
	}
}

func TestTCPReset(t *testing.T) {
	t.Run("by the host", func(t *testing.T) {
		addr := hostTCP(t, func(c *net.TCPConn) {
			io.ReadFull(c, make([]byte, 1))
			c.SetLinger(0)
		})
		g := newGuest(t, Config{HostLoopback: true})
		c := g.mustDial(addr)
		c.Write([]byte("x"))
		if _, err := io.ReadAll(c); err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("read: %v", err)
		}
		eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
	})
	t.Run("by the guest", func(t *testing.T) {
		got := make(chan error, 1)
		addr := hostTCP(t, func(c *net.TCPConn) {
			_, err := io.ReadAll(c)
			got <- err
		})
		g := newGuest(t, Config{HostLoopback: true})
		c := g.mustDial(addr)
		c.Write([]byte("x"))
		eventually(t, "the flow starts", func() bool { return g.net.Flows() == 1 })
		g.reset()
		if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the host read: %v", err)
		}
	})
}

// reset aborts all connections of the guest's.
func (g *guest) reset() {
	for _, ep := range g.stack.RegisteredEndpoints() {
		ep.Abort()
	}
}

func TestTCPDenied(t *testing.T) {
	for _, row := range []struct {
		addr          string
		private, host bool
		target        string // what the dialer is asked for, "" for nothing
	}{
		{"93.184.216.34:80", false, false, "93.184.216.34:80"},
		{"10.0.2.2:22", false, false, ""},
		{"10.0.2.2:22", false, true, "127.0.0.1:22"},
		{"10.0.2.3:22", false, true, ""},
		{"10.0.2.99:22", true, true, ""},
		{"10.1.2.3:80", false, true, ""},
		{"10.1.2.3:80", true, false, "10.1.2.3:80"},
		{"192.168.1.1:80", false, false, ""},
		{"172.31.255.255:80", false, false, ""},
		{"172.32.0.1:80", false, false, "172.32.0.1:80"},
		{"169.254.169.254:80", false, true, ""},
		{"169.254.169.254:80", true, false, "169.254.169.254:80"},
		{"100.100.1.1:80", false, false, ""},
	} {
		t.Run(row.addr, func(t *testing.T) {
			asked := make(chan string, 1)
			g := newGuest(t, Config{
				HostLoopback: row.host, PrivateNetworks: row.private,
				Dialer: dialerFunc(func(_ context.Context, _, address string) (net.Conn, error) {
					asked <- address
					return nil, syscall.ECONNREFUSED
				}),
			})
			if row.addr == "10.0.2.99:22" { // on the link: nobody has that address
				g.stack.AddStaticNeighbor(1, 0x800, full(row.addr).Addr, g.net.link.LinkAddress())
			}
			if _, err := g.dial(row.addr); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("dial: %v", err)
			}
			got := ""
			if len(asked) > 0 {
				got = <-asked
			}
			if got != row.target {
				t.Errorf("dialed %q, want %q", got, row.target)
			}
		})
	}
}

func TestTCPIdle(t *testing.T) {
	ended := make(chan error, 1)
	addr := hostTCP(t, func(c *net.TCPConn) {
		_, err := io.ReadAll(c)
		ended <- err
	})
	g := newGuest(t, Config{HostLoopback: true, Limits: Limits{IdleTCP: 300 * time.Millisecond}})
	c := g.mustDial(addr)
	if _, err := io.ReadAll(c); err == nil {
		t.Error("an idle connection ended in peace")
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the host read: %v", err)
	}
	eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
}

func TestTooManyFlows(t *testing.T) {
	addr := hostTCP(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	g := newGuest(t, Config{HostLoopback: true, Limits: Limits{Flows: 2}})
	g.mustDial(addr)
	c := g.mustDial(addr)
	if _, err := g.dial(addr); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a third connection: %v", err)
	}
	c.CloseWrite()
	io.ReadAll(c)
	eventually(t, "one ends", func() bool { return g.net.Flows() == 1 })
	g.mustDial(addr)
}

// A guest that closes a connection and never acknowledges what it has still to
// get does not keep the buffers.
func TestLinger(t *testing.T) {
	data := noise(1 << 20)
	addr := hostTCP(t, func(c *net.TCPConn) {
		c.Write(data)
		c.CloseWrite()
		io.Copy(io.Discard, c)
	})
	g := newGuest(t, Config{HostLoopback: true, Limits: Limits{IdleTCP: 300 * time.Millisecond, Linger: 50 * time.Millisecond}})
	c := g.mustDial(addr)
	c.CloseWrite()
	// It reads nothing: the window closes, and the flow is cut as idle.
	eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
}

func TestManyConnections(t *testing.T) {
	addr := hostTCP(t, func(c *net.TCPConn) { io.Copy(c, c) })
	g := newGuest(t, Config{HostLoopback: true})
	data := noise(100 << 10)
	errs := make(chan error)
	const conns = 40 // more than have big buffers
	for range conns {
		go func() {
			c, err := g.dial(addr)
			if err != nil {
				errs <- err
				return
			}
			defer c.Close()
			go func() {
				c.Write(data)
				c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err == nil && !bytes.Equal(got, data) {
				err = errors.New("other bytes came back")
			}
			errs <- err
		}()
	}
	for range conns {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the flows end", func() bool { return g.net.Flows() == 0 })
}

// The guest here is a second netstack, so that these measure both.
func BenchmarkTCPToGuest(b *testing.B)   { benchmarkTCP(b, true) }
func BenchmarkTCPFromGuest(b *testing.B) { benchmarkTCP(b, false) }

func benchmarkTCP(b *testing.B, toGuest bool) {
	const size = 1 << 20
	chunk := make([]byte, 64<<10)
	send := func(w io.Writer, n int) {
		for ; n > 0; n -= len(chunk) {
			w.Write(chunk)
		}
	}
	done := make(chan struct{})
	addr := hostTCP(b, func(c *net.TCPConn) {
		c.SetDeadline(time.Time{})
		if toGuest {
			send(c, size*b.N)
			return
		}
		io.Copy(io.Discard, c)
		close(done)
	})
	g := newGuest(b, Config{HostLoopback: true})
	b.SetBytes(size)
	c := g.mustDial(addr)
	c.SetDeadline(time.Time{})
	if toGuest {
		io.Copy(io.Discard, c)
		return
	}
	send(c, size*b.N)
	c.CloseWrite()
	<-done
}
