package usernet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// Addresses that a guest may have in IPv6.
var (
	guestIP6   = netip.MustParseAddr("fd61:6c70:696e:6576::f")
	guestLink6 = netip.MustParseAddr("fe80::f")
)

var guestMAC = [6]byte{0x52, 0x54, 0, 0x12, 0x34, 0x56}

// machine calls functions one after the other, as the machine goroutine does.
type machine struct {
	mu    sync.Mutex
	queue []func()
	wake  chan struct{}
	done  chan struct{}
}

func newMachine(t testing.TB) *machine {
	m := &machine{wake: make(chan struct{}, 1), done: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(m.run)
	t.Cleanup(func() {
		close(m.done)
		wg.Wait()
	})
	return m
}

func (m *machine) kick(f func()) {
	m.mu.Lock()
	m.queue = append(m.queue, f)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *machine) run() {
	for {
		m.mu.Lock()
		q := m.queue
		m.queue = nil
		m.mu.Unlock()
		for _, f := range q {
			f()
		}
		select {
		case <-m.wake:
		case <-m.done:
			return
		}
	}
}

// do calls f on the machine goroutine and waits for it.
func (m *machine) do(f func()) {
	c := make(chan struct{})
	m.kick(func() { f(); close(c) })
	<-c
}

// guest is a computer on a Network: a second netstack.
type guest struct {
	t     testing.TB
	net   *Network
	m     *machine
	stack *stack.Stack
	link  *channel.Endpoint

	largestIn, largestOut atomic.Int64 // frames, in bytes
	partialIn             atomic.Int64
	frames                chan []byte // copies of what the guest got, if not nil
}

// newNetwork makes a network without a guest.
func newNetwork(t testing.TB, cfg Config) (*Network, *machine) {
	t.Helper()
	m := newMachine(t)
	cfg.Kick = m.kick
	if cfg.Dialer == nil {
		cfg.Dialer = &net.Dialer{}
	}
	if cfg.Listener == nil {
		cfg.Listener = &net.ListenConfig{}
	}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n, m
}

// newGuest boots a guest on a new network.
func newGuest(t testing.TB, cfg Config) *guest {
	t.Helper()
	n, m := newNetwork(t, cfg)
	g := &guest{t: t, net: n, m: m}
	g.link = channel.New(4096, 1500, tcpip.LinkAddress(guestMAC[:]))
	g.link.LinkEPCapabilities = stack.CapabilityRXChecksumOffload
	g.link.SupportedGSOKind = stack.HostGSOSupported
	g.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol, ipv6.NewProtocolWithOptions(ipv6.Options{})},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	must := func(err tcpip.Error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(g.stack.CreateNIC(1, ethernet.New(g.link)))
	must(g.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: stackAddr(GuestIP), PrefixLen: 24},
	}, stack.AddressProperties{}))
	for _, ip := range []netip.Addr{guestLink6, guestIP6} {
		must(g.stack.AddProtocolAddress(1, tcpip.ProtocolAddress{
			Protocol: ipv6.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: stackAddr(ip), PrefixLen: 64},
		}, stack.AddressProperties{}))
	}
	subnet := tcpip.AddressWithPrefix{Address: stackAddr(GuestIP), PrefixLen: 24}.Subnet()
	g.stack.SetRouteTable([]tcpip.Route{
		{Destination: subnet, NIC: 1},
		{Destination: header.IPv4EmptySubnet, Gateway: stackAddr(GatewayIP), NIC: 1},
		{Destination: header.IPv6EmptySubnet, Gateway: stackAddr(gatewayLink6), NIC: 1},
	})
	m.do(func() { n.Receive(g.receive) })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { g.transmit(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		g.stack.Close()
	})
	return g
}

// transmit sends what the guest's stack writes.
func (g *guest) transmit(ctx context.Context) {
	for pkt := g.link.ReadContext(ctx); pkt != nil; pkt = g.link.ReadContext(ctx) {
		f := Frame{Data: bytes.Join(pkt.AsSlices(), nil)}
		if gso := pkt.GSOOptions; gso.NeedsCsum {
			f.CsumStart, f.CsumOffset = etherSize+uint16(len(pkt.NetworkHeader().Slice())), gso.CsumOffset
		}
		pkt.DecRef()
		g.largestOut.Store(max(g.largestOut.Load(), int64(len(f.Data))))
		g.m.do(func() { g.net.Send(f) })
	}
}

// receive takes a frame from the network.
func (g *guest) receive(f Frame) bool {
	g.largestIn.Store(max(g.largestIn.Load(), int64(len(f.Data))))
	if f.CsumStart != 0 {
		g.partialIn.Add(1)
	}
	if g.frames != nil {
		g.frames <- bytes.Clone(f.Data)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(f.Data)})
	defer pkt.DecRef()
	g.link.InjectInbound(0, pkt)
	return true
}

func full(addr string) tcpip.FullAddress {
	a := netip.MustParseAddrPort(addr)
	return tcpip.FullAddress{NIC: 1, Addr: stackAddr(a.Addr()), Port: a.Port()}
}

// dial connects to addr as a program in the guest does.
func (g *guest) dial(addr string) (*gonet.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return gonet.DialContextTCP(ctx, g.stack, full(addr), protocolOf(netip.MustParseAddrPort(addr).Addr()))
}

func (g *guest) mustDial(addr string) *gonet.TCPConn {
	g.t.Helper()
	c, err := g.dial(addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

func (g *guest) dialUDP(addr string) *gonet.UDPConn {
	g.t.Helper()
	to := full(addr)
	c, err := gonet.DialUDP(g.stack, nil, &to, protocolOf(netip.MustParseAddrPort(addr).Addr()))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// hostTCP listens on the host's loopback and serves each connection. It returns
// the address at which a guest with HostLoopback reaches it.
func hostTCP(t testing.TB, serve func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return viaGateway(l.Addr())
}

// hostUDP answers datagrams on the host's loopback.
func hostUDP(t testing.TB, answer func([]byte) []byte) string {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveUDP(t, p, answer)
	return viaGateway(p.LocalAddr())
}

// serveUDP answers what comes to p.
func serveUDP(t testing.TB, p net.PacketConn, answer func([]byte) []byte) {
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			k, from, err := p.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				p.WriteTo(answer(buf[:k]), from)
			}
		}
	})
	t.Cleanup(func() { p.Close(); wg.Wait() })
}

// viaGateway is where the guest finds a port of the host's loopback.
func viaGateway(a net.Addr) string {
	return netip.AddrPortFrom(GatewayIP, netip.MustParseAddrPort(a.String()).Port()).String()
}

// patience is how long a test waits for what must come, on however busy a host.
const patience = time.Minute

// eventually waits until ok says so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// dialerFunc makes a Dialer of a function.
type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
