package usernet

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
)

// sizes of datagrams: around what a packet of 1,500 bytes holds, what was the limit
// of small buffers once, and the largest ones over IPv4.
var sizes = []int{0, 1, 1471, 1472, 1473, 2951, 2952, 2960, 2961, 4096, 8191, 8192, 8193, 32 << 10, 60_000, 65_506, 65_507}

// TestUDPSizes: every size comes through in both directions, whatever the number
// of flows, by both kinds of sockets and by a forwarded port.
func TestUDPSizes(t *testing.T) {
	echo := func(b []byte) []byte { return slices.Clone(b) }
	for _, tt := range []struct {
		name      string
		datagrams Datagrams
	}{{"one socket a port", HostDatagrams{}}, {"connected sockets", nil}} {
		t.Run(tt.name, func(t *testing.T) {
			addr := hostUDP(t, echo)
			g := newGuest(t, Config{HostLoopback: true, Datagrams: tt.datagrams})
			buf := make([]byte, 1<<16)
			for flow := range 2 * bigFlows {
				c := g.dialUDP(addr)
				for _, size := range sizes {
					want := noise(size)
					c.Write(want)
					if k, err := c.Read(buf); err != nil || !bytes.Equal(buf[:k], want) {
						t.Errorf("flow %d, %d bytes: %d came back, or others: %v", flow, size, k, err)
					}
				}
			}
		})
	}
	t.Run("forwarded port", func(t *testing.T) {
		g := newGuest(t, Config{Forwards: []Forward{{Network: "udp", Host: loopbackIP, Guest: 53}}})
		at := full("10.0.2.15:53")
		server, err := gonet.DialUDP(g.stack, &at, nil, ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer server.Close()
		wg.Go(func() {
			buf := make([]byte, 1<<16)
			for {
				k, from, err := server.ReadFrom(buf)
				if err != nil {
					return
				}
				server.WriteTo(buf[:k], from)
			}
		})
		buf := make([]byte, 1<<16)
		for flow := range 2 * bigFlows {
			c, err := net.Dial("udp", g.net.Forwarded()[0].String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			for _, size := range sizes {
				want := noise(size)
				c.Write(want)
				if k, err := c.Read(buf); err != nil || !bytes.Equal(buf[:k], want) {
					t.Errorf("sender %d, %d bytes: %d came back, or others: %v", flow, size, k, err)
				}
			}
		}
	})
}

// TestUDPOtherPort: who was asked may answer from another port, as a TFTP server
// does (RFC 1350, 4), and goes on being asked there; nobody else may.
func TestUDPOtherPort(t *testing.T) {
	listen := func(at string) *net.UDPConn {
		p, err := net.ListenPacket("udp4", at)
		if err != nil {
			t.Skipf("not here: %v", err)
		}
		t.Cleanup(func() { p.Close() })
		p.SetDeadline(time.Now().Add(patience))
		return p.(*net.UDPConn)
	}
	server, other := listen("127.0.0.1:0"), listen("127.0.0.1:0")
	g := newGuest(t, Config{HostLoopback: true, Datagrams: HostDatagrams{}})
	from := full("10.0.2.15:2000")
	guest, err := gonet.DialUDP(g.stack, &from, nil, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	guest.SetDeadline(time.Now().Add(patience))
	send := func(to string, what string) {
		if _, err := guest.WriteTo([]byte(what), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 100)
	heard := func(p net.PacketConn, what string) net.Addr {
		t.Helper()
		k, from, err := p.ReadFrom(buf)
		if err != nil || string(buf[:k]) != what {
			t.Fatalf("%q, %v; want %q", buf[:k], err, what)
		}
		return from
	}
	send(viaGateway(server.LocalAddr()), "RRQ")
	seen := heard(server, "RRQ")
	other.WriteTo([]byte("DATA"), seen)
	if from := heard(guest, "DATA"); from.String() != viaGateway(other.LocalAddr()) {
		t.Errorf("the answer is from %v, want %s", from, viaGateway(other.LocalAddr()))
	}
	send(viaGateway(other.LocalAddr()), "ACK")
	if again := heard(other, "ACK"); again.String() != seen.String() {
		t.Errorf("the second server sees %v, the first %v", again, seen)
	}
	if k := g.net.Flows(); k != 1 {
		t.Errorf("%d flows", k)
	}
}

// socket is a host's socket that a test plays.
type socket struct {
	sent chan datagram
	in   chan datagram
	done chan struct{}
	once sync.Once
}

func newSocket() *socket {
	return &socket{sent: make(chan datagram, 100), in: make(chan datagram, 100), done: make(chan struct{})}
}

func (s *socket) OpenUDP(context.Context, bool, func(netip.AddrPort, error)) (DatagramSocket, error) {
	return s, nil
}

func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.sent <- datagram{to, slices.Clone(b)}
	return len(b), nil
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.in:
		return copy(b, d.data), d.to, nil
	case <-s.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *socket) Close() error { s.once.Do(func() { close(s.done) }); return nil }

// TestUDPStrangers: only addresses that were asked come through, and not for longer
// than a flow may be idle.
func TestUDPStrangers(t *testing.T) {
	s := newSocket()
	c := newCard(t, Config{Datagrams: s})
	c.send(arpFrame(GuestIP, guestMAC))
	<-c.got
	asked := netip.MustParseAddrPort("1.2.3.1:69")
	c.send(udpFrame(guestPort, asked, []byte("x")))
	<-s.sent
	for _, tt := range []struct {
		from string
		want bool
	}{
		{"1.2.3.1:69", true}, {"1.2.3.1:4000", true}, {"[::ffff:1.2.3.1]:5", true},
		{"1.2.3.2:69", false}, {"127.0.0.1:69", false}, {"10.0.2.2:69", false}, {"[2001:db8::1]:69", false},
	} {
		from := netip.MustParseAddrPort(tt.from)
		s.in <- datagram{from, []byte(tt.from)}
		s.in <- datagram{asked, []byte("end")} // which comes after it
		var got []string
		for {
			b := <-c.got
			u := header.UDP(header.IPv4(b[etherSize:]).Payload())
			if string(u.Payload()) == "end" {
				break
			}
			got = append(got, string(u.Payload()))
			if src := hostAddr(header.IPv4(b[etherSize:]).SourceAddress()); src != asked.Addr() || u.SourcePort() != from.Port() {
				t.Errorf("%s: comes from %v, port %d", tt.from, src, u.SourcePort())
			}
		}
		if (len(got) == 1) != tt.want {
			t.Errorf("%s: got %q", tt.from, got)
		}
	}
}

// TestUDPPeers: what is remembered is bounded, and an address is forgotten when it
// was not asked for long.
func TestUDPPeers(t *testing.T) {
	now := time.Unix(0, 0)
	n, _ := newNetwork(t, Config{Limits: Limits{IdleUDP: time.Minute}})
	p := newUDPPeers(n, guestPort, false)
	p.now = func() time.Time { return now }
	at := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, byte(i >> 8), byte(i)}), 69)
	}
	for i := range 10 * smallPeers {
		now = now.Add(time.Millisecond)
		p.ask(Flow{Network: "udp", Guest: guestPort, Remote: at(i)}, at(i))
	}
	if len(p.hosts) != smallPeers || len(p.guests) != smallPeers || len(p.addrs) != smallPeers {
		t.Errorf("%d, %d, %d are remembered", len(p.hosts), len(p.guests), len(p.addrs))
	}
	last := at(10*smallPeers - 1)
	for port := range 1000 { // a flood from one that was asked moves nobody out
		p.answer(netip.AddrPortFrom(last.Addr(), uint16(1000+port)), 1)
	}
	for i := 9 * smallPeers; i < 10*smallPeers; i++ {
		if !p.answer(at(i), 1).IsValid() {
			t.Fatalf("%v was forgotten", at(i))
		}
	}
	if p.answer(at(0), 1).IsValid() || p.sendTo(at(0)).IsValid() {
		t.Error("the first is remembered")
	}
	now = now.Add(time.Minute + time.Millisecond)
	if p.answer(last, 1).IsValid() || p.sendTo(last).IsValid() {
		t.Error("one that was not asked for a minute may answer")
	}
}

// TestUDPOldestGivesWay: a guest that uses more ports than there are flows loses the
// ones that were quiet for longest.
func TestUDPOldestGivesWay(t *testing.T) {
	addr := hostUDP(t, upper)
	g := newGuest(t, Config{HostLoopback: true, Datagrams: HostDatagrams{}, Limits: Limits{Flows: 4}})
	buf := make([]byte, 10)
	for range 20 {
		c := g.dialUDP(addr)
		c.Write([]byte("x"))
		if k, err := c.Read(buf); err != nil || string(buf[:k]) != "X" {
			t.Fatalf("%q, %v", buf[:k], err)
		}
	}
	if k := g.net.Flows(); k != 4 {
		t.Errorf("%d flows", k)
	}
}

// fragments cuts the payload of an IPv4 frame into pieces of size bytes.
func fragments(b []byte, size int, id byte) (frames [][]byte) {
	ip := header.IPv4(b[etherSize:])
	data := ip.Payload()
	for at := 0; at < len(data); at += size {
		end := min(at+size, len(data))
		f := append(slices.Clone(b[:etherSize+header.IPv4MinimumSize]), data[at:end]...)
		h := header.IPv4(f[etherSize:])
		h.SetTotalLength(uint16(len(h)))
		h.SetID(uint16(id))
		flags := uint8(header.IPv4FlagMoreFragments)
		if end == len(data) {
			flags = 0
		}
		h.SetFlagsFragmentOffset(flags, uint16(at))
		frames = append(frames, fixIP(f))
	}
	return frames
}

// TestFragments: in which orders and forms fragments make a datagram.
func TestFragments(t *testing.T) {
	frame := udpFrame(guestPort, publicPort, noise(3000))
	wrong := slices.Clone(frame)
	wrong[len(wrong)-1]++ // its checksum is that of other data
	pieces := func(size int) [][]byte { return fragments(frame, size, 1) }
	p := pieces(1000)
	last := func(f [][]byte) []byte { return f[len(f)-1] }
	other := fragments(frame, 1000, 2)
	reversed := pieces(8)
	slices.Reverse(reversed)
	scattered := slices.Clone(pieces(8))
	slices.SortStableFunc(scattered, func(a, b []byte) int { return int(a[etherSize+7]&1) - int(b[etherSize+7]&1) }) // every second first
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   int // datagrams
	}{
		{"whole", [][]byte{frame}, 1},
		{"in order", p, 1},
		{"backwards, of 8 bytes", reversed, 1},
		{"last first", [][]byte{p[3], p[0], p[2], p[1]}, 1},
		{"two at once", [][]byte{p[0], other[0], p[1], other[1], p[2], other[2], other[3], p[3]}, 2},
		{"one missing", [][]byte{p[0], p[1], p[3]}, 0},
		{"no first", p[1:], 0},
		{"no last", p[:3], 0},
		{"overlapping", [][]byte{p[0], fragments(frame, 1016, 1)[1], p[1], p[2], p[3]}, 0},
		{"one twice", [][]byte{p[0], p[0], p[1], p[2], p[3]}, 0},
		{"a second end", [][]byte{p[0], last(fragments(frame, 2000, 1)), last(fragments(frame, 1496, 1)), p[1]}, 0},
		{"past the end", [][]byte{p[3], last(fragments(udpFrame(guestPort, publicPort, noise(5000)), 1000, 1)), p[0], p[1], p[2]}, 0},
		{"too many gaps", scattered, 0},
		{"wrong checksum", fragments(wrong, 1000, 1), 0},
		{"not a multiple of 8", func() [][]byte {
			f := pieces(1000)
			h := header.IPv4(f[0][etherSize:])
			h.SetTotalLength(uint16(len(h) - 1))
			fixIP(f[0])
			return f
		}(), 0},
		{"past 65,535 bytes", func() [][]byte {
			f := pieces(1000)
			header.IPv4(last(f)[etherSize:]).SetFlagsFragmentOffset(0, 65_528)
			return append(f[:3], fixIP(last(f)))
		}(), 0},
	} {
		n, _ := newNetwork(t, Config{})
		got := 0
		for _, f := range tt.frames {
			if b := n.admit(slices.Clone(f), false); b != nil {
				got++
				if !bytes.Equal(header.IPv4(b[etherSize:]).Payload(), header.IPv4(frame[etherSize:]).Payload()) {
					t.Errorf("%s: other data", tt.name)
				}
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d datagrams, want %d", tt.name, got, tt.want)
		}
		if k := len(n.fragments.list); k > 1 {
			t.Errorf("%s: %d are incomplete", tt.name, k)
		}
	}
}

// TestFragmentsForgotten: incomplete datagrams are bounded in number and in time.
func TestFragmentsForgotten(t *testing.T) {
	n, _ := newNetwork(t, Config{})
	now := time.Unix(0, 0)
	n.fragments.now = func() time.Time { return now }
	frame := udpFrame(guestPort, publicPort, noise(60_000))
	for i := range 5 * maxAssemblies {
		n.admit(fragments(frame, 50_000, byte(i))[1], false)
	}
	total := 0
	for _, x := range n.fragments.list {
		total += cap(x.payload)
	}
	if k := len(n.fragments.list); k != maxAssemblies || total > 2*maxAssemblies<<16 {
		t.Errorf("%d datagrams are incomplete, %d bytes", k, total)
	}
	now = now.Add(assemblyTime + 1)
	n.admit(fragments(frame, 50_000, 1)[0], false)
	if k := len(n.fragments.list); k != 1 {
		t.Errorf("%d datagrams are incomplete after their time", k)
	}
}

// FuzzFragments sends pieces of a datagram at any places: what comes out is the
// datagram, if anything does.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0, 10, 1, 10, 10, 1, 20, 30, 0})
	f.Add([]byte{20, 30, 0, 10, 10, 1, 0, 10, 1})
	f.Add([]byte{0, 255, 0})
	f.Add([]byte{0, 10, 1, 5, 10, 1, 15, 0, 0, 255, 255, 0})
	frame := udpFrame(guestPort, publicPort, noise(400-8))
	n, _ := newNetwork(f, Config{})
	f.Fuzz(func(t *testing.T, ops []byte) {
		n.fragments.list = nil
		for ; len(ops) >= 3; ops = ops[3:] { // place in 8 bytes, length, more
			at, size, more := int(ops[0])*8, int(ops[1]), ops[2]&1
			data := header.IPv4(frame[etherSize:]).Payload()
			b := slices.Clone(frame[:etherSize+header.IPv4MinimumSize])
			if at < len(data) {
				b = append(b, data[at:min(at+size, len(data))]...)
			}
			h := header.IPv4(b[etherSize:])
			h.SetTotalLength(uint16(len(h)))
			h.SetFlagsFragmentOffset(more*header.IPv4FlagMoreFragments, uint16(at))
			if got := n.admit(fixIP(b), false); got != nil && !bytes.Equal(header.IPv4(got[etherSize:]).Payload(), data) {
				t.Errorf("%d bytes, or others", len(got))
			}
			if len(n.fragments.list) > 1 {
				t.Error("more than one datagram")
			}
		}
	})
}

// TestEchoSizes: echo requests of every size are answered, by the gateway and by the
// world outside, with what was sent.
func TestEchoSizes(t *testing.T) {
	asked := make(chan []byte, 1)
	g := newCard(t, Config{Ping: func(_ context.Context, _ netip.Addr, payload []byte) error {
		asked <- slices.Clone(payload)
		return nil
	}})
	g.send(arpFrame(GuestIP, guestMAC))
	<-g.got
	replies := assembler{now: time.Now}
	for _, dst := range []netip.Addr{GatewayIP, DNSIP, publicPort.Addr()} {
		for i, size := range sizes {
			name := fmt.Sprintf("%v, %d bytes", dst, size)
			request := icmpFrame(dst, size)
			icmp := header.ICMPv4(header.IPv4(request[etherSize:]).Payload())
			copy(icmp[header.ICMPv4MinimumSize:], noise(size))
			icmp.SetChecksum(0)
			icmp.SetChecksum(^checksum.Checksum(icmp, 0))
			for _, f := range fragments(request, 1480, byte(i)) {
				g.send(f)
			}
			if dst == publicPort.Addr() {
				if got := <-asked; !bytes.Equal(got, noise(size)) {
					t.Errorf("%s: asked with %d bytes, or others", name, len(got))
				}
			}
			reply := header.ICMPv4(nextWhole(g, &replies))
			if reply.Type() != header.ICMPv4EchoReply || reply.Ident() != 0x1234 || reply.Sequence() != 9 ||
				checksum.Checksum(reply, 0) != 0xffff || !bytes.Equal(reply.Payload(), noise(size)) {
				t.Errorf("%s: a reply of type %d, %d bytes, or others", name, reply.Type(), len(reply))
			}
		}
	}
}

// nextWhole is the payload of the next IPv4 packet, put together, that the card gets.
func nextWhole(c *card, a *assembler) []byte {
	n := Network{fragments: *a}
	defer func() { *a = n.fragments }()
	for {
		b := <-c.got
		if len(b)-etherSize > 1500 {
			c.n.cancel()
			panic("a packet larger than the MTU")
		}
		if header.Ethernet(b).Type() != header.IPv4ProtocolNumber {
			continue
		}
		if whole, _ := n.whole(b); whole != nil {
			return header.IPv4(whole[etherSize:]).Payload()
		}
	}
}
