package usernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// TestReach6 is TestReach for IPv6: what is special is so in every disguise.
func TestReach6(t *testing.T) {
	nets := []netip.Prefix{netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("2a00:1:2:3::4/64"), netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("8.8.4.4/32")}
	n := &Network{pins: newPins(), policy: &Rules{}, cfg: Config{HostNetworks: func() ([]netip.Prefix, error) { return nets, nil }}}
	for addr, want := range map[string]Reach{
		"2606:4700::1111": Public, "2a00:1:2:4::1": Public, "64:ff9b::1.1.1.1": Public, "2002:101:101::1": Public,
		"2a00:1:2:3::4": Host, "fd61:6c70:696e:6576::2": Host,
		"2a00:1:2:3::5": Private, "fd00::1": Private, "fc00::1": Private, "fec0::1": Private, "2001:db8::1": Private, "2001::1": Private, "::2": Private, "4000::1": Private,
		"64:ff9b::10.0.0.1": Private, "64:ff9b::127.0.0.1": Never, "64:ff9b::169.254.169.254": Private, "64:ff9b:1::1": Private, "2002:a00:1::1": Private, "2002:7f00:1::": Never,
		"2001:0:102:304::": Private, "2a00::5efe:192.168.1.1": Private, "::10.0.0.1": Private, "::ffff:0:10.0.0.1": Private,
		"::": Never, "::1": Never, "fe80::1": Never, "fe80::2": Never, "ff02::1": Never, "ff0e::1": Never, "::ffff:10.0.0.1": Never, "::ffff:1.1.1.1": Never,
		"fd61:6c70:696e:6576::3": Never, "fd61:6c70:696e:6576::99": Never,
	} {
		ip := netip.MustParseAddr(addr)
		if got := n.reachOf(ip); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
		if _, err := n.decide(&Flow{Network: "tcp", Remote: netip.AddrPortFrom(ip, 80)}); (err == nil) != (want == Public) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestEmbeddedHost: an address of the host's is the host's inside of IPv6, too.
func TestEmbeddedHost(t *testing.T) {
	nets := []netip.Prefix{netip.MustParsePrefix("8.8.4.4/24")}
	n := &Network{pins: newPins(), policy: &Rules{}, cfg: Config{HostNetworks: func() ([]netip.Prefix, error) { return nets, nil }}}
	for addr, want := range map[string]Reach{"64:ff9b::8.8.4.4": Host, "2002:808:404::1": Host, "64:ff9b::8.8.4.5": Private, "64:ff9b::8.8.5.5": Public} {
		if got := n.reachOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
	}
}

// frame6 is an Ethernet frame with an IPv6 packet.
func frame6(proto tcpip.TransportProtocolNumber, src, dst netip.Addr, hops uint8, payload []byte) []byte {
	b := make([]byte, etherSize+header.IPv6MinimumSize+len(payload))
	mac := tcpip.LinkAddress(GatewayMAC[:])
	if dst.IsMulticast() {
		d := dst.As16()
		mac = tcpip.LinkAddress(append(slices.Clone(multicastMAC6), d[12:]...))
	}
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(guestMAC[:]), DstAddr: mac, Type: header.IPv6ProtocolNumber})
	header.IPv6(b[etherSize:]).Encode(&header.IPv6Fields{
		PayloadLength: uint16(len(payload)), TransportProtocol: proto, HopLimit: hops, SrcAddr: stackAddr(src), DstAddr: stackAddr(dst),
	})
	copy(b[etherSize+header.IPv6MinimumSize:], payload)
	return b
}

// icmp6 is a frame with an ICMPv6 message, with its checksum.
func icmp6(src, dst netip.Addr, hops uint8, icmp []byte) []byte {
	icmp = slices.Clone(icmp)
	sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, stackAddr(src), stackAddr(dst), uint16(len(icmp)))
	binary.BigEndian.PutUint16(icmp[2:], ^checksum.Checksum(icmp, sum))
	return frame6(header.ICMPv6ProtocolNumber, src, dst, hops, icmp)
}

// udp6 is a frame with a datagram.
func udp6(src, dst netip.AddrPort, data []byte) []byte {
	u := make(header.UDP, header.UDPMinimumSize+len(data))
	u.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(len(u))})
	copy(u.Payload(), data)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, stackAddr(src.Addr()), stackAddr(dst.Addr()), uint16(len(u)))
	u.SetChecksum(^checksum.Checksum(u, sum))
	return frame6(header.UDPProtocolNumber, src.Addr(), dst.Addr(), 64, u)
}

// fragments6 cuts the payload of an IPv6 frame into pieces of size bytes.
func fragments6(b []byte, size int, id byte) (frames [][]byte) {
	ip := header.IPv6(b[etherSize:])
	for at, data := 0, ip.Payload(); at < len(data); at += size {
		end := min(at+size, len(data))
		place := uint16(at)
		if end < len(data) {
			place |= 1
		}
		h := binary.BigEndian.AppendUint16([]byte{ip.NextHeader(), 0}, place)
		h = append(h, 0, 0, 0, id)
		frames = append(frames, frame6(tcpip.TransportProtocolNumber(header.IPv6FragmentExtHdrIdentifier),
			hostAddr(ip.SourceAddress()), hostAddr(ip.DestinationAddress()), 64, append(h, data[at:end]...)))
	}
	return frames
}

func ndp(typ header.ICMPv6Type, target netip.Addr) []byte {
	b := append([]byte{byte(typ), 0, 0, 0, 0, 0, 0, 0}, target.AsSlice()...)
	return append(append(b, ndpSourceLink, 1), guestMAC[:]...)
}

var (
	guestPort6  = netip.AddrPortFrom(guestIP6, 1000)
	publicPort6 = netip.MustParseAddrPort("[2606:4700::1]:80")
)

func TestAdmit6(t *testing.T) {
	n, _ := newNetwork(t, Config{})
	edit := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	udp := udp6(guestPort6, publicPort6, []byte("xy"))
	solicited := header.SolicitedNodeAddr(stackAddr(GatewayIP6))
	group := hostAddr(solicited)
	echo := []byte{byte(header.ICMPv6EchoRequest), 0, 0, 0, 1, 2, 3, 4}
	ns := func(target netip.Addr) []byte { return ndp(header.ICMPv6NeighborSolicit, target) }
	from := func(src string) []byte { return udp6(netip.MustParseAddrPort(src), publicPort6, nil) }
	to := func(dst string) []byte { return udp6(guestPort6, netip.MustParseAddrPort(dst), nil) }
	const ip = etherSize
	for _, row := range []struct {
		name    string
		frame   []byte
		partial bool
		want    bool
	}{
		{"UDP", udp, false, true},
		{"UDP from another address of the subnet", from("[fd61:6c70:696e:6576::abcd]:1"), false, true},
		{"checksum left to the network", edit(udp, ip+46, 9), true, true},
		{"echo request for the gateway", icmp6(guestIP6, GatewayIP6, 64, echo), false, true},
		{"who has the gateway", icmp6(guestIP6, group, 255, ns(GatewayIP6)), false, true},
		{"who has the router", icmp6(guestLink6, gatewayLink6, 255, ns(gatewayLink6)), false, true},
		{"who has the gateway, unicast", icmp6(guestLink6, GatewayIP6, 255, ns(GatewayIP6)), false, true},
		{"the guest's own address", icmp6(guestIP6, GatewayIP6, 255, ndp(header.ICMPv6NeighborAdvert, guestIP6)), false, true},

		{"cut", udp[:40], false, false},
		{"cut in UDP", udp[:58], false, false},
		{"length past the end", edit(udp, ip+4, 0xff), false, false},
		{"version 4", edit(udp, ip, 0x45), false, false},
		{"for another group of cards", edit(udp, 0, 1, 0, 0x5e, 0, 0, 1), false, false},
		{"checksum", edit(udp, ip+46, 9), false, false},
		{"no checksum", edit(udp, ip+46, 0, 0), false, false},
		{"hop-by-hop options", edit(udp, ip+6, 0), false, false},
		{"routing header", edit(udp, ip+6, 43), false, false},
		{"destination options", edit(udp, ip+6, 60), false, false},
		{"no next header", edit(udp, ip+6, 59), false, false},
		{"IPv4 inside", edit(udp, ip+6, 4), false, false},
		{"from the gateway", from("[fd61:6c70:696e:6576::2]:1"), false, false},
		{"from the DNS server", from("[fd61:6c70:696e:6576::3]:1"), false, false},
		{"from outside", from("[2606:4700::1]:1"), false, false},
		{"from the link", from("[fe80::f]:1"), false, false},
		{"from a group", from("[ff02::1]:1"), false, false},
		{"from nobody", from("[::]:1"), false, false},
		{"from loopback", from("[::1]:1"), false, false},
		{"from an IPv4 address", from("[::ffff:10.0.2.15]:1"), false, false},
		{"to loopback", to("[::1]:1"), false, false},
		{"to nobody", to("[::]:1"), false, false},
		{"to a group", to("[ff02::1]:1"), false, false},
		{"to the link", to("[fe80::1]:1"), false, false},
		{"to an IPv4 address", to("[::ffff:10.0.0.1]:1"), false, false},
		{"who has the guest's address", icmp6(netip.IPv6Unspecified(), group, 255, ns(guestIP6)), false, false},
		{"who has another's", icmp6(guestIP6, group, 255, ns(publicPort6.Addr())), false, false},
		{"solicitation from afar", icmp6(guestIP6, group, 64, ns(GatewayIP6)), false, false},
		{"short solicitation", icmp6(guestIP6, group, 255, ns(GatewayIP6)[:20]), false, false},
		{"the gateway's address is the guest's", icmp6(guestIP6, GatewayIP6, 255, ndp(header.ICMPv6NeighborAdvert, GatewayIP6)), false, false},
		{"router advertisement", icmp6(guestLink6, allNodes, 255, make([]byte, 16)), false, false},
		{"redirect", icmp6(guestLink6, GatewayIP6, 255, append([]byte{137}, make([]byte, 39)...)), false, false},
		{"echo request for another", icmp6(guestIP6, publicPort6.Addr(), 64, echo), false, false},
		{"echo request for a group", icmp6(guestIP6, allNodes, 64, echo), false, false},
	} {
		if got := n.admit(row.frame, row.partial) != nil; got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

// TestAdvertise: a guest that asks for routers is told how to make its address.
func TestAdvertise(t *testing.T) {
	c := newCard(t, Config{})
	for _, src := range []netip.Addr{netip.IPv6Unspecified(), guestLink6} {
		c.send(icmp6(src, allRouters, 255, []byte{byte(header.ICMPv6RouterSolicit), 0, 0, 0, 0, 0, 0, 0}))
		b := <-c.got
		ip := header.IPv6(b[etherSize:])
		icmp := header.ICMPv6(ip.Payload())
		sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(icmp)))
		if hostAddr(ip.SourceAddress()) != gatewayLink6 || hostAddr(ip.DestinationAddress()) != allNodes || ip.HopLimit() != 255 ||
			icmp.Type() != header.ICMPv6RouterAdvert || checksum.Checksum(icmp, sum) != 0xffff || !bytes.Equal(b[:6], []byte{0x33, 0x33, 0, 0, 0, 1}) {
			t.Fatalf("the answer is % x", b)
		}
		ra := header.NDPRouterAdvert(icmp.MessageBody())
		if ra.RouterLifetime() != routerLifetime || ra.ManagedAddrConfFlag() {
			t.Errorf("lifetime %v", ra.RouterLifetime())
		}
		options, err := ra.Options().Iter(true)
		if err != nil {
			t.Fatal(err)
		}
		var prefix netip.Prefix
		var servers []tcpip.Address
		for {
			o, done, err := options.Next()
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
			switch o := o.(type) {
			case header.NDPPrefixInformation:
				p := hostAddr(o.Prefix())
				prefix = netip.PrefixFrom(p, int(o.PrefixLength()))
				if !o.AutonomousAddressConfigurationFlag() || !o.OnLinkFlag() {
					t.Error("the prefix is for no addresses")
				}
			case header.NDPRecursiveDNSServer:
				servers, _ = o.Addresses()
			}
		}
		if prefix != Subnet6 || len(servers) != 1 || hostAddr(servers[0]) != DNSIP6 {
			t.Errorf("prefix %v, servers %v", prefix, servers)
		}
	}
}

// TestIPv6Both: streams and datagrams pass in both directions, to the world outside
// and to the host's loopback.
func TestIPv6Both(t *testing.T) {
	const size = 3 << 20
	web := hostTCP(t, func(c *net.TCPConn) {
		b, err := io.ReadAll(io.LimitReader(c, size))
		if err == nil {
			c.Write(b)
		}
	})
	var dialed []string
	s := newSocket()
	g := newGuest(t, Config{HostLoopback: true, Datagrams: s, Dialer: dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, network+" "+address)
		return (&net.Dialer{}).DialContext(ctx, network, hostSide(web).String())
	})})
	for _, to := range []string{publicPort6.String(), "[fd61:6c70:696e:6576::2]:8080"} {
		c := g.mustDial(to)
		go c.Write(noise(size))
		got := make([]byte, size)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, noise(size)) {
			t.Errorf("%s: %v, or other data", to, err)
		}
		c.Close()
	}
	if want := []string{"tcp [2606:4700::1]:80", "tcp [::1]:8080"}; !slices.Equal(dialed, want) {
		t.Errorf("dialed %q, want %q", dialed, want)
	}
	if g.largestIn.Load() < 2000 || g.largestOut.Load() < 2000 {
		t.Errorf("no large segments: %d in, %d out", g.largestIn.Load(), g.largestOut.Load())
	}
	buf := make([]byte, 1<<16)
	c := g.dialUDP("[2606:4700::1]:53")
	for _, size := range append(slices.Clone(sizes), 65_508, 65_527) {
		c.Write(noise(size))
		d := <-s.sent
		if d.to.String() != "[2606:4700::1]:53" || !bytes.Equal(d.data, noise(size)) {
			t.Errorf("%d bytes were sent to %v", len(d.data), d.to)
		}
		s.in <- d
		if k, err := c.Read(buf); err != nil || !bytes.Equal(buf[:k], noise(size)) {
			t.Errorf("%d bytes: %d came back, or others: %v", size, k, err)
		}
	}
}

// TestIPv6Errors: what cannot be reached fails at once.
func TestIPv6Errors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		to   string
		want string
	}{
		{syscall.ENETUNREACH, publicPort6.String(), "unreachable"},
		{syscall.ECONNREFUSED, publicPort6.String(), "refused"},
		{nil, "[fd00::1]:80", "refused"},
		{nil, "[64:ff9b::10.0.0.1]:80", "refused"},
		{nil, "[fd61:6c70:696e:6576::2]:80", "refused"},
	} {
		g := newGuest(t, Config{Dialer: dialerFunc(func(context.Context, string, string) (net.Conn, error) {
			if tt.err == nil {
				t.Errorf("%s was dialed", tt.to)
				return nil, syscall.EACCES
			}
			return nil, &net.OpError{Op: "dial", Err: tt.err}
		})})
		c, err := g.dial(tt.to)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %v: %v, want %q", tt.to, tt.err, err, tt.want)
		}
		if tt.want != "refused" {
			continue // gVisor's own sockets tell programs of nothing else
		}
		u := g.dialUDP(tt.to)
		eventually(t, "the datagram is refused", func() bool {
			_, err := u.Write([]byte("x"))
			return err != nil
		})
	}
}

// TestUnreachable6: the code of each error, and what of the guest's packet is quoted
// (RFC 4443, 3.1).
func TestUnreachable6(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code byte
	}{{syscall.ENETUNREACH, 0}, {syscall.EHOSTUNREACH, 3}, {context.DeadlineExceeded, 3}, {syscall.ECONNREFUSED, 4}} {
		g := newGuest(t, Config{Dialer: dialerFunc(func(context.Context, string, string) (net.Conn, error) { return nil, tt.err })})
		g.frames = make(chan []byte, 1000)
		sent := udp6(guestPort6, publicPort6, []byte("x"))
		g.m.do(func() { g.net.Send(Frame{Data: sent}) })
		for {
			b := <-g.frames
			if header.Ethernet(b).Type() != header.IPv6ProtocolNumber || len(b) < 62 || b[54] != byte(header.ICMPv6DstUnreachable) {
				continue // who has the guest's address
			}
			quoted := b[62:]
			if b[55] != tt.code || hostAddr(header.IPv6(quoted).SourceAddress()) != guestIP6 || hostAddr(header.IPv6(quoted).DestinationAddress()) != publicPort6.Addr() ||
				!bytes.Equal(quoted[40:44], sent[54:58]) {
				t.Errorf("%v: % x", tt.err, b)
			}
			break
		}
	}
}

// TestIPv6Fragments: datagrams come together as over IPv4.
func TestIPv6Fragments(t *testing.T) {
	frame := udp6(guestPort6, publicPort6, noise(3000))
	p, small := fragments6(frame, 1000, 1), fragments6(udp6(guestPort6, publicPort6, noise(500)), 1000, 1)
	icmp := fragments6(icmp6(guestIP6, GatewayIP6, 255, ndp(header.ICMPv6NeighborSolicit, GatewayIP6)), 16, 1)
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   int
	}{
		{"in order", p, 1},
		{"backwards", [][]byte{p[3], p[2], p[1], p[0]}, 1},
		{"one missing", [][]byte{p[0], p[1], p[3]}, 0},
		{"overlapping", [][]byte{p[0], fragments6(frame, 1016, 1)[1], p[1], p[2], p[3]}, 0},
		{"of one fragment, among others", append([][]byte{p[0], small[0]}, p[1:]...), 2},
		{"to neighbours", icmp, 0},
		{"no header", [][]byte{frame6(44, guestIP6, publicPort6.Addr(), 64, []byte{17, 0, 0})}, 0},
		{"fragments of fragments", fragments6(p[0], 504, 2), 0},
	} {
		n, _ := newNetwork(t, Config{})
		got := 0
		for _, f := range tt.frames {
			if b := n.admit(slices.Clone(f), false); b != nil {
				got++
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d datagrams, want %d", tt.name, got, tt.want)
		}
	}
}

// TestEcho6 is TestEchoSizes for IPv6.
func TestEcho6(t *testing.T) {
	asked := make(chan []byte, 1)
	g := newGuest(t, Config{Ping: func(_ context.Context, ip netip.Addr, payload []byte) error {
		if ip != publicPort6.Addr() {
			t.Errorf("asked %v", ip)
		}
		asked <- slices.Clone(payload)
		return nil
	}})
	g.frames = make(chan []byte, 1000)
	reply := assembler{now: time.Now}
	n := Network{fragments: reply}
	for i, size := range []int{0, 1, 1452, 1453, 3000, 65_507} {
		request := append([]byte{byte(header.ICMPv6EchoRequest), 0, 0, 0, 0x12, 0x34, 0, 9}, noise(size)...)
		frames := [][]byte{icmp6(guestIP6, publicPort6.Addr(), 64, request)}
		if size > 1452 {
			frames = fragments6(frames[0], 1400, byte(i))
		}
		for _, f := range frames {
			g.m.do(func() { g.net.Send(Frame{Data: f}) })
		}
		if got := <-asked; !bytes.Equal(got, noise(size)) {
			t.Errorf("asked with %d bytes, or others", len(got))
		}
		for {
			b := <-g.frames
			if header.Ethernet(b).Type() != header.IPv6ProtocolNumber || len(b)-etherSize > 1500 {
				continue
			}
			if header.IPv6(b[etherSize:]).NextHeader() == 44 {
				if b = n.whole6(b); b == nil {
					continue
				}
			}
			ip := header.IPv6(b[etherSize:])
			icmp := header.ICMPv6(ip.Payload())
			if ip.NextHeader() != 58 || icmp.Type() != header.ICMPv6EchoReply {
				continue // who has the guest's address
			}
			sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(icmp)))
			if checksum.Checksum(icmp, sum) != 0xffff || hostAddr(ip.SourceAddress()) != publicPort6.Addr() || !bytes.Equal(icmp[4:], request[4:]) {
				t.Errorf("%d bytes: a reply of %d bytes from %v", size, len(icmp), ip.SourceAddress())
			}
			break
		}
	}
}

// TestAAAA: addresses of IPv6 are told only where the host has a way to them, and are
// pinned to their names like others.
func TestAAAA(t *testing.T) {
	z := &zone{records: map[string][]dnsmessage.Resource{
		"both.example.": {a("both.example.", "1.2.3.1", 60), a("both.example.", "2606:4700::1", 60)},
	}}
	server := hostUDP(t, z.answer)
	for _, tt := range []struct {
		way     func() bool
		want    string
		refused bool
	}{
		{nil, "Success:", true},
		{func() bool { return false }, "Success:", true},
		{func() bool { return true }, "Success: 2606:4700::1", false},
	} {
		n, _ := newNetwork(t, Config{IPv6: tt.way, DNS: DNSConfig{Servers: []netip.AddrPort{hostSide(server)}}, Policy: &Rules{Allow: rules(t, "both.example")}})
		for _, typ := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA} {
			want := tt.want
			if typ == dnsmessage.TypeA {
				want = "Success: 1.2.3.1"
			}
			if got := dnsText(t, n.dns.answer(dnsQuery(t, "both.example.", typ), "udp")); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if _, err := n.decide(&Flow{Network: "tcp", Remote: publicPort6}); (err != nil) != tt.refused {
			t.Errorf("%v", err)
		}
	}
	g := newGuest(t, Config{IPv6: func() bool { return true }, DNS: DNSConfig{Servers: []netip.AddrPort{hostSide(server)}}})
	c := g.dialUDP("[fd61:6c70:696e:6576::3]:53")
	c.Write(dnsQuery(t, "both.example.", dnsmessage.TypeAAAA))
	buf := make([]byte, 4096)
	k, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := dnsText(t, buf[:k]); got != "Success: 2606:4700::1" {
		t.Errorf("the server at its address of IPv6 says %q", got)
	}
}
