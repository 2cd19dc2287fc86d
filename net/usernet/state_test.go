package usernet

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"alpinevm/internal/statetest"
)

// TestRestore: in another network than the one that they were made in, connections
// that are silent are reset, both ways, and new ones can be made.
func TestRestore(t *testing.T) {
	web := hostTCP(t, func(c *net.TCPConn) { io.Copy(c, c) })
	for _, addr := range []string{publicPort.String(), publicPort6.String()} {
		restored(t, addr, elsewhere(hostSide(web).String()))
	}
}

func restored(t *testing.T, addr string, dialer Dialer) {
	t.Helper()
	g := newGuest(t, Config{Dialer: dialer})
	c := g.mustDial(addr)
	c.Write([]byte("hello"))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	state := statetest.Copy(t, g.net.Save())
	if len(state.Connections) != 1 {
		t.Fatalf("%+v", state)
	}
	next, err := New(Config{Kick: g.m.kick, Dialer: dialer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	g.m.do(func() {
		g.net.Receive(func(Frame) bool { return true }) // what it says is lost
		g.net = next
		next.Receive(g.receive)
	})
	if err := next.Restore(state); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
	var op *net.OpError
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &op) || op.Err.Error() != "connection reset by peer" {
		t.Errorf("the old connection: %v", err)
	}
	again := g.mustDial(addr)
	again.Write([]byte("hello"))
	if _, err := io.ReadFull(again, make([]byte, 5)); err != nil {
		t.Errorf("a new connection: %v", err)
	}
}

// TestRestoreRefuses: a state that no network has saved.
func TestRestoreRefuses(t *testing.T) {
	g := newGuest(t, Config{})
	for _, s := range []State{
		{make([]Connection, maxConnections+1)},
		{[]Connection{{Guest: loopbackIP.As16(), Peer: loopbackIP.As16()}}},
		{[]Connection{{Guest: loopback6.As16(), Peer: loopback6.As16()}}},
		{[]Connection{{Guest: guestIP6.As16(), Peer: loopbackIP.As16()}}},
		{[]Connection{{}}},
	} {
		if err := g.net.Restore(s); err == nil {
			t.Errorf("%d connections were taken", len(s.Connections))
		}
	}
}
