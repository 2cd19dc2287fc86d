package usernet

import (
	"context"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	maxPings    = 16 // echo requests at a time that wait for their answer
	pingTimeout = 10 * time.Second
	quoted      = 8 // bytes behind the IP header that an ICMP error quotes (RFC 792)
	ttl         = 64
	echoHeader  = 8 // bytes in front of the data of an echo request
)

// quote copies the headers of a packet from the guest for an ICMP error.
func quote(pkt *stack.PacketBuffer) []byte {
	b := append([]byte(nil), pkt.NetworkHeader().Slice()...)
	t := pkt.TransportHeader().Slice()
	return append(b, t[:min(len(t), quoted)]...)
}

// quoteUDP makes the headers of a datagram for an ICMP error: what is left of it
// is its addresses.
func quoteUDP(src, dst netip.AddrPort) []byte {
	u := make(header.UDP, header.UDPMinimumSize)
	u.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: header.UDPMinimumSize})
	if src.Addr().Is6() {
		ip := make(header.IPv6, header.IPv6MinimumSize)
		ip.Encode(&header.IPv6Fields{
			PayloadLength: header.UDPMinimumSize, TransportProtocol: header.UDPProtocolNumber, HopLimit: ttl,
			SrcAddr: stackAddr(src.Addr()), DstAddr: stackAddr(dst.Addr()),
		})
		return append(ip, u...)
	}
	ip := make(header.IPv4, header.IPv4MinimumSize)
	ip.Encode(&header.IPv4Fields{
		TotalLength: header.IPv4MinimumSize + header.UDPMinimumSize, TTL: ttl, Protocol: uint8(header.UDPProtocolNumber),
		SrcAddr: stackAddr(src.Addr()), DstAddr: stackAddr(dst.Addr()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	return append(ip, u...)
}

// obstacle is why a packet has not arrived.
type obstacle uint8

const (
	noNet obstacle = iota
	noHost
	noPort
)

// The codes of ICMP destination unreachable (RFC 792; RFC 4443, 3.1).
var (
	codes4 = [...]byte{noNet: byte(header.ICMPv4NetUnreachable), noHost: byte(header.ICMPv4HostUnreachable), noPort: byte(header.ICMPv4PortUnreachable)}
	codes6 = [...]byte{noNet: byte(header.ICMPv6NetworkUnreachable), noHost: byte(header.ICMPv6AddressUnreachable), noPort: byte(header.ICMPv6PortUnreachable)}
)

// sendUnreachable answers the packet that starts with headers with ICMP
// destination unreachable, which comes from the gateway.
func (n *Network) sendUnreachable(headers []byte, why obstacle) {
	icmp := append(make([]byte, header.ICMPv4MinimumSize), headers...) // ICMPv6's are as long
	if header.IPVersion(headers) == header.IPv6Version {
		icmp[0], icmp[1] = byte(header.ICMPv6DstUnreachable), codes6[why]
		n.sendICMP6(GatewayIP6, hostAddr(header.IPv6(headers).SourceAddress()), icmp, ttl)
		return
	}
	icmp[0], icmp[1] = byte(header.ICMPv4DstUnreachable), codes4[why]
	n.sendICMP4(GatewayIP, hostAddr(header.IPv4(headers).SourceAddress()), icmp)
}

// sendICMP4 sends the guest an ICMP message, whose checksum it completes.
func (n *Network) sendICMP4(src, dst netip.Addr, icmp []byte) {
	h := header.ICMPv4(icmp)
	h.SetChecksum(0)
	h.SetChecksum(^checksum.Checksum(icmp, 0))
	n.send(header.ICMPv4ProtocolNumber, src, dst, icmp, ttl)
}

// send sends the guest a packet from any address, in fragments where it is
// larger than the card's MTU.
func (n *Network) send(proto tcpip.TransportProtocolNumber, src, dst netip.Addr, transport []byte, hops uint8) {
	r, err := n.stack.FindRoute(nicID, stackAddr(src), stackAddr(dst), protocolOf(dst), false)
	if err != nil {
		return // the network is closed
	}
	defer r.Release()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()), Payload: buffer.MakeWithData(transport),
	})
	defer pkt.DecRef()
	r.WritePacket(stack.NetworkHeaderParams{Protocol: proto, TTL: hops}, pkt) // lost where there is no room
}

// echo answers an echo request from src if dst answers the host (RFC 792; RFC 4443,
// 4.1).
func (n *Network) echo(src, dst netip.Addr, icmp []byte) {
	if n.cfg.Ping == nil || dst.Is4() && header.ICMPv4(icmp).Type() != header.ICMPv4Echo || len(icmp) < echoHeader {
		return
	}
	what := Flow{Network: "icmp", Guest: netip.AddrPortFrom(src, 0), Remote: netip.AddrPortFrom(dst, 0)}
	target, err := n.decide(&what)
	if err != nil {
		n.refuse(what, err)
		return
	}
	size := len(icmp) - echoHeader
	if !n.up.allow(size) {
		return // lost, as on a wire that is full
	}
	select {
	case n.pings <- struct{}{}:
	default:
		return
	}
	reply := append([]byte(nil), icmp...)
	n.wg.Go(func() {
		defer func() { <-n.pings }()
		ctx, cancel := context.WithTimeout(n.ctx, pingTimeout)
		defer cancel()
		counts := n.open(what)
		counts.sent.Add(int64(size))
		err := n.cfg.Ping(ctx, target.Addr(), reply[echoHeader:])
		if err == nil {
			counts.received.Add(int64(size))
		}
		counts.close(err)
		if err != nil || n.down.wait(ctx, size) != nil {
			return
		}
		if dst.Is6() {
			reply[0] = byte(header.ICMPv6EchoReply)
			n.sendICMP6(dst, src, reply, ttl)
			return
		}
		reply[0] = byte(header.ICMPv4EchoReply)
		n.sendICMP4(dst, src, reply)
	})
}
