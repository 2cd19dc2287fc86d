package usernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"alpinevm/internal/leaktest"
	"alpinevm/net/special"
)

// refuse is a Dialer that counts what it is asked.
type refuse struct{ asked chan string }

func (r refuse) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	r.asked <- address
	return nil, syscall.ECONNREFUSED
}

// tcpFrame is an Ethernet frame with a TCP segment without data.
func tcpFrame(src, dst netip.AddrPort, flags header.TCPFlags) []byte {
	s := make([]byte, header.TCPMinimumSize)
	header.TCP(s).Encode(&header.TCPFields{
		SrcPort: src.Port(), DstPort: dst.Port(), SeqNum: 7, DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 1000,
	})
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, stackAddr(src.Addr()), stackAddr(dst.Addr()), uint16(len(s)))
	header.TCP(s).SetChecksum(^checksum.Checksum(s, sum))
	return ipFrame(header.TCPProtocolNumber, src.Addr(), dst.Addr(), s)
}

// icmpFrame is an Ethernet frame with an echo request.
func icmpFrame(dst netip.Addr, size int) []byte {
	b := make([]byte, header.ICMPv4MinimumSize+size)
	h := header.ICMPv4(b)
	h.SetType(header.ICMPv4Echo)
	h.SetIdent(0x1234)
	h.SetSequence(9)
	h.SetChecksum(^checksum.Checksum(b, 0))
	return ipFrame(header.ICMPv4ProtocolNumber, GuestIP, dst, b)
}

func arpFrame(sender netip.Addr, mac [6]byte) []byte {
	b := make([]byte, etherSize+header.ARPSize)
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(guestMAC[:]), DstAddr: header.EthernetBroadcastAddress, Type: header.ARPProtocolNumber})
	a := header.ARP(b[etherSize:])
	a.SetIPv4OverEthernet()
	a.SetOp(header.ARPRequest)
	copy(a.HardwareAddressSender(), mac[:])
	copy(a.ProtocolAddressSender(), sender.AsSlice())
	copy(a.ProtocolAddressTarget(), GatewayIP.AsSlice())
	return b
}

var (
	guestPort  = netip.AddrPortFrom(GuestIP, 1000)
	publicPort = netip.MustParseAddrPort("1.2.3.1:80")
)

// fixIP makes the IP header's checksum right again.
func fixIP(b []byte) []byte {
	ip := header.IPv4(b[etherSize:])
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	return b
}

func TestAdmit(t *testing.T) {
	n, _ := newNetwork(t, Config{})
	edit := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	syn := tcpFrame(guestPort, publicPort, header.TCPFlagSyn)
	udp := udpFrame(guestPort, publicPort, []byte("x"))
	from := func(src string) []byte {
		return tcpFrame(netip.MustParseAddrPort(src), publicPort, header.TCPFlagSyn)
	}
	to := func(dst string) []byte {
		return tcpFrame(guestPort, netip.MustParseAddrPort(dst), header.TCPFlagSyn)
	}
	const ip = etherSize
	for _, row := range []struct {
		name    string
		frame   []byte
		partial bool
		want    bool
	}{
		{"TCP", syn, false, true},
		{"UDP", udp, false, true},
		{"UDP without checksum", edit(udp, ip+26, 0, 0), false, true},
		{"ARP", arpFrame(GuestIP, guestMAC), false, true},
		{"ARP probe", arpFrame(netip.IPv4Unspecified(), guestMAC), false, true},
		{"another address of the subnet", from("10.0.2.77:1"), false, true},
		{"DHCP", udpFrame(netip.MustParseAddrPort("0.0.0.0:68"), netip.MustParseAddrPort("255.255.255.255:67"), nil), false, true},
		{"ping of the gateway", icmpFrame(GatewayIP, 8), false, true},
		{"trailing bytes", append(bytes.Clone(syn), make([]byte, 6)...), false, true},

		{"empty", nil, false, false},
		{"only a header", syn[:14], false, false},
		{"cut", syn[:30], false, false},
		{"cut in TCP", syn[:50], false, false},
		{"for another card", edit(syn, 0, 0x52, 0x54, 0, 9, 9, 9), false, false},
		{"multicast", edit(syn, 0, 1, 0, 0x5e, 0, 0, 1), false, false},
		{"from the gateway's card", edit(syn, 6, GatewayMAC[:]...), false, false},
		{"from a multicast card", edit(syn, 6, 1), false, false},
		{"IPv6", edit(syn, 12, 0x86, 0xdd), false, false},
		{"VLAN", edit(syn, 12, 0x81, 0), false, false},
		{"IP version 6 in IPv4", edit(syn, ip, 0x65), false, false},
		{"IP header too short", edit(syn, ip, 0x44), false, false},
		{"IP header past the end", edit(syn, ip, 0x4f), false, false},
		{"IP length past the end", fixIP(edit(syn, ip+2, 0xff)), false, false},
		{"IP length too short", fixIP(edit(syn, ip+2, 0, 10)), false, false},
		{"IP checksum", edit(syn, ip+8, 63), false, false},
		{"TCP checksum", edit(syn, ip+20, 9), false, false},
		{"TCP checksum left to the network", edit(syn, ip+20, 9), true, true},
		{"UDP checksum", edit(udp, ip+28, 'y'), false, false},
		{"ICMP checksum", edit(icmpFrame(GatewayIP, 8), ip+24, 9), false, false},
		{"IGMP", ipFrame(2, GuestIP, GatewayIP, make([]byte, 8)), false, false},
		{"from the gateway", from("10.0.2.2:1"), false, false},
		{"from the DNS server", from("10.0.2.3:1"), false, false},
		{"from outside", from("1.2.3.1:1"), false, false},
		{"from broadcast", from("10.0.2.255:1"), false, false},
		{"from no address", from("0.0.0.0:1"), false, false},
		{"from loopback", from("127.0.0.1:1"), false, false},
		{"to loopback", to("127.0.0.1:1"), false, false},
		{"to no address", to("0.0.0.0:1"), false, false},
		{"to multicast", to("224.0.0.1:1"), false, false},
		{"to reserved", to("240.0.0.1:1"), false, false},
		{"to all by TCP", to("255.255.255.255:67"), false, false},
		{"to all, not DHCP", udpFrame(guestPort, netip.MustParseAddrPort("255.255.255.255:68"), nil), false, false},
		{"without address, to outside", udpFrame(netip.MustParseAddrPort("0.0.0.0:68"), netip.MustParseAddrPort("1.2.3.1:67"), nil), false, false},
		{"ARP for the gateway's address", arpFrame(GatewayIP, guestMAC), false, false},
		{"ARP for an address outside", arpFrame(publicPort.Addr(), guestMAC), false, false},
		{"ARP with another card", arpFrame(GuestIP, [6]byte{2}), false, false},
		{"short ARP", arpFrame(GuestIP, guestMAC)[:30], false, false},
		{"ping of another", icmpFrame(publicPort.Addr(), 8), false, false},
	} {
		if got := n.admit(row.frame, row.partial) != nil; got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestEcho(t *testing.T) {
	asked := make(chan netip.Addr, 10)
	c := newCard(t, Config{HostLoopback: true, Ping: func(_ context.Context, ip netip.Addr, payload []byte) error {
		asked <- ip
		if len(payload) != 40 {
			t.Errorf("a payload of %d bytes", len(payload))
		}
		if ip == netip.MustParseAddr("1.2.3.2") {
			return errors.New("no answer")
		}
		return nil
	}})
	c.send(arpFrame(GuestIP, guestMAC)) // so that the gateway knows the guest
	<-c.got
	for _, row := range []struct {
		dst    string
		asked  string
		answer bool
	}{
		{"10.0.2.2", "", true},
		{"10.0.2.3", "", true},
		{"1.2.3.1", "1.2.3.1", true},
		{"1.2.3.2", "1.2.3.2", false},
		{"10.9.9.9", "", false},
		{"10.0.2.99", "", false},
	} {
		request := icmpFrame(netip.MustParseAddr(row.dst), 40)
		c.send(request)
		if row.asked != "" {
			if ip := <-asked; ip.String() != row.asked {
				t.Errorf("%s: asked %v", row.dst, ip)
			}
		}
		wait := 200 * time.Millisecond // for what must not come
		if row.answer {
			wait = patience
		}
		select {
		case b := <-c.got:
			ip := header.IPv4(b[etherSize:])
			icmp := header.ICMPv4(ip.Payload())
			if !row.answer {
				t.Errorf("%s: answered", row.dst)
			}
			if hostAddr(ip.SourceAddress()).String() != row.dst || hostAddr(ip.DestinationAddress()) != GuestIP || !ip.IsChecksumValid() {
				t.Errorf("%s: answer from %v to %v", row.dst, ip.SourceAddress(), ip.DestinationAddress())
			}
			if icmp.Type() != header.ICMPv4EchoReply || icmp.Ident() != 0x1234 || icmp.Sequence() != 9 || checksum.Checksum(icmp, 0) != 0xffff {
				t.Errorf("%s: answer % x", row.dst, []byte(icmp))
			}
		case <-time.After(wait):
			if row.answer {
				t.Errorf("%s: no answer", row.dst)
			}
		}
	}
	if len(asked) != 0 {
		t.Errorf("asked %v", <-asked)
	}
}

func TestEchoFlood(t *testing.T) {
	release := make(chan struct{})
	running := make(chan struct{}, 1000)
	c := newCard(t, Config{Ping: func(ctx context.Context, _ netip.Addr, _ []byte) error {
		running <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return errors.New("no answer")
	}})
	for range 500 {
		c.send(icmpFrame(publicPort.Addr(), 8))
	}
	eventually(t, "the frames are looked at", func() bool { return len(c.n.link.in) == 0 })
	eventually(t, "the echo requests run", func() bool { return len(running) >= maxPings })
	time.Sleep(10 * time.Millisecond)
	if k := len(running); k != maxPings {
		t.Errorf("%d echo requests at a time, want %d", k, maxPings)
	}
	close(release)
}

// A storm of SYNs to many ports takes no more flows than there are.
func TestSYNStorm(t *testing.T) {
	c := newCard(t, Config{Dialer: dialerFunc(func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})})
	before := runtime.NumGoroutine()
	for i := range 5000 {
		src := netip.AddrPortFrom(GuestIP, uint16(1024+i))
		c.send(tcpFrame(src, publicPort, header.TCPFlagSyn))
		if i%10 == 0 {
			c.send(tcpFrame(src, publicPort, header.TCPFlagSyn)) // once more
		}
	}
	eventually(t, "the flows are taken", func() bool { return c.n.Flows() == maxFlows })
	if k := runtime.NumGoroutine() - before; k > maxFlows+50 {
		t.Errorf("%d goroutines more", k)
	}
	c.n.Close()
	eventually(t, "the flows end", func() bool { return c.n.Flows() == 0 })
}

// A guest that takes no frames does not make the network remember more and
// more.
func TestQueueToGuestIsBounded(t *testing.T) {
	n, m := newNetwork(t, Config{})
	refused := 0
	m.do(func() {
		n.Receive(func(Frame) bool {
			refused++
			return false
		})
	})
	m.do(func() { n.Send(Frame{Data: arpFrame(GuestIP, guestMAC)}) })
	for range 10_000 {
		m.do(func() { n.Send(Frame{Data: icmpFrame(GatewayIP, 1400)}) })
		if n.link.outBytesNow() > queueBytes {
			t.Fatalf("%d bytes wait", n.link.outBytesNow())
		}
	}
	m.do(func() {
		if refused != 1 {
			t.Errorf("asked %d times, want once until Ready", refused)
		}
		n.Ready()
		if refused != 2 {
			t.Errorf("asked %d times after Ready", refused)
		}
	})
}

func (l *link) outBytesNow() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outBytes
}

// Frames wait in a bounded queue while the stack is busy.
func TestQueueFromGuestIsBounded(t *testing.T) {
	l := newLink(nil, nil, 1500)
	big := make([]byte, 60000)
	for range 1000 {
		l.send(Frame{Data: big})
	}
	if b := l.inBytes.Load(); b > queueBytes || b < queueBytes/2 {
		t.Errorf("%d bytes wait", b)
	}
	for _, size := range []int{0, 14, etherSize + largestIPv4 + 1, 1 << 20} {
		before := len(l.in)
		l.send(Frame{Data: make([]byte, size)})
		if len(l.in) != before {
			t.Errorf("a frame of %d bytes was taken", size)
		}
	}
}

// Fragments that never make a whole packet do not pile up.
func TestFragmentFlood(t *testing.T) {
	c := newCard(t, Config{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 20_000 {
		b := ipFrame(header.UDPProtocolNumber, GuestIP, publicPort.Addr(), make([]byte, 1400))
		binary.BigEndian.PutUint16(b[etherSize+4:], uint16(i)) // identification
		b[etherSize+6] = 0x20                                  // more fragments
		c.send(fixIP(b))
	}
	eventually(t, "the frames are looked at", func() bool { return len(c.n.link.in) == 0 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if d := int64(after.HeapAlloc) - int64(before.HeapAlloc); d > 20<<20 {
		t.Errorf("%d MiB more", d>>20)
	}
}

// FuzzFrames sends anything to a network whose dialer refuses.
func FuzzFrames(f *testing.F) {
	f.Add(tcpFrame(guestPort, publicPort, header.TCPFlagSyn), false)
	f.Add(tcpFrame(guestPort, publicPort, header.TCPFlagAck), true)
	f.Add(udpFrame(guestPort, publicPort, []byte("hello")), false)
	f.Add(udpFrame(netip.MustParseAddrPort("0.0.0.0:68"), netip.MustParseAddrPort("255.255.255.255:67"), dhcpRequestMessage(1, GuestIP)), false)
	f.Add(icmpFrame(GatewayIP, 8), false)
	f.Add(arpFrame(GuestIP, guestMAC), false)
	f.Add(udp6(guestPort6, publicPort6, []byte("hello")), false)
	f.Add(udp6(guestPort6, netip.MustParseAddrPort("[64:ff9b::10.0.0.1]:1"), nil), true)
	f.Add(icmp6(guestIP6, GatewayIP6, 255, ndp(header.ICMPv6NeighborSolicit, GatewayIP6)), false)
	f.Add(icmp6(guestLink6, allRouters, 255, make([]byte, 8)), false)
	for _, b := range fragments6(udp6(guestPort6, publicPort6, noise(60)), 32, 1) {
		f.Add(b, false)
	}
	for _, b := range fragments(udpFrame(guestPort, publicPort, noise(60)), 32, 1) {
		f.Add(b, true)
	}
	r := refuse{make(chan string, 1<<16)}
	n, m := newNetwork(f, Config{Dialer: r, Ping: func(context.Context, netip.Addr, []byte) error { return nil }})
	m.do(func() { n.Receive(func(Frame) bool { return true }) })
	f.Fuzz(func(t *testing.T, b []byte, partial bool) {
		// Deliver in this goroutine, so that a panic is this input's. Checksums
		// are made right half of the time, to get further.
		if partial && len(b) >= etherSize+header.IPv4MinimumSize && b[etherSize] == 0x45 {
			b = fixIP(bytes.Clone(b))
		}
		f := Frame{Data: b}
		if partial {
			f.CsumStart = 34
		}
		v := newLink(nil, nil, 1500)
		v.send(f)
		if len(v.in) == 1 {
			n.link.deliverOne(<-v.in)
		}
		for len(r.asked) > 0 {
			a := netip.MustParseAddrPort(<-r.asked)
			if !unicast(a.Addr()) || Subnet.Contains(a.Addr()) || special.Of(a.Addr()) != special.Public {
				t.Errorf("dialed %v", a)
			}
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	before := leaktest.Now()
	t.Run("network", closeBusy)
	before.Check(t, 1<<30)
}

// closeBusy closes a network in the midst of everything.
func closeBusy(t *testing.T) {
	ended := make(chan error, 1)
	addr := hostTCP(t, func(c *net.TCPConn) {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	})
	g := newGuest(t, Config{HostLoopback: true, Forwards: []Forward{
		{Network: "tcp", Host: loopbackIP, Guest: 1}, {Network: "udp", Host: loopbackIP, Guest: 1}}})
	g.mustDial(addr)
	g.dialUDP("10.0.2.2:9").Write([]byte("x"))
	g.mustDial("10.0.2.3:53")
	g.net.Close()
	g.net.Close() // does nothing
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the host read: %v", err)
	}
	g.m.do(func() {
		g.net.Send(Frame{Data: arpFrame(GuestIP, guestMAC)})
		g.net.Ready()
	})
	eventually(t, "the flows end", func() bool { return g.net.Flows() == 0 })
	for _, a := range g.net.Forwarded()[:1] {
		if c, err := net.Dial("tcp", a.String()); err == nil {
			c.Close()
			t.Errorf("%v is still open", a)
		}
	}
}
