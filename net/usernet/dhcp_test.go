package usernet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// dhcpRequestMessage is a client's message with the given options.
func dhcpRequestMessage(kind byte, ciaddr netip.Addr, options ...byte) []byte {
	b := make([]byte, dhcpOptions)
	b[0], b[1], b[2], b[3] = 1, 1, 6, 7 // hops 7: not to be passed back
	copy(b[4:], []byte{0xde, 0xad, 0xbe, 0xef, 0, 9, 0x80, 0})
	copy(b[12:], ciaddr.AsSlice())
	copy(b[28:], guestMAC[:])
	copy(b[44:], "server name")
	binary.BigEndian.PutUint32(b[236:], dhcpMagic)
	b = append(b, 53, 1, kind)
	b = append(b, options...)
	return append(b, 255)
}

// dhcpFields takes a reply apart.
func dhcpFields(t *testing.T, b []byte) map[byte][]byte {
	t.Helper()
	if len(b) < dhcpSmallest || b[0] != 2 || binary.BigEndian.Uint32(b[236:]) != dhcpMagic {
		t.Fatalf("no DHCP reply: % x", b)
	}
	if !bytes.Equal(b[4:8], []byte{0xde, 0xad, 0xbe, 0xef}) || b[10] != 0x80 || !bytes.Equal(b[28:34], guestMAC[:]) || b[3] != 0 || b[44] != 0 {
		t.Errorf("header % x", b[:50])
	}
	o := map[byte][]byte{}
	for p := b[dhcpOptions:]; p[0] != optEnd; p = p[2+p[1]:] {
		if o[p[0]] != nil {
			t.Errorf("option %d twice", p[0])
		}
		o[p[0]] = p[2 : 2+p[1]]
	}
	return o
}

func TestDHCPAnswers(t *testing.T) {
	n, _ := newNetwork(t, Config{Hostname: "vm", MTU: 1400, DNS: DNSConfig{Search: []string{"example.org", "corp.example"}}})
	none := netip.IPv4Unspecified()
	other := netip.MustParseAddr("192.168.1.77")
	ip := func(code byte, a netip.Addr) []byte { return append([]byte{code, 4}, a.AsSlice()...) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, row := range []struct {
		name    string
		kind    byte
		ciaddr  netip.Addr
		options []byte
		want    byte // 0: no answer
		to      netip.Addr
	}{
		{"discover", dhcpDiscover, none, nil, dhcpOffer, allOnes},
		{"discover, asking for another address", dhcpDiscover, none, ip(50, other), dhcpOffer, allOnes},
		{"request after the offer", dhcpRequest, none, join(ip(50, GuestIP), ip(54, GatewayIP)), dhcpAck, allOnes},
		{"request of another server", dhcpRequest, none, join(ip(50, GuestIP), ip(54, other)), 0, allOnes},
		{"after a reboot", dhcpRequest, none, ip(50, GuestIP), dhcpAck, allOnes},
		{"after a reboot, with another address", dhcpRequest, none, ip(50, other), dhcpNak, allOnes},
		{"renewal", dhcpRequest, GuestIP, nil, dhcpAck, GuestIP},
		{"renewal of another address", dhcpRequest, other, nil, dhcpNak, allOnes},
		{"inform", dhcpInform, GuestIP, nil, dhcpAck, GuestIP},
		{"decline", dhcpDecline, none, ip(50, GuestIP), 0, allOnes},
		{"release", dhcpRelease, GuestIP, nil, 0, GuestIP},
		{"of a server", dhcpOffer, none, nil, 0, allOnes},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, err := parseDHCP(dhcpRequestMessage(row.kind, row.ciaddr, row.options...))
			if err != nil {
				t.Fatal(err)
			}
			b := n.dhcpAnswer(m)
			if row.want == 0 {
				if b != nil {
					t.Errorf("answer % x", b)
				}
				return
			}
			o := dhcpFields(t, b)
			if got := o[53]; len(got) != 1 || got[0] != row.want {
				t.Fatalf("type %v, want %d", got, row.want)
			}
			if !bytes.Equal(o[54], GatewayIP.AsSlice()) {
				t.Errorf("server % x", o[54])
			}
			if to := netip.MustParseAddrPort(dhcpDestination(m).String()); to != netip.AddrPortFrom(row.to, 68) {
				t.Errorf("it goes to %v", to)
			}
			if row.want == dhcpNak {
				if len(o) != 2 || !bytes.Equal(b[16:20], make([]byte, 4)) {
					t.Errorf("options of a NAK: %v", o)
				}
				return
			}
			want := map[byte][]byte{
				1: {255, 255, 255, 0}, 3: {10, 0, 2, 2}, 6: {10, 0, 2, 3}, 28: {10, 0, 2, 255},
				26: {0x05, 0x78}, 12: []byte("vm"), 15: []byte("example.org"),
				119: []byte("\x07example\x03org\x00\x04corp\x07example\x00"),
			}
			if row.kind != dhcpInform {
				want[51], want[58], want[59] = []byte{0, 1, 0x51, 0x80}, []byte{0, 0, 0xa8, 0xc0}, []byte{0, 1, 0x27, 0x50}
				if !bytes.Equal(b[16:20], GuestIP.AsSlice()) {
					t.Errorf("yiaddr % x", b[16:20])
				}
			}
			for code, v := range want {
				if !bytes.Equal(o[code], v) {
					t.Errorf("option %d is % x, want % x", code, o[code], v)
				}
			}
			if len(o) != len(want)+2 {
				t.Errorf("%d options, want %d", len(o), len(want)+2)
			}
		})
	}
}

func TestDHCPMalformed(t *testing.T) {
	good := dhcpRequestMessage(dhcpDiscover, netip.IPv4Unspecified())
	edit := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	for _, row := range []struct {
		name string
		b    []byte
	}{
		{"empty", nil},
		{"short", good[:239]},
		{"a reply", edit(0, 2)},
		{"not Ethernet", edit(1, 6)},
		{"long address", edit(2, 16)},
		{"no cookie", edit(236, 0)},
		{"no type", append(good[:240:240], 255)},
		{"option past the end", append(good[:240:240], 53, 9, 1)},
		{"option without length", append(good[:243:243], 50)},
	} {
		if _, err := parseDHCP(row.b); err == nil {
			t.Errorf("%s: accepted", row.name)
		}
	}
}

// udpFrame is an Ethernet frame with a UDP datagram from the guest's card.
func udpFrame(src, dst netip.AddrPort, payload []byte) []byte {
	u := make([]byte, header.UDPMinimumSize+len(payload))
	copy(u[header.UDPMinimumSize:], payload)
	header.UDP(u).Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(len(u))})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, stackAddr(src.Addr()), stackAddr(dst.Addr()), uint16(len(u)))
	header.UDP(u).SetChecksum(^checksum.Checksum(u, sum))
	return ipFrame(header.UDPProtocolNumber, src.Addr(), dst.Addr(), u)
}

// ipFrame is an Ethernet frame with an IPv4 packet from the guest's card.
func ipFrame(proto tcpip.TransportProtocolNumber, src, dst netip.Addr, payload []byte) []byte {
	b := make([]byte, etherSize+header.IPv4MinimumSize+len(payload))
	to := tcpip.LinkAddress(GatewayMAC[:])
	if dst == allOnes {
		to = header.EthernetBroadcastAddress
	}
	header.Ethernet(b).Encode(&header.EthernetFields{SrcAddr: tcpip.LinkAddress(guestMAC[:]), DstAddr: to, Type: header.IPv4ProtocolNumber})
	ip := header.IPv4(b[etherSize:])
	ip.Encode(&header.IPv4Fields{TotalLength: uint16(len(ip)), TTL: 64, Protocol: uint8(proto), SrcAddr: stackAddr(src), DstAddr: stackAddr(dst)})
	ip.SetChecksum(^ip.CalculateChecksum())
	copy(b[etherSize+header.IPv4MinimumSize:], payload)
	return b
}

// card is a network card that a test works by hand.
type card struct {
	n   *Network
	m   *machine
	got chan []byte
}

func newCard(t testing.TB, cfg Config) *card {
	n, m := newNetwork(t, cfg)
	c := &card{n, m, make(chan []byte, 100)}
	m.do(func() {
		n.Receive(func(f Frame) bool {
			select {
			case c.got <- bytes.Clone(f.Data):
			default: // nobody looks
			}
			return true
		})
	})
	return c
}

func (c *card) send(b []byte) { c.m.do(func() { c.n.Send(Frame{Data: b}) }) }

func TestDHCPOnTheWire(t *testing.T) {
	c := newCard(t, Config{})
	from := netip.AddrPortFrom(netip.IPv4Unspecified(), 68)
	c.send(udpFrame(from, netip.AddrPortFrom(allOnes, 67), dhcpRequestMessage(dhcpDiscover, from.Addr())))
	b := <-c.got
	eth, ip := header.Ethernet(b), header.IPv4(b[etherSize:])
	if eth.DestinationAddress() != header.EthernetBroadcastAddress || hostAddr(ip.DestinationAddress()) != allOnes || hostAddr(ip.SourceAddress()) != GatewayIP {
		t.Errorf("the offer goes from %v to %v, %v", ip.SourceAddress(), ip.DestinationAddress(), eth.DestinationAddress())
	}
	u := header.UDP(ip.Payload())
	if u.SourcePort() != 67 || u.DestinationPort() != 68 {
		t.Errorf("ports %d to %d", u.SourcePort(), u.DestinationPort())
	}
	if o := dhcpFields(t, u.Payload()); o[53][0] != dhcpOffer {
		t.Errorf("type %d", o[53][0])
	}
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcpRequestMessage(dhcpDiscover, netip.IPv4Unspecified(), 55, 3, 1, 3, 6))
	f.Add(dhcpRequestMessage(dhcpRequest, GuestIP, 50, 4, 10, 0, 2, 15))
	n, _ := newNetwork(f, Config{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseDHCP(b)
		if err != nil {
			return
		}
		if r := n.dhcpAnswer(m); r != nil && (len(r) < dhcpSmallest || len(r) > dhcpLargest) {
			t.Errorf("an answer of %d bytes", len(r))
		}
		dhcpDestination(m)
	})
}
