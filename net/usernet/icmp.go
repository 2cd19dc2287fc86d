package usernet

import (
	"context"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

const (
	maxPings    = 16 // echo requests at a time that wait for their answer
	pingTimeout = 10 * time.Second
	quoted      = 8 // bytes behind the IP header that an ICMP error quotes (RFC 792)
	ttl         = 64
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
	b := make([]byte, header.IPv4MinimumSize+header.UDPMinimumSize)
	ip := header.IPv4(b)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: ttl, Protocol: uint8(header.UDPProtocolNumber),
		SrcAddr: stackAddr(src.Addr()), DstAddr: stackAddr(dst.Addr()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	header.UDP(ip.Payload()).Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: header.UDPMinimumSize})
	return b
}

// sendUnreachable answers the packet that starts with headers with ICMP
// destination unreachable (RFC 792), which comes from the gateway.
func (n *Network) sendUnreachable(headers []byte, code header.ICMPv4Code) {
	icmp := make([]byte, header.ICMPv4MinimumSize+len(headers))
	h := header.ICMPv4(icmp)
	h.SetType(header.ICMPv4DstUnreachable)
	h.SetCode(code)
	copy(icmp[header.ICMPv4MinimumSize:], headers)
	h.SetChecksum(^checksum.Checksum(icmp, 0))
	n.send(header.ICMPv4ProtocolNumber, GatewayIP, hostAddr(header.IPv4(headers).SourceAddress()), icmp)
}

// send sends the guest a packet from any address, in fragments where it is
// larger than the card's MTU.
func (n *Network) send(proto tcpip.TransportProtocolNumber, src, dst netip.Addr, transport []byte) {
	r, err := n.stack.FindRoute(nicID, stackAddr(src), stackAddr(dst), ipv4.ProtocolNumber, false)
	if err != nil {
		return // the network is closed
	}
	defer r.Release()
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: int(r.MaxHeaderLength()), Payload: buffer.MakeWithData(transport),
	})
	defer pkt.DecRef()
	r.WritePacket(stack.NetworkHeaderParams{Protocol: proto, TTL: ttl}, pkt) // lost where there is no room
}

// echo answers an echo request from src if dst answers the host (RFC 792).
func (n *Network) echo(src, dst netip.Addr, icmp []byte) {
	if n.cfg.Ping == nil || header.ICMPv4(icmp).Type() != header.ICMPv4Echo {
		return
	}
	what := Flow{Network: "icmp", Guest: netip.AddrPortFrom(src, 0), Remote: netip.AddrPortFrom(dst, 0)}
	target, err := n.decide(&what)
	if err != nil {
		n.refuse(what, err)
		return
	}
	size := len(icmp) - header.ICMPv4MinimumSize
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
		err := n.cfg.Ping(ctx, target.Addr(), reply[header.ICMPv4MinimumSize:])
		if err == nil {
			counts.received.Add(int64(size))
		}
		counts.close(err)
		if err != nil || n.down.wait(ctx, size) != nil {
			return
		}
		h := header.ICMPv4(reply)
		h.SetType(header.ICMPv4EchoReply)
		h.SetChecksum(0)
		h.SetChecksum(^checksum.Checksum(reply, 0))
		n.send(header.ICMPv4ProtocolNumber, dst, src, reply)
	})
}
