package usernet

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The addresses of the network in IPv6. The guest makes its own in Subnet6 (RFC
// 4862). They are unique local ones (RFC 4193), so that programs prefer IPv4
// where a name has both (RFC 6724).
var (
	Subnet6        = netip.MustParsePrefix("fd61:6c70:696e:6576::/64")
	GatewayIP6     = netip.MustParseAddr("fd61:6c70:696e:6576::2")
	DNSIP6         = netip.MustParseAddr("fd61:6c70:696e:6576::3")
	gatewayLink6   = netip.MustParseAddr("fe80::2")
	allNodes       = netip.MustParseAddr("ff02::1")
	allRouters     = netip.MustParseAddr("ff02::2")
	loopback6      = netip.IPv6Loopback()
	multicastMAC6  = []byte{0x33, 0x33} // and the end of the group's address (RFC 2464, 7)
	routerLifetime = 9000 * time.Second // the longest (RFC 4861, 6.2.1)
)

const (
	advertiseEvery = 10 * time.Minute
	ndpHopLimit    = 255 // else it has been forwarded (RFC 4861, 6.1)
	fragmentHeader = 8   // bytes (RFC 8200, 4.5)
)

// ours6 tells whether ip is an address of the gateway or of the DNS server.
func ours6(ip netip.Addr) bool { return ip == GatewayIP6 || ip == DNSIP6 || ip == gatewayLink6 }

// guestMayUse6 reports whether ip can be an address of the guest's that others see.
func guestMayUse6(ip netip.Addr) bool {
	return Subnet6.Contains(ip) && !ours6(ip) && ip != Subnet6.Addr() // which is any router's (RFC 4291, 2.6.1)
}

// admitIPv6 checks an IPv6 packet (RFC 8200). Of extension headers only fragments are
// taken.
func (n *Network) admitIPv6(b []byte, partial bool) []byte {
	ip := header.IPv6(b[etherSize:])
	if !ip.IsValid(len(ip)) {
		return nil
	}
	src, dst := hostAddr(ip.SourceAddress()), hostAddr(ip.DestinationAddress())
	neighbour := dst.IsMulticast() || !guestMayUse6(src) || dst == gatewayLink6
	fragmented := ip.NextHeader() == uint8(header.IPv6FragmentExtHdrIdentifier)
	if !neighbour && fragmented && unicast(dst) {
		if b, partial = n.whole6(b), false; b == nil {
			return nil
		}
		ip = header.IPv6(b[etherSize:])
	}
	proto := tcpip.TransportProtocolNumber(ip.NextHeader())
	payload := ip[header.IPv6MinimumSize:][:ip.PayloadLength()]
	if !sumValid6(ip, proto, payload, partial) {
		return nil
	}
	if proto == header.ICMPv6ProtocolNumber && !fragmented { // which it may not be (RFC 6980)
		if admitted, is := n.admitNDP(b, src, dst, payload); is {
			return admitted
		}
	}
	if neighbour || !unicast(dst) {
		return nil
	}
	if proto == header.ICMPv6ProtocolNumber {
		if header.ICMPv6(payload).Type() != header.ICMPv6EchoRequest {
			return nil
		}
		if !ours6(dst) {
			n.echo(src, dst, payload)
			return nil
		}
	}
	return b
}

// sumValid6 verifies the transport checksum, which is never left out.
func sumValid6(ip header.IPv6, proto tcpip.TransportProtocolNumber, payload []byte, partial bool) bool {
	var least int
	switch proto {
	case header.TCPProtocolNumber:
		least = header.TCPMinimumSize
	case header.UDPProtocolNumber:
		least = header.UDPMinimumSize
	case header.ICMPv6ProtocolNumber:
		least = header.ICMPv6MinimumSize
	default:
		return false
	}
	if len(payload) < least {
		return false
	}
	if partial && proto != header.ICMPv6ProtocolNumber {
		return true
	}
	if proto == header.UDPProtocolNumber && binary.BigEndian.Uint16(payload[6:]) == 0 {
		return false // RFC 8200, 8.1
	}
	sum := header.PseudoHeaderChecksum(proto, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(payload)))
	return checksum.Checksum(payload, sum) == 0xffff
}

// whole6 is the frame that a fragment completes, or nil.
func (n *Network) whole6(b []byte) []byte {
	ip := header.IPv6(b[etherSize:])
	data := ip[header.IPv6MinimumSize:][:ip.PayloadLength()]
	if len(data) < fragmentHeader {
		return nil
	}
	place := binary.BigEndian.Uint16(data[2:])
	f := fragment{
		src: hostAddr(ip.SourceAddress()), dst: hostAddr(ip.DestinationAddress()), id: binary.BigEndian.Uint32(data[4:]), proto: data[0],
		head: slices.Clone(b[:etherSize+header.IPv6MinimumSize]), at: int(place &^ 7), data: data[fragmentHeader:], more: place&1 != 0,
	}
	header.IPv6(f.head[etherSize:]).SetNextHeader(f.proto)
	if !f.more && f.at == 0 && len(f.data) > 0 {
		// A datagram of one fragment belongs to no other (RFC 6946).
		whole := append(f.head, f.data...)
		header.IPv6(whole[etherSize:]).SetPayloadLength(uint16(len(f.data)))
		return whole
	}
	whole := n.fragments.add(f, largestIPv4)
	if whole != nil {
		ip = header.IPv6(whole[etherSize:])
		ip.SetPayloadLength(uint16(len(ip) - header.IPv6MinimumSize))
	}
	return whole
}

// admitNDP takes what the guest says to its neighbours (RFC 4861). It answers router
// solicitations, and gives to the stack what is about the gateway's addresses, so
// that nobody has those of the guest. It reports false for what is no such message.
func (n *Network) admitNDP(b []byte, src, dst netip.Addr, icmp []byte) (admitted []byte, is bool) {
	const target = 8 // where it is (RFC 4861, 4.3 and 4.4)
	mine := guestMayUse6(src) || src.IsLinkLocalUnicast() && src != gatewayLink6
	near := header.IPv6(b[etherSize:]).HopLimit() == ndpHopLimit
	onLink := near && (dst.IsLinkLocalMulticast() || ours6(dst))
	switch header.ICMPv6(icmp).Type() {
	case header.ICMPv6RouterSolicit:
		if onLink && (mine || src.IsUnspecified()) {
			n.advertise()
		}
	case header.ICMPv6NeighborSolicit:
		if at, ok := ndpTarget(icmp, target); ok && onLink && mine && ours6(at) {
			return b, true
		}
	case header.ICMPv6NeighborAdvert:
		if at, ok := ndpTarget(icmp, target); ok && mine && at == src && (onLink || near && unicast(dst)) {
			return b, true // the stack asks as whom it has a packet from
		}
	default:
		return nil, false
	}
	return nil, true
}

func ndpTarget(icmp []byte, at int) (netip.Addr, bool) {
	if len(icmp) < at+16 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(icmp[at : at+16])
}

// startIPv6 tells the guest of the network, now and then.
func (n *Network) startIPv6() {
	n.wg.Go(func() {
		t := time.NewTicker(advertiseEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				n.advertise()
			case <-n.ctx.Done():
				return
			}
		}
	})
}

// Options of a router advertisement (RFC 4861, 4.6; RFC 8106, 5.1), their lengths in
// units of 8 bytes.
const (
	ndpSourceLink = 1
	ndpPrefix     = 3
	ndpMTU        = 5
	ndpDNS        = 25
	ndpOnLink     = 0x80
	ndpAutonomous = 0x40
	ndpForever    = 1<<32 - 1
)

// advertise sends the guest a router advertisement (RFC 4861, 4.2).
func (n *Network) advertise() {
	b := []byte{byte(header.ICMPv6RouterAdvert), 0, 0, 0, 64, 0} // hop limit; no DHCPv6
	b = binary.BigEndian.AppendUint16(b, uint16(routerLifetime/time.Second))
	b = append(b, make([]byte, 8)...) // times that are ours to choose, and are not
	b = append(append(b, ndpSourceLink, 1), GatewayMAC[:]...)
	b = binary.BigEndian.AppendUint32(append(b, ndpMTU, 1, 0, 0), uint32(n.cfg.MTU))
	b = append(b, ndpPrefix, 4, byte(Subnet6.Bits()), ndpOnLink|ndpAutonomous)
	b = binary.BigEndian.AppendUint32(b, ndpForever)
	b = binary.BigEndian.AppendUint32(b, ndpForever)
	b = append(append(b, 0, 0, 0, 0), Subnet6.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint32(append(b, ndpDNS, 3, 0, 0), uint32(routerLifetime/time.Second))
	b = append(b, DNSIP6.AsSlice()...)
	n.sendICMP6(gatewayLink6, allNodes, b, ndpHopLimit)
}

// sendICMP6 sends the guest an ICMPv6 message, whose checksum it completes.
func (n *Network) sendICMP6(src, dst netip.Addr, icmp []byte, hops uint8) {
	binary.BigEndian.PutUint16(icmp[2:], 0)
	sum := header.PseudoHeaderChecksum(header.ICMPv6ProtocolNumber, stackAddr(src), stackAddr(dst), uint16(len(icmp)))
	binary.BigEndian.PutUint16(icmp[2:], ^checksum.Checksum(icmp, sum))
	n.send(header.ICMPv6ProtocolNumber, src, dst, icmp, hops)
}
