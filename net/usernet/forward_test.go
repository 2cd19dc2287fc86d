package usernet

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

func TestForwardTCP(t *testing.T) {
	g := newGuest(t, Config{Forwards: []Forward{{Network: "tcp", Host: loopbackIP, Guest: 80}, {Network: "tcp", Host: loopbackIP, Guest: 81}}})
	l, err := gonet.ListenTCP(g.stack, full("10.0.2.15:80"), ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprintf(c, "from %v", c.RemoteAddr().(*net.TCPAddr).IP)
	}()
	read := func(i int) (string, error) {
		c, err := net.Dial("tcp", g.net.Forwarded()[i].String())
		if err != nil {
			return "", err // the reset may come that early
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		var b bytes.Buffer
		_, err = b.ReadFrom(c)
		return b.String(), err
	}
	if s, err := read(0); s != "from 10.0.2.2" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if s, err := read(1); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("a port that the guest has closed: %q, %v", s, err)
	}
	eventually(t, "the flows end", func() bool { return g.net.Flows() == 0 })
}

func TestForwardUDP(t *testing.T) {
	g := newGuest(t, Config{
		Forwards: []Forward{{Network: "udp", Host: loopbackIP, Guest: 53}},
		Limits:   Limits{IdleUDP: 500 * time.Millisecond},
	})
	at := full("10.0.2.15:53")
	server, err := gonet.DialUDP(g.stack, &at, nil, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer server.Close()
	wg.Go(func() {
		buf := make([]byte, 100)
		for {
			k, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(upper(buf[:k]), from)
		}
	})
	clients := make([]net.Conn, 3)
	for i := range clients {
		c, err := net.Dial("udp", g.net.Forwarded()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		clients[i] = c
		fmt.Fprintf(c, "client %d", i)
	}
	buf := make([]byte, 100)
	for i, c := range clients {
		if k, err := c.Read(buf); err != nil || string(buf[:k]) != fmt.Sprintf("CLIENT %d", i) {
			t.Errorf("client %d got %q, %v", i, buf[:k], err)
		}
	}
	eventually(t, "the flows end", func() bool { return g.net.Flows() == 0 })
	fmt.Fprint(clients[0], "back")
	if k, err := clients[0].Read(buf); err != nil || string(buf[:k]) != "BACK" {
		t.Errorf("after the flow had ended: %q, %v", buf[:k], err)
	}
}

func TestForwardErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	for _, row := range []struct {
		name     string
		forward  Forward
		listener Listener
		want     string
	}{
		{"port in use", Forward{"tcp", loopbackIP, port, 80}, &net.ListenConfig{}, fmt.Sprintf("forward tcp 127.0.0.1:%d to port 80", port)},
		{"no listener", Forward{"tcp", loopbackIP, 0, 80}, nil, "no way to listen"},
		{"no protocol", Forward{"sctp", loopbackIP, 0, 80}, &net.ListenConfig{}, "neither tcp nor udp"},
	} {
		n, err := New(Config{Kick: func(f func()) { f() }, Forwards: []Forward{row.forward}, Listener: row.listener})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
		if n != nil {
			n.Close()
		}
	}
}

// TestForwardUDPBound: many senders to a forwarded port leave room for the
// guest's own flows, and the newest one is heard.
func TestForwardUDPBound(t *testing.T) {
	const flows = 16
	n, _ := newNetwork(t, Config{
		Dialer: &net.Dialer{}, Listener: &net.ListenConfig{}, Limits: Limits{Flows: flows},
		Forwards: []Forward{{Network: "udp", Host: loopbackIP, Guest: 53}},
	})
	for range 10 * flows {
		c, err := net.Dial("udp", n.Forwarded()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte("x"))
	}
	eventually(t, "the datagrams arrive", func() bool { return n.Flows() > 0 })
	for range 100 {
		if got := n.Flows(); got > flows/forwardShare+1 {
			t.Fatalf("%d of %d flows are the senders'", got, flows)
		}
		time.Sleep(time.Millisecond)
	}
}
