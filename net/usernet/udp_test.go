package usernet

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

func upper(b []byte) []byte { return bytes.ToUpper(b) }

func TestUDP(t *testing.T) {
	addr := hostUDP(t, upper)
	g := newGuest(t, Config{HostLoopback: true})
	c := g.dialUDP(addr)
	buf := make([]byte, 64<<10)
	for _, msg := range []string{"hello", "again", "", strings.Repeat("fragmented ", 2000)} {
		c.Write([]byte(msg))
		k, err := c.Read(buf)
		if err != nil || string(buf[:k]) != strings.ToUpper(msg) {
			t.Errorf("%d bytes, %v; want %d", k, err, len(msg))
		}
	}
	if g.net.Flows() != 1 {
		t.Errorf("%d flows", g.net.Flows())
	}
}

func TestUDPRefused(t *testing.T) {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	for _, datagrams := range []Datagrams{nil, HostDatagrams{}} {
		if datagrams != nil && runtime.GOOS != "linux" {
			continue // the system does not tell
		}
		refusedUDP(t, datagrams, p.LocalAddr())
	}
}

func refusedUDP(t *testing.T, datagrams Datagrams, closed net.Addr) {
	t.Helper()
	g := newGuest(t, Config{HostLoopback: true, Datagrams: datagrams})
	for _, addr := range []string{viaGateway(closed), "10.9.9.9:99"} { // closed, and not allowed
		if runtime.GOOS == "js" && addr == viaGateway(closed) {
			continue // package net's own network does not tell
		}
		c := g.dialUDP(addr)
		eventually(t, addr+" is refused", func() bool {
			_, err := c.Write([]byte("x")) // tells what became of the one before
			return err != nil && strings.Contains(err.Error(), "refused")
		})
	}
}

func TestUDPIdle(t *testing.T) {
	addr := hostUDP(t, upper)
	g := newGuest(t, Config{HostLoopback: true, Limits: Limits{IdleUDP: 300 * time.Millisecond}})
	c := g.dialUDP(addr)
	buf := make([]byte, 10)
	for range 3 { // the flow is made anew each time
		c.Write([]byte("x"))
		if k, err := c.Read(buf); err != nil || string(buf[:k]) != "X" {
			t.Fatalf("%q, %v", buf[:k], err)
		}
		eventually(t, "the flow ends", func() bool { return g.net.Flows() == 0 })
	}
}

func TestUDPFlowLimit(t *testing.T) {
	addr := hostUDP(t, upper)
	g := newGuest(t, Config{HostLoopback: true, Limits: Limits{Flows: 3}})
	for range 10 {
		g.dialUDP(addr).Write([]byte("x"))
	}
	eventually(t, "three flows", func() bool { return g.net.Flows() == 3 })
}

func TestUDPSlowDialer(t *testing.T) {
	addr := hostUDP(t, upper)
	proceed := make(chan struct{})
	g := newGuest(t, Config{HostLoopback: true, Dialer: dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		<-proceed
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})})
	// Datagrams that wait for ARP may overtake each other in either stack.
	if err := g.stack.AddStaticNeighbor(1, ipv4.ProtocolNumber, stackAddr(GatewayIP), tcpip.LinkAddress(GatewayMAC[:])); err != nil {
		t.Fatal(err)
	}
	if err := g.net.stack.AddStaticNeighbor(nicID, ipv4.ProtocolNumber, stackAddr(GuestIP), tcpip.LinkAddress(guestMAC[:])); err != nil {
		t.Fatal(err)
	}
	c := g.dialUDP(addr)
	c.Write([]byte("one"))
	c.Write([]byte("two"))
	eventually(t, "one flow", func() bool { return g.net.Flows() == 1 })
	close(proceed)
	buf := make([]byte, 10)
	for _, want := range []string{"ONE", "TWO"} {
		if k, err := c.Read(buf); err != nil || string(buf[:k]) != want {
			t.Errorf("%q, %v", buf[:k], err)
		}
	}
}
