package usernet

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const (
	dhcpServerPort = 67
	dhcpClientPort = 68
	dnsPort        = 53
)

// admit gives what the stack gets to see for a frame from the guest, nil for
// nothing: addresses have to be the guest's to use, and checksums right; partial
// says that the transport checksum is not completed yet. Fragments come out as
// the frame that the last of them completes. Echo requests to the world outside
// are answered from here.
func (n *Network) admit(b []byte, partial bool) []byte {
	if len(b) <= etherSize {
		return nil
	}
	eth := header.Ethernet(b)
	dst, src := eth.DestinationAddress(), eth.SourceAddress()
	group6 := eth.Type() == header.IPv6ProtocolNumber && bytes.HasPrefix([]byte(dst), multicastMAC6)
	if dst != n.link.LinkAddress() && dst != header.EthernetBroadcastAddress && !group6 {
		return nil
	}
	if src == n.link.LinkAddress() || header.IsMulticastEthernetAddress(src) {
		return nil
	}
	switch eth.Type() {
	case header.ARPProtocolNumber:
		if admitARP(b) {
			return b
		}
	case header.IPv4ProtocolNumber:
		return n.admitIPv4(b, partial)
	case header.IPv6ProtocolNumber:
		return n.admitIPv6(b, partial)
	}
	return nil
}

// guestMayUse reports whether ip can be an address of the guest's.
func guestMayUse(ip netip.Addr) bool {
	return Subnet.Contains(ip) && ip != GatewayIP && ip != DNSIP && ip != broadcast && ip != Subnet.Addr()
}

// admitARP takes packets whose sender is the sender of the frame (RFC 826) and
// has an address of the guest's, or none yet (RFC 5227).
func admitARP(b []byte) bool {
	arp := header.ARP(b[etherSize:])
	if len(arp) < header.ARPSize || !arp.IsValid() {
		return false
	}
	if !bytes.Equal(arp.HardwareAddressSender(), b[6:12]) {
		return false
	}
	sender, _ := netip.AddrFromSlice(arp.ProtocolAddressSender())
	return guestMayUse(sender) || sender.IsUnspecified()
}

// admitIPv4 checks an IPv4 packet (RFC 791, RFC 1122 3.2.1).
func (n *Network) admitIPv4(b []byte, partial bool) []byte {
	ip := header.IPv4(b[etherSize:])
	if !ip.IsValid(len(ip)) || header.IPVersion(ip) != header.IPv4Version || !ip.IsChecksumValid() {
		return nil
	}
	src, dst := hostAddr(ip.SourceAddress()), hostAddr(ip.DestinationAddress())
	if dst == allOnes || dst == broadcast || src.IsUnspecified() {
		if admitDHCP(ip[:ip.TotalLength()], partial) {
			return b
		}
		return nil
	}
	if !guestMayUse(src) || !unicast(dst) {
		return nil
	}
	b, assembled := n.whole(b)
	if b == nil {
		return nil
	}
	ip = header.IPv4(b[etherSize:])
	ip = ip[:ip.TotalLength()]
	if !transportSumValid(ip, ip.Payload(), partial && !assembled) {
		return nil
	}
	switch ip.TransportProtocol() {
	case header.TCPProtocolNumber, header.UDPProtocolNumber:
		return b
	case header.ICMPv4ProtocolNumber:
		if dst == GatewayIP || dst == DNSIP {
			return b
		}
		n.echo(src, dst, ip.Payload())
	}
	return nil
}

// admitDHCP checks an IPv4 packet that is sent to all, or without an address:
// only DHCP is spoken so.
func admitDHCP(ip header.IPv4, partial bool) bool {
	src, dst := hostAddr(ip.SourceAddress()), hostAddr(ip.DestinationAddress())
	u := header.UDP(ip.Payload())
	return ip.TransportProtocol() == header.UDPProtocolNumber && !ip.More() && ip.FragmentOffset() == 0 &&
		len(u) >= header.UDPMinimumSize && u.DestinationPort() == dhcpServerPort &&
		(guestMayUse(src) || src.IsUnspecified()) && (dst == allOnes || dst == broadcast || dst == GatewayIP) &&
		transportSumValid(ip, ip.Payload(), partial)
}

// unicast reports whether dst is an address of one host (RFC 6890: not "this
// network", loopback, multicast or reserved), and not of the link.
func unicast(dst netip.Addr) bool {
	if dst.Is6() {
		return !dst.IsUnspecified() && !dst.IsLoopback() && !dst.IsMulticast() && !dst.IsLinkLocalUnicast() && !dst.Is4In6()
	}
	first := dst.As4()[0]
	return first != 0 && first != 127 && first < 224
}

// transportSumValid verifies the checksum of an unfragmented packet.
func transportSumValid(ip header.IPv4, payload []byte, partial bool) bool {
	proto := ip.TransportProtocol()
	switch proto {
	case header.ICMPv4ProtocolNumber:
		return len(payload) >= header.ICMPv4MinimumSize && checksum.Checksum(payload, 0) == 0xffff
	case header.TCPProtocolNumber:
		if len(payload) < header.TCPMinimumSize {
			return false
		}
	case header.UDPProtocolNumber:
		if len(payload) < header.UDPMinimumSize {
			return false
		}
		if binary.BigEndian.Uint16(payload[6:]) == 0 {
			return true // not used (RFC 768)
		}
	}
	if partial {
		return true
	}
	sum := header.PseudoHeaderChecksum(proto, ip.SourceAddress(), ip.DestinationAddress(), uint16(len(payload)))
	return checksum.Checksum(payload, sum) == 0xffff
}
